//! Conflicts with another DaemonSet controller, such as that of kube-controller-manager, that is
//! active on the same DaemonSets.
//!
//! The sign of a conflict is a foreign pod: a pod of one of our DaemonSets that appeared after we
//! began to sync and has a name as the API server generates them. Our own names are derived
//! (`plan/names.rs`). By default we then stand by: caches stay filled, we keep the Lease, and
//! nothing is written. Nothing shows that the other controller has stopped while there is nothing
//! to do. So we sync again when something has been left undone for a while.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    apply::CarryOut,
    model::{Key, Settings},
    plan,
};

use super::{
    foreign_pods::{self, ForeignPod, ForeignPods},
    shared::Shared,
};

/// The conflict is over when something was left undone for this long, and no foreign pod appeared.
pub const UNDONE: Duration = Duration::from_secs(30);

/// The interval at which plans are made to see whether something is left undone.
const LOOK: Duration = Duration::from_secs(5);

/// Without standing by, the conflict is over when no foreign pod has appeared for this long.
const QUIET: Duration = Duration::from_secs(300);

/// What follows when another DaemonSet controller is active.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnConflict {
    /// Write nothing until the other controller has stopped.
    #[default]
    StandBy,
    /// Warn, and go on.
    Continue,
}

/// Watches for foreign pods, and closes the gate while there is a conflict.
pub struct Conflict {
    shared: Arc<Shared>,
    /// Writes the event.
    carry_out: CarryOut,
    settings: Settings,
    policy: OnConflict,
}

impl Conflict {
    /// Watches for the foreign pods of `shared`. `carry_out` writes the event.
    pub fn new(
        shared: Arc<Shared>,
        carry_out: CarryOut,
        settings: Settings,
        policy: OnConflict,
    ) -> Conflict {
        Conflict {
            shared,
            carry_out,
            settings,
            policy,
        }
    }

    /// Runs until it is dropped.
    pub async fn run(self) {
        let mut pods = self.shared.foreign_pods();
        while let Some(pod) = foreign_pods::next(&mut pods).await {
            self.shared.monitor.set_conflict(true);
            self.warn(&pod);
            match self.policy {
                OnConflict::Continue => {
                    while let Ok(Some(_)) = timeout(QUIET, foreign_pods::next(&mut pods)).await {}
                    tracing::info!(
                        "the conflict is over: no other DaemonSet controller has created pods for {} s",
                        QUIET.as_secs()
                    );
                }
                OnConflict::StandBy => {
                    self.shared.gate.hold(true);
                    self.shared.monitor.forget_daemon_sets();
                    if self.is_left_undone(&mut pods).await {
                        tracing::info!(
                            "the conflict is over: no other DaemonSet controller has done what was to be done \
                             for {} s; syncing again",
                            UNDONE.as_secs()
                        );
                    }
                    self.shared.resume();
                }
            }
            self.shared.monitor.set_conflict(false);
        }
    }

    fn warn(&self, ForeignPod { daemon_set, pod }: &ForeignPod) {
        let what = match self.policy {
            OnConflict::StandBy => "standing by until it has stopped",
            OnConflict::Continue => "continuing all the same (--on-conflict=continue)",
        };
        let advice = "run kube-controller-manager with --controllers=*,-daemonset-controller";
        tracing::warn!(
            daemonset = %daemon_set,
            pod = &**pod,
            "another DaemonSet controller is active: it created a pod; {what}; {advice}"
        );
        let daemon_set = self.shared.cache().daemon_set(daemon_set).cloned();
        if let Some(daemon_set) = daemon_set {
            let message =
                format!("Another DaemonSet controller created pod {pod}: {what}; {advice}");
            self.carry_out
                .warn(&daemon_set, "ConflictingController", message);
        }
    }

    /// Waits until something has been left undone for [`UNDONE`] and returns true, or false when we
    /// are no longer the leader.
    async fn is_left_undone(&self, pods: &mut watch::Receiver<ForeignPods>) -> bool {
        let mut undone: BTreeMap<Key, Instant> = BTreeMap::new();
        while self.shared.gate.leads() {
            tokio::select! {
                biased;
                _ = foreign_pods::next(pods) => undone.clear(),
                () = sleep(LOOK) => {}
            }
            let now = Instant::now();
            let keys = self.shared.cache().daemon_sets();
            undone.retain(|key, _| keys.contains(key));
            for key in keys {
                if self.is_undone(&key) {
                    undone.entry(key).or_insert(now);
                } else {
                    undone.remove(&key);
                }
            }
            if undone.values().any(|since| *since + UNDONE <= now) {
                return true;
            }
        }
        false
    }

    /// Whether we would do something for this DaemonSet, or nobody has acknowledged its generation.
    fn is_undone(&self, key: &Key) -> bool {
        let now = (self.shared.clock)();
        let undone = self.shared.cache().snapshot(key, self.settings, |s| {
            let plan = plan::plan(s, now);
            let acknowledged = s.daemon_set.status.observed_generation;
            let news = plan
                .status
                .is_some_and(|p| p.observed_generation != acknowledged);
            plan.left_alone.is_none() && (!plan.is_settled() || news)
        });
        undone.unwrap_or(false)
    }
}
