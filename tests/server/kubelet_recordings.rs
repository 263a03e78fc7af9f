//! The simulated kubelets against recordings of real ones (`tests/data/kubelet`): the same is done
//! to the same pods at the same times, and the kubelets, in their full form, answer with the same
//! writes in the same order.
//!
//! The recordings were made from `kubectl get pods -w -o json` on three real nodes, and brought
//! into a short form of our own.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use daemonset_controller::sim::api::resource::{NODES, PODS};
use daemonset_controller::sim::api::store::Change;
use daemonset_controller::sim::cluster::{Cluster, Part};
use daemonset_controller::sim::kubelets::script::PREFIX;
use daemonset_controller::sim::kubelets::{Detail, NodeSpec};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

/// How much sooner or later than recorded a kubelet's write may follow the write before it. The
/// recorded machine was busy.
const BOUND: Duration = Duration::from_millis(1_500);

/// A recording, and what its pods are scripted to do so that they do the same.
struct Recorded {
    file: &'static str,
    /// Whether all its pods are on one node.
    one_node: bool,
    /// Pod, annotation and value.
    scripts: &'static [(&'static str, &'static str, &'static str)],
}

const RECORDINGS: [Recorded; 5] = [
    Recorded {
        file: "roll.txt",
        one_node: true,
        scripts: &[
            ("old", "terminate-after", "3700ms"),
            ("next", "start-after", "1400ms"),
            ("next", "ready-after", "2500ms"),
        ],
    },
    Recorded {
        file: "crash-loop.txt",
        one_node: true,
        scripts: &[
            ("pod", "start-after", "1500ms"),
            ("pod", "crash-after", "1300ms"),
            ("pod", "exit-code", "3"),
            ("pod", "terminate-after", "800ms"),
        ],
    },
    Recorded {
        file: "no-image.txt",
        one_node: true,
        scripts: &[
            ("a", "pull-fails-after", "1900ms"),
            ("a", "terminate-after", "400ms"),
            ("b", "pull-fails-after", "2s"),
            ("b", "terminate-after", "900ms"),
        ],
    },
    Recorded {
        file: "shutdown.txt",
        one_node: true,
        scripts: &[("running", "terminate-after", "800ms")],
    },
    Recorded {
        file: "reboot.txt",
        one_node: false,
        scripts: &[],
    },
];

/// How the writes may differ: a real kubelet has several hands, and what they do meanwhile goes
/// into one write, or not.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Differs {
    /// Recorded in one write, simulated in two.
    Merged,
    /// Recorded in two writes, simulated in one.
    Split,
}

/// All that differs: file, pod, the recorded write, how, and why.
const DIFFERENCES: [(&str, &str, &str, Differs, &str); 3] = [
    (
        "crash-loop.txt",
        "pod",
        "+1.636",
        Differs::Merged,
        "a container without a probe runs and is ready at once; its two writes are one or two by chance",
    ),
    (
        "no-image.txt",
        "b",
        "+1.734",
        Differs::Merged,
        "the sandbox was there before the first write",
    ),
    (
        "no-image.txt",
        "a",
        "+49.319",
        Differs::Split,
        "the sandbox went before the containers were asked for; of the other pod it was one write",
    ),
];

/// One write.
#[derive(Clone, Debug)]
struct Line {
    /// The time as it stands in the file.
    name: String,
    at: Duration,
    pod: String,
    by: String,
    changes: BTreeMap<String, String>,
}

impl Line {
    fn read(text: &str) -> Line {
        let mut words = text.split(' ');
        let mut word = || words.next().expect("a word").to_owned();
        let (name, pod, by) = (word(), word(), word());
        let seconds: f64 = name[1..].parse().expect("seconds");
        let changes = words.map(|word| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (key.to_owned(), value.to_owned())
        });
        Line {
            at: Duration::from_secs_f64(seconds),
            changes: changes.collect(),
            name,
            pod,
            by,
        }
    }

    fn has(&self, change: &str) -> bool {
        self.changes.contains_key(change)
    }
}

/// What is compared of a pod.
fn state(pod: &Value) -> BTreeMap<String, String> {
    let (metadata, status) = (&pod["metadata"], &pod["status"]);
    let mut state = BTreeMap::new();
    let mut tell = |key: &str, value: &Value| {
        let text = value.as_str().map(str::to_owned);
        if let Some(text) = text.or(value.as_i64().map(|n| n.to_string())) {
            state.insert(key.to_owned(), text);
        }
    };
    tell("generation", &metadata["generation"]);
    tell("grace", &metadata["deletionGracePeriodSeconds"]);
    tell("observed", &status["observedGeneration"]);
    tell("phase", &status["phase"]);
    tell("reason", &status["reason"]);
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let text = |field: &str| condition[field].as_str().unwrap_or("").to_owned();
        let why = match condition["reason"].as_str() {
            Some(reason) => format!("({reason})"),
            None => String::new(),
        };
        state.insert(text("type"), format!("{}{why}", text("status")));
    }
    let container = &status["containerStatuses"][0];
    if let Some((kind, of)) = container["state"].as_object().and_then(|s| s.iter().next()) {
        let code = of["exitCode"].as_i64().map(|code| format!(",{code}"));
        let why = match of["reason"].as_str() {
            Some(reason) => format!("({reason}{})", code.unwrap_or_default()),
            None => String::new(),
        };
        let ready = if container["ready"] == true {
            ":ready"
        } else {
            ""
        };
        let restarts = &container["restartCount"];
        state.insert(
            "container".to_owned(),
            format!("{kind}{why}{ready}:x{restarts}"),
        );
    }
    state
}

