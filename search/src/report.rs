//! The report of a search, as text and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::tally::Tally;

/// The report as text. `took` is real time, on so many threads.
pub fn text(tally: &Tally, took: Duration, threads: usize) -> String {
    let mut text = String::new();
    let days = tally.elapsed.as_secs_f64() / 86_400.0;
    let rate = rate(tally, took, threads);
    let _ = writeln!(
        text,
        "{} histories in {:.1} s, {rate:.0} a minute a core: {} events, {} calls ({} of controllers), {} \
         writes, {days:.1} days of virtual time",
        tally.histories,
        took.as_secs_f64(),
        tally.events(),
        tally.calls,
        tally.controllers_calls,
        tally.writes,
    );
    let controllers = tally.controllers.iter();
    let controllers: Vec<String> = controllers.map(|(who, n)| format!("{who:?} {n}")).collect();
    let _ = writeln!(text, "controllers: {}", controllers.join(", "));
    let _ = writeln!(text, "events by kind ({} were skipped):", tally.skipped);
    let kinds: Vec<String> = tally
        .steps
        .iter()
        .map(|(f, n)| format!("{f} {n}"))
        .collect();
    for row in kinds.chunks(5) {
        let _ = writeln!(text, "  {}", row.join(", "));
    }
    if tally.with_known_gap > 0 {
        let _ = writeln!(
            text,
            "the known gap of S1: {} histories, {:?}",
            tally.with_known_gap, tally.known_gap
        );
    }
    let _ = writeln!(
        text,
        "histories that broke a promise: {}",
        tally.broken.len()
    );
    for broken in tally.broken.values().take(20) {
        let what: String = broken.what.chars().take(300).collect();
        let _ = writeln!(text, "  seed {}: {what}", broken.seed);
    }
    text
}

/// The same as JSON.
pub fn json(tally: &Tally, took: Duration, threads: usize) -> Value {
    let steps = tally
        .steps
        .iter()
        .map(|(f, n)| (f.name().to_owned(), json!(n)));
    let steps: serde_json::Map<String, Value> = steps.collect();
    let gap = tally
        .known_gap
        .iter()
        .map(|(by, n)| (format!("{by:?}"), json!(n)));
    let gap: serde_json::Map<String, Value> = gap.collect();
    let broken = tally.broken.values();
    let broken: Vec<Value> = broken
        .map(|b| json!({"seed": b.seed, "promise": b.promise, "what": b.what}))
        .collect();
    json!({
        "histories": tally.histories,
        "seconds": took.as_secs_f64(),
        "threads": threads,
        "historiesPerMinutePerCore": rate(tally, took, threads),
        "events": tally.events(),
        "eventsByKind": steps,
        "skipped": tally.skipped,
        "calls": tally.calls,
        "callsOfControllers": tally.controllers_calls,
        "writes": tally.writes,
        "virtualSeconds": tally.elapsed.as_secs_f64(),
        "historiesWithKnownGap": tally.with_known_gap,
        "knownGap": gap,
        "violations": broken,
    })
}

fn rate(tally: &Tally, took: Duration, threads: usize) -> f64 {
    let core_minutes = took.as_secs_f64() / 60.0 * threads as f64;
    tally.histories as f64 / core_minutes.max(f64::MIN_POSITIVE)
}
