//! What a plan does by the key `resources`, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A rule of the key `resources`.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceRuleReport {
    /// Its number, from 1.
    pub rule: usize,
    /// The selector of its nodes.
    pub nodes: String,
}

/// A pod whose containers get other resources while they run.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResizeReport {
    /// Its name.
    pub pod: String,
    /// The node that it is on or pinned to.
    pub node: String,
    /// The rule that it follows from now on; absent where that is the template alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRuleReport>,
    /// What changes, by name of the container.
    pub containers: BTreeMap<String, ResourcesReport>,
}

/// Requests and limits that change.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourcesReport {
    /// Resource to its request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// Resource to its limit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}
