//! The controller: watches fill the cache, workers sync DaemonSets that became dirty, and a signal
//! ends it.

use crate::wire::Encoding;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kube::Client;
use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    apply::{CarryOut, client::Api, events::events},
    cache::Cache,
    model::{Key, Kind, Settings},
};

use super::{
    conflict::{Conflict, OnConflict},
    leading::{KindList, Leading, SETTLE},
    lease::{Candidate, LeaderElection, Standing},
    list_watch::{self, Resource},
    monitor::{Monitor, Weight},
    pace::SYNC_GAP,
    queue::Queue,
    rollout_defaults::{self, DefaultsFile},
    shared::{Clock, Feed, Shared},
    sync::Syncer,
};

/// The time that requests in flight have to finish after a stop was asked for.
pub const GRACE: Duration = Duration::from_secs(10);

/// The timeout of a request. Webhooks may take 30 s.
const PATIENCE: Duration = Duration::from_secs(35);

/// The time after which a sync gives its worker to the next one, because the API server is slow to
/// answer it.
const SLOW: Duration = Duration::from_millis(250);

/// The time that events which are not written yet may delay the end of the process, and with it a
/// standby.
const EVENTS_GRACE: Duration = Duration::from_millis(300);

/// The interval at which the cache forgets what nothing needs any more.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The options of a controller.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// The namespace whose DaemonSets are synced; None for all namespaces.
    pub namespace: Option<String>,
    /// Workers: DaemonSets synced at the same time, not counting those that wait for a slow API
    /// server.
    pub concurrent_syncs: usize,
    /// The most creates in a plan, and the most deletes.
    pub burst: usize,
    /// The most requests of plans in flight at a time.
    pub max_in_flight: usize,
    /// Placement, feature gates, and what to do on leaving nodes.
    pub settings: Settings,
    /// The file with the cluster defaults of rollout control, where there is one.
    pub rollout_defaults: Option<DefaultsFile>,
    /// The election in which this process takes part. With None it syncs whatever other processes
    /// do.
    pub leader_election: Option<LeaderElection>,
    /// What follows when another DaemonSet controller is active.
    pub on_conflict: OnConflict,
    /// The form in which pods and nodes are asked for.
    pub encoding: Encoding,
    /// The seed of all jitter. The same seed and the same answers make the same requests.
    pub seed: u64,
}

/// The clients of a controller.
#[derive(Clone)]
pub struct Connections {
    /// For lists and watches.
    pub watches: Client,
    /// For single objects; behind the fence of the election, where there is one.
    pub writes: Client,
    /// For the Lease.
    pub lease: Client,
    /// The URL of the API server, for messages.
    pub server: String,
}

