//! A plan in words, for people. Everything is in a stated order, so that two plans can be compared.

pub mod control;
pub mod reasons;

use std::fmt::Write;

use crate::{
    model::{Clock, DaemonSet, DaemonSetStatus, IntOrPercent, Snapshot, Time, UpdateStrategy},
    plan::{
        ActionPhase, Create, DeleteCause, Plan, PodRef, Ungate, eligibility, revisions::RevisionRef,
    },
};

use super::{
    diff,
    report::Report,
    table::{self, Row},
};

/// At most so many node names are listed for a reason.
const NAMED: usize = 10;

/// The whole answer: head, actions, the new revision, notes, nodes left out, status, events and a
/// line that sums it up. Long lists are cut, unless all is asked for.
pub fn render(
    snapshot: &Snapshot<'_>,
    plan: &Plan,
    report: &Report,
    now: Time,
    notes: &[String],
    verbose: bool,
) -> String {
    let ds = snapshot.daemon_set;
    let named = if verbose { usize::MAX } else { NAMED };
    let mut out = String::new();
    head(&mut out, ds, plan, now);
    if plan.left_alone.is_none() {
        let rows = actions(snapshot, plan);
        if !rows.is_empty() {
            let heading = ["ACTION", "OBJECT", "NODE", "PHASE", "CAUSE"];
            let _ = write!(out, "\n{}", table::render(heading, &rows));
        }
    }
    if let Some(diff) = report.revision.as_ref().and_then(|r| r.diff.as_ref()) {
        section(&mut out, "New revision", &diff::lines::lines(diff, verbose));
    }
    section(&mut out, "Notes", notes);
    let advice = report.advice.iter().map(|advice| advice.message.clone());
    section(
        &mut out,
        "Advice (none with --no-advice)",
        &advice.collect::<Vec<_>>(),
    );
    section(
        &mut out,
        "Rollout control",
        &control::lines(report.control.as_ref()),
    );
    section(&mut out, "Rollout", &rollout(report, named));
    // The head says why a DaemonSet is left alone.
    if plan.left_alone.is_none() {
        section(&mut out, "Holds", &reasons::holds(&report.holds, named));
    }
    let left_out = reasons::not_eligible(&report.nodes, named, verbose);
    section(&mut out, "Not eligible", &left_out);
    if let Some(status) = &plan.status {
        section(&mut out, "Status", &[counts(&ds.status, status)]);
    }
    let events: Vec<String> = report
        .events
        .iter()
        .map(|e| format!("{} {}: {}", e.kind, e.reason, e.message))
        .collect();
    section(&mut out, "Events", &events);
    let _ = writeln!(out, "\n{}", summary(snapshot, plan, report, now));
    out
}

fn head(out: &mut String, ds: &DaemonSet, plan: &Plan, now: Time) {
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "{name:<12}{text}");
    };
    line("DaemonSet", &format!("{}/{}", ds.namespace, ds.name));
    if let Some(r) = &plan.revision {
        let what = if r.create { ", to be created" } else { "" };
        line(
            "Revision",
            &format!("{}, number {}, hash {}{what}", r.name, r.number, r.hash),
        );
    }
    line("Strategy", &strategy(&ds.update_strategy));
    line("Time", &now.to_string());
    if let Some(why) = &plan.left_alone {
        line("Left alone", &why.to_string());
    }
}

fn strategy(strategy: &UpdateStrategy) -> String {
    let text = |n: &IntOrPercent| match n {
        IntOrPercent::Int(n) => n.to_string(),
        IntOrPercent::Percent(p) => format!("{p}%"),
        IntOrPercent::Invalid(text) => format!("{text:?}"),
    };
    match strategy {
        UpdateStrategy::OnDelete => "OnDelete".to_owned(),
        UpdateStrategy::RollingUpdate {
            max_unavailable,
            max_surge,
        } => format!(
            "RollingUpdate, maxUnavailable {}, maxSurge {}",
            text(max_unavailable),
            text(max_surge)
        ),
        UpdateStrategy::Other(kind) => format!("{kind:?}, which is not known"),
    }
}

