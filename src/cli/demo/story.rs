//! The story: lets time pass in the cluster, and reports the events.

use std::io;
use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;

use crate::sim::{api::resource::DAEMON_SETS, cluster::Cluster};

use super::agent::Agent;
use super::chronicle::Chronicle;
use super::coverage::Coverage;
use super::error::DemoError;
use super::nodes::Fleet;
use super::objects::{is_live, is_of, is_ready, target, text};
use super::pace::Pace;
use super::rollout_view::RolloutView;
use super::show::{Show, Who};
use super::voice::Voice;

/// Each change is watched at least so long, because its effects need a moment to begin.
const AT_LEAST: Duration = Duration::from_millis(400);

/// If nothing changed for so long, nothing is under way: pods need less time to start and to end.
const STILL: Duration = Duration::from_millis(1_600);

/// The state until which the cluster is watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    /// Every node has what it is to have, and no pod is terminating or terminal.
    Covered,
    /// The controller has had to wait so many times.
    Waits(usize),
    /// Half of the nodes have a ready pod of the current template.
    Halfway,
    /// The plan has nothing to do, and nothing is under way.
    Still,
    /// All pods are of the current template and ready.
    Updated,
}

/// A story, with everything that takes part in it.
pub struct Story<'a> {
    pub cluster: Cluster,
    /// The DaemonSet that is applied.
    pub agent: &'a Agent,
    /// Makes more nodes.
    pub fleet: Fleet,
    /// Follows the controller.
    pub chronicle: Chronicle,
    /// The output.
    pub show: &'a mut Show,
    /// The speed of the cluster's time.
    pub pace: Pace,
    /// When the story began, since the server's start.
    pub start: Duration,
    rng: StdRng,
    pub voice: Voice,
    /// The node on which pods fail.
    pub broken: Option<String>,
    /// Nodes that were changed already, so that another one is chosen next.
    pub touched: Vec<String>,
    /// The version of the store at the last count, and the counts.
    counted: (u64, Coverage),
    /// When something changed last, since the server's start.
    changed: Duration,
    /// Whether an update is shown.
    pub updates: bool,
}

impl<'a> Story<'a> {
    /// A story that begins now.
    pub fn new(
        cluster: Cluster,
        agent: &'a Agent,
        fleet: Fleet,
        chronicle: Chronicle,
        show: &'a mut Show,
        speed: f64,
        seed: u64,
    ) -> Story<'a> {
        Story {
            start: cluster.server.elapsed(),
            cluster,
            agent,
            fleet,
            chronicle,
            show,
            pace: Pace::new(speed),
            rng: StdRng::seed_from_u64(seed),
            voice: Voice::default(),
            broken: None,
            touched: Vec::new(),
            counted: (0, Coverage::default()),
            changed: Duration::ZERO,
            updates: false,
        }
    }

    /// Time since the story began.
    pub fn time(&self) -> Duration {
        self.cluster.server.elapsed().saturating_sub(self.start)
    }

    /// Prints a line about an actor.
    pub fn say(&mut self, who: Who, words: &str) -> io::Result<()> {
        self.show.say(self.time(), who, words)
    }

    /// The DaemonSet in the API server, null if it is gone.
    pub fn daemon_set(&self) -> Value {
        let Agent {
            namespace, name, ..
        } = self.agent;
        let daemon_set = self.cluster.server.get(&DAEMON_SETS, namespace, name);
        daemon_set.unwrap_or_default()
    }

    /// The nodes of its live pods that meet a condition, sorted.
    pub fn on(&self, such: impl Fn(&Value) -> bool) -> Vec<String> {
        let uid = text(&self.daemon_set(), "/metadata/uid");
        let pods = self.cluster.server.pods();
        let some = pods
            .iter()
            .filter(|pod| is_of(pod, &uid) && is_live(pod) && such(pod));
        let mut all: Vec<String> = some.map(target).collect();
        all.sort();
        all
    }

    /// Chooses a node with a ready pod that was not changed before.
    pub fn choose(&mut self) -> Option<String> {
        let mut all = self.on(is_ready);
        all.retain(|node| !self.touched.contains(node));
        if all.is_empty() {
            return None;
        }
        let chosen = all.swap_remove(self.rng.random_range(0..all.len()));
        self.touched.push(chosen.clone());
        Some(chosen)
    }

    /// Watches the cluster until it is in this state. If that takes longer than `most`, says so.
    pub async fn watch(&mut self, until: Until, most: Duration) -> Result<(), DemoError> {
        let begun = self.time();
        loop {
            let coverage = self.step().await?;
            let passed = self.time() - begun;
            let total = coverage.total();
            let quiet = self.cluster.server.elapsed().saturating_sub(self.changed);
            let rests = coverage.update.as_ref().is_none_or(|update| update.rests);
            let there = match until {
                Until::Covered => coverage.is_complete(),
                Until::Waits(times) => self.voice.waits() >= times,
                Until::Halfway => total.new_ready * 2 >= total.desired,
                Until::Still => rests && quiet >= STILL,
                Until::Updated => coverage.is_complete() && total.old() == 0,
            };
            if there && self.voice.is_silent() && passed >= AT_LEAST {
                return Ok(());
            }
            if passed >= most {
                let missing = total.desired.saturating_sub(total.ready);
                let mut words = format!(
                    "not settled after {} s: {missing} not ready",
                    most.as_secs()
                );
                if coverage.update.is_some() {
                    words.push_str(&format!(", {} old", total.old()));
                }
                self.say(Who::Coverage, &words)?;
                return Ok(self.unscheduled()?);
            }
        }
    }

    /// Reports the scheduler's message about pods that fit on no node.
    fn unscheduled(&mut self) -> io::Result<()> {
        let pods = self.cluster.server.pods();
        let conditions = pods
            .iter()
            .flat_map(|pod| pod["status"]["conditions"].as_array().into_iter().flatten());
        let refused = conditions.filter(|c| c["type"] == "PodScheduled" && c["status"] == "False");
        let mut reasons: Vec<String> = refused.map(|c| text(c, "/message")).collect();
        reasons.sort();
        if let Some(first) = reasons.first().cloned() {
            let words = format!("{} pods fit on no node; the first: {first}", reasons.len());
            self.say(Who::Scheduler, &words)?;
        }
        Ok(())
    }

    pub async fn rest(&mut self, time: Duration) -> Result<(), DemoError> {
        let end = self.time() + time;
        while self.time() < end {
            self.step().await?;
        }
        Ok(())
    }

    /// Lets a moment pass, and reports its events.
    async fn step(&mut self) -> Result<Coverage, DemoError> {
        self.pace.step().await;
        let news = self.chronicle.catch_up();
        self.voice.hear(news);
        let server = &self.cluster.server;
        let now = server.elapsed();
        self.voice.tell(now, self.start, self.show)?;
        let version = server.read(|store| store.version());
        let has_changed = self.counted.0 != version;
        if has_changed {
            self.changed = now;
        }
        let wakes = self.counted.1.update.as_ref().and_then(|u| u.wake_at);
        if has_changed || wakes.is_some_and(|at| at <= server.now().into()) {
            let update = self
                .updates
                .then(|| RolloutView::at(&mut self.chronicle, now));
            let coverage = Coverage::now(server, &self.chronicle, update, self.agent);
            self.counted = (version, coverage);
        }
        let coverage = &self.counted.1;
        self.show.coverage(
            now.saturating_sub(self.start),
            coverage,
            self.voice.is_silent(),
        )?;
        Ok(coverage.clone())
    }
}
