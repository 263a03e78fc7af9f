//! A whole cluster in memory: the simulated API server, the actors around it, and DaemonSet controllers.
//!
//! Everything runs on one thread and in tokio's time. With that time paused, the same seed and the same calls lead
//! to the same requests, byte for byte (`tests/requests/same_seed.rs`). Who asks for objects by [`Cluster::create`] and its
//! like is nobody's client: it costs no time and is not in the log.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::actors::{
    actor, garbage, namespace, node_lifecycle, pod_garbage, scheduler, taint_eviction,
};
use super::api::resource::{DAEMON_SETS, NODES};
use super::api::{self, ApiServer, ApiStatus, Entry, Resource};
use super::kubelets::{KubeletOptions, Kubelets, NodeSpec};
use super::promises::{Check, Violation};
use crate::apply::client::fence::Fence;
use crate::model::Settings;
use crate::runtime::conflict::OnConflict;
use crate::runtime::lease::{LeaderElection, LeaseOptions, election::Timing};
use crate::runtime::monitor::Monitor;
use crate::runtime::run::{Connections, ControllerOptions, run};

/// The group of the nodes that the cluster's kubelets serve.
pub const KUBELETS: &str = "cluster";

/// What runs beside the DaemonSet controllers. The names are those of their clients in the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Binds pods.
    Scheduler,
    /// Run pods, on all nodes of the cluster.
    Kubelets,
    /// Deletes what a deleted object owned.
    GarbageCollector,
    /// Deletes pods of nodes that are gone.
    PodGarbageCollector,
    /// Taints nodes whose kubelet is silent. Kubelets renew leases only where it ran before they were switched on.
    NodeLifecycle,
    /// Deletes pods that do not tolerate a NoExecute taint.
    TaintEviction,
    /// Empties namespaces that are being deleted.
    NamespaceController,
}

impl Part {
    /// All of them, in an order in which they may be switched on.
    pub const ALL: [Part; 7] = [
        Part::NodeLifecycle,
        Part::Kubelets,
        Part::Scheduler,
        Part::GarbageCollector,
        Part::PodGarbageCollector,
        Part::TaintEviction,
        Part::NamespaceController,
    ];

    /// The name of its client.
    pub fn name(self) -> &'static str {
        match self {
            Part::Scheduler => "scheduler",
            Part::Kubelets => "kubelets",
            Part::GarbageCollector => "garbage-collector",
            Part::PodGarbageCollector => "pod-garbage-collector",
            Part::NodeLifecycle => "node-lifecycle",
            Part::TaintEviction => "taint-eviction",
            Part::NamespaceController => "namespace-controller",
        }
    }
}

/// A part that runs; dropped, it stops.
enum Going {
    Actor { _running: actor::Running },
    Kubelets { _running: Kubelets },
}

/// How often kubelets say that they live, where somebody listens.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Requests that a part has under way at once.
const IN_FLIGHT: usize = 16;
/// Room for pods on a node.
const PODS_PER_NODE: u32 = 110;

/// The cluster. It begins without nodes, and with nothing running.
pub struct Cluster {
    /// The API server.
    pub server: ApiServer,
    seed: u64,
    parts: BTreeMap<Part, Going>,
    nodes: u32,
    /// Controllers started so far.
    started: u64,
    /// Requests that [`Cluster::next`] has gone past.
    seen: usize,
}

impl Cluster {
    /// A cluster whose names, UIDs, jitter and lengths of watches follow from this seed.
    pub fn new(seed: u64) -> Cluster {
        Cluster {
            server: ApiServer::new(api::ServerOptions {
                seed,
                ..api::ServerOptions::default()
            }),
            seed,
            parts: BTreeMap::new(),
            nodes: 0,
            started: 0,
            seen: 0,
        }
    }

    /// Switches a part on or off. One that is switched off leaves everything as it is, as a process that dies.
    pub fn switch(&mut self, part: Part, on: bool) {
        if !on {
            self.parts.remove(&part);
        } else if !self.parts.contains_key(&part) {
            let going = self.start(part);
            self.parts.insert(part, going);
        }
    }

    /// Switches parts on.
    pub fn with(mut self, parts: &[Part]) -> Cluster {
        parts.iter().for_each(|part| self.switch(*part, true));
        self
    }

