//! A search for what lasts: nodes whose pods fail or finish again and again, or never end; names
//! that others have taken; creates that are denied; rollouts that fail. While it lasts the other
//! nodes are served and nothing is done too often, and afterwards all is as it should be. All
//! events follow from a seed.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::on_failure::{change_with, hash_of_newest};
use super::rollout::*;
use super::sweep;
use super::world::*;

const NODES: usize = 6;

/// How many kinds of hardship there are, one after another by seed.
const KINDS_OF_HARDSHIP: u64 = 8;

/// The node that is hit.
const HIT: &str = "n1";

/// So often may a pod be made on one node in an hour, for each begin of its backoff: at intervals
/// that double from a second to a quarter of an hour.
const MOST: usize = 16;

struct Hardship {
    seed: u64,
    dice: StdRng,
    server: World,
    running: Option<Controller>,
    surges: bool,
    restarts: usize,
}

impl Hardship {
    async fn new(seed: u64) -> Hardship {
        let dice = StdRng::seed_from_u64(seed);
        let surges = (seed / KINDS_OF_HARDSHIP / 2 + seed) % 2 == 1;
        let strategy = if surges { rolling(0, 3) } else { rolling(3, 0) };
        let (server, running) = covered(NODES, strategy).await;
        Hardship {
            seed,
            dice,
            server,
            running: Some(running),
            surges,
            restarts: 0,
        }
    }

    /// Which of two stories of its kind it is.
    fn is_first(&self) -> bool {
        (self.seed / KINDS_OF_HARDSHIP).is_multiple_of(2)
    }

    /// Fails where L1 or S6 does not hold.
    fn check(&self, promise: &str, holds: bool, what: &str) {
        let seed = self.seed;
        let found = versions(&self.server);
        assert!(
            holds,
            "{promise} in hardship, seed {seed}: {what}: {found:?}"
        );
    }

    /// Every node but the one that is hit has a pod of this version, and nothing else.
    fn check_others(&self, version: &str) {
        let done = nodes_of(&self.server, version);
        let others = (0..NODES).map(|n| format!("n{n}"));
        let all = others.filter(|n| n != HIT).all(|n| done.contains(&n));
        self.check(
            "L1",
            all,
            &format!("the others are not all of version {version}"),
        );
    }

    fn check_all(&self, version: &str, what: &str) {
        let done = nodes_of(&self.server, version);
        self.check("L1", done.len() == NODES, what);
    }

    async fn restart(&mut self) {
        drop(self.running.take());
        millis(self.dice.random_range(0..2_000)).await;
        self.running = Some(start(&self.server, "a"));
        self.restarts += 1;
    }

    /// Nothing is wrong any more, but for a node that no pod may stay on, and then that neither.
    async fn end(&self) {
        self.server.stop_faults();
        for tainted in [true, false] {
            self.server.edit("nodes", HIT, away(tainted));
            self.server.at_rest().await;
        }
        let all = self.running.iter().all(Controller::is_running);
        assert!(all, "the controller runs");
    }

    /// How many pods were made on a node since then.
    fn made_on(&self, node: &str, since: Duration) -> usize {
        let posts = self.server.posts().into_iter();
        let made = posts.filter(|p| p.code == 201 && p.at >= since);
        made.filter(|p| target(&p.json()) == node).count()
    }

    /// Pods of the new version fail or finish on one node, an hour long.
    async fn ends(&mut self) {
        let how = if self.is_first() {
            "fail-after"
        } else {
            "succeed-after"
        };
        if !self.surges {
            script(&self.server, HIT, how, json!("1s"));
            change(&self.server, "2");
        } else {
            let only = format!("kubernetes.io/hostname={HIT}");
            change_with(&self.server, "2", &[(how, "1s"), ("only-on", &only)]);
        }
        let since = self.server.elapsed();
        let mut made = 0;
        for minute in 1..=60 {
            seconds(60).await;
            made = self.made_on(HIT, since);
            let few = made <= MOST * (1 + self.restarts);
            self.check("S6", few, &format!("{made} pods on one node"));
            if minute % 15 == 0 && self.dice.random_bool(0.3) {
                self.restart().await;
            }
        }
        self.check_others("2");
        self.check("L1", made > 2, "the node was given up");
        script(&self.server, HIT, how, Value::Null);
        let annotations = json!({
            "v": "3", "sim.daemonset-controller.io/fail-after": null,
            "sim.daemonset-controller.io/succeed-after": null,
        });
        respec(
            &self.server,
            json!({"template": {"metadata": {"annotations": annotations}}}),
        );
        self.end().await;
        self.check_all("3", "not all nodes have the last version");
    }

