//! What becomes of pods on their nodes, and when.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde::Deserialize;

use crate::model::{
    ConditionState, ConditionStatus, ContainerKind, Node, Pod, PodDetail, PodPhase, Readiness,
    Restarts, Str, Time, Uid, WaitingContainer, revision::HASH_LABEL,
};

use super::{
    cluster::Cluster,
    durations::{Durations, group},
    scenario::{GONE_AFTER, Scenario, draw},
};

/// From the terminal phase of a pod that was asked to go to its last delete, as kubelets have it.
const REMOVED_AFTER: Duration = Duration::from_secs(1);

/// A pod whose node is gone is deleted after this time, by the pod garbage collector.
const COLLECTED_AFTER: Duration = Duration::from_secs(40);

/// A pod that was not ready for so long before the rehearsal is not going to be.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// Something that happens to a pod, or a node that joins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Happening {
    /// The pod's name; the node's for [`What::Joins`].
    pub pod: Str,
    /// The pod's UID.
    pub uid: Uid,
    /// What happens.
    pub what: What,
}

/// What happens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// It becomes ready.
    Ready,
    /// It is looked at once more: it has been ready for minReadySeconds.
    Available,
    /// A container of it crashes as in this line of [`CRASHES`].
    Crashes(usize),
    /// Its containers have ended after a delete.
    Ended,
    /// It is gone.
    Gone,
    /// This node joins.
    Joins(Box<Node>),
}

/// How a container goes on that exits three seconds after each start: seconds since its first
/// start, whether it runs, and how often it was restarted. Waits are the kubelet's back-off.
pub(super) const CRASHES: [(u64, bool, u32); 8] = [
    (0, true, 0),
    (3, false, 0),
    (4, true, 1),
    (7, false, 1),
    (17, true, 2),
    (20, false, 2),
    (40, true, 3),
    (43, false, 3),
];

/// The kubelets of all nodes.
pub(super) struct Kubelets {
    scenario: Scenario,
    durations: Durations,
    /// The nodes on which pods of the revision with the hash `target` crash.
    fails: BTreeSet<Str>,
    target: Str,
    /// Whether a pod is ready as soon as its containers run.
    ready_at_once: bool,
    /// The container that crashes.
    container: Str,
}

impl Kubelets {
    /// `target` is the hash of the revision that is rolled out, whose pods crash on `fails`.
    pub fn new(
        cluster: &Cluster,
        scenario: &Scenario,
        durations: Durations,
        fails: BTreeSet<Str>,
        target: Str,
    ) -> Kubelets {
        let template = cluster.daemon_set().template.clone();
        let mut containers = template.containers.iter();
        let container = containers.find(|c| c.kind == ContainerKind::Main);
        Kubelets {
            container: container.map(|c| c.name.clone()).unwrap_or_default(),
            ready_at_once: !has_readiness_probe(&template.raw),
            scenario: scenario.clone(),
            durations,
            fails,
            target,
        }
    }

    /// How long pods take.
    pub fn durations(&self) -> &Durations {
        &self.durations
    }

    /// What becomes of the pods that are there already.
    pub fn take_over(&self, cluster: &mut Cluster) {
        let now = cluster.now();
        let pods: Vec<(Str, Pod)> = cluster
            .pods()
            .map(|(node, pod)| (node.clone(), pod.clone()))
            .collect();
        for (node, pod) in pods {
            if cluster.node(&node).is_none() {
                cluster.expect(now + COLLECTED_AFTER, happening(&pod, What::Gone));
                continue;
            }
            if !self.is_up(cluster, &node) {
                continue;
            }
            let detail = pod.detail.as_deref();
            if pod.terminating {
                // A finalizer is somebody else's, and nobody knows for how long.
                if detail.is_none_or(|detail| detail.finalizers.is_empty()) {
                    let what = match pod.phase.is_terminal() || !pod.scheduled {
                        true => What::Gone,
                        false => What::Ended,
                    };
                    cluster.expect(
                        self.ends(&pod).unwrap_or(now).max(now),
                        happening(&pod, what),
                    );
                }
            } else if pod.phase.is_terminal() {
                // The plan sees to it.
            } else if pod.is_ready() {
                self.await_available(cluster, &pod);
            } else if self.scenario.heal || is_starting(&pod, now) {
                cluster.change_pod(&pod.name, &pod.uid, |pod| pod.scheduled |= !pod.gated);
                self.start(cluster, &pod.name);
            }
        }
    }

    /// When the containers of a pod that terminates already have ended.
    fn ends(&self, pod: &Pod) -> Option<Time> {
        let grace = pod.detail.as_deref()?.deletion_grace_period?;
        Some(pod.deletion_requested()? + self.gone_after(grace))
    }

    /// Whether the node's kubelet is there.
    pub fn is_up(&self, cluster: &Cluster, node: &str) -> bool {
        cluster.node(node).is_some_and(|node| !node.is_unready())
    }

    /// How long a pod with this grace period takes until its containers have ended.
    pub fn gone_after(&self, grace: Duration) -> Duration {
        let said = self.scenario.gone_after;
        said.unwrap_or(GONE_AFTER)
            .min(grace)
            .max(Duration::from_secs(1))
    }

    /// The kubelet takes this pod.
    pub fn start(&self, cluster: &mut Cluster, name: &Str) {
        let Some(pod) = cluster.pod(name).filter(|pod| !pod.gated).cloned() else {
            return;
        };
        let Some(node) = pod.node.and_then(|id| cluster.node_of(id)).cloned() else {
            return;
        };
        if node.is_unready() {
            return;
        }
        let ready = pod.created + self.ready_after(cluster, &node, &pod);
        let crashes =
            self.fails.contains(&node.name) && pod.labels.get(HASH_LABEL) == Some(&*self.target);
        if !crashes {
            return cluster.expect(ready, happening(&pod, What::Ready));
        }
        for (line, (after, _, _)) in CRASHES.iter().enumerate() {
            let at = ready + Duration::from_secs(*after);
            cluster.expect(at, happening(&pod, What::Crashes(line)));
        }
    }

