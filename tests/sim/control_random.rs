//! Rollout control on random clusters: keys come and go, templates change, pods die, nodes join,
//! controllers crash, one or two of them, with watches that lag. All promises hold at every
//! version: S8 says that nothing is rolled out that a key holds. At the end the keys go, and every
//! pod is of the last template. All events follow from a seed.

use std::collections::BTreeMap;
use std::time::Duration;

use daemonset_controller::sim::kubelets::script::PREFIX;
use jiff::SignedDuration;
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::names::meddle_with_pod;
use super::rollout::{respec, rolling, script};
use super::sweep;
use super::world::*;

/// The keys, and values of each. An empty value stands for the hash of the newest revision.
const KEYS: [(&str, &[&str]); 10] = [
    ("hold", &["rollout", "all", "off", "rolout"]),
    (
        "canary",
        &["1", "2", "40%", "100%", "pool=0", "pool=none", "off"],
    ),
    (
        "order",
        &["pool", "pool=1>0", "kubernetes.io/hostname", "off"],
    ),
    ("bake", &["0s", "5s", "1m", "approval", "soon"]),
    ("approve", &["", "0123456789"]),
    ("deadline", &["0s", "3s", "1m", "off"]),
    (
        "on-failure",
        &[
            "pause",
            "pause,tolerate=1",
            "continue",
            "pause,tolerate=40%",
            "rollback",
            "rollback,tolerate=1",
            "off",
        ],
    ),
    (
        "budget",
        &["strict", "bad-nodes=40%", "strict,bad-nodes=1", "off"],
    ),
    ("replace-by", &["eviction", "eviction", "off", "evict"]),
    (
        "resources",
        &[
            r#"[{"nodes":"pool=0","containers":{"c":{"limits":{"memory":"300Mi"}}}}]"#,
            r#"[{"nodes":"pool=0","containers":{"c":{"requests":{"cpu":"20m"},"limits":{"memory":"200Mi"}}}},{"nodes":"!none","containers":{}}]"#,
            r#"[{"nodes":"!none","containers":{"c":{"limits":{"memory":"5Mi"}},"other":{"limits":{"cpu":"1"}}}}]"#,
            r#"[{"nodes":"!none","containers":{}}]"#,
            "[]",
            "off",
        ],
    ),
];

struct Chaos {
    dice: StdRng,
    server: World,
    controllers: BTreeMap<&'static str, Controller>,
    nodes: usize,
    lag: u64,
    touched: BTreeMap<String, Duration>,
}