/// Runs until `shutdown` becomes true, or its sender is gone, and the requests in flight have
/// ended. `clock` is the wall clock, or a simulated one. `monitor` is told what happens.
pub async fn run(
    connections: Connections,
    options: ControllerOptions,
    clock: Clock,
    monitor: Arc<Monitor>,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut seeds = Seeds(options.seed);
    let queue = Queue::new(seeds.next(), SYNC_GAP);
    let mut cache = Cache::with(options.settings);
    if let Some(file) = &options.rollout_defaults {
        cache.set_rollout_defaults(file.defaults.clone());
    }
    let shared = Shared::new(cache, queue, clock.clone(), monitor.clone());
    monitor.attach(&shared.queue, &shared.pulse);
    let api = Api::new(connections.writes.clone(), options.max_in_flight, PATIENCE);
    let api = api.counted(monitor.clone());
    // Events have requests in flight of their own: they never wait for pods, nor pods for them.
    let event_api = Api::new(connections.writes.clone(), 2, PATIENCE).counted(monitor.clone());
    let event_clock = clock.clone();
    let (sink, publisher) = events(event_api, Arc::new(move || event_clock().timestamp()));
    // In a set, as all tasks here: dropping the future of this function ends them all.
    let mut publishers = JoinSet::new();
    publishers.spawn(publisher.run());
    let carry_out = CarryOut::new(
        api.clone(),
        shared.clone(),
        sink,
        options.settings,
        options.burst,
        options.max_in_flight,
    );
    let syncer = Arc::new(Syncer::new(
        shared.clone(),
        carry_out.clone(),
        api.clone(),
        options.settings,
    ));

    let (release, released) = watch::channel(false);
    let mut candidates = JoinSet::new();
    let standing = options.leader_election.clone().map(|election| {
        let (standing, stands) = watch::channel(Standing::default());
        monitor.add_check("leader", Weight::Informs, election_check(stands.clone()));
        let candidate = Candidate::new(
            election,
            connections.lease.clone(),
            connections.server.clone(),
            clock.clone(),
            seeds.next(),
            standing,
            monitor.clone(),
        );
        candidates.spawn(candidate.run(released));
        stands
    });

    let policy = options.on_conflict;
    let watched = Arc::downgrade(&monitor);
    monitor.add_check("conflict", Weight::Informs, move || {
        match watched.upgrade().is_some_and(|m| m.conflicts()) {
            false => Ok("no other DaemonSet controller is active".to_owned()),
            true if policy == OnConflict::StandBy => {
                Err("another DaemonSet controller is active; standing by".to_owned())
            }
            true => Err("another DaemonSet controller is active too".to_owned()),
        }
    });
    let conflict = Conflict::new(shared.clone(), carry_out, options.settings, policy);

    let mut tasks = JoinSet::new();
    tasks.spawn(conflict.run());
    let again: BTreeMap<Kind, Arc<Notify>> = Kind::ALL.map(|kind| (kind, Arc::default())).into();
    let list = |kind: Kind| KindList {
        kind,
        path: resource(kind, options.namespace.as_deref(), options.encoding).path,
        again: again[&kind].clone(),
    };
    let reads = Api::new(connections.watches.clone(), Kind::ALL.len(), PATIENCE);
    let leading = Leading::new(
        shared.clone(),
        reads.counted(monitor.clone()),
        Kind::ALL.map(list).into(),
        standing,
    );
    tasks.spawn(leading.run());
    tasks.spawn(watches(
        connections,
        options.clone(),
        shared.clone(),
        again,
        seeds.next(),
        shutdown.clone(),
    ));
    tasks.spawn({
        let shared = shared.clone();
        async move { shared.pulse.run().await }
    });
    tasks.spawn(sweep(shared.clone(), shutdown.clone()));
    if let Some(file) = options.rollout_defaults.clone() {
        tasks.spawn(rollout_defaults::follow(file, shared.clone()));
    }
    let mut workers = JoinSet::new();
    for _ in 0..options.concurrent_syncs.max(1) {
        workers.spawn(work(shared.clone(), syncer.clone(), shutdown.clone()));
    }

    // An error means that the sender is gone: nobody can ask for a stop any more, which is one too.
    let _ = shutdown.wait_for(|stop| *stop).await;
    tracing::info!(
        "shutting down: no new syncs, requests in flight have {} s to finish",
        GRACE.as_secs()
    );
    let deadline = Instant::now() + GRACE;
    shared.queue.close();
    api.close();
    tasks.shutdown().await;
    if timeout(GRACE, async {
        while workers.join_next().await.is_some() {}
    })
    .await
    .is_err()
    {
        tracing::warn!(
            "requests were still in flight after {} s and are aborted",
            GRACE.as_secs()
        );
        workers.shutdown().await;
    }
    // The last sinks go with the workers' syncer, so the publisher ends when all events are
    // written.
    drop(syncer);
    let left = deadline
        .saturating_duration_since(Instant::now())
        .min(EVENTS_GRACE);
    let _ = timeout(left, publishers.join_next()).await;
    // Last of all, because a standby begins as soon as the Lease is released.
    release.send_replace(true);
    while candidates.join_next().await.is_some() {}
    tracing::info!("stopped");
}

