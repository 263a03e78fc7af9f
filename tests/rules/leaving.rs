//! Nodes that are leaving: which they are, and that nothing is created there.

use crate::bad_nodes::{cluster, holds, new, set, unavailable, with};
use crate::keyed::{gone, old};
use crate::support::*;
use daemonset_controller::{
    model::{FeatureGates, Settings},
    plan::Plan,
};
use serde_json::json;

/// The feature gate.
fn gate() -> Settings {
    let gates = FeatureGates {
        daemon_set_graceful_node_shutdown: true,
        ..FeatureGates::default()
    };
    Settings {
        gates,
        ..Settings::default()
    }
}

/// The option.
fn option() -> Settings {
    Settings {
        suppress_on_leaving_nodes: true,
        ..Settings::default()
    }
}

fn shutting_down() -> Object {
    with(node("n"), "GracefulNodeShutdownInProgress", "True", 60)
}

/// The node with this condition Ready, in the kubelet's words.
fn unready(status: &str, message: &str) -> Object {
    node("n").with(json!({"status": {"conditions": [{
        "type": "Ready", "status": status, "reason": "KubeletNotReady", "message": message,
        "lastTransitionTime": ago(60),
    }]}}))
}

/// The pod `p` on the node, failed for this reason.
fn failed(reason: &str) -> Object {
    let status = json!({"status": {"phase": "Failed", "reason": reason}});
    pod("p").on("n").with(status)
}

fn plan_with(settings: Settings, set: Object, objects: impl IntoIterator<Item = Object>) -> Plan {
    let mut cluster = cluster(set, objects);
    cluster.settings = settings;
    cluster.plan()
}

fn rolling(max_unavailable: i64, max_surge: i64) -> Object {
    set("off", json!(max_unavailable), json!(max_surge))
}

const ANEW: &str = "manage n NodeWithoutPod";

#[test]
fn nothing_is_created_on_a_node_that_is_leaving_by_the_gate_or_by_the_option() {
    for (node, by_gate, sign) in [
        (shutting_down(), true, "ShuttingDown"),
        (node("n").terminating(), false, "Terminating"),
        (
            node("n").taint("karpenter.sh/disrupted:PreferNoSchedule"),
            false,
            "AboutToGo",
        ),
        (
            node("n").taint("karpenter.sh/disruption=disrupting:PreferNoSchedule"),
            false,
            "AboutToGo",
        ),
        (
            node("n").taint("ToBeDeletedByClusterAutoscaler=1:PreferNoSchedule"),
            false,
            "AboutToGo",
        ),
    ] {
        let plan = |settings| plan_with(settings, rolling(1, 0), [node.clone()]);
        let off = plan(Settings::default());
        assert_eq!(creates(&off), [ANEW], "{sign}: by default as upstream");
        let on = plan(option());
        assert_eq!(creates(&on), [""; 0], "{sign}");
        assert_eq!(holds(&on), [format!("NodeLeaving({sign}) n")]);
        // It is desired all the same, and unavailable, also for the budget.
        let status = on.status.as_ref().expect("a status");
        assert_eq!(
            (status.desired_number_scheduled, status.number_unavailable),
            (1, 1)
        );
        assert_eq!(unavailable(&on), 1, "{sign}");
        assert_eq!(creates(&plan(gate())).is_empty(), by_gate, "{sign}");
    }
}

#[test]
fn no_other_sign_makes_a_node_leaving() {
    let condition = |kind, status| with(node("n"), kind, status, 60);
    for node in [
        condition("GracefulNodeShutdownInProgress", "False"),
        condition("GracefulNodeShutdownInProgress", "Unknown"),
        condition("MaintenanceInProgress", "True"),
        condition("DrainInProgress", "True"),
        node("n").with(json!({"spec": {"unschedulable": true}})),
        node("n").taint("node.kubernetes.io/unschedulable:NoSchedule"),
        unready("False", "node is shutting down"),
        unready("Unknown", "Kubelet stopped posting node status."),
    ] {
        for settings in [gate(), option()] {
            let plan = plan_with(settings, rolling(1, 0), [node.clone()]);
            assert_eq!(creates(&plan), [ANEW], "{:?}", node.json);
        }
    }
}

