//! S4: no new revision without a real change of the template.
//!
//! A revision that a controller creates holds a template that its DaemonSet has, or had when the
//! plan was made, and that no other revision holds, as far as the controller knew: one that was
//! adopted after the plan was made had been left by a deleted DaemonSet, and has another name. The
//! content of a revision is never changed. The
//! revision of the present template is never deleted unless an equal one stays, and a revision
//! whose hash a pod carries is never deleted: nothing else says what such a pod runs, and a
//! rollback needs it.
//!
//! A pod counts if the controller knew of it: it has existed, with that hash, since before the plan
//! was made.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::facts::{hash, is_of_template, owner, said, template_of, text};
use super::past::Past;
use super::promise::Promise;
use super::step::Step;
use crate::sim::api::Entry;
use crate::sim::api::resource::CONTROLLER_REVISIONS;
use crate::sim::api::store::Change;

/// S4.
#[derive(Default)]
pub struct Revisions {
    /// When revisions that had another owner, or none, were adopted, by UID.
    adopted: BTreeMap<String, Duration>,
}

impl Promise for Revisions {
    fn name(&self) -> &'static str {
        "S4"
    }

    fn see(&mut self, step: &Step<'_>, past: &Past) -> Vec<String> {
        if !step.is_for(&CONTROLLER_REVISIONS) {
            return Vec::new();
        }
        let revision = &*step.write.object;
        let before = step.write.before.as_deref();
        if before.is_some_and(|before| owner(before) != owner(revision)) {
            let uid = text(revision, "uid").to_owned();
            self.adopted.insert(uid, step.write.at);
        }
        let Some(request) = step.request else {
            return Vec::new();
        };
        let wrong = match (&step.write.before, step.write.change) {
            (_, Change::Added) => self.created(step, request, revision, past),
            _ if request.method == "DELETE" => deleted(step, request, revision, past),
            (Some(before), _) if before["data"] != revision["data"] => {
                Some("what it holds is changed".to_owned())
            }
            _ => None,
        };
        let wrong = wrong.map(|why| format!("ControllerRevision {}: {why}", said(revision)));
        wrong.into_iter().collect()
    }
}

impl Revisions {
    fn created(
        &self,
        step: &Step<'_>,
        request: &Entry,
        revision: &Value,
        past: &Past,
    ) -> Option<String> {
        let since = step.known(request);
        let was_known = |other: &Value| {
            let adopted = self.adopted.get(text(other, "uid"));
            adopted.is_none_or(|at| *at <= since)
        };
        let template = template_of(revision);
        let mut equal = others(step, revision).filter(|other| template_of(other) == template);
        if let Some(equal) = equal.find(|other| was_known(other)) {
            return Some(format!("{} is of the same template", said(equal)));
        }
        let mut sets = past.sets(owner(revision), since).into_iter();
        let known = sets.any(|set| set.is_none_or(|set| is_of_template(revision, &set.object)));
        (!known).then(|| "it is of no template that its DaemonSet has".to_owned())
    }
}

fn deleted(step: &Step<'_>, request: &Entry, revision: &Value, past: &Past) -> Option<String> {
    if owner(revision).is_empty() {
        return None; // a case of S5
    }
    let since = step.known(request);
    let template = template_of(revision);
    let mut sets = past.sets(owner(revision), since).into_iter();
    let current = sets.all(|set| set.is_some_and(|set| is_of_template(revision, &set.object)));
    if current && !others(step, revision).any(|other| template_of(other) == template) {
        return Some("it is the only one of the present template".to_owned());
    }
    if others(step, revision).any(|other| hash(other) == hash(revision)) {
        return None;
    }
    let mut pods = past.pods(owner(revision));
    let carrier = pods.find(|pod| {
        let is_there = pod.left.is_none() && !pod.ended && !pod.node.is_empty();
        is_there && pod.labelled <= since && pod.hash == hash(revision)
    })?;
    Some(format!("pod {} carries its hash", carrier.name))
}

/// The other revisions of the same DaemonSet before the write.
fn others<'a>(step: &Step<'a>, revision: &'a Value) -> impl Iterator<Item = &'a Value> {
    let all = step.before.all(&CONTROLLER_REVISIONS).map(|r| &**r);
    let uid = text(revision, "uid");
    all.filter(move |r| owner(r) == owner(revision) && text(r, "uid") != uid)
}
