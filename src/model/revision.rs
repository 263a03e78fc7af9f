//! What the controller remembers of a ControllerRevision.

use std::{collections::BTreeMap, sync::Arc};

use super::{Controller, Labels, Str, Time, Uid, Version};

/// The label that ties a pod to its revision.
pub const HASH_LABEL: &str = "controller-revision-hash";

/// Which bytes the API server has stored as a revision's `data`.
///
/// The built-in controller takes only byte-identical revisions for equal. JSON does not tell the
/// bytes: when the API server writes JSON, it leaves white space out and escapes `<`, `>` and `&`.
/// Only its binary form has them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoredData {
    /// They have not been read.
    Unread,
    /// The API server was asked, and does not tell.
    Untold,
    /// The canonical form, as the built-in controller writes it.
    Canonical,
    /// Another spelling of the same content.
    Other,
}

/// That somebody approved a revision: failures up to then are forgiven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approved {
    /// When that was seen.
    pub at: Time,
    /// How often the container with the most restarts had been restarted by then, by node: of
    /// nodes that failed, or where one had been restarted at all.
    pub restarts: BTreeMap<Str, u32>,
    /// Whether the annotation has gone since. If it comes back, that is another approval.
    pub withdrawn: bool,
}

/// That the rollout of a revision failed: more nodes did than are tolerated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failed {
    /// When.
    pub at: Time,
    /// Where and why.
    pub cause: FailureCause,
    /// The same of the way back: nodes failed with the stable revision too.
    pub back: Option<FailureCause>,
}

/// Where and why a rollout failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailureCause {
    /// The first node on which it did, where it was one.
    pub node: Option<Str>,
    /// Why, as a phrase.
    pub why: Str,
    /// On how many nodes it had by then, where it was nodes.
    pub failing: Option<usize>,
}

/// Whether the time of `deadline` runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// It runs since this time.
    Since(Time),
    /// It does not: the rollout waits for a time or for a person.
    Stopped,
}

/// A ControllerRevision: one template of the past or the present.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// `metadata.name`.
    pub name: Str,
    /// `metadata.uid`.
    pub uid: Uid,
    /// `metadata.resourceVersion`.
    pub version: Version,
    /// Who controls it.
    pub controller: Controller,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `metadata.deletionTimestamp` is set.
    pub terminating: bool,
    /// When the rollout to it began, where that was recorded (see `control::STARTED`).
    pub started: Option<Time>,
    /// When it completed, where that was recorded (see `control::COMPLETED`).
    pub completed: Option<Time>,
    /// The stages of its rollout that are over, as it was recorded (see `control::RELEASED`).
    pub released: Arc<[Str]>,
    /// That its rollout failed, where that was recorded (see `control::VERDICT`).
    pub failed: Option<Arc<Failed>>,
    /// Whether the time of `deadline` runs, where that was recorded (see `control::CLOCK`).
    pub clock: Option<Clock>,
    /// That it was approved, where that was recorded (see `control::APPROVED`).
    pub approved: Option<Arc<Approved>>,
    /// `revision`.
    pub number: i64,
    /// `data` in canonical form (see `wire::canonical`).
    pub data: Str,
    /// `data` in canonical form, without a template `creationTimestamp: null`; same allocation
    /// where there is none.
    pub data_without_timestamp: Str,
    /// Which bytes are stored as `data`, where that was read.
    pub stored: StoredData,
    /// False for a revision that could not be decoded.
    pub readable: bool,
}