#[test]
fn a_failed_pod_is_deleted_and_not_replaced() {
    for surge in [0, 1] {
        let set = rolling(1 - surge, surge);
        let objects = || [shutting_down(), failed("Terminated")];
        let off = plan_with(Settings::default(), set.clone(), objects());
        assert_eq!(creates(&off).len(), 1, "as upstream");
        for settings in [gate(), option()] {
            let plan = plan_with(settings, set.clone(), objects());
            assert_eq!(deletes(&plan), ["manage p PodFailed"]);
            assert_eq!(creates(&plan), [""; 0]);
            assert_eq!(holds(&plan), ["NodeLeaving(ShuttingDown) n"]);
            assert_eq!(plan.events.len(), 1, "the event tells of the delete");
        }
    }
    // As its backoff allows.
    let mut cluster = cluster(rolling(1, 0), [shutting_down(), failed("Error")]);
    cluster.settings = gate();
    cluster.attempt("n", daemonset_controller::model::BackoffKind::Failed, 0);
    let plan = cluster.plan();
    assert_eq!((deletes(&plan).len(), creates(&plan).len()), (0, 0));
    assert_eq!(holds(&plan), ["FailedPodBackoff n"]);
}

#[test]
fn a_pod_that_failed_by_the_shutdown_is_a_sign_while_the_node_is_shut_down_and_stays() {
    let off = unready("False", "node is shutting down");
    let lost = unready("Unknown", "Kubelet stopped posting node status.");
    let booting = unready("False", "container runtime network not ready");
    for (node, reason, is_sign) in [
        (&off, "NodeShutdown", true),
        (&off, "Terminated", true),
        (&lost, "Terminated", true),
        (&off, "Evicted", false),
        // The DaemonSet may be the network that the node waits for.
        (&booting, "Terminated", false),
        (&node("n"), "NodeShutdown", false),
    ] {
        for surge in [0, 1] {
            let set = rolling(1 - surge, surge);
            let plan = |settings| plan_with(settings, set.clone(), [node.clone(), failed(reason)]);
            let on = plan(option());
            assert_eq!(creates(&on).is_empty(), is_sign, "{reason} {node:?}");
            assert_eq!(deletes(&on).is_empty(), is_sign, "{reason} {node:?}");
            if is_sign {
                assert_eq!(holds(&on), ["NodeLeaving(PodShutDown) n"]);
                assert!(on.holds[0].since.is_some());
            }
            // The gate knows of the condition only.
            assert_eq!(plan(gate()), plan(Settings::default()));
        }
    }
}

#[test]
fn rollouts_pass_a_leaving_node_by_and_it_counts_as_it_stands() {
    let others = || [node("a"), node("b"), old("a"), old("b")];
    // Its old pod is the oldest, so it would be the first.
    let first = || old("n").created(9_000);
    for surge in [0, 1] {
        let set = rolling(1 - surge, surge);
        let plan = |settings, pods: Vec<Object>| {
            let objects = others().into_iter().chain([shutting_down()]).chain(pods);
            plan_with(settings, set.clone(), objects)
        };
        let disrupted = |plan: &Plan| -> Vec<String> {
            let created = plan.creates.iter().map(|c| c.node.to_string());
            created.chain(gone(plan)).collect()
        };
        let off = plan(Settings::default(), vec![first()]);
        assert_eq!(disrupted(&off), ["n"], "surge {surge}");
        for settings in [gate(), option()] {
            let on = plan(settings, vec![first()]);
            assert_eq!(disrupted(&on), ["a"], "surge {surge}");
            assert!(holds(&on).contains(&"NodeLeaving(ShuttingDown) n".to_owned()));
            assert_eq!(on.rollout.as_ref().expect("a rollout").old, 3);
            // One that is not available is not disrupted either, and uses the budget.
            let on = plan(settings, vec![pod("x").on("n").hash(OLD).created(9_000)]);
            let expected: &[&str] = if surge == 0 { &[] } else { &["a"] };
            assert_eq!(disrupted(&on), expected, "surge {surge}");
            assert!(holds(&on).contains(&"NodeLeaving(ShuttingDown) n".to_owned()));
        }
    }
}

