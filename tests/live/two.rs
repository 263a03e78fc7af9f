//! Two of ours at once, with no leader between them: promise S1 at its hardest.

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::cluster::{Lab, SOON, name_of, same};
use crate::controller::{Launch, built_in};
use crate::referee::Referee;

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

    // Pods deleted and failed by hand, several at a time and again before the last ones are replaced.
    let pods = lab.pod_api();
    for round in 0..30_usize {
        let all = lab.pods().await;
        let live = all
            .iter()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            // One that failed is the controllers' to delete: whoever else deletes it in the moment in which it is replaced
            // can bring about a second pod (docs/design.md, "What is left over").
            .filter(|pod| {
                let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
                phase != Some("Failed")
            });
        let victims: Vec<&str> = live
            .skip(round * 7 % 40)
            .step_by(3)
            .take(6)
            .map(name_of)
            .collect();
        for (index, victim) in victims.into_iter().enumerate() {
            // Whoever was quicker may have deleted it already: no matter.
            if index % 3 == 2 {
                let failed = Patch::Merge(json!({ "status": { "phase": "Failed" } }));
                let _ = pods
                    .patch_status(victim, &PatchParams::default(), &failed)
                    .await;
            } else {
                let _ = pods
                    .delete(
                        victim,
                        &DeleteParams::default().grace_period((index % 2) as u32),
                    )
                    .await;
            }
        }
        referee.until_more_versions(8).await;
        if round == 15 {
            second.kill(); // and it comes back in the middle
            second = Launch::new(&lab).user("controller-b").start();
        }
    }
    lab.until_pods(NODES, SOON).await;
    lab.until_covered("agent", NODES as i32, 2 * SOON).await;
    referee.finish().await.expect_clean(NODES * 3);
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
