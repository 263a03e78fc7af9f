//! What a large cluster costs besides its calls: planning, and what is done under the cache's lock.
//!
//!     cargo bench --bench large -- --nodes 65000 --daemon-sets 20
//!
//! `--smoke` takes a small cluster, and checks that everything runs to its end.

mod fleet;
mod roll;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use daemonset_controller::runtime::pace;
use fleet::{Fleet, key};

/// At most so many creates, and so many deletes, of one plan are carried out: the default of
/// `--burst`.
const BURST: usize = 250;

fn main() {
    let (nodes, daemon_sets) = options();
    println!("{nodes} nodes, {daemon_sets} DaemonSets");
    let before = resident();
    let (mut fleet, took) = timed(|| Fleet::new(nodes, daemon_sets));
    row("all read for the first time", took);
    let bytes = resident().saturating_sub(before);
    println!("{:<52} {:>9} MiB", "memory", bytes >> 20);

    row("a settled plan", least(|| drop(black_box(fleet.plan(0)))));
    events(&mut fleet);
    relist(&mut fleet);
    cover(&mut fleet);
    fleet.release(0);
    row(
        "the first plan of a roll",
        least(|| drop(black_box(fleet.plan(0)))),
    );
    row(
        "the same, whole",
        least(|| drop(black_box(fleet.whole_plan(0)))),
    );
    roll::roll(&mut fleet);
}

/// What one event of a watch costs under the lock.
fn events(fleet: &mut Fleet) {
    let (_, took) = timed(|| fleet.taint(7, true));
    row("a node stops being eligible", took);
    let (_, took) = timed(|| fleet.taint(7, false));
    row("a node is eligible again", took);
    fleet.taint(8, true);
    let (_, took) = timed(|| fleet.delete_node(8));
    row("a node that was not eligible goes", took);
    let dirty = fleet.cache.take_dirty();
    assert_eq!(dirty.len(), fleet.daemon_sets);
}

/// A list of all pods that brings nothing new.
fn relist(fleet: &mut Fleet) {
    let (_, took) = timed(|| fleet.relist());
    row("a relist of pods: reading", took);
    let (longest, took) = timed(|| fleet.relist_completed());
    row("a relist of pods: settling absence", took);
    row("a relist of pods: the longest step of that", longest);
}

/// A new DaemonSet gets its pods, a burst a plan.
fn cover(fleet: &mut Fleet) {
    let new = fleet.add_daemon_set();
    row(
        "the first plan of a cover",
        least(|| drop(black_box(fleet.plan(new)))),
    );
    row(
        "the same, whole",
        least(|| drop(black_box(fleet.whole_plan(new)))),
    );
    let (mut planning, mut asking, mut plans, mut made) = (Duration::ZERO, Duration::ZERO, 0, 0);
    loop {
        let (plan, took) = timed(|| fleet.plan(new));
        planning += took;
        plans += 1;
        if plan.creates.is_empty() {
            break;
        }
        for create in plan.creates.iter().take(BURST) {
            let cache = &fleet.cache;
            let ask = || cache.has_other_pod(&key(new), &create.node, &create.seen);
            let (other, took) = timed(ask);
            asking += took;
            assert!(!other);
            fleet.created(new, create);
            made += 1;
        }
        if !is_dear(fleet, new) {
            // The plan for the status.
            planning += timed(|| fleet.plan(new)).1;
            plans += 1;
        }
    }
    assert!(made >= fleet.nodes - 1);
    row(&format!("a cover: {plans} plans"), planning);
    row("a cover: is there another pod, for each create", asking);
}

/// Whether a sync leaves the status to the next one.
fn is_dear(fleet: &mut Fleet, daemon_set: usize) -> bool {
    pace::is_dear(fleet.rows(daemon_set))
}

fn options() -> (usize, usize) {
    let all: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = all.iter().position(|a| a == name)?;
        Some(all.get(at + 1)?.parse().expect("a number"))
    };
    let small = all.iter().any(|a| a == "--smoke");
    let (nodes, daemon_sets) = if small { (600, 2) } else { (65_000, 20) };
    (
        value("--nodes").unwrap_or(nodes),
        value("--daemon-sets").unwrap_or(daemon_sets),
    )
}

fn timed<R>(f: impl FnOnce() -> R) -> (R, Duration) {
    let begun = Instant::now();
    let result = f();
    (result, begun.elapsed())
}

/// The least of three: what is measured is the work, and not the machine.
fn least(mut f: impl FnMut()) -> Duration {
    let times = (0..3).map(|_| timed(&mut f).1);
    times.min().expect("three")
}

fn row(what: &str, took: Duration) {
    println!("{what:<52} {:>12.3} ms", took.as_secs_f64() * 1_000.0);
}

/// The resident memory of this process, in bytes; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kibibytes.unwrap_or_default() * 1024
}