/// What differs between two states; `-` for what is gone.
fn changes(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let gone = gone.map(|key| (key.clone(), "-".to_owned()));
    let news = new
        .iter()
        .filter(|(key, value)| old.get(*key) != Some(value));
    gone.chain(news.map(|(k, v)| (k.clone(), v.clone())))
        .collect()
}

fn annotations(entries: &[(&str, Value)]) -> Value {
    let entries = entries.iter();
    let named = entries.map(|(key, value)| (format!("{PREFIX}{key}"), value.clone()));
    json!({"metadata": {"annotations": named.collect::<serde_json::Map<_, _>>()}})
}

struct Rig {
    cluster: Cluster,
    recorded: &'static Recorded,
}

impl Rig {
    fn node(&self, pod: &str) -> String {
        match self.recorded.one_node {
            true => "n0".to_owned(),
            false => format!("n-{pod}"),
        }
    }

    fn create(&self, pod: &str) {
        let scripts = self
            .recorded
            .scripts
            .iter()
            .filter(|(name, ..)| *name == pod);
        let scripts: Vec<(&str, Value)> = scripts.map(|(_, key, v)| (*key, json!(v))).collect();
        let mut object = annotations(&scripts);
        object["metadata"]["name"] = json!(pod);
        object["metadata"]["namespace"] = json!("default");
        object["spec"] = json!({
            "terminationGracePeriodSeconds": 10,
            "containers": [{"name": "c", "image": "i"}],
        });
        self.cluster.create(&PODS, &object).expect("it is created");
    }

    fn bind(&self, pod: &str) {
        let path = format!("{}/{pod}/binding", PODS.path("default"));
        let target = json!({"apiVersion": "v1", "kind": "Node", "name": self.node(pod)});
        let binding = json!({"metadata": {"name": pod}, "target": target});
        let bound = self.cluster.server.perform("POST", &path, &binding);
        bound.expect("it is bound");
    }

    /// Does what a recorded line says that no kubelet did.
    fn repeat(&self, line: &Line) {
        let pod = line.pod.as_str();
        let node = |entries: &[(&str, Value)]| {
            let patch = annotations(entries);
            let patched = self.cluster.patch(&NODES, "", &self.node(pod), &patch);
            patched.expect("a node");
        };
        match line.by.as_str() {
            "client" if line.has("grace") => {
                let deleted = self.cluster.delete(&PODS, "default", pod, &Value::Null);
                deleted.expect("it is there");
            }
            "client" => self.create(pod),
            "scheduler" => self.bind(pod),
            "node-lifecycle" => {
                let path = format!("{}/{pod}/status", PODS.path("default"));
                let stored = self.cluster.server.get(&PODS, "default", pod);
                let mut stored = stored.expect("it is there");
                let all = stored["status"]["conditions"].as_array_mut();
                for condition in all.into_iter().flatten().filter(|c| c["type"] == "Ready") {
                    condition["status"] = json!("False");
                }
                let said = self.cluster.server.perform("PUT", &path, &stored);
                said.expect("a pod");
            }
            "node" if line.has("shuts-down") => node(&[("shutdown", json!("true"))]),
            "node" if line.has("off") => node(&[("silent", json!("true"))]),
            "node" => node(&[
                ("silent", Value::Null),
                ("shutdown", Value::Null),
                ("boot", json!("second")),
            ]),
            _ => {}
        }
    }

    /// What was written to each pod from a version on, and the state that it had then.
    fn writes(&self, from: u64, begun: Duration) -> Vec<Line> {
        self.cluster.server.read(|store| {
            let mut lines = Vec::new();
            for write in store.history(&PODS).iter().filter(|w| w.version > from) {
                let name = write.object["metadata"]["name"].as_str().expect("a name");
                let before = write.before.as_deref().map(state).unwrap_or_default();
                let changes = match write.change {
                    Change::Deleted => BTreeMap::from([("gone".to_owned(), String::new())]),
                    _ => changes(&before, &state(&write.object)),
                };
                if !changes.is_empty() {
                    lines.push(Line {
                        name: format!("+{:.3}", (write.at - begun).as_secs_f64()),
                        at: write.at - begun,
                        pod: name.to_owned(),
                        by: String::new(),
                        changes,
                    });
                }
            }
            lines
        })
    }
}