    /// A pod never ends on one node.
    async fn sticks(&mut self) {
        script(&self.server, HIT, "terminate-after", json!("never"));
        let pods = self.server.all("pods");
        let pod = pods.iter().find(|p| target(p) == HIT).expect("a pod");
        let name = pod["metadata"]["name"].as_str().expect("a name").to_owned();
        if self.dice.random_bool(0.7) {
            self.server.ask_to_delete("pods", &name);
            millis(self.dice.random_range(0..1_000)).await;
        }
        change(&self.server, "2");
        seconds(300).await;
        if self.dice.random_bool(0.5) {
            self.restart().await;
        }
        self.server.add("nodes", node("n9"));
        seconds(300).await;
        self.check_others("2");
        let joined = nodes_of(&self.server, "2").contains("n9");
        self.check("L1", joined, "a node that joined has no pod");
        script(&self.server, HIT, "terminate-after", Value::Null);
        let stuck = |p: &&Value| target(p) == HIT && !is_live(p);
        let names: Vec<Value> = self
            .server
            .all("pods")
            .iter()
            .filter(stuck)
            .map(|p| p["metadata"]["name"].clone())
            .collect();
        for name in names {
            self.server.remove("pods", name.as_str().expect("a name"));
        }
        self.end().await;
        let done = nodes_of(&self.server, "2").len();
        self.check(
            "L1",
            done == NODES + 1,
            "not all nodes have the last version",
        );
    }

    /// Somebody else has the name of the next revision, or makes an equal one.
    async fn names(&mut self) {
        if self.is_first() {
            let name = {
                let (twin, _running) = covered(1, rolling(1, 0)).await;
                respec(&twin, json!({"updateStrategy": rolling(1, 0)}));
                change(&twin, "2");
                seconds(10).await;
                newest(&twin)["metadata"]["name"].clone()
            };
            let taken = json!({
                "metadata": {"name": name, "labels": {"app": "other"}}, "revision": 1,
                "data": {"somebody": "else"},
            });
            self.server.put("controllerrevisions", taken);
            change(&self.server, "2");
            seconds(120).await;
            self.check_all("2", "a taken name stops the rollout");
        } else {
            change(&self.server, "2");
            seconds(120).await;
            let mut equal = newest(&self.server);
            change(&self.server, "3");
            seconds(120).await;
            self.check_all("3", "not rolled out");
            equal["metadata"]["name"] = json!("web-equal");
            equal["metadata"]["labels"]["controller-revision-hash"] = json!("equal");
            for field in ["uid", "resourceVersion", "creationTimestamp"] {
                equal["metadata"]
                    .as_object_mut()
                    .expect("metadata")
                    .remove(field);
            }
            self.server.put("controllerrevisions", equal);
            seconds(self.dice.random_range(0..20)).await;
            change(&self.server, "2");
            seconds(120).await;
            self.check_all("2", "not rolled back");
        }
        self.end().await;
    }

    /// A node goes while its pod waits for the scheduler; pods of others have the labels of ours.
    async fn strangers(&mut self) {
        let mut theirs = pod("theirs", "n2");
        theirs["metadata"]["ownerReferences"][0]["uid"] = json!("somebody");
        self.server.add("pods", theirs.clone());
        theirs["metadata"]["name"] = json!("theirs-too");
        self.server.add("pods", theirs);
        self.server.add("pods", orphan("nobodys", "n3"));
        seconds(5).await;
        self.server
            .switch(daemonset_controller::sim::cluster::Part::Scheduler, false);
        self.server.add("nodes", node("n9"));
        seconds(5).await;
        if self.dice.random_bool(0.5) {
            self.restart().await;
            seconds(5).await;
        }
        self.server.remove("nodes", "n9");
        seconds(30).await;
        self.server
            .switch(daemonset_controller::sim::cluster::Part::Scheduler, true);
        // A rollout would take the pod along.
        if !self.is_first() {
            change(&self.server, "2");
        }
        seconds(60).await;
        self.end().await;
        for name in ["theirs", "theirs-too"] {
            let there = owner(&self.server.get("pods", name)) == "somebody";
            self.check("S5", there, "a pod of somebody else was touched");
        }
    }

    /// Creates of pods are denied, or are not answered in time.
    async fn denied(&mut self) {
        let act = if self.is_first() {
            Act::Refuse(ApiStatus::new(403, "Forbidden", "no"))
        } else {
            Act::Refuse(ApiStatus::new(504, "Timeout", "not in time"))
        };
        let is_create = |c: &Entry| c.is("POST", "/pods");
        self.server.rule(usize::MAX, is_create, act);
        let since = self.server.elapsed();
        self.server.add("nodes", node("n9"));
        seconds(600).await;
        let asked = self
            .server
            .requests(|c| c.is("POST", "/pods") && c.at >= since);
        let asked = asked.len();
        self.check(
            "S6",
            asked <= 30,
            &format!("asked for {asked} times in ten minutes"),
        );
        self.server.clear_rules();
        seconds(400).await;
        let covered = self.server.covered().contains_key("n9");
        self.check("L1", covered, "it was not asked for again");
        self.end().await;
    }

