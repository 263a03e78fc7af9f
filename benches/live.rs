//! The built-in controller and ours, one after the other, on the same real control plane and
//! simulated nodes.
//!
//! `just bench-live` or
//! `cargo bench --features live --bench live -- [--nodes 1000] [--rounds 3] [--only ours]`. Each
//! round: start the controller, let it cover one node (so that it has read everything), then create
//! a DaemonSet for all nodes and wait until its status says that all are ready and available; then
//! change its template and let it roll out with `maxUnavailable` 10%, and once more with `maxSurge`
//! 10%. Printed are medians of the rounds, for each of the three: the time that took, the processor
//! time used meanwhile, the peak of resident memory up to then, and what was written to the API
//! meanwhile, by the audit log.

#[path = "../tests/support/live/mod.rs"]
mod harness;

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use daemonset_controller::sim::follow::{Event, Followed, Target, follow};
use futures::StreamExt;
use k8s_openapi::api::apps::v1::DaemonSet;
use serde::Deserialize;
use serde_json::json;

use crate::harness::audit;
use crate::harness::control_plane::{BUILT_IN, ControlPlane, Options};
use crate::harness::controller::Controller;
use crate::harness::lab::Lab;
use crate::harness::process::{Process, Usage};

/// How long one round may take.
const LIMIT: Duration = Duration::from_secs(300);

#[derive(Parser)]
struct Args {
    /// Simulated nodes.
    #[arg(long, default_value_t = 1000)]
    nodes: usize,
    /// Rounds of each controller.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only this one.
    #[arg(long)]
    only: Option<Contender>,
    /// Added by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Contender {
    BuiltIn,
    Ours,
}

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Ours => "ours",
        }
    }

    /// The user as whom it writes.
    fn user(self) -> &'static str {
        match self {
            Self::BuiltIn => BUILT_IN,
            Self::Ours => "controller",
        }
    }
}

enum Running {
    BuiltIn(Process),
    Ours(Controller),
}

impl Running {
    fn start(contender: Contender, lab: &Lab) -> Self {
        match contender {
            Contender::BuiltIn => Self::BuiltIn(lab.plane.start_built_in()),
            Contender::Ours => Self::Ours(Controller::start(lab)),
        }
    }

    fn usage(&self) -> Usage {
        match self {
            Self::BuiltIn(process) => process.usage(),
            Self::Ours(controller) => controller.usage(),
        }
    }
}

/// The parts of each round, in this order.
const PARTS: [&str; 3] = [
    "covering all nodes",
    "a rollout, maxUnavailable 10%",
    "a rollout, maxSurge 10%",
];

/// The measures of one round, one for each part.
type Round = [Measure; 3];

struct Measure {
    elapsed: f64,
    cpu_meanwhile: f64,
    cpu_in_all: f64,
    plane_cpu: f64,
    peak_mib: f64,
    writes: BTreeMap<String, usize>,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let options = Options {
        measuring: true,
        ..Options::default()
    };
    let mut lab = Lab::alone_with("bench", options).await;
    println!("registering {} nodes", args.nodes);
    lab.add_nodes(1..=args.nodes).await;
    let first = lab.node_name(1);
    lab.patch_node(
        &first,
        &json!({ "metadata": { "labels": { "live.test/first": "yes" } } }),
    )
    .await;
    let contenders: Vec<Contender> = [Contender::BuiltIn, Contender::Ours]
        .into_iter()
        .filter(|contender| args.only.is_none_or(|only| only == *contender))
        .collect();
    let mut rounds: Vec<Vec<Round>> = contenders.iter().map(|_| Vec::new()).collect();
    for number in 1..=args.rounds {
        for (contender, rounds) in contenders.iter().zip(&mut rounds) {
            let round = run(&lab, *contender, args.nodes as i32).await;
            for (part, measure) in PARTS.iter().zip(&round) {
                println!(
                    "round {number}, {:8}, {part:29}: {:6.2} s, {:5.2} s CPU, {:6.1} MiB, control plane {:5.2} s CPU",
                    contender.name(),
                    measure.elapsed,
                    measure.cpu_meanwhile,
                    measure.peak_mib,
                    measure.plane_cpu,
                );
            }
            rounds.push(round);
        }
    }
    for (index, part) in PARTS.iter().enumerate() {
        println!(
            "\n{part}: {} nodes, medians of {} rounds",
            args.nodes, args.rounds
        );
        let measures: Vec<Vec<&Measure>> = rounds
            .iter()
            .map(|rounds| rounds.iter().map(|round| &round[index]).collect())
            .collect();
        print_table(&contenders, &measures);
    }
}

async fn run(lab: &Lab, contender: Contender, nodes: i32) -> Round {
    let running = Running::start(contender, lab);
    let mut warm = lab.daemon_set("warm");
    warm["spec"]["template"]["spec"]["nodeSelector"]["live.test/first"] = json!("yes");
    lab.create(&warm).await;
    lab.until_covered("warm", 1, LIMIT).await;

    let covering = measure(lab, contender, &running, nodes, async {
        lab.create(&lab.daemon_set("agent")).await;
    });
    let covering = covering.await;
    let mut rollouts = Vec::new();
    for (number, budget) in [(2, ("10%", "0%")), (3, ("0%", "10%"))] {
        let patch = json!({ "spec": {
            "updateStrategy": { "rollingUpdate": { "maxUnavailable": budget.0, "maxSurge": budget.1 } },
            "template": { "spec": { "containers": [
                { "name": "c", "image": format!("registry.example/agent:{number}") }] } },
        } });
        let rollout = measure(lab, contender, &running, nodes, async {
            lab.patch("agent", &patch).await;
        });
        rollouts.push(rollout.await);
    }

    lab.kubectl_ok(&[
        "delete",
        "daemonsets",
        "--all",
        "--cascade=foreground",
        "--timeout=300s",
    ])
    .await;
    lab.until_pods(0, LIMIT).await;
    drop(running);
    let [rollout, surge] = rollouts
        .try_into()
        .unwrap_or_else(|_| unreachable!("two rollouts"));
    [covering, rollout, surge]
}

