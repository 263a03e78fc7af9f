//! A status in words, for people.

use std::fmt::Write;

use crate::cli::{
    explain::text::{line as field, render_groups, section},
    plan::{report::ObjectName, text::control::one_line},
};

use super::report::{CountsReport, State, Status};

/// At most so many nodes are named for a cause.
const NAMED: usize = 10;

/// At most so many causes are listed.
const CAUSES: usize = 8;

/// The longest text of a line, in characters: an annotation may hold anything.
const LONGEST: usize = 400;

/// The text, or its beginning where it is longer than `most` characters.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The whole status.
pub fn render(status: &Status, verbose: bool) -> String {
    let (most, causes, longest) = if verbose {
        (usize::MAX, usize::MAX, usize::MAX)
    } else {
        (NAMED, CAUSES, LONGEST)
    };
    let mut out = String::new();
    let ObjectName { namespace, name } = &status.daemon_set;
    field(&mut out, "DaemonSet", &format!("{namespace}/{name}"));
    let state = match status.state {
        State::Complete => "complete",
        State::Stalled => "stalled",
        State::UnderWay => "under way",
    };
    field(&mut out, "State", state);
    field(&mut out, "Stage", &cut(&stage(status), longest));
    if let Some(stalled) = &status.stalled
        && stalled.message != status.message
    {
        let why = format!("{}: {}", stalled.rule, stalled.message);
        field(&mut out, "Stalled", &cut(&why, longest));
    }
    if let Some(r) = &status.revision {
        let revision = format!("{}, number {}, hash {}", r.name, r.number, r.hash);
        field(&mut out, "Revision", &revision);
    }
    field(&mut out, "Nodes", &counts(status.counts));
    field(&mut out, "Keys", &keys(status, longest));
    section(&mut out, "Notes", &status.notes);
    for groups in [&status.failing, &status.waiting] {
        let mut shown = groups[..groups.len().min(causes)].to_vec();
        for group in &mut shown {
            group.cause.message = cut(&group.cause.message, longest);
        }
        render_groups(&mut out, &shown, most);
        let more = &groups[shown.len()..];
        if !more.is_empty() {
            let nodes: usize = more.iter().map(|group| group.nodes.len()).sum();
            let _ = writeln!(
                out,
                "\n{nodes} more nodes for {} other causes (-v lists them)",
                more.len()
            );
        }
    }
    let next: Vec<String> = status
        .next
        .iter()
        .map(|step| match &step.command {
            Some(command) => format!("{command}: {}", step.what),
            None => cut(&step.what, longest),
        })
        .collect();
    section(&mut out, "What you can do", &next);
    out
}

/// The status in a line, for a pipe.
pub fn line(status: &Status) -> String {
    let ObjectName { namespace, name } = &status.daemon_set;
    let read = if status.keys_read {
        ""
    } else {
        "; not read by the controller yet"
    };
    format!(
        "{namespace}/{name}: {}; {}{read}",
        cut(&stage(status), LONGEST),
        counts(status.counts)
    )
}

fn stage(status: &Status) -> String {
    let until = status.until.as_ref();
    let until = until.map_or_else(String::new, |until| format!(", until {until}"));
    format!("{}: {}{until}", status.stage, status.message)
}

fn counts(counts: CountsReport) -> String {
    let CountsReport {
        desired,
        updated,
        available,
        held,
    } = counts;
    format!("{desired} desired, {updated} up to date, {available} available, {held} held")
}

fn keys(status: &Status, longest: usize) -> String {
    let keys = status.keys.iter();
    let keys: Vec<String> = keys
        .map(|(key, value)| format!("{key}={}", one_line(value)))
        .collect();
    let keys = if keys.is_empty() {
        "none".to_owned()
    } else {
        cut(&keys.join(" "), longest)
    };
    if status.keys_read {
        keys
    } else {
        format!("{keys} (not read by the controller yet)")
    }
}
