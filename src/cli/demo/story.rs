//! The story: lets time pass in the cluster, and reports the events.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;

use crate::model::Time;
use crate::plan::Progress;
use crate::sim::{
    api::resource::{DAEMON_SETS, PODS},
    cluster::Cluster,
};

use super::census::{Basis, Census};
use super::chronicle::Chronicle;
use super::coverage::Coverage;
use super::error::DemoError;
use super::input::{Agent, Input};
use super::names::list_names;
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

/// If pods that fit on no node are all that a rollout waits for, it is stuck after so long.
const STUCK: Duration = Duration::from_secs(5);

/// A bake that takes longer than this is not waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most waits for the scheduler that are told.
const WAITS: usize = 3;

/// How watching ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The state was reached.
    There,
    /// Only the time is over.
    Late,
    /// Nothing will change any more: new pods fit on no node.
    Stuck,
}

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
    /// With rollout control: the rollout is complete, or does not go on by itself before long.
    Decided,
}

/// Whether the rollout is complete, or does not go on by itself before long.
fn is_decided(view: &RolloutView, now: Time, quiet: Duration, is_covered: bool) -> bool {
    match &view.progress {
        None => true,
        // What completed before is complete before the last pods of it are ready.
        Some(Progress::Complete) => is_covered,
        Some(Progress::AwaitingApproval(_) | Progress::Paused(_) | Progress::AutoPaused(_)) => {
            quiet >= STILL
        }
        Some(Progress::Baking(until)) => *until > now + PATIENCE,
        Some(Progress::Rolling | Progress::Canary | Progress::RollingBack) => false,
    }
}

/// A story, with everything that takes part in it.
pub struct Story<'a> {
    pub cluster: Cluster,
    /// The objects that are created.
    pub input: &'a Input,
    /// The DaemonSet among them.
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
    census: Census,
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
        input: &'a Input,
        fleet: Fleet,
        chronicle: Chronicle,
        show: &'a mut Show,
        speed: f64,
        seed: u64,
    ) -> Story<'a> {
        Story {
            start: cluster.server.elapsed(),
            cluster,
            input,
            agent: &input.agent,
            fleet,
            chronicle,
            show,
            pace: Pace::new(speed),
            rng: StdRng::seed_from_u64(seed),
            voice: Voice::default(),
            broken: None,
            touched: Vec::new(),
            census: Census::default(),
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

    /// Watches the cluster until it is in this state. If that takes longer than `most`, or comes
    /// never, says so.
    pub async fn watch(&mut self, until: Until, most: Duration) -> Result<End, DemoError> {
        let begun = self.time();
        loop {
            self.step().await?;
            let passed = self.time() - begun;
            let coverage = &self.counted.1;
            let total = coverage.total();
            let now = self.cluster.server.elapsed();
            let quiet = now.saturating_sub(self.changed);
            let update = coverage.update.as_ref();
            let rests = update.is_none_or(|update| update.rests);
            let there = match until {
                Until::Covered => coverage.is_complete(),
                Until::Waits(times) => self.voice.waits() >= times,
                Until::Halfway => total.new_ready * 2 >= total.desired,
                Until::Still => rests && quiet >= STILL,
                Until::Updated => coverage.is_complete() && total.old() == 0,
                Until::Decided => {
                    let time = self.cluster.server.now().into();
                    let is_covered = coverage.is_complete();
                    let is_decided = |view| is_decided(view, time, quiet, is_covered);
                    rests && update.is_some_and(is_decided)
                }
            };
            if there && self.voice.is_silent() && passed >= AT_LEAST {
                return Ok(End::There);
            }
            let wakes = update.is_some_and(|update| update.wake_at.is_some());
            let is_idle = update.is_some() && rests && !wakes && quiet >= STUCK;
            let is_stuck = is_idle && !there && !self.unscheduled().is_empty();
            if !is_stuck && passed < most {
                continue;
            }
            let words = match is_stuck {
                true => format!("the rollout does not move: {} old", total.old()),
                false => {
                    let missing = total.desired.saturating_sub(total.ready);
                    let old = update.map(|_| format!(", {} old", total.old()));
                    format!(
                        "not settled after {} s: {missing} not ready{}",
                        most.as_secs(),
                        old.unwrap_or_default()
                    )
                }
            };
            self.say(Who::Coverage, &words)?;
            self.report_unscheduled()?;
            return Ok(match is_stuck {
                true => End::Stuck,
                false => End::Late,
            });
        }
    }

    /// The scheduler's messages about pods that fit on no node, each with the nodes that the pods
    /// are for.
    fn unscheduled(&self) -> Vec<(String, Vec<String>)> {
        let refused = |pod: &Value| {
            let mut conditions = pod["status"]["conditions"].as_array()?.iter();
            let one = conditions.find(|c| c["type"] == "PodScheduled" && c["status"] == "False")?;
            Some(text(one, "/message"))
        };
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        self.cluster.server.read(|store| {
            for pod in store.all(&PODS).values().filter(|pod| is_live(pod)) {
                if let Some(message) = refused(pod) {
                    all.entry(message).or_default().push(target(pod));
                }
            }
        });
        let mut all: Vec<_> = all.into_iter().collect();
        all.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
        all
    }

    /// Reports what pods that fit on no node wait for.
    fn report_unscheduled(&mut self) -> io::Result<()> {
        let all = self.unscheduled();
        for (message, nodes) in all.iter().take(WAITS) {
            let names: Vec<&str> = nodes.iter().map(|node| &**node).collect();
            let words = match names.len() {
                1 => format!("the pod for {} waits: {message}", names[0]),
                n => format!("{n} pods wait, for {}: {message}", list_names(&names)),
            };
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

    /// The last counts.
    pub fn coverage(&self) -> &Coverage {
        &self.counted.1
    }

    /// Lets a moment pass, and reports its events. Counts only if something has changed.
    async fn step(&mut self) -> Result<(), DemoError> {
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
                .then(|| RolloutView::at(&mut self.chronicle, now, self.agent.has_keys()));
            let uid = text(&self.daemon_set(), "/metadata/uid");
            let basis = Basis {
                uid,
                hash: update.as_ref().map(|update| update.hash.clone()),
                verdicts: self.chronicle.changes(),
            };
            let (census, chronicle) = (&mut self.census, &self.chronicle);
            let coverage = self.cluster.server.read(|store| {
                census.count(store, basis, |node| chronicle.is_eligible(node), update)
            });
            self.counted = (version, coverage);
        }
        let at = now.saturating_sub(self.start);
        let is_silent = self.voice.is_silent();
        Ok(self.show.coverage(at, &self.counted.1, is_silent)?)
    }
}
