//! What the controller remembers of a ControllerRevision.

use super::{Controller, Labels, Str, Uid, Version};

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
    /// `revision`.
    pub number: i64,
    /// `data` in canonical form (see `wire::canonical`).
    pub data: Str,
    /// `data` in canonical form, without a template `creationTimestamp: null`; same allocation
    /// where there is none.
    pub data_without_timestamp: Str,
    /// False for a revision that could not be decoded.
    pub readable: bool,
}
