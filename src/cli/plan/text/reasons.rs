//! Why something is not done, and what is in the way, in lines for people.

use std::{collections::BTreeMap, fmt::Write};

use crate::cli::plan::report::{BlockReport, HoldReport, NodeReport, ObstacleReport};

/// The first few names, and how many more there are.
pub fn listed(names: &[impl AsRef<str>], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    let mut list = shown.join(", ");
    if names.len() > most {
        let _ = write!(list, " and {} more", names.len() - most);
    }
    list
}

/// `1 node`, `2 nodes`.
pub fn nodes(count: usize) -> String {
    counted(count, "node")
}

/// So many of them, as `1 condition` and `2 conditions`.
pub fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// Groups of items with the same key, the largest group first, then in the order in which they
/// came.
pub fn grouped<K: Ord + Clone, T>(items: impl IntoIterator<Item = (K, T)>) -> Vec<(K, Vec<T>)> {
    let mut groups: Vec<(K, Vec<T>)> = Vec::new();
    let mut places: BTreeMap<K, usize> = BTreeMap::new();
    for (key, item) in items {
        let at = *places.entry(key).or_insert_with_key(|key| {
            groups.push((key.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(item);
    }
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.len()));
    groups
}

/// What each rule holds, and until when; `most` names a rule.
pub fn holds(holds: &[HoldReport], most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for hold in holds {
        let HoldReport { rule, message, .. } = hold;
        let until = hold.until.as_deref().unwrap_or(&hold.until_what);
        let Some(held) = &hold.nodes else {
            lines.push(format!("{rule}: {message}, until {until}"));
            continue;
        };
        let count = nodes(held.len());
        lines.push(format!("{rule}, {count}: {message}, until {until}"));
        let names: Vec<String> = held
            .iter()
            .map(|h| match &h.pod {
                Some(pod) => format!("{} ({pod})", h.node),
                None => h.node.clone(),
            })
            .collect();
        lines.push(format!("  {}", listed(&names, most)));
    }
    lines
}

/// What uses a rollout's budget, commonest first; `most` names a group.
pub fn blocked_by(blocks: &[BlockReport], most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let by_words = blocks.iter().map(|b| ((&b.reason, &b.message), b));
    for ((reason, message), group) in grouped(by_words) {
        lines.push(format!("{reason}, {}: {message}", nodes(group.len())));
        let names: Vec<String> = group.iter().map(|b| blocked_node(b)).collect();
        lines.push(format!("  {}", listed(&names, most)));
    }
    lines
}

fn blocked_node(block: &BlockReport) -> String {
    let mut about: Vec<String> = block.pod.iter().cloned().collect();
    about.extend(block.since.iter().map(|at| format!("since {at}")));
    about.extend(block.until.iter().map(|at| format!("until {at}")));
    if about.is_empty() {
        return block.node.clone();
    }
    format!("{} ({})", block.node, about.join(", "))
}

/// Nodes that get no pod, grouped by all that keeps it away; with what would have to change where
/// `verbose`.
pub fn not_eligible(all: &[NodeReport], most: usize, verbose: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let left_out = all.iter().filter(|n| !n.should_run);
    let mut groups = grouped(left_out.map(|n| (&n.obstacles, &n.name)));
    // One order whatever the sizes: by reason, as verdicts are listed.
    groups.sort_by(|a, b| words(a.0).cmp(&words(b.0)));
    for (obstacles, names) in groups {
        lines.push(format!("{}: {}", nodes(names.len()), listed(&names, most)));
        for obstacle in obstacles {
            lines.push(format!("  {}: {}", obstacle.reason, obstacle.message));
            if verbose {
                lines.push(format!("    to change: {}", obstacle.change));
            }
        }
    }
    lines
}

fn words(obstacles: &[ObstacleReport]) -> Vec<(&str, &str)> {
    let words = obstacles.iter();
    words.map(|o| (&*o.reason, &*o.message)).collect()
}
