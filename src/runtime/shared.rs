//! The cache and the queue, as watches, workers and answers share them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::value::RawValue;
use tokio::{sync::watch, time::Instant};

use crate::{
    apply::Known,
    cache::Cache,
    model::{BackoffChange, Key, Kind, Time, Uid, Version},
    wire::DecodeError,
};

use super::{list_watch::Sink, pulse::Pulse, queue::Queue};

/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// What is known, and what is to be planned.
pub struct Shared {
    cache: Mutex<Cache>,
    /// DaemonSets to plan.
    pub queue: Queue<Key>,
    /// The wall clock.
    pub clock: Clock,
    /// Whether the process runs on without a halt.
    pub pulse: Pulse,
    /// Which kinds have been listed, for whoever waits for one.
    synced: watch::Sender<BTreeMap<&'static str, bool>>,
    /// What could not be decoded and has been said: kind and name to the reason.
    said: Mutex<BTreeMap<(&'static str, String), String>>,
}

impl Shared {
    /// Shares a cache and a queue.
    pub fn new(cache: Cache, queue: Queue<Key>, clock: Clock) -> Arc<Shared> {
        let synced = Kind::ALL.into_iter().map(|k| (k.as_str(), false)).collect();
        Arc::new(Shared {
            cache: Mutex::new(cache),
            queue,
            clock,
            pulse: Pulse::default(),
            synced: watch::Sender::new(synced),
            said: Mutex::default(),
        })
    }

    /// The cache, locked. Never held across an await.
    pub fn cache(&self) -> MutexGuard<'_, Cache> {
        // A panic while it was held would have left half a change: the next list repairs rows, and plans
        // only read.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when this kind has been listed once.
    pub async fn wait_for(&self, kind: Kind) {
        let mut synced = self.synced.subscribe();
        // The sender lives as long as self does.
        let _ = synced.wait_for(|s| s[kind.as_str()]).await;
    }

    /// Feeds the cache and queues what became dirty by it.
    fn feed<R>(&self, f: impl FnOnce(&mut Cache) -> R) -> R {
        let (result, dirty) = {
            let now = (self.clock)();
            let mut cache = self.cache();
            cache.tick(now);
            let result = f(&mut cache);
            (result, cache.take_dirty())
        };
        for key in dirty {
            self.queue.add(key);
        }
        result
    }

    fn observe(
        &self,
        raw: &RawValue,
        f: impl FnOnce(&mut Cache, &RawValue) -> Result<(), Box<DecodeError>>,
    ) {
        if let Err(e) = self.feed(|cache| f(cache, raw)) {
            self.say(&e);
        }
    }

    /// Says once of an object that it cannot be decoded.
    fn say(&self, e: &DecodeError) {
        let name = format!(
            "{}/{}",
            e.namespace.as_deref().unwrap_or(""),
            e.name.as_deref().unwrap_or("")
        );
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert((e.kind, name), e.why.clone()).as_ref() != Some(&e.why) {
            tracing::warn!(
                kind = e.kind,
                namespace = e.namespace.as_deref(),
                name = e.name.as_deref(),
                "{e}; it counts as present and is left alone"
            );
        }
        // Names of pods come and go: what was said long ago may be said again.
        while said.len() > 1000 {
            said.pop_first();
        }
    }
}

impl Known for Shared {
    fn observe(&self, kind: Kind, raw: &RawValue) {
        Shared::observe(self, raw, |cache, raw| cache.observe(kind, raw));
    }

    fn holder(&self, raw: &RawValue) {
        Shared::observe(self, raw, |cache, raw| cache.observe_holder(raw));
    }

    fn gone(&self, kind: Kind, key: &Key, uid: &Uid) {
        self.feed(|cache| cache.gone(kind, key, uid));
    }

    fn has_other_pod(&self, daemon_set: &Key, node: &str, seen: &[Uid]) -> bool {
        self.cache().has_other_pod(daemon_set, node, seen)
    }

    fn halted_since(&self, then: Instant) -> bool {
        self.pulse.halted_since(then)
    }

    fn delete_pending(&self, key: &Key, uid: &Uid) -> bool {
        self.cache().delete_pending(key, uid)
    }

    fn delete_settled(&self, key: &Key, uid: &Uid) {
        self.cache().delete_settled(key, uid);
    }

    fn attempt(&self, change: &BackoffChange) {
        let now = (self.clock)();
        self.cache().attempt(std::slice::from_ref(change), now);
    }
}

/// Takes what the list and watch of one kind bring.
pub struct Feed {
    /// The kind.
    pub kind: Kind,
    /// Where it goes.
    pub shared: Arc<Shared>,
}

impl Sink for Feed {
    fn list_began(&mut self) {
        self.shared.feed(|cache| cache.list_began(self.kind));
    }

    fn listed(&mut self, item: &RawValue) {
        self.shared
            .observe(item, |cache, raw| cache.listed(self.kind, raw));
    }

    fn list_completed(&mut self, version: &str) {
        self.shared
            .feed(|cache| cache.list_completed(self.kind, Version::parse(version)));
        self.shared.synced.send_if_modified(|synced| {
            let was = synced.insert(self.kind.as_str(), true);
            was != Some(true)
        });
    }

    fn list_failed(&mut self) {
        self.shared.feed(|cache| cache.list_failed(self.kind));
    }

    fn changed(&mut self, item: &RawValue) {
        self.shared
            .observe(item, |cache, raw| cache.observe(self.kind, raw));
    }

    fn deleted(&mut self, item: &RawValue) {
        self.shared.feed(|cache| cache.deleted(self.kind, item));
    }

    fn bookmark(&mut self, _version: &str) {}
}
