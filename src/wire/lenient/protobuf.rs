//! The readable parts of a message that is malformed.

use crate::{
    model::{Controller, Str, Uid, Version},
    wire::{
        partial::{self, OwnerReference, protobuf::owner_reference},
        protobuf::reader::{Message, Result},
    },
};

use super::Parts;

/// Reads each part by itself, up to the place where nothing says what follows.
pub(super) fn parts(object: &[u8]) -> Parts {
    let object = Message::new(object);
    let mut parts = Parts {
        namespace: None,
        name: None,
        uid: None,
        version: Version::default(),
        controller: Controller::Unreadable,
        node: None,
    };
    let mut owners: Result<Vec<OwnerReference<'_>>> = Ok(Vec::new());
    let mut is_whole = false;
    if let Some(metadata) = object.find(1) {
        is_whole = true;
        for field in Message::new(metadata) {
            let Ok(field) = field else {
                is_whole = false;
                break;
            };
            let text = || field.text("").ok().filter(|text| !text.is_empty());
            match field.number {
                1 => parts.name = text().map(Str::from),
                3 => parts.namespace = text().map(Str::from),
                5 => parts.uid = text().map(Uid::from),
                6 => parts.version = text().map_or(Version::default(), Version::parse),
                13 => {
                    let owner = field.message("", owner_reference);
                    owners = owners.and_then(|mut owners| {
                        owners.push(owner?);
                        Ok(owners)
                    });
                }
                _ => {}
            }
        }
    }
    if let (true, Ok(owners)) = (is_whole, owners) {
        parts.controller = partial::controller(&owners);
    }
    parts.node = object.find(2).and_then(|spec| node(Message::new(spec)));
    parts
}

/// The node that a pod runs on or is pinned to.
fn node(spec: Message<'_>) -> Option<Str> {
    match spec.find_text(10) {
        Some(name) if !name.is_empty() => Some(name.into()),
        _ => {
            let affinity = partial::protobuf::affinity(Message::new(spec.find(18)?)).ok()?;
            affinity.pinned_to().map(Str::from)
        }
    }
}
