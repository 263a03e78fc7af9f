//! The built-in controller and ours, one after the other, on the same real control plane and simulated nodes.
//!
//! `just bench-live` or `cargo bench --features live --bench live -- [--nodes 1000] [--rounds 3] [--only ours]`.
//! Each round: start the controller, let it cover one node (so that it has read everything), then create a
//! DaemonSet for all nodes and wait until its status says that all are ready and available. Printed are medians
//! of the rounds: the time that took, the processor time used meanwhile and in all, the peak of resident memory,
//! and what was written to the API meanwhile, by the audit log.

// The tests' harness; the benchmark needs only a part of it.
#[allow(dead_code)]
#[path = "../tests/live/audit.rs"]
mod audit;
#[allow(dead_code)]
#[path = "../tests/live/cluster.rs"]
mod cluster;
#[allow(dead_code)]
#[path = "../tests/live/configuration.rs"]
mod configuration;
#[allow(dead_code)]
#[path = "../tests/live/control_plane.rs"]
mod control_plane;
#[allow(dead_code)]
#[path = "../tests/live/controller.rs"]
mod controller;
#[allow(dead_code)]
#[path = "../tests/live/process.rs"]
mod process;
#[allow(dead_code)]
#[path = "../tests/live/referee.rs"]
mod referee;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use serde_json::json;

use crate::cluster::Lab;
use crate::control_plane::BUILT_IN;
use crate::controller::Controller;
use crate::process::{Process, Usage};

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
    /// What cargo adds.
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

/// What one round has shown.
struct Round {
    elapsed: f64,
    cpu_meanwhile: f64,
    cpu_in_all: f64,
    peak_mib: f64,
    writes: BTreeMap<String, usize>,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let mut lab = Lab::alone("bench").await;
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
            println!(
                "round {number}, {:8}: {:6.2} s, {:5.2} s CPU, {:6.1} MiB",
                contender.name(),
                round.elapsed,
                round.cpu_meanwhile,
                round.peak_mib
            );
            rounds.push(round);
        }
    }
    print_table(&args, &contenders, &rounds);
}

async fn run(lab: &Lab, contender: Contender, nodes: i32) -> Round {
    let running = Running::start(contender, lab);
    let mut warm = lab.daemon_set("warm");
    warm["spec"]["template"]["spec"]["nodeSelector"]["live.test/first"] = json!("yes");
    lab.create(&warm).await;
    lab.until_covered("warm", 1, LIMIT).await;

    let writes_before = audit::count_writes(&lab.plane.audit(contender.user()));
    let before = running.usage();
    let start = Instant::now();
    lab.create(&lab.daemon_set("agent")).await;
    until_available(lab, nodes).await;
    let elapsed = start.elapsed().as_secs_f64();
    let after = running.usage();
    let mut writes = audit::count_writes(&lab.plane.audit(contender.user()));
    for (kind, count) in &mut writes {
        *count -= writes_before.get(kind).copied().unwrap_or(0);
    }
    writes.retain(|_, count| *count > 0);

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
    Round {
        elapsed,
        cpu_meanwhile: after.cpu_seconds - before.cpu_seconds,
        cpu_in_all: after.cpu_seconds,
        peak_mib: after.peak_mib,
        writes,
    }
}

/// Looks often, so that the time is measured to a few hundredths of a second.
async fn until_available(lab: &Lab, nodes: i32) {
    let deadline = Instant::now() + LIMIT;
    loop {
        let status = lab.get("agent").await.status.unwrap_or_default();
        if (status.desired_number_scheduled, status.number_available) == (nodes, Some(nodes)) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "not covered within {LIMIT:?}: {status:?}\n{}",
            lab.plane.logs(20)
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

fn print_table(args: &Args, contenders: &[Contender], rounds: &[Vec<Round>]) {
    let line = |what: &str, cells: Vec<String>| {
        println!(
            "{what:34}{}",
            cells
                .iter()
                .map(|cell| format!("{cell:>14}"))
                .collect::<String>()
        );
    };
    let row = |what: &str, value: fn(&Round) -> f64, digits: usize| {
        let cell = |rounds: &Vec<Round>| {
            format!("{:.digits$}", median(rounds.iter().map(value).collect()))
        };
        line(what, rounds.iter().map(cell).collect());
    };
    println!("\n{} nodes, medians of {} rounds", args.nodes, args.rounds);
    line(
        "",
        contenders
            .iter()
            .map(|contender| contender.name().to_owned())
            .collect(),
    );
    row("until all are available, s", |round| round.elapsed, 2);
    row("CPU meanwhile, s", |round| round.cpu_meanwhile, 2);
    row("CPU with the start, s", |round| round.cpu_in_all, 2);
    row("peak resident memory, MiB", |round| round.peak_mib, 1);
    row(
        "API writes",
        |round| round.writes.values().sum::<usize>() as f64,
        0,
    );
    let mut kinds: Vec<&String> = rounds
        .iter()
        .flatten()
        .flat_map(|round| round.writes.keys())
        .collect();
    kinds.sort();
    kinds.dedup();
    for kind in kinds {
        let of = |round: &Round| round.writes.get(kind).copied().unwrap_or(0) as f64;
        let cell = |rounds: &Vec<Round>| format!("{:.0}", median(rounds.iter().map(of).collect()));
        line(&format!("  {kind}"), rounds.iter().map(cell).collect());
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