    fn start(&self, part: Part) -> Going {
        let client = self.server.client(part.name());
        let options = actor::ActorOptions {
            in_flight: IN_FLIGHT,
            clock: self.server.clock(),
        };
        let running = match part {
            Part::Kubelets => {
                let listens = self.parts.contains_key(&Part::NodeLifecycle);
                let options = KubeletOptions {
                    heartbeat: listens.then_some(HEARTBEAT),
                    clock: self.server.clock(),
                    ..KubeletOptions::new(KUBELETS)
                };
                let running = Kubelets::start(client, options);
                return Going::Kubelets { _running: running };
            }
            Part::Scheduler => scheduler::start(client, options),
            Part::GarbageCollector => garbage::start(client, options),
            Part::PodGarbageCollector => pod_garbage::start(client, options),
            Part::TaintEviction => taint_eviction::start(client, options),
            Part::NamespaceController => namespace::start(client, options),
            Part::NodeLifecycle => {
                node_lifecycle::start(client, node_lifecycle::NodeLifecycleOptions::new(options))
            }
        };
        Going::Actor { _running: running }
    }

    /// Starts a DaemonSet controller with the usual options; its client has this name.
    pub fn controller(&mut self, name: &str) -> Controller {
        self.controller_with(name, Self::options())
    }

    /// Starts a replica of a DaemonSet controller that works only while it leads, by the Lease
    /// `kube-system/daemonset-controller`; its client and its identity have this name.
    pub fn replica(&mut self, name: &str) -> Controller {
        let clock = self.server.clock();
        let election = LeaderElection {
            options: LeaseOptions {
                namespace: "kube-system".to_owned(),
                name: "daemonset-controller".to_owned(),
                identity: name.to_owned(),
                timing: Timing::default(),
            },
            fence: Fence::new(std::sync::Arc::new(move || clock().into())),
        };
        let options = ControllerOptions {
            leader_election: Some(election),
            ..Self::options()
        };
        self.controller_with(name, options)
    }

    /// The usual options of a controller.
    pub fn options() -> ControllerOptions {
        ControllerOptions {
            namespace: None,
            concurrent_syncs: 2,
            burst: 250,
            max_in_flight: 32,
            settings: Settings::default(),
            leader_election: None,
            on_conflict: OnConflict::StandBy,
            seed: 0,
        }
    }

    /// Starts a DaemonSet controller. The seed of its jitter is added to one that every start has of its own.
    pub fn controller_with(&mut self, name: &str, mut options: ControllerOptions) -> Controller {
        self.started += 1;
        let own = self.seed.wrapping_mul(1_000) + self.started * 10;
        options.seed = options.seed.wrapping_add(own);
        let writes = match &options.leader_election {
            Some(election) => self.server.fenced_client(name, &election.fence),
            None => self.server.client(name),
        };
        let connections = Connections {
            watches: self.server.client(name),
            writes,
            lease: self.server.client(name),
            server: "https://simulated:6443".into(),
        };
        let (stop, stopped) = watch::channel(false);
        let clock = self.server.clock();
        let clock = std::sync::Arc::new(move || clock().into());
        let monitor = Monitor::new();
        let task = tokio::spawn(run(connections, options, clock, monitor.clone(), stopped));
        Controller {
            monitor,
            stop,
            task,
        }
    }

    /// Registers a node that is ready, for the cluster's kubelets. Panics where the API server refuses it.
    pub fn add_node(&mut self, spec: &NodeSpec) -> Value {
        let now = format!("{:.0}", self.server.now());
        let node = spec.object(KUBELETS, self.nodes, PODS_PER_NODE, &now);
        self.nodes += 1;
        let made = self.server.perform("POST", &NODES.path(""), &node);
        made.unwrap_or_else(|why| panic!("node {}: {why}", spec.name))
    }

    /// Registers so many nodes: `n0`, `n1`, …
    pub fn add_nodes(&mut self, count: usize) {
        for n in 0..count {
            self.add_node(&NodeSpec::new(format!("n{n}")));
        }
    }

    /// Somebody creates an object; as the API server answers.
    pub fn create(&self, resource: &Resource, object: &Value) -> Result<Value, ApiStatus> {
        let namespace = namespace_of(resource, object);
        self.server
            .perform("POST", &resource.path(namespace), object)
    }

