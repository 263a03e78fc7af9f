//! S1: at most one live pod of a DaemonSet on a node; two of different revisions while surging. No
//! pod is made beside one that is known to be terminating and has not ended, except while surging.
//!
//! A pod that has the gate of the key `exclusive` does not count: S9 is about those.
//!
//! It is judged at each create by a controller. People may also give a pod a DaemonSet's owner
//! reference, and an orphan may be adopted on a node that has a pod already: the duplicate is then
//! deleted by S3's rule.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::facts::{hash, is_gated, is_live, is_terminal, owner, said, target, text};
use super::past::Past;
use super::promise::Promise;
use super::step::Step;
use crate::sim::api::resource::{DAEMON_SETS, PODS};
use crate::sim::api::store::Change;

/// The live pods of an owner on a node: UID to name and revision.
type Place = BTreeMap<String, (String, String)>;

/// S1.
#[derive(Default)]
pub struct OnePod {
    places: BTreeMap<(String, String), Place>,
    /// Those that are terminating and not terminal: UID to name, and since when.
    leaving: BTreeMap<(String, String), BTreeMap<String, (String, Duration)>>,
    /// By UID: whether the DaemonSet allows two pods on a node.
    surging: BTreeMap<String, bool>,
}

impl Promise for OnePod {
    fn name(&self) -> &'static str {
        "S1"
    }

    fn see(&mut self, step: &Step<'_>, past: &Past) -> Vec<String> {
        let write = step.write;
        if step.is_for(&DAEMON_SETS) && write.change != Change::Deleted {
            let set = past.set(text(&write.object, "uid"));
            let read = set.and_then(|set| set.read.as_ref());
            let surges = read.is_some_and(|ds| ds.update_strategy.allows_surge());
            // Once two were allowed, the create of the second may be under way.
            let known = self.surging.entry(text(&write.object, "uid").to_owned());
            *known.or_default() |= surges;
        }
        if !step.is_for(&PODS) {
            return Vec::new();
        }
        if let Some(before) = &write.before
            && let Some(place) = self.places.get_mut(&place(before))
        {
            place.remove(text(before, "uid"));
        }
        self.note_leaving(step);
        let pod = &write.object;
        let counts = is_live(pod) && !is_gated(pod);
        if write.change == Change::Deleted || !counts || owner(pod).is_empty() {
            return Vec::new();
        }
        let here = self.places.entry(place(pod)).or_default();
        let fact = (said(pod), hash(pod).to_owned());
        here.insert(text(pod, "uid").to_owned(), fact);
        if write.change != Change::Added || step.request.is_none() || target(pod).is_empty() {
            return Vec::new();
        }
        let surges = self.surging.get(owner(pod)).copied().unwrap_or(false);
        if let Some(leaving) = self.beside_leaving(step, surges) {
            return vec![format!(
                "{} is made on {} beside {leaving}, which is terminating",
                said(pod),
                target(pod)
            )];
        }
        let here = &self.places[&place(pod)];
        let same = here.values().filter(|(_, of)| of == hash(pod)).count();
        if here.len() == 1 || surges && here.len() == 2 && same == 1 {
            return Vec::new();
        }
        let names: Vec<&str> = here.values().map(|(name, _)| name.as_str()).collect();
        vec![format!(
            "{} live pods of {} on {}: {}",
            here.len(),
            owner(pod),
            target(pod),
            names.join(", ")
        )]
    }
}

impl OnePod {
    fn note_leaving(&mut self, step: &Step<'_>) {
        let pod = &step.write.object;
        let here = self.leaving.entry(place(pod)).or_default();
        let uid = text(pod, "uid").to_owned();
        if step.write.change == Change::Deleted || is_live(pod) || is_terminal(pod) {
            here.remove(&uid);
        } else {
            here.entry(uid).or_insert((said(pod), step.write.at));
        }
    }

    /// A pod on the new one's node whose end the controller must have waited for.
    fn beside_leaving(&self, step: &Step<'_>, surges: bool) -> Option<&str> {
        let known = step.known(step.request?);
        let here = self.leaving.get(&place(&step.write.object))?.values();
        let mut waited_for = here.filter(|(_, since)| !surges && *since < known);
        waited_for.next().map(|(name, _)| name.as_str())
    }
}

fn place(pod: &Value) -> (String, String) {
    (owner(pod).to_owned(), target(pod).to_owned())
}
