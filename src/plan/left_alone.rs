//! When nothing at all is done for a DaemonSet: it cannot be understood, or what is known around it
//! cannot.

use crate::model::{Controller, Kind, Malformed, Selector, Snapshot, Str};

use super::action::{Event, EventType};

/// Why a DaemonSet is left alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, thiserror::Error)]
pub enum LeftAlone {
    /// The garbage collector's work; no history can be trusted meanwhile.
    #[error("it is being deleted")]
    BeingDeleted,
    /// The empty selector.
    #[error("it selects all pods; a non-empty selector is required")]
    SelectingAll,
    /// Its selector cannot be compiled.
    #[error("its selector cannot be used: {0}; correct spec.selector")]
    MalformedSelector(Malformed),
    /// It could not be decoded.
    #[error("it could not be decoded by this build")]
    Unreadable,
    /// A pod that may be its own could not be decoded, and its node is not known.
    #[error("pod {0} could not be decoded and may be its own on any node")]
    UnreadablePod(Str),
    /// A revision that may be its own could not be decoded.
    #[error("controllerrevision {0} could not be decoded and may be its own")]
    UnreadableRevision(Str),
    /// An object that may concern it could not be decoded, not even its name.
    #[error("a {} that may concern it could not be decoded, not even its name", .0.as_str())]
    Unnamed(Kind),
}

impl LeftAlone {
    /// In one word, for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            LeftAlone::BeingDeleted => "BeingDeleted",
            LeftAlone::SelectingAll => "SelectingAll",
            LeftAlone::MalformedSelector(_) => "MalformedSelector",
            LeftAlone::Unreadable => "Unreadable",
            LeftAlone::UnreadablePod(_) => "UnreadablePod",
            LeftAlone::UnreadableRevision(_) => "UnreadableRevision",
            LeftAlone::Unnamed(_) => "UnnamedObject",
        }
    }

    /// What ends it, as a phrase after "until".
    pub fn until_what(&self) -> &'static str {
        match self {
            LeftAlone::BeingDeleted => "the garbage collector has deleted it",
            LeftAlone::SelectingAll | LeftAlone::MalformedSelector(_) => {
                "spec.selector is corrected"
            }
            LeftAlone::Unreadable
            | LeftAlone::UnreadablePod(_)
            | LeftAlone::UnreadableRevision(_)
            | LeftAlone::Unnamed(_) => "the object is gone or this build can decode it",
        }
    }

    /// The event that goes with it. A DaemonSet being deleted is no news.
    pub(super) fn event(&self) -> Option<Event> {
        let (reason, message) = match self {
            LeftAlone::BeingDeleted | LeftAlone::Unreadable => return None,
            LeftAlone::SelectingAll => (
                "SelectingAll",
                "This daemon set is selecting all pods. A non-empty selector is required."
                    .to_owned(),
            ),
            LeftAlone::MalformedSelector(_) => (
                "InvalidSelector",
                format!("This daemon set is left alone: {self}."),
            ),
            LeftAlone::UnreadablePod(_)
            | LeftAlone::UnreadableRevision(_)
            | LeftAlone::Unnamed(_) => (
                "UnreadableObject",
                format!("This daemon set is left alone: {self}."),
            ),
        };
        Some(Event {
            kind: EventType::Warning,
            reason,
            message,
            node: None,
        })
    }
}

/// The selector, or why nothing at all is done for this DaemonSet.
pub(super) fn check<'a>(snapshot: &Snapshot<'a>) -> Result<&'a Selector, LeftAlone> {
    let ds = snapshot.daemon_set;
    if !ds.readable {
        return Err(LeftAlone::Unreadable);
    }
    let selector = match &ds.selector {
        // Upstream says so even while the DaemonSet is being deleted.
        Ok(Selector::Everything) => return Err(LeftAlone::SelectingAll),
        Ok(selector) => selector,
        Err(why) => return Err(LeftAlone::MalformedSelector(why.clone())),
    };
    if ds.terminating {
        return Err(LeftAlone::BeingDeleted);
    }
    if let Some(kind) = snapshot.blind {
        return Err(LeftAlone::Unnamed(kind));
    }
    // A pod or revision that may be ours and whose place is not known could make two of one.
    let unknown = |controller: &Controller| match controller {
        Controller::Unreadable => true,
        Controller::Uid(uid) => *uid == ds.uid,
        Controller::None => true,
    };
    if let Some(p) = snapshot
        .pods
        .iter()
        .find(|p| !p.readable && p.node.is_none() && unknown(&p.controller))
    {
        return Err(LeftAlone::UnreadablePod(p.name.clone()));
    }
    if let Some(r) = snapshot
        .revisions
        .iter()
        .find(|r| !r.readable && unknown(&r.controller))
    {
        return Err(LeftAlone::UnreadableRevision(r.name.clone()));
    }
    Ok(selector)
}
