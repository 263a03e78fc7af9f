//! Small scopes, exhausted: every order of everything that can happen to one or two controllers,
//! within bounds. The decisions and the caches are the real ones; the server, the kubelet and the
//! way of a request are a few lines each. `tests/sim/scopes.rs` does less of it with all of the
//! real code.

mod controller;
mod effect;
mod explore;
mod mutants;
mod scope;
mod server;
mod state;
mod sync;

use std::time::Instant;

use explore::{Found, Violation, explore};
use scope::Scope;

/// Explores a scope, and prints what there was.
fn run(scope: &Scope, most: usize) -> Found {
    let begun = Instant::now();
    let found = explore(scope, most);
    println!(
        "{}: {} states, {} steps, {} at rest, {} out of time, {} caches{}, {:.1?}",
        scope.name,
        found.states,
        found.steps,
        found.at_rest,
        found.cut,
        found.knowledge,
        if found.is_part { ", not all" } else { "" },
        begun.elapsed()
    );
    found
}

/// All states of these scopes keep all promises.
fn all_hold(scopes: &[Scope]) {
    let mut states = 0;
    for scope in scopes {
        let found = run(scope, usize::MAX);
        if let Some(violation) = found.violation {
            panic!("{}: {}", scope.name, violation.told());
        }
        assert!(found.at_rest > 0, "{}: nothing ever rests", scope.name);
        states += found.states;
    }
    println!("{states} states in all");
}

/// The shortest history of a scope that breaks something.
fn broken(scope: &Scope, most: usize) -> Violation {
    let violation = run(scope, most).violation.expect("a violation");
    println!("{}", violation.told());
    violation
}

fn one(name: &'static str) -> Scope {
    Scope::named(name)
}

fn two(name: &'static str) -> Scope {
    Scope {
        controllers: 2,
        prompt: true,
        ..Scope::named(name)
    }
}

#[test]
fn small_scopes_keep_all_promises_in_every_order() {
    all_hold(&[
        Scope {
            fails: 1,
            crashes: 1,
            ..one("one: a pod fails, a crash")
        },
        Scope {
            deletes: 1,
            losses: 1,
            ..one("one: a pod is deleted, an answer is lost")
        },
        Scope {
            edits: vec![1, 0],
            ..one("one: a rollout and back")
        },
        Scope {
            edits: vec![1],
            losses: 1,
            nodes: 2,
            ..one("one: a rollout of two nodes, an answer is lost")
        },
        Scope {
            edits: vec![1],
            surges: true,
            losses: 1,
            ..one("one: a surge, an answer is lost")
        },
        Scope {
            fails: 1,
            ..two("two: a pod fails")
        },
        Scope {
            deletes: 1,
            ..two("two: a pod is deleted")
        },
        Scope {
            covered: false,
            nodes: 2,
            ..two("two: the first pods of two nodes")
        },
    ]);
}

/// `cargo test --test invariants -- --ignored --nocapture scopes::`
#[test]
#[ignore = "a few hundred thousand states, in minutes"]
fn larger_scopes_keep_all_promises_in_every_order() {
    all_hold(&[
        Scope {
            fails: 1,
            deletes: 1,
            crashes: 1,
            ..one("one: a pod fails, one is deleted, a crash")
        },
        Scope {
            fails: 2,
            losses: 1,
            ..one("one: two pods fail, an answer is lost")
        },
        Scope {
            edits: vec![1],
            crashes: 1,
            losses: 1,
            nodes: 2,
            ..one("one: a rollout of two nodes, a crash, an answer is lost")
        },
        Scope {
            edits: vec![1],
            fails: 1,
            nodes: 2,
            ..one("one: a rollout of two nodes, a pod fails")
        },
        Scope {
            edits: vec![1, 0],
            nodes: 2,
            ..one("one: a rollout of two nodes and back")
        },
        Scope {
            edits: vec![1, 2],
            nodes: 3,
            ..one("one: two rollouts of three nodes")
        },
        Scope {
            edits: vec![1],
            surges: true,
            fails: 1,
            ..one("one: a surge, a pod fails")
        },
        Scope {
            edits: vec![1, 0],
            surges: true,
            crashes: 1,
            ..one("one: a surge and back, a crash")
        },
        Scope {
            deletes: 2,
            ..two("two: two pods are deleted")
        },
        Scope {
            fails: 1,
            crashes: 1,
            ..two("two: a pod fails, a crash")
        },
        Scope {
            deletes: 1,
            crashes: 1,
            ..two("two: a pod is deleted, a crash")
        },
        Scope {
            fails: 1,
            deletes: 1,
            ..two("two: a pod fails, one is deleted")
        },
        Scope {
            fails: 1,
            prompt: false,
            ..two("two: a pod fails, answers take their time")
        },
    ]);
}

/// Not exhausted: the shortest histories of two controllers at one rollout. `cargo test --test
/// invariants -- --ignored --nocapture scopes::two`
#[test]
#[ignore = "a minute"]
fn two_controllers_at_a_rollout_keep_all_promises_in_many_orders() {
    let scope = Scope {
        edits: vec![1],
        ..two("two: a rollout")
    };
    if let Some(violation) = run(&scope, 100_000).violation {
        panic!("{}", violation.told());
    }
}

/// A request of the first pod that may miss so many writes to the pods of its node.
fn first_pod(late: Option<u8>) -> Scope {
    Scope {
        covered: false,
        fails: 1,
        late,
        ..two("two: the first pod of a node, which fails")
    }
}

/// The pod comes, ends, has a successor, and goes: with three of these writes its name is taken.
#[test]
fn a_request_that_misses_three_writes_to_the_pods_of_its_node_keeps_s1() {
    all_hold(&[first_pod(Some(3))]);
}

/// Whoever closes the known gap turns this test.
#[test]
fn the_gap_is_open_to_a_request_that_misses_four_writes_to_the_pods_of_its_node() {
    let violation = broken(&first_pod(Some(4)), usize::MAX);
    assert!(violation.what.starts_with("S1"), "{}", violation.what);
    assert_eq!(violation.history.len(), 9, "{}", violation.told());
    let without = broken(&first_pod(None), usize::MAX);
    assert_eq!(without.history.len(), 9, "time makes it no shorter");
}

/// However late its create is: while it may be under way, no pod of its name goes.
#[test]
fn one_controller_that_hears_no_answer_keeps_s1() {
    all_hold(&[Scope {
        controllers: 1,
        losses: 1,
        ..first_pod(None)
    }]);
}
