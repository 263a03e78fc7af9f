//! What rollout control asks for, and where each value came from, as JSON: shared by `plan` and
//! `explain`.

use serde::{Deserialize, Serialize};

use crate::model::{Control, DaemonSet, Exclusion, Origin, Setting};

/// What the annotations of a DaemonSet and the cluster defaults ask for.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ControlReport {
    /// The keys that can be read, by name.
    pub keys: Vec<KeyReport>,
    /// Nodes that no pod of the DaemonSet shall run on, in the order of the rules.
    pub excluded_nodes: Vec<ExcludedNodesReport>,
}

/// A key.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyReport {
    /// The key, without the prefix.
    pub key: String,
    /// Its value.
    pub value: String,
    /// `annotation` or `default`.
    pub origin: String,
    /// For a default: the number of the rule, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
}

/// Nodes that are excluded.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExcludedNodesReport {
    /// Their labels.
    pub selector: String,
    /// What becomes of pods that run there: `keep` or `remove`.
    pub existing: String,
    /// The number of the rule, from 1.
    pub rule: usize,
}

impl ControlReport {
    /// Of a DaemonSet; None where nothing that can be read is asked for.
    pub fn of(ds: &DaemonSet) -> Option<ControlReport> {
        let control: &Control = ds.control.as_deref()?;
        let report = ControlReport {
            keys: control.settings.iter().map(KeyReport::from).collect(),
            excluded_nodes: control.exclusions.iter().map(Into::into).collect(),
        };
        let says_something = !report.keys.is_empty() || !report.excluded_nodes.is_empty();
        says_something.then_some(report)
    }
}

impl From<&Setting> for KeyReport {
    fn from(setting: &Setting) -> Self {
        let (origin, rule) = match setting.origin {
            Origin::Annotation => ("annotation", None),
            Origin::Rule(rule) => ("default", Some(rule)),
        };
        KeyReport {
            key: setting.key.to_string(),
            value: setting.value.to_string(),
            origin: origin.to_owned(),
            rule,
        }
    }
}

impl From<&Exclusion> for ExcludedNodesReport {
    fn from(exclusion: &Exclusion) -> Self {
        ExcludedNodesReport {
            selector: exclusion.text.to_string(),
            existing: exclusion.existing.as_str().to_owned(),
            rule: exclusion.rule,
        }
    }
}
