//! `hold` on a real API server: who dies or joins in a held rollout gets what is stable, and after
//! handing back the built-in controller, which does not know the key, goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::cluster::{Lab, SOON, name_of, same};
use crate::controller::{Controller, built_in};

const NODES: usize = 4;
const KEY: &str = "daemonset-controller.io/hold";
const COMPLETED: &str = "state.daemonset-controller.io/completed";

/// How many pods have each image.
async fn images(lab: &Lab) -> BTreeMap<String, usize> {
    let mut images = BTreeMap::new();
    for pod in lab.pods().await {
        let image = pod.spec.expect("a spec").containers[0].image.clone();
        *images.entry(image.unwrap_or_default()).or_default() += 1;
    }
    images
}

async fn set_image(lab: &Lab, image: &str) {
    let container = json!([{ "name": "c", "image": image }]);
    let patch = json!({ "spec": { "template": { "spec": { "containers": container } } } });
    lab.patch("agent", &patch).await;
}

async fn until_observed(lab: &Lab) {
    lab.until("the generation is observed", SOON, async || {
        lab.status("agent").await.map(drop)
    })
    .await;
}

/// Waits until there are so many pods, all of this image.
async fn until_all(lab: &Lab, image: &str, count: usize) {
    lab.until(&format!("{count} pods of {image}"), 2 * SOON, async || {
        same(
            images(lab).await,
            BTreeMap::from([(image.to_owned(), count)]),
        )
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_rollout_leaks_no_new_pod_and_goes_on_under_the_built_in_controller() {
    if built_in() {
        return; // it is both sides here
    }
    let mut lab = Lab::alone("hold").await;
    lab.add_nodes(1..=NODES).await;
    let mut ours = Controller::start(&lab);
    let mut set = lab.daemon_set("agent");
    set["spec"]["updateStrategy"] = json!({ "type": "RollingUpdate" });
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    let old = images(&lab).await.into_keys().next().expect("an image");

    lab.kubectl_ok(&["annotate", "daemonset", "agent", &format!("{KEY}=rollout")])
        .await;
    lab.until("what is stable is recorded", SOON, async || {
        let revisions = lab.revisions().await;
        let recorded = |r: &k8s_openapi::api::apps::v1::ControllerRevision| {
            r.metadata
                .annotations
                .as_ref()
                .is_some_and(|all| all.contains_key(COMPLETED))
        };
        same(revisions.iter().filter(|r| recorded(r)).count(), 1)
    })
    .await;
    set_image(&lab, "agent:2").await;
    until_observed(&lab).await;

    // One is deleted, one fails, and a node joins.
    let pods = lab.pods().await;
    lab.kubectl_ok(&["delete", "pod", name_of(&pods[0])]).await;
    let failed = Patch::Merge(json!({ "status": { "phase": "Failed" } }));
    let params = PatchParams::default();
    let api = lab.pod_api();
    let patched = api.patch_status(name_of(&pods[1]), &params, &failed);
    patched.await.expect("the pod can fail");
    lab.add_nodes(NODES + 1..=NODES + 1).await;
    until_all(&lab, &old, NODES + 1).await;
    lab.until("the status tells what is old", SOON, async || {
        let status = lab.status("agent").await?;
        let seen = (
            status.updated_number_scheduled,
            status.desired_number_scheduled,
            status.number_ready,
        );
        same(seen, (None, NODES as i32 + 1, NODES as i32 + 1))
    })
    .await;

    // The built-in controller does not know the key.
    ours.terminate(Duration::from_secs(10))
        .await
        .expect("it ends");
    let theirs = lab.plane.start_built_in();
    until_all(&lab, "agent:2", NODES + 1).await;
    drop(theirs);
    let mut ours = Controller::start(&lab);
    set_image(&lab, "agent:3").await;
    until_observed(&lab).await;
    lab.add_nodes(NODES + 2..=NODES + 2).await;
    // Nobody recorded that the second one completed, but it is complete.
    until_all(&lab, "agent:2", NODES + 2).await;
    lab.kubectl_ok(&["annotate", "daemonset", "agent", &format!("{KEY}-")])
        .await;
    until_all(&lab, "agent:3", NODES + 2).await;
    ours.expect_running();
}
