//! What is known of the cluster, own writes included, and which DaemonSets a change concerns.
//!
//! Sans IO: lists, watches and the answers to our own writes are fed in from outside, snapshots are
//! taken, dirty DaemonSets are asked for. Feeding the same thing twice, or late, does nothing.

mod appeared;
mod feed;
mod ledger;
mod pod_reads;
mod pods;

use std::collections::{BTreeSet, HashMap};

pub use appeared::AppearedPod;
pub use ledger::Ticket;

use crate::{
    model::{
        Backoff, BackoffChange, Controller, DaemonSet, FeatureGates, GonePods, Interner, Key, Kind,
        Labels, Node, NodeId, Nodes, Pod, Revision, Settings, Snapshot, Str, Time, Uid, Verdict,
        Verdicts, Version,
    },
    plan::eligibility::Eligibility,
};

use appeared::AppearedPods;
use ledger::{Ledger, Requests};
use pods::Pods;

/// A DaemonSet and what is remembered for its plans.
#[derive(Debug)]
struct Entry {
    daemon_set: DaemonSet,
    eligibility: Eligibility,
    /// Node to verdict, for this template.
    verdicts: Verdicts,
    /// Its pods that were last on nodes that have none now.
    gone_pods: GonePods,
    /// Its pods have been read consistently since it is known (see [`Cache::needs_pod_read`]).
    pods_read: bool,
}

/// The cache.
#[derive(Default, Debug)]
pub struct Cache {
    interner: Interner,
    gates: FeatureGates,
    nodes: Nodes,
    pods: Pods,
    /// Namespace and name to DaemonSet.
    daemon_sets: HashMap<Key, Entry>,
    /// UID to namespace and name.
    by_uid: HashMap<Uid, Key>,
    /// Namespace and name to revision.
    revisions: HashMap<Key, Revision>,
    /// Kind and namespace of objects of which not even the name could be read, until the next list of their kind.
    nameless: BTreeSet<(Kind, Option<Str>)>,
    ledgers: [Ledger; 4],
    requests: Requests,
    backoff: Backoff,
    appeared: AppearedPods,
    dirty: BTreeSet<Key>,
    now: Time,
}

impl Cache {
    /// An empty cache.
    pub fn new(gates: FeatureGates) -> Cache {
        Cache {
            gates,
            ..Cache::default()
        }
    }

    /// What time it is, for all that is fed in from now on.
    pub fn tick(&mut self, now: Time) {
        self.now = now;
    }

    /// Whether every kind has been listed once.
    pub fn is_synced(&self) -> bool {
        Kind::ALL.into_iter().all(|k| self.is_kind_synced(k))
    }

    /// Whether this kind has been listed once.
    pub fn is_kind_synced(&self, kind: Kind) -> bool {
        self.ledgers[kind as usize].is_synced()
    }

    /// The DaemonSets that changes since the last call concern, sorted. Nothing before the cache is synced.
    pub fn take_dirty(&mut self) -> BTreeSet<Key> {
        if !self.is_synced() {
            return BTreeSet::new();
        }
        std::mem::take(&mut self.dirty)
    }

    /// A request begins whose answer will be fed in; hand the ticket to [`Cache::request_ended`] afterwards.
    pub fn request_began(&mut self) -> Ticket {
        self.requests.begin()
    }

    /// The request's answer, if any, has been fed in.
    pub fn request_ended(&mut self, ticket: Ticket) {
        self.requests.end(ticket);
        for ledger in &mut self.ledgers {
            ledger.sweep(&self.requests);
        }
    }

