//! The few fields of API objects that are parsed, borrowed from the JSON text.
//!
//! All other fields are skipped, so that a new version of the API adds no cost and cannot break
//! decoding.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::model::{
    ConditionState, ConditionStatus, Controller, Interner, Labels, Time, Uid, Version,
};

/// A string that is borrowed unless it has escapes.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A string in a JSON object of strings: null, which files may have, is empty there, as Go reads
/// it.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct MapText<'a>(#[serde(borrow, deserialize_with = "or_empty")] pub Cow<'a, str>);

fn or_empty<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Result<Cow<'a, str>, D::Error> {
    let text = Option::<Text<'a>>::deserialize(from)?;
    Ok(text.map_or(Cow::Borrowed(""), |text| text.0))
}

/// A JSON object of strings.
pub type Map<'a> = BTreeMap<Text<'a>, MapText<'a>>;

/// `metadata`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub namespace: Option<Text<'a>>,
    #[serde(borrow)]
    pub uid: Option<Text<'a>>,
    #[serde(borrow)]
    pub resource_version: Option<Text<'a>>,
    pub generation: Option<i64>,
    #[serde(borrow)]
    pub creation_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub deletion_timestamp: Option<Text<'a>>,
    /// Explains only: read it with [`leniently`].
    #[serde(borrow)]
    pub deletion_grace_period_seconds: Option<&'a RawValue>,
    /// Explains only: read it with [`leniently`].
    #[serde(borrow)]
    pub finalizers: Option<&'a RawValue>,
    #[serde(borrow)]
    pub labels: Option<Map<'a>>,
    #[serde(borrow)]
    pub annotations: Option<Map<'a>>,
    #[serde(borrow)]
    pub owner_references: Option<Vec<OwnerReference<'a>>>,
}

/// One of `metadata.ownerReferences`.
#[derive(Deserialize)]
pub struct OwnerReference<'a> {
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub uid: Text<'a>,
    pub controller: Option<bool>,
}

impl Metadata<'_> {
    pub fn uid(&self) -> Uid {
        Uid::from(self.uid.as_ref().map_or("", |t| &t.0))
    }

    pub fn version(&self) -> Version {
        self.resource_version
            .as_ref()
            .map_or(Version::default(), |t| Version::parse(&t.0))
    }

    /// The value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        let annotations = self.annotations.as_ref()?;
        let text = annotations.iter().find(|(k, _)| k.0 == key);
        text.map(|(_, text)| &*text.0)
    }

    /// `creationTimestamp`; the epoch where it is absent, as in a file that was written by hand.
    /// Fails where it is no time.
    pub fn created(&self) -> Result<Time, String> {
        match &self.creation_timestamp {
            Some(t) => parse_time(&t.0),
            None => Ok(Time::from_secs(0)),
        }
    }

    pub fn controller(&self) -> Controller {
        controller(self.owner_references.as_deref().unwrap_or_default())
    }

    /// Whether a DaemonSet controls the object, or nothing does.
    pub fn is_daemon_or_orphan(&self) -> bool {
        let owners = self.owner_references.as_deref().unwrap_or_default();
        let controller = owners.iter().find(|o| o.controller == Some(true));
        controller.is_none_or(|o| o.kind.as_ref().is_some_and(|k| k.0 == "DaemonSet"))
    }

    pub fn labels(&self, interner: &mut Interner) -> Labels {
        labels(self.labels.as_ref(), interner)
    }
}

