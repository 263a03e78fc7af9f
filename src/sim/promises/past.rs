//! The past: the states of DaemonSets and nodes over time, and the lives of pods. Promises excuse a
//! controller by states that it may still have believed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, value::to_raw_value};

use super::facts::{
    self, hash, is_live, is_terminal, is_terminating, is_unschedulable, owner, ready_since, target,
    text,
};
use super::step::Step;
use crate::model::{DaemonSet, FeatureGates, Interner, Node, Verdict};
use crate::plan::eligibility::Eligibility;
use crate::sim::api::resource::{DAEMON_SETS, NODES, PODS};
use crate::sim::api::store::{Change, Write};
use crate::wire;

/// The states of an object, with the moments at which they began; None while it does not exist.
type States<T> = Vec<(Duration, Option<T>)>;

/// A state of a DaemonSet.
pub struct Set {
    /// The object in the API server.
    pub object: Arc<Value>,
    /// The DaemonSet as decisions see it; None if it cannot be decoded.
    pub read: Option<DaemonSet>,
    eligibility: Option<Eligibility>,
}

impl Set {
    fn new(object: &Arc<Value>) -> Set {
        let read = facts::read(object);
        let template = read.as_ref().map(|set| set.template.clone());
        Set {
            object: object.clone(),
            eligibility: template.map(|t| Eligibility::new(t, FeatureGates::default())),
            read,
        }
    }

    /// Its verdict on a node; if it cannot be decoded, the verdict that says so.
    pub fn verdict(&self, node: &Node) -> Verdict {
        let eligibility = self.eligibility.as_ref();
        eligibility.map_or(Verdict::Unreadable, |e| e.of(node))
    }

    /// Whether it has `budget: bad-nodes`.
    pub fn minds_bad_nodes(&self) -> bool {
        self.read.as_ref().is_some_and(DaemonSet::minds_bad_nodes)
    }
}

/// A time during which a pod was ready.
struct Ready {
    until: Option<Duration>,
    /// `lastTransitionTime` of the Ready condition; None if that is no time.
    since: Option<Timestamp>,
}

/// The life of a pod.
pub struct Life {
    /// `namespace/name`.
    pub name: String,
    /// The UID of its controller, empty without one.
    pub owner: String,
    /// The node that it is bound or pinned to.
    pub node: String,
    /// The hash of its revision, by its label.
    pub hash: String,
    /// Since when it has had that hash.
    pub labelled: Duration,
    /// When it was created.
    pub came: Duration,
    /// When it became terminating, or was gone without that.
    pub left: Option<Duration>,
    /// Whether it is gone, or both terminating and terminal.
    pub ended: bool,
    /// Whether it is terminal.
    pub terminal: bool,
    /// Until when the scheduler said that no node fits; None where it never did.
    pub unschedulable: Option<Duration>,
    /// The clients that asked for its deletion and were answered: they know of it.
    pub deleted_by: Vec<Arc<str>>,
    /// When a container had been restarted too often.
    pub crashed: Option<Duration>,
    ready: Vec<Ready>,
}

impl Life {
    /// Whether it was ready at some moment since `since`, and has been ready for `min_ready`
    /// seconds by `now`.
    pub fn was_available(&self, since: Duration, min_ready: i32, now: Timestamp) -> bool {
        let mut ready = self.ready.iter();
        ready.any(|r| r.until.is_none_or(|until| until >= since) && r.is_old(min_ready, now))
    }

    /// Whether it existed and was not terminating at some moment since `since`.
    pub fn stayed(&self, since: Duration) -> bool {
        self.left.is_none_or(|left| left >= since)
    }
}

impl Ready {
    fn is_old(&self, min_ready: i32, now: Timestamp) -> bool {
        let wait = SignedDuration::from_secs(min_ready.into());
        // Without minReadySeconds the time does not matter.
        min_ready == 0 || self.since.is_some_and(|at| at.duration_until(now) >= wait)
    }
}

/// Whether a pod in this state is ready and has been for `min_ready` seconds.
pub fn is_available(pod: &Value, min_ready: i32, now: Timestamp) -> bool {
    let ready = ready_since(pod).map(|since| Ready {
        until: None,
        since: since.parse().ok(),
    });
    ready.is_some_and(|ready| ready.is_old(min_ready, now))
}

/// The past of a cluster.
#[derive(Default)]
pub struct Past {
    /// DaemonSets by UID.
    sets: BTreeMap<String, States<Set>>,
    /// Nodes by name.
    nodes: BTreeMap<String, States<Node>>,
    /// Pods by UID.
    pods: BTreeMap<String, Life>,
    /// The UIDs of pods by node, and by all nodes that they were ever for.
    on: BTreeMap<String, BTreeSet<String>>,
}

