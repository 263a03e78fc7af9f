//! Nodes that fail, on random clusters: with more of them than are tolerated nothing further is
//! replaced, and what is not done has a reason.

use std::collections::BTreeSet;

use crate::arbitrary::{World, world};
use crate::config::config;
use crate::reasons::missing_reasons;
use crate::support::*;
use daemonset_controller::model::{Kind, NodeId};
use daemonset_controller::plan::{self, ActionPhase};
use proptest::prelude::*;
use serde_json::json;

/// The world with keys, where rollouts have begun and containers of some pods were restarted.
fn failing(world: &World, on_failure: &str, pods: u32) -> World {
    let mut world = world.clone();
    let keys = json!({"daemonset-controller.io/on-failure": on_failure});
    let keys = json!({"metadata": {"annotations": keys}});
    world.objects[0] = world.objects[0].clone().with(keys);
    for (i, object) in world.objects.iter_mut().enumerate().skip(1) {
        if object.kind == Kind::Revision {
            let began = json!({"state.daemonset-controller.io/started": ago(5_000)});
            let began = json!({"metadata": {"annotations": began}});
            *object = object.clone().with(began);
        } else if object.kind == Kind::Pod && pods >> (i % 32) & 1 == 1 {
            let restarts = json!([{"name": "c", "restartCount": 3}]);
            let status = json!({"status": {"containerStatuses": restarts}});
            *object = object.clone().with(status);
        }
    }
    world
}

/// The nodes where a pod of the current revision was restarted so often.
fn nodes(world: &World) -> BTreeSet<NodeId> {
    world.cluster(None).snapshot(|s| {
        let ours = s.pods.iter().filter(|p| p.controller.is(&s.daemon_set.uid));
        let target = ours.filter(|p| p.labels.get("controller-revision-hash") == Some(NEW));
        let restarted = target.filter(|p| {
            let detail = p.detail.as_deref().filter(|_| !p.terminating);
            detail.is_some_and(|d| d.restarts.as_ref().is_some_and(|r| r.count > 2))
        });
        let nodes = restarted.filter_map(|p| p.node);
        let stays = |id: &NodeId| s.nodes.get(*id).is_some();
        let stay = nodes.filter(stays);
        stay.filter(|id| s.verdicts.get(*id).should_continue_running())
            .collect()
    })
}

proptest! {
    #![proptest_config(config(600, 20_261_201))]

    #[test]
    fn with_more_than_are_tolerated_nothing_further_is_replaced(
        world in world(),
        pods in any::<u32>(),
        tolerated in 0_usize..3,
    ) {
        let world = failing(&world, &format!("pause,tolerate={tolerated}"), pods);
        let fail = nodes(&world).len();
        let mut cluster = world.cluster(None);
        let now = cluster.now;
        let (detailed, missing) = cluster.snapshot(|s| {
            let detailed = plan::in_detail(s, now);
            let missing = missing_reasons(s, &detailed);
            (detailed, missing)
        });
        prop_assert!(missing.is_empty(), "{missing:#?}");
        let plan = detailed.plan;
        let is_current = plan.revision.as_ref().is_some_and(|r| &*r.hash == NEW);
        let is_paused = plan.holds.iter().any(|h| h.rule.as_str() == "AutoPaused");
        if is_current && fail > tolerated {
            prop_assert!(is_paused, "{fail} nodes fail: {:?}", plan.holds);
        }
        if is_paused {
            prop_assert!(plan.deletes.iter().all(|d| d.phase != ActionPhase::Rollout), "{:?}", plan.deletes);
            prop_assert!(plan.creates.iter().all(|c| c.phase != ActionPhase::Rollout), "{:?}", plan.creates);
            prop_assert!(plan.revision_ops.set_completed.is_none());
        }
    }

    #[test]
    fn while_a_verdict_stands_no_node_gets_the_revision_and_all_has_a_reason(
        world in world(),
        pods in any::<u32>(),
    ) {
        let mut world = failing(&world, "rollback", pods);
        let text = format!(r#"{{"failed":true,"when":"{}","why":"it crashed"}}"#, ago(1));
        let verdict = json!({"state.daemonset-controller.io/verdict": text});
        for object in world.objects.iter_mut().filter(|o| o.name() == "web-new") {
            *object = object.clone().with(json!({"metadata": {"annotations": verdict}}));
        }
        let mut cluster = world.cluster(None);
        let now = cluster.now;
        let (detailed, missing) = cluster.snapshot(|s| {
            let detailed = plan::in_detail(s, now);
            let missing = missing_reasons(s, &detailed);
            (detailed, missing)
        });
        prop_assert!(missing.is_empty(), "{missing:#?}");
        let plan = detailed.plan;
        let stands = plan.holds.iter().any(|h| h.rule.as_str() == "RolledBack");
        // What is recorded on a duplicate goes with it.
        let is_current = plan.revision.as_ref().is_some_and(|r| &*r.hash == NEW);
        if stands && is_current {
            prop_assert!(plan.creates.iter().all(|c| &*c.revision != NEW), "{:?}", plan.creates);
            let completed = plan.revision_ops.set_completed.as_ref();
            prop_assert!(completed.is_none_or(|(r, _)| &*r.name != "web-new"));
            prop_assert!(plan.revision_ops.set_failed.is_none(), "never a second one");
        }
    }

    #[test]
    fn without_a_key_that_asks_failures_change_nothing(world in world(), pods in any::<u32>()) {
        let crashes = failing(&world, "off", pods);
        let mut plain = crashes.clone();
        plain.objects[0] = world.objects[0].clone();
        prop_assert_eq!(crashes.cluster(None).plan(), plain.cluster(None).plan());
    }
}
