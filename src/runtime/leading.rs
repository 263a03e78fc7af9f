//! When this process works: while it leads, and once what it knows is as fresh as its election.
//!
//! A standby keeps its caches warm, so that it need not read the cluster when it takes over. But its watches may have
//! been silent without its knowing. So before it plans it makes sure of each kind: it asks for the version that the API
//! server is at, and waits a moment until the watch has told of that version or a later one. On a busy cluster it has. Where
//! nothing happens a watch tells nothing, and then the kind is read again: all of it, or, of pods, those of each DaemonSet
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
    apply::request::Api,
    model::{Kind, Version, gone_pods::REMEMBERED},
};

use super::{lease::Standing, list_watch::Page, shared::Shared};

/// How long the watch of a kind has to tell of the API server's version before the kind is read again.
const GLANCE: Duration = Duration::from_millis(100);

/// From the end of the first lists to the first sync, and from the end of a halt of the process to the next.
///
/// A controller that starts cannot know what was last on a node that it finds empty, and so not what another controller
/// would call the next pod there (docs/design.md, "Names"). Where one is at work, its pod shows itself within this time, or
/// it has forgotten what was there, too. One that was halted knows no more than that.
pub const SETTLE: Duration = REMEMBERED;

/// What it takes to make sure of a kind.
pub struct KindList {
    /// The kind.
    pub kind: Kind,
    /// The path of its list.
    pub path: String,
    /// Tells its watch to list anew.
    pub again: Arc<Notify>,
}

/// Opens and closes the gate.
pub struct Leading {
    shared: Arc<Shared>,
    api: Api,
    lists: Vec<KindList>,
    /// How the election stands; None where there is none, and whoever runs acts.
    standing: Option<watch::Receiver<Standing>>,
    /// Why the last look at a version failed, to be said once.
    said: Mutex<Option<String>>,
}

impl Leading {
    /// For these kinds, read through `api`.
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
            said: Mutex::default(),
        }
    }

    /// Opens the gate whenever this process may work, until the election ends.
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
            self.shared.begin(pods);
            lost(self.standing.clone(), since).await;
            self.shared.end();
            self.shared.monitor.set_leader(false);
        }
    }

    /// Returns when we lead, and since when; an error when nobody will ever be elected any more.
    async fn elected(&mut self) -> Result<Option<Instant>, watch::error::RecvError> {
        let Some(standing) = &mut self.standing else {
            return Ok(None);
        };
        let leads = standing.wait_for(|s| s.leading_since.is_some()).await?;
        Ok(leads.leading_since)
    }

    /// Returns when what is known of a kind is no older than `since`, and a version that it was at after that, where one
    /// was asked for.
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

    /// The version that the API server is at for what is listed at this path.
    async fn version_of(&self, path: &str) -> Option<Version> {
        let answer = self.api.get(&format!("{path}?limit=1")).await;
        let why = match answer {
            Ok(json) => match serde_json::from_slice::<Page<'_>>(&json) {
                Ok(page) => return Some(Version::parse(&page.metadata.resource_version)),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        let text = format!("cannot read the resourceVersion of {path}: {why}; listing it again");
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_ref() != Some(&text) {
            tracing::warn!("{text}");
            *said = Some(text);
        }
        None
    }
}

/// Returns when we no longer lead since then; never where there is no election.
async fn lost(standing: Option<watch::Receiver<Standing>>, since: Option<Instant>) {
    match standing {
        // The sender is gone with the candidate: nobody leads here any more.
        Some(mut standing) => {
            let _ = standing.wait_for(|s| s.leading_since != since).await;
        }
        None => std::future::pending().await,
    }
}
