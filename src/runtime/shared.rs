//! The cache and the queue, as watches, workers and answers share them.

use crate::wire::Encoded;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::{sync::watch, time::Instant};

use crate::{
    apply::{
        Action, Observer, Presence,
        client::{
            Tally,
            fence::WallClock,
            verbs::{Resource, Verb},
        },
    },
    cache::{AppearedPod, Cache},
    model::{
        BackoffChange, Key, Kind, MissingPod, RolloutDefaults, Str, Tenure, Uid, Unallowed, Version,
    },
    plan::names,
    wire::DecodeError,
};

use super::{
    foreign_pods::{ForeignPod, ForeignPods},
    gate::Gate,
    list_watch::Sink,
    monitor::Monitor,
    pulse::Pulse,
    queue::Queue,
};

/// Returns the current time.
pub type Clock = WallClock;

/// The position that the list and watch of a kind have reached.
#[derive(Clone, Copy, Default, Debug)]
struct WatchPosition {
    /// When the last list that completed began; None before the first.
    listed: Option<Instant>,
    /// Everything up to this resourceVersion is in the cache.
    seen: Version,
}

/// The cache, the queue, and what belongs to them.
pub struct Shared {
    cache: Mutex<Cache>,
    /// The DaemonSets that are to be synced.
    pub queue: Arc<Queue<Key>>,
    /// The wall clock, or a simulated one.
    pub clock: Clock,
    /// Notices halts of the process.
    pub pulse: Arc<Pulse>,
    /// Counts what happens, for metrics and health.
    pub monitor: Arc<Monitor>,
    /// Closed while no DaemonSet may be synced.
    pub gate: Gate,
    /// The foreign pods so far.
    foreign_pods: watch::Sender<ForeignPods>,
    /// The position of each kind; whoever waits for one subscribes.
    positions: watch::Sender<[WatchPosition; Kind::ALL.len()]>,
    /// The objects of which it was logged that they cannot be decoded: kind and name to the reason.
    logged: Mutex<BTreeMap<(&'static str, String), String>>,
}

impl Shared {
    /// Puts a cache and a queue together. `monitor` is told what is read of the cluster.
    pub fn new(
        cache: Cache,
        queue: Queue<Key>,
        clock: Clock,
        monitor: Arc<Monitor>,
    ) -> Arc<Shared> {
        Arc::new(Shared {
            cache: Mutex::new(cache),
            queue: Arc::new(queue),
            clock,
            pulse: Arc::default(),
            monitor,
            gate: Gate::default(),
            foreign_pods: watch::Sender::default(),
            positions: watch::Sender::default(),
            logged: Mutex::default(),
        })
    }

    /// The cache, locked. Never held across an await.
    pub fn cache(&self) -> MutexGuard<'_, Cache> {
        // A panic with the lock held would have left half a change behind: the next list repairs
        // rows, and plans only read.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of foreign pods: pods of our DaemonSets that another controller creates while this
    /// process syncs.
    pub fn foreign_pods(&self) -> watch::Receiver<ForeignPods> {
        self.foreign_pods.subscribe()
    }

    /// This process may sync: all DaemonSets are queued. Pods that appear with a version later than
    /// `pods`, and later than everything seen so far, may be foreign. `tenure` is what is known of
    /// creates that others sent.
    pub fn begin(&self, pods: Version, tenure: Tenure) {
        let seen = self.positions.borrow()[Kind::Pod as usize].seen;
        let mut cache = self.cache();
        cache.report_appeared(Some(seen.max(pods)));
        cache.begin_tenure(tenure);
        drop(cache);
        self.gate.lead(true);
        self.resume();
    }

    /// Nothing holds this process back any more: all DaemonSets are queued.
    pub fn resume(&self) {
        self.gate.hold(false);
        for key in self.cache().daemon_sets() {
            self.queue.add(key);
        }
    }

    /// This process may not sync any more.
    pub fn end(&self) {
        self.gate.lead(false);
        self.cache().report_appeared(None);
    }

    /// Returns when this kind has been listed once.
    pub async fn wait_for(&self, kind: Kind) {
        self.until(kind, |p| p.listed.is_some()).await;
    }

    /// When the last list of this kind that completed began; None before the first.
    pub fn listed_since(&self, kind: Kind) -> Option<Instant> {
        self.positions.borrow()[kind as usize].listed
    }

    /// Returns when a list of this kind has completed that began at `then` or later.
    pub async fn wait_for_list(&self, kind: Kind, then: Instant) {
        self.until(kind, |p| p.listed >= Some(then)).await;
    }

