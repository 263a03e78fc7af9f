//! The search itself: the same seed gives the same requests, the promises hold in a few hundred
//! short histories in which every kind of event happens, and what breaks one is shrunk to its core.

use std::process::Command;
use std::thread;
use std::time::Instant;

use daemonset_controller_search::faults::{Fault, Faults};
use daemonset_controller_search::generate;
use daemonset_controller_search::history::{Controllers, History, Scope};
use daemonset_controller_search::report;
use daemonset_controller_search::run::{run, run_and};
use daemonset_controller_search::shrink::shrink;
use daemonset_controller_search::soak::{Until, soak};
use daemonset_controller_search::step::{Event, Step};

/// How many seeds are searched.
const SEEDS: u64 = 200;

fn log(history: &History) -> String {
    let (_, log) = run_and(history, |server, _| server.log_text());
    log.expect("no panic")
}

#[test]
fn the_same_seed_gives_the_same_requests_byte_for_byte() {
    let scope = Scope::short();
    for controllers in [Controllers::One, Controllers::Two, Controllers::Election] {
        let mut all = (0..).map(|seed| generate::history(seed, &scope));
        let history = all.find(|h| h.controllers == controllers).expect("a seed");
        let (first, again) = (log(&history), log(&history));
        for (n, (first, again)) in first.lines().zip(again.lines()).enumerate() {
            assert_eq!(first, again, "seed {}, line {n}", history.seed);
        }
        assert_eq!(first.len(), again.len());
        assert!(first.lines().count() > 50, "{}", first.lines().count());
    }
}

#[test]
fn the_promises_hold_in_a_few_hundred_histories_in_which_everything_happens() {
    let begun = Instant::now();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let tally = soak(0, Until::Seed(SEEDS), &Scope::short(), threads, false);
    let told = report::text(&tally, begun.elapsed(), threads);
    println!("{told}");
    assert!(tally.broken.is_empty(), "{told}");
    let usual = Faults::usual();
    for fault in Fault::ALL.iter().filter(|fault| usual.rate(**fault) > 0) {
        assert!(tally.steps.contains_key(fault), "{fault} was never reached");
    }
}

/// A history with a step that breaks S1 among others.
fn planted() -> History {
    let scope = Scope {
        steps: 12,
        faults: Faults::usual()
            .without(Fault::PodsFail)
            .without(Fault::PodsFinish),
        ..Scope::short()
    };
    let mut all = (0..).map(|seed| generate::history(seed, &scope));
    all.find_map(|mut history| {
        let at = history.steps[6].at;
        let event = Event::Planted { node: 1 };
        let fault = Fault::Planted;
        history.steps.insert(6, Step { at, fault, event });
        (run(&history).broken() == Some("S1")).then_some(history)
    })
    .expect("a seed")
}

#[test]
fn a_planted_violation_is_shrunk_to_its_core() {
    let history = planted();
    let mut tries = 0;
    let short = shrink(&history, 100, |candidate| {
        tries += 1;
        run(candidate).broken() == Some("S1")
    });
    let left: Vec<Fault> = short.steps.iter().map(|step| step.fault).collect();
    assert_eq!(left, [Fault::Planted], "{short}");
    assert_eq!((short.nodes, short.sets.len()), (1, 1));
    println!("{tries} tries:\n{short}");
}

#[test]
fn late_writes_break_nothing_but_s1_which_is_counted_apart() {
    let scope = Scope {
        late_per_mille: 50,
        ..Scope::short()
    };
    let tally = soak(0, Until::Seed(20), &scope, 2, false);
    assert!(tally.broken.is_empty(), "{:?}", tally.broken);
}

#[test]
fn a_violation_is_told_with_its_seed_and_timeline_and_the_exit_code_is_1() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daemonset-controller-search"));
    command.args([
        "--seeds", "0-1", "--nodes", "2", "--steps", "2", "--only", "planted",
    ]);
    let output = command.output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for part in [
        "seed 0 breaks S1",
        "1 are left",
        ">>>>>>>> S1 broken: 2 live pods",
        "daemonset-controller-search --seed 0 --nodes 2 --steps 2",
    ] {
        assert!(told.contains(part), "{part} is not in:\n{told}");
    }
}
