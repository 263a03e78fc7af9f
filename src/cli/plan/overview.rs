//! Many plans in words: a line for each DaemonSet.

use std::fmt::Write;

use crate::model::Time;

use super::{
    notes,
    report::{Overview, RevisionSummary, StatusChange, Summary},
    table::{self, Row},
    text,
};

const HEADING: [&str; 9] = [
    "NAMESPACE",
    "NAME",
    "REVISION",
    "CREATE",
    "DELETE",
    "RELABEL",
    "ADOPT",
    "RELEASE",
    "REMARK",
];

/// The lines, in the order of the plans, the notes, and a last line that sums them up.
pub fn render(plans: &[Overview], now: Time, notes: &[String]) -> String {
    let rows: Vec<Row<9>> = plans.iter().map(row).collect();
    let mut out = table::render(HEADING, &rows);
    text::section(&mut out, "Notes", notes);
    let _ = writeln!(out, "\n{}", total(plans, now));
    out
}

/// The notes about all of them, each after its DaemonSet; the added defaults only where all is
/// asked for.
pub fn notes(plans: &[Overview], verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for plan in plans {
        let name = &plan.daemon_set;
        let defaults: &[String] = if verbose { &plan.defaults } else { &[] };
        for line in notes::lines(&plan.notes, defaults, verbose) {
            lines.push(format!("{}/{}: {line}", name.namespace, name.name));
        }
    }
    lines.extend(advised(plans));
    lines
}

/// How many have advice. It is too much to be read for many at once.
fn advised(plans: &[Overview]) -> Option<String> {
    let advised = plans.iter().filter(|plan| !plan.advice.is_empty());
    let names = advised.map(|plan| &plan.daemon_set);
    let mut names = names.map(|name| format!("{}/{}", name.namespace, name.name));
    let first = names.next()?;
    Some(match names.count() {
        0 => format!(
            "there is advice on {first}: `plan {first}` prints it, --no-advice leaves it out"
        ),
        more => format!(
            "there is advice on {first} and {more} more: `plan {first}` prints it, --no-advice leaves it out"
        ),
    })
}

/// A dash for nothing to do, so that all else stands out.
fn row(plan: &Overview) -> Row<9> {
    let count = |n: usize| match n {
        0 => "-".to_owned(),
        n => n.to_string(),
    };
    let Summary {
        create,
        delete,
        relabel,
        adopt,
        release,
        ..
    } = &plan.summary;
    [
        plan.daemon_set.namespace.clone(),
        plan.daemon_set.name.clone(),
        revision(&plan.summary.revisions),
        count(*create),
        count(*delete),
        count(*relabel),
        count(*adopt),
        count(*release),
        remark(plan),
    ]
}

/// Whether there is a new revision, and how many others something is done about.
fn revision(of: &RevisionSummary) -> String {
    let counts = [
        (of.renumber, "renumber"),
        (of.label, "label"),
        (of.adopt, "adopt"),
        (of.release, "release"),
        (of.delete, "delete"),
    ];
    let new = (of.create > 0).then(|| "new".to_owned());
    let others = counts.iter().filter(|(n, _)| *n > 0);
    let others = others.map(|(n, what)| format!("{what} {n}"));
    let all: Vec<String> = new.into_iter().chain(others).collect();
    if all.is_empty() {
        "-".to_owned()
    } else {
        all.join(", ")
    }
}

/// A sentence, or several: why it is left alone or stalled, how many pods are resized and ungated,
/// how far a rollout is, how the status changes.
fn remark(plan: &Overview) -> String {
    let Summary {
        old,
        resize,
        ungate,
        status,
        ..
    } = &plan.summary;
    let mut parts = Vec::new();
    if let Some(why) = &plan.left_alone {
        parts.push(format!("left alone: {}", why.message));
    }
    if let Some(rule) = &plan.stalled {
        parts.push(format!("stalled: {rule}"));
    }
    if *resize > 0 {
        let pods = if *resize == 1 { "pod" } else { "pods" };
        parts.push(format!("resize {resize} {pods}"));
    }
    if *ungate > 0 {
        let pods = if *ungate == 1 { "pod" } else { "pods" };
        parts.push(format!("ungate {ungate} {pods}"));
    }
    if *old > 0 {
        let nodes = if *old == 1 { "node" } else { "nodes" };
        parts.push(format!("rollout: {old} {nodes} with an older pod"));
    }
    if !status.is_empty() {
        let changes: Vec<String> = status.iter().map(change).collect();
        parts.push(format!("status: {}", changes.join(", ")));
    }
    if parts.is_empty() {
        return "-".to_owned();
    }
    parts.join("; ")
}

fn change((name, change): (&String, &StatusChange)) -> String {
    let text = |n: Option<i64>| n.map_or("none".to_owned(), |n| n.to_string());
    format!("{name} {} -> {}", text(change.from), text(change.to))
}

fn total(plans: &[Overview], now: Time) -> String {
    let left_alone = plans.iter().filter(|p| p.left_alone.is_some()).count();
    let busy = plans.iter().filter(|p| !p.summary.settled).count();
    let settled = plans.len() - busy - left_alone;
    let noun = if plans.len() == 1 {
        "DaemonSet"
    } else {
        "DaemonSets"
    };
    let mut text = format!("{} {noun} at {now}: ", plans.len());
    let parts = [
        (busy, "with something to do"),
        (settled, "with nothing to do"),
        (left_alone, "left alone"),
    ];
    let parts = parts.iter().filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts.map(|(n, what)| format!("{n} {what}")).collect();
    text.push_str(&parts.join(", "));
    text.push('.');
    text
}
