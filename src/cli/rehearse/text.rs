//! A rehearsal as text for people.

use std::{fmt::Write, time::Duration};

use crate::cli::plan::{choice::some, table};

use super::{
    clock::length,
    report::{Report, SpreadReport, StageReport, SupposedReport},
};

/// The most rows of stages and zones that are printed.
const ROWS: usize = 40;

/// The most events.
const EVENTS: usize = 20;

/// Everything but the states of single nodes over time.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    heading(report, &mut out);
    stages(report, &mut out);
    zones(report, &mut out);
    end(report, &mut out);
    events(report, &mut out);
    for assertion in &report.assertions {
        let holds = if assertion.holds { "holds" } else { "FAILS" };
        let _ = writeln!(
            out,
            "\nassert {}: {holds}, {}",
            assertion.assertion, assertion.found
        );
    }
    for note in &report.notes {
        let _ = writeln!(out, "\nnote: {note}");
    }
    out
}

/// A number of seconds, for people.
pub(super) fn after(seconds: u64) -> String {
    length(Duration::from_secs(seconds))
}

fn heading(report: &Report, out: &mut String) {
    let name = &report.daemon_set;
    let _ = write!(
        out,
        "rehearsal of DaemonSet {}/{}",
        name.namespace, name.name
    );
    if let Some(target) = &report.target {
        let is = if target.is_new {
            "new revision"
        } else {
            "revision"
        };
        let _ = write!(out, ": {is} {} (number {})", target.revision, target.number);
    }
    let _ = writeln!(
        out,
        "\nbegins at {}, seed {}",
        report.began, report.supposed.seed
    );
    for spread in &report.supposed.ready_after {
        let _ = writeln!(out, "supposes: {}", ready(spread));
    }
    let _ = writeln!(out, "supposes: {}", gone(&report.supposed));
}

/// How long pods take to be ready.
pub(super) fn ready(spread: &SpreadReport) -> String {
    let whose = match &spread.group {
        Some(group) => format!("a pod of {group}"),
        None => "a pod".to_owned(),
    };
    let (shortest, longest) = (after(spread.shortest), after(spread.longest));
    match spread.pods {
        0 => format!("{whose} is ready {shortest} after its create"),
        pods => format!(
            "{whose} is ready {shortest} to {longest} after its create, as {pods} pods were (median {})",
            after(spread.median)
        ),
    }
}

/// How long pods take to be gone.
pub(super) fn gone(supposed: &SupposedReport) -> String {
    let gone = after(supposed.gone_after);
    format!("a pod has ended {gone} after its delete, or after its grace period")
}

fn stages(report: &Report, out: &mut String) {
    let row = |stage: &StageReport| {
        let until = stage.until.unwrap_or(report.ending.after.max(stage.from));
        [
            after(stage.from),
            after(until - stage.from),
            stage.progress.clone(),
            stage.stage.clone().unwrap_or_else(|| "-".to_owned()),
            stage.updated.to_string(),
            stage.most_unavailable.to_string(),
        ]
    };
    let rows: Vec<_> = report.stages.iter().take(ROWS).map(row).collect();
    if rows.is_empty() {
        return;
    }
    out.push('\n');
    out.push_str(&table::render(
        [
            "BEGINS",
            "TAKES",
            "PROGRESS",
            "STAGE",
            "UPDATED",
            "MOST UNAVAILABLE",
        ],
        &rows,
    ));
    more(report.stages.len(), ROWS, out);
}

fn more(all: usize, shown: usize, out: &mut String) {
    if all > shown {
        let _ = writeln!(out, "and {} more (-o json has all)", all - shown);
    }
}

fn zones(report: &Report, out: &mut String) {
    let named = report.zones.iter().filter(|zone| !zone.zone.is_empty());
    let rows: Vec<_> = named
        .map(|zone| {
            [
                zone.zone.clone(),
                zone.most_unavailable.to_string(),
                after(zone.after),
            ]
        })
        .collect();
    if rows.len() < 2 {
        return;
    }
    out.push('\n');
    out.push_str(&table::render(
        ["ZONE", "MOST UNAVAILABLE", "AFTER"],
        &rows[..rows.len().min(ROWS)],
    ));
    more(rows.len(), ROWS, out);
}

fn end(report: &Report, out: &mut String) {
    let figures = &report.figures;
    let ending = &report.ending;
    let _ = writeln!(
        out,
        "\nends after {} ({}): {}",
        after(ending.after),
        ending.how,
        ending.message
    );
    let _ = writeln!(
        out,
        "updated: {} of {} nodes; pods created: {}, deleted: {}",
        figures.updated, figures.nodes, figures.created, figures.deleted
    );
    let _ = writeln!(
        out,
        "most unavailable at once: {} nodes, after {} (before: {}, at the end: {})",
        figures.most_unavailable,
        after(figures.most_unavailable_after),
        figures.unavailable_before,
        figures.unavailable_at_end
    );
    for group in &report.not_updated {
        let nodes = some(group.nodes.iter().cloned());
        let _ = writeln!(
            out,
            "not updated: {} nodes: {nodes}: {}",
            group.nodes.len(),
            group.why
        );
    }
    for condition in &report.conditions {
        let _ = writeln!(
            out,
            "condition {}={} {}: {}",
            condition.kind, condition.status, condition.reason, condition.message
        );
    }
}

fn events(report: &Report, out: &mut String) {
    if report.events.is_empty() {
        return;
    }
    let rows: Vec<_> = report
        .events
        .iter()
        .take(EVENTS)
        .map(|event| {
            [
                after(event.after),
                event.kind.clone(),
                event.reason.clone(),
                event.message.clone(),
            ]
        })
        .collect();
    out.push('\n');
    out.push_str(&table::render(
        ["AFTER", "TYPE", "REASON", "MESSAGE"],
        &rows,
    ));
    more(report.events.len(), EVENTS, out);
}
