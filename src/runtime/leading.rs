//! When this process syncs: while it is the leader, and once its cache is as fresh as its election.
//!
//! A standby keeps its caches filled, so that it need not read the cluster when it becomes the
//! leader. But its watches may have been silent unnoticed. So before it plans it checks each kind:
//! it asks for the API server's current resourceVersion, and waits a moment until the watch has
//! reached that version or a later one. On a busy cluster it has. A watch where nothing happens
//! brings nothing, and then the kind is read again: all of it, or, of pods, those of each DaemonSet
//! before it is planned for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep_until, timeout},
};

use crate::{
    apply::client::Api,
    model::{Kind, Tenure, Version, gone_pods::FORGOTTEN, unsettled::LATEST},
};

use super::{lease::Standing, list_watch::Page, shared::Shared};

/// The time that the watch of a kind has to reach the API server's version before the kind is read
/// again.
const GLANCE: Duration = Duration::from_millis(100);

/// The time from the end of the first lists to the first sync, and from the end of a halt of the
/// process to the next sync.
///
/// A controller that starts cannot know which pod was last on a node that it finds empty, and so
/// not which name another controller would give to the next pod there (docs/design.md, "Names"). If
/// another controller is active, within this time its pod appears, or it has forgotten the last
/// pod, too. A controller that was halted knows no more than one that starts.
pub const SETTLE: Duration = FORGOTTEN;

/// The list of a kind, as the check of its freshness needs it.
pub struct KindList {
    /// The kind that is listed.
    pub kind: Kind,
    /// The path of the list, e.g. `/api/v1/pods`.
    pub path: String,
    /// Makes the loop of list and watch list again.
    pub again: Arc<Notify>,
}

/// Opens and closes the gate.
pub struct Leading {
    shared: Arc<Shared>,
    api: Api,
    lists: Vec<KindList>,
    /// The state of the election; None where there is none, and every process syncs.
    standing: Option<watch::Receiver<Standing>>,
    /// The last warning about a version, so that it is logged once.
    logged: Mutex<Option<String>>,
}

impl Leading {
    /// A gate for these kinds, read through `api`. `standing` is None where there is no election.
    pub fn new(
        shared: Arc<Shared>,
        api: Api,
        lists: Vec<KindList>,
        standing: Option<watch::Receiver<Standing>>,
    ) -> Leading {
        Leading {
            shared,
            api,
            lists,
            standing,
            logged: Mutex::default(),
        }
    }

    /// Opens the gate whenever this process may sync, until the election ends.
    pub async fn run(mut self) {
        for kind in Kind::ALL {
            self.shared.wait_for(kind).await;
        }
        let settled = Instant::now() + SETTLE;
        while let Ok(since) = self.elected().await {
            let ready = async {
                let mut pods = Version::default();
                if let Some(since) = since {
                    let versions =
                        join_all(self.lists.iter().map(|list| self.make_sure(list, since)));
                    let versions = self.lists.iter().zip(versions.await);
                    let of_pods = versions.filter(|(list, _)| list.kind == Kind::Pod);
                    pods = of_pods
                        .map(|(_, version)| version)
                        .max()
                        .unwrap_or_default();
                }
                sleep_until(settled).await;
                pods
            };
            let pods = tokio::select! {
                biased;
                () = lost(self.standing.clone(), since) => continue,
                pods = ready => pods,
            };
            self.shared.monitor.set_leader(true);
            tracing::info!("started syncing");
            self.shared.begin(pods, self.tenure());
            lost(self.standing.clone(), since).await;
            self.shared.end();
            self.shared.monitor.set_leader(false);
        }
    }

    /// What is known of creates that other processes sent.
    fn tenure(&self) -> Tenure {
        let Some(standing) = &self.standing else {
            return Tenure::default();
        };
        // All of them were sent before now.
        let seized = standing.borrow().seized.filter(|at| at.elapsed() < LATEST);
        Tenure {
            elected: true,
            seized: seized.map(|_| (self.shared.clock)()),
        }
    }

    /// Returns when this process is the leader, with the time at which it became so (None without
    /// an election). An error means that the election has ended.
    async fn elected(&mut self) -> Result<Option<Instant>, watch::error::RecvError> {
        let Some(standing) = &mut self.standing else {
            return Ok(None);
        };
        let leads = standing.wait_for(|s| s.leading_since.is_some()).await?;
        Ok(leads.leading_since)
    }

    /// Returns when the cache of a kind is no older than `since`. Returns the version that the API
    /// server had after that, or 0 where none was asked for.
    async fn make_sure(&self, list: &KindList, since: Instant) -> Version {
        let KindList { kind, path, again } = list;
        if self.shared.listed_since(*kind) >= Some(since) {
            return Version::default();
        }
        let version = self.version_of(path).await;
        if let Some(version) = version {
            let seen = self.shared.wait_for_version(*kind, version);
            if timeout(GLANCE, seen).await.is_ok() {
                return version;
            }
        }
        if *kind == Kind::Pod {
            self.shared.cache().mark_pods_stale();
        } else {
            let now = Instant::now();
            again.notify_one();
            self.shared.wait_for_list(*kind, now).await;
        }
        version.unwrap_or_default()
    }

    /// The API server's current resourceVersion of the list at this path; None where it cannot be
    /// read.
    async fn version_of(&self, path: &str) -> Option<Version> {
        let answer = self.api.get(&format!("{path}?limit=1")).await;
        let why = match answer {
            Ok(json) => match Page::read(&json) {
                Ok(page) => return Some(Version::parse(&page.version)),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        let text = format!("cannot read the resourceVersion of {path}: {why}; listing it again");
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.as_ref() != Some(&text) {
            tracing::warn!("{text}");
            *logged = Some(text);
        }
        None
    }
}

/// Returns when this process is no longer the leader that it became at `since`; without an election
/// never.
async fn lost(standing: Option<watch::Receiver<Standing>>, since: Option<Instant>) {
    match standing {
        // An error means that the sender is gone with the candidate: this process is not the
        // leader.
        Some(mut standing) => {
            let _ = standing.wait_for(|s| s.leading_since != since).await;
        }
        None => std::future::pending().await,
    }
}
