//! A whole cluster in memory: the simulated API server, the actors around it, and DaemonSet
//! controllers.
//!
//! Everything runs on one thread and in tokio's time. With that time paused, the same seed and the
//! same calls lead to the same requests, byte for byte (`tests/requests/same_seed.rs`). The calls
//! that stand for people, [`Cluster::create`] and the others, are made by no client: they take no
//! time and are not in the log.

use crate::wire::Encoding;
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
use super::kubelets::{Detail, KubeletOptions, Kubelets, Linger, NodeSpec, completed};
use super::promises::{Check, Violation};
use crate::apply::client::fence::Fence;
use crate::model::Settings;
use crate::runtime::conflict::OnConflict;
use crate::runtime::lease::{LeaderElection, LeaseOptions, election::Timing};
use crate::runtime::monitor::Monitor;
use crate::runtime::run::{Connections, ControllerOptions, run};

/// The value of the label [`GROUP_LABEL`](super::kubelets::GROUP_LABEL) on all nodes of a cluster.
pub const KUBELETS: &str = "cluster";

/// The parts that run beside the DaemonSet controllers. Each has a client of its own in the log
/// ([`Part::name`]).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Binds pods to nodes.
    Scheduler,
    /// Run the pods of all nodes of the cluster.
    Kubelets,
    /// Deletes what a deleted object owned.
    GarbageCollector,
    /// Deletes pods of nodes that are gone.
    PodGarbageCollector,
    /// Taints nodes whose kubelet is silent. Kubelets renew leases only if this part ran when they
    /// were switched on.
    NodeLifecycle,
    /// Deletes pods that do not tolerate a NoExecute taint.
    TaintEviction,
    /// Empties namespaces that are terminating.
    NamespaceController,
}

impl Part {
    /// All parts, in an order in which they can be switched on.
    pub const ALL: [Part; 7] = [
        Part::NodeLifecycle,
        Part::Kubelets,
        Part::Scheduler,
        Part::GarbageCollector,
        Part::PodGarbageCollector,
        Part::TaintEviction,
        Part::NamespaceController,
    ];

    /// The name of its client in the log.
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

/// A part that runs. Dropping it stops it.
enum Going {
    Actor { _running: actor::Running },
    Kubelets { _running: Box<Kubelets> },
}

/// How often kubelets renew the leases of their nodes.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The most requests that a part has under way at once.
const IN_FLIGHT: usize = 16;
/// The most pods on a node.
const PODS_PER_NODE: u32 = 110;

/// The cluster. It begins without nodes, and with nothing running.
pub struct Cluster {
    /// The API server, for tests that read or change it directly.
    pub server: ApiServer,
    /// How many of a real kubelet's writes kubelets make that are switched on from now on.
    pub detail: Detail,
    /// How long a deleted pod stays after its end, with kubelets that are switched on from now on.
    pub linger: Linger,
    seed: u64,
    parts: BTreeMap<Part, Going>,
    nodes: u32,
    /// How many controllers were started so far; it is part of the seed of the next one.
    started: u64,
    /// How many requests of the log [`Cluster::next`] has looked at.
    seen: usize,
    /// The settings of the controller that was started last.
    settings: Settings,
}

impl Cluster {
    /// A cluster whose names, UIDs, jitter and lengths of watches follow from this seed.
    pub fn new(seed: u64) -> Cluster {
        Cluster {
            server: ApiServer::new(api::ServerOptions {
                seed,
                ..api::ServerOptions::default()
            }),
            detail: Detail::default(),
            linger: Linger::default(),
            seed,
            parts: BTreeMap::new(),
            nodes: 0,
            started: 0,
            seen: 0,
            settings: Settings::default(),
        }
    }

    /// Switches a part on or off. A part that is switched off stops as a process that is killed:
    /// nothing is cleaned up.
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
                    detail: self.detail,
                    linger: self.linger,
                    seed: self.seed,
                    ..KubeletOptions::new(KUBELETS)
                };
                let running = Kubelets::start(client, options);
                return Going::Kubelets {
                    _running: Box::new(running),
                };
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

    /// Starts a DaemonSet controller with the usual options, under this client name.
    pub fn controller(&mut self, name: &str) -> Controller {
        self.controller_with(name, Self::options())
    }

