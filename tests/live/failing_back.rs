//! A rollback between both controllers: the built-in one takes over in its middle, what is recorded
//! stays, and no pod that went back is replaced for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{Lab, SOON, same};
use crate::controller::{Controller, built_in};
use crate::failing::*;
use crate::referee::Referee;

const NODES: usize = 6;

/// All that is recorded on revisions.
async fn state(lab: &Lab) -> Vec<BTreeMap<String, String>> {
    let mut all = Vec::new();
    for key in ["completed", "started", "verdict"] {
        all.push(recorded(lab, key).await);
    }
    all
}

async fn end(mut ours: Controller) {
    let ended = ours.terminate(Duration::from_secs(10)).await;
    ended.expect("it ends");
}

/// Waits until every node has a pod of the first version, and the rollback is over.
async fn until_back(lab: &Lab, nodes: usize) {
    until_progressing(lab, "False", "RolledBack").await;
    assert_eq!(nodes_of(lab, OLD).await.len(), nodes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_goes_on_after_the_built_in_controller_and_replaces_nothing_twice() {
    if built_in() {
        return; // it is both sides here
    }
    let mut lab = Lab::alone("failing-back").await;
    lab.add_nodes(1..=NODES).await;
    let ours = Controller::start(&lab);
    let mut set = lab.daemon_set("agent");
    set["metadata"]["annotations"] = json!({ "daemonset-controller.io/on-failure": "rollback" });
    set["spec"]["updateStrategy"] =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 2 } });
    set["spec"]["template"]["metadata"]["annotations"] = well();
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    until_progressing(&lab, "True", "Complete").await;
    let referee = Referee::start(lab.api.clone(), &lab.namespace).await;

    // It cannot complete on the last node.
    script(&lab, NODES, &[("ready-after", json!("never"))]).await;
    change_to_second(&lab).await;
    lab.until("all nodes have it", 2 * SOON, async || {
        same(nodes_of(&lab, "agent:2").await.len(), NODES)
    })
    .await;
    for number in [1, 2] {
        script(&lab, number, &[("terminate-after", json!("never"))]).await;
    }
    script(&lab, NODES, &[("crash-after", json!("1ms"))]).await;
    let kept = BTreeSet::from([lab.node_name(1), lab.node_name(2)]);
    until_leaving(&lab, &kept).await;
    end(ours).await;

    // The built-in controller has no budget left, and knows only the spec.
    let (before, recorded) = (uids(&lab).await, state(&lab).await);
    assert_eq!(recorded[2].len(), 1, "the verdict");
    let went_back = nodes_of(&lab, OLD).await;
    assert!(went_back.contains(&lab.node_name(NODES)), "{went_back:?}");
    let theirs = lab.plane.start_built_in();
    lab.add_nodes(NODES + 1..=NODES + 1).await;
    let joined = lab.node_name(NODES + 1);
    lab.until("it is at work", SOON, async || {
        same(nodes_of(&lab, "agent:2").await.contains(&joined), true)
    })
    .await;
    drop(theirs);
    let mut now = uids(&lab).await;
    now.remove(&joined);
    same(now, before.clone()).expect("no pod is replaced");
    same(state(&lab).await, recorded.clone()).expect("what is recorded");

    // Back: the rollback goes on where it was.
    let ours = Controller::start(&lab);
    for number in [1, 2] {
        script(&lab, number, &[("terminate-after", Value::Null)]).await;
    }
    until_back(&lab, NODES + 1).await;
    let after = uids(&lab).await;
    for node in &went_back {
        assert_eq!(after.get(node), before.get(node), "{node}");
    }
    same(state(&lab).await, recorded.clone()).expect("what is recorded");
    assert_eq!(lab.events("RollbackStarted").await.len(), 1);
    end(ours).await;

    // Undone, the spec is what runs: the handover and the way back restart nothing, though the
    // built-in controller gives the revision another number.
    lab.kubectl_ok(&["rollout", "undo", "daemonset/agent"])
        .await;
    let theirs = lab.plane.start_built_in();
    lab.until_covered("agent", NODES as i32 + 1, SOON).await;
    lab.until("the revision is the newest", SOON, async || {
        let revisions = lab.revisions().await;
        same(
            revisions.iter().map(|r| r.revision).collect(),
            vec![Some(2), Some(3)],
        )
    })
    .await;
    same(uids(&lab).await, after.clone()).expect("no pod is restarted");
    same(state(&lab).await, recorded.clone()).expect("what is recorded");
    drop(theirs);
    let mut ours = Controller::start(&lab);
    until_progressing(&lab, "True", "Complete").await;

    // The same template again stays failed.
    lab.kubectl_ok(&["rollout", "undo", "daemonset/agent"])
        .await;
    until_back(&lab, NODES + 1).await;
    same(uids(&lab).await, after).expect("no pod is touched");
    assert_eq!(state(&lab).await[2], recorded[2]);
    ours.expect_running();
    referee.finish().await.expect_clean(5 * NODES);
}