/// The UID of the owner that controls the object.
pub fn controller(owners: &[OwnerReference<'_>]) -> Controller {
    owners
        .iter()
        .find(|o| o.controller == Some(true))
        .map_or(Controller::None, |o| Controller::Uid(Uid::from(&*o.uid.0)))
}

/// A map of labels, shared with equal maps.
pub fn labels(map: Option<&Map<'_>>, interner: &mut Interner) -> Labels {
    let Some(map) = map else {
        return Labels::default();
    };
    let labels = map
        .iter()
        .map(|(k, v)| (interner.text(&k.0), interner.text(&v.0)))
        .collect();
    interner.labels(labels)
}

/// Go's zero time.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// Parses RFC 3339 as the API server writes it.
pub fn parse_time(text: &str) -> Result<Time, String> {
    text.parse().map_err(|_| format!("{text:?} is no time"))
}

/// A requirement of a label selector or of an affinity term.
#[derive(Deserialize)]
pub struct SelectorRequirement<'a> {
    #[serde(borrow)]
    pub key: Option<Text<'a>>,
    #[serde(borrow)]
    pub operator: Option<Text<'a>>,
    #[serde(borrow)]
    pub values: Option<Vec<Text<'a>>>,
}

impl SelectorRequirement<'_> {
    /// Key, operator and values; empty where absent.
    pub fn parts(&self) -> (&str, &str, &[Text<'_>]) {
        (
            self.key.as_ref().map_or("", |t| &t.0),
            self.operator.as_ref().map_or("", |t| &t.0),
            self.values.as_deref().unwrap_or_default(),
        )
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// `affinity`, of which only required node affinity is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Affinity<'a> {
    #[serde(borrow)]
    pub node_affinity: Option<NodeAffinity<'a>>,
}

impl Affinity<'_> {
    /// The one value of the first `metadata.name In [...]` among all terms. None where it has any
    /// other number of values, as upstream has it.
    pub fn pinned_to(&self) -> Option<&str> {
        let required = self
            .node_affinity
            .as_ref()?
            .required_during_scheduling_ignored_during_execution
            .as_ref()?;
        let mut fields = required
            .node_selector_terms
            .iter()
            .flatten()
            .flat_map(|t| t.match_fields.iter().flatten())
            .map(|f| f.parts());
        let (_, _, values) =
            fields.find(|(key, operator, _)| *key == "metadata.name" && *operator == "In")?;
        match values {
            [one] => Some(&one.0),
            _ => None,
        }
    }
}

/// `affinity.nodeAffinity`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeAffinity<'a> {
    #[serde(borrow)]
    pub required_during_scheduling_ignored_during_execution: Option<NodeSelector<'a>>,
}

/// `requiredDuringSchedulingIgnoredDuringExecution`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSelector<'a> {
    #[serde(borrow)]
    pub node_selector_terms: Option<Vec<NodeSelectorTerm<'a>>>,
}

/// One of `nodeSelectorTerms`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSelectorTerm<'a> {
    #[serde(borrow)]
    pub match_expressions: Option<Vec<SelectorRequirement<'a>>>,
    #[serde(borrow)]
    pub match_fields: Option<Vec<SelectorRequirement<'a>>>,
}

/// One of `status.conditions`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
    #[serde(borrow)]
    pub last_transition_time: Option<Text<'a>>,
    /// Explains only: read it with [`leniently`].
    #[serde(borrow)]
    pub reason: Option<&'a RawValue>,
    /// Explains only: read it with [`leniently`].
    #[serde(borrow)]
    pub message: Option<&'a RawValue>,
}

impl Condition<'_> {
    /// The status; `Unknown` where it is absent.
    pub fn status(&self) -> ConditionStatus {
        ConditionStatus::parse(self.status.as_ref().map_or("", |s| &s.0))
    }

    /// Go's zero time, which is also what null is read as, and a malformed time are not known.
    pub fn state(&self) -> ConditionState {
        let since = self.last_transition_time.as_ref();
        ConditionState {
            status: self.status(),
            since: since
                .filter(|t| t.0 != ZERO_TIME)
                .and_then(|t| parse_time(&t.0).ok()),
        }
    }
}

/// The condition of this type, the first of several.
pub fn condition<'c, 'a>(conditions: &'c [Condition<'a>], kind: &str) -> Option<&'c Condition<'a>> {
    conditions
        .iter()
        .find(|c| c.kind.as_ref().is_some_and(|k| k.0 == kind))
}

/// Reads a field that only explains: a value of another type is as good as none, and never an
/// error.
pub fn leniently<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}
