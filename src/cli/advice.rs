//! Advice: what the API server takes and the controller carries out, and what hurts later.
//!
//! Each advice has a reason and one sentence with what to do. Only what a DaemonSet says is looked
//! at, never what is a matter of taste.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    model::{DaemonSet, Effect, IntOrPercent, Nodes, Snapshot, Taint, Toleration, UpdateStrategy},
    plan::{DetailedPlan, HoldRule, NodeHold},
    stored::image,
};

/// Why an advice is given, as programs read it.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdviceReason {
    /// The template has no `priorityClassName`.
    NoPriorityClass,
    /// No container requests anything: the pods are BestEffort.
    NoRequests,
    /// A rollout with `maxSurge` of pods that hold a port of the node never gets ready.
    HostPortWithSurge,
    /// `maxUnavailable` allows a rollout to take down all pods at once.
    MaxUnavailableAll,
    /// The pods tolerate a NoExecute taint that a node has, because they tolerate all.
    ToleratesNoExecute,
    /// `OnDelete`, and nodes have pods of older revisions.
    OldPodsWithOnDelete,
    /// Neither a readiness probe nor `minReadySeconds`.
    NoReadiness,
    /// An image's tag means different images at different times.
    MutableTag,
}

/// One piece of advice.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Advice {
    /// Why it is given.
    pub reason: AdviceReason,
    /// What the matter is and what helps: a sentence for people.
    pub message: String,
}

/// The tags that are moved to new images by convention.
const MOVING_TAGS: [&str; 5] = ["latest", "main", "master", "edge", "nightly"];

/// NoExecute taints with this prefix are set by Kubernetes for nodes in trouble. The controller
/// makes its pods tolerate them.
const OF_KUBERNETES: &str = "node.kubernetes.io/";

