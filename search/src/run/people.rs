//! What people do to DaemonSets, and to what belongs to them.

use daemonset_controller::model::control;
use daemonset_controller::sim::api::resource::{
    CONTROLLER_REVISIONS, DAEMON_SETS, DISRUPTION_BUDGETS,
};
use daemonset_controller::sim::kubelets::script::PREFIX;
use serde_json::{Map, Value, json};

use super::{Runner, SETS, objects, undo::Undo};
use crate::step::Millis;

/// What makes the pods of a template bad.
const FLAWS: [&str; 4] = [
    "crash-after",
    "pull-fails-after",
    "ready-after",
    "fail-after",
];

impl Runner<'_> {
    fn patch_set(&mut self, set: usize, patch: &Value) -> bool {
        let set = set % self.sets.len();
        let done = self
            .cluster
            .patch(&DAEMON_SETS, "default", SETS[set], patch);
        if done.is_ok() {
            json_patch::merge(&mut self.sets[set], patch);
        }
        done.is_ok()
    }

    pub(super) fn spec(&mut self, set: usize, patch: &Value) -> bool {
        self.patch_set(set, &json!({ "spec": patch }))
    }

    pub(super) fn template(
        &mut self,
        set: usize,
        version: u32,
        flaw: Option<(&str, &str)>,
    ) -> bool {
        let mut annotations = json!({"v": version.to_string()});
        for what in FLAWS {
            let after = flaw
                .filter(|(flaw, _)| *flaw == what)
                .map(|(_, after)| after);
            annotations[format!("{PREFIX}{what}")] = json!(after);
        }
        self.spec(
            set,
            &json!({"template": {"metadata": {"annotations": annotations}}}),
        )
    }

    pub(super) fn key(&mut self, set: usize, key: &str, value: Option<&str>) -> bool {
        let value = match value {
            Some("") => self.newest_hash(set % self.sets.len()),
            value => json!(value),
        };
        let annotations = json!({ (format!("{}{key}", control::PREFIX)): value });
        self.patch_set(set, &json!({"metadata": {"annotations": annotations}}))
    }

    fn revisions(&self, set: usize) -> impl Iterator<Item = Value> {
        let uid = self.uid(set);
        let all = self.server.all(&CONTROLLER_REVISIONS).into_iter();
        all.filter(move |revision| objects::owner(revision) == uid)
    }

    fn newest_hash(&self, set: usize) -> Value {
        let newest = self.revisions(set).max_by_key(|r| r["revision"].as_i64());
        newest.unwrap_or_default()["metadata"]["labels"]["controller-revision-hash"].clone()
    }

    /// Removes one of the state annotations of the DaemonSet's revisions.
    pub(super) fn remove_state(&mut self, set: usize, nth: usize) -> bool {
        let mut there = Vec::new();
        for revision in self.revisions(set % self.sets.len()) {
            let annotations = revision["metadata"]["annotations"].as_object();
            let keys = annotations.into_iter().flat_map(Map::keys);
            let keys = keys.filter(|key| key.starts_with(control::STATE_PREFIX));
            let name = objects::text(&revision, "name");
            there.extend(keys.map(|key| (name.to_owned(), key.clone())));
        }
        if there.is_empty() {
            return false;
        }
        let (name, key) = &there[nth % there.len()];
        let patch = json!({"metadata": {"annotations": {(key.clone()): null}}});
        self.cluster
            .patch(&CONTROLLER_REVISIONS, "default", name, &patch)
            .is_ok()
    }

    pub(super) fn delete_set(&mut self, set: usize, cascade: &str, back: Millis) -> bool {
        let set = set % self.sets.len();
        let options = json!({"propagationPolicy": cascade});
        let gone = self
            .cluster
            .delete(&DAEMON_SETS, "default", SETS[set], &options);
        if gone.is_ok() {
            self.later(back, Undo::AddSet(set));
        }
        gone.is_ok()
    }

    /// Makes the DaemonSet again, once the one before is gone.
    pub(super) fn add_set(&mut self, set: usize) {
        if self
            .server
            .get(&DAEMON_SETS, "default", SETS[set])
            .is_some()
        {
            self.later(1_000, Undo::AddSet(set));
            return;
        }
        let made = self.cluster.create(&DAEMON_SETS, &self.sets[set]);
        made.unwrap_or_else(|why| panic!("{why}: {}", self.sets[set]));
    }

    pub(super) fn disruption(&mut self, allowed: u32, lasts: Millis) -> bool {
        let (version, now) = (self.server.read(|store| store.version()), self.server.now());
        let budget = json!({
            "metadata": {
                "name": "p", "namespace": "default", "uid": format!("p-{version}"),
                "generation": 1, "creationTimestamp": format!("{now:.0}"),
            },
            "spec": {"minAvailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow",
                     "selector": {"matchLabels": {"app": SETS[0]}}},
            "status": {"observedGeneration": 9, "disruptionsAllowed": allowed,
                       "desiredHealthy": 2, "currentHealthy": 2},
        });
        self.server
            .meddle(&DISRUPTION_BUDGETS, "default", "p", |_| Some(budget));
        self.later(lasts, Undo::Disruption);
        true
    }

    pub(super) fn end_disruption(&self) {
        if self
            .server
            .get(&DISRUPTION_BUDGETS, "default", "p")
            .is_some()
        {
            self.server
                .meddle(&DISRUPTION_BUDGETS, "default", "p", |_| None);
        }
    }

    /// The template generation of a DaemonSet.
    fn generation(&self, set: usize) -> i64 {
        let object = self
            .server
            .get(&DAEMON_SETS, "default", SETS[set])
            .unwrap_or_default();
        number(&object["metadata"]["annotations"]["deprecated.daemonset.template.generation"])
    }

    /// The highest template generation that a pod has by its label.
    fn highest_generation(&self) -> i64 {
        let pods = self.server.pods().into_iter();
        let labels = pods.map(|pod| number(&pod["metadata"]["labels"]["pod-template-generation"]));
        labels.max().unwrap_or(0)
    }

    /// Removes all keys, gives every DaemonSet a template whose pods are well, and has it rolled
    /// out.
    pub(super) fn mend_sets(&mut self) {
        for (set, name) in SETS.iter().enumerate().take(self.sets.len()) {
            let object = self
                .server
                .get(&DAEMON_SETS, "default", name)
                .unwrap_or_default();
            let annotations = object["metadata"]["annotations"].as_object();
            let keys = annotations.into_iter().flat_map(Map::keys);
            let keys = keys.filter(|key| key.starts_with(control::PREFIX));
            let none: Map<String, Value> = keys.map(|key| (key.clone(), Value::Null)).collect();
            let rolling = json!({"maxUnavailable": 2, "maxSurge": 0});
            self.patch_set(
                set,
                &json!({
                    "metadata": {"annotations": none},
                    "spec": {
                        "minReadySeconds": 0,
                        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
                    },
                }),
            );
            // An orphan that a DaemonSet of this name left behind is of the current revision where
            // its template generation is the same, whatever its hash says: the built-in
            // controller's rule. So the last template has a generation that no pod has.
            for version in 99..200 {
                self.template(set, version, None);
                if self.generation(set) > self.highest_generation() {
                    break;
                }
            }
        }
    }
}

fn number(value: &Value) -> i64 {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
