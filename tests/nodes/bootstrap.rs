//! A node without a CNI configuration is not ready, and becomes so by a DaemonSet that installs
//! one: as with every CNI plugin, the DaemonSet has to run on a node that is not ready.

use serde_json::json;

use crate::agent::{AGENT, agent};
use crate::installation::Way;
use crate::place::{Place, SOON};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_becomes_ready_by_the_agent_that_installs_its_network() {
    let place = Place::new("bootstrap", Way::Chart).await;
    let node = place.cluster.node(2);
    let name = format!("node/{}", node.name());
    let configuration = node.run("cat /etc/cni/net.d/10-rig.conflist").await;
    node.run("rm /etc/cni/net.d/10-rig.conflist").await;
    place
        .cluster
        .kubectl(&[
            "wait",
            "--for=condition=Ready=False",
            &name,
            "--timeout=90s",
        ])
        .await;

    let mut set = agent(&[]);
    let spec = &mut set["spec"]["template"]["spec"];
    spec["hostNetwork"] = json!(true);
    spec["nodeSelector"] = json!({ "kubernetes.io/hostname": node.name() });
    spec["volumes"] = json!([{ "name": "cni", "hostPath": { "path": "/etc/cni/net.d" } }]);
    let container = &mut spec["containers"][0];
    container["volumeMounts"] = json!([{ "name": "cni", "mountPath": "/cni" }]);
    container["args"] = json!([
        "-listen=:18081",
        "-to=/cni/10-rig.conflist",
        format!("-install={configuration}")
    ]);
    container["readinessProbe"]["httpGet"]["port"] = json!(18081);
    let referee = place.referee().await;
    place.create(&set).await;
    place.cluster.until_ready(node).await;
    place.until_covered(AGENT, 1, SOON).await;
    // A pod with a network of its own starts there again.
    place.kubectl_ok(&["delete", "daemonset", "agent"]).await;
    place.until_pods(0, SOON).await;
    place.cover(&agent(&[])).await;
    place.end(referee, 3).await;
}