    fn ready_after(&self, cluster: &Cluster, node: &Node, pod: &Pod) -> Duration {
        if let Some(said) = self.scenario.ready_after {
            return said.max(Duration::from_secs(1));
        }
        let order = cluster.daemon_set().control.as_deref();
        let group = group(order.and_then(|c| c.order.as_ref()), node);
        let known = self.durations.of_group(&group);
        let turn = pod.created.since(Time::default()).as_secs();
        let drawn = draw(self.scenario.seed, &node.name, turn);
        let at = usize::try_from(drawn % known.len() as u64).unwrap_or(0);
        known[at].max(Duration::from_secs(1))
    }

    /// Carries out what happens. Whether decisions may change by it.
    pub fn happen(&self, cluster: &mut Cluster, Happening { pod, uid, what }: Happening) -> bool {
        let now = cluster.now();
        match what {
            What::Joins(node) => cluster.put_node(*node),
            What::Gone => {
                // Decisions do not look at one that has ended and terminates.
                let was_seen = cluster.pod(&pod);
                let was_seen = was_seen.is_some_and(|pod| !pod.is_terminal_and_terminating());
                cluster.remove_pod(&pod, &uid);
                return was_seen;
            }
            What::Available => {
                cluster.change_pod(&pod, &uid, |_| ());
            }
            What::Ready => {
                let is_live = cluster.pod(&pod).is_some_and(Pod::is_live);
                let became = is_live
                    && cluster.change_pod(&pod, &uid, |pod| {
                        pod.readiness = Readiness::Since(now);
                        pod.detail = None;
                    });
                if let Some(pod) = cluster.pod(&pod).filter(|_| became).cloned() {
                    self.await_available(cluster, &pod);
                }
            }
            What::Crashes(line) => {
                let (_, runs, restarts) = CRASHES[line];
                if cluster.pod(&pod).is_some_and(Pod::is_live) {
                    let ready = runs && self.ready_at_once;
                    let container = &self.container;
                    cluster.change_pod(&pod, &uid, |pod| {
                        crash(pod, container, (ready, runs), restarts, now);
                    });
                }
            }
            What::Ended => {
                let there = cluster.change_pod(&pod, &uid, |pod| {
                    pod.phase = PodPhase::Succeeded;
                    pod.readiness = Readiness::NotReady;
                });
                if there {
                    let what = What::Gone;
                    cluster.expect(now + REMOVED_AFTER, Happening { pod, uid, what });
                }
            }
        }
        true
    }

    /// A pod that is ready becomes available later.
    fn await_available(&self, cluster: &mut Cluster, pod: &Pod) {
        let min_ready_seconds = cluster.daemon_set().min_ready_seconds;
        let at = pod.available_at(min_ready_seconds);
        if let Some(at) = at.filter(|at| *at > cluster.now()) {
            cluster.expect(at, happening(pod, What::Available));
        }
    }
}

fn happening(pod: &Pod, what: What) -> Happening {
    Happening {
        pod: pod.name.clone(),
        uid: pod.uid.clone(),
        what,
    }
}

/// Whether it is likely that the pod becomes ready: it is young, and nothing is said against it.
fn is_starting(pod: &Pod, now: Time) -> bool {
    let detail = pod.detail.as_deref();
    let hopeless = detail.is_some_and(|detail| {
        let mut waiting = detail.waiting.iter();
        let waits = waiting.any(|w| !matches!(&*w.reason, "ContainerCreating" | "PodInitializing"));
        waits || detail.unscheduled.is_some() || detail.restarts.is_some()
    });
    !hopeless && pod.created + PATIENCE > now
}

/// The container crashes, or runs again.
fn crash(pod: &mut Pod, container: &Str, (ready, runs): (bool, bool), restarts: u32, now: Time) {
    pod.readiness = match ready {
        true => Readiness::Since(now),
        false => Readiness::NotReady,
    };
    let unready = ConditionState {
        status: ConditionStatus::False,
        since: Some(now),
    };
    // The kubelet restarts it at once after the first exit, and waits after the second one.
    let waits = !runs && restarts > 0;
    let waiting = WaitingContainer {
        container: container.clone(),
        reason: "CrashLoopBackOff".into(),
        message: "".into(),
    };
    pod.detail = Some(Arc::new(PodDetail {
        unready: (!ready).then_some(unready),
        waiting: waits.then_some(waiting).into_iter().collect(),
        restarts: (restarts > 0).then_some(Restarts {
            container: container.clone(),
            count: restarts,
        }),
        ..PodDetail::default()
    }));
}

/// Whether a container of this template has a readiness probe. One that has none is ready as soon
/// as it runs.
fn has_readiness_probe(template: &str) -> bool {
    #[derive(Deserialize)]
    struct TemplateObject {
        spec: Option<Spec>,
    }
    #[derive(Deserialize)]
    struct Spec {
        #[serde(default)]
        containers: Vec<Container>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Container {
        readiness_probe: Option<serde::de::IgnoredAny>,
    }
    let template: Option<TemplateObject> = serde_json::from_str(template).ok();
    let spec = template.and_then(|template| template.spec);
    spec.is_some_and(|spec| spec.containers.iter().any(|c| c.readiness_probe.is_some()))
}