/// Lists and watches all kinds. The first lists are read one after another, pods last.
async fn watches(
    connections: Connections,
    options: ControllerOptions,
    shared: Arc<Shared>,
    again: BTreeMap<Kind, Arc<Notify>>,
    mut rng: StdRng,
    shutdown: watch::Receiver<bool>,
) {
    let mut all = JoinSet::new();
    let begun = Instant::now();
    for kind in Kind::ALL {
        let feed = Feed::new(kind, shared.clone());
        let again = again[&kind].clone();
        let resource = resource(kind, options.namespace.as_deref(), options.encoding);
        let seed = StdRng::from_rng(&mut rng);
        let (client, server) = (connections.watches.clone(), connections.server.clone());
        let shutdown = shutdown.clone();
        all.spawn(async move {
            list_watch::run(client, &server, resource, feed, seed, again, shutdown).await;
        });
        shared.wait_for(kind).await;
    }
    {
        let cache = shared.cache();
        tracing::info!(
            daemonsets = cache.daemon_sets().len(),
            nodes = cache.nodes().len(),
            pods = cache.pods(),
            "caches synced after {:.1} s",
            begun.elapsed().as_secs_f64()
        );
    }
    while all.join_next().await.is_some() {}
}

/// What is listed and watched of a kind. DaemonSets and revisions are read as JSON, because their
/// templates are kept as they are written.
fn resource(kind: Kind, namespace: Option<&str>, encoding: Encoding) -> Resource {
    let (group, plural, page_size) = match kind {
        Kind::DaemonSet => ("/apis/apps/v1", "daemonsets", 100),
        Kind::Node => ("/api/v1", "nodes", 100),
        Kind::Revision => ("/apis/apps/v1", "controllerrevisions", 100),
        Kind::Pod => ("/api/v1", "pods", 200),
    };
    let path = match namespace {
        Some(namespace) if kind != Kind::Node => format!("{group}/namespaces/{namespace}/{plural}"),
        _ => format!("{group}/{plural}"),
    };
    Resource {
        kind: kind.as_str(),
        path,
        field_selector: None,
        page_size,
        encoding: match kind {
            Kind::DaemonSet | Kind::Revision => Encoding::Json,
            Kind::Node | Kind::Pod => encoding,
        },
    }
}

/// One worker. Where a webhook or a namespace makes requests hang, it holds up only the DaemonSets
/// that it concerns.
async fn work(shared: Arc<Shared>, syncer: Arc<Syncer>, mut shutdown: watch::Receiver<bool>) {
    let mut slow = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = shutdown.wait_for(|stop| *stop) => break,
            () = shared.gate.opened() => {}
        }
        let key = tokio::select! {
            biased;
            () = shared.gate.closed() => continue,
            key = shared.queue.take() => key,
        };
        let Some(key) = key else { break };
        let mut sync = Box::pin(sync(shared.clone(), syncer.clone(), key));
        if timeout(SLOW, &mut sync).await.is_err() {
            slow.spawn(sync);
        }
        while slow.try_join_next().is_some() {}
    }
    while slow.join_next().await.is_some() {}
}

async fn sync(shared: Arc<Shared>, syncer: Arc<Syncer>, key: Key) {
    shared.pulse.rested(SETTLE).await;
    let outcome = syncer.sync(&key).await;
    shared.queue.done(&key, outcome);
    // Under the cache's lock: a DaemonSet that is created meanwhile is queued after this, not
    // before.
    let cache = shared.cache();
    if cache.daemon_set(&key).is_none() {
        shared.queue.forget(&key);
    }
}

/// The line of `/readyz` about the election.
fn election_check(standing: watch::Receiver<Standing>) -> impl Fn() -> Result<String, String> {
    move || {
        let standing = standing.borrow();
        Ok(match (&standing.leading_since, &standing.holder) {
            (Some(_), _) => "this replica is the leader".to_owned(),
            (None, Some(holder)) => format!("standing by, {holder} is the leader"),
            (None, None) => "no replica is the leader".to_owned(),
        })
    }
}

/// Lets the cache forget what nothing needs any more, at intervals.
async fn sweep(shared: Arc<Shared>, shutdown: watch::Receiver<bool>) {
    let mut next = Instant::now();
    while !*shutdown.borrow() {
        next += SWEEP_EVERY;
        sleep_until(next).await;
        let now = (shared.clock)();
        shared.cache().sweep(now);
    }
}

/// Makes a generator for each part that needs jitter.
struct Seeds(u64);

impl Seeds {
    fn next(&mut self) -> StdRng {
        self.0 = self.0.wrapping_add(1);
        StdRng::seed_from_u64(self.0)
    }
}