/// A title and its lines, indented; nothing where there are none.
pub(super) fn section(out: &mut String, title: &str, lines: &[impl AsRef<str>]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for line in lines {
        for line in line.as_ref().lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
}

/// A row without a node and a phase of its own.
fn about(action: &str, object: String, cause: impl Into<String>) -> Row<5> {
    [action.into(), object, "-".into(), "-".into(), cause.into()]
}

/// Revisions first, then claims, then what happens on the nodes.
fn actions(snapshot: &Snapshot<'_>, plan: &Plan) -> Vec<Row<5>> {
    let mut rows = revision_actions(plan);
    let pod = |p: &PodRef| format!("pod/{}", p.name);
    for p in &plan.claims.adopt {
        rows.push(about(
            "adopt",
            pod(p),
            "it matches the selector and has no controller",
        ));
    }
    for p in &plan.claims.release {
        rows.push(about(
            "release",
            pod(p),
            "it does not match the selector any more",
        ));
    }
    for r in &plan.relabels {
        let cause = format!("its revision equals the current one: hash {}", r.hash);
        rows.push(about("relabel", pod(&r.pod), cause));
    }
    rows.extend(pod_actions(snapshot, plan));
    for r in &plan.resizes {
        let mut row = about("resize", pod(&r.pod), r.describe());
        row[2] = r.node.to_string();
        rows.push(row);
    }
    for u in &plan.ungates {
        let mut row = about("ungate", pod(&u.pod), Ungate::WHY);
        row[2] = u.node.to_string();
        rows.push(row);
    }
    rows
}

fn revision_actions(plan: &Plan) -> Vec<Row<5>> {
    let revision = |name: &str| format!("controllerrevision/{name}");
    let ops = &plan.revision_ops;
    let mut rows = Vec::new();
    let mut each = |action: &str, list: &[RevisionRef], cause: &str| {
        for r in list {
            rows.push(about(action, revision(&r.name), cause));
        }
    };
    each(
        "adopt",
        &ops.adopt,
        "it matches the selector and has no controller",
    );
    each(
        "release",
        &ops.release,
        "it does not match the selector any more",
    );
    for (r, hash) in &ops.set_label {
        rows.push(about(
            "label",
            revision(&r.name),
            format!("it has no hash label: {hash}"),
        ));
    }
    if let Some(n) = ops.collision_count {
        let cause = format!("the revision's name is taken: collisionCount {n}");
        rows.push(about("count", "status".into(), cause));
    }
    if let Some(r) = plan.revision.as_ref().filter(|r| r.create) {
        let cause = format!(
            "no revision has the template's content: number {}",
            r.number
        );
        rows.push(about("create", revision(&r.name), cause));
    }
    if let Some((r, n)) = &ops.set_number {
        let cause = format!("the template is back to it: number {n}");
        rows.push(about("number", revision(&r.name), cause));
    }
    if let Some((Some(r), at)) = &ops.set_started {
        let cause = format!("the rollout to it began: started {at}");
        rows.push(about("record", revision(&r.name), cause));
    }
    if let Some((r, approved)) = &ops.set_approved {
        let cause = if approved.withdrawn {
            "its approval was withdrawn, and is over".to_owned()
        } else {
            format!("somebody approved it: {}", approved.at)
        };
        rows.push(about("record", revision(&r.name), cause));
    }
    if let Some((r, failed)) = &ops.set_failed {
        let cause = format!("its rollout failed: {}", failed.cause.why);
        rows.push(about("record", revision(&r.name), cause));
    }
    if let Some((r, clock)) = &ops.set_clock {
        let cause = match clock {
            Clock::Since(at) => format!("the time of its deadline runs: since {at}"),
            Clock::Stopped => "the time of its deadline does not run".to_owned(),
        };
        rows.push(about("record", revision(&r.name), cause));
    }
    if let Some((r, stages)) = &ops.release_stages {
        let last = stages.last().map_or("", |stage| &**stage);
        let cause = format!("stage {last} is over: the nodes after it follow in the next plan");
        rows.push(about("record", revision(&r.name), cause));
    }
    if let Some((r, at)) = &ops.set_completed {
        let cause = format!("every eligible node had an available pod of it: completed {at}");
        rows.push(about("record", revision(&r.name), cause));
    }
    for r in &ops.delete_duplicates {
        rows.push(about(
            "delete",
            revision(&r.name),
            "it equals the current one",
        ));
    }
    for r in &ops.delete_old {
        let cause = "beyond revisionHistoryLimit, and no pod is of it";
        rows.push(about("delete", revision(&r.name), cause));
    }
    rows
}

/// Why a pod is created, and by which revision and rule where those are not the plain ones.
fn created(plan: &Plan, c: &Create) -> String {
    let mut cause = c.cause.describe().to_owned();
    if plan
        .revision
        .as_ref()
        .is_some_and(|current| current.hash != c.revision)
    {
        let _ = write!(cause, ", of revision {}", c.revision);
    }
    if let Some(rule) = &c.resources {
        let _ = write!(cause, ", resources by {rule}");
    }
    cause
}

/// By node; on one node in the order of the plan: a successor is created before anything is
/// deleted, all else after.
fn pod_actions(snapshot: &Snapshot<'_>, plan: &Plan) -> Vec<Row<5>> {
    let mut rows: Vec<(&str, bool, Row<5>)> = Vec::new();
    for c in &plan.creates {
        let row = [
            "create".to_owned(),
            format!("pod/{}", c.pod_name),
            c.node.to_string(),
            c.phase.as_str().to_owned(),
            created(plan, c),
        ];
        rows.push((&c.node, c.phase != ActionPhase::Successor, row));
    }
    for d in &plan.deletes {
        let mut cause = d.cause.describe().to_owned();
        if let DeleteCause::NodeNotEligible(verdict) = d.cause
            && let Some((_, node)) = snapshot.nodes.by_name(&d.node)
        {
            let ds = snapshot.daemon_set;
            let message = eligibility::message(verdict, &ds.template, &ds.exclusions(), node);
            let _ = write!(cause, ": {message}");
        }
        let row = [
            d.by.as_str().to_owned(),
            format!("pod/{}", d.pod.name),
            d.node.to_string(),
            d.phase.as_str().to_owned(),
            cause,
        ];
        rows.push((&d.node, d.phase == ActionPhase::Successor, row));
    }
    // Stable: deletes on one node stay in the order of their names.
    rows.sort_by(|a, b| a.0.cmp(b.0).then(a.1.cmp(&b.1)));
    rows.into_iter().map(|(_, _, row)| row).collect()
}

/// How far the rolling update is, what uses its budget, and which nodes are next.
fn rollout(report: &Report, named: usize) -> Vec<String> {
    let Some(r) = &report.rollout else {
        return Vec::new();
    };
    let is_own = |phase: &str| phase == ActionPhase::Rollout.as_str();
    let (budget, own) = match r.max_surge {
        0 => {
            let outdated = DeleteCause::Outdated.as_str();
            (
                format!(
                    "{} of at most {} unavailable",
                    r.unavailable, r.max_unavailable
                ),
                report.delete.iter().filter(|d| d.cause == outdated).count(),
            )
        }
        max => (
            format!("{} of at most {max} with a pod more", r.surging),
            report.create.iter().filter(|c| is_own(&c.phase)).count(),
        ),
    };
    let mut lines = vec![format!(
        "{} up to date, {} with an older pod; {budget}: {own} by this plan, {} before it",
        reasons::nodes(r.updated),
        r.old,
        r.blocked_by.len(),
    )];
    if !r.blocked_by.is_empty() {
        lines.push("blocked by".to_owned());
        let blocked = reasons::blocked_by(&r.blocked_by, named);
        lines.extend(blocked.into_iter().map(|line| format!("  {line}")));
    }
    lines.extend(against_status(report));
    if !r.next.is_empty() {
        lines.push(format!(
            "next, oldest pods first: {}",
            reasons::listed(&r.next, named)
        ));
    }
    lines
}

/// What differs between the nodes that use the budget and those that the status counts as
/// unavailable.
fn against_status(report: &Report) -> Option<String> {
    let (rollout, status) = (report.rollout.as_ref()?, report.status.as_ref()?);
    // Nodes are sorted by name.
    let is_left_out = |name: &str| {
        let at = report.nodes.binary_search_by(|n| n.name.as_str().cmp(name));
        at.is_ok_and(|at| !report.nodes[at].should_run)
    };
    let blocked = rollout.blocked_by.len();
    let left_out = rollout
        .blocked_by
        .iter()
        .filter(|b| is_left_out(&b.node))
        .count();
    let counted = usize::try_from(status.number_unavailable).unwrap_or(0);
    if rollout.max_surge > 0 || counted == blocked {
        return None;
    }
    Some(format!(
        "the status counts {counted} unavailable: eligible nodes only ({left_out} of the {blocked} are not), \
         and of each the oldest pod"
    ))
}

/// All counts, with what they were where that differs.
fn counts(old: &DaemonSetStatus, new: &DaemonSetStatus) -> String {
    let optional = |n: Option<i32>| n.map_or("none".to_owned(), |n| n.to_string());
    let mut text = String::new();
    let mut add = |name: &str, old: String, new: String| {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let _ = if old == new {
            write!(text, "{name} {new}")
        } else {
            write!(text, "{name} {old} -> {new}")
        };
    };
    for (name, of) in [
        (
            "desired",
            (|s| s.desired_number_scheduled) as fn(&DaemonSetStatus) -> i32,
        ),
        ("current", |s| s.current_number_scheduled),
        ("up to date", |s| s.updated_number_scheduled),
        ("ready", |s| s.number_ready),
        ("available", |s| s.number_available),
        ("unavailable", |s| s.number_unavailable),
        ("misscheduled", |s| s.number_misscheduled),
    ] {
        add(name, of(old).to_string(), of(new).to_string());
    }
    add(
        "observed generation",
        old.observed_generation.to_string(),
        new.observed_generation.to_string(),
    );
    if old.collision_count.is_some() || new.collision_count.is_some() {
        add(
            "collisions",
            optional(old.collision_count),
            optional(new.collision_count),
        );
    }
    text
}

fn summary(snapshot: &Snapshot<'_>, plan: &Plan, report: &Report, now: Time) -> String {
    if plan.left_alone.is_some() {
        return "Nothing is done.".to_owned();
    }
    let (creates, deletes) = (plan.creates.len(), plan.deletes.len());
    let pods = |n: usize| if n == 1 { "pod" } else { "pods" };
    let mut text = match (creates, deletes) {
        (0, 0) if plan.is_settled() => "Nothing to do".to_owned(),
        (0, 0) => "No pod to create or delete".to_owned(),
        (0, d) => format!("{d} {} to delete", pods(d)),
        (c, 0) => format!("{c} {} to create", pods(c)),
        (c, d) => format!("{c} {} to create, {d} to delete", pods(c)),
    };
    if !plan.resizes.is_empty() {
        let _ = write!(text, ", {} to resize", plan.resizes.len());
    }
    if !plan.ungates.is_empty() {
        let _ = write!(text, ", {} to ungate", plan.ungates.len());
    }
    let eligible = report.nodes.iter().filter(|node| node.should_run).count();
    let all = snapshot.nodes.len();
    let noun = if eligible == 1 { "node" } else { "nodes" };
    let _ = write!(text, "; {eligible} {noun} eligible of {all}");
    if let Some(at) = plan.wake_at {
        let seconds = (at.since(now).as_secs_f64() * 10.0).ceil() / 10.0;
        let _ = write!(text, "; next look in {seconds} s");
    }
    text.push('.');
    text
}
