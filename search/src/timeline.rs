//! A history as it went, for people: steps, writes, requests of controllers that wrote nothing
//! (reads and watches among them), and what broke, in the order of time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use daemonset_controller::sim::api::resource::{CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS};
use daemonset_controller::sim::api::store::Write;
use daemonset_controller::sim::api::{ApiServer, Entry};

use crate::history::History;
use crate::outcome::Outcome;
use crate::run::{NAMES, objects};

/// How long a timeline goes on after the last violation.
const AFTER: Duration = Duration::from_secs(5);

/// How many characters of a line are shown.
const COLUMNS: usize = 400;

/// The place of a line among others of the same moment, and its text.
type Line = (Duration, u8, u64, String);

/// The timeline of a history that was lived through.
pub fn tell(history: &History, server: &ApiServer, outcome: &Outcome) -> String {
    let mut lines: Vec<Line> = Vec::new();
    for (number, step) in history.steps.iter().enumerate() {
        let at = Duration::from_millis(step.at);
        lines.push((
            at,
            0,
            number as u64,
            format!("         step        {}", step.event),
        ));
    }
    let known_gap = outcome.known_gap.iter().map(|(_, violation)| violation);
    let broken: Vec<_> = outcome.violations.iter().chain(known_gap).collect();
    for violation in &broken {
        let text = format!(">>>>>>>> {} broken: {}", violation.promise, violation.what);
        lines.push((violation.at, 2, violation.version, text));
    }
    server.with(|state| {
        let mut wrote = BTreeSet::new();
        for resource in [&PODS, &NODES, &DAEMON_SETS, &CONTROLLER_REVISIONS] {
            for write in state.core.store.history(resource) {
                wrote.insert(write.request);
                let text = of_write(write, state.log.get(write.request));
                lines.push((write.at, 1, write.version, text));
            }
        }
        for call in state.log.iter().filter(|call| call.is("POST", "/events")) {
            let event = call.json();
            let (reason, note) = (event["reason"].as_str(), event["note"].as_str());
            let note = note.or_else(|| event["message"].as_str());
            let (reason, note) = (reason.unwrap_or(""), note.unwrap_or(""));
            let text = format!("-        {:<11} event {reason}: {note}", call.client);
            lines.push((call.at, 1, 0, text));
        }
        for call in &state.log {
            let is_meant = !call.is_upkeep() && !call.is_for(&call.method, "events");
            if is_meant && NAMES.contains(&&*call.client) && !wrote.contains(&call.number) {
                lines.push((call.at, 1, 0, of_call(call)));
            }
        }
    });
    let is_at_rest = broken.iter().any(|v| v.promise == "L1");
    let last = broken.iter().map(|v| v.at).max().filter(|_| !is_at_rest);
    lines.retain(|(at, ..)| last.is_none_or(|last| *at <= last + AFTER));
    if is_at_rest {
        let sets = server.all(&DAEMON_SETS);
        let status = sets.iter().map(|set| {
            format!(
                "         at rest     {} {}: {}",
                objects::text(set, "name"),
                set["metadata"]["annotations"],
                set["status"]
            )
        });
        let at = server.elapsed();
        lines.extend(status.map(|text| (at, 3, 0, text)));
    }
    lines.sort();
    let mut told = String::new();
    for (at, _, _, line) in lines {
        let line: String = line.chars().take(COLUMNS).collect();
        let _ = writeln!(told, "{:>10.3} s  {line}", at.as_secs_f64());
    }
    told
}

/// The version, who asked for it by which request, and the object.
fn of_write(write: &Write, request: Option<&Entry>) -> String {
    let object = &write.object;
    let (by, how) = request.map_or(("people", String::new()), |call| {
        let lost = if call.ended.is_none() {
            ", unanswered"
        } else {
            ""
        };
        let sent = call.at.as_secs_f64();
        (
            &*call.client,
            format!(" [{}, sent {sent:.3}{lost}]", call.method),
        )
    });
    let mut what = format!(
        "{:?} {} {}",
        write.change,
        write.resource.plural,
        objects::text(object, "name")
    );
    if *write.resource == PODS {
        let phase = object["status"]["phase"].as_str().unwrap_or("");
        let conditions = object["status"]["conditions"].as_array();
        let is_ready = conditions.is_some_and(|all| {
            all.iter()
                .any(|c| c["type"] == "Ready" && c["status"] == "True")
        });
        let hash = object["metadata"]["labels"]["controller-revision-hash"].as_str();
        let _ = write!(
            what,
            " on {} {phase} {}",
            objects::target(object),
            hash.unwrap_or("")
        );
        if is_ready {
            what.push_str(" ready");
        }
        if object["metadata"]["deletionTimestamp"].is_string() {
            what.push_str(" terminating");
        }
    } else if *write.resource == DAEMON_SETS {
        let generation = &object["metadata"]["generation"];
        let _ = write!(what, " generation {generation}");
    }
    format!("v{:<7} {by:<11} {what}{how}", write.version)
}

/// A request that wrote nothing.
fn of_call(call: &Entry) -> String {
    let name = call.json()["metadata"]["name"]
        .as_str()
        .unwrap_or("")
        .to_owned();
    let code = match (call.ended, call.code) {
        (None, _) => "no answer".to_owned(),
        (Some(_), code) => code.to_string(),
    };
    let query = match &*call.query {
        "" => String::new(),
        query => format!("?{query}"),
    };
    format!(
        "-        {:<11} {} {}{query} {name}: {code}",
        call.client, call.method, call.path
    )
}