/// Lives through a recording. Returns what was recorded and what was done, without the states at
/// the start.
async fn live(recorded: &'static Recorded) -> (Vec<Line>, Vec<Line>) {
    let path = format!("tests/data/kubelet/{}", recorded.file);
    let text = fs::read_to_string(path).expect("a recording");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines: Vec<Line> = lines.map(Line::read).collect();
    let mut cluster = Cluster::new(3);
    cluster.detail = Detail::Full;
    let mut rig = Rig {
        cluster: cluster.with(&[Part::Kubelets]),
        recorded,
    };
    let mut nodes: Vec<String> = lines.iter().map(|line| rig.node(&line.pod)).collect();
    nodes.sort();
    nodes.dedup();
    for node in nodes {
        rig.cluster.add_node(&NodeSpec::new(node));
    }
    let (was, lines): (Vec<Line>, Vec<Line>) = lines.into_iter().partition(|l| l.by == "was");
    for line in &was {
        rig.create(&line.pod);
        rig.bind(&line.pod);
    }
    sleep(Duration::from_secs(10)).await;
    for line in &was {
        let pod = rig.cluster.server.get(&PODS, "default", &line.pod);
        assert_eq!(
            state(&pod.expect("it runs")),
            line.changes,
            "{}",
            recorded.file
        );
    }
    let from = rig.cluster.server.read(|store| store.version());
    let (begun, now) = (rig.cluster.server.elapsed(), Instant::now());
    for line in &lines {
        sleep_until(now + line.at).await;
        rig.repeat(line);
    }
    sleep(Duration::from_secs(5)).await;
    let lived = rig.writes(from, begun);
    (
        lines.into_iter().filter(|l| l.by != "node").collect(),
        lived,
    )
}

/// Two writes as one.
fn together(one: &Line, other: &Line) -> BTreeMap<String, String> {
    let mut changes = one.changes.clone();
    changes.extend(other.changes.clone());
    changes
}

/// Holds the writes to one pod against those recorded. Returns how they differ, with the recorded
/// write.
fn compare(pod: &str, recorded: &[&Line], lived: &[&Line]) -> Vec<(String, Differs)> {
    let mut differences = Vec::new();
    let (mut r, mut l) = (0, 0);
    let mut before = (Duration::ZERO, Duration::ZERO);
    while r < recorded.len() || l < lived.len() {
        let (Some(was), Some(is)) = (recorded.get(r), lived.get(l)) else {
            panic!(
                "{pod}: recorded {:?}, but lived {:?}",
                recorded.get(r),
                lived.get(l)
            );
        };
        let (next_was, next_is) = (recorded.get(r + 1), lived.get(l + 1));
        let is_merged = || next_is.is_some_and(|next| together(is, next) == was.changes);
        let is_split = || next_was.is_some_and(|next| together(was, next) == is.changes);
        if was.changes != is.changes {
            let how = if is_merged() {
                l += 1;
                Differs::Merged
            } else if is_split() {
                r += 1;
                Differs::Split
            } else {
                panic!("{pod}: recorded {was:?}\n but lived {is:?}");
            };
            differences.push((was.name.clone(), how));
        }
        let now = (recorded[r].at, lived[l].at);
        // All other writes are made at their time.
        if was.by == "kubelet" || was.by == "server" {
            let (recorded, lived) = (now.0 - before.0, now.1 - before.1);
            let apart = recorded.abs_diff(lived);
            assert!(apart < BOUND, "{pod}: {was:?} came after {lived:?}");
        }
        before = now;
        (r, l) = (r + 1, l + 1);
    }
    differences
}

#[tokio::test(start_paused = true)]
async fn simulated_kubelets_write_what_real_ones_were_recorded_to_write() {
    let mut found = Vec::new();
    for scenario in &RECORDINGS {
        let (recorded, lived) = live(scenario).await;
        let mut pods: Vec<&str> = recorded.iter().map(|line| line.pod.as_str()).collect();
        pods.sort_unstable();
        pods.dedup();
        for pod in pods {
            let of = |lines: &'_ [Line]| -> Vec<usize> {
                let found = lines.iter().enumerate().filter(|(_, line)| line.pod == pod);
                found.map(|(n, _)| n).collect()
            };
            let recorded: Vec<&Line> = of(&recorded).iter().map(|n| &recorded[*n]).collect();
            let lived: Vec<&Line> = of(&lived).iter().map(|n| &lived[*n]).collect();
            let where_it_is = format!("{}, {pod}", scenario.file);
            for (line, how) in compare(&where_it_is, &recorded, &lived) {
                found.push((scenario.file, pod.to_owned(), line, how));
            }
        }
    }
    let mut known: Vec<_> = DIFFERENCES
        .iter()
        .map(|(file, pod, line, how, _)| (*file, (*pod).to_owned(), (*line).to_owned(), *how))
        .collect();
    known.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    assert_eq!(found, known, "what differs, and what is known to");
}
