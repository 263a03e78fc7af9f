//! Reads nodes: what placement looks at strictly, what explains leniently.

mod protobuf;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{ConditionStatus, Effect, Interner, Labels, Node, NodeDetail, Taint, Uid};

use super::{
    DecodeError, Encoded,
    partial::{Condition, Lenient, Metadata, Text, condition, leniently},
    raw,
};

/// What is read of a node.
struct NodeObject<'a> {
    metadata: Metadata<'a>,
    taints: Vec<TaintObject<'a>>,
    /// Each is read by itself. A malformed one is not known, and the node stays readable.
    conditions: Vec<Condition<'a>>,
    boot_id: Option<Text<'a>>,
}

#[derive(Deserialize, Default)]
struct TaintObject<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<Text<'a>>,
    #[serde(borrow)]
    effect: Option<Text<'a>>,
}

fn parse(raw: &RawValue) -> serde_json::Result<NodeObject<'_>> {
    #[derive(Deserialize)]
    struct Whole<'a> {
        #[serde(borrow)]
        metadata: Metadata<'a>,
        #[serde(borrow)]
        spec: Option<Spec<'a>>,
        #[serde(borrow)]
        status: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Spec<'a> {
        #[serde(borrow)]
        taints: Option<Vec<TaintObject<'a>>>,
    }
    let whole: Whole<'_> = serde_json::from_str(raw.get())?;
    // Both stand before the long lists of a node's status: addresses, images, volumes.
    let find = |path: &[&str]| raw::find(whole.status?, path);
    let conditions = leniently::<Vec<Lenient<_>>>(find(&["conditions"])).unwrap_or_default();
    Ok(NodeObject {
        taints: whole.spec.and_then(|s| s.taints).unwrap_or_default(),
        conditions: conditions.into_iter().filter_map(|c| c.0).collect(),
        boot_id: leniently(find(&["nodeInfo", "bootID"])),
        metadata: whole.metadata,
    })
}

/// Reads a node as the API has it.
///
/// Fails where a field that placement looks at is malformed. [`from_error`] then has what could be
/// read.
pub fn decode<'a>(
    raw: impl Into<Encoded<'a>>,
    interner: &mut Interner,
) -> Result<Node, Box<DecodeError>> {
    let raw = raw.into();
    let object = match raw {
        Encoded::Json(raw) => parse(raw).map_err(|e| DecodeError::at("Node", &e, raw))?,
        Encoded::Protobuf(message) => {
            protobuf::read(message).map_err(|e| DecodeError::new("Node", e, raw))?
        }
    };
    let metadata = &object.metadata;
    let created = metadata.creation_timestamp.as_ref();
    Ok(Node {
        name: interner.text(&metadata.name.0),
        uid: metadata.uid(),
        version: metadata.version(),
        created: created.and_then(|stamp| stamp.time().ok()),
        labels: metadata.labels(interner),
        taints: object
            .taints
            .iter()
            .map(|t| Taint {
                key: interner.text(t.key.as_ref().map_or("", |k| &k.0)),
                value: interner.text(t.value.as_ref().map_or("", |v| &v.0)),
                effect: Effect::parse(t.effect.as_ref().map_or("", |e| &e.0)),
            })
            .collect(),
        boot: object.boot_id.as_ref().and_then(boot),
        readable: true,
        detail: detail(metadata, &object.conditions),
    })
}

/// The detail of a node; None where there is nothing to explain.
fn detail(metadata: &Metadata<'_>, conditions: &[Condition<'_>]) -> Option<Arc<NodeDetail>> {
    let deletion = metadata.deletion_timestamp.as_ref();
    let find = |kind: &str| condition(conditions, kind);
    let is_true = |c: &&Condition<'_>| c.status() == ConditionStatus::True;
    let is_false = |c: &&Condition<'_>| c.status() == ConditionStatus::False;
    let detail = NodeDetail {
        unready: find("Ready").filter(|c| !is_true(c)).map(Condition::state),
        maintenance: find("MaintenanceInProgress")
            .filter(is_true)
            .map(Condition::state),
        graceful_shutdown: find("GracefulNodeShutdownInProgress")
            .filter(is_true)
            .map(Condition::state),
        says_shutdown: find("Ready").filter(is_false).is_some_and(says_shutdown),
        terminating: deletion.is_some(),
        deletion: deletion.and_then(|stamp| stamp.time().ok()),
    };
    (detail != NodeDetail::default()).then(|| Arc::new(detail))
}

/// The digest of the boot ID.
fn boot(id: &Text<'_>) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    id.0.hash(&mut hasher);
    (!id.0.is_empty()).then(|| hasher.finish())
}

/// Whether the kubelet's words for `Ready` are that the node is shutting down, among others or
/// alone. Its documentation has them as the reason, and the kubelet writes them as the message.
fn says_shutdown(ready: &Condition<'_>) -> bool {
    let mut words = [&ready.reason, &ready.message]
        .into_iter()
        .flat_map(|w| &w.0);
    words.any(|text| text.0.contains("node is shutting down"))
}

