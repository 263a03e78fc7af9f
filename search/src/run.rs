//! Lives through a history on the simulated cluster, and judges what came of it.

mod end;
mod gap;
mod nodes;
pub mod objects;
mod people;
mod pods;
mod requests;
mod undo;

use std::collections::BTreeMap;
use std::time::Duration;

use daemonset_controller::sim::api::ApiServer;
use daemonset_controller::sim::cluster::{Cluster, Controller, Part};
use serde_json::Value;
use tokio::time::sleep;

use crate::history::{Controllers, History};
use crate::outcome::{Outcome, violation};
use crate::panics;
use crate::step::{Event, Kind, Millis, Who};
use requests::Armed;
use undo::Undo;

/// The names of all controllers.
pub const NAMES: [&str; 2] = ["a", "b"];

/// The names of the DaemonSets, which are all in the namespace `default`.
pub const SETS: [&str; 2] = ["web", "agent"];

/// Lives through a history.
pub fn run(history: &History) -> Outcome {
    run_and(history, |_, _| ()).0
}

/// As [`run`]; `tell` may look at the API server when all is over. None where it was not asked,
/// because of a panic.
pub fn run_and<R>(
    history: &History,
    tell: impl FnOnce(&ApiServer, &Outcome) -> R,
) -> (Outcome, Option<R>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without IO");
    let (result, panics) = panics::watched(|| {
        runtime.block_on(async {
            let (server, outcome) = live(history).await;
            let told = tell(&server, &outcome);
            (outcome, told)
        })
    });
    let (mut outcome, told) = result.map_or_else(Default::default, |(o, told)| (o, Some(told)));
    let said = panics
        .into_iter()
        .map(|said| violation("panic", outcome.elapsed, said));
    outcome.violations.splice(0..0, said);
    (outcome, told)
}

async fn live(history: &History) -> (ApiServer, Outcome) {
    let mut runner = Runner::new(history);
    for step in &history.steps {
        runner.advance(Duration::from_millis(step.at)).await;
        if runner.begin(&step.event).await {
            *runner.outcome.steps.entry(step.fault).or_default() += 1;
        } else {
            runner.outcome.skipped += 1;
        }
    }
    runner.end().await
}

/// A history on its way.
struct Runner<'h> {
    history: &'h History,
    cluster: Cluster,
    server: ApiServer,
    controllers: BTreeMap<Who, Controller>,
    /// Controllers that die at one of their next calls.
    armed: BTreeMap<Who, Armed>,
    /// What ends at which time. The number keeps the order of what was begun.
    undo: BTreeMap<(Duration, usize), Undo>,
    begun: usize,
    /// How many nodes there ever were.
    nodes: u32,
    /// How far watches lag where they are not silent.
    lags: BTreeMap<(Who, Kind), Duration>,
    /// When a node's pods were last touched by people.
    touched: BTreeMap<u32, Duration>,
    /// The DaemonSets as they are made again.
    sets: Vec<Value>,
    outcome: Outcome,
}

