//! One step of the kubelets, for tests that choose the order of events.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::api::ListParams;
use kube::core::{ObjectList, Request};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::detail::Detail;
use super::lifecycle::{Form, Next, Seen, Step, next};
use super::node::{Node, address};
use super::options::{GROUP_LABEL, KubeletOptions};
use super::pod::{Containers, Pod};
use super::rejection::Rejection;
use super::report::Place;
use super::request::request;
use super::script::Script;
use super::serve::{silent, timestamp};

/// Does what the kubelet of the first pod (by node, namespace and name) would do next, however long
/// its delay is. Returns what that was, in words; `None` if no pod has a next step. Silent nodes
/// are skipped.
///
/// A pod that runs, is not ready, and is scripted to lose its readiness counts as having lost it.
pub async fn step(client: &kube::Client, options: &KubeletOptions) -> kube::Result<Option<String>> {
    let group = format!("{GROUP_LABEL}={}", options.group);
    let nodes: Vec<Node> = list(
        client,
        "/api/v1/nodes",
        ListParams::default().labels(&group),
    )
    .await?;
    let nodes: BTreeMap<&str, &Node> = nodes
        .iter()
        .filter(|node| !silent(node))
        .map(|node| (node.metadata.name.as_str(), node))
        .collect();
    let pods = match &options.namespace {
        Some(namespace) => format!("/api/v1/namespaces/{namespace}/pods"),
        None => "/api/v1/pods".to_owned(),
    };
    let bound = ListParams::default().fields("spec.nodeName!=");
    let mut pods: Vec<Pod> = list(client, &pods, bound).await?;
    pods.sort_by(|a, b| place(a).cmp(&place(b)));
    let now = timestamp(&options.clock);
    for pod in &pods {
        let Some(node) = nodes.get(pod.spec.node_name.as_str()) else {
            continue;
        };
        let Some(step) = due(pod, node, &pods, options.detail) else {
            continue;
        };
        let pod_ip = match pod.spec.host_network {
            true => node.ip().to_owned(),
            // Versions are unique, so addresses are unique for as long as it matters.
            false => address(11, pod.metadata.resource_version.parse().unwrap_or(0)),
        };
        let at = Place {
            now: &now,
            node_ip: node.ip(),
            pod_ip: &pod_ip,
        };
        let request = request(pod, step, &at)?;
        client.request_text(request).await?;
        let (node, namespace, name) = place(pod);
        let what = match step {
            Step::Run { ready: true } => "runs and is ready",
            Step::Run { ready: false } => "runs",
            Step::Ready(true) => "is ready",
            Step::Ready(false) => "is no longer ready",
            Step::Create => "is created",
            Step::Sandbox => "has a sandbox",
            Step::Resources => "has its resources",
            Step::Crash { .. } => "crashes",
            Step::BackOff => "waits to run again",
            Step::PullBackOff => "waits for its image",
            Step::Observe => "is asked to end",
            Step::End { .. } => "has ended",
            Step::Lost => "was lost with its node",
            Step::Recall | Step::Forget => "is not known any more",
            Step::Restart { .. } => "runs again",
            Step::PullFails => "has no image",
            Step::Fail => "fails",
            Step::Succeed => "succeeds",
            Step::Reject(_) => "is rejected",
            Step::Remove => "is removed",
        };
        return Ok(Some(format!("Pod {namespace}/{name} on {node} {what}")));
    }
    Ok(None)
}

fn place(pod: &Pod) -> (&str, &str, &str) {
    let metadata = &pod.metadata;
    (&pod.spec.node_name, &metadata.namespace, &metadata.name)
}

/// The next step of a pod, without its delay.
fn due(pod: &Pod, node: &Node, all: &[Pod], detail: Detail) -> Option<Step> {
    let deleting = pod.metadata.deletion_timestamp.is_some();
    if deleting && pod.metadata.deletion_grace_period_seconds == Some(0) {
        return None; // removed already; finalizers hold it
    }
    let script = Script::read(&pod.metadata, &node.metadata);
    let now = Instant::now();
    let is_fresh = pod.containers() == Containers::Unknown;
    let rejection = is_rejected(pod, all).then_some(Rejection::NodePorts);
    let seen = Seen {
        running: Some(now),
        deleting: deleting.then_some(now),
        lost_readiness: script.unready.is_some() && !pod.ready(),
        rejection: rejection.or(script.reject).filter(|_| is_fresh),
        ..Seen::at(now)
    };
    let form = Form {
        detail,
        linger: Duration::ZERO,
    };
    match next(pod, &script, &seen, &form) {
        Next::At(_, step) => Some(step),
        Next::Rest => None,
    }
}

/// Whether a pod that runs on its node has one of its host ports.
fn is_rejected(pod: &Pod, all: &[Pod]) -> bool {
    let wanted = pod.host_ports();
    let beside = |other: &&Pod| other.spec.node_name == pod.spec.node_name;
    let mut running = all.iter().filter(|other| other.status.phase == "Running");
    !wanted.0.is_empty() && running.any(|other| beside(&other) && wanted.clash(&other.host_ports()))
}

async fn list<T: DeserializeOwned + Clone>(
    client: &kube::Client,
    path: &str,
    params: ListParams,
) -> kube::Result<Vec<T>> {
    let request = Request::new(path)
        .list(&params)
        .map_err(kube::Error::BuildRequest)?;
    Ok(client.request::<ObjectList<T>>(request).await?.items)
}
