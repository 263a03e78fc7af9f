//! Decoding of ControllerRevisions.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{
    Approved, Clock, Failed, FailureCause, Interner, Labels, Revision, StoredData, Str,
    control::{APPROVED, CLOCK, COMPLETED, RELEASED, STARTED, VERDICT},
};

use super::{DecodeError, Encoded, canonical, partial::Metadata, place};

#[derive(Deserialize)]
struct RevisionObject<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
    revision: Option<i64>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Decodes a revision. Returns its namespace with it.
pub fn decode<'a>(
    raw: impl Into<Encoded<'a>>,
    interner: &mut Interner,
) -> Result<(Str, Revision), Box<DecodeError>> {
    let raw = raw.into().json("ControllerRevision")?;
    let fail = |e: serde_json::Error| DecodeError::at("ControllerRevision", &e, raw);
    let object: RevisionObject<'_> = serde_json::from_str(raw.get()).map_err(fail)?;
    let (data, without) = match object.data {
        Some(data) => canonical::existing_data(data).map_err(|e| {
            let why = format_args!("data: {}", place::words(&e)).to_string();
            DecodeError::new("ControllerRevision", why, raw)
        })?,
        None => ("null".to_owned(), None),
    };
    let data = Str::from(data);
    let metadata = &object.metadata;
    Ok((
        interner.text(metadata.namespace.as_ref().map_or("", |n| &n.0)),
        Revision {
            name: interner.text(&metadata.name.0),
            uid: metadata.uid(),
            version: metadata.version(),
            controller: metadata.controller(),
            labels: metadata.labels(interner),
            terminating: metadata.deletion_timestamp.is_some(),
            started: metadata.annotation(STARTED).and_then(|t| t.parse().ok()),
            completed: metadata.annotation(COMPLETED).and_then(|t| t.parse().ok()),
            released: metadata.annotation(RELEASED).map_or_else(none, stages),
            failed: metadata.annotation(VERDICT).and_then(failed),
            clock: metadata.annotation(CLOCK).and_then(clock),
            approved: metadata.annotation(APPROVED).and_then(approved),
            number: object.revision.unwrap_or(0),
            data_without_timestamp: without.map_or_else(|| data.clone(), Str::from),
            data,
            stored: StoredData::Unread,
            readable: true,
        },
    ))
}

/// The names of stages. What is no list of names says nothing.
fn stages(text: &str) -> Arc<[Str]> {
    let names: Vec<String> = serde_json::from_str(text).unwrap_or_default();
    names.into_iter().map(Str::from).collect()
}

/// The text of [`VERDICT`].
#[derive(Serialize, Deserialize)]
struct VerdictText {
    failed: bool,
    when: String,
    #[serde(flatten)]
    cause: CauseText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    back: Option<CauseText>,
}

#[derive(Serialize, Deserialize)]
struct CauseText {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(default)]
    why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing: Option<usize>,
}

impl From<CauseText> for FailureCause {
    fn from(text: CauseText) -> FailureCause {
        FailureCause {
            node: text.node.map(Str::from),
            why: text.why.into(),
            failing: text.failing,
        }
    }
}

impl From<&FailureCause> for CauseText {
    fn from(cause: &FailureCause) -> CauseText {
        CauseText {
            node: cause.node.as_ref().map(ToString::to_string),
            why: cause.why.to_string(),
            failing: cause.failing,
        }
    }
}

/// That the rollout failed. What is no such verdict says nothing.
fn failed(text: &str) -> Option<Arc<Failed>> {
    let text: VerdictText = serde_json::from_str(text).ok()?;
    let at = text.when.parse().ok().filter(|_| text.failed)?;
    Some(Arc::new(Failed {
        at,
        cause: text.cause.into(),
        back: text.back.map(FailureCause::from),
    }))
}

/// A verdict as it is recorded.
pub fn verdict_text(failed: &Failed) -> String {
    let text = VerdictText {
        failed: true,
        when: failed.at.to_string(),
        cause: (&failed.cause).into(),
        back: failed.back.as_ref().map(CauseText::from),
    };
    serde_json::to_string(&text).unwrap_or_default()
}

/// The text of a clock that does not run.
const STOPPED: &str = "stopped";

/// Whether the time of `deadline` runs. What is neither a time nor the word says nothing.
fn clock(text: &str) -> Option<Clock> {
    match text {
        STOPPED => Some(Clock::Stopped),
        _ => text.parse().ok().map(Clock::Since),
    }
}

/// The same as it is recorded.
pub fn clock_text(clock: Clock) -> String {
    match clock {
        Clock::Stopped => STOPPED.to_owned(),
        Clock::Since(at) => at.to_string(),
    }
}

/// The text of [`APPROVED`].
#[derive(Serialize, Deserialize)]
struct ApprovedText {
    at: String,
    #[serde(default)]
    restarts: BTreeMap<String, u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    withdrawn: bool,
}

/// What is recorded of an approval. What is no such record says nothing.
fn approved(text: &str) -> Option<Arc<Approved>> {
    let text: ApprovedText = serde_json::from_str(text).ok()?;
    let restarts = text.restarts.into_iter();
    Some(Arc::new(Approved {
        at: text.at.parse().ok()?,
        restarts: restarts.map(|(node, count)| (node.into(), count)).collect(),
        withdrawn: text.withdrawn,
    }))
}

/// An approval as it is recorded.
pub fn approved_text(approved: &Approved) -> String {
    let restarts = approved.restarts.iter();
    let text = ApprovedText {
        at: approved.at.to_string(),
        restarts: restarts
            .map(|(node, count)| (node.to_string(), *count))
            .collect(),
        withdrawn: approved.withdrawn,
    };
    serde_json::to_string(&text).unwrap_or_default()
}

fn none() -> Arc<[Str]> {
    Arc::from([])
}

/// The rest of a revision that did not decode. None where not even its name and UID could be read.
pub fn from_error(e: &DecodeError) -> Option<(Str, Revision)> {
    Some((
        e.namespace.clone()?,
        Revision {
            name: e.name.clone()?,
            uid: e.uid.clone()?,
            version: e.version,
            controller: e.controller.clone(),
            labels: Labels::default(),
            terminating: false,
            started: None,
            completed: None,
            released: none(),
            failed: None,
            clock: None,
            approved: None,
            number: 0,
            data: "".into(),
            data_without_timestamp: "".into(),
            stored: StoredData::Unread,
            readable: false,
        },
    ))
}
