//! Rows of pods, by name and by owner, in a slab: a plan walks a DaemonSet's pods without hashing.

use std::collections::HashMap;

use crate::model::{Controller, Key, Pod, Str, Time, Uid};

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
}

/// All pods that may concern a DaemonSet.
#[derive(Clone, Default, Debug)]
pub struct Pods {
    rows: Vec<Option<Row>>,
    free: Vec<u32>,
    by_key: HashMap<Key, u32>,
    by_owner: HashMap<Owner, Vec<u32>>,
}

impl Pods {
    /// The pod of this namespace and name.
    pub fn get(&self, key: &Key) -> Option<&Pod> {
        self.by_key.get(key).map(|&i| &self.row(i).pod)
    }

    /// All pods, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Pod)> {
        self.rows.iter().flatten().map(|r| (&r.key, &r.pod))
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
        self.owned(uid).map(|r| &r.pod)
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
            return Some(std::mem::replace(&mut row.pod, pod));
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
        });
    }

    /// Takes a pod out.
    pub fn remove(&mut self, key: &Key) -> Option<Pod> {
        let at = self.by_key.remove(key)?;
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
        }
    }

    /// The pods of this owner that are gone by an answer, with the time of the answer.
    pub fn all_gone_by_answer(&self, uid: &Uid) -> impl Iterator<Item = (&Key, &Uid, Time)> {
        self.owned(uid)
            .filter_map(|r| Some((&r.key, &r.pod.uid, r.gone_by_answer?)))
    }

    /// The pods of this owner with a pending delete, and those of its namespace that nobody owns.
    pub fn pending<'a>(
        &'a self,
        namespace: &Str,
        uid: &Uid,
    ) -> impl Iterator<Item = (&'a Key, &'a Pod)> {
        let nobodys = self.listed(Owner::Nobody(namespace.clone()));
        let all = self.owned(uid).chain(nobodys);
        all.filter(|r| r.pending).map(|r| (&r.key, &r.pod))
    }

    fn owned(&self, uid: &Uid) -> impl Iterator<Item = &Row> {
        self.listed(Owner::Uid(uid.clone()))
    }

    fn listed(&self, owner: Owner) -> impl Iterator<Item = &Row> + use<'_> {
        let list = self.by_owner.get(&owner);
        list.into_iter().flatten().map(|&i| self.row(i))
    }

    fn row(&self, at: u32) -> &Row {
        self.rows[at as usize].as_ref().expect("indexed rows exist")
    }

    fn row_mut(&mut self, at: u32) -> &mut Row {
        self.rows[at as usize].as_mut().expect("indexed rows exist")
    }
}
