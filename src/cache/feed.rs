//! How the cache is fed: objects as they were sent, by a list, by a watch, or as the answer to a
//! request.

use crate::{
    model::{DaemonSet, Key, Kind, Node, Pod, Revision, Str, Uid, Version},
    wire::{self, DecodeError, Encoded},
};

use super::{Cache, ledger::Admission};

/// A state of an object as the cache keeps it: decoded, or what remains of one that did not decode.
#[derive(Clone, Debug)]
pub enum Row {
    /// A DaemonSet.
    DaemonSet(Box<DaemonSet>),
    /// A node.
    Node(Node),
    /// A ControllerRevision.
    Revision {
        /// Its namespace.
        namespace: Str,
        /// The rest of it.
        revision: Revision,
    },
    /// A pod.
    Pod {
        /// Its namespace.
        namespace: Str,
        /// The rest of it, but for the node.
        pod: Pod,
        /// The name of the node that it is on or pinned to.
        node: Option<Str>,
        /// Whether it may concern a DaemonSet.
        relevant: bool,
    },
}

impl Row {
    fn kind(&self) -> Kind {
        match self {
            Row::DaemonSet(_) => Kind::DaemonSet,
            Row::Node(_) => Kind::Node,
            Row::Revision { .. } => Kind::Revision,
            Row::Pod { .. } => Kind::Pod,
        }
    }

    fn key(&self) -> Key {
        match self {
            Row::DaemonSet(ds) => Key::new(ds.namespace.clone(), ds.name.clone()),
            Row::Node(node) => Key::new("", node.name.clone()),
            Row::Revision {
                namespace,
                revision,
            } => Key::new(namespace.clone(), revision.name.clone()),
            Row::Pod { namespace, pod, .. } => Key::new(namespace.clone(), pod.name.clone()),
        }
    }

    fn seen(&self) -> (Uid, Version) {
        match self {
            Row::DaemonSet(ds) => (ds.uid.clone(), ds.version),
            Row::Node(node) => (node.uid.clone(), node.version),
            Row::Revision { revision, .. } => (revision.uid.clone(), revision.version),
            Row::Pod { pod, .. } => (pod.uid.clone(), pod.version),
        }
    }
}

/// Where a state comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// A watch, or an answer.
    News,
    /// The list that is being read.
    Listed,
    /// A read of the object that holds a name.
    Holder,
}

