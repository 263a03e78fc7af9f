//! Heartbeats: kubelets renew the leases of their nodes.

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Request;
use serde_json::json;

use super::node::healthy;

/// The collection of the leases of nodes.
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

/// Renews a node's lease (creates it if there is none). If `ready` is false, also reports the node
/// as ready again.
pub(super) async fn renew(
    client: &kube::Client,
    node: &str,
    now: jiff::Timestamp,
    ready: bool,
) -> kube::Result<()> {
    if !ready {
        let time = format!("{now:.0}");
        let patch = Patch::Strategic(json!({ "status": { "conditions": healthy(&time) } }));
        let request = Request::new("/api/v1/nodes")
            .patch_subresource("status", node, &PatchParams::default(), &patch)
            .map_err(kube::Error::BuildRequest)?;
        client.request_text(request).await?;
    }
    let now = format!("{now:.6}");
    let leases = Request::new(LEASES);
    let spec = json!({ "holderIdentity": node, "leaseDurationSeconds": 40, "renewTime": now });
    let patch = Patch::Merge(json!({ "spec": spec }));
    let request = leases
        .patch(node, &PatchParams::default(), &patch)
        .map_err(kube::Error::BuildRequest)?;
    match client.request_text(request).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            let lease = json!({
                "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": { "name": node, "namespace": "kube-node-lease" }, "spec": spec,
            });
            let body = lease.to_string().into_bytes();
            let request = leases
                .create(&PostParams::default(), body)
                .map_err(kube::Error::BuildRequest)?;
            client.request_text(request).await.map(drop)
        }
        answer => answer.map(drop),
    }
}