impl Past {
    /// Takes the next write in.
    pub fn see(&mut self, step: &Step<'_>) {
        let write = step.write;
        let is_there = write.change != Change::Deleted;
        let uid = text(&write.object, "uid").to_owned();
        if step.is_for(&DAEMON_SETS) {
            let states = self.sets.entry(uid).or_default();
            let last = states.last().and_then(|(_, set)| set.as_ref());
            let same = |set: &Set| {
                let annotations = "/metadata/annotations";
                set.object["spec"] == write.object["spec"]
                    && set.object.pointer(annotations) == write.object.pointer(annotations)
            };
            if is_there && last.is_some_and(same) {
                return; // a write of the status
            }
            states.push((write.at, is_there.then(|| Set::new(&write.object))));
        } else if step.is_for(&NODES) {
            let name = text(&write.object, "name").to_owned();
            let states = self.nodes.entry(name).or_default();
            let node = node(&write.object).filter(|_| is_there);
            let last = states.last().and_then(|(_, node)| node.as_ref());
            let same = |a: &Node, b: &Node| {
                (&a.labels, &a.taints, &a.uid) == (&b.labels, &b.taints, &b.uid)
                    && a.health() == b.health()
            };
            if let (Some(last), Some(node)) = (last, &node)
                && same(last, node)
            {
                return; // a heartbeat
            }
            states.push((write.at, node));
        } else if step.is_for(&PODS) {
            self.pod(uid, write, step);
        }
    }

    fn pod(&mut self, uid: String, write: &Write, step: &Step<'_>) {
        let (pod, at) = (&*write.object, write.at);
        let node = target(pod);
        if self.pods.get(&uid).is_none_or(|life| life.node != node) {
            let on = self.on.entry(node.to_owned()).or_default();
            on.insert(uid.clone());
        }
        let life = self.pods.entry(uid).or_insert_with(|| Life {
            name: facts::said(pod),
            owner: String::new(),
            node: String::new(),
            hash: hash(pod).to_owned(),
            labelled: at,
            came: at,
            left: None,
            ended: false,
            terminal: false,
            unschedulable: None,
            deleted_by: Vec::new(),
            crashed: None,
            ready: Vec::new(),
        });
        let gone = write.change == Change::Deleted;
        if crashes(pod) {
            life.crashed.get_or_insert(at);
        }
        owner(pod).clone_into(&mut life.owner);
        node.clone_into(&mut life.node);
        if life.hash != hash(pod) {
            hash(pod).clone_into(&mut life.hash);
            life.labelled = at;
        }
        if gone || is_terminating(pod) {
            life.left.get_or_insert(at);
        }
        life.terminal = is_terminal(pod);
        life.ended = gone || is_terminating(pod) && life.terminal;
        if is_live(pod) && !gone && is_unschedulable(pod) {
            life.unschedulable = Some(Duration::MAX);
        } else if life.unschedulable == Some(Duration::MAX) {
            life.unschedulable = Some(at);
        }
        if let Some(request) = step.request
            && request.is_delete()
            && request.ended.is_some()
        {
            life.deleted_by.push(request.client.clone());
        }
        let since = ready_since(pod).filter(|_| !gone && is_live(pod));
        let since: Option<Option<Timestamp>> = since.map(|since| since.parse().ok());
        let last = life.ready.last_mut().filter(|r| r.until.is_none());
        if last.as_ref().map(|r| r.since) == since {
            return;
        }
        if let Some(last) = last {
            last.until = Some(at);
        }
        life.ready
            .extend(since.map(|since| Ready { until: None, since }));
    }

    /// The DaemonSet as it is; None where it does not exist.
    pub fn set(&self, uid: &str) -> Option<&Set> {
        self.sets.get(uid)?.last()?.1.as_ref()
    }

    /// The states of a DaemonSet since a moment, including the state at that moment.
    pub fn sets(&self, uid: &str, since: Duration) -> Vec<Option<&Set>> {
        self.sets
            .get(uid)
            .map(|s| recent(s, since))
            .unwrap_or_default()
    }

    /// The states of a node since a moment, including the state at that moment.
    pub fn node(&self, name: &str, since: Duration) -> Vec<Option<&Node>> {
        self.nodes
            .get(name)
            .map(|s| recent(s, since))
            .unwrap_or_default()
    }

    /// The names of all nodes, deleted ones included.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// The life of a pod, which may be deleted.
    pub fn pod_of(&self, uid: &str) -> Option<&Life> {
        self.pods.get(uid)
    }

    /// The pods of a DaemonSet on a node, deleted ones included.
    pub fn pods_on<'a, 'n>(
        &'a self,
        owner: &'n str,
        node: &'n str,
    ) -> impl Iterator<Item = &'a Life> + use<'a, 'n> {
        let uids = self.on.get(node).into_iter().flatten();
        let lives = uids.filter_map(|uid| self.pods.get(uid));
        lives.filter(move |life| life.owner == owner && life.node == node)
    }

    /// All pods of a DaemonSet, deleted ones included.
    pub fn pods(&self, owner: &str) -> impl Iterator<Item = &Life> {
        self.pods.values().filter(move |life| life.owner == owner)
    }
}

fn recent<T>(states: &States<T>, since: Duration) -> Vec<Option<&T>> {
    let later = states.partition_point(|(at, _)| *at <= since);
    let first = later.saturating_sub(1);
    let mut found: Vec<Option<&T>> = states[first..].iter().map(|(_, s)| s.as_ref()).collect();
    if later == 0 {
        found.insert(0, None); // it was created later
    }
    found
}

fn node(object: &Value) -> Option<Node> {
    let raw = to_raw_value(object).ok()?;
    wire::node::decode(&raw, &mut Interner::default()).ok()
}

/// Whether so many restarts make a pod fail.
fn crashes(pod: &Value) -> bool {
    let statuses = pod["status"]["containerStatuses"].as_array();
    let mut statuses = statuses.into_iter().flatten();
    statuses.any(|c| c["restartCount"].as_u64().is_some_and(|count| count > 2))
}