/// What is left of a node that could not be decoded. None where not even the name could be read.
pub fn from_error(e: &DecodeError) -> Option<Node> {
    Some(Node {
        name: e.name.clone()?,
        uid: e.uid.clone().unwrap_or(Uid::from("")),
        version: e.version,
        created: None,
        labels: Labels::default(),
        taints: Box::default(),
        boot: None,
        readable: false,
        detail: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ConditionState;

    fn node(metadata: &str, rest: &str) -> Node {
        let text = format!(r#"{{"metadata":{{"name":"a","uid":"a"{metadata}}}{rest}}}"#);
        let raw = RawValue::from_string(text).expect("JSON");
        decode(&raw, &mut Interner::default()).unwrap_or_else(|e| panic!("{e}: {raw}"))
    }

    fn condition(kind: &str, status: &str) -> String {
        format!(
            r#"{{"type":"{kind}","status":"{status}","lastTransitionTime":"2026-01-01T00:00:01Z",
                "lastHeartbeatTime":"2026-01-01T00:00:09Z"}}"#
        )
    }

    fn with(conditions: &[String]) -> Option<NodeDetail> {
        let conditions = conditions.join(",");
        let status = format!(r#","status":{{"capacity":{{}},"conditions":[{conditions}]}}"#);
        node("", &status).detail.map(Arc::unwrap_or_clone)
    }

    fn state(status: ConditionStatus) -> Option<ConditionState> {
        let since = Some("2026-01-01T00:00:01Z".parse().expect("a time"));
        Some(ConditionState { status, since })
    }

    #[test]
    fn a_healthy_node_has_none() {
        assert_eq!(node("", "").detail, None);
        assert_eq!(with(&[]), None, "no kubelet has written to it");
        assert_eq!(
            with(&[
                condition("MemoryPressure", "True"),
                condition("MaintenanceInProgress", "False"),
                condition("GracefulNodeShutdownInProgress", "Unknown"),
                condition("Ready", "True"),
            ]),
            None
        );
    }

    #[test]
    fn each_fact_that_explains() {
        for (conditions, expected) in [
            (
                vec![condition("Ready", "False")],
                NodeDetail {
                    unready: state(ConditionStatus::False),
                    ..NodeDetail::default()
                },
            ),
            (
                vec![
                    condition("MaintenanceInProgress", "True"),
                    condition("Ready", "Unknown"),
                ],
                NodeDetail {
                    unready: state(ConditionStatus::Unknown),
                    maintenance: state(ConditionStatus::True),
                    ..NodeDetail::default()
                },
            ),
            (
                vec![condition("GracefulNodeShutdownInProgress", "True")],
                NodeDetail {
                    graceful_shutdown: state(ConditionStatus::True),
                    ..NodeDetail::default()
                },
            ),
        ] {
            assert_eq!(with(&conditions), Some(expected));
        }
        for (status, words, expected) in [
            ("False", r#""reason":"node is shutting down""#, true),
            ("False", r#""message":"node is shutting down""#, true),
            (
                "False",
                r#""message":"[PLEG is not healthy, node is shutting down]""#,
                true,
            ),
            (
                "False",
                r#""reason":"KubeletNotReady","message":"cni plugin not initialized""#,
                false,
            ),
            ("False", r#""message":7"#, false),
            ("Unknown", r#""message":"node is shutting down""#, false),
        ] {
            let ready = format!(r#"{{"type":"Ready","status":"{status}",{words}}}"#);
            let detail = with(&[ready]).expect("it is not ready");
            assert_eq!(detail.says_shutdown, expected, "{status} {words}");
        }
        let going = node(r#","deletionTimestamp":"2026-01-01T00:00:01Z""#, "");
        let detail = going.detail.expect("it is terminating");
        assert_eq!(
            (detail.terminating, detail.deletion),
            (true, Some("2026-01-01T00:00:01Z".parse().unwrap()))
        );
    }

    #[test]
    fn a_malformed_field_is_not_known_and_the_node_stays_readable() {
        let healthy = node("", "");
        for odd in ["null", "true", "1e999", r#""\ud800""#, "[1]", "{}", "[[]]"] {
            for rest in [
                format!(r#","status":{odd}"#),
                format!(r#","status":{{"conditions":{odd}}}"#),
                format!(r#","status":{{"conditions":[{{"type":{odd},"status":"False"}}]}}"#),
            ] {
                assert_eq!(node("", &rest), healthy, "{rest}");
            }
            // The others are still known.
            let ready = condition("Ready", "False");
            for broken in [
                odd.to_owned(),
                format!(r#"{{"type":"MaintenanceInProgress","status":{odd}}}"#),
                format!(r#"{{"type":"MaintenanceInProgress","lastTransitionTime":{odd}}}"#),
            ] {
                let detail = with(&[broken.clone(), ready.clone()]);
                let unready = detail.and_then(|d| d.unready);
                assert_eq!(unready, state(ConditionStatus::False), "{broken}");
            }
            let since = format!(
                r#","status":{{"conditions":[{{"type":"Ready","status":"False","reason":{odd},"message":{odd}}}]}}"#
            );
            assert!(node("", &since).detail.is_some(), "{since}");
        }
        let soon = node(r#","deletionTimestamp":"soon""#, "").detail;
        let soon = soon.expect("it is terminating");
        assert_eq!((soon.terminating, soon.deletion), (true, None));
    }
}
