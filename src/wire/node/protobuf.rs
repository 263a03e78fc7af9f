//! Reads the message of a node.

use std::borrow::Cow;

use crate::wire::{
    partial::{
        Text,
        protobuf::{condition, metadata, text},
    },
    protobuf::reader::{Malformed, Message, Result},
};

use super::{NodeObject, TaintObject};

pub(super) fn read(object: &[u8]) -> Result<NodeObject<'_>> {
    let mut meta = None;
    let (mut taints, mut conditions, mut boot_id) = (Vec::new(), Vec::new(), None);
    for field in Message::new(object) {
        let field = field?;
        match field.number {
            1 => meta = Some(field.message("metadata", metadata)?),
            2 => field.message("spec", |spec| {
                for field in spec {
                    let field = field?;
                    if field.number == 5 {
                        taints.push(field.message("taints", taint)?);
                    }
                }
                Ok(())
            })?,
            3 => {
                // The status only explains: what is malformed in it ends it, and is no error.
                let status = Message::new(field.bytes("").unwrap_or_default());
                for field in status.map_while(Result::ok) {
                    match field.number {
                        4 => conditions.extend(field.message("", condition).ok()),
                        7 => {
                            let info = Message::new(field.bytes("").unwrap_or_default());
                            boot_id = info.find_text(3).map(|id| Text(Cow::Borrowed(id)));
                            // Long lists follow.
                            break;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(NodeObject {
        metadata: meta.ok_or_else(|| Malformed::new("missing field `metadata`"))?,
        taints,
        conditions,
        boot_id,
    })
}

fn taint<'a>(message: Message<'a>) -> Result<TaintObject<'a>> {
    let mut taint = TaintObject::default();
    for field in message {
        let field = field?;
        match field.number {
            1 => taint.key = text(field, "key")?,
            2 => taint.value = text(field, "value")?,
            3 => taint.effect = text(field, "effect")?,
            _ => {}
        }
    }
    Ok(taint)
}
