//! Reads what explains why a pod is not available. Each field is read by itself. A malformed one is
//! not known, and the pod stays readable.

pub mod protobuf;

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{
    ConditionStatus, Interner, PodDetail, Restarts, Str, Termination, Unscheduled,
    WaitingContainer, pod_detail::cut,
};

use super::partial::{Condition, Lenient, Metadata, Stamp, Text, condition, leniently};

/// The part of `status` that only explains.
pub struct Explanations<'a> {
    pub reason: Lenient<Text<'a>>,
    pub message: Lenient<Text<'a>>,
    pub init_container_statuses: Vec<ContainerStatus<'a>>,
    pub container_statuses: Vec<ContainerStatus<'a>>,
}

/// One of `status.containerStatuses`. Any object is one.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus<'a> {
    #[serde(borrow)]
    name: Lenient<Text<'a>>,
    restart_count: Lenient<u32>,
    #[serde(borrow)]
    state: Lenient<ContainerState<'a>>,
    #[serde(borrow)]
    last_state: Lenient<ContainerState<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ContainerState<'a> {
    #[serde(borrow)]
    waiting: Lenient<Waiting<'a>>,
    #[serde(borrow)]
    terminated: Lenient<Terminated<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Waiting<'a> {
    #[serde(borrow)]
    reason: Lenient<Text<'a>>,
    #[serde(borrow)]
    message: Lenient<Text<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Terminated<'a> {
    exit_code: Lenient<i32>,
    #[serde(borrow)]
    reason: Lenient<Text<'a>>,
    #[serde(borrow)]
    finished_at: Lenient<Stamp<'a>>,
}

/// The detail of a pod; None where there is nothing to explain.
pub fn detail(
    metadata: &Metadata<'_>,
    conditions: &[Condition<'_>],
    explanations: Explanations<'_>,
    interner: &mut Interner,
) -> Option<Arc<PodDetail>> {
    let mut detail = PodDetail {
        unscheduled: unscheduled(conditions, interner),
        unready: condition(conditions, "Ready")
            .filter(|c| c.status() != ConditionStatus::True)
            .map(Condition::state),
        reason: some_text(&explanations.reason, interner),
        message: some_text(&explanations.message, interner),
        ..PodDetail::default()
    };
    let mut waiting = Vec::new();
    let init = explanations.init_container_statuses.iter();
    for status in init.chain(&explanations.container_statuses) {
        container(status, &mut detail, &mut waiting, interner);
    }
    detail.waiting = waiting.into();
    if metadata.deletion_timestamp.is_some() {
        let seconds = metadata.deletion_grace_period_seconds.0;
        detail.deletion_grace_period = seconds.map(Duration::from_secs);
        let finalizers = metadata.finalizers.0.iter().flatten();
        detail.finalizers = finalizers
            .filter_map(|finalizer| some_text(finalizer, interner))
            .collect();
    }
    (detail != PodDetail::default()).then(|| Arc::new(detail))
}

/// The elements of an array of which some may be no objects.
pub fn each_leniently(raw: &RawValue) -> Vec<ContainerStatus<'_>> {
    leniently::<Vec<&RawValue>>(Some(raw))
        .unwrap_or_default()
        .into_iter()
        .filter_map(|raw| leniently(Some(raw)))
        .collect()
}

