//! The end of the demo: a table of nodes and pods, and the number of the controller's requests.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::plan::table::{self, Row};
use crate::sim::api::{
    ApiServer, Entry,
    resource::{DAEMON_SETS, NODES, PODS},
};
use crate::sim::promises;

use super::chronicle::CONTROLLER;
use super::error::DemoError;
use super::nodes::{POOL, ZONE};
use super::objects::{is_of, is_ready, target, text};
use super::show::{WIDTH, wrap};
use super::story::Story;

/// If the table would have more rows, it shows some nodes of each pool, and those that were
/// touched.
const ROWS: usize = 40;
/// How many nodes of each pool it shows then.
const SOME: usize = 4;
/// The longest time that the controller still works after the last change, such as counting a pod
/// as available.
const SETTLING: Duration = Duration::from_secs(30);
/// How long the controller is then watched for writes.
const CALM: Duration = Duration::from_secs(600);

impl Story<'_> {
    /// Shows the end.
    pub async fn close(&mut self) -> Result<(), DemoError> {
        self.table()?;
        let lived = self.time();
        let requests = self.requests();
        let count = requests.len();
        let words = format!(
            "The controller sent {count} requests in {:.0} s: {}.",
            lived.as_secs_f64(),
            sorts(&requests)
        );
        self.paragraph(&words)?;
        // Nobody watches any more, so the cluster's time is not held up.
        tokio::time::sleep(SETTLING).await;
        let settled = self.requests().len();
        tokio::time::sleep(CALM).await;
        let later = self.requests();
        let writes = later[settled..].iter().filter(|e| e.is_write()).count();
        let wrote = match writes {
            0 => "wrote nothing".to_owned(),
            1 => "wrote once".to_owned(),
            n => format!("wrote {n} times"),
        };
        let (seconds, minutes) = (SETTLING.as_secs(), CALM.as_secs() / 60);
        self.paragraph(&format!(
            "Then nobody touched the cluster. After {seconds} s, and for {minutes} minutes of its \
             time, the controller {wrote}."
        ))?;
        let broken = self.cluster.violations(&[CONTROLLER]);
        let writes = self.cluster.server.read(|store| store.version());
        let words = match &broken[..] {
            [] => {
                let surges = self.rollout_view().rollout.is_some_and(|r| r.max_surge > 0);
                let but = match surges {
                    true => ", but for one old and one new",
                    false => "",
                };
                let names = promises::names();
                let names = match &names[..] {
                    [first @ .., last] => format!("{} and {last}", first.join(", ")),
                    [] => String::new(),
                };
                format!(
                    "All {writes} writes were checked against the promises {names} of \
                     docs/simulation.md, and none was broken: no node ever had two live pods{but}."
                )
            }
            [first, ..] => format!("{} promises were broken; the first: {first}", broken.len()),
        };
        self.paragraph(&words)
    }

    fn paragraph(&mut self, words: &str) -> Result<(), DemoError> {
        Ok(self.show.print(&wrap(words, WIDTH).join("\n"))?)
    }

    fn requests(&self) -> Vec<Entry> {
        let server = &self.cluster.server;
        server.requests(|entry| *entry.client == *CONTROLLER)
    }

    fn table(&mut self) -> io::Result<()> {
        let mut rows = self.rows();
        let all = rows.len();
        if all > ROWS {
            let mut shown: BTreeMap<String, usize> = BTreeMap::new();
            rows.retain(|[node, _, pool, ..]| {
                let of_pool = shown.entry(pool.clone()).or_default();
                *of_pool += 1;
                *of_pool <= SOME || self.touched.contains(node)
            });
        }
        let more = all - rows.len();
        let heading = ["NODE", "ZONE", "POOL", "POD, OR WHY NONE", "STATUS", "AGE"];
        let text = table::render(heading, &rows);
        self.show.print("")?;
        let (heading, rows) = text.split_once('\n').unwrap_or((&text, ""));
        self.show.heading(heading)?;
        self.show.print(rows.trim_end())?;
        if more > 0 {
            self.show.print(&format!("and {more} more"))?;
        }
        self.show.print("")
    }

    /// One row for each pod, and for each node without one.
    fn rows(&mut self) -> Vec<Row<6>> {
        let judged = self.chronicle.judge();
        let server = &self.cluster.server;
        let now = server.now();
        let daemon_set = server.get(&DAEMON_SETS, &self.agent.namespace, &self.agent.name);
        let uid = text(&daemon_set.unwrap_or_default(), "/metadata/uid");
        let mut pods: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for pod in server.all(&PODS) {
            if is_of(&pod, &uid) {
                pods.entry(target(&pod)).or_default().push(pod);
            }
        }
        let mut rows = Vec::new();
        for judged in judged {
            let labels = label(server, &judged.node);
            let row = |pod: String, status: &str, age: String| {
                let [zone, pool] = labels.clone();
                let node = judged.node.clone();
                [node, zone, pool, pod, status.to_owned(), age]
            };
            // A pod that stays on a node which would not get a new one.
            let kept = match judged.verdict.should_run() {
                true => "",
                false => " (kept)",
            };
            match pods.remove(&judged.node) {
                Some(pods) => rows.extend(pods.iter().map(|pod| {
                    let name = text(pod, "/metadata/name") + kept;
                    row(name, status(pod), age(pod, now))
                })),
                None => {
                    let why = match judged.verdict.should_run() {
                        true => "none, though eligible",
                        false => judged.reason,
                    };
                    rows.push(row(why.to_owned(), "-", "-".to_owned()));
                }
            }
        }
        rows
    }
}

