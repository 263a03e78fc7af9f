//! Whether the process is alive (`/healthz`) and ready (`/readyz`), in the form of Kubernetes'
//! components.
//!
//! A process is alive while all of its loops and syncs make progress. An API server that is away
//! makes no difference: a loop that is refused again and again makes progress. Only a restart helps
//! a loop that does not.

use std::{fmt::Write, time::Duration};

use crate::model::Kind;

use super::{Monitor, lock};

/// The time without progress after which a loop of list and watch is dead. Each makes progress
/// every two and a half minutes at the latest: a watch ends after 95 s, no pause is longer than 30
/// s, and the next watch is given up after 30 s (a page of a list after 60 s).
pub const DEAD_WATCH: Duration = Duration::from_secs(300);

/// The time without progress after which a sync is stuck. A sync makes progress before and after
/// each of its parts. The longest part, carrying out a plan, ends one or two requests (of 35 s)
/// after the plan has become old (15 s).
pub const STUCK_WORKER: Duration = Duration::from_secs(600);

/// What follows from a check that fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// The whole report fails.
    Decides,
    /// Only its line shows it.
    Informs,
}

/// Answers a check: Ok with a remark, perhaps empty, or the reason why it fails.
type Ask = Box<dyn Fn() -> Result<String, String> + Send + Sync>;

/// A line of `/readyz`.
pub struct Check {
    name: &'static str,
    weight: Weight,
    ask: Ask,
}

/// The answer to a probe.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether all checks passed that decide.
    pub passed: bool,
    /// A line for each check, and one for the whole.
    pub verbose: String,
}

impl Monitor {
    /// Adds a check to `/readyz`. `ask` must answer without waiting.
    pub fn add_check(
        &self,
        name: &'static str,
        weight: Weight,
        ask: impl Fn() -> Result<String, String> + Send + Sync + 'static,
    ) {
        lock(&self.checks).push(Check {
            name,
            weight,
            ask: Box::new(ask),
        });
    }

    /// Whether all loops and syncs make progress.
    pub fn healthz(&self) -> Report {
        let running = lock(&self.running).clone();
        // After a halt of the whole process, loops and syncs have their full time again.
        let resumed = running.pulse.upgrade().and_then(|pulse| pulse.resumed());
        let mut lines = Lines::default();
        for kind in Kind::ALL {
            let turned = self.watched(kind, |watched, _| watched.last_turn());
            let silent = turned.max(turned.and(resumed)).map(|at| at.elapsed());
            let found = match silent {
                Some(silent) if silent > DEAD_WATCH => Err(format!(
                    "list and watch made no progress for {} s",
                    silent.as_secs()
                )),
                _ => Ok(String::new()),
            };
            lines.add(&format!("watch-{}", kind.as_str()), Weight::Decides, found);
        }
        let queue = running.queue.upgrade();
        let quietest = queue.and_then(|queue| queue.quietest(resumed));
        let found = match quietest {
            Some((key, quiet)) if quiet > STUCK_WORKER => Err(format!(
                "the sync of daemonset {key} made no progress for {} s",
                quiet.as_secs()
            )),
            _ => Ok(String::new()),
        };
        lines.add("workers", Weight::Decides, found);
        lines.report("healthz")
    }

    /// Whether all caches are synced. Nothing is planned before.
    pub fn readyz(&self) -> Report {
        let mut lines = Lines::default();
        for kind in Kind::ALL {
            let found = if self.watched(kind, |watched, _| watched.listed) {
                Ok(String::new())
            } else {
                Err("not synced yet; the log says why".to_owned())
            };
            lines.add(&format!("cache-{}", kind.as_str()), Weight::Decides, found);
        }
        for check in lock(&self.checks).iter() {
            lines.add(check.name, check.weight, (check.ask)());
        }
        lines.report("readyz")
    }
}

/// The lines of a report.
#[derive(Default)]
struct Lines {
    text: String,
    failed: bool,
}

impl Lines {
    fn add(&mut self, name: &str, weight: Weight, found: Result<String, String>) {
        // Writing to a String does not fail.
        let _ = match found {
            Ok(said) if said.is_empty() => writeln!(self.text, "[+]{name} ok"),
            Ok(said) => writeln!(self.text, "[+]{name} ok: {said}"),
            Err(why) => {
                self.failed |= weight == Weight::Decides;
                writeln!(self.text, "[-]{name} failed: {why}")
            }
        };
    }

    fn report(mut self, of: &str) -> Report {
        let verdict = if self.failed { "failed" } else { "passed" };
        let _ = writeln!(self.text, "{of} check {verdict}");
        Report {
            passed: !self.failed,
            verbose: self.text,
        }
    }
}
