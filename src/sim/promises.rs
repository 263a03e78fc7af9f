//! The promises of `docs/design.md`, checked over the whole history of the simulated API server.
//!
//! In: every write in the order of versions, the log of requests, and the names of the clients that
//! are DaemonSet controllers. Out: [`Violation`]s, in words. Pure. Each promise is a [`Promise`] in
//! a file of its own, which sees every write and the cluster before it. A new promise is one more
//! entry in [`of_history`].

mod at_rest;
mod budget;
mod conditions;
mod deletes;
mod exclusive;
mod facts;
mod failing;
mod gates;
mod knowledge;
mod one_pod;
mod ours;
mod past;
mod promise;
mod revisions;
mod step;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::api::store::{Store, Write};
use super::api::{Entry, deliveries::Deliveries};
use crate::model::Settings;
use knowledge::RESOURCES;
use past::Past;
use promise::Promise;
use step::{Objects, Step};

/// The history that promises are checked against.
pub struct Check<'a> {
    /// All objects, with every write to them.
    pub store: &'a Store,
    /// Every request, in the order in which they came in.
    pub log: &'a [Entry],
    /// The names of the clients that are DaemonSet controllers.
    pub controllers: &'a [&'a str],
    /// The deliveries of watches to each client, with their times.
    pub deliveries: &'a Deliveries,
    /// The time of day at the start; writes and requests have times since then.
    pub epoch: Timestamp,
    /// What the operator chose: a node that is leaving may have no pod.
    pub settings: Settings,
}

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// `S1` to `S5`, `S8`, `S9`, `C1` or `L1`.
    pub promise: &'static str,
    /// The resourceVersion of the write that broke it.
    pub version: u64,
    /// The time of the write, since the start.
    pub at: Duration,
    /// The line of the log of the request that wrote, cut to 300 characters; empty if the log does
    /// not have it.
    pub request: String,
    /// The objects concerned, and what is wrong with them.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation {
            promise,
            version,
            at,
            request,
            what,
        } = self;
        let at = at.as_secs_f64();
        write!(f, "{promise} at version {version} ({at:.3} s): {what}")?;
        if !request.is_empty() {
            write!(f, "; by {request}")?;
        }
        Ok(())
    }
}

/// How many characters of a request's line a violation shows.
const SHOWN: usize = 300;

/// The promises that hold at every moment, before anything was seen.
fn of_history() -> Vec<Box<dyn Promise>> {
    vec![
        Box::<one_pod::OnePod>::default(),
        Box::<exclusive::Exclusive>::default(),
        Box::<budget::Budget>::default(),
        Box::<deletes::Deletes>::default(),
        Box::<revisions::Revisions>::default(),
        Box::<ours::Ours>::default(),
        Box::<gates::Gates>::default(),
        Box::<conditions::Conditions>::default(),
    ]
}

/// The names of the promises that [`Check::history`] checks.
pub fn names() -> Vec<&'static str> {
    of_history().iter().map(|promise| promise.name()).collect()
}

impl Check<'_> {
    /// The violations of the promises that hold at every moment.
    pub fn history(&self) -> Vec<Violation> {
        self.follow(of_history())
    }

    /// The violations of L1 at rest: objects that are not in their desired state, and writes that a
    /// controller asked for since `since`.
    pub fn settled(&self, now: Timestamp, since: Duration) -> Vec<Violation> {
        let found = at_rest::desired(self.store, now, self.settings).into_iter();
        let at = self.log.last().map_or(Duration::ZERO, |last| last.at);
        let mut all: Vec<Violation> = found
            .map(|what| Violation {
                promise: "L1",
                version: self.store.version(),
                at,
                request: String::new(),
                what,
            })
            .collect();
        let writes = self.log.iter();
        let late = writes
            .filter(|e| e.is_write() && !e.is_upkeep() && e.at >= since && self.is_controller(e));
        all.extend(late.map(|entry| Violation {
            promise: "L1",
            version: self.store.version(),
            at: entry.at,
            request: said(entry),
            what: "it still writes, though nothing changes".into(),
        }));
        all
    }

    fn is_controller(&self, entry: &Entry) -> bool {
        self.controllers.contains(&&*entry.client)
    }

    fn follow(&self, mut promises: Vec<Box<dyn Promise>>) -> Vec<Violation> {
        let histories = RESOURCES.iter().flat_map(|r| self.store.history(r));
        let mut writes: Vec<&Write> = histories.collect();
        writes.sort_by_key(|write| write.version);
        // Few requests are a controller's, and each is looked at for many others.
        let plans = self.log.iter();
        let plans = plans.filter(|e| self.is_controller(e) && knowledge::is_of_a_plan(e));
        let plans: Vec<&Entry> = plans.collect();
        let mut objects = Objects::default();
        let mut past = Past::default();
        let mut found = Vec::new();
        for write in writes {
            let request = self.log.get(write.request);
            let step = Step {
                write,
                request: request.filter(|entry| self.is_controller(entry)),
                before: &objects,
                log: &plans,
                plan: OnceCell::new(),
                deliveries: self.deliveries,
                epoch: self.epoch,
            };
            past.see(&step);
            for promise in &mut promises {
                let broken = promise.see(&step, &past).into_iter();
                found.extend(broken.map(|what| Violation {
                    promise: promise.name(),
                    version: write.version,
                    at: write.at,
                    request: request.map_or_else(String::new, said),
                    what,
                }));
            }
            objects.apply(write);
        }
        found
    }
}

fn said(entry: &Entry) -> String {
    entry.line().chars().take(SHOWN).collect()
}
