//! A canary on a real API server: held back, approved with the hash that the pods carry, and undone
//! by kubectl in the middle.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cluster::{Lab, SOON, same};
use crate::controller::{Controller, built_in};

const NODES: usize = 5;

/// Image and hash of each pod.
async fn pods(lab: &Lab) -> Vec<(String, String)> {
    let hash = |labels: Option<BTreeMap<String, String>>| {
        labels.expect("labels")["controller-revision-hash"].clone()
    };
    let pods = lab.pods().await.into_iter();
    pods.map(|pod| {
        let image = pod.spec.expect("a spec").containers[0].image.clone();
        (image.unwrap_or_default(), hash(pod.metadata.labels))
    })
    .collect()
}

async fn until_images(lab: &Lab, wanted: &[(&str, usize)]) {
    let wanted: BTreeMap<String, usize> = wanted
        .iter()
        .map(|(image, count)| ((*image).to_owned(), *count))
        .collect();
    lab.until(&format!("{wanted:?}"), 2 * SOON, async || {
        let mut images: BTreeMap<String, usize> = BTreeMap::new();
        for (image, _) in pods(lab).await {
            *images.entry(image).or_default() += 1;
        }
        same(images, wanted.clone())
    })
    .await;
}

/// The hash of the pods with this image.
async fn hash_of(lab: &Lab, image: &str) -> String {
    let mut pods = pods(lab).await.into_iter();
    let found = pods.find(|(of, _)| of == image);
    found.expect("a pod of this image").1
}

async fn annotate(lab: &Lab, key: &str, value: &str) {
    let annotation = format!("daemonset-controller.io/{key}={value}");
    lab.kubectl_ok(&["annotate", "daemonset", "agent", &annotation, "--overwrite"])
        .await;
}

async fn set_image(lab: &Lab, image: &str) {
    lab.kubectl_ok(&["set", "image", "daemonset/agent", &format!("c={image}")])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_waits_for_its_approval_and_is_undone_in_the_middle() {
    if built_in() {
        return; // it knows no canary
    }
    let mut lab = Lab::alone("canary").await;
    lab.add_nodes(1..=NODES).await;
    let mut ours = Controller::start(&lab);
    let mut set = lab.daemon_set("agent");
    set["spec"]["updateStrategy"] =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": "100%" } });
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    let first = pods(&lab).await.remove(0).0;

    annotate(&lab, "canary", "1").await;
    annotate(&lab, "bake", "approval").await;
    set_image(&lab, "agent:2").await;
    until_images(&lab, &[(&first, NODES - 1), ("agent:2", 1)]).await;
    lab.add_nodes(NODES + 1..=NODES + 1).await;
    until_images(&lab, &[(&first, NODES), ("agent:2", 1)]).await;

    // A hash that is no longer the target's ends nothing.
    annotate(&lab, "approve", &hash_of(&lab, &first).await).await;
    lab.add_nodes(NODES + 2..=NODES + 2).await;
    until_images(&lab, &[(&first, NODES + 1), ("agent:2", 1)]).await;
    annotate(&lab, "approve", &hash_of(&lab, "agent:2").await).await;
    let all = NODES + 2;
    until_images(&lab, &[("agent:2", all)]).await;
    lab.until_covered("agent", all as i32, SOON).await;

    // The next one is undone: what completed before needs no canary.
    set_image(&lab, "agent:3").await;
    until_images(&lab, &[("agent:2", all - 1), ("agent:3", 1)]).await;
    lab.kubectl_ok(&["rollout", "undo", "daemonset/agent"])
        .await;
    until_images(&lab, &[("agent:2", all)]).await;
    lab.until_covered("agent", all as i32, SOON).await;
    ours.expect_running();
}
