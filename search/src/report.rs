//! The report of a search, as text and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::tally::Tally;

/// The report as text. `took` is real time, on so many threads.
pub fn text(tally: &Tally, took: Duration, threads: usize) -> String {
    let mut text = String::new();
    let days = tally.elapsed.as_secs_f64() / 86_400.0;
    let rate = |count| rate(count, took, threads);
    let _ = writeln!(
        text,
        "{} histories in {:.1} s: {} events, {} calls ({} of controllers), {} writes, {days:.1} days of virtual time",
        tally.histories,
        took.as_secs_f64(),
        tally.events(),
        tally.calls,
        tally.controllers_calls,
        tally.writes,
    );
    let _ = writeln!(
        text,
        "a minute a core: {:.0} histories, {:.0} events, {:.0} calls",
        rate(tally.histories),
        rate(tally.events()),
        rate(tally.calls),
    );
    let each = |sum: f64| sum / tally.histories.max(1) as f64;
    let _ = writeln!(
        text,
        "a history: {:.0} events, {:.0} calls, {:.0} writes, {:.0} s of virtual time",
        each(tally.events() as f64),
        each(tally.calls as f64),
        each(tally.writes as f64),
        each(tally.elapsed.as_secs_f64()),
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
        "historiesPerMinutePerCore": rate(tally.histories, took, threads),
        "eventsPerMinutePerCore": rate(tally.events(), took, threads),
        "callsPerMinutePerCore": rate(tally.calls, took, threads),
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

/// How many of something there were a minute a core. It is real time: on a busy machine it is less.
fn rate(count: usize, took: Duration, threads: usize) -> f64 {
    let core_minutes = took.as_secs_f64() / 60.0 * threads as f64;
    count as f64 / core_minutes.max(f64::MIN_POSITIVE)
}