/// Makes a change and waits until all nodes have an available pod of the current template.
async fn measure(
    lab: &Lab,
    contender: Contender,
    running: &Running,
    nodes: i32,
    change: impl Future<Output = ()>,
) -> Measure {
    let writes_before = audit::count_writes(&lab.plane.audit(contender.user()));
    let (before, plane_before) = (running.usage(), cpu_seconds(&lab.plane));
    let start = Instant::now();
    change.await;
    until_available(lab, nodes).await;
    let elapsed = start.elapsed().as_secs_f64();
    let (after, plane_after) = (running.usage(), cpu_seconds(&lab.plane));
    let mut writes = audit::count_writes(&lab.plane.audit(contender.user()));
    for (kind, count) in &mut writes {
        *count -= writes_before.get(kind).copied().unwrap_or(0);
    }
    writes.retain(|_, count| *count > 0);
    Measure {
        elapsed,
        cpu_meanwhile: after.cpu_seconds - before.cpu_seconds,
        cpu_in_all: after.cpu_seconds,
        plane_cpu: plane_after - plane_before,
        peak_mib: after.peak_mib,
        writes,
    }
}

/// Processor time that etcd and the API server have used, in seconds.
fn cpu_seconds(plane: &ControlPlane) -> f64 {
    [&plane.etcd, &plane.api_server]
        .map(|process| {
            let process = process.lock().unwrap_or_else(PoisonError::into_inner);
            process.usage().cpu_seconds
        })
        .iter()
        .sum()
}

/// The measured DaemonSet, as its watch tells of it.
#[derive(Debug, Clone, Deserialize)]
struct Agent(DaemonSet);

impl Followed for Agent {
    fn version(&self) -> &str {
        self.0.metadata.resource_version.as_deref().unwrap_or("")
    }
}

impl Agent {
    /// Whether the status says that `nodes` nodes have an available pod of the current template.
    fn covers(&self, nodes: i32) -> bool {
        let status = self.0.status.clone().unwrap_or_default();
        let counts = [
            Some(status.desired_number_scheduled),
            status.number_available,
            status.updated_number_scheduled,
        ];
        status.observed_generation == self.0.metadata.generation && counts == [Some(nodes); 3]
    }
}

/// Waits for the first state of the DaemonSet that covers so many nodes.
async fn until_available(lab: &Lab, nodes: i32) {
    let target = Target {
        path: format!("/apis/apps/v1/namespaces/{}/daemonsets", lab.namespace),
        fields: Some("metadata.name=agent".to_owned()),
        ..Target::default()
    };
    let covered = follow::<Agent>(lab.api.clone(), target).any(|event| {
        let covered = match event {
            Event::Listed(listed) => listed.iter().any(|agent| agent.covers(nodes)),
            Event::Applied(agent) => agent.covers(nodes),
            Event::Deleted(_) => false,
        };
        std::future::ready(covered)
    });
    if tokio::time::timeout(LIMIT, covered).await.is_err() {
        let status = lab.get("agent").await.status;
        let logs = lab.plane.logs(20);
        panic!("not everywhere within {LIMIT:?}: {status:?}\n{logs}");
    }
}

fn print_table(contenders: &[Contender], measures: &[Vec<&Measure>]) {
    let line = |what: &str, cells: Vec<String>| {
        println!(
            "{what:34}{}",
            cells
                .iter()
                .map(|cell| format!("{cell:>14}"))
                .collect::<String>()
        );
    };
    let row = |what: &str, value: fn(&Measure) -> f64, digits: usize| {
        let cell = |of_one: &Vec<&Measure>| {
            format!(
                "{:.digits$}",
                median(of_one.iter().map(|m| value(m)).collect())
            )
        };
        line(what, measures.iter().map(cell).collect());
    };
    line(
        "",
        contenders
            .iter()
            .map(|contender| contender.name().to_owned())
            .collect(),
    );
    row("until it is done, s", |m| m.elapsed, 2);
    row("CPU meanwhile, s", |m| m.cpu_meanwhile, 2);
    row("CPU with the start, s", |m| m.cpu_in_all, 2);
    row("etcd's and the API server's CPU, s", |m| m.plane_cpu, 2);
    row("peak resident memory, MiB", |m| m.peak_mib, 1);
    row("API writes", |m| m.writes.values().sum::<usize>() as f64, 0);
    let mut kinds: Vec<&String> = measures
        .iter()
        .flatten()
        .flat_map(|m| m.writes.keys())
        .collect();
    kinds.sort();
    kinds.dedup();
    for kind in kinds {
        let of = |m: &Measure| m.writes.get(kind).copied().unwrap_or(0) as f64;
        let cell = |of_one: &Vec<&Measure>| {
            format!("{:.0}", median(of_one.iter().map(|m| of(m)).collect()))
        };
        line(&format!("  {kind}"), measures.iter().map(cell).collect());
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}
