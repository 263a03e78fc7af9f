//! The command line.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};

use crate::faults::{Fault, Faults};
use crate::generate;
use crate::history::{Controllers, History, Scope};
use crate::outcome::Outcome;
use crate::report;
use crate::run::{run, run_and};
use crate::shrink::shrink;
use crate::soak::{Until, soak};
use crate::timeline;

/// How many histories the shrinker tries.
const TRIES: usize = 600;

/// Of so many promises the first history that broke it is shrunk.
const SHRUNK: usize = 3;

#[derive(Parser, Debug)]
#[command(
    name = "daemonset-controller-search",
    about = "Searches the simulated cluster for histories in which the DaemonSet controller breaks a promise",
    max_term_width = 100
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Live through the history of this seed, and tell how it went
    #[arg(long)]
    seed: Option<u64>,
    /// Search the histories of the seeds from A to B, without the last
    #[arg(long, value_name = "A-B", value_parser = range, default_value = "0-200")]
    seeds: (u64, u64),
    #[command(flatten)]
    scope: ScopeArgs,
    /// How many threads search; by default one for each core
    #[arg(long, global = true)]
    threads: Option<usize>,
    /// Print the report as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Search for so many seconds
    Soak {
        /// How long.
        seconds: u64,
        /// The first seed; by default one that no search before had
        #[arg(long)]
        from: Option<u64>,
    },
}

#[derive(clap::Args, Debug)]
struct ScopeArgs {
    /// How many nodes there are at first
    #[arg(long, global = true, default_value_t = 10)]
    nodes: u32,
    /// How many things happen in a history
    #[arg(long, global = true, default_value_t = 200)]
    steps: usize,
    /// Some writes of controllers take effect late, up to two minutes. S1 then has its known gap,
    /// which is counted apart
    #[arg(long, global = true)]
    late_writes: bool,
    /// Only histories with these controllers: the seeds of others are passed over
    #[arg(long, global = true)]
    controllers: Option<Controllers>,
    /// Only these kinds of events, separated by commas
    #[arg(long, global = true, value_delimiter = ',')]
    only: Vec<Fault>,
    /// Without these kinds of events
    #[arg(long, global = true, value_delimiter = ',')]
    without: Vec<Fault>,
    /// Do not look for a shorter history where a promise was broken
    #[arg(long, global = true)]
    no_shrink: bool,
}

impl ScopeArgs {
    fn scope(&self) -> Scope {
        let usual = Faults::usual();
        let mut faults = usual.clone();
        if !self.only.is_empty() {
            faults = Faults::none();
            for fault in &self.only {
                faults = faults.with(*fault, usual.rate(*fault).max(1));
            }
        }
        for fault in &self.without {
            faults = faults.without(*fault);
        }
        Scope {
            nodes: self.nodes,
            steps: self.steps,
            faults,
            late_per_mille: if self.late_writes { 50 } else { 0 },
            controllers: self.controllers,
        }
    }
}

fn range(text: &str) -> Result<(u64, u64), String> {
    let wrong = || format!("{text:?} is not A-B, like 0-200");
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let number = |text: &str| text.parse().map_err(|_| wrong());
    Ok((number(from)?, number(to)?))
}

/// Runs the command line; the exit code is 1 where a promise was broken.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let scope = cli.scope.scope();
    if let (Some(seed), None) = (cli.seed, &cli.command) {
        return one(seed, &scope, !cli.scope.no_shrink);
    }
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = cli.threads.unwrap_or_else(cores).max(1);
    let (from, until) = match cli.command {
        Some(Command::Soak { seconds, from }) => {
            let new = || {
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default()
                    .as_millis() as u64
            };
            let from = from.unwrap_or_else(new);
            (from, Until::Time(Duration::from_secs(seconds)))
        }
        None => (cli.seeds.0, Until::Seed(cli.seeds.1)),
    };
    eprintln!("the first seed is {from}");
    let begun = Instant::now();
    let tally = soak(from, until, &scope, threads, true);
    let took = begun.elapsed();
    if cli.json {
        println!("{:#}", report::json(&tally, took, threads));
    } else {
        print!("{}", report::text(&tally, took, threads));
    }
    if !cli.scope.no_shrink {
        for broken in tally.firsts().into_iter().take(SHRUNK) {
            one(broken.seed, &scope, true);
        }
    }
    ExitCode::from(u8::from(!tally.broken.is_empty()))
}

/// Tells the history of a seed; where it breaks a promise, the shortest that still does.
fn one(seed: u64, scope: &Scope, shrinks: bool) -> ExitCode {
    let history = generate::history(seed, scope);
    let outcome = run(&history);
    let known_gap = outcome.known_gap.first().map(|_| "known gap");
    let Some(broken) = outcome.broken().or(known_gap) else {
        tell(&history);
        println!("seed {seed}: all promises held");
        return ExitCode::SUCCESS;
    };
    println!("seed {seed} breaks {broken}");
    if shrinks {
        let still = |outcome: &Outcome| match broken {
            "known gap" => !outcome.known_gap.is_empty(),
            promise => outcome.broken() == Some(promise),
        };
        let short = shrink(&history, TRIES, |candidate| still(&run(candidate)));
        println!(
            "of {} steps {} are left:",
            history.steps.len(),
            short.steps.len()
        );
        tell(&short);
    } else {
        tell(&history);
    }
    println!(
        "replay it: daemonset-controller-search --seed {seed}{}",
        same(scope)
    );
    ExitCode::from(u8::from(outcome.broken().is_some()))
}

/// The options that give this scope.
fn same(scope: &Scope) -> String {
    let late = if scope.late_per_mille > 0 {
        " --late-writes"
    } else {
        ""
    };
    format!(" --nodes {} --steps {}{late}", scope.nodes, scope.steps)
}

fn tell(history: &History) {
    let (outcome, told) = run_and(history, |server, outcome| {
        timeline::tell(history, server, outcome)
    });
    print!("{history}\n{}", told.unwrap_or_default());
    for violation in &outcome.violations {
        println!("{violation}");
    }
    for (freed, violation) in &outcome.known_gap {
        println!("known gap, the name was freed by {freed:?}: {violation}");
    }
}
