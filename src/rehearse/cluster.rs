//! The cluster of a rehearsal: a cache of what is imagined, the time, and what happens next.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cache::{Cache, Row},
    model::{DaemonSet, Key, Kind, Node, NodeId, Pod, Settings, Snapshot, Str, Time, Uid, Version},
    plan::{self, DetailedPlan, Plan},
};

use super::kubelet::Happening;

/// The first resourceVersion of a rehearsal: above those that an API server gives.
const FIRST_VERSION: u64 = 1 << 62;

/// One DaemonSet and what is around it.
#[derive(Clone, Debug)]
pub struct Cluster {
    cache: Cache,
    key: Key,
    settings: Settings,
    now: Time,
    version: u64,
    made: u64,
    /// Node name to the names of the DaemonSet's pods on it.
    pods_on: BTreeMap<Str, BTreeSet<Str>>,
    /// The nodes on which something changed.
    touched: BTreeSet<Str>,
    /// What happens, by time and in the order in which it was planned.
    happenings: BTreeMap<(Time, u64), Happening>,
}

impl Cluster {
    /// Begins at `now`, in whole seconds, with what the cache knows. None where it does not know
    /// the DaemonSet.
    pub fn new(cache: Cache, key: Key, settings: Settings, now: Time) -> Option<Cluster> {
        cache.daemon_set(&key)?;
        let mut cluster = Cluster {
            cache,
            key,
            settings,
            now: now.whole_seconds(),
            version: FIRST_VERSION,
            made: 0,
            pods_on: BTreeMap::new(),
            touched: BTreeSet::new(),
            happenings: BTreeMap::new(),
        };
        let pods_on = cluster.snapshot(|snapshot| {
            let mut pods_on: BTreeMap<Str, BTreeSet<Str>> = BTreeMap::new();
            for pod in &snapshot.pods {
                if let Some(node) = pod.node {
                    let names = pods_on.entry(snapshot.nodes.name(node).clone());
                    names.or_default().insert(pod.name.clone());
                }
            }
            pods_on
        });
        cluster.pods_on = pods_on;
        cluster.cache.tick(cluster.now);
        Some(cluster)
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The DaemonSet.
    pub fn daemon_set(&self) -> &DaemonSet {
        let found = self.cache.daemon_set(&self.key);
        found.expect("nothing in a rehearsal deletes the DaemonSet")
    }

    /// Lends a snapshot of the DaemonSet to `f`.
    pub fn snapshot<R>(&mut self, f: impl FnOnce(&Snapshot<'_>) -> R) -> R {
        let lent = self.cache.snapshot(&self.key, self.settings, f);
        lent.expect("nothing in a rehearsal deletes the DaemonSet")
    }

    /// The plan of this moment.
    pub fn plan(&mut self) -> Plan {
        let now = self.now;
        self.snapshot(|snapshot| plan::plan(snapshot, now))
    }

    /// The same plan in detail.
    pub fn in_detail(&mut self) -> DetailedPlan {
        let now = self.now;
        self.snapshot(|snapshot| plan::in_detail(snapshot, now))
    }

    /// The nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.cache.nodes().iter().map(|(_, node)| node)
    }

    /// A node.
    pub(super) fn node(&self, name: &str) -> Option<&Node> {
        self.cache.nodes().by_name(name).map(|(_, node)| node)
    }

    /// The node in a slot.
    pub(super) fn node_of(&self, id: NodeId) -> Option<&Node> {
        self.cache.nodes().get(id)
    }

    /// A pod of the DaemonSet's namespace.
    pub(super) fn pod(&self, name: &Str) -> Option<&Pod> {
        self.cache.pod(&self.sibling(name))
    }

    /// The DaemonSet's pods on a node.
    pub(super) fn pods_on(&self, node: &str) -> impl Iterator<Item = &Pod> {
        let names = self.pods_on.get(node).into_iter().flatten();
        names.filter_map(|name| self.pod(name))
    }

    /// The DaemonSet's pods.
    pub(super) fn pods(&self) -> impl Iterator<Item = (&Str, &Pod)> {
        let all = self.pods_on.iter();
        let all = all.flat_map(|(node, names)| names.iter().map(move |name| (node, name)));
        all.filter_map(|(node, name)| Some((node, self.pod(name)?)))
    }

    /// The nodes on which something changed since this was asked last.
    pub(super) fn take_touched(&mut self) -> BTreeSet<Str> {
        std::mem::take(&mut self.touched)
    }

    pub(super) fn sibling(&self, name: &Str) -> Key {
        Key::new(self.key.namespace.clone(), name.clone())
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// What the cache remembers of a plan's requests is told it directly.
    pub(super) fn cache(&mut self) -> &mut Cache {
        &mut self.cache
    }

    /// The next resourceVersion.
    pub(super) fn next_version(&mut self) -> Version {
        self.version += 1;
        Version(self.version)
    }

    /// A UID that no other object has.
    pub(super) fn next_uid(&mut self) -> Uid {
        self.made += 1;
        Uid(format!("rehearsed-{}", self.made).into())
    }

    /// A new pod on this node, or another state of one.
    pub(super) fn put_pod(&mut self, node: &Str, mut pod: Pod) {
        pod.version = self.next_version();
        let names = self.pods_on.entry(node.clone()).or_default();
        names.insert(pod.name.clone());
        self.touched.insert(node.clone());
        self.cache.observe_row(Row::Pod {
            namespace: self.key.namespace.clone(),
            pod,
            node: Some(node.clone()),
            relevant: true,
        });
    }

    /// Changes the pod with this name and UID. Whether it is there.
    pub(super) fn change_pod(&mut self, name: &Str, uid: &Uid, f: impl FnOnce(&mut Pod)) -> bool {
        let known = self.pod(name).filter(|pod| pod.uid == *uid).cloned();
        let Some(mut pod) = known else {
            return false;
        };
        f(&mut pod);
        let node = pod.node.map(|id| self.cache.nodes().name(id).clone());
        match node {
            Some(node) => self.put_pod(&node, pod),
            None => {
                pod.version = self.next_version();
                self.cache.observe_row(Row::Pod {
                    namespace: self.key.namespace.clone(),
                    pod,
                    node: None,
                    relevant: true,
                });
            }
        }
        true
    }

    /// The pod with this name and UID is gone.
    pub(super) fn remove_pod(&mut self, name: &Str, uid: &Uid) {
        let Some(pod) = self.pod(name).filter(|pod| pod.uid == *uid) else {
            return;
        };
        if let Some(id) = pod.node {
            let node = self.cache.nodes().name(id).clone();
            if let Some(names) = self.pods_on.get_mut(&node) {
                names.remove(name);
            }
            self.touched.insert(node);
        }
        let key = self.sibling(name);
        self.cache.deleted_row(Kind::Pod, &key, uid);
    }

    /// A new node, or another state of one.
    pub(super) fn put_node(&mut self, mut node: Node) {
        node.version = self.next_version();
        self.touched.insert(node.name.clone());
        self.cache.observe_row(Row::Node(node));
    }

    /// Changes the DaemonSet.
    pub(super) fn change_daemon_set(&mut self, f: impl FnOnce(&mut DaemonSet)) {
        let mut ds = self.daemon_set().clone();
        f(&mut ds);
        ds.version = self.next_version();
        self.cache.observe_row(Row::DaemonSet(Box::new(ds)));
    }

    /// Something will happen.
    pub(super) fn expect(&mut self, at: Time, happening: Happening) {
        self.made += 1;
        let at = at.max(self.now).whole_seconds();
        self.happenings.insert((at, self.made), happening);
    }

    /// When something happens next; None where nothing does.
    pub(super) fn next_happening(&self) -> Option<Time> {
        self.happenings.keys().next().map(|(at, _)| *at)
    }

    /// The time goes on to `now`. Returns what has happened by then, in its order.
    pub(super) fn go_on(&mut self, now: Time) -> Vec<Happening> {
        self.now = now;
        self.cache.tick(now);
        let later = self.happenings.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.happenings, later)
            .into_values()
            .collect()
    }
}