fn label(server: &ApiServer, node: &str) -> [String; 2] {
    let node = server.get(&NODES, "", node).unwrap_or_default();
    let label = |key: &str| {
        node["metadata"]["labels"][key]
            .as_str()
            .unwrap_or("-")
            .to_owned()
    };
    [label(ZONE), label(POOL)]
}

fn status(pod: &Value) -> &'static str {
    match pod["status"]["phase"].as_str() {
        _ if pod["metadata"]["deletionTimestamp"].is_string() => "Terminating",
        Some("Failed") => "Failed",
        Some("Succeeded") => "Succeeded",
        Some("Running") if is_ready(pod) => "Ready",
        Some("Running") => "Running",
        _ => "Pending",
    }
}

fn age(pod: &Value, now: Timestamp) -> String {
    let created: Option<Timestamp> = text(pod, "/metadata/creationTimestamp").parse().ok();
    created.map_or("-".to_owned(), |created| {
        format!("{}s", now.as_second() - created.as_second())
    })
}

/// The requests by their purpose, in words.
fn sorts(requests: &[Entry]) -> String {
    let mut counts = [0_usize; SORTS.len()];
    for entry in requests {
        counts[sort(entry)] += 1;
    }
    let some = SORTS.iter().zip(counts).filter(|(_, n)| *n > 0);
    let words = some.map(|((one, many), n)| format!("{n} {}", if n == 1 { one } else { many }));
    words.collect::<Vec<_>>().join(", ")
}

/// The words for one request and for many.
const SORTS: [(&str, &str); 10] = [
    ("list", "lists"),
    ("watch", "watches"),
    ("read", "reads"),
    ("pod created", "pods created"),
    ("deleted", "deleted"),
    ("revision written", "revisions written"),
    ("status update", "status updates"),
    ("event", "events"),
    ("refused", "refused"),
    ("other", "others"),
];

fn sort(entry: &Entry) -> usize {
    let target = entry.target.as_ref();
    let plural = target.map_or("", |t| t.resource.plural);
    let is_one = target.is_some_and(|t| !t.name.is_empty());
    match (entry.method.as_str(), plural) {
        _ if entry.code >= 400 => 8,
        ("GET", _) if entry.is_watch() => 1,
        ("GET", _) => usize::from(is_one) * 2,
        ("POST", "pods") => 3,
        ("DELETE", "pods") => 4,
        (_, "controllerrevisions") => 5,
        ("PATCH", "daemonsets") => 6,
        (_, "events") => 7,
        _ => 9,
    }
}
