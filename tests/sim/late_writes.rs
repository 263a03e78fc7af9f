//! A search for histories that break S1 because writes take effect late: ten nodes, controllers
//! that restart, lag, or pass the lead on, and people who fail and delete pods. All events follow
//! from a seed.
//!
//! `SIM_SEEDS=0-1000 cargo test --test sim -- --ignored --nocapture late_writes` prints how many
//! histories break S1, by kind; with `SIM_SHOW=1` each that does, with `SIM_LOG=1` all requests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use daemonset_controller::sim::api::late::LateWrites;
use daemonset_controller::sim::api::store::Change;
use daemonset_controller::sim::promises::Violation;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::world::*;

const NODES: usize = 10;
const NAMES: [&str; 2] = ["a", "b"];

/// The longest time that a late write takes, in seconds.
const LATEST: u64 = 120;

/// The controllers of a history.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Who {
    /// One, which is killed and started again.
    Restarts,
    /// Two without election, of which one lags, up to a second.
    Two,
    /// Two with election; the leader is killed.
    Election,
}

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The seed of all events.
    pub seed: u64,
    /// How many things happen before the faults end.
    pub turns: usize,
    /// How many of a thousand writes of controllers are late.
    pub per_mille: u32,
    /// How many of a thousand late writes are held up in the server, and not on the way.
    pub in_server_per_mille: u32,
    /// Whether the DaemonSet has the key `exclusive`.
    pub exclusive: bool,
}

impl Search {
    /// The usual history of a seed.
    pub fn of(seed: u64) -> Search {
        Search {
            seed,
            turns: 60,
            per_mille: 50,
            in_server_per_mille: 500,
            exclusive: false,
        }
    }

    /// Its controllers.
    pub fn who(self) -> Who {
        [Who::Restarts, Who::Two, Who::Election][self.seed as usize % 3]
    }
}

/// Who took away the pod whose name a late create posts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FreedBy {
    /// A controller of DaemonSets.
    Controller,
    /// Somebody else.
    Others,
    /// Nobody had that name before.
    Nobody,
}

/// How long something was so, added up over all nodes or pods, in seconds.
#[derive(Clone, Copy, Default, Debug)]
pub struct Durations {
    /// Nodes without a live pod.
    without: f64,
    /// Nodes with several.
    several: f64,
    /// Pods that had ended and were still there.
    ended: f64,
}

/// What came of a history.
pub struct Outcome {
    /// How many creates of pods were not answered, or with 504.
    pub unanswered: usize,
    /// How long nodes were not as they should be.
    pub durations: Durations,
    /// How many pods there ever were.
    pub pods: usize,
    /// The violations of S1, each with who freed the name.
    pub doubles: Vec<(FreedBy, Violation)>,
    /// Other violations.
    pub others: Vec<Violation>,
    /// How many requests there were.
    pub requests: usize,
}

struct History {
    dice: StdRng,
    server: World,
    search: Search,
    controllers: BTreeMap<&'static str, Controller>,
    away: BTreeSet<String>,
}

impl History {
    fn new(search: Search) -> History {
        let server = seeded(search.seed);
        (0..NODES).for_each(|n| server.add("nodes", node(&format!("n{n}"))));
        let mut web = daemon_set("default", "web");
        if search.exclusive {
            web["metadata"]["annotations"] = json!({"daemonset-controller.io/exclusive": "true"});
        }
        server.add("daemonsets", web);
        server.kubelet();
        let late = LateWrites {
            seed: search.seed,
            per_mille: search.per_mille,
            in_server_per_mille: search.in_server_per_mille,
            least: Duration::from_secs(1),
            most: Duration::from_secs(LATEST),
        };
        server.late_writes(late, |c| NAMES.contains(&&*c.client) && !c.is_upkeep());
        let mut history = History {
            dice: StdRng::seed_from_u64(search.seed),
            server,
            search,
            controllers: BTreeMap::new(),
            away: BTreeSet::new(),
        };
        let running = if search.who() == Who::Restarts { 1 } else { 2 };
        NAMES[..running].iter().for_each(|who| history.start(who));
        history
    }