/// The fields of a template that advice is about.
#[derive(Deserialize)]
struct PodTemplate {
    spec: Option<PodSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    priority_class_name: Option<String>,
    priority: Option<i64>,
    resources: Option<Resources>,
    host_network: Option<bool>,
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    readiness_gates: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    image: Option<String>,
    ports: Option<Vec<Port>>,
    resources: Option<Resources>,
    restart_policy: Option<String>,
    readiness_probe: Option<IgnoredAny>,
    startup_probe: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Resources {
    requests: Option<BTreeMap<String, IgnoredAny>>,
    limits: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    host_port: Option<i32>,
    #[serde(default)]
    container_port: i32,
}

/// The advice on this DaemonSet, each reason once, in the order of [`AdviceReason`]. `eligible` is
/// the number of nodes that it belongs on, `old` the number of nodes with a pod of an older
/// revision. Empty for a template that cannot be read.
pub fn about(ds: &DaemonSet, nodes: &Nodes, eligible: usize, old: usize) -> Vec<Advice> {
    let Ok(template) = serde_json::from_str::<PodTemplate>(&ds.template.raw) else {
        return Vec::new();
    };
    let Some(spec) = template.spec else {
        return Vec::new();
    };
    let advice = [
        no_priority_class(&spec),
        no_requests(&spec),
        host_port_with_surge(ds, &spec),
        max_unavailable_all(&ds.update_strategy, eligible),
        tolerates_no_execute(&ds.template.tolerations, nodes),
        old_pods_with_on_delete(&ds.update_strategy, old),
        no_readiness(ds, &spec),
        mutable_tag(&spec),
    ];
    advice.into_iter().flatten().collect()
}

/// The advice on the DaemonSet of a plan. None for one that is left alone.
pub fn about_plan(snapshot: &Snapshot<'_>, detailed: &DetailedPlan) -> Vec<Advice> {
    let Some(status) = &detailed.plan.status else {
        return Vec::new();
    };
    let eligible = usize::try_from(status.desired_number_scheduled).unwrap_or(0);
    let on_delete = |hold: &&NodeHold| hold.rule == HoldRule::OnDelete;
    let old = detailed.holds.iter().filter(on_delete).count();
    about(snapshot.daemon_set, snapshot.nodes, eligible, old)
}

fn say(reason: AdviceReason, message: impl Into<String>) -> Option<Advice> {
    let message = message.into();
    Some(Advice { reason, message })
}

/// The class or the number, which admission writes into pods, is enough.
fn no_priority_class(spec: &PodSpec) -> Option<Advice> {
    let class = spec.priority_class_name.as_deref().unwrap_or_default();
    if !class.is_empty() || spec.priority.is_some() {
        return None;
    }
    say(
        AdviceReason::NoPriorityClass,
        "priorityClassName is not set: on a full node the scheduler may preempt the agent for the pods that it serves, \
         and may find no room for it; system-node-critical, or a PriorityClass of your own, keeps its place",
    )
}

/// Requests default to limits, so these count as well.
fn no_requests(spec: &PodSpec) -> Option<Advice> {
    let asks = |container: &Container| {
        let resources = container.resources.as_ref();
        resources.is_some_and(|r| {
            [&r.requests, &r.limits]
                .into_iter()
                .flatten()
                .any(|list| !list.is_empty())
        })
    };
    let of_pod = spec.resources.as_ref();
    let of_pod = of_pod.is_some_and(|r| r.requests.is_some() || r.limits.is_some());
    if of_pod || all_containers(spec).any(asks) {
        return None;
    }
    say(
        AdviceReason::NoRequests,
        "no container has resources.requests: the pods are of QoS class BestEffort, which the kubelet evicts first when \
         memory runs short, and the scheduler reserves nothing for them",
    )
}

/// The second pod of a node waits for the port that the first one holds, and the first one stays
/// until the second is available (kubernetes#106417).
fn host_port_with_surge(ds: &DaemonSet, spec: &PodSpec) -> Option<Advice> {
    if !ds.update_strategy.allows_surge() {
        return None;
    }
    let host_network = spec.host_network == Some(true);
    let port = all_containers(spec)
        .flat_map(|container| container.ports.iter().flatten())
        .find_map(|port| {
            let host_port = port.host_port.filter(|port| *port != 0);
            host_port.or(host_network.then_some(port.container_port))
        })?;
    say(
        AdviceReason::HostPortWithSurge,
        format!(
            "maxSurge is set and the pods hold port {port} of their node: a new pod stays Pending for as long as the old \
             one holds the port, and the old one stays until the new one is available, so no rollout gets on; \
             use maxUnavailable instead, or leave out the hostPort"
        ),
    )
}

/// A number counts only where there are nodes to hold it against, and more than one.
fn max_unavailable_all(strategy: &UpdateStrategy, eligible: usize) -> Option<Advice> {
    let UpdateStrategy::RollingUpdate {
        max_unavailable, ..
    } = strategy
    else {
        return None;
    };
    let what = match max_unavailable {
        IntOrPercent::Percent(percent) if *percent >= 100 => format!("{percent}%"),
        IntOrPercent::Int(most) => {
            let all = usize::try_from(*most).is_ok_and(|most| most >= eligible);
            (all && eligible > 1)
                .then(|| format!("{most}, and there are {eligible} eligible nodes"))?
        }
        _ => return None,
    };
    say(
        AdviceReason::MaxUnavailableAll,
        format!(
            "maxUnavailable is {what}: a rollout deletes all old pods at once and waits for no new one, so a broken \
             image takes the agent from every node"
        ),
    )
}

fn tolerates_no_execute(tolerations: &[Toleration], nodes: &Nodes) -> Option<Advice> {
    let all = |t: &&Toleration| {
        t.key.is_empty() && &*t.operator == "Exists" && ["", "NoExecute"].contains(&&*t.effect)
    };
    tolerations.iter().find(all)?;
    let drains =
        |taint: &&Taint| taint.effect == Effect::NoExecute && !taint.key.starts_with(OF_KUBERNETES);
    let tainted = nodes.iter().filter_map(|(_, node)| {
        let taint = node.taints.iter().find(drains)?;
        Some((&node.name, taint))
    });
    let mut tainted: Vec<_> = tainted.collect();
    tainted.sort_by_key(|(name, _)| *name);
    let (node, taint) = tainted.first()?;
    let more = match tainted.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    say(
        AdviceReason::ToleratesNoExecute,
        format!(
            "the pods tolerate every taint, and with it {taint} of node {node}{more}: the taint does not drain the \
             agent; list the taints to tolerate one by one where it should"
        ),
    )
}

fn old_pods_with_on_delete(strategy: &UpdateStrategy, old: usize) -> Option<Advice> {
    if *strategy != UpdateStrategy::OnDelete || old == 0 {
        return None;
    }
    let nodes = if old == 1 {
        "1 node has a pod".to_owned()
    } else {
        format!("{old} nodes have pods")
    };
    say(
        AdviceReason::OldPodsWithOnDelete,
        format!(
            "updateStrategy is OnDelete and {nodes} of an older revision: nothing replaces them until somebody deletes \
             them, and kubectl rollout status does not watch this strategy"
        ),
    )
}

/// A startup probe keeps a pod from being ready as well, until it has passed.
fn no_readiness(ds: &DaemonSet, spec: &PodSpec) -> Option<Advice> {
    let rolls = matches!(ds.update_strategy, UpdateStrategy::RollingUpdate { .. });
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let containers = spec.containers.iter().flatten();
    let mut serving = containers.chain(sidecars);
    let probed = serving.any(|c| c.readiness_probe.is_some() || c.startup_probe.is_some());
    let gated = spec.readiness_gates.as_ref().is_some_and(|g| !g.is_empty());
    if !rolls || ds.min_ready_seconds > 0 || probed || gated {
        return None;
    }
    say(
        AdviceReason::NoReadiness,
        "no container has a readinessProbe and minReadySeconds is 0: a rollout counts a pod as available as soon as its \
         containers have started, so one that crashes a second later does not stop it",
    )
}

fn mutable_tag(spec: &PodSpec) -> Option<Advice> {
    let (image, tag) = all_containers(spec).find_map(|container| {
        let image = container.image.as_deref()?;
        let tag = image::tag(image).filter(|tag| MOVING_TAGS.contains(tag))?;
        let pinned = image.contains('@');
        (!pinned).then_some((image, tag))
    })?;
    say(
        AdviceReason::MutableTag,
        format!(
            "the tag of image {image} is {tag}, which means other images at other times: nodes run different versions \
             under one revision, and a rollback does not bring the old one back; name a version or a digest"
        ),
    )
}

fn all_containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers
        .iter()
        .flatten()
        .chain(spec.containers.iter().flatten())
}
