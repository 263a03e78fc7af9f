//! S9: a node has at most one pod of a DaemonSet with the key `exclusive` that could run. A pod
//! that terminates runs on until it has ended, and one that has our gate cannot run.
//!
//! It is judged at each write of a controller, from the time when the DaemonSet has the key. Pods
//! that people make or adopt are theirs.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{is_gated, is_terminal, owner, said, target, text};
use super::past::Past;
use super::promise::Promise;
use super::step::Step;
use crate::model::DaemonSet;
use crate::sim::api::resource::{DAEMON_SETS, PODS};
use crate::sim::api::store::Change;

/// S9.
#[derive(Default)]
pub struct Exclusive {
    /// The DaemonSets with the key, by UID.
    wanted: BTreeSet<String>,
    /// By owner and node: the pods that could run, by UID, with their names.
    places: BTreeMap<(String, String), BTreeMap<String, String>>,
}

impl Promise for Exclusive {
    fn name(&self) -> &'static str {
        "S9"
    }

    fn see(&mut self, step: &Step<'_>, past: &Past) -> Vec<String> {
        let write = step.write;
        let object = &write.object;
        if step.is_for(&DAEMON_SETS) && write.change != Change::Deleted {
            let uid = text(object, "uid");
            let read = past.set(uid).and_then(|set| set.read.as_ref());
            if read.is_some_and(DaemonSet::is_exclusive) {
                self.wanted.insert(uid.to_owned());
            } else {
                self.wanted.remove(uid);
            }
        }
        if !step.is_for(&PODS) {
            return Vec::new();
        }
        let uid = text(object, "uid");
        if let Some(before) = &write.before
            && let Some(place) = self
                .places
                .get_mut(&(owner(before).to_owned(), target(before).to_owned()))
        {
            place.remove(uid);
        }
        let could_run =
            write.change != Change::Deleted && !is_gated(object) && !is_terminal(object);
        if !could_run || owner(object).is_empty() || target(object).is_empty() {
            return Vec::new();
        }
        let place = (owner(object).to_owned(), target(object).to_owned());
        let here = self.places.entry(place).or_default();
        here.insert(uid.to_owned(), said(object));
        let could_before = write
            .before
            .as_ref()
            .is_some_and(|before| !is_gated(before) && !is_terminal(before));
        let is_judged = step.request.is_some() && self.wanted.contains(owner(object));
        if here.len() == 1 || could_before || !is_judged {
            return Vec::new();
        }
        let names: Vec<&str> = here.values().map(String::as_str).collect();
        vec![format!(
            "{} pods of {} on {} that could run: {}",
            here.len(),
            owner(object),
            target(object),
            names.join(", ")
        )]
    }
}