impl Runner<'_> {
    fn new(history: &History) -> Runner<'_> {
        let cluster = Cluster::new(history.seed).with(&[
            Part::Scheduler,
            Part::Kubelets,
            Part::GarbageCollector,
            Part::PodGarbageCollector,
        ]);
        let mut runner = Runner {
            history,
            server: cluster.server.clone(),
            cluster,
            controllers: BTreeMap::new(),
            armed: BTreeMap::new(),
            undo: BTreeMap::new(),
            begun: 0,
            nodes: 0,
            lags: BTreeMap::new(),
            touched: BTreeMap::new(),
            sets: Vec::new(),
            outcome: Outcome::default(),
        };
        for _ in 0..history.nodes {
            runner.add_node();
        }
        for (number, set) in history.sets.iter().enumerate() {
            let object = objects::daemon_set(SETS[number], &set.spec);
            let made = runner.cluster.apply(&object);
            made.unwrap_or_else(|why| panic!("{why}: {object}"));
            runner.sets.push(object);
        }
        if let Some(late) = history.late {
            let is_meant = |c: &daemonset_controller::sim::api::Entry| {
                NAMES.contains(&&*c.client) && !c.is_upkeep()
            };
            runner.server.late_writes(late.options(), is_meant);
        }
        for n in 0..history.controllers.count() {
            runner.start(Who(n));
        }
        runner
    }

    fn start(&mut self, who: Who) {
        if self.controllers.contains_key(&who) {
            return;
        }
        let controller = match self.history.controllers {
            Controllers::Election => self.cluster.replica(who.name()),
            Controllers::One | Controllers::Two => self.cluster.controller(who.name()),
        };
        self.controllers.insert(who, controller);
    }

    /// Lets time pass until this moment, with all that ends or dies meanwhile.
    async fn advance(&mut self, until: Duration) {
        loop {
            let now = self.server.elapsed();
            if let Some(due) = self.undo.first_entry()
                && due.key().0 <= now
            {
                let undo = due.remove();
                self.undo(undo).await;
                continue;
            }
            if now >= until {
                return;
            }
            let next = self
                .undo
                .keys()
                .next()
                .map_or(until, |(at, _)| until.min(*at));
            if self.armed.is_empty() {
                sleep(next - now).await;
            } else {
                self.wait_for_a_death(next - now).await;
            }
        }
    }

    /// What ends after so long.
    fn later(&mut self, after: Millis, undo: Undo) {
        self.begun += 1;
        let at = self.server.elapsed() + Duration::from_millis(after);
        self.undo.insert((at, self.begun), undo);
    }

    /// Begins an event; false if there is nothing to do it to.
    async fn begin(&mut self, event: &Event) -> bool {
        match event {
            Event::Requests {
                who,
                method,
                trouble,
                times,
            } => self.trouble(*who, method, *trouble, *times),
            Event::Killed {
                who,
                after,
                takes_effect,
                back,
            } => self.arm(*who, *after, *takes_effect, *back),
            Event::Stopped { who, back } => self.stop(*who, *back).await,
            Event::Partitioned { who, lasts } => self.partition(*who, *lasts),
            Event::Lag { who, kind, lag } => self.lag(*who, *kind, *lag),
            Event::Silent { who, kind, lasts } => self.silence(*who, *kind, *lasts),
            Event::Cut { kind, expired } => self.cut(*kind, *expired),
            Event::NodeAdded { .. } => self.more_nodes(),
            Event::NodeRemoved { node, back } => self.remove_node(*node, *back),
            Event::Pool { node, pool } => self.pool(*node, *pool),
            Event::Tainted {
                node,
                effect,
                lasts,
            } => self.taint(*node, effect, *lasts),
            Event::NotReady { node, lasts } => self.not_ready(*node, *lasts),
            Event::Script {
                node,
                what,
                after,
                lasts,
            } => self.script(*node, what, after, *lasts),
            Event::Pod { set, node, end } => self.pod(*set, *node, *end),
            Event::Planted { node } => self.plant(*node).await,
            Event::Template { set, version, flaw } => self.template(*set, *version, *flaw),
            Event::Spec { set, patch } => self.spec(*set, patch),
            Event::Key { set, key, value } => self.key(*set, key, *value),
            Event::StateRemoved { set, nth } => self.remove_state(*set, *nth),
            Event::SetDeleted { set, cascade, back } => self.delete_set(*set, cascade, *back),
            Event::Disruption { allowed, lasts } => self.disruption(*allowed, *lasts),
            Event::Admission { method, how, lasts } => self.admission(method, *how, *lasts),
            Event::PartGone { part, lasts } => {
                self.cluster.switch(*part, false);
                self.later(*lasts, Undo::Part(*part));
                true
            }
        }
    }
}