    fn start(&mut self, who: &'static str) {
        let controller = match self.search.who() {
            Who::Election => replica(&self.server, who),
            Who::Restarts | Who::Two => start(&self.server, who),
        };
        self.controllers.insert(who, controller);
    }

    fn live_pod(&mut self) -> Option<String> {
        let node = format!("n{}", self.dice.random_range(0..NODES));
        let mut pods = self.server.all("pods").into_iter();
        let pod = pods.find(|p| is_live(p) && target(p) == node)?;
        pod["metadata"]["name"].as_str().map(str::to_owned)
    }

    async fn turn(&mut self) {
        match self.dice.random_range(0..16) {
            0..=6 => {
                if let Some(pod) = self.live_pod() {
                    self.fail(&pod);
                }
            }
            7 | 8 => {
                let grace = json!({"gracePeriodSeconds": self.dice.random_range(0..2)});
                if let Some(pod) = self.live_pod() {
                    self.delete(&pod, &grace);
                }
            }
            9 => {
                if let Some(pod) = self.live_pod() {
                    self.fail(&pod);
                    self.delete(&pod, &json!({"gracePeriodSeconds": 0}));
                }
            }
            10 | 11 => {
                let node = format!("n{}", self.dice.random_range(0..NODES));
                let is_away = self.away.remove(&node);
                self.server.edit("nodes", &node, away(!is_away));
                if !is_away {
                    self.away.insert(node);
                }
            }
            12 | 13 if self.search.who() == Who::Two => {
                let who = NAMES[self.dice.random_range(0..2)];
                let lag = Duration::from_millis(self.dice.random_range(0..1_000));
                self.server.lag(who, lag);
            }
            12 => {
                let running: Vec<&'static str> = self.controllers.keys().copied().collect();
                let who = running[self.dice.random_range(0..running.len())];
                drop(self.controllers.remove(who));
                millis(self.dice.random_range(0..1_500)).await;
                self.start(who);
            }
            _ => {}
        }
        millis(self.dice.random_range(0..2_000)).await;
    }

    fn fail(&self, pod: &str) {
        self.server
            .edit("pods", pod, json!({"status": ready("Failed")}));
    }

    fn delete(&self, pod: &str, options: &Value) {
        let path = format!("/api/v1/namespaces/default/pods/{pod}");
        drop(self.server.perform("DELETE", &path, options));
    }

    /// Who asked for the end of the last pod that had this name before this version.
    fn freed_by(&self, name: &str, version: u64) -> FreedBy {
        let log = self.server.log();
        self.server.read(|store| {
            let mut asked: Option<(&Value, usize)> = None;
            for write in store.history(resource("pods")) {
                let (meta, uid) = (&write.object["metadata"], &write.object["metadata"]["uid"]);
                let ends = write.change == Change::Deleted || meta["deletionTimestamp"].is_string();
                if write.version >= version || meta["name"] != name || !ends {
                    continue;
                }
                if asked.is_none_or(|(known, _)| known != uid) {
                    asked = Some((uid, write.request));
                }
            }
            match asked.map(|(_, request)| log.get(request)) {
                None => FreedBy::Nobody,
                Some(Some(c)) if NAMES.contains(&&*c.client) => FreedBy::Controller,
                Some(_) => FreedBy::Others,
            }
        })
    }

    fn durations(&self) -> Durations {
        let mut sum = Durations::default();
        let mut pods: BTreeMap<String, (String, bool)> = BTreeMap::new();
        let mut last = Duration::ZERO;
        self.server.read(|store| {
            for write in store.history(resource("pods")) {
                let step = (write.at - last).as_secs_f64();
                last = write.at;
                let mut live: BTreeMap<&str, usize> = BTreeMap::new();
                let on = pods.values().filter(|(_, is_live)| *is_live);
                on.for_each(|(node, _)| *live.entry(node).or_default() += 1);
                sum.without += step * NODES.saturating_sub(live.len()) as f64;
                sum.several += step * live.values().filter(|n| **n > 1).count() as f64;
                sum.ended += step * pods.values().filter(|(_, is_live)| !is_live).count() as f64;
                let pod = &write.object;
                let uid = pod["metadata"]["uid"].as_str().unwrap_or("").to_owned();
                if write.change == Change::Deleted {
                    pods.remove(&uid);
                } else {
                    pods.insert(uid, (target(pod).to_owned(), is_live(pod)));
                }
            }
        });
        sum
    }

