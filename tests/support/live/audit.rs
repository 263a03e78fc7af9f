//! The API server's audit log: the requests of a user, and how often it wrote what.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// One request that the API server answered.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
pub struct Entry {
    /// `ResponseComplete`, or `ResponseStarted` for a watch that began.
    pub stage: String,
    /// `create`, `patch`, `watch`...
    pub verb: String,
    /// The user that sent it.
    pub user: User,
    /// The object that it is for.
    pub object_ref: ObjectRef,
    /// The answer's code.
    pub response_status: ResponseStatus,
    /// The path with its query.
    #[serde(rename = "requestURI")]
    pub request_uri: String,
    /// The body of a write by a controller.
    pub request_object: Value,
    /// When the request came.
    pub request_received_timestamp: String,
    /// When it was answered.
    pub stage_timestamp: String,
}

/// `user` of an entry.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct User {
    /// The user's name.
    pub username: String,
}

/// `objectRef` of an entry.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ObjectRef {
    /// `pods`, `daemonsets`...
    pub resource: String,
    /// `status`, `binding`...
    pub subresource: String,
    pub namespace: String,
    /// Name; empty for creates.
    pub name: String,
}

/// `responseStatus` of an entry.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ResponseStatus {
    /// HTTP code.
    pub code: u16,
}

impl Entry {
    /// Whether the request writes.
    pub fn writes(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }

    /// `create pods`, `patch daemonsets/status`...
    pub fn kind(&self) -> String {
        let ObjectRef {
            resource,
            subresource,
            ..
        } = &self.object_ref;
        if subresource.is_empty() {
            format!("{} {resource}", self.verb)
        } else {
            format!("{} {resource}/{subresource}", self.verb)
        }
    }
}

/// All requests by `user` that have been answered, in the order of their answers. A line still
/// being written is left out.
pub fn read(log: &Path, user: &str) -> Vec<Entry> {
    let mut entries = with(log, &format!("\"username\":\"{user}\""));
    entries.retain(|entry| entry.user.username == user);
    entries
}

/// The answered requests with `needle` in their line.
pub fn with(log: &Path, needle: &str) -> Vec<Entry> {
    let text = std::fs::read_to_string(log)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", log.display()));
    text.lines()
        .filter(|line| line.contains(needle))
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
        .filter(|entry| entry.stage == "ResponseComplete")
        .collect()
}

/// How many writes of each kind are among them.
pub fn count_writes(entries: &[Entry]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.writes()) {
        *counts.entry(entry.kind()).or_default() += 1;
    }
    counts
}