    /// Returns when everything of this kind up to `version` is in the cache.
    pub async fn wait_for_version(&self, kind: Kind, version: Version) {
        self.until(kind, |p| p.seen >= version).await;
    }

    async fn until(&self, kind: Kind, there: impl Fn(&WatchPosition) -> bool) {
        let mut positions = self.positions.subscribe();
        // An error is not possible: the sender lives as long as self.
        let _ = positions.wait_for(|all| there(&all[kind as usize])).await;
    }

    fn advance(&self, kind: Kind, f: impl FnOnce(&mut WatchPosition)) {
        self.positions.send_modify(|all| f(&mut all[kind as usize]));
    }

    /// From now on these are the cluster defaults; returns for how many DaemonSets that changes
    /// something. They are planned for anew.
    pub fn set_rollout_defaults(&self, defaults: RolloutDefaults) -> usize {
        self.feed(|cache| cache.set_rollout_defaults(defaults))
    }

    /// Feeds the cache, and queues the DaemonSets that became dirty.
    fn feed<R>(&self, f: impl FnOnce(&mut Cache) -> R) -> R {
        let (result, dirty, appeared) = {
            let now = (self.clock)();
            let mut cache = self.cache();
            cache.tick(now);
            let result = f(&mut cache);
            (result, cache.take_dirty(), cache.take_appeared())
        };
        for AppearedPod { daemon_set, pod } in appeared {
            if names::is_generated(&daemon_set.name, &pod) {
                let foreign = ForeignPod { daemon_set, pod };
                self.foreign_pods.send_modify(|pods| pods.add(foreign));
            }
        }
        for key in dirty {
            self.queue.add(key);
        }
        result
    }

    fn observe(
        &self,
        kind: Kind,
        raw: Encoded<'_>,
        f: impl FnOnce(&mut Cache, Encoded<'_>) -> Result<(), Box<DecodeError>>,
    ) {
        if let Err(e) = self.feed(|cache| f(cache, raw)) {
            self.monitor.undecodable(kind);
            self.log_undecodable(&e);
        }
    }

    /// Logs once that an object cannot be decoded.
    fn log_undecodable(&self, e: &DecodeError) {
        let name = format!(
            "{}/{}",
            e.namespace.as_deref().unwrap_or(""),
            e.name.as_deref().unwrap_or("")
        );
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.insert((e.kind, name), e.why.clone()).as_ref() != Some(&e.why) {
            tracing::warn!(
                kind = e.kind,
                namespace = e.namespace.as_deref(),
                name = e.name.as_deref(),
                "{e}; it counts as present and is left alone"
            );
        }
        // Names of pods come and go: an old warning may be repeated.
        while logged.len() > 1000 {
            logged.pop_first();
        }
    }
}

impl Observer for Shared {
    fn observe(&self, kind: Kind, raw: &RawValue) {
        Shared::observe(self, kind, raw.into(), |cache, raw| {
            cache.observe(kind, raw)
        });
    }

    fn observe_holder(&self, raw: &RawValue) {
        Shared::observe(self, Kind::Pod, raw.into(), |cache, raw| {
            cache.observe_holder(raw)
        });
    }

    fn gone(&self, kind: Kind, key: &Key, uid: &Uid) {
        self.feed(|cache| cache.gone(kind, key, uid));
    }

    fn missing_pods(
        &self,
        daemon_set: &Key,
        uid: &Uid,
        version: Version,
        listed: &BTreeSet<Uid>,
    ) -> Vec<MissingPod> {
        self.cache().missing_pods(daemon_set, uid, version, listed)
    }

    fn missing_pod_gone(&self, pod: &MissingPod) {
        self.feed(|cache| cache.missing_pod_gone(pod));
    }

    fn stored_data(&self, key: &Key, uid: &Uid, data: Option<&[u8]>) {
        self.cache().stored_data(key, uid, data);
    }

    fn has_other_pod(&self, daemon_set: &Key, node: &str, seen: &[Uid]) -> bool {
        self.cache().has_other_pod(daemon_set, node, seen)
    }

    fn interrupted_since(&self, then: Instant) -> bool {
        self.pulse.halted_since(then) || !self.gate.is_open()
    }

    fn delete_pending(&self, key: &Key, uid: &Uid) -> Presence {
        if self.cache().delete_pending(key, uid) {
            Presence::Present
        } else {
            Presence::Gone
        }
    }