    /// Starts a replica of a DaemonSet controller that works only while it holds the Lease
    /// `kube-system/daemonset-controller`. Its client and its identity have this name.
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
            rollout_defaults: None,
            leader_election: None,
            on_conflict: OnConflict::StandBy,
            encoding: Encoding::Protobuf,
            seed: 0,
        }
    }

    /// Starts a DaemonSet controller. Every start has a seed of its own for the jitter; the seed of
    /// the options is added to it.
    pub fn controller_with(&mut self, name: &str, mut options: ControllerOptions) -> Controller {
        self.started += 1;
        self.settings = options.settings;
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

    /// Registers a node that is ready, for the cluster's kubelets. Panics if the API server refuses
    /// it.
    pub fn add_node(&mut self, spec: &NodeSpec) -> Value {
        let now = format!("{:.0}", self.server.now());
        let made = self.register(spec.object(KUBELETS, self.nodes, PODS_PER_NODE, &now));
        made.unwrap_or_else(|why| panic!("node {}: {why}", spec.name))
    }

    /// Registers a node of this object, for the cluster's kubelets. What its status lacks is that
    /// of a healthy node.
    pub fn register(&mut self, node: Value) -> Result<Value, ApiStatus> {
        let now = format!("{:.0}", self.server.now());
        let node = completed(node, KUBELETS, self.nodes, PODS_PER_NODE, &now);
        self.nodes += 1;
        self.server.perform("POST", &NODES.path(""), &node)
    }

    /// Registers this many nodes: `n0`, `n1`, …
    pub fn add_nodes(&mut self, count: usize) {
        for n in 0..count {
            self.add_node(&NodeSpec::new(format!("n{n}")));
        }
    }

    /// Creates an object as a person would. Returns the API server's answer.
    pub fn create(&self, resource: &Resource, object: &Value) -> Result<Value, ApiStatus> {
        let namespace = namespace_of(resource, object);
        self.server
            .perform("POST", &resource.path(namespace), object)
    }

    /// Creates a DaemonSet, or gives the DaemonSet of this name this spec, labels and annotations.
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

    /// Changes an object by a JSON merge patch, as a person would.
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

    /// Deletes an object, as a person would. `options` are the request's `DeleteOptions`, or null.
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

    /// Lets time pass until the next request that is neither a watch nor the renewal of a lease.
    /// None if no such request comes within the horizon, which has passed then.
    pub async fn next(&mut self, horizon: Duration) -> Option<Entry> {
        let wanted = |entry: &Entry| !entry.is_upkeep();
        let next = self.server.next_request(self.seen, horizon, wanted).await;
        self.seen = match &next {
            Some(entry) => entry.number + 1,
            None => self.server.requests_so_far(),
        };
        next
    }

    /// Lets time pass until no client has sent a request for `quiet`; false if that takes longer
    /// than `patience`.
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

    /// The promises that were broken so far. `controllers` are the names of the clients that are
    /// DaemonSet controllers.
    pub fn violations(&self, controllers: &[&str]) -> Vec<Violation> {
        self.check(controllers, |check| check.history())
    }

    /// As [`Cluster::violations`], and whatever is not in its desired state although all faults
    /// have ended. No controller may have written anything in the last `quiet`.
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
                settings: self.settings,
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

/// A running DaemonSet controller. Dropping it kills it.
pub struct Controller {
    /// Its metrics and health, as its endpoints serve them.
    pub monitor: std::sync::Arc<Monitor>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Controller {
    /// Asks it to stop, waits until it has stopped, and returns how long that took. Panics if it
    /// takes over a minute.
    pub async fn stop(mut self) -> Duration {
        let begun = Instant::now();
        self.stop.send_replace(true);
        let ended = timeout(Duration::from_secs(60), &mut self.task).await;
        ended.expect("it stops").expect("no panic");
        begun.elapsed()
    }

    /// Ends it as `kill -9` does: requests under way may or may not be carried out, and nobody
    /// reads their answers.
    pub fn kill(self) {}

    /// Whether it still runs; a controller that panicked does not.
    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.task.abort();
    }
}
