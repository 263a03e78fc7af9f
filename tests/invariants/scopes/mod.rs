//! Small scopes, exhausted: every order of everything that can happen to one or two controllers,
//! within bounds. The decisions and the caches are the real ones; the server, the kubelet and the
//! way of a request are a few lines each. `tests/sim/scopes.rs` does less of it with all of the
//! real code.

mod controller;
mod explore;
mod scope;
mod server;
mod state;
mod sync;

use std::time::Instant;

use explore::{Found, explore};
use scope::Scope;

fn run(scope: &Scope, most: usize) -> Found {
    let begun = Instant::now();
    let found = explore(scope, most);
    println!(
        "{}: {} states, {} steps, {} at rest, {} cut, {} caches{}, {:?}",
        scope.name,
        found.states,
        found.steps,
        found.at_rest,
        found.cut,
        found.knowledge,
        if found.is_part { ", not all" } else { "" },
        begun.elapsed()
    );
    if let Some(violation) = &found.violation {
        println!("{}", violation.told());
    }
    found
}

#[test]
fn trial() {
    for scope in [
        Scope { fails: 1, ..Scope::named("one fails") },
        Scope { fails: 1, controllers: 2, ..Scope::named("two, one fails") },
        Scope { edits: vec![1], ..Scope::named("edit") },
        Scope { edits: vec![1], surges: true, ..Scope::named("edit surge") },
        Scope { edits: vec![1], nodes: 2, ..Scope::named("edit 2 nodes") },
        Scope { edits: vec![1], controllers: 2, ..Scope::named("two, edit") },
        Scope { covered: false, nodes: 2, controllers: 2, ..Scope::named("install") },
    ] {
        run(&scope, 300_000);
    }
}