impl Chaos {
    fn new(seed: u64) -> Chaos {
        let mut dice = StdRng::seed_from_u64(seed);
        let server = seeded(seed);
        let names: &[&str] = if dice.random_bool(0.4) {
            &["a", "b"]
        } else {
            &["a"]
        };
        let lag = [0, 100][dice.random_range(0..2)];
        let mut chaos = Chaos {
            dice,
            server,
            controllers: BTreeMap::new(),
            nodes: 0,
            lag,
            touched: BTreeMap::new(),
        };
        (0..chaos.dice.random_range(3..8)).for_each(|_| chaos.add_node());
        let mut set = daemon_set("default", "web");
        let budget: Value = chaos.one_of(&[1, 2, 5]).into();
        set["spec"]["updateStrategy"] = match chaos.dice.random_range(0..5) {
            0 => json!({"type": "OnDelete"}),
            1 | 2 => rolling(budget, 0),
            _ => rolling(0, budget),
        };
        let resources = chaos.one_of(&[
            "",
            r#"{"requests":{"cpu":"10m","memory":"10Mi"},"limits":{"memory":"400Mi"}}"#,
        ]);
        if !resources.is_empty() {
            let resources: Value = serde_json::from_str(resources).expect("JSON");
            set["spec"]["template"]["spec"]["containers"][0]["resources"] = resources;
        }
        set["spec"]["minReadySeconds"] = chaos.one_of(&[0, 0, 3]).into();
        set["spec"]["revisionHistoryLimit"] = chaos.one_of(&[0, 1, 10]).into();
        chaos.server.add("daemonsets", set);
        chaos.server.kubelet();
        for name in names {
            chaos.controllers.insert(name, start(&chaos.server, name));
        }
        chaos
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.dice.random_range(0..all.len())]
    }

    fn add_node(&mut self) {
        let mut made = node(&format!("n{}", self.nodes));
        self.nodes += 1;
        made["metadata"]["labels"]["pool"] = self.one_of(&["0", "1"]).into();
        let ready = self.one_of(&["0s", "400ms", "2s"]);
        made["metadata"]["annotations"] = json!({ (format!("{PREFIX}ready-after")): ready });
        self.server.add("nodes", made);
    }

    fn newest_hash(&self) -> Value {
        let all = self.server.all("controllerrevisions");
        let newest = all.iter().max_by_key(|r| r["revision"].as_i64());
        newest.map_or(Value::Null, |r| {
            r["metadata"]["labels"]["controller-revision-hash"].clone()
        })
    }

    fn set_key(&mut self) {
        let (key, values) = self.one_of(&KEYS);
        let value = match self.one_of(values) {
            _ if self.dice.random_bool(0.25) => Value::Null,
            "" => self.newest_hash(),
            value => value.into(),
        };
        let annotations = json!({ (format!("daemonset-controller.io/{key}")): value });
        self.annotate(&annotations);
    }

    fn annotate(&self, annotations: &Value) {
        let metadata = json!({"metadata": {"annotations": annotations}});
        self.server.edit("daemonsets", "web", metadata);
    }

    fn change(&mut self) {
        let version = self.dice.random_range(0..4).to_string();
        // Some of the versions are bad.
        let crash = (version == "3").then_some("2s");
        let pull_fails = (version == "2" && self.dice.random_bool(0.5)).then_some("0s");
        self.change_to(&version, crash, pull_fails);
    }

    fn change_to(&self, version: &str, crash: Option<&str>, pull_fails: Option<&str>) {
        let annotations = json!({
            "v": version,
            (format!("{PREFIX}crash-after")): crash,
            (format!("{PREFIX}pull-fails-after")): pull_fails,
        });
        respec(
            &self.server,
            json!({"template": {"metadata": {"annotations": annotations}}}),
        );
    }

    /// Somebody touches a pod on a node where nobody did for as long as anybody may be behind.
    fn meddle(&mut self) {
        let name = format!("n{}", self.dice.random_range(0..self.nodes));
        let how = self.dice.random_range(0..4);
        let now = self.server.elapsed();
        let calm = Duration::from_millis(2 * self.lag + 2_000);
        if self.touched.get(&name).is_some_and(|at| now - *at < calm) {
            return;
        }
        let lag = Duration::from_millis(self.lag + 200);
        meddle_with_pod(&self.server, &name, how, lag);
        self.touched.insert(name, now);
    }

    /// A node becomes ready, or ceases to be; its pods go on.
    fn turn_node(&mut self) {
        let name = format!("n{}", self.dice.random_range(0..self.nodes));
        let ready = if self.dice.random_bool(0.5) {
            "True"
        } else {
            "False"
        };
        let epoch = self.server.epoch();
        let now =
            epoch.checked_add(SignedDuration::try_from(self.server.elapsed()).expect("a time"));
        let now = now
            .expect("a time")
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string();
        let condition = json!({"type": "Ready", "status": ready, "lastTransitionTime": now});
        self.server.edit(
            "nodes",
            &name,
            json!({"status": {"conditions": [condition]}}),
        );
    }

    /// What the pods of a node do from now on: nothing odd, crash, or wait for their image.
    fn turn_pods(&mut self) {
        let name = format!("n{}", self.dice.random_range(0..self.nodes));
        let crash = self.one_of(&[None, None, Some("1s"), Some("20s")]);
        let pull_fails = self.one_of(&[None, None, Some("0s")]);
        script(&self.server, &name, "crash-after", json!(crash));
        script(&self.server, &name, "pull-fails-after", json!(pull_fails));
    }

    /// From now on they do nothing odd. Those that have no image are made anew.
    fn mend_pods(&self) {
        for n in 0..self.nodes {
            for what in ["crash-after", "pull-fails-after"] {
                script(&self.server, &format!("n{n}"), what, Value::Null);
            }
        }
        for pod in self.server.all("pods") {
            let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
            if waiting["reason"] == "ErrImagePull" {
                let name = pod["metadata"]["name"].as_str().expect("a name");
                self.server.ask_to_delete("pods", name);
            }
        }
    }

    /// A disruption budget comes, goes, or allows more or less.
    fn turn_budget(&mut self) {
        let allowed = self.one_of(&[0, 0, 1, 2]);
        let always = self.one_of(&["AlwaysAllow", "IfHealthyBudget"]);
        let spec = json!({"minAvailable": 1, "unhealthyPodEvictionPolicy": always,
                          "selector": {"matchLabels": {"app": "web"}}});
        let status = json!({"observedGeneration": 9, "disruptionsAllowed": allowed,
                            "desiredHealthy": 2, "currentHealthy": self.one_of(&[1, 2])});
        self.lift_budget();
        if self.dice.random_bool(0.7) {
            let budget = json!({"metadata": {"name": "p"}, "spec": spec, "status": status});
            self.server.put("poddisruptionbudgets", budget);
        }
    }

    fn lift_budget(&self) {
        if !self.server.all("poddisruptionbudgets").is_empty() {
            self.server.remove("poddisruptionbudgets", "p");
        }
    }

    /// A node is of another class.
    fn relabel_node(&mut self) {
        let name = format!("n{}", self.dice.random_range(0..self.nodes));
        let pool = self.one_of(&["0", "1"]);
        let labels = json!({"metadata": {"labels": {"pool": pool}}});
        self.server.edit("nodes", &name, labels);
    }

    /// Nobody does anything for two hours. Whatever the keys hold, in the second one nothing is
    /// made or restarted, and nothing is written again and again.
    async fn rest(&mut self, seed: u64) {
        self.mend_pods();
        // Pods of bad versions go on crashing, and the counts with them.
        let is_bad = |pod: &Value| {
            let script = &pod["metadata"]["annotations"];
            let mut what = ["crash-after", "pull-fails-after"].iter();
            what.any(|what| !script[format!("{PREFIX}{what}")].is_null())
        };
        seconds(3_600).await;
        let before = self.server.requests(|_| true).len();
        let is_bad = self.server.all("pods").iter().any(is_bad);
        seconds(3_600).await;
        let all = self.server.requests(|_| true);
        let since = &all[before..];
        let count = |of: &dyn Fn(&Entry) -> bool| since.iter().filter(|c| of(c)).count();
        let set = self.server.get("daemonsets", "web");
        let said = format!(
            "seed {seed}: {} {}",
            set["metadata"]["annotations"], set["status"]
        );
        let pods = count(&|c| c.is("POST", "/pods") && c.code == 201);
        let deletes = count(&|c| c.is_delete() && c.is_for("DELETE", "pods"));
        let writes = count(&|c| c.is("PATCH", "/status") && c.is_for("PATCH", "daemonsets"));
        let revisions = count(&|c| c.is_for("PATCH", "controllerrevisions"));
        let resizes = count(&|c| c.is("PATCH", "/resize"));
        let evictions = count(&|c| c.is("POST", "/eviction"));
        let counts = (pods, deletes, revisions, resizes);
        println!("seed {seed}: {counts:?} {writes} {evictions} bad {is_bad}");
        if !is_bad {
            assert_eq!(counts, (0, 0, 0, 0), "{said}");
            assert!(writes <= 2, "{writes} writes, {said}");
        }
        assert!(
            evictions <= 14 * self.nodes,
            "{evictions} evictions, {said}"
        );
    }

    async fn crash(&mut self) {
        let names: Vec<&str> = self.controllers.keys().copied().collect();
        let who = self.one_of(&names);
        let Some((who, _)) = self.controllers.remove_entry(who) else {
            return;
        };
        millis(self.dice.random_range(0..1_500)).await;
        self.controllers.insert(who, start(&self.server, who));
        seconds(3).await;
    }

    async fn turn(&mut self) {
        match self.dice.random_range(0..20) {
            16 | 17 => self.turn_budget(),
            18 => self.relabel_node(),
            0..5 => self.set_key(),
            5 | 6 => self.change(),
            7 => {
                let lag = self.dice.random_range(0..=self.lag);
                let who = self.one_of(&["a", "b"]);
                self.server.lag(who, Duration::from_millis(lag));
            }
            8 => self.crash().await,
            9 => self.add_node(),
            10 | 11 => self.turn_node(),
            12 | 13 => self.turn_pods(),
            _ => self.meddle(),
        }
        millis(self.dice.random_range(0..6_000)).await;
    }
}

