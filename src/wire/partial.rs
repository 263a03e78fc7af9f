//! The few fields of API objects that are parsed, borrowed from the JSON text or from the message.
//!
//! All other fields are skipped, so that a new version of the API adds no cost and cannot break
//! decoding.

pub mod protobuf;

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
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

/// Keys and values in the order in which they were read, where only some are looked at. Of several
/// values of one key the last one counts.
#[derive(Default)]
pub struct Pairs<'a>(pub Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;

        impl<'de> Visitor<'de> for Each {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Pairs<'de>, M::Error> {
                let mut pairs = Pairs::default();
                while let Some((key, value)) = map.next_entry::<Text<'de>, MapText<'de>>()? {
                    pairs.0.push((key.0, value.0));
                }
                Ok(pairs)
            }
        }

        from.deserialize_map(Each)
    }
}

/// A value that only explains: one of another type is as good as none, and never an error.
pub struct Lenient<T>(pub Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Lenient(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Lenient(leniently(Some(<&RawValue>::deserialize(from)?))))
    }
}

/// A time, as it is written in JSON or in protobuf.
pub enum Stamp<'a> {
    Text(Cow<'a, str>),
    /// Since the epoch.
    Seconds(i64),
}

impl<'de: 'a, 'a> Deserialize<'de> for Stamp<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Text::deserialize(from).map(|text| Stamp::Text(text.0))
    }
}

impl Stamp<'_> {
    /// The time. Fails where it is none.
    pub fn time(&self) -> Result<Time, String> {
        match self {
            Stamp::Text(text) => parse_time(text),
            Stamp::Seconds(s @ ZERO_SECONDS..=LAST_SECONDS) => Ok(Time::from_secs(*s)),
            Stamp::Seconds(seconds) => Err(format!("{seconds} s is no time")),
        }
    }

    /// As [`Stamp::time`], where Go's zero time, which is also what null is read as, is not known.
    pub fn known(&self) -> Result<Option<Time>, String> {
        match self {
            Stamp::Text(text) if text == ZERO_TIME => Ok(None),
            Stamp::Seconds(ZERO_SECONDS) => Ok(None),
            _ => self.time().map(Some),
        }
    }
}

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
    pub creation_timestamp: Option<Stamp<'a>>,
    #[serde(borrow)]
    pub deletion_timestamp: Option<Stamp<'a>>,
    #[serde(default)]
    pub deletion_grace_period_seconds: Lenient<u64>,
    #[serde(borrow, default)]
    pub finalizers: Lenient<Vec<Lenient<Text<'a>>>>,
    #[serde(borrow)]
    pub labels: Option<Pairs<'a>>,
    #[serde(borrow)]
    pub annotations: Option<Pairs<'a>>,
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
        let mut annotations = self.annotations.as_ref()?.0.iter().rev();
        let text = annotations.find(|(k, _)| k == key);
        text.map(|(_, text)| &**text)
    }

    /// `creationTimestamp`; the epoch where it is absent, as in a file that was written by hand.
    /// Fails where it is no time.
    pub fn created(&self) -> Result<Time, String> {
        match &self.creation_timestamp {
            Some(stamp) => stamp.time(),
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
pub fn labels(pairs: Option<&Pairs<'_>>, interner: &mut Interner) -> Labels {
    let Some(Pairs(pairs)) = pairs else {
        return Labels::default();
    };
    let labels = pairs
        .iter()
        .map(|(k, v)| (interner.text(k), interner.text(v)))
        .collect();
    interner.labels(labels)
}

/// Go's zero time.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";
const ZERO_SECONDS: i64 = -62_135_596_800;

/// The end of the year 9999, beyond which the API has no times.
const LAST_SECONDS: i64 = 253_402_300_799;

/// Parses RFC 3339 as the API server writes it.
fn parse_time(text: &str) -> Result<Time, String> {
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
    pub last_transition_time: Option<Stamp<'a>>,
    #[serde(borrow, default)]
    pub reason: Lenient<Text<'a>>,
    #[serde(borrow, default)]
    pub message: Lenient<Text<'a>>,
}

impl Condition<'_> {
    /// The status; `Unknown` where it is absent.
    pub fn status(&self) -> ConditionStatus {
        ConditionStatus::parse(self.status.as_ref().map_or("", |s| &s.0))
    }

    /// Go's zero time and a malformed time are not known.
    pub fn state(&self) -> ConditionState {
        let since = self.last_transition_time.as_ref();
        ConditionState {
            status: self.status(),
            since: since.and_then(|stamp| stamp.known().ok().flatten()),
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
