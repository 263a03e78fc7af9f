//! Two controllers of ours at once, without a leader: promise S1 at its hardest.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::cluster::{Lab, SOON, name_of, same};
use crate::controller::{Launch, built_in};
use crate::referee::Referee;
use crate::trace;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_controllers_with_no_leader_never_make_a_second_pod() {
    if built_in() {
        return; // it is not made for this
    }
    const NODES: usize = 60;
    let mut lab = Lab::alone("two").await;
    lab.add_nodes(1..=NODES).await;
    let mut referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    let mut first = Launch::new(&lab).user("controller").start();
    let mut second = Launch::new(&lab).user("controller-b").start();
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", NODES as i32, SOON).await;

    // Pods deleted and failed by hand, several at a time and again before the last ones are
    // replaced.
    let pods = lab.pod_api();
    for round in 0..30_usize {
        let before = referee.versions();
        let all = lab.pods().await;
        let live = all
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let victims = live.skip(round * 7 % 40).step_by(3).take(6);
        let mut hit = 0;
        for (index, victim) in victims.enumerate() {
            // A controller may have deleted it already: no matter.
            let changed = if index % 3 == 2 {
                let failed = Patch::Merge(json!({ "status": { "phase": "Failed" } }));
                let patched = pods
                    .patch_status(name_of(victim), &PatchParams::default(), &failed)
                    .await;
                patched
                    .is_ok_and(|p| p.metadata.resource_version != victim.metadata.resource_version)
            } else {
                let params = DeleteParams::default().grace_period((index % 2) as u32);
                pods.delete(name_of(victim), &params).await.is_ok()
            };
            hit += usize::from(changed);
        }
        // The next ones are hit while the controllers are at it.
        referee.until_versions(before + hit).await;
        if round == 15 {
            second.kill(); // and it comes back in the middle
            second = Launch::new(&lab).user("controller-b").start();
        }
    }
    lab.until_pods(NODES, SOON).await;
    lab.until_covered("agent", NODES as i32, 2 * SOON).await;
    trace::expect_clean(&lab.plane.audit_log(), &referee.finish().await, NODES * 3);
    first.expect_running();
    second.expect_running();
    let writers: Vec<bool> = ["controller", "controller-b"]
        .map(|user| {
            lab.plane
                .audit(user)
                .iter()
                .any(|entry| entry.kind() == "create pods")
        })
        .to_vec();
    same(writers, vec![true, true]).expect("both were at work");
}