/// Returns how many pods of any revision but the newest were made while a key was there.
pub async fn seed(seed: u64, rests: bool) -> usize {
    let mut chaos = Chaos::new(seed);
    seconds(5).await;
    for _ in 0..30 {
        chaos.turn().await;
    }
    if rests {
        chaos.rest(seed).await;
    }
    let older = older_pods(&chaos.server);
    let keys: serde_json::Map<String, Value> = KEYS
        .iter()
        .map(|(key, _)| (format!("daemonset-controller.io/{key}"), Value::Null))
        .collect();
    chaos.annotate(&keys.into());
    let rolling = json!({"updateStrategy": rolling(2, 0)});
    respec(&chaos.server, rolling);
    chaos.lift_budget();
    chaos.mend_pods();
    chaos.change_to("4", None, None);
    let server = &chaos.server;
    server.at_rest().await;
    let status = &server.get("daemonsets", "web")["status"];
    for field in ["updatedNumberScheduled", "numberAvailable"] {
        let count = status[field].as_i64().unwrap_or(0);
        let wanted = &status["desiredNumberScheduled"];
        assert_eq!(json!(count), *wanted, "L1, seed {seed}: {status}");
    }
    assert!(chaos.controllers.values().all(Controller::is_running));
    older
}

/// How many pods were created of an older revision: these have no label with the generation.
fn older_pods(server: &World) -> usize {
    let posts = server.requests(|c| c.is("POST", "/pods") && c.code == 201);
    let is_older = |body: &Value| {
        let labels = &body["metadata"]["labels"];
        labels["pod-template-generation"].is_null()
    };
    let bodies = posts
        .iter()
        .filter_map(|post| serde_json::from_slice(&post.body).ok());
    bodies.filter(is_older).count()
}

#[tokio::test(start_paused = true)]
async fn with_random_keys_the_promises_hold_and_what_is_held_ends_with_its_keys() {
    let mut older = 0;
    let seeds = sweep::first(0..8, 3);
    let enough = if sweep::is_whole() { 4 } else { 0 };
    for n in seeds {
        older += seed(n, false).await;
    }
    assert!(older > enough, "only {older} pods came back as they were");
}

/// `SIM_SEEDS=1000-2000 cargo test --test sim -- --ignored control_random::more_seeds`
#[tokio::test(start_paused = true)]
#[ignore = "as many seeds as one likes"]
async fn more_seeds() {
    for n in seeds("8-100") {
        println!(
            "seed {n}: {} pods came back as they were",
            seed(n, true).await
        );
    }
}