fn unscheduled(conditions: &[Condition<'_>], interner: &mut Interner) -> Option<Unscheduled> {
    let scheduled = condition(conditions, "PodScheduled")?;
    (scheduled.status() == ConditionStatus::False).then(|| Unscheduled {
        reason: text(&scheduled.reason, interner),
        message: text(&scheduled.message, interner),
        since: scheduled.state().since,
    })
}

fn container(
    status: &ContainerStatus<'_>,
    detail: &mut PodDetail,
    waiting: &mut Vec<WaitingContainer>,
    interner: &mut Interner,
) {
    let state = status.state.0.as_ref();
    let last = status.last_state.0.as_ref();
    if let Some(w) = state.and_then(|state| state.waiting.0.as_ref()) {
        waiting.push(WaitingContainer {
            container: text(&status.name, interner),
            reason: text(&w.reason, interner),
            message: text(&w.message, interner),
        });
    }
    let count = status.restart_count.0.unwrap_or(0);
    if count > detail.restarts.as_ref().map_or(0, |r| r.count) {
        detail.restarts = Some(Restarts {
            container: text(&status.name, interner),
            count,
        });
    }
    // An init container that is done has ended well, and that explains nothing.
    for (ended, even_well) in [(last, true), (state, false)] {
        let Some(t) = ended.and_then(|state| state.terminated.0.as_ref()) else {
            continue;
        };
        let Some(exit_code) = t.exit_code.0.filter(|c| even_well || *c != 0) else {
            continue;
        };
        let finished = t.finished_at.0.as_ref().and_then(|at| at.time().ok());
        let known = detail.last_termination.as_ref();
        if known.is_none_or(|k| k.finished < finished) {
            detail.last_termination = Some(Termination {
                container: text(&status.name, interner),
                exit_code,
                reason: text(&t.reason, interner),
                finished,
            });
        }
    }
}

/// A text, empty where it is not known.
fn text(text: &Lenient<Text<'_>>, interner: &mut Interner) -> Str {
    interner.text(&cut(text.0.as_ref().map_or("", |text| &text.0)))
}

/// A text that says something.
fn some_text(text: &Lenient<Text<'_>>, interner: &mut Interner) -> Option<Str> {
    let text = text.0.as_ref().filter(|text| !text.0.is_empty())?;
    Some(interner.text(&cut(&text.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Pod, Time, pod_detail::TEXT_LIMIT},
        wire::pod::decode,
    };

    fn pod(text: &str) -> Pod {
        let raw = RawValue::from_string(text.to_owned()).expect("JSON");
        let decoded = decode(&raw, &mut Interner::default());
        decoded.unwrap_or_else(|e| panic!("{e}: {text}")).pod
    }

    /// The detail of a pod of a DaemonSet with these fields in `metadata` and `status`.
    fn detail_of(metadata: &str, status: &str) -> Option<PodDetail> {
        let owners = r#"[{"kind":"DaemonSet","uid":"ds","controller":true}]"#;
        let metadata = format!(r#"{{"name":"p","uid":"p","ownerReferences":{owners}{metadata}}}"#);
        let pod = pod(&format!(
            r#"{{"metadata":{metadata},"status":{{{status}}}}}"#
        ));
        pod.detail.map(Arc::unwrap_or_clone)
    }

    fn of_containers(statuses: &str) -> PodDetail {
        detail_of("", &format!(r#""containerStatuses":[{statuses}]"#)).unwrap_or_default()
    }

    fn at(second: i64) -> Option<Time> {
        let start: Time = "2026-01-01T00:00:00Z".parse().expect("a time");
        Some(start + Duration::from_secs(second.unsigned_abs()))
    }

    #[test]
    fn a_healthy_pod_has_none() {
        let sample = include_str!("../../tests/data/samples/pod-running.json");
        assert_eq!(pod(sample).detail, None);
        assert_eq!(detail_of("", ""), None);
        assert_eq!(detail_of("", r#""reason":"","message":null"#), None);
        let done = r#""initContainerStatuses":[{"name":"setup","restartCount":0,
            "state":{"terminated":{"exitCode":0,"reason":"Completed"}}}]"#;
        assert_eq!(
            detail_of("", done),
            None,
            "an init container that ended well"
        );
        let finalizers = r#","finalizers":["example.com/wait"]"#;
        assert_eq!(detail_of(finalizers, ""), None, "nothing is to be deleted");
    }

    #[test]
    fn a_pod_of_another_kind_of_owner_has_none() {
        let text = r#"{"metadata":{"name":"p","uid":"p","ownerReferences":[
            {"kind":"ReplicaSet","uid":"r","controller":true}]},"status":{"reason":"Evicted"}}"#;
        assert_eq!(pod(text).detail, None);
    }

    #[test]
    fn the_schedulers_word_and_since_when_it_is_not_ready() {
        let conditions = r#""conditions":[
            {"type":"Ready","status":"Unknown","lastTransitionTime":"2026-01-01T00:00:02Z"},
            {"type":"PodScheduled","status":"False","reason":"Unschedulable",
             "message":"0/3 nodes are available","lastTransitionTime":"2026-01-01T00:00:01Z"}]"#;
        let detail = detail_of("", conditions).unwrap();
        assert_eq!(
            detail.unscheduled,
            Some(Unscheduled {
                reason: "Unschedulable".into(),
                message: "0/3 nodes are available".into(),
                since: at(1),
            })
        );
        let unready = detail.unready.unwrap();
        assert_eq!(
            (unready.status, unready.since),
            (ConditionStatus::Unknown, at(2))
        );
        let zero = r#""conditions":[{"type":"Ready","status":"False","lastTransitionTime":null}]"#;
        let unready = detail_of("", zero).unwrap().unready.unwrap();
        assert_eq!(
            (unready.status, unready.since),
            (ConditionStatus::False, None)
        );
    }

    #[test]
    fn containers_that_wait_init_containers_first() {
        let waiting = |name: &str, reason: &str| {
            format!(
                r#"{{"name":"{name}","state":{{"waiting":{{"reason":"{reason}","message":"m"}}}}}}"#
            )
        };
        let (a, b) = (
            waiting("a", "CrashLoopBackOff"),
            waiting("b", "ImagePullBackOff"),
        );
        let running = r#"{"name":"r","state":{"running":{}}}"#;
        let status =
            format!(r#""containerStatuses":[{running},{a}],"initContainerStatuses":[{b}]"#);
        let detail = detail_of("", &status).unwrap();
        let list: Vec<(&str, &str, &str)> = detail
            .waiting
            .iter()
            .map(|w| (&*w.container, &*w.reason, &*w.message))
            .collect();
        assert_eq!(
            list,
            [
                ("b", "ImagePullBackOff", "m"),
                ("a", "CrashLoopBackOff", "m")
            ]
        );
    }

    #[test]
    fn the_most_restarts_and_the_first_container_that_has_so_many() {
        let detail = of_containers(
            r#"{"name":"a","restartCount":1},{"name":"b","restartCount":3},{"name":"c","restartCount":3}"#,
        );
        assert_eq!(
            detail.restarts,
            Some(Restarts {
                container: "b".into(),
                count: 3
            })
        );
    }

    #[test]
    fn a_container_status_that_is_no_object_spoils_no_other() {
        for odd in ["1", "null", "[]", r#""text""#] {
            let detail = of_containers(&format!(r#"{odd},{{"name":"a","restartCount":2}},{odd}"#));
            assert_eq!(detail.restarts.map(|r| r.count), Some(2), "{odd}");
        }
        for odd in ["1", "{}", r#""\ud800""#] {
            let status = format!(r#""containerStatuses":{odd},"reason":"Evicted""#);
            let detail = detail_of("", &status).expect("the reason");
            assert_eq!(detail.reason.as_deref(), Some("Evicted"), "{odd}");
        }
    }

    #[test]
    fn the_termination_that_ended_last() {
        let ended = |when: &str, code: i32, second: i64| {
            format!(
                r#""{when}":{{"terminated":{{"exitCode":{code},"reason":"Error","finishedAt":"2026-01-01T00:00:0{second}Z"}}}}"#
            )
        };
        for (statuses, expected) in [
            // An earlier run counts however it ended, one that is over only where it failed.
            (vec![("a", ended("lastState", 0, 1))], Some(("a", 0, at(1)))),
            (vec![("a", ended("state", 0, 1))], None),
            (vec![("a", ended("state", 137, 1))], Some(("a", 137, at(1)))),
            (
                vec![
                    ("a", ended("lastState", 1, 5)),
                    ("b", ended("lastState", 2, 6)),
                    ("c", ended("lastState", 3, 4)),
                ],
                Some(("b", 2, at(6))),
            ),
            (
                vec![
                    (
                        "a",
                        r#""lastState":{"terminated":{"exitCode":7}}"#.to_owned(),
                    ),
                    ("b", ended("lastState", 2, 1)),
                ],
                Some(("b", 2, at(1))),
            ),
            (
                vec![(
                    "a",
                    r#""state":{"terminated":{"exitCode":7,"finishedAt":"soon"}}"#.to_owned(),
                )],
                Some(("a", 7, None)),
            ),
        ] {
            let list: Vec<String> = statuses
                .iter()
                .map(|(name, rest)| format!(r#"{{"name":"{name}",{rest}}}"#))
                .collect();
            let termination = of_containers(&list.join(",")).last_termination;
            let found = termination
                .as_ref()
                .map(|t| (&*t.container, t.exit_code, t.finished));
            assert_eq!(found, expected, "{list:?}");
        }
    }

    #[test]
    fn why_the_kubelet_ended_or_refused_it() {
        let long = "x".repeat(2 * TEXT_LIMIT);
        let status = format!(r#""reason":"Evicted","message":"{long}""#);
        let detail = detail_of("", &status).unwrap();
        assert_eq!(detail.reason.as_deref(), Some("Evicted"));
        assert_eq!(detail.message.unwrap().len(), TEXT_LIMIT);
    }

    #[test]
    fn what_keeps_a_terminating_pod_and_when_its_deletion_was_asked_for() {
        let owners = r#""ownerReferences":[{"kind":"DaemonSet","uid":"ds","controller":true}]"#;
        let pod = pod(&format!(
            r#"{{"metadata":{{"name":"p","uid":"p",{owners},"deletionTimestamp":"2026-01-01T00:00:40Z",
                "deletionGracePeriodSeconds":30,"finalizers":["example.com/wait"]}}}}"#
        ));
        assert_eq!(pod.deletion_requested(), at(10));
        let detail = pod.detail.unwrap();
        let finalizers: Vec<&str> = detail.finalizers.iter().map(|f| &**f).collect();
        assert_eq!(finalizers, ["example.com/wait"]);
    }

    /// Every field that only explains, with a value that says something.
    const FIELDS: &[(&str, &str)] = &[
        ("@grace", "30"),
        ("@finalizers", r#"["f"]"#),
        ("@reason", r#""Evicted""#),
        ("@message", r#""m""#),
        ("@init", "[]"),
        ("@scheduled-reason", r#""Unschedulable""#),
        ("@scheduled-message", r#""m""#),
        ("@name", r#""c""#),
        ("@restarts", "3"),
        (
            "@state",
            r#"{"waiting":{"reason":"ErrImagePull","message":"m"}}"#,
        ),
        ("@waiting-reason", r#""CrashLoopBackOff""#),
        ("@waiting-message", r#""m""#),
        ("@last", r#"{"terminated":{"exitCode":1}}"#),
        ("@exit", "137"),
        ("@exit-reason", r#""OOMKilled""#),
        ("@finished", r#""2026-01-01T00:00:00Z""#),
    ];

    const POD: &str = r#"{"metadata":{"name":"p","namespace":"n","uid":"p","labels":{"a":"b"},
        "ownerReferences":[{"kind":"DaemonSet","uid":"ds","controller":true}],
        "deletionTimestamp":"2026-01-01T00:00:00Z","deletionGracePeriodSeconds":@grace,"finalizers":@finalizers},
        "spec":{"nodeName":"a"},"status":{"phase":"Failed","reason":@reason,"message":@message,
        "conditions":[{"type":"PodScheduled","status":"False","reason":@scheduled-reason,"message":@scheduled-message},
            {"type":"Ready","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"}],
        "initContainerStatuses":@init,
        "containerStatuses":[{"name":"first","restartCount":1},
            {"name":@name,"restartCount":@restarts,"state":@state,"lastState":@last},
            {"name":"w","state":{"waiting":{"reason":@waiting-reason,"message":@waiting-message}}},
            {"name":"t","lastState":{"terminated":{"exitCode":@exit,"reason":@exit-reason,"finishedAt":@finished}}}]}}"#;

    /// The pod with one field of another value.
    fn with(field: &str, value: &str) -> Pod {
        let mut text = POD.to_owned();
        // Longer names first: `@exit` begins `@exit-reason`.
        let mut fields = FIELDS.to_vec();
        fields.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, ordinary) in fields {
            text = text.replace(name, if name == field { value } else { ordinary });
        }
        pod(&text)
    }

    #[test]
    fn a_malformed_field_is_not_known_and_the_pod_stays_readable() {
        let whole = with("", "");
        let detail = whole.detail.clone().expect("everything that explains");
        assert!(detail.unscheduled.is_some() && detail.waiting.len() == 2);
        assert!(detail.restarts.is_some() && detail.last_termination.is_some());
        assert!(detail.reason.is_some() && detail.message.is_some());
        assert!(detail.deletion_grace_period.is_some() && detail.finalizers.len() == 1);
        for (field, _) in FIELDS {
            for value in [
                "null",
                "true",
                "-1",
                "1.5",
                "1e999",
                "99999999999999999999999",
                r#""""#,
                r#""\ud800""#,
                r#""text""#,
                "[]",
                "[[], 1, null, {}]",
                "{}",
                r#"{"waiting":1,"terminated":[]}"#,
                r#"{"waiting":{"reason":1,"message":[]},"terminated":{"exitCode":"1","reason":{}}}"#,
            ] {
                let malformed = with(field, value);
                let decides = |pod: &Pod| Pod {
                    detail: None,
                    ..pod.clone()
                };
                assert_eq!(decides(&malformed), decides(&whole), "{field} is {value}");
                // Whatever is not part of the field is still known.
                let rest = malformed.detail.expect("the rest");
                assert!(rest.unscheduled.is_some(), "{field} is {value}");
                assert!(rest.waiting.iter().any(|w| &*w.container == "w"));
                assert!(rest.restarts.is_some());
            }
        }
    }
}