    /// Somebody creates a DaemonSet, or gives the one of this name this spec, labels and annotations.
    pub fn apply(&self, daemon_set: &Value) -> Result<Value, ApiStatus> {
        let namespace = namespace_of(&DAEMON_SETS, daemon_set);
        let name = daemon_set["metadata"]["name"].as_str().unwrap_or("");
        let Some(mut now) = self.server.get(&DAEMON_SETS, namespace, name) else {
            return self.create(&DAEMON_SETS, daemon_set);
        };
        now["spec"] = daemon_set["spec"].clone();
        for part in ["labels", "annotations"] {
            now["metadata"][part] = daemon_set["metadata"][part].clone();
        }
        let path = format!("{}/{name}", DAEMON_SETS.path(namespace));
        self.server.perform("PUT", &path, &now)
    }

    /// Somebody changes an object, by a JSON merge patch.
    pub fn patch(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Value, ApiStatus> {
        let path = format!("{}/{name}", resource.path(namespace));
        self.server.perform("PATCH", &path, patch)
    }

    /// Somebody deletes an object; `options` are the request's `DeleteOptions`, or null.
    pub fn delete(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
        options: &Value,
    ) -> Result<Value, ApiStatus> {
        let path = format!("{}/{name}", resource.path(namespace));
        self.server.perform("DELETE", &path, options)
    }

    /// Steps to the next request that is no watch and no lease's renewal. None where none comes within the horizon;
    /// then so much time has passed.
    pub async fn next(&mut self, horizon: Duration) -> Option<Entry> {
        let wanted = |entry: &Entry| !entry.is_upkeep();
        let next = self.server.next_request(self.seen, horizon, wanted).await;
        self.seen = match &next {
            Some(entry) => entry.number + 1,
            None => self.server.requests_so_far(),
        };
        next
    }

    /// Lets time pass until nobody has asked for anything for `quiet`; false where that takes longer than `patience`.
    pub async fn rest(&mut self, quiet: Duration, patience: Duration) -> bool {
        let begun = Instant::now();
        self.seen = self.server.requests_so_far();
        while self.next(quiet).await.is_some() {
            if begun.elapsed() > patience {
                return false;
            }
        }
        true
    }

    /// What broke a promise so far. `controllers` are the clients that are DaemonSet controllers.
    pub fn violations(&self, controllers: &[&str]) -> Vec<Violation> {
        self.check(controllers, |check| check.history())
    }

    /// As [`Cluster::violations`], and what there is that is not as it should be once nothing goes wrong any more.
    /// No controller may have written anything in the last `quiet`.
    pub fn unsettled(&self, controllers: &[&str], quiet: Duration) -> Vec<Violation> {
        let (now, elapsed) = (self.server.now(), self.server.elapsed());
        let since = elapsed.saturating_sub(quiet);
        self.check(controllers, |check| check.settled(now, since))
    }

    fn check(
        &self,
        controllers: &[&str],
        f: impl FnOnce(&Check<'_>) -> Vec<Violation>,
    ) -> Vec<Violation> {
        let epoch = self.server.epoch();
        self.server.with(|state| {
            f(&Check {
                store: &state.core.store,
                log: &state.log,
                controllers,
                deliveries: &state.deliveries,
                epoch,
            })
        })
    }
}

fn namespace_of<'a>(resource: &Resource, object: &'a Value) -> &'a str {
    match object["metadata"]["namespace"].as_str() {
        _ if !resource.namespaced => "",
        Some(namespace) => namespace,
        None => "default",
    }
}

/// A running DaemonSet controller. Dropped, it is killed.
pub struct Controller {
    /// What it says of itself.
    pub monitor: std::sync::Arc<Monitor>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Controller {
    /// Asks it to stop, waits until it has, and says how long that took. Panics where it takes over a minute.
    pub async fn stop(mut self) -> Duration {
        let begun = Instant::now();
        self.stop.send_replace(true);
        let ended = timeout(Duration::from_secs(60), &mut self.task).await;
        ended.expect("it stops").expect("no panic");
        begun.elapsed()
    }

    /// Ends it as `kill -9` does: what is under way may or may not be done, and nobody will read the answer.
    pub fn kill(self) {}

    /// Whether it still runs; one that panicked does not.
    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.task.abort();
    }
}
