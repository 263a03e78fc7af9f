//! The news in words. Several at one moment share a line, and many of one sort are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use super::names::NAMED;
use super::news::News;
use super::show::{Show, Who};

/// News are held back until there was none for so long,
const QUIET: Duration = Duration::from_millis(100);
/// but at most for so long.
const LATE: Duration = Duration::from_millis(500);
/// In a long story both are longer, so that it has fewer lines.
const BRIEF: u32 = 2;
/// Up to so many news of one sort have a line each.
const FEW: usize = 2;

/// Puts news into words.
#[derive(Default)]
pub struct Voice {
    pending: Vec<(Duration, News)>,
    /// Whether the story is long: Kubernetes events are left out that repeat other news, and more
    /// of the others share a line.
    pub brief: bool,
    heard: usize,
    waits: usize,
    /// The reasons of warnings whose message was printed.
    warned: BTreeSet<String>,
}

impl Voice {
    /// Takes news in.
    pub fn hear(&mut self, news: Vec<(Duration, News)>) {
        self.heard += news.len();
        let waits = news.iter().filter(|(_, n)| matches!(n, News::Waits { .. }));
        self.waits += waits.count();
        let told = |news: &News| {
            matches!(news, News::Event { kind, .. } if kind == "Normal") && !news.tells_of_rollout()
        };
        let brief = self.brief;
        self.pending
            .extend(news.into_iter().filter(|(_, n)| !(brief && told(n))));
    }

    /// How many news there were so far.
    pub fn heard(&self) -> usize {
        self.heard
    }

    /// How often the controller had to wait.
    pub fn waits(&self) -> usize {
        self.waits
    }

    /// Whether all news were printed.
    pub fn is_silent(&self) -> bool {
        self.pending.is_empty()
    }

    /// Prints the news once no more come in. `start` is the time at which the story began.
    pub fn tell(&mut self, now: Duration, start: Duration, show: &mut Show) -> io::Result<()> {
        let last = self.pending.last().map(|(at, _)| *at);
        let first = self.pending.first().map(|(at, _)| *at);
        let times = if self.brief { BRIEF } else { 1 };
        let is_late = first.is_some_and(|at| now >= at + LATE * times);
        if last.is_none_or(|at| now < at + QUIET * times && !is_late) {
            return Ok(());
        }
        let mut all = std::mem::take(&mut self.pending);
        while !all.is_empty() {
            let (at, first) = all[0].clone();
            // What comes after an event of the rollout may follow from it, and stays there.
            let end = all.iter().position(|(_, n)| n.tells_of_rollout());
            let mut later = all.split_off(end.unwrap_or(all.len()).max(1));
            let alike: Vec<News> = all
                .iter()
                .map(|(_, n)| n.clone())
                .filter(|n| is_alike(n, &first))
                .collect();
            let (who, text) = match together(&alike) {
                Some(told) => {
                    all.retain(|(_, n)| !is_alike(n, &first));
                    told
                }
                None => self.words(&all.remove(0).1),
            };
            all.append(&mut later);
            show.say(at.saturating_sub(start), who, &text)?;
        }
        Ok(())
    }

    /// The words for one of the news. The message of a warning is printed once, but for those that
    /// tell of the rollout.
    fn words(&mut self, news: &News) -> (Who, String) {
        match news {
            news if news.tells_of_rollout() => words(news),
            News::Event { kind, reason, .. } if !self.warned.insert(reason.clone()) => {
                (Who::Event, format!("{kind}: {reason}"))
            }
            news => words(news),
        }
    }
}

/// Whether two of the news can share a line.
fn is_alike(a: &News, b: &News) -> bool {
    match (a, b) {
        (News::Created { cause: a, .. }, News::Created { cause: b, .. }) => a == b,
        (News::Deleted { cause: a, .. }, News::Deleted { cause: b, .. }) => a == b,
        (News::Crashed { .. }, News::Crashed { .. }) => true,
        (News::Event { kind: x, .. }, News::Event { kind: y, .. }) => {
            let tells = a.tells_of_rollout() || b.tells_of_rollout();
            x == y && x == "Normal" && !tells
        }
        _ => a == b,
    }
}

/// The words for one of the news.
fn words(news: &News) -> (Who, String) {
    match news {
        News::Revision {
            name,
            number,
            is_new,
        } => {
            let words = match is_new {
                true => format!("create controllerrevision {name}, number {number}"),
                false => format!("raise controllerrevision {name} to number {number}"),
            };
            (Who::Controller, words)
        }
        News::Created { pod, node, cause } => (
            Who::Controller,
            format!("create pod {pod} on {node}: {cause}"),
        ),
        News::Deleted { pod, node, cause } => (
            Who::Controller,
            format!("delete pod {pod} on {node}: {cause}"),
        ),
        News::Failed { pod, node } => (Who::Kubelet, format!("pod {pod} on {node} failed")),
        News::Crashed { pod, node } => (Who::Kubelet, format!("pod {pod} on {node} crashed")),
        News::Waits { node, time } => (
            Who::Controller,
            format!(
                "wait {:.1} s to replace the pod on {node}: backoff",
                time.as_secs_f64()
            ),
        ),
        News::NotEligible { node, message } => (
            Who::Controller,
            format!("nothing to do on {node}: {message}"),
        ),
        News::Event {
            kind,
            reason,
            message,
        } => (Who::Event, format!("{kind}: {reason}: {message}")),
    }
}

/// One line for several news, if that is shorter. Kubernetes events that repeat other news are only
/// named.
fn together(alike: &[News]) -> Option<(Who, String)> {
    let count = alike.len();
    match alike.first()? {
        News::Created { cause, .. } if count > FEW => Some((
            Who::Controller,
            format!("create {count} pods{}: {cause}", on(alike)),
        )),
        News::Deleted { cause, .. } if count > FEW => Some((
            Who::Controller,
            format!("delete {count} pods{}: {cause}", on(alike)),
        )),
        News::Crashed { .. } if count > FEW => {
            Some((Who::Kubelet, format!("{count} pods{} crashed", on(alike))))
        }
        news @ News::Event { kind, .. } if kind == "Normal" && !news.tells_of_rollout() => {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for news in alike {
                if let News::Event { reason, .. } = news {
                    *counts.entry(reason).or_default() += 1;
                }
            }
            let words = counts.iter().map(|(reason, n)| match n {
                1 => (*reason).to_owned(),
                n => format!("{reason} ({n} times)"),
            });
            let words = words.collect::<Vec<_>>().join(", ");
            Some((Who::Event, format!("Normal: {words}")))
        }
        _ => None,
    }
}

/// The nodes that the news are about, unless there are many.
fn on(alike: &[News]) -> String {
    let node = |news| match news {
        &News::Created { ref node, .. }
        | &News::Deleted { ref node, .. }
        | &News::Crashed { ref node, .. } => Some(&**node),
        _ => None,
    };
    let nodes: Vec<&str> = alike.iter().filter_map(node).collect();
    match nodes.len() {
        0 => String::new(),
        n if n > NAMED => String::new(),
        _ => format!(" on {}", nodes.join(", ")),
    }
}
