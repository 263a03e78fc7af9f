//! An explanation in words, for people.

use std::fmt::Write;

use crate::cli::plan::{
    report::{HoldReport, ObjectName},
    table::{self, Row},
    text::{
        control,
        reasons::{self, listed, nodes},
    },
};

use super::report::{Explanation, GroupReport, NodeReport};

/// At most so many nodes are named for a cause.
const NAMED: usize = 10;

/// The whole answer: the DaemonSet, what is held, and nodes or groups of nodes.
pub fn render(explanation: &Explanation, verbose: bool) -> String {
    let most = if verbose { usize::MAX } else { NAMED };
    let mut out = String::new();
    let ObjectName { namespace, name } = &explanation.daemon_set;
    line(&mut out, "DaemonSet", &format!("{namespace}/{name}"));
    if let Some(r) = &explanation.revision {
        let revision = format!("{}, number {}, hash {}", r.name, r.number, r.hash);
        line(&mut out, "Revision", &revision);
    }
    line(&mut out, "Time", &explanation.now);
    section(&mut out, "Notes", &explanation.notes);
    let control = control::lines(explanation.control.as_ref());
    section(&mut out, "Rollout control", &control);
    let on_daemon_set: Vec<HoldReport> = explanation
        .holds
        .iter()
        .filter(|h| h.nodes.is_none())
        .cloned()
        .collect();
    section(&mut out, "Holds", &reasons::holds(&on_daemon_set, most));
    if explanation.groups.is_empty() {
        for node in &explanation.nodes {
            render_node(&mut out, node);
        }
    } else {
        render_groups(&mut out, &explanation.groups, most);
    }
    out
}

/// A field of the heading.
pub fn line(out: &mut String, name: &str, text: &str) {
    let _ = writeln!(out, "{name:<12}{text}");
}

/// A title and indented lines below it; nothing where there are none.
pub fn section(out: &mut String, title: &str, lines: &[impl AsRef<str>]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for line in lines {
        let _ = writeln!(out, "  {}", line.as_ref());
    }
}

/// Groups of nodes, of each at most so many by name.
pub fn render_groups(out: &mut String, groups: &[GroupReport], most: usize) {
    for group in groups {
        let cause = &group.cause;
        let count = nodes(group.nodes.len());
        let heading = if cause.reason.is_empty() {
            format!("{count}: {}", cause.kind)
        } else {
            format!("{count}: {} {}", cause.kind, cause.reason)
        };
        section(
            out,
            &heading,
            &[cause.message.as_str(), &listed(&group.nodes, most)],
        );
    }
}

fn render_node(out: &mut String, node: &NodeReport) {
    let _ = writeln!(out);
    line(out, "Node", &node.name);
    let eligible = match (node.exists, node.should_run, node.should_continue_running) {
        (false, ..) => "the node is gone".to_owned(),
        (_, true, _) => "yes".to_owned(),
        (.., true) => format!("no ({}); a pod that runs there stays", node.reason),
        (.., false) => format!("no ({}); a pod that runs there goes", node.reason),
    };
    line(out, "Eligible", &eligible);
    line(out, "Assigned", &format!("revision {}", node.revision));
    if let Some(fails) = &node.fails {
        line(out, "Fails", fails);
    }
    line(out, "Next", &node.next);
    let obstacles: Vec<String> = node
        .obstacles
        .iter()
        .flat_map(|o| {
            [
                format!("{}: {}", o.reason, o.message),
                format!("  to change: {}", o.change),
            ]
        })
        .collect();
    section(out, "Obstacles", &obstacles);
    if !node.pods.is_empty() {
        let rows: Vec<Row<5>> = node.pods.iter().map(pod_row).collect();
        let heading = ["POD", "REVISION", "STATE", "SINCE", "MESSAGE"];
        let _ = write!(out, "\n{}", table::render(heading, &rows));
    }
    if !node.actions.is_empty() {
        let rows: Vec<Row<4>> = node
            .actions
            .iter()
            .map(|a| {
                [
                    a.action.clone(),
                    format!("pod/{}", a.pod),
                    a.phase.clone(),
                    a.message.clone(),
                ]
            })
            .collect();
        let heading = ["ACTION", "OBJECT", "PHASE", "CAUSE"];
        let _ = write!(out, "\n{}", table::render(heading, &rows));
    }
    section(
        out,
        "Holds",
        &node.holds.iter().map(hold).collect::<Vec<_>>(),
    );
    let block = node.block.as_ref().map(|b| {
        let since = b.since.as_ref().map(|at| format!(", since {at}"));
        format!("{}: {}{}", b.reason, b.message, since.unwrap_or_default())
    });
    section(
        out,
        "Counts against the rollout's budget",
        &block.into_iter().collect::<Vec<_>>(),
    );
}

fn pod_row(pod: &super::report::PodReport) -> Row<5> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut message = or_dash(&pod.message);
    if let Some(until) = &pod.until {
        message = match &pod.message {
            Some(said) => format!("{said}; until {until}"),
            None => format!("until {until}"),
        };
    }
    [
        pod.name.clone(),
        or_dash(&pod.revision),
        pod.state.clone(),
        or_dash(&pod.since),
        message,
    ]
}

/// A hold of the node that is explained.
fn hold(hold: &HoldReport) -> String {
    let HoldReport { rule, message, .. } = hold;
    let until = hold.until.as_deref().unwrap_or(&hold.until_what);
    let of = hold.nodes.iter().flatten().next();
    let pod = of.and_then(|n| n.pod.as_ref()).map(|p| format!(" ({p})"));
    let since = of
        .and_then(|n| n.since.as_ref())
        .map(|at| format!(", since {at}"));
    format!(
        "{rule}{}: {message}{}, until {until}",
        pod.unwrap_or_default(),
        since.unwrap_or_default()
    )
}
