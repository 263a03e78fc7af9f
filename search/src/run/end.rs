//! The end of a history: faults stop, the cluster comes to rest (L1), everything is judged, and
//! nothing is left running.

use std::time::Duration;

use daemonset_controller::sim::api::ApiServer;
use daemonset_controller::sim::api::resource::{DAEMON_SETS, LEASES, PODS};
use daemonset_controller::sim::cluster::{Controller, Part};
use daemonset_controller::sim::promises::Violation;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::time::sleep;

use super::{NAMES, Runner, SETS, objects, undo::Undo};
use crate::history::Late;
use crate::outcome::{Outcome, violation};
use crate::step::{Kind, Who};

/// How long a cluster may take to come to rest: as often, and as long each time. A DaemonSet that
/// failed often is tried again only after a thousand seconds.
const LOOKS: usize = 13;
const LOOK: Duration = Duration::from_secs(100);

/// For so long before a look at the cluster at rest no controller may have written.
const QUIET: Duration = Duration::from_secs(60);

/// After so long nothing of a process that ended may be left.
const GONE: Duration = Duration::from_secs(60);

impl Runner<'_> {
    pub(super) async fn end(mut self) -> (ApiServer, Outcome) {
        self.stop_faults().await;
        let mut wrong = Vec::new();
        for _ in 0..LOOKS {
            sleep(LOOK).await;
            wrong = self.cluster.unsettled(&NAMES, QUIET);
            wrong.extend(self.unfinished());
            if wrong.is_empty() {
                break;
            }
        }
        let mut found = self.cluster.violations(&NAMES);
        found.extend(wrong);
        for violation in found {
            // S1's hole is known where writes take effect late, and for two without election.
            if violation.promise == "S1"
                && (self.history.late.is_some() || self.was_begun(&violation))
            {
                let freed = self.freed_by(&violation);
                self.outcome.known_gap.push((freed, violation));
            } else {
                self.outcome.violations.push(violation);
            }
        }
        self.end_processes().await;
        let mut outcome = self.outcome;
        self.server.with(|state| {
            outcome.calls = state.log.len();
            let ours = state.log.iter().filter(|c| NAMES.contains(&&*c.client));
            outcome.controllers_calls = ours.count();
            outcome.writes = state.core.store.version();
        });
        outcome.elapsed = self.server.elapsed();
        (self.server, outcome)
    }

    /// Nothing goes wrong any more, and people want nothing odd.
    async fn stop_faults(&mut self) {
        self.server.clear_rules();
        self.server.end_late_writes();
        self.armed.clear();
        for who in (0..self.history.controllers.count()).map(Who) {
            for kind in Kind::ALL {
                self.server.gate(who.name(), kind.resource(), None);
            }
            self.server.gate(who.name(), &LEASES, None);
            self.start(who);
        }
        for part in [
            Part::Scheduler,
            Part::Kubelets,
            Part::GarbageCollector,
            Part::PodGarbageCollector,
        ] {
            self.cluster.switch(part, true);
        }
        self.end_disruption();
        self.mend_nodes();
        if self.history.late.is_some() {
            sleep(Duration::from_secs(Late::LONGEST + 40)).await;
        }
        // DaemonSets that are away come back.
        let undo = std::mem::take(&mut self.undo);
        for set in undo.into_values() {
            if let Undo::AddSet(set) = set {
                self.later(0, Undo::AddSet(set));
            }
        }
        self.advance(self.server.elapsed() + Duration::from_secs(1))
            .await;
        for _ in 0..60 {
            if self.undo.is_empty() {
                break;
            }
            self.advance(self.server.elapsed() + Duration::from_secs(1))
                .await;
        }
        self.mend_sets();
        self.mend_pods();
    }

    /// Pods that got no image are made anew, as people do.
    fn mend_pods(&self) {
        for pod in self.server.pods() {
            let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
            if waiting["reason"] == "ErrImagePull" {
                let name = objects::text(&pod, "name");
                // It may be terminating already.
                drop(self.cluster.delete(&PODS, "default", name, &Value::Null));
            }
        }
    }

    /// DaemonSets whose rollout has not ended.
    fn unfinished(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        for name in &SETS[..self.sets.len()] {
            let Some(set) = self.server.get(&DAEMON_SETS, "default", name) else {
                wrong.push(violation(
                    "L1",
                    self.server.elapsed(),
                    format!("{name} is not there"),
                ));
                continue;
            };
            let wanted = &set["status"]["desiredNumberScheduled"];
            for field in ["updatedNumberScheduled", "numberAvailable"] {
                let count = set["status"][field].as_i64().unwrap_or(0);
                if json!(count) != *wanted {
                    let what = format!("{name}: {field} is {count}, not {wanted}");
                    wrong.push(violation("L1", self.server.elapsed(), what));
                }
            }
        }
        wrong
    }

    /// A controller that has ended by itself panicked.
    pub(super) fn look_for_its_end(&mut self, controller: &Controller) {
        if !controller.is_running() {
            let what = "a controller ended by itself";
            self.outcome
                .violations
                .push(violation("panic", self.server.elapsed(), what));
        }
    }

    /// Every process ends, and leaves nothing behind.
    async fn end_processes(&mut self) {
        while let Some((_, controller)) = self.controllers.pop_first() {
            self.look_for_its_end(&controller);
            controller.stop().await;
        }
        for part in Part::ALL {
            self.cluster.switch(part, false);
        }
        sleep(GONE).await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        if tasks > 0 {
            let what = format!("{tasks} tasks are left");
            self.outcome
                .violations
                .push(violation("leak", self.server.elapsed(), what));
        }
    }
}
