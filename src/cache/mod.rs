//! The cache of the cluster, our own writes included, and which DaemonSets a change concerns.
//!
//! Without IO: the caller feeds in lists, watches and the answers to our writes, takes snapshots,
//! and asks for dirty DaemonSets. Feeding the same state twice, or late, does nothing.

mod appeared;
mod by_namespace;
mod defaults;
mod dirty;
mod feed;
mod ledger;
mod listed;
mod node_back;
mod outcomes;
mod pod_reads;
mod pods;
mod revisions;
mod settle;
mod short_lived;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use appeared::AppearedPod;
pub use feed::Row;
pub use ledger::Ticket;

use crate::{
    model::{
        Backoff, Controller, DaemonSet, Denial, FeatureGates, GonePods, Interner, Key, Kind, Node,
        NodeHealth, Nodes, Pod, Refusals, Revision, RolloutDefaults, Settings, Snapshot, Str,
        Tenure, Time, Uid, UnsettledCreates, Verdicts, Version,
    },
    plan::eligibility::Eligibility,
};

use appeared::AppearedPods;
use by_namespace::ByNamespace;
use defaults::eligibility;
use dirty::matches;
use ledger::{Ledger, Requests};
use pods::Pods;
use revisions::Placed;
use short_lived::YoungPods;

/// A DaemonSet and what is remembered for its plans.
#[derive(Clone, Debug)]
struct Entry {
    daemon_set: DaemonSet,
    eligibility: Eligibility,
    /// Node to verdict, for the current template.
    verdicts: Verdicts,
    /// Its last pods on nodes that have none now.
    gone_pods: GonePods,
    /// Whether the last create of one of its pods was denied.
    creates_denied: Option<Denial>,
    /// Its pods whose eviction was refused.
    evictions_refused: Refusals,
    /// Creates of its pods whose outcome is not known.
    unsettled: UnsettledCreates,
    /// UID of a revision to its template and verdicts; empty without rollout control.
    placed: BTreeMap<Uid, Placed>,
    /// Whether its pods have been read consistently since it is known (see
    /// [`Cache::needs_pod_read`]).
    pods_read: bool,
    /// When the last such read began that was completed.
    pods_read_at: Option<Time>,
}

/// The state of the cluster, as far as it has been fed in.
#[derive(Clone, Default, Debug)]
pub struct Cache {
    interner: Interner,
    settings: Settings,
    rollout_defaults: RolloutDefaults,
    nodes: Nodes,
    pods: Pods,
    /// Namespace and name to DaemonSet.
    daemon_sets: HashMap<Key, Entry>,
    /// UID of a DaemonSet to its namespace and name.
    by_uid: HashMap<Uid, Key>,
    revisions: ByNamespace<Revision>,
    /// Kind and namespace of objects of which not even the name could be read, until the next list
    /// of their kind.
    nameless: BTreeSet<(Kind, Option<Str>)>,
    ledgers: [Ledger; 4],
    requests: Requests,
    backoff: Backoff,
    appeared: AppearedPods,
    young: YoungPods,
    dirty: BTreeSet<Key>,
    tenure: Tenure,
    /// Since when no watch tells of pods; None while one does.
    pods_unwatched: Option<Time>,
    now: Time,
}

impl Cache {
    /// An empty cache. `gates` decide on eligibility.
    pub fn new(gates: FeatureGates) -> Cache {
        Cache::with(Settings {
            gates,
            ..Settings::default()
        })
    }

    /// An empty cache, which also knows what else the operator wants to be woken for.
    pub fn with(settings: Settings) -> Cache {
        Cache {
            settings,
            ..Cache::default()
        }
    }

    /// Sets the time at which everything that follows is fed in.
    pub fn tick(&mut self, now: Time) {
        self.now = now;
    }

    /// Whether every kind is synced: it has been listed once.
    pub fn is_synced(&self) -> bool {
        Kind::ALL.into_iter().all(|k| self.is_kind_synced(k))
    }

    /// Whether this kind is synced: it has been listed once.
    pub fn is_kind_synced(&self, kind: Kind) -> bool {
        self.ledgers[kind as usize].is_synced()
    }