    fn delete_settled(&self, key: &Key, uid: &Uid) {
        self.cache().delete_settled(key, uid);
    }

    fn attempt(&self, change: &BackoffChange) {
        let now = (self.clock)();
        self.cache().attempt(std::slice::from_ref(change), now);
    }

    fn create_unsettled(&self, daemon_set: &Key, node: &Str, name: &Str) {
        let now = (self.clock)();
        self.cache().create_unsettled(daemon_set, node, name, now);
    }

    fn eviction_refused(
        &self,
        daemon_set: &Key,
        pod: &Uid,
        why: Unallowed,
        at_least: Option<Duration>,
    ) -> bool {
        let now = (self.clock)();
        let mut cache = self.cache();
        cache.eviction_refused(daemon_set, pod, why, at_least, now)
    }

    fn eviction_failed(&self, daemon_set: &Key, pod: &Uid) {
        self.cache().eviction_failed(daemon_set, pod);
    }

    fn acted(&self, action: Action) {
        self.monitor.acted(action);
    }
}

/// The sink of the list and watch of one kind: it feeds the cache.
pub struct Feed {
    /// The kind that is listed and watched.
    pub kind: Kind,
    /// The cache that is fed.
    pub shared: Arc<Shared>,
    /// When the list that is being read began.
    began: Instant,
    /// The version of the last list that was complete.
    version: Version,
}

/// How many objects are looked at with the cache locked, to settle what a list lacked: about a
/// millisecond.
pub const SETTLE_STEP: usize = 4096;

impl Feed {
    /// A sink that feeds the cache of `shared` with objects of this kind.
    pub fn new(kind: Kind, shared: Arc<Shared>) -> Feed {
        Feed {
            kind,
            shared,
            began: Instant::now(),
            version: Version::default(),
        }
    }

    fn resource(&self) -> Resource {
        match self.kind {
            Kind::DaemonSet => Resource::DaemonSets,
            Kind::Node => Resource::Nodes,
            Kind::Revision => Resource::Revisions,
            Kind::Pod => Resource::Pods,
        }
    }

    /// The API server sent something.
    fn told(&self) {
        self.shared.monitor.watched(self.kind, |w, now| w.told(now));
    }
}

impl Sink for Feed {
    fn asked(&mut self, verb: Verb, outcome: &'static str) {
        let monitor = &self.shared.monitor;
        monitor.called(verb, self.resource(), outcome);
        monitor.watched(self.kind, |w, now| w.asked(outcome == "ok", now));
    }

    fn list_began(&mut self) {
        self.began = Instant::now();
        let monitor = &self.shared.monitor;
        monitor.watched(self.kind, |w, now| w.list_began(now));
        self.shared.feed(|cache| cache.list_began(self.kind));
    }

    fn listed(&mut self, item: Encoded<'_>) {
        self.shared
            .observe(self.kind, item, |cache, raw| cache.listed(self.kind, raw));
    }

    fn list_completed(&mut self, version: &str) {
        self.version = Version::parse(version);
        let (kind, version) = (self.kind, self.version);
        self.shared.feed(|cache| cache.list_ended(kind, version));
    }

    fn settle(&mut self) -> bool {
        let kind = self.kind;
        let is_settled = self.shared.feed(|cache| cache.settle(kind, SETTLE_STEP));
        if is_settled {
            let monitor = &self.shared.monitor;
            monitor.watched(kind, |w, _| w.listed = true);
            let (began, version) = (self.began, self.version);
            self.shared.advance(kind, |p| {
                p.listed = Some(began);
                p.seen = version;
            });
        }
        is_settled
    }

    fn list_failed(&mut self) {
        self.shared.feed(|cache| cache.list_failed(self.kind));
    }

    fn changed(&mut self, item: Encoded<'_>) {
        self.told();
        self.shared
            .observe(self.kind, item, |cache, raw| cache.observe(self.kind, raw));
    }

    fn deleted(&mut self, item: Encoded<'_>) {
        self.told();
        self.shared.feed(|cache| cache.deleted(self.kind, item));
    }

    fn bookmark(&mut self, _version: &str) {
        self.told();
    }

    fn watching(&mut self, is_open: bool) {
        if self.kind == Kind::Pod {
            self.shared.feed(|cache| cache.pods_watched(is_open));
        }
    }

    fn seen(&mut self, version: &str) {
        let version = Version::parse(version);
        self.shared.advance(self.kind, |p| p.seen = version);
    }
}
