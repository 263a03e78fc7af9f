//! The known gap of S1 (`docs/design.md`): histories stay away from it, unless writes are late;
//! then what breaks S1 in that way is told apart.

use std::collections::BTreeSet;
use std::time::Duration;

use daemonset_controller::sim::api::resource::PODS;
use daemonset_controller::sim::api::store::Change;
use daemonset_controller::sim::promises::Violation;
use serde_json::Value;

use super::{NAMES, Runner, objects::text};
use crate::history::Controllers;
use crate::outcome::FreedBy;

impl Runner<'_> {
    /// Whether people may touch the pods of a node: nobody did for as long as anybody may be
    /// behind. They are touched from now on. With late writes they may at any time.
    pub(super) fn is_calm(&mut self, node: u32) -> bool {
        if self.history.late.is_some() {
            return true;
        }
        let now = self.server.elapsed();
        let calm = Duration::from_millis(2 * (self.history.lag + self.history.slow) + 2_000);
        if self.touched.get(&node).is_some_and(|at| now - *at < calm) {
            return false;
        }
        self.touched.insert(node, now);
        true
    }

    /// Whether every controller knows of this pod.
    pub(super) fn is_known(&self, pod: &Value) -> bool {
        let uid = &pod["metadata"]["uid"];
        let came = self.server.read(|store| {
            let mut writes = store.history(&PODS).iter();
            let first = writes.find(|w| w.object["metadata"]["uid"] == *uid);
            first.map(|write| write.at)
        });
        let behind = Duration::from_millis(self.history.lag + self.history.slow + 5);
        came.is_some_and(|at| self.server.elapsed() > at + behind)
    }

    /// Whether there are two controllers without election, and one of them had posted the name of a
    /// pod of this violation before, in vain, without learning what became of that. It goes on with
    /// that name for as long as the request may be under way; the other one does not know of it.
    pub(super) fn was_begun(&self, violation: &Violation) -> bool {
        if self.history.controllers != Controllers::Two {
            return false;
        }
        // "2 live pods of UID on NODE: NAMESPACE/NAME, NAMESPACE/NAME"
        let pods = violation.what.split([' ', ',', ';']);
        let names = pods.filter_map(|pod| Some(pod.split_once('/')?.1));
        let names: Vec<String> = names.map(|name| format!("\"name\":\"{name}\"")).collect();
        self.server.with(|state| {
            let pods = state.core.store.history(&PODS).iter();
            let effective: BTreeSet<usize> = pods.map(|write| write.request).collect();
            let sent = state.log.iter().filter(|entry| entry.at < violation.at);
            let mut unknown = sent.filter(|entry| {
                entry.is("POST", "/pods")
                    && (entry.code == 0 || entry.code >= 500)
                    && !effective.contains(&entry.number)
            });
            unknown.any(|entry| {
                let body = String::from_utf8_lossy(&entry.body);
                names.iter().any(|name| body.contains(name))
            })
        })
    }

    /// Who asked for the end of the last pod that had the name of the pod that this violation
    /// created.
    pub(super) fn freed_by(&self, violation: &Violation) -> FreedBy {
        self.server.with(|state| {
            let history = state.core.store.history(&PODS);
            let create = history.iter().find(|w| w.version == violation.version);
            let name = create.map_or("", |w| text(&w.object, "name"));
            let mut asked: Option<(&Value, usize)> = None;
            for write in history.iter().take_while(|w| w.version < violation.version) {
                let (meta, uid) = (&write.object["metadata"], &write.object["metadata"]["uid"]);
                let ends = write.change == Change::Deleted || meta["deletionTimestamp"].is_string();
                if meta["name"] == name && ends && asked.is_none_or(|(known, _)| known != uid) {
                    asked = Some((uid, write.request));
                }
            }
            match asked.map(|(_, request)| state.log.get(request)) {
                None => FreedBy::Nobody,
                Some(Some(c)) if NAMES.contains(&&*c.client) => FreedBy::Controller,
                Some(_) => FreedBy::Others,
            }
        })
    }
}
