//! Cluster defaults on a real API server: the file is written anew while the controller runs, a
//! DaemonSet without annotations is held, and a node that is excluded gets no pod.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::cluster::{Lab, SOON, node_of, same};
use crate::controller::{Controller, Launch, built_in};

const NODES: usize = 3;

/// The file is reread every 10 s, and a new text has to stay for a second.
const REREAD: Duration = Duration::from_secs(15);

/// The nodes with a pod, and the images of all pods.
async fn state(lab: &Lab) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut state = (BTreeSet::new(), BTreeSet::new());
    for pod in lab.pods().await {
        state.0.insert(node_of(&pod));
        let spec = pod.spec.expect("a spec");
        state
            .1
            .insert(spec.containers[0].image.clone().unwrap_or_default());
    }
    state
}

/// Waits until the log has a line with this word more than before.
async fn until_said(lab: &Lab, ours: &Controller, word: &str, times: usize) {
    lab.until(word, SOON + REREAD, async || {
        same(ours.lines_with(word).len(), times)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_written_anew_holds_a_daemon_set_without_annotations_and_excludes_nodes() {
    if built_in() {
        return; // it has no such file
    }
    let mut lab = Lab::alone("defaults").await;
    lab.add_nodes(1..=NODES).await;
    let file = lab.plane.dir().join("rollout-defaults.yaml");
    // As the kubelet does it: one whole text after the other, by a rename.
    let write = |text: &str| {
        let fresh = file.with_extension("fresh");
        fs::write(&fresh, text).expect("a file");
        fs::rename(&fresh, &file).expect("a file");
    };
    write("");
    let flag = format!("--rollout-defaults={}", file.display());
    let mut ours = Launch::new(&lab).arg(&flag).start();
    let mut set = lab.daemon_set("agent");
    set["spec"]["updateStrategy"] = json!({ "type": "RollingUpdate" });
    lab.create(&set).await;
    lab.until_covered("agent", NODES as i32, SOON).await;
    let old = state(&lab).await.1;

    let held = "- names: [agent]\n  set: {hold: rollout}\n- excludeNodes: pool=virtual\n";
    write(held);
    until_said(&lab, &ours, "rollout defaults were reread", 1).await;
    let container = json!([{ "name": "c", "image": "agent:2" }]);
    let patch = json!({ "spec": { "template": { "spec": { "containers": container } } } });
    lab.patch("agent", &patch).await;
    lab.until("the generation is observed", SOON, async || {
        lab.status("agent").await.map(drop)
    })
    .await;
    let virtual_node = lab.node(NODES + 1).label("pool", "virtual");
    lab.register(vec![virtual_node]).await;
    lab.add_nodes(NODES + 2..=NODES + 2).await;
    let expected: BTreeSet<String> = (1..=NODES + 2)
        .filter(|n| *n != NODES + 1)
        .map(|n| lab.node_name(n))
        .collect();
    lab.until(
        "the node that joined has the stable revision",
        SOON,
        async || same(state(&lab).await, (expected.clone(), old.clone())),
    )
    .await;
    let status = lab.get("agent").await.status.unwrap_or_default();
    assert_eq!(status.desired_number_scheduled, NODES as i32 + 1);

    // A mistake changes nothing, and is told of once.
    write("- set: {hold: rollot}\n");
    until_said(&lab, &ours, "the rollout defaults cannot be used", 1).await;
    assert_eq!(state(&lab).await, (expected.clone(), old));

    write("- excludeNodes: pool=virtual\n");
    let new = BTreeSet::from(["agent:2".to_owned()]);
    lab.until(
        "all but the excluded node follow",
        2 * SOON + REREAD,
        async || same(state(&lab).await, (expected.clone(), new.clone())),
    )
    .await;
    write("");
    lab.until_covered("agent", NODES as i32 + 2, SOON + REREAD)
        .await;
    ours.expect_running();
}