    /// The DaemonSets that changes since the last call concern, sorted. Empty before the cache is
    /// synced.
    pub fn take_dirty(&mut self) -> BTreeSet<Key> {
        if !self.is_synced() {
            return BTreeSet::new();
        }
        std::mem::take(&mut self.dirty)
    }

    /// A request begins whose answer will be fed in. Call [`Cache::request_ended`] with the ticket
    /// afterwards.
    pub fn request_began(&mut self) -> Ticket {
        self.requests.begin()
    }

    /// The answer of the request, if any, has been fed in.
    pub fn request_ended(&mut self, ticket: Ticket) {
        self.requests.end(ticket);
        for ledger in &mut self.ledgers {
            ledger.sweep(&self.requests);
        }
    }

    /// All DaemonSets, sorted by namespace and name.
    pub fn daemon_sets(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.daemon_sets.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// The DaemonSet of this namespace and name.
    pub fn daemon_set(&self, key: &Key) -> Option<&DaemonSet> {
        self.daemon_sets.get(key).map(|e| &e.daemon_set)
    }

    /// The pod of this namespace and name. Only pods that may concern a DaemonSet are kept.
    pub fn pod(&self, key: &Key) -> Option<&Pod> {
        self.pods.get(key)
    }

    /// The ControllerRevision of this namespace and name.
    pub fn revision(&self, key: &Key) -> Option<&Revision> {
        self.revisions.get(key)
    }

    /// Whether the DaemonSet has a pod on this node, or pinned to it, that is not among `seen`. A
    /// pod that is terminal and terminating does not count.
    pub fn has_other_pod(&self, key: &Key, node: &str, seen: &[Uid]) -> bool {
        let (Some(ds), Some(id)) = (self.daemon_set(key), self.nodes.id(node)) else {
            return false;
        };
        let here = self.pods.on(id).map(|(_, pod)| pod);
        here.filter(|p| p.controller.is(&ds.uid) && !p.is_terminal_and_terminating())
            .any(|p| !seen.contains(&p.uid))
    }

    /// The nodes, and those that pods are pinned to.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The number of pods that are kept.
    pub fn pods(&self) -> usize {
        self.pods.len()
    }

    /// Lends a snapshot of one DaemonSet to `f`; None when there is no such DaemonSet.
    pub fn snapshot<R>(
        &mut self,
        key: &Key,
        settings: Settings,
        f: impl FnOnce(&Snapshot<'_>) -> R,
    ) -> Option<R> {
        let entry = self.daemon_sets.get_mut(key)?;
        entry.eligibility.refresh(&mut entry.verdicts, &self.nodes);
        self.place_revisions(key);
        let entry = &self.daemon_sets[key];
        let uid = &entry.daemon_set.uid;
        let pods = self.pods.around(uid, &key.namespace);
        let blind = self.nameless.iter().find(|(kind, namespace)| {
            let namespaced = *kind != Kind::Node && *kind != Kind::DaemonSet;
            *kind == Kind::Node
                || namespaced && namespace.as_ref().is_none_or(|n| *n == key.namespace)
        });
        let blind = blind.map(|(kind, _)| *kind);
        let revisions = self.revisions.of_namespace(&key.namespace);
        let revisions = revisions
            .filter(|r| r.controller.is(uid) || !matches!(r.controller, Controller::Uid(_)))
            .collect();
        let named = |name: &str| Key {
            namespace: key.namespace.clone(),
            name: name.into(),
        };
        let snapshot = Snapshot {
            daemon_set: &entry.daemon_set,
            blind,
            nodes: &self.nodes,
            pods,
            revisions,
            gone_pods: &entry.gone_pods,
            find_pod: &|name| self.pods.get(&named(name)),
            revision_exists: &|name| self.revisions.get(&named(name)).is_some(),
            verdicts: &entry.verdicts,
            placed: entry
                .placed
                .iter()
                .map(|(uid, placed)| placed.lend(uid))
                .collect(),
            backoff: &self.backoff,
            creates_denied: entry.creates_denied.as_ref(),
            evictions_refused: &entry.evictions_refused,
            unsettled: &entry.unsettled,
            tenure: self.tenure,
            pods_as_of: self.pods_as_of(key),
            settings,
        };
        Some(f(&snapshot))
    }

    /// The pods that are the DaemonSet's, or that it may adopt, whose delete is in flight or has an
    /// outcome that is not known.
    pub fn pending_deletes(&self, key: &Key) -> Vec<(Key, Uid)> {
        let Some(ds) = self.daemon_set(key) else {
            return Vec::new();
        };
        let pending = self.pods.pending(&key.namespace, &ds.uid);
        let pending =
            pending.filter(|(_, pod)| pod.controller.is(&ds.uid) || matches(ds, &pod.labels));
        pending
            .map(|(key, pod)| (key.clone(), pod.uid.clone()))
            .collect()
    }

    /// The delete was not carried out. Nothing becomes dirty, because everything is as it was: else
    /// a delete that is denied would be planned again at once, for ever. The sync that sent it
    /// plans again, after a backoff.
    pub fn delete_settled(&mut self, key: &Key, uid: &Uid) {
        self.pods.delete_settled(key, uid);
    }

    /// Forgets what nothing needs any more; to be called at intervals.
    pub fn sweep(&mut self, now: Time) {
        self.backoff.sweep(now);
        self.young.grow_up(now);
        self.interner.sweep();
        for ledger in &mut self.ledgers {
            ledger.sweep(&self.requests);
        }
    }

    fn known(&self, kind: Kind, key: &Key) -> Option<(Uid, Version)> {
        match kind {
            Kind::DaemonSet => self
                .daemon_sets
                .get(key)
                .map(|e| (e.daemon_set.uid.clone(), e.daemon_set.version)),
            Kind::Node => self
                .nodes
                .by_name(&key.name)
                .map(|(_, n)| (n.uid.clone(), n.version)),
            Kind::Pod => self.pods.get(key).map(|p| (p.uid.clone(), p.version)),
            Kind::Revision => self.revisions.get(key).map(|r| (r.uid.clone(), r.version)),
        }
    }

    /// Whether the cache has this state of the object, or a newer one.
    fn is_known(&self, kind: Kind, key: &Key, uid: &Uid, version: Version) -> bool {
        version != Version::default()
            && self
                .known(kind, key)
                .is_some_and(|(known, had)| known == *uid && version <= had)
    }

    fn put_daemon_set(&mut self, key: Key, mut daemon_set: DaemonSet) {
        self.apply_defaults(&mut daemon_set);
        // The first list of pods holds the pods of a DaemonSet that was there before that list
        // began.
        let read_at_start = !self.ledgers[Kind::Pod as usize].has_begun();
        match self.daemon_sets.get_mut(&key) {
            Some(entry) if entry.daemon_set.uid == daemon_set.uid => {
                let mut same = daemon_set.clone();
                same.version = entry.daemon_set.version;
                if same != entry.daemon_set {
                    self.dirty.insert(key.clone());
                }
                if *entry.eligibility.template() != daemon_set.template {
                    entry.eligibility = eligibility(&daemon_set, self.settings.gates);
                    entry.verdicts = Verdicts::default();
                }
                entry.daemon_set = daemon_set;
            }
            other => {
                if let Some(old) = other {
                    let old = old.daemon_set.uid.clone();
                    self.by_uid.remove(&old);
                    self.backoff.forget(&old);
                }
                self.by_uid.insert(daemon_set.uid.clone(), key.clone());
                self.dirty.insert(key.clone());
                let entry = Entry {
                    eligibility: eligibility(&daemon_set, self.settings.gates),
                    verdicts: Verdicts::default(),
                    gone_pods: GonePods::default(),
                    creates_denied: None,
                    evictions_refused: Refusals::default(),
                    unsettled: UnsettledCreates::default(),
                    placed: BTreeMap::new(),
                    pods_read: read_at_start,
                    pods_read_at: None,
                    daemon_set,
                };
                self.daemon_sets.insert(key, entry);
            }
        }
    }

    fn put_node(&mut self, node: Node) {
        let name = node.name.clone();
        let known = self.nodes.by_name(&name).map(|(_, n)| n);
        let is_back = known.is_some_and(|known| node_back::is_back(known, &node));
        let health = known.map(Node::health).unwrap_or_default();
        let signs = known.map(|known| known.leaving_signs(self.settings));
        let before = self.verdicts_on(known);
        if health != node.health() {
            self.mark_bad_nodes();
        }
        if signs.is_some_and(|signs| signs != node.leaving_signs(self.settings)) {
            self.mark_leaving(&node);
        }
        let changed = self.nodes.put(node);
        if is_back {
            self.node_is_back(&name);
        }
        if !changed {
            return;
        }
        let (id, node) = self.nodes.by_name(&name).expect("just put");
        let after = self.verdicts_on(Some(node));
        self.mark_node(id, &before, &after);
    }

    fn remove_node(&mut self, name: &str) {
        let Some((id, node)) = self.nodes.by_name(name) else {
            return;
        };
        let before = self.verdicts_on(Some(node));
        if node.health() != NodeHealth::default() {
            self.mark_bad_nodes();
        }
        self.mark_node(id, &before, &HashMap::new());
        self.nodes.remove(name);
        for entry in self.daemon_sets.values_mut() {
            entry.gone_pods.forget(name);
            entry.unsettled.forget(name);
        }
    }

    /// The DaemonSet that controls an object.
    fn owner(&mut self, controller: &Controller) -> Option<&mut Entry> {
        let Controller::Uid(uid) = controller else {
            return None;
        };
        self.daemon_sets.get_mut(self.by_uid.get(uid)?)
    }

    fn put_pod(&mut self, key: Key, mut pod: Pod, node: Option<&str>) {
        pod.node = node.map(|n| self.nodes.point(n));
        self.share_owner(&mut pod);
        let new = pod.clone();
        let old = self.pods.put(key.clone(), pod);
        self.note_pod(&new, false);
        if let Some(old) = &old {
            self.note_lifetime(old, Some(&new));
            if let Some(id) = old.node {
                self.nodes.unpoint(id);
            }
            let mut same = new.clone();
            // What only explains concerns nobody but a condition.
            (same.version, same.detail) = (old.version, old.detail.clone());
            same.terminating |= self.pods.get(&key).is_some_and(|p| p.terminating);
            let waits = new.is_unschedulable() != old.is_unschedulable();
            let waits = waits && self.minds_bad_nodes(&new.controller);
            let shut_down = self.settings.suppress_on_leaving_nodes
                && new.failed_by_node_shutdown() != old.failed_by_node_shutdown();
            if same == *old && !waits && !shut_down {
                self.mark_told(old, &new);
                return;
            }
            if old.controller != new.controller || old.labels != new.labels {
                self.mark_owner(&key, &old.controller, &old.labels);
            }
        }
        self.mark_owner(&key, &new.controller, &new.labels);
    }

    /// All pods of a DaemonSet share the text of its UID.
    fn share_owner(&self, pod: &mut Pod) {
        if let Controller::Uid(uid) = &mut pod.controller
            && let Some((shared, _)) = self.by_uid.get_key_value(uid)
        {
            *uid = shared.clone();
        }
    }

    /// Remembers a pod for the name of the next one on its node: that it is gone, or that it is
    /// there.
    fn note_pod(&mut self, pod: &Pod, gone: bool) {
        let now = self.now;
        let Some(node) = pod.node.map(|id| self.nodes.name(id).clone()) else {
            return;
        };
        let Some(entry) = self.owner(&pod.controller) else {
            return;
        };
        if !gone {
            entry.gone_pods.seen(&node, pod);
        } else if matches(&entry.daemon_set, &pod.labels) {
            entry.gone_pods.gone(&node, pod, now);
        }
    }

    fn remove(&mut self, kind: Kind, key: &Key) {
        match kind {
            Kind::DaemonSet => {
                if let Some(entry) = self.daemon_sets.remove(key) {
                    self.by_uid.remove(&entry.daemon_set.uid);
                    self.backoff.forget(&entry.daemon_set.uid);
                    self.dirty.insert(key.clone());
                }
            }
            Kind::Node => self.remove_node(&key.name),
            Kind::Pod => {
                if let Some(pod) = self.pods.remove(key) {
                    self.note_pod(&pod, true);
                    self.note_lifetime(&pod, None);
                    if let Some(id) = pod.node {
                        self.nodes.unpoint(id);
                    }
                    self.mark_owner(key, &pod.controller, &pod.labels);
                }
            }
            Kind::Revision => {
                if let Some(revision) = self.revisions.remove(key) {
                    self.mark_owner(key, &revision.controller, &revision.labels);
                }
            }
        }
    }
}
