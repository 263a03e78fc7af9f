//! How a rollout stands, and when it is over.

use std::collections::BTreeMap;

use super::keyed::*;
use crate::support::*;
use daemonset_controller::plan::{Plan, Progress, Standing};
use serde_json::json;

/// Annotations of the state of rollouts.
fn state(annotations: &[(&str, &str)]) -> serde_json::Value {
    let key = |key: &str| format!("state.daemonset-controller.io/{key}");
    let annotations: BTreeMap<String, &str> =
        annotations.iter().map(|(k, v)| (key(k), *v)).collect();
    json!({"metadata": {"annotations": annotations}})
}

struct Case {
    set: Object,
    current: Object,
    older: Object,
    pods: Vec<Object>,
}

impl Case {
    /// Nodes a and b; the older revision completed.
    fn new(keys: &[(&str, &str)], pods: impl IntoIterator<Item = Object>) -> Case {
        let set = set(keys);
        Case {
            current: revision(NEW, 2, &set.json["spec"]["template"]),
            older: revision(OLD, 1, &template(1)).with(state(&[("completed", &ago(9_000))])),
            pods: pods.into_iter().collect(),
            set,
        }
    }

    fn current(mut self, annotations: &[(&str, &str)]) -> Case {
        self.current = self.current.with(state(annotations));
        self
    }

    fn plan(self) -> Plan {
        let objects = [self.current, self.older, node("a"), node("b")];
        Cluster::bare(self.set, objects.into_iter().chain(self.pods)).plan()
    }

    /// The progress, and why it stalls.
    fn stands(self) -> (Progress, Option<&'static str>) {
        let Standing {
            progress, stalled, ..
        } = self.plan().standing.expect("standing");
        (progress, stalled.as_ref().map(|rule| rule.as_str()))
    }

    fn word(self) -> (&'static str, Option<&'static str>) {
        let (progress, stalled) = self.stands();
        (progress.as_str(), stalled)
    }
}

const CANARY: &[(&str, &str)] = &[("canary", "1"), ("bake", "1m")];

#[test]
fn each_stage_has_its_word() {
    let done = || [new("a", 50), new("b", 50)];
    let half = || [new("a", 50), old("b")];
    for (keys, pods, progress, stalled) in [
        (&[][..], half(), "Rolling", None),
        (&[], done(), "Complete", None),
        (&[("budget", "strict")], half(), "Rolling", None),
        (&[("hold", "rollout")], half(), "Paused", None),
        (&[("hold", "all")], half(), "Paused", None),
        // There is nothing to hold.
        (&[("hold", "rollout")], done(), "Complete", None),
        (
            &[("hold", "x")],
            half(),
            "Paused",
            Some("InvalidAnnotation"),
        ),
        (
            &[("hold", "x")],
            done(),
            "Paused",
            Some("InvalidAnnotation"),
        ),
        (CANARY, [old("a"), old("b")], "Canary", None),
        (CANARY, half(), "Baking", None),
        (
            &[("canary", "1"), ("bake", "approval")],
            half(),
            "AwaitingApproval",
            None,
        ),
        (
            &[("canary", "no=where")],
            half(),
            "Paused",
            Some("NoCanaryNode"),
        ),
        // The last stage bakes as well.
        (CANARY, done(), "Baking", None),
    ] {
        assert_eq!(
            Case::new(keys, pods).word(),
            (progress, stalled),
            "{keys:?}"
        );
    }
    let on_delete = json!({"spec": {"updateStrategy": {"type": "OnDelete"}}});
    for (pods, progress) in [(half(), "Paused"), (done(), "Complete")] {
        let mut case = Case::new(&[], pods);
        case.set = case.set.with(on_delete.clone());
        assert_eq!(case.word(), (progress, None), "OnDelete");
    }
}

#[test]
fn the_last_stage_bakes_before_the_revision_completes() {
    let released: &[(&str, &str)] = &[("released", "[\"canary\"]")];
    let case = |seconds| Case::new(CANARY, [new("a", 500), new("b", seconds)]).current(released);
    let early = case(59).plan();
    assert_eq!(early.revision_ops.set_completed, None);
    assert_eq!(
        early.wake_at,
        Some(now() + std::time::Duration::from_secs(1))
    );
    assert_eq!(
        case(59).stands().0,
        Progress::Baking(now() + std::time::Duration::from_secs(1))
    );
    let over = case(60).plan();
    assert!(over.revision_ops.set_completed.is_some());
    assert_eq!(case(60).word(), ("Complete", None));
    // No pod is available for any time yet.
    let waits = Case::new(CANARY, [new("a", 500), pod("new-b").on("b")]).current(released);
    assert_eq!(waits.word(), ("Rolling", None));
}

#[test]
fn no_last_bake_without_stages_and_for_what_is_known_or_approved() {
    let released: &[(&str, &str)] = &[("released", "[\"canary\"]")];
    let done = || [new("a", 1), new("b", 1)];
    let plain = Case::new(&[("bake", "1m"), ("hold", "off")], done());
    assert_eq!(plain.word(), ("Complete", None));
    let approved = Case::new(&[("canary", "1"), ("approve", NEW)], done()).current(released);
    assert_eq!(approved.word(), ("Complete", None));
    let by_hand = Case::new(&[("canary", "1"), ("bake", "approval")], done()).current(released);
    assert_eq!(by_hand.word(), ("Complete", None));
    let known = Case::new(CANARY, done()).current(&[("completed", &ago(9_500))]);
    assert_eq!(known.word(), ("Complete", None));
    // A first install has no stages.
    let mut first = Case::new(CANARY, done());
    first.older = node("c");
    first.pods.push(new("c", 1));
    assert_eq!(first.word(), ("Complete", None));
}

#[test]
fn what_fails_after_the_revision_completed_is_upkeep() {
    let completed = ago(100);
    let completed: &[(&str, &str)] = &[("completed", &completed)];
    let down = [new("a", 50), pod("new-b").on("b")];
    assert_eq!(
        Case::new(CANARY, down.clone()).current(completed).word(),
        ("Complete", None)
    );
    // Without a record it is not known.
    assert_eq!(
        Case::new(&[("budget", "strict")], down).word(),
        ("Rolling", None)
    );
    // The way back to a revision that completed before.
    let back = [new("a", 50), old("b")];
    assert_eq!(
        Case::new(CANARY, back).current(completed).word(),
        ("Rolling", None)
    );
}
