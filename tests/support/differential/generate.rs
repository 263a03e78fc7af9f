//! Sequences made by chance: few names, so that requests meet each other's objects.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::objects::*;
use super::step::*;

/// A kind whose objects the generator makes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Pod,
    Node,
    DaemonSet,
    Revision,
    Lease,
    Event,
    NewEvent,
}

impl Kind {
    fn collection(self) -> &'static str {
        match self {
            Kind::Pod => PODS,
            Kind::Node => NODES,
            Kind::DaemonSet => DAEMON_SETS,
            Kind::Revision => REVISIONS,
            Kind::Lease => LEASES,
            Kind::Event => EVENTS,
            Kind::NewEvent => NEW_EVENTS,
        }
    }

    fn has_status(self) -> bool {
        matches!(self, Kind::Pod | Kind::Node | Kind::DaemonSet)
    }
}

#[path = "generate_objects.rs"]
mod generate_objects;

/// The sequence of this seed: 20 to 40 steps.
pub fn generate(seed: u64) -> Sequence {
    let mut chance = Chance(StdRng::seed_from_u64(seed));
    let length = chance.0.random_range(20..=40);
    // A few objects first, so that most requests find one.
    let mut steps: Vec<Step> = (0..4).map(|_| chance.create()).collect();
    while steps.len() < length {
        steps.push(chance.step());
    }
    tell_stems_apart(&mut steps);
    sequence(&format!("generated {seed}"), steps)
}

/// Lists are in the order of names, and how generated ones end is by chance: two from the same stem
/// would stand now so, now so. With a dash more, which sorts before all that a name can end with,
/// they have one order.
fn tell_stems_apart(steps: &mut [Step]) {
    let mut seen = BTreeSet::new();
    for step in steps {
        let body = step.body.as_mut();
        let Some(stem) = body.and_then(|body| body.pointer_mut("/metadata/generateName")) else {
            continue;
        };
        let mut apart = stem.as_str().unwrap_or_default().to_owned();
        while !seen.insert((step.request.clone(), apart.clone())) {
            apart.push('-');
        }
        *stem = json!(apart);
    }
}

struct Chance(StdRng);