    /// All DaemonSets, sorted.
    pub fn daemon_sets(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.daemon_sets.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// A DaemonSet.
    pub fn daemon_set(&self, key: &Key) -> Option<&DaemonSet> {
        self.daemon_sets.get(key).map(|e| &e.daemon_set)
    }

    /// A pod.
    pub fn pod(&self, key: &Key) -> Option<&Pod> {
        self.pods.get(key)
    }

    /// A revision.
    pub fn revision(&self, key: &Key) -> Option<&Revision> {
        self.revisions.get(key)
    }

    /// Whether the DaemonSet has a pod on this node, or pinned to it, that is not among `seen`.
    pub fn has_other_pod(&self, key: &Key, node: &str, seen: &[Uid]) -> bool {
        let id = self.nodes.id(node);
        let pods = self.daemon_set(key).map(|ds| self.pods.of(&ds.uid));
        let here = pods
            .into_iter()
            .flatten()
            .filter(|p| id.is_some() && p.node == id);
        here.filter(|p| !p.is_terminal_and_terminating())
            .any(|p| !seen.contains(&p.uid))
    }

    /// All nodes.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// How many pods are kept.
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
        let entry = &self.daemon_sets[key];
        let uid = &entry.daemon_set.uid;
        let pods = self.pods.around(uid, &key.namespace);
        let blind = self.nameless.iter().find(|(kind, namespace)| {
            let namespaced = *kind != Kind::Node && *kind != Kind::DaemonSet;
            *kind == Kind::Node
                || namespaced && namespace.as_ref().is_none_or(|n| *n == key.namespace)
        });
        let blind = blind.map(|(kind, _)| *kind);
        let mut revisions: Vec<&Revision> = self
            .revisions
            .iter()
            .filter(|(k, r)| {
                k.namespace == key.namespace
                    && (r.controller.is(uid) || !matches!(r.controller, Controller::Uid(_)))
            })
            .map(|(_, r)| r)
            .collect();
        revisions.sort_by(|a, b| a.name.cmp(&b.name));
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
            revision_exists: &|name| self.revisions.contains_key(&named(name)),
            verdicts: &entry.verdicts,
            backoff: &self.backoff,
            settings,
        };
        Some(f(&snapshot))
    }

    /// The attempts of a plan that is about to be carried out.
    pub fn attempt(&mut self, changes: &[BackoffChange], now: Time) {
        for key in changes {
            self.backoff.attempt(key.clone(), now);
        }
    }

    /// A delete of a pod is about to be sent: it counts as terminating until an answer, a watch event or a
    /// read settles it.
    pub fn delete_pending(&mut self, key: &Key, uid: &Uid) -> bool {
        self.pods.delete_pending(key, uid)
    }

    /// The DaemonSet's pods whose delete is on its way or had an outcome that is not known.
    pub fn pending_deletes(&self, key: &Key) -> Vec<(Key, Uid)> {
        self.daemon_set(key)
            .map(|ds| self.pods.pending(&ds.uid))
            .unwrap_or_default()
    }

    /// The delete is known not to have happened. That is no news, as everything is as it was: nothing becomes dirty, or
    /// a delete that is denied would be planned again at once, for ever. Whoever asked for it plans again, after a while.
    pub fn delete_settled(&mut self, key: &Key, uid: &Uid) {
        self.pods.delete_settled(key, uid);
    }

    /// Forgets what nothing needs any more; call it now and then.
    pub fn sweep(&mut self, now: Time) {
        self.backoff.sweep(now);
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

    /// Whether this state of the object, or a newer one, is what is known.
    fn is_known(&self, kind: Kind, key: &Key, uid: &Uid, version: Version) -> bool {
        version != Version::default()
            && self
                .known(kind, key)
                .is_some_and(|(known, had)| known == *uid && version <= had)
    }

    fn put_daemon_set(&mut self, key: Key, daemon_set: DaemonSet) {
        // What was there before the first list of pods began has its pods in it.
        let read_at_start = !self.ledgers[Kind::Pod as usize].has_begun();
        match self.daemon_sets.get_mut(&key) {
            Some(entry) if entry.daemon_set.uid == daemon_set.uid => {
                let mut same = daemon_set.clone();
                same.version = entry.daemon_set.version;
                if same != entry.daemon_set {
                    self.dirty.insert(key.clone());
                }
                if *entry.eligibility.template() != daemon_set.template {
                    entry.eligibility = Eligibility::new(daemon_set.template.clone(), self.gates);
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
                    eligibility: Eligibility::new(daemon_set.template.clone(), self.gates),
                    verdicts: Verdicts::default(),
                    gone_pods: GonePods::default(),
                    pods_read: read_at_start,
                    daemon_set,
                };
                self.daemon_sets.insert(key, entry);
            }
        }
    }

    fn put_node(&mut self, node: Node) {
        let name = node.name.clone();
        let before = self.verdicts_on(self.nodes.by_name(&name).map(|(_, n)| n));
        if !self.nodes.put(node) {
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
        self.mark_node(id, &before, &HashMap::new());
        self.nodes.remove(name);
        for entry in self.daemon_sets.values_mut() {
            entry.gone_pods.forget(name);
        }
    }

    /// What each DaemonSet thinks of a node. Empty before the cache is synced: all are dirty then anyway.
    fn verdicts_on(&self, node: Option<&Node>) -> HashMap<Key, Verdict> {
        match node {
            Some(node) if self.is_synced() => self
                .daemon_sets
                .iter()
                .map(|(k, e)| (k.clone(), e.eligibility.of(node)))
                .collect(),
            _ => HashMap::new(),
        }
    }

    /// A node's change concerns the DaemonSets whose verdict on it changed, and, where it came or went,
    /// those that have pods there.
    fn mark_node(
        &mut self,
        id: NodeId,
        before: &HashMap<Key, Verdict>,
        after: &HashMap<Key, Verdict>,
    ) {
        let came_or_went = before.is_empty() != after.is_empty();
        let has_pods = self.nodes.pods_at(id) > 0;
        let keys: Vec<Key> = self
            .daemon_sets
            .iter()
            .filter(|(key, entry)| {
                let bits =
                    |v: Option<&Verdict>| v.map(|v| (v.should_run(), v.should_continue_running()));
                let (b, a) = (bits(before.get(key)), bits(after.get(key)));
                if !came_or_went {
                    return a != b;
                }
                a.or(b).is_some_and(|(runs, _)| runs)
                    || has_pods
                        && self
                            .pods
                            .around(&entry.daemon_set.uid, &key.namespace)
                            .iter()
                            .any(|p| p.node == Some(id))
            })
            .map(|(key, _)| key.clone())
            .collect();
        self.dirty.extend(keys);
    }

    /// The DaemonSet that controls an object.
    fn owner(&mut self, controller: &Controller) -> Option<&mut Entry> {
        let Controller::Uid(uid) = controller else {
            return None;
        };
        self.daemon_sets.get_mut(self.by_uid.get(uid)?)
    }

    /// A pod or revision concerns its controller; an orphan those whose selector it matches; one whose owner cannot
    /// be read all of its namespace.
    fn mark_owner(&mut self, key: &Key, controller: &Controller, labels: &Labels) {
        match controller {
            Controller::Uid(uid) => {
                if let Some(owner) = self.by_uid.get(uid) {
                    self.dirty.insert(owner.clone());
                }
            }
            Controller::None => self.mark_matching(key, Some(labels)),
            Controller::Unreadable => self.mark_matching(key, None),
        }
    }

    fn mark_matching(&mut self, key: &Key, labels: Option<&Labels>) {
        let keys: Vec<Key> = self
            .daemon_sets
            .iter()
            .filter(|(k, e)| {
                k.namespace == key.namespace && labels.is_none_or(|l| matches(&e.daemon_set, l))
            })
            .map(|(k, _)| k.clone())
            .collect();
        self.dirty.extend(keys);
    }

    fn put_pod(&mut self, key: Key, mut pod: Pod, node: Option<&str>) {
        pod.node = node.map(|n| self.nodes.point(n));
        let new = pod.clone();
        let old = self.pods.put(key.clone(), pod);
        self.note_pod(&new, false);
        if let Some(old) = &old {
            if let Some(id) = old.node {
                self.nodes.unpoint(id);
            }
            let mut same = new.clone();
            // What only explains concerns nobody.
            (same.version, same.detail) = (old.version, old.detail.clone());
            same.terminating |= self.pods.get(&key).is_some_and(|p| p.terminating);
            if same == *old {
                return;
            }
            if old.controller != new.controller || old.labels != new.labels {
                self.mark_owner(&key, &old.controller, &old.labels);
            }
        }
        self.mark_owner(&key, &new.controller, &new.labels);
    }

    /// Remembers what a pod that is gone means to the name of the next one on its node, or that there is one.
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

    fn put_revision(&mut self, key: Key, revision: Revision) {
        self.mark_owner(&key, &revision.controller, &revision.labels);
        if let Some(old) = self.revisions.insert(key.clone(), revision) {
            self.mark_owner(&key, &old.controller, &old.labels);
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

fn matches(daemon_set: &DaemonSet, labels: &Labels) -> bool {
    let selector = daemon_set.selector.as_ref();
    selector.is_ok_and(|s| s.matches(labels))
}