    fn outcome(&self) -> Outcome {
        let names: Vec<&str> = NAMES.to_vec();
        let broken = self.server.cluster.borrow().violations(&names);
        let (doubles, others): (Vec<_>, Vec<_>) = broken
            .into_iter()
            .partition(|v| ["S1", "S9"].contains(&v.promise));
        let log = self.server.log();
        let doubles = doubles.into_iter().map(|v| {
            let name = self.server.read(|store| {
                let mut writes = store.history(resource("pods")).iter();
                let write = writes.find(|w| w.version == v.version);
                let name = write.and_then(|w| w.object["metadata"]["name"].as_str());
                name.unwrap_or("").to_owned()
            });
            (self.freed_by(&name, v.version), v)
        });
        let unanswered = |c: &&Entry| c.ended.is_none() || c.code == 504;
        let creates = log.iter().filter(|c| c.is("POST", "/pods"));
        Outcome {
            unanswered: creates.filter(unanswered).count(),
            durations: self.durations(),
            pods: self.server.pods_ever(),
            doubles: doubles.collect(),
            others,
            requests: log.len(),
        }
    }
}

/// Lives through a history, until all late writes have taken effect.
pub async fn history(search: Search) -> Outcome {
    let mut history = History::new(search);
    seconds(3).await;
    for _ in 0..search.turns {
        history.turn().await;
    }
    for n in 0..NODES {
        history.server.edit("nodes", &format!("n{n}"), away(false));
    }
    history.server.stop_faults();
    seconds(LATEST + 40).await;
    assert!(history.controllers.values().all(Controller::is_running));
    if std::env::var("SIM_LOG").is_ok() {
        println!("{}", history.server.log_text());
    }
    history.outcome()
}

/// How many histories of one kind broke what.
#[derive(Default, Debug)]
struct Tally {
    histories: usize,
    pods: usize,
    requests: usize,
    unanswered: usize,
    durations: Durations,
    broken: usize,
    doubles: BTreeMap<FreedBy, usize>,
    others: BTreeMap<&'static str, usize>,
    first: Option<u64>,
}

#[tokio::test(start_paused = true)]
#[ignore = "as many seeds as one likes"]
async fn search() {
    let number = |name: &str, default| {
        let text = std::env::var(name).ok();
        text.map_or(default, |t| t.parse().expect("a number"))
    };
    let mut tallies: BTreeMap<Who, Tally> = BTreeMap::new();
    for seed in seeds("0-30") {
        let usual = Search::of(seed);
        let search = Search {
            turns: number("SIM_TURNS", usual.turns as u32) as usize,
            per_mille: number("SIM_LATE", usual.per_mille),
            in_server_per_mille: number("SIM_IN_SERVER", usual.in_server_per_mille),
            exclusive: std::env::var("SIM_EXCLUSIVE").is_ok(),
            ..usual
        };
        let outcome = history(search).await;
        let tally = tallies.entry(search.who()).or_default();
        tally.histories += 1;
        tally.pods += outcome.pods;
        tally.requests += outcome.requests;
        tally.unanswered += outcome.unanswered;
        tally.durations.without += outcome.durations.without;
        tally.durations.several += outcome.durations.several;
        tally.durations.ended += outcome.durations.ended;
        tally.broken += usize::from(!outcome.doubles.is_empty());
        for (freed, violation) in &outcome.doubles {
            *tally.doubles.entry(*freed).or_default() += 1;
            tally.first.get_or_insert(seed);
            if std::env::var("SIM_SHOW").is_ok() {
                println!("seed {seed} {freed:?}: {violation}");
            }
        }
        for violation in &outcome.others {
            *tally.others.entry(violation.promise).or_default() += 1;
            if std::env::var("SIM_SHOW").is_ok() {
                println!("seed {seed}: {violation}");
            }
        }
    }
    for (who, tally) in &tallies {
        println!("{who:?}: {tally:?}");
    }
}
