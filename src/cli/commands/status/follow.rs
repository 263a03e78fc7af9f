//! Follows a rollout by watches: a new plan is made when something changed that concerns it, or at
//! the time that the plan names. Nothing is polled.

use crate::wire::{Encoded, Encoding};
use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::{SeedableRng, rngs::StdRng};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::sleep,
};

use crate::{
    apply::client::verbs::Verb,
    cache::Cache,
    cli::{
        commands::{cluster::Cluster, error::CommandError, object::Object},
        plan::cluster::path,
        program,
    },
    model::{Key, Kind, Settings, Time, Version},
    runtime::list_watch::{self, Resource, Sink},
};

use super::report::Status;

/// Changes within this time are shown together.
const COALESCE: Duration = Duration::from_millis(100);

/// The least time before a plan is made anew because a time has come.
const LEAST: Duration = Duration::from_millis(500);

/// Objects in a page of a list.
const PAGE_SIZE: u32 = 500;

/// What the watches tell.
struct Known {
    key: Key,
    state: Mutex<Seen>,
    /// Notified when something changed that concerns the DaemonSet.
    changed: Notify,
}

struct Seen {
    cache: Cache,
    /// The DaemonSet as it came; None while it is not there.
    object: Option<Object>,
    /// Why it cannot be watched.
    failure: Option<String>,
}

impl Known {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows the status after each change, until `show` ends it. An error where the DaemonSet is gone,
/// or cannot be watched.
pub async fn follow(
    cluster: &Cluster,
    key: &Key,
    settings: Settings,
    mut show: impl FnMut(&Status) -> Result<ControlFlow<()>, CommandError>,
) -> Result<(), CommandError> {
    let mut cache = Cache::with(settings);
    cluster.apply_defaults(&mut cache);
    let known = Arc::new(Known {
        key: key.clone(),
        state: Mutex::new(Seen {
            cache,
            object: None,
            failure: None,
        }),
        changed: Notify::new(),
    });
    let (stop, stopped) = watch::channel(false);
    let mut watches = JoinSet::new();
    for kind in Kind::ALL {
        let namespace = (kind != Kind::Node).then_some(&*key.namespace);
        let is_ours = kind == Kind::DaemonSet;
        let resource = Resource {
            kind: kind.as_str(),
            path: path(kind, namespace),
            field_selector: is_ours.then(|| format!("metadata.name={}", key.name)),
            page_size: PAGE_SIZE,
            encoding: Encoding::Json,
        };
        let sink = Feed {
            kind,
            known: known.clone(),
        };
        let (client, server) = (
            cluster.clients.watches.clone(),
            cluster.clients.server.clone(),
        );
        let rng = StdRng::seed_from_u64(rand::random());
        let stopped = stopped.clone();
        watches.spawn(async move {
            let again = Arc::default();
            list_watch::run(client, &server, resource, sink, rng, again, stopped).await;
        });
    }
    let mut wake: Option<Duration> = None;
    let result = loop {
        let timer = async {
            match wake {
                Some(time) => sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = known.changed.notified() => sleep(COALESCE).await,
            () = timer => {}
        }
        let now = Time::from(jiff::Timestamp::now());
        match status(&known, settings, now) {
            Ok(None) => {}
            Ok(Some((status, again))) => {
                wake = again.map(|at| at.since(now).max(LEAST));
                match show(&status) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => break Ok(()),
                    Err(why) => break Err(why),
                }
            }
            Err(why) => break Err(why),
        }
    };
    drop(stop);
    result
}

/// The status as it is known now; None while not every kind has been listed.
fn status(
    known: &Known,
    settings: Settings,
    now: Time,
) -> Result<Option<(Status, Option<Time>)>, CommandError> {
    let mut seen = known.seen();
    if let Some(why) = seen.failure.take() {
        return Err(CommandError::Cluster(why));
    }
    if !seen.cache.is_synced() {
        return Ok(None);
    }
    seen.cache.tick(now);
    let object = seen.object.clone();
    let status = object.and_then(|object| {
        seen.cache.snapshot(&known.key, settings, |snapshot| {
            Status::new(snapshot, &object, now, program::name())
        })
    });
    let gone = || CommandError::Input(format!("there is no DaemonSet {} any more", known.key));
    status.ok_or_else(gone).map(Some)
}

/// The sink of one kind.
struct Feed {
    kind: Kind,
    known: Arc<Known>,
}

impl Feed {
    fn feed(&self, f: impl FnOnce(&mut Cache)) {
        let mut seen = self.known.seen();
        seen.cache.tick(Time::from(jiff::Timestamp::now()));
        f(&mut seen.cache);
        let dirty = seen.cache.take_dirty();
        drop(seen);
        if dirty.contains(&self.known.key) {
            self.known.changed.notify_one();
        }
    }

    /// Takes in the DaemonSet itself: its conditions are no matter of the cache.
    fn object(&self, item: Option<Encoded<'_>>) {
        if self.kind != Kind::DaemonSet {
            return;
        }
        let value = item.and_then(Encoded::as_json);
        let value = value.and_then(|json| serde_json::from_str(json.get()).ok());
        self.known.seen().object = value.and_then(Object::new);
        self.known.changed.notify_one();
    }
}

impl Sink for Feed {
    fn asked(&mut self, verb: Verb, outcome: &'static str) {
        if outcome != "forbidden" {
            return;
        }
        let kind = self.kind.as_str();
        let verb = verb.as_str();
        self.known.seen().failure = Some(format!(
            "cannot {verb} objects of kind {kind}: denied (403); grant get, list and watch on daemonsets, \
             controllerrevisions, pods and nodes to this identity, or leave out --watch and --wait, which need watch"
        ));
        self.known.changed.notify_one();
    }

    fn list_began(&mut self) {
        self.feed(|cache| cache.list_began(self.kind));
    }

    fn listed(&mut self, item: Encoded<'_>) {
        // What cannot be decoded keeps its place, as for the controller.
        self.feed(|cache| drop(cache.listed(self.kind, item)));
        self.object(Some(item));
    }

    fn list_completed(&mut self, version: &str) {
        self.feed(|cache| cache.list_completed(self.kind, Version::parse(version)));
        self.known.changed.notify_one();
    }

    fn list_failed(&mut self) {
        self.feed(|cache| cache.list_failed(self.kind));
    }

    fn changed(&mut self, item: Encoded<'_>) {
        self.feed(|cache| drop(cache.observe(self.kind, item)));
        self.object(Some(item));
    }

    fn deleted(&mut self, item: Encoded<'_>) {
        self.feed(|cache| cache.deleted(self.kind, item));
        self.object(None);
    }

    fn bookmark(&mut self, _version: &str) {}
}