impl Chance {
    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices
            .choose(&mut self.0)
            .expect("there is a choice")
            .clone()
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.0.random_ratio(1, n)
    }

    fn kind(&mut self) -> Kind {
        use Kind::*;
        self.of(&[
            Pod, Pod, Pod, Pod, DaemonSet, DaemonSet, Node, Node, Revision, Lease, Event, NewEvent,
        ])
    }

    /// A name of this kind, and the name under which answers about it are saved.
    fn name(&mut self, kind: Kind) -> (String, String) {
        let (few, prefix) = match kind {
            Kind::Pod => (["a", "b", "c"], ""),
            Kind::Node => (["n", "m", "n"], "<ns>-"),
            // Not those of events in the other form, where managed fields make a write of nothing
            // one of something.
            Kind::NewEvent => (["c", "c", "d"], ""),
            _ => (["a", "a", "b"], ""),
        };
        let name = self.of(&few);
        (format!("{prefix}{name}"), format!("{kind:?}-{name}"))
    }

    fn step(&mut self) -> Step {
        let step = match self.0.random_range(0..100) {
            0..20 => self.create(),
            20..45 => self.patch(),
            45..55 => self.status(),
            55..62 => self.update(),
            62..76 => self.delete(),
            76..80 => self.bind(),
            80..84 => self.read(),
            84..91 => self.list(),
            91..97 => self.watch(),
            97..99 => self.delete_all(),
            _ => self.namespace(),
        };
        let is_write = ["POST ", "PATCH "]
            .iter()
            .any(|m| step.request.starts_with(m))
            && step.save.is_some();
        if is_write && self.one_in(20) {
            step.query("dryRun", "All")
        } else {
            step
        }
    }

    fn create(&mut self) -> Step {
        let kind = self.kind();
        let (name, saved) = self.name(kind);
        let mut object = self.object(kind, &name);
        if self.one_in(12) {
            object = with(
                without(object, "/metadata/name"),
                "/metadata/generateName",
                json!(format!("{name}-")),
            );
        }
        create(kind.collection(), object).save(&saved)
    }

    /// A version as a request may name it: right, old, or none.
    fn version(&mut self, saved: &str) -> Option<String> {
        match self.0.random_range(0..10) {
            0..3 => Some(format!("<{saved}.rv>")),
            3 => Some(format!("<{saved}.rv@0>")),
            4 => Some(format!("<{saved}.rv+5000>")),
            _ => None,
        }
    }

    /// A UID as a request may name it: right, of an object before, or none.
    fn uid(&mut self, saved: &str) -> Option<String> {
        match self.0.random_range(0..10) {
            0..3 => Some(format!("<{saved}.uid>")),
            3 => Some(format!("<{saved}.uid@0>")),
            4 => Some("<Pod-a.uid>".to_owned()),
            _ => None,
        }
    }

    fn conditions(&mut self, saved: &str, mut object: Value) -> Value {
        for (pointer, value) in [
            ("/metadata/resourceVersion", self.version(saved)),
            ("/metadata/uid", self.uid(saved)),
        ] {
            if let Some(value) = value {
                object = with(object, pointer, json!(value));
            }
        }
        object
    }

    fn patch(&mut self) -> Step {
        let kind = self.kind();
        let (name, saved) = self.name(kind);
        let mut change = match self.0.random_range(0..10) {
            0..4 => {
                json!({"metadata": {"labels": {"l": self.of(&[json!("1"), json!("2"), Value::Null])}}})
            }
            4 | 5 => {
                json!({"metadata": {"finalizers": self.of(&[Value::Null, json!(["x.y/hold"]), json!([])])}})
            }
            6 => {
                json!({"metadata": {"annotations": {"note": self.of(&[json!("x"), Value::Null])}}})
            }
            7 => with(json!({}), "/status/phase", json!("Running")),
            8 => {
                let (pointer, value) = self.bad(kind);
                with(json!({}), pointer, value)
            }
            _ => self.spec_change(kind),
        };
        if self.one_in(2) {
            change = self.conditions(&saved, change);
        }
        let step = match self.one_in(2) {
            true => merge(kind.collection(), &name, change),
            false => strategic(kind.collection(), &name, change),
        };
        if self.one_in(10) {
            let patch = json!([
                {"op": "test", "path": "/metadata/uid", "value": format!("<{saved}.uid>")},
                {"op": self.of(&["add", "replace"]), "path": "/metadata/labels", "value": {"l": "3"}},
            ]);
            return json_patch(kind.collection(), &name, patch).save(&saved);
        }
        step.save(&saved)
    }

    fn status(&mut self) -> Step {
        let kind = self.of(&[
            Kind::Pod,
            Kind::Pod,
            Kind::Node,
            Kind::DaemonSet,
            Kind::Lease,
        ]);
        let (name, saved) = self.name(kind);
        let change = match kind {
            Kind::Pod => self.of(&[
                json!({"status": {"phase": "Running"}}),
                json!({"status": {"phase": "Failed"}}),
                json!({"status": {"phase": "Succeeded"}, "metadata": {"labels": {"l": "3"}}}),
                json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
                json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}, "spec": {"nodeName": "x"}}),
            ]),
            Kind::Node => json!({"status": {"conditions": [{"type": "Ready", "status": self.of(&["True", "False"])}]}}),
            _ => json!({"status": {"numberReady": self.0.random_range(-1..3)}, "spec": {"minReadySeconds": 8}}),
        };
        let change = if self.one_in(2) {
            self.conditions(&saved, change)
        } else {
            change
        };
        let step = match self.one_in(3) {
            true => merge(kind.collection(), &name, change),
            false => strategic(kind.collection(), &name, change),
        };
        let step = step.sub("status");
        if kind.has_status() {
            step.save(&saved)
        } else {
            step
        }
    }

    fn update(&mut self) -> Step {
        let kind = self.kind();
        let (name, saved) = self.name(kind);
        let mut object = self.object(kind, &name);
        if self.one_in(2) {
            object = with(
                object,
                "/metadata/resourceVersion",
                json!(format!("<{saved}.rv>")),
            );
        } else {
            object = self.conditions(&saved, object);
        }
        update(kind.collection(), &name, object).save(&saved)
    }

    fn delete(&mut self) -> Step {
        let kind = self.kind();
        let (name, saved) = self.name(kind);
        let mut wanted = json!({});
        if self.one_in(2) {
            wanted["gracePeriodSeconds"] = json!(self.of(&[0, 0, 0, 5, 30, 60]));
        }
        if self.one_in(4) {
            wanted["propagationPolicy"] = json!(self.of(&["Background", "Foreground", "Orphan"]));
        }
        if self.one_in(3) {
            for (field, value) in [
                ("resourceVersion", self.version(&saved)),
                ("uid", self.uid(&saved)),
            ] {
                if let Some(value) = value {
                    wanted["preconditions"][field] = json!(value);
                }
            }
        }
        let step = delete(kind.collection(), &name);
        if wanted == json!({}) {
            step
        } else {
            step.json(options(wanted))
        }
    }

    fn bind(&mut self) -> Step {
        let (name, saved) = self.name(Kind::Pod);
        let mut binding = binding(&name, "<ns>-m");
        if let Some(uid) = self.uid(&saved) {
            binding = with(binding, "/metadata/uid", json!(uid));
        }
        create(&format!("{PODS}/{name}/binding"), binding)
    }

    fn read(&mut self) -> Step {
        let kind = self.kind();
        let (name, saved) = self.name(kind);
        get(kind.collection(), &name).save(&saved)
    }

    fn selected(&mut self, kind: Kind, step: Step) -> Step {
        let step = match self.0.random_range(0..6) {
            0 | 1 => step.query(
                "labelSelector",
                self.of(&["l=1", "l!=1", "l", "!l", "l in (1,2)"]),
            ),
            2 if kind == Kind::Pod => step.query(
                "fieldSelector",
                self.of(&[
                    "spec.nodeName=<ns>-n",
                    "spec.nodeName=",
                    "status.phase!=Running",
                    "metadata.name=a",
                ]),
            ),
            2 if kind != Kind::Node => step.query("fieldSelector", "metadata.name=a"),
            _ => step,
        };
        match kind {
            Kind::Node => step.query(
                "fieldSelector",
                self.of(&["metadata.name=<ns>-n", "metadata.name=<ns>-m"]),
            ),
            _ => step,
        }
    }

    fn list(&mut self) -> Step {
        let kind = self.kind();
        let step = self.selected(kind, list(kind.collection()));
        match self.0.random_range(0..7) {
            6 => list(PODS)
                .query("limit", "1")
                .query("continue", "<page.continue>"),
            0 => step.query("limit", "1").save("page"),
            1 => step.query("resourceVersion", "0"),
            _ => step,
        }
    }

    fn watch(&mut self) -> Step {
        let kind = self.kind();
        let (_, saved) = self.name(kind);
        let step = self.selected(kind, watch(kind.collection()));
        match self.0.random_range(0..5) {
            0..3 => step.query("resourceVersion", &format!("<{saved}.rv>")),
            3 => step,
            _ => step
                .query("sendInitialEvents", "true")
                .query("resourceVersionMatch", "NotOlderThan")
                .query("allowWatchBookmarks", "true"),
        }
    }

    fn delete_all(&mut self) -> Step {
        let kind = self.of(&[Kind::Pod, Kind::Pod, Kind::DaemonSet, Kind::Revision]);
        let step = delete_all(kind.collection());
        if self.one_in(2) {
            step.query("labelSelector", "l=1")
        } else {
            step
        }
    }

    fn namespace(&mut self) -> Step {
        let labels = json!({"metadata": {"labels": {"l": self.of(&["1", "2"])}}});
        self.of(&[
            merge(NAMESPACES, "<ns>", labels),
            get(NAMESPACES, "<ns>"),
            delete(NAMESPACES, "<ns>"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sequence() {
        assert_eq!(generate(3), generate(3));
        // Seed 1022 makes two pods from one stem.
        let stems = |seed| -> Vec<String> {
            let bodies = generate(seed)
                .steps
                .into_iter()
                .filter_map(|step| step.body);
            let stem =
                |body: Value| Some(body.pointer("/metadata/generateName")?.as_str()?.to_owned());
            bodies.filter_map(stem).collect()
        };
        assert_eq!(stems(1022)[..2], ["a-", "a--"]);
        assert_ne!(generate(3).steps, generate(4).steps);
        assert!((0..50).all(|seed| (20..=40).contains(&generate(seed).steps.len())));
    }
}