impl Cache {
    /// Takes in a state of an object, wherever it comes from. Does nothing when the cache has this
    /// state or a newer one.
    ///
    /// An object that does not decode is not gone: what can be read of it is kept, and its place
    /// counts as taken. The error is for the log.
    pub fn observe<'a>(
        &mut self,
        kind: Kind,
        raw: impl Into<Encoded<'a>>,
    ) -> Result<(), Box<DecodeError>> {
        self.take(kind, raw.into(), How::News)
    }

    /// As [`Cache::observe`], for a pod that holds a name we wanted: it is kept, whichever its
    /// owner.
    pub fn observe_holder<'a>(
        &mut self,
        raw: impl Into<Encoded<'a>>,
    ) -> Result<(), Box<DecodeError>> {
        self.take(Kind::Pod, raw.into(), How::Holder)
    }

    fn take(&mut self, kind: Kind, raw: Encoded<'_>, how: How) -> Result<(), Box<DecodeError>> {
        if let Some(wire::Identity { key, uid, version }) = wire::identity(raw)
            && self.is_known(kind, &key, &uid, version)
        {
            if how == How::Listed {
                self.ledgers[kind as usize].listed(key);
            }
            return Ok(());
        }
        let (decoded, error) = self.decode(kind, raw);
        let result = error.map_or(Ok(()), Err);
        let Some(row) = decoded else {
            let namespace = result.as_ref().err().and_then(|e| e.namespace.clone());
            if let Err(e) = &result {
                self.nameless.insert((kind, namespace.clone()));
                let keys = self.daemon_sets.keys();
                let keys = keys.filter(|k| namespace.as_ref().is_none_or(|n| *n == k.namespace));
                let keys: Vec<Key> = keys.cloned().collect();
                self.dirty.extend(keys);
                if let (How::Listed, Some(name)) = (how, &e.name) {
                    // The list has its name: the object that is known under it is not gone.
                    let namespace = namespace.unwrap_or_else(|| "".into());
                    self.ledgers[kind as usize].listed(Key::new(namespace, name.clone()));
                }
                tracing::debug!(kind = e.kind, "an object without a readable name or UID");
            }
            return result;
        };
        self.admit(row, how);
        result
    }

    /// As [`Cache::observe`], for a state that nobody had to decode: that of an object which is
    /// only imagined.
    pub fn observe_row(&mut self, row: Row) {
        self.admit(row, How::News);
    }

    fn admit(&mut self, row: Row, how: How) {
        let (kind, key, (uid, version)) = (row.kind(), row.key(), row.seen());
        if how == How::Listed {
            self.ledgers[kind as usize].listed(key.clone());
        }
        let known = self.known(kind, &key);
        let ledger = &mut self.ledgers[kind as usize];
        if known.is_none() && how != How::Listed && ledger.predates_list(version, &self.requests) {
            return;
        }
        match ledger.admit(known.as_ref().map(|(u, v)| (u, *v)), &uid, version) {
            Admission::Stale => return,
            Admission::Take => {}
            Admission::Replace => {
                // A watch that is behind the answer with the new object may still tell of the old
                // one.
                if let Some((old, _)) = &known {
                    ledger.bury(old.clone(), how == How::Listed, &self.requests);
                }
                self.remove(kind, &key);
            }
        }
        match row {
            Row::DaemonSet(daemon_set) => self.put_daemon_set(key, *daemon_set),
            Row::Node(node) => self.put_node(node),
            Row::Revision { revision, .. } => self.put_revision(key, revision),
            // A pod that was kept is always kept: after a change of its owner it still holds its
            // name.
            Row::Pod {
                pod,
                node,
                relevant,
                ..
            } if relevant || how == How::Holder || known.is_some() => {
                // A pod in a list may have been there for long.
                if how == How::News && known.is_none() {
                    self.pod_appeared(&pod);
                    self.young_pod(&pod, node.as_deref());
                }
                self.put_pod(key, pod, node.as_deref());
            }
            Row::Pod { .. } => {}
        }
    }

    /// A watch told that an object was deleted.
    pub fn deleted<'a>(&mut self, kind: Kind, raw: impl Into<Encoded<'a>>) {
        // Without a name and UID the cache cannot tell which object is gone; the next list will.
        if let Some(wire::Identity { key, uid, .. }) = wire::identity(raw) {
            self.deleted_row(kind, &key, &uid);
        }
    }

    /// As [`Cache::deleted`], for the object with this name and UID.
    pub fn deleted_row(&mut self, kind: Kind, key: &Key, uid: &Uid) {
        let ledger = &mut self.ledgers[kind as usize];
        ledger.bury(uid.clone(), true, &self.requests);
        ledger.sweep(&self.requests);
        if self
            .known(kind, key)
            .is_some_and(|(known, _)| known == *uid)
        {
            self.remove(kind, key);
        }
    }

    /// The API server answered that an object is gone (404, or another UID under its name).
    ///
    /// A pod that was live when it was last seen may have become terminal before it was gone, and
    /// then its successor has another name. So it counts as terminating until a watch or a list
    /// tells how it went. Where none does, its DaemonSet's pods are read after a moment
    /// ([`Cache::needs_pod_read`]).
    pub fn gone(&mut self, kind: Kind, key: &Key, uid: &Uid) {
        let known = self.known(kind, key);
        let is_it = known.is_some_and(|(known, _)| known == *uid);
        if is_it && kind == Kind::Pod && self.pods.gone_by_answer(key, self.now) {
            if let Some(pod) = self.pods.get(key).cloned() {
                self.mark_owner(key, &pod.controller, &pod.labels);
            }
            return;
        }
        self.ledgers[kind as usize].bury(uid.clone(), false, &self.requests);
        if is_it {
            self.remove(kind, key);
        }
    }

    /// A list of this kind begins. What is known stays valid.
    pub fn list_began(&mut self, kind: Kind) {
        self.ledgers[kind as usize].list_began(&mut self.requests);
        self.nameless.retain(|(k, _)| *k != kind);
    }

    /// The list holds this object.
    pub fn listed<'a>(
        &mut self,
        kind: Kind,
        raw: impl Into<Encoded<'a>>,
    ) -> Result<(), Box<DecodeError>> {
        self.take(kind, raw.into(), How::Listed)
    }

    /// The list broke off: it says nothing about objects that it did not hold.
    pub fn list_failed(&mut self, kind: Kind) {
        self.ledgers[kind as usize].list_dropped(&mut self.requests);
    }

    fn decode(&mut self, kind: Kind, raw: Encoded<'_>) -> (Option<Row>, Option<Box<DecodeError>>) {
        let interner = &mut self.interner;
        match kind {
            Kind::DaemonSet => {
                let decoded = wire::daemon_set::decode(raw, interner);
                let (ds, e) = split(decoded, wire::daemon_set::from_error);
                (ds.map(|ds| Row::DaemonSet(Box::new(ds))), e)
            }
            Kind::Node => {
                let decoded = wire::node::decode(raw, interner);
                let (node, e) = split(decoded, wire::node::from_error);
                (node.map(Row::Node), e)
            }
            Kind::Revision => {
                let decoded = wire::revision::decode(raw, interner);
                let (decoded, e) = split(decoded, wire::revision::from_error);
                let row = decoded.map(|(namespace, revision)| Row::Revision {
                    namespace,
                    revision,
                });
                (row, e)
            }
            Kind::Pod => {
                let decoded = wire::pod::decode(raw, interner);
                let (decoded, e) = split(decoded, wire::pod::from_error);
                let row = decoded.map(|d| Row::Pod {
                    namespace: d.namespace,
                    pod: d.pod,
                    node: d.node,
                    relevant: d.relevant,
                });
                (row, e)
            }
        }
    }
}

/// The object or what remains of it, and the error if there was one.
fn split<T>(
    result: Result<T, Box<DecodeError>>,
    rest: impl FnOnce(&DecodeError) -> Option<T>,
) -> (Option<T>, Option<Box<DecodeError>>) {
    match result {
        Ok(object) => (Some(object), None),
        Err(e) => (rest(&e), Some(e)),
    }
}
