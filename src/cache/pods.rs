//! Rows of pods, by name, by owner and by node, in a slab: a plan walks a DaemonSet's pods without
//! hashing.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};

use crate::model::{Controller, Key, NodeId, Pod, Str, Time, Uid};

/// The list that a pod is in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Owner {
    /// The pods of a controller.
    Uid(Uid),
    /// The orphans of a namespace.
    Nobody(Str),
    /// The pods of a namespace whose controller cannot be read.
    Unreadable(Str),
}

impl Owner {
    fn of(pod: &Pod, namespace: &Str) -> Owner {
        match &pod.controller {
            Controller::Uid(uid) => Owner::Uid(uid.clone()),
            Controller::None => Owner::Nobody(namespace.clone()),
            Controller::Unreadable => Owner::Unreadable(namespace.clone()),
        }
    }
}

/// No row.
const NONE: u32 = u32::MAX;

#[derive(Clone, Debug)]
struct Row {
    key: Key,
    pod: Pod,
    /// A delete of ours is in flight, or has an outcome that is not known.
    pending: bool,
    /// The time at which an answer said that the pod is gone; None where none did, and once a watch
    /// or a list told how it went.
    gone_by_answer: Option<Time>,
    /// The row's place in its owner's list.
    position: u32,
    /// The rows before and after it of those with the same node, or [`NONE`]. A list that is linked
    /// costs no allocation for each node.
    before: u32,
    after: u32,
}

impl Row {
    /// Whether a delete of ours is not settled yet.
    fn is_going(&self) -> bool {
        self.pending || self.gone_by_answer.is_some()
    }
}

/// All pods that may concern a DaemonSet.
#[derive(Clone, Default, Debug)]
pub struct Pods {
    rows: Vec<Option<Row>>,
    free: Vec<u32>,
    by_key: HashMap<Key, u32>,
    by_owner: HashMap<Owner, Vec<u32>>,
    /// For each slot of a node the first of its rows, or [`NONE`].
    by_node: Vec<u32>,
    /// The rows whose delete is not settled. They are few, and each sync asks for them.
    going: BTreeSet<u32>,
}

impl Pods {
    /// The pod of this namespace and name.
    pub fn get(&self, key: &Key) -> Option<&Pod> {
        self.by_key.get(key).map(|&i| &self.row(i).pod)
    }

    /// How many rows there are, free ones included.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The pods in these rows, as far as there are so many.
    pub fn within(&self, rows: Range<usize>) -> impl Iterator<Item = (&Key, &Pod)> {
        let rows = rows.start..rows.end.min(self.rows.len());
        let rows = self.rows.get(rows).unwrap_or_default();
        rows.iter().flatten().map(|r| (&r.key, &r.pod))
    }

