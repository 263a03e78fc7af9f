//! How a pod stands, in one word, with the words of the scheduler and the kubelet.

use daemonset_controller::plan::{self, pod_state::PodState};
use serde_json::{Value, json};

use crate::support::*;

/// A pod that is not ready, with this status over it.
fn unready(status: Value) -> Object {
    pod("p").on("a").with(json!({ "status": status }))
}

fn ready_condition(status: &str, seconds: i64) -> Value {
    json!([{"type": "Ready", "status": status, "lastTransitionTime": ago(seconds)}])
}

fn waiting(reason: &str, message: &str) -> Value {
    json!([{
        "name": "agent", "restartCount": 7, "state": {"waiting": {"reason": reason, "message": message}},
        "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": ago(20)}},
    }])
}

/// The state of the one pod on node `a`, since when (seconds ago), and the message.
fn stands(objects: Vec<Object>) -> (PodState, Option<i64>, String) {
    let mut cluster = Cluster::new(
        daemon_set().with(json!({"spec": {"minReadySeconds": 30}})),
        objects,
    );
    let now = cluster.now;
    cluster.snapshot(|s| {
        let detailed = plan::in_detail(s, now);
        let explainer =
            plan::explain::Explainer::new(s, &detailed, now).expect("it is planned for");
        let id = s.nodes.id("a").expect("node a is there");
        let [pod] = &explainer.node(id).pods[..] else {
            panic!("one pod is expected");
        };
        let described = &pod.described;
        let since = described
            .since
            .map(|t| now.since(t).as_secs().try_into().unwrap());
        (
            described.state,
            since,
            described.message.clone().unwrap_or_default(),
        )
    })
}

#[test]
fn a_pod_has_the_state_that_explains_most() {
    let not_ready = || ready_condition("False", 90);
    let dead = || {
        node("a").with(json!({"status": {"conditions": [
            {"type": "Ready", "status": "Unknown", "lastTransitionTime": ago(300)},
        ]}}))
    };
    let crash = || {
        unready(json!({
            "phase": "Running", "conditions": not_ready(),
            "containerStatuses": waiting("CrashLoopBackOff", "back-off 5m0s"),
        }))
    };
    let says = "container agent: CrashLoopBackOff: back-off 5m0s; container agent restarted 7 times; \
                container agent ended last with OOMKilled: exit code 137";
    for (what, objects, state, since, message) in [
        ("ready long enough", vec![node("a"), pod("p").on("a").ready(31)], PodState::Available, Some(31), ""),
        ("ready for a moment", vec![node("a"), pod("p").on("a").ready(29)], PodState::MinReadySeconds, Some(29), ""),
        (
            "not ready",
            vec![node("a"), unready(json!({"phase": "Running", "conditions": not_ready()}))],
            PodState::NotReady, Some(90), "",
        ),
        ("crashing", vec![node("a"), crash()], PodState::CrashLoopBackOff, Some(90), says),
        ("crashing on a node that is not heard of", vec![dead(), crash()], PodState::NodeNotReady, Some(300), ""),
        (
            "no image",
            vec![node("a"), unready(json!({
                "conditions": not_ready(),
                "containerStatuses": [{"name": "agent", "restartCount": 0, "state": {"waiting": {"reason": "ErrImagePull"}}}],
            }))],
            PodState::ContainerWaiting, Some(90), "container agent: ErrImagePull",
        ),
        (
            "not scheduled",
            vec![node("a"), pod("p").pinned(&["a"]).with(json!({"status": {"conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "message": "0/3 nodes are available: 1 Insufficient cpu.", "lastTransitionTime": ago(60),
            }]}}))],
            PodState::Unschedulable, Some(60), "Unschedulable: 0/3 nodes are available: 1 Insufficient cpu.",
        ),
        (
            "evicted",
            vec![node("a"), unready(json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}))],
            PodState::Failed, None, "Evicted: low on memory",
        ),
        (
            "kept by a finalizer",
            vec![node("a"), pod("p").on("a").with(json!({"metadata": {
                "deletionTimestamp": ago(-10), "deletionGracePeriodSeconds": 30, "finalizers": ["example.com/hold"],
            }}))],
            PodState::Terminating, Some(20), "finalizers keep it: example.com/hold",
        ),
    ] {
        assert_eq!(stands(objects), (state, since, message.to_owned()), "{what}");
    }
}