    /// A rollout fails on one node and pauses. A good version needs nobody, and an approval lifts
    /// what came before it.
    async fn pauses(&mut self) {
        let strategy = if self.surges {
            rolling(0, 1)
        } else {
            rolling(1, 0)
        };
        respec(&self.server, json!({"updateStrategy": strategy}));
        set_key(&self.server, "on-failure", "pause");
        seconds(5).await;
        script(&self.server, HIT, "crash-after", json!("2s"));
        for n in (0..NODES).filter(|n| format!("n{n}") != HIT) {
            // They come later.
            script(&self.server, &format!("n{n}"), "ready-after", json!("2s"));
        }
        change(&self.server, "2");
        seconds(120).await;
        let is_paused = nodes_of(&self.server, "2").len() < NODES;
        script(&self.server, HIT, "crash-after", Value::Null);
        seconds(30).await;
        if is_paused && self.is_first() {
            set_key(&self.server, "approve", hash_of_newest(&self.server));
            seconds(300).await;
            self.check_all("2", "an approved version is not rolled out");
        } else {
            change(&self.server, "3");
            seconds(300).await;
            self.check_all("3", "a good version is not rolled out after a bad one");
        }
        self.end().await;
    }

    /// A version that never becomes available is taken back, and the next one is not.
    async fn goes_back(&mut self) {
        let most = self.dice.random_range(1..3);
        let strategy = if self.surges {
            rolling(0, most)
        } else {
            rolling(most, 0)
        };
        respec(&self.server, json!({"updateStrategy": strategy}));
        set_key(&self.server, "on-failure", "rollback");
        if self.dice.random_bool(0.3) {
            set_key(&self.server, "canary", "2");
        }
        let bad = if self.is_first() {
            [("pull-fails-after", "1s")]
        } else {
            set_key(&self.server, "deadline", "2m");
            [("start-after", "never")]
        };
        seconds(5).await;
        change_with(&self.server, "2", &bad);
        seconds(600).await;
        self.check_all("1", "a bad version is not taken back");
        let annotations = json!({
            "v": "3", "sim.daemonset-controller.io/pull-fails-after": null,
            "sim.daemonset-controller.io/start-after": null,
        });
        respec(
            &self.server,
            json!({"template": {"metadata": {"annotations": annotations}}}),
        );
        seconds(600).await;
        self.check_all("3", "a good version is not rolled out after a bad one");
        self.end().await;
    }

    /// The template changes while no pod has been ready for `minReadySeconds`, and again before
    /// those of the last change have.
    async fn hurries(&mut self) {
        let most = self.dice.random_range(1..3);
        let strategy = rolling(most, 0);
        respec(&self.server, json!({"updateStrategy": strategy}));
        if self.is_first() {
            set_key(&self.server, "budget", "strict");
        }
        seconds(60).await;
        respec(&self.server, json!({"minReadySeconds": 120}));
        millis(self.dice.random_range(0..500)).await;
        for version in ["2", "3", "4"] {
            change(&self.server, version);
            seconds(self.dice.random_range(3..100)).await;
        }
        seconds(1_200).await;
        self.check_all("4", "not all nodes have the last version");
        self.end().await;
    }
}

fn newest(server: &World) -> Value {
    let all = server.all("controllerrevisions").into_iter();
    let ours = all.filter(|r| owner(r) == UID);
    let newest = ours.max_by_key(|r| r["revision"].as_i64());
    newest.expect("a revision")
}

/// Lives through the history of a seed.
pub async fn seed(seed: u64) {
    let mut life = Hardship::new(seed).await;
    match seed % KINDS_OF_HARDSHIP {
        0 => life.ends().await,
        1 => life.sticks().await,
        2 => life.names().await,
        3 => life.strangers().await,
        4 => life.denied().await,
        5 => life.pauses().await,
        6 => life.goes_back().await,
        _ => life.hurries().await,
    }
}

#[tokio::test(start_paused = true)]
async fn what_lasts_is_borne_and_ends() {
    for n in 0..8 {
        seed(n).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_lasts_otherwise_is_borne_and_ends() {
    for n in sweep::first(8..16, 4) {
        seed(n).await;
    }
}

/// `SIM_SEEDS=1000-2000 cargo test --test sim -- --ignored hardship::more_seeds`
#[tokio::test(start_paused = true)]
#[ignore = "as many seeds as one likes"]
async fn more_seeds() {
    for n in seeds("16-200") {
        println!("seed {n}");
        seed(n).await;
    }
}