#[test]
fn running_pods_on_a_leaving_node_are_left_alone() {
    // Two of one revision, and two of a surge of which the new one is available.
    let two = [new("n"), pod("second").on("n").ready(100)];
    let pair = [new("n"), old("n")];
    for (surge, pods) in [(0, &two), (1, &two), (1, &pair)] {
        let plan = |settings| {
            let objects = [shutting_down()].into_iter().chain(pods.clone());
            plan_with(settings, rolling(1 - surge, surge), objects)
        };
        assert_eq!(deletes(&plan(Settings::default())).len(), 1, "as upstream");
        let on = plan(gate());
        assert_eq!(deletes(&on), [""; 0]);
        assert_eq!(holds(&on), ["NodeLeaving(ShuttingDown) n"]);
    }
    // One that is not wanted there any more goes all the same.
    let tainted = shutting_down().taint("away:NoExecute");
    let on = plan_with(gate(), rolling(1, 0), [tainted, new("n")]);
    assert_eq!(gone(&on), ["n"]);
}

#[test]
fn a_node_that_waits_for_its_pod_to_go_says_that_nothing_follows() {
    let on = plan_with(
        gate(),
        rolling(1, 0),
        [shutting_down(), new("n").terminating()],
    );
    assert_eq!(holds(&on), ["NodeLeaving(ShuttingDown) n"]);
    let off = plan_with(
        Settings::default(),
        rolling(1, 0),
        [shutting_down(), new("n").terminating()],
    );
    assert_eq!(holds(&off), ["PodTerminating n"]);
}

#[test]
fn with_bad_nodes_the_rollout_goes_on_without_it_and_nothing_is_created_there() {
    let set = || set("bad-nodes=50%", json!(1), json!(0));
    let rest = || [node("a"), node("b"), old("a"), old("b")];
    for settings in [gate(), option()] {
        // With its old pod it is exempt: that pod stays, and it uses no budget.
        let on = plan_with(
            settings,
            set(),
            rest().into_iter().chain([shutting_down(), old("n")]),
        );
        assert_eq!(gone(&on), ["a"]);
        assert_eq!(holds(&on)[0], "NodeExempt(ShuttingDown) n");
        // Without one nothing is created, and the rollout is complete without it.
        let done = [node("a"), node("b"), new("a"), new("b"), shutting_down()];
        let on = plan_with(settings, set(), done.clone());
        assert_eq!(creates(&on), [""; 0]);
        assert_eq!(holds(&on), ["NodeLeaving(ShuttingDown) n"]);
        assert_eq!(unavailable(&on), 0);
        assert!(on.revision_ops.set_completed.is_some(), "it is complete");
        let off = plan_with(Settings::default(), set(), done);
        assert_eq!(creates(&off), [ANEW], "upkeep knows no exemption");
    }
}

#[test]
fn without_a_sign_both_change_nothing() {
    let both = Settings {
        suppress_on_leaving_nodes: true,
        ..gate()
    };
    let objects = || -> Vec<Object> {
        let nodes = [node("a"), node("b"), node("c"), node("n")];
        nodes
            .into_iter()
            .chain([old("a"), new("b"), failed("NodeShutdown")])
            .collect()
    };
    for surge in [0, 1] {
        let plan = |settings: Settings| plan_with(settings, rolling(1 - surge, surge), objects());
        assert_eq!(plan(both), plan(Settings::default()));
    }
}