    /// The number of pods.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The pods that this DaemonSet controls, then the orphans of its namespace, then those whose
    /// controller cannot be read.
    pub fn around<'a>(&'a self, uid: &Uid, namespace: &Str) -> Vec<&'a Pod> {
        let lists = [
            self.by_owner.get(&Owner::Uid(uid.clone())),
            self.by_owner.get(&Owner::Nobody(namespace.clone())),
            self.by_owner.get(&Owner::Unreadable(namespace.clone())),
        ];
        let mut pods = Vec::with_capacity(lists.iter().flatten().map(|l| l.len()).sum());
        pods.extend(
            lists
                .into_iter()
                .flatten()
                .flatten()
                .map(|&i| &self.row(i).pod),
        );
        pods
    }

    /// The pods that this DaemonSet controls.
    pub fn of(&self, uid: &Uid) -> impl Iterator<Item = &Pod> {
        let list = self.by_owner.get(&Owner::Uid(uid.clone()));
        list.into_iter().flatten().map(|&i| &self.row(i).pod)
    }

    /// The pods that are on a node or pinned to it, whoever owns them.
    pub fn on(&self, node: NodeId) -> impl Iterator<Item = (&Key, &Pod)> {
        let first = self.by_node.get(node.index()).copied();
        let some = |at: u32| (at != NONE).then_some(at);
        let rows = std::iter::successors(first.and_then(some), move |at| some(self.row(*at).after));
        rows.map(|at| self.row(at)).map(|row| (&row.key, &row.pod))
    }

    /// Puts a state in, and returns the one before. A pending delete stays pending.
    pub fn put(&mut self, key: Key, mut pod: Pod) -> Option<Pod> {
        let Some(&at) = self.by_key.get(&key) else {
            self.insert(key, pod, false);
            return None;
        };
        let row = self.row_mut(at);
        // A deletionTimestamp settles the delete.
        let same = row.pod.uid == pod.uid && !pod.terminating;
        let (pending, gone) = (row.pending && same, row.gone_by_answer.filter(|_| same));
        pod.ended |= row.pod.uid == pod.uid && row.pod.ended;
        if row.pod.controller == pod.controller {
            (row.pending, row.gone_by_answer) = (pending, gone);
            pod.terminating |= pending || gone.is_some();
            let has_moved = row.pod.node != pod.node;
            if has_moved {
                self.unlink(at);
            }
            let old = std::mem::replace(&mut self.row_mut(at).pod, pod);
            if has_moved {
                self.link(at);
            }
            self.note_going(at);
            return Some(old);
        }
        let old = self.remove(&key);
        self.insert(key, pod, pending);
        old
    }

    fn insert(&mut self, key: Key, mut pod: Pod, pending: bool) {
        pod.terminating |= pending;
        let at = self.free.pop().unwrap_or_else(|| {
            self.rows.push(None);
            u32::try_from(self.rows.len() - 1).expect("fewer than 2^32 pods")
        });
        let list = self
            .by_owner
            .entry(Owner::of(&pod, &key.namespace))
            .or_default();
        let position = u32::try_from(list.len()).expect("fewer than 2^32 pods");
        list.push(at);
        self.by_key.insert(key.clone(), at);
        self.rows[at as usize] = Some(Row {
            key,
            pod,
            pending,
            gone_by_answer: None,
            position,
            before: NONE,
            after: NONE,
        });
        self.link(at);
        self.note_going(at);
    }

    /// Takes a pod out.
    pub fn remove(&mut self, key: &Key) -> Option<Pod> {
        let at = self.by_key.remove(key)?;
        self.unlink(at);
        self.going.remove(&at);
        let row = self.rows[at as usize].take().expect("indexed rows exist");
        self.free.push(at);
        let owner = Owner::of(&row.pod, &row.key.namespace);
        let list = self
            .by_owner
            .get_mut(&owner)
            .expect("every row is listed under its owner");
        list.swap_remove(row.position as usize);
        let moved = list.get(row.position as usize).copied();
        if list.is_empty() {
            self.by_owner.remove(&owner);
        }
        if let Some(moved) = moved {
            self.row_mut(moved).position = row.position;
        }
        Some(row.pod)
    }

    /// A delete of ours is about to be sent: the pod counts as terminating from now on. False when
    /// the pod is not there.
    pub fn delete_pending(&mut self, key: &Key, uid: &Uid) -> bool {
        let Some(&at) = self.by_key.get(key) else {
            return false;
        };
        let row = self.row_mut(at);
        if row.pod.uid != *uid {
            return false;
        }
        if !row.pod.terminating {
            row.pending = true;
            row.pod.terminating = true;
            self.note_going(at);
        }
        true
    }

    /// An answer said that the pod is gone. Returns true when it is kept as terminating, because
    /// nothing told whether it became terminal before.
    pub fn gone_by_answer(&mut self, key: &Key, now: Time) -> bool {
        let Some(&at) = self.by_key.get(key) else {
            return false;
        };
        let row = self.row_mut(at);
        let unseen = !row.pod.phase.is_terminal() && row.pod.deletion.is_none();
        if unseen {
            row.pending = false;
            row.gone_by_answer.get_or_insert(now);
            row.pod.terminating = true;
            self.note_going(at);
        }
        unseen
    }

    /// The delete was not carried out: the pod no longer counts as terminating.
    pub fn delete_settled(&mut self, key: &Key, uid: &Uid) {
        let Some(&at) = self.by_key.get(key) else {
            return;
        };
        let row = self.row_mut(at);
        if row.pending && row.pod.uid == *uid {
            row.pending = false;
            row.pod.terminating = false;
            self.note_going(at);
        }
    }

    /// The pods of this owner that are gone by an answer, with the time of the answer.
    pub fn all_gone_by_answer(&self, uid: &Uid) -> impl Iterator<Item = (&Key, &Uid, Time)> {
        let own = self.going().filter(|r| r.pod.controller.is(uid));
        own.filter_map(|r| Some((&r.key, &r.pod.uid, r.gone_by_answer?)))
    }

    /// The pods of this owner with a pending delete, and those of its namespace that nobody owns.
    pub fn pending<'a>(
        &'a self,
        namespace: &Str,
        uid: &Uid,
    ) -> impl Iterator<Item = (&'a Key, &'a Pod)> {
        let around = move |r: &&Row| match &r.pod.controller {
            Controller::Uid(owner) => owner == uid,
            Controller::None => r.key.namespace == *namespace,
            Controller::Unreadable => false,
        };
        let pending = self.going().filter(|r| r.pending);
        pending.filter(around).map(|r| (&r.key, &r.pod))
    }

    fn going(&self) -> impl Iterator<Item = &Row> {
        self.going.iter().map(|&at| self.row(at))
    }

    /// Notes whether the row's delete is not settled.
    fn note_going(&mut self, at: u32) {
        if self.row(at).is_going() {
            self.going.insert(at);
        } else {
            self.going.remove(&at);
        }
    }

    /// Puts a row first in the list of its node.
    fn link(&mut self, at: u32) {
        let Some(node) = self.row(at).pod.node else {
            return;
        };
        if self.by_node.len() <= node.index() {
            self.by_node.resize(node.index() + 1, NONE);
        }
        let first = std::mem::replace(&mut self.by_node[node.index()], at);
        if first != NONE {
            self.row_mut(first).before = at;
        }
        let row = self.row_mut(at);
        (row.before, row.after) = (NONE, first);
    }

    /// Takes a row out of the list of its node.
    fn unlink(&mut self, at: u32) {
        let row = self.row(at);
        let (Some(node), before, after) = (row.pod.node, row.before, row.after) else {
            return;
        };
        match before {
            NONE => self.by_node[node.index()] = after,
            before => self.row_mut(before).after = after,
        }
        if after != NONE {
            self.row_mut(after).before = before;
        }
    }

    fn row(&self, at: u32) -> &Row {
        #[cfg(test)]
        tests::visited();
        self.rows[at as usize].as_ref().expect("indexed rows exist")
    }

    fn row_mut(&mut self, at: u32) -> &mut Row {
        self.rows[at as usize].as_mut().expect("indexed rows exist")
    }
}

#[cfg(test)]
mod tests;
