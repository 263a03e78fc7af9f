//! How the cache is fed: objects as JSON, by a list, by a watch, or as the answer to a request.

use serde_json::value::RawValue;

use crate::{
    model::{Key, Kind, Uid, Version},
    wire::{self, DecodeError},
};

use super::{Cache, ledger::Admission};

/// A decoded object, or what remains of one that did not decode.
enum Object {
    DaemonSet(Box<crate::model::DaemonSet>),
    Node(crate::model::Node),
    Revision(crate::model::Revision),
    Pod {
        pod: crate::model::Pod,
        node: Option<crate::model::Str>,
        relevant: bool,
    },
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

struct Decoded {
    key: Key,
    uid: Uid,
    version: Version,
    object: Object,
}

impl Cache {
    /// Takes in a state of an object, wherever it comes from. Does nothing when the cache has this
    /// state or a newer one.
    ///
    /// An object that does not decode is not gone: what can be read of it is kept, and its place
    /// counts as taken. The error is for the log.
    pub fn observe(&mut self, kind: Kind, raw: &RawValue) -> Result<(), Box<DecodeError>> {
        self.take(kind, raw, How::News)
    }

    /// As [`Cache::observe`], for a pod that holds a name we wanted: it is kept, whichever its
    /// owner.
    pub fn observe_holder(&mut self, raw: &RawValue) -> Result<(), Box<DecodeError>> {
        self.take(Kind::Pod, raw, How::Holder)
    }

    fn take(&mut self, kind: Kind, raw: &RawValue, how: How) -> Result<(), Box<DecodeError>> {
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
        let Some(Decoded {
            key,
            uid,
            version,
            object,
        }) = decoded
        else {
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
        if how == How::Listed {
            self.ledgers[kind as usize].listed(key.clone());
        }
        let known = self.known(kind, &key);
        let ledger = &mut self.ledgers[kind as usize];
        if known.is_none() && how != How::Listed && ledger.predates_list(version, &self.requests) {
            return result;
        }
        match ledger.admit(known.as_ref().map(|(u, v)| (u, *v)), &uid, version) {
            Admission::Stale => return result,
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
        match object {
            Object::DaemonSet(daemon_set) => self.put_daemon_set(key, *daemon_set),
            Object::Node(node) => self.put_node(node),
            Object::Revision(revision) => self.put_revision(key, revision),
            // A pod that was kept is always kept: after a change of its owner it still holds its
            // name.
            Object::Pod {
                pod,
                node,
                relevant,
            } if relevant || how == How::Holder || known.is_some() => {
                // A pod in a list may have been there for long.
                if how == How::News && known.is_none() {
                    self.pod_appeared(&pod);
                    self.young_pod(&pod, node.as_deref());
                }
                self.put_pod(key, pod, node.as_deref());
            }
            Object::Pod { .. } => {}
        }
        result
    }

    /// A watch told that an object was deleted.
    pub fn deleted(&mut self, kind: Kind, raw: &RawValue) {
        // Without a name and UID the cache cannot tell which object is gone; the next list will.
        let Some(wire::Identity { key, uid, .. }) = wire::identity(raw) else {
            return;
        };
        let ledger = &mut self.ledgers[kind as usize];
        ledger.bury(uid.clone(), true, &self.requests);
        ledger.sweep(&self.requests);
        if self
            .known(kind, &key)
            .is_some_and(|(known, _)| known == uid)
        {
            self.remove(kind, &key);
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
    pub fn listed(&mut self, kind: Kind, raw: &RawValue) -> Result<(), Box<DecodeError>> {
        self.take(kind, raw, How::Listed)
    }

    /// The list broke off: it says nothing about objects that it did not hold.
    pub fn list_failed(&mut self, kind: Kind) {
        self.ledgers[kind as usize].list_dropped(&mut self.requests);
    }

    /// The list is complete, and as of `version`: objects that it does not hold, and that are not
    /// newer, are gone.
    pub fn list_completed(&mut self, kind: Kind, version: Version) {
        let rows: Vec<(Key, Uid, Version)> = match kind {
            Kind::DaemonSet => self
                .daemon_sets
                .iter()
                .map(|(k, e)| (k.clone(), e.daemon_set.uid.clone(), e.daemon_set.version))
                .collect(),
            Kind::Node => self
                .nodes
                .iter()
                .map(|(_, n)| (Key::new("", n.name.clone()), n.uid.clone(), n.version))
                .collect(),
            Kind::Revision => self
                .revisions
                .iter()
                .map(|(k, r)| (k.clone(), r.uid.clone(), r.version))
                .collect(),
            Kind::Pod => self
                .pods
                .iter()
                .map(|(k, p)| (k.clone(), p.uid.clone(), p.version))
                .collect(),
        };
        let was_synced = self.is_synced();
        let ledger = &mut self.ledgers[kind as usize];
        let gone = ledger.list_completed(
            version,
            rows.iter().map(|(k, _, v)| (k, *v)),
            &mut self.requests,
        );
        for key in gone {
            if let Some((uid, _)) = self.known(kind, &key) {
                self.ledgers[kind as usize].bury(uid, true, &self.requests);
            }
            self.remove(kind, &key);
        }
        self.ledgers[kind as usize].sweep(&self.requests);
        self.interner.sweep();
        if !was_synced && self.is_synced() {
            let all = self.daemon_sets();
            self.dirty.extend(all);
        }
    }

    fn decode(
        &mut self,
        kind: Kind,
        raw: &RawValue,
    ) -> (Option<Decoded>, Option<Box<DecodeError>>) {
        let interner = &mut self.interner;
        match kind {
            Kind::DaemonSet => {
                let (ds, e) = split(
                    wire::daemon_set::decode(raw, interner),
                    wire::daemon_set::from_error,
                );
                let decoded = ds.map(|ds| Decoded {
                    key: Key::new(ds.namespace.clone(), ds.name.clone()),
                    uid: ds.uid.clone(),
                    version: ds.version,
                    object: Object::DaemonSet(Box::new(ds)),
                });
                (decoded, e)
            }
            Kind::Node => {
                let (node, e) = split(wire::node::decode(raw, interner), wire::node::from_error);
                let decoded = node.map(|n| Decoded {
                    key: Key::new("", n.name.clone()),
                    uid: n.uid.clone(),
                    version: n.version,
                    object: Object::Node(n),
                });
                (decoded, e)
            }
            Kind::Revision => {
                let (revision, e) = split(
                    wire::revision::decode(raw, interner),
                    wire::revision::from_error,
                );
                let decoded = revision.map(|(namespace, r)| Decoded {
                    key: Key::new(namespace, r.name.clone()),
                    uid: r.uid.clone(),
                    version: r.version,
                    object: Object::Revision(r),
                });
                (decoded, e)
            }
            Kind::Pod => {
                let (pod, e) = split(wire::pod::decode(raw, interner), wire::pod::from_error);
                let decoded = pod.map(|d| Decoded {
                    key: Key::new(d.namespace, d.pod.name.clone()),
                    uid: d.pod.uid.clone(),
                    version: d.pod.version,
                    object: Object::Pod {
                        pod: d.pod,
                        node: d.node,
                        relevant: d.relevant,
                    },
                });
                (decoded, e)
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
