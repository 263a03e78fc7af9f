//! The garbage collector: deletes objects that have lost their owners, and removes the finalizers
//! of foreground deletion and orphaning once the dependents are done with.
//!
//! It follows pods, DaemonSets, ControllerRevisions and nodes. An owner of a kind that is not
//! served counts as present. An owner that is not in the cache is read before anything is deleted
//! for lack of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::api::PropagationPolicy;
use serde_json::json;

use super::actor::{self, Actor, ActorOptions, Decision, Running};
use super::objects::{Object, OwnerReference};
use super::task::{Absent, Call, Delete, Task};
use super::world::World;
use crate::sim::api::Resource;
use crate::sim::api::resource::{CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS};

/// The finalizer of an object that is deleted after its dependents.
pub const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an object that is deleted without its dependents.
pub const ORPHAN: &str = "orphan";

/// The garbage collector. It has no memory between decisions.
#[derive(Debug, Clone, Default)]
pub struct GarbageCollector;

/// Starts the garbage collector.
pub fn start(client: kube::Client, options: ActorOptions) -> Running {
    actor::start(client, GarbageCollector, options)
}

impl Actor for GarbageCollector {
    fn name(&self) -> &'static str {
        "garbage collector"
    }

    fn follows(&self) -> Vec<&'static Resource> {
        vec![&DAEMON_SETS, &CONTROLLER_REVISIONS, &PODS, &NODES]
    }

    fn decide(&mut self, known: &World, _: Timestamp) -> Decision {
        let graph = Graph::new(self.follows(), known);
        let tasks = graph
            .objects
            .iter()
            .flat_map(|(resource, object)| match object.terminating() {
                true => graph.finish(resource, object),
                false => graph.judge(resource, object).into_iter().collect(),
            })
            .collect();
        Decision { tasks, again: None }
    }
}

/// All objects, with their dependents.
struct Graph<'a> {
    objects: Vec<(&'static Resource, &'a Object)>,
    /// The owners among them, by UID.
    by_uid: BTreeMap<&'a str, &'a Object>,
    /// By the owner's UID.
    dependents: BTreeMap<&'a str, Vec<(&'static Resource, &'a Object)>>,
}

/// An object's owner references, by the state of the owners.
#[derive(Default)]
struct Owners<'a> {
    /// The owners exist, or nothing is known of them.
    solid: Vec<&'a OwnerReference>,
    /// The owners wait for their dependents to be deleted.
    waiting: Vec<&'a OwnerReference>,
    /// The owners seem to be gone; a read must confirm that.
    dangling: Vec<(&'a OwnerReference, Absent)>,
}

impl<'a> Graph<'a> {
    fn new(resources: Vec<&'static Resource>, known: &'a World) -> Self {
        let mut graph = Graph {
            objects: Vec::new(),
            by_uid: BTreeMap::new(),
            dependents: BTreeMap::new(),
        };
        for resource in resources {
            let all = known.all(resource).map(|object| (resource, object));
            graph.objects.extend(all);
        }
        let all = graph.objects.iter();
        let references = all.flat_map(|(_, object)| &object.metadata.owner_references);
        let owners: BTreeSet<&str> = references.map(|owner| owner.uid.as_str()).collect();
        for (resource, object) in &graph.objects {
            let uid = object.metadata.uid.as_str();
            // There are many objects and few owners.
            if owners.contains(uid) {
                graph.by_uid.insert(uid, object);
            }
            for owner in &object.metadata.owner_references {
                let dependents = graph.dependents.entry(&owner.uid).or_default();
                dependents.push((*resource, object));
            }
        }
        graph
    }

    fn dependents(&self, object: &Object) -> &[(&'static Resource, &'a Object)] {
        let uid = object.metadata.uid.as_str();
        self.dependents.get(uid).map_or(&[], Vec::as_slice)
    }

    /// The task about an object's owners, if any.
    fn judge(&self, resource: &'static Resource, object: &'a Object) -> Option<Task> {
        let mut references = object.metadata.owner_references.iter();
        let is_solid = |owner: &&Object| !is_waiting(owner);
        if references.all(|r| self.by_uid.get(r.uid.as_str()).is_some_and(is_solid)) {
            return None;
        }
        let owners = self.owners(object);
        if owners.waiting.is_empty() && owners.dangling.is_empty() {
            return None;
        }
        let absent = owners.dangling.iter().map(|(_, absent)| absent.clone());
        let absent: Vec<Absent> = absent.collect();
        if !owners.solid.is_empty() {
            let task = Task::about(resource, object, "take lost owners off", "");
            let call = Call::Merge(json!({ "metadata": { "ownerReferences": owners.solid } }));
            return Some(Task { absent, ..task }.call(call));
        }
        let propagation = if !owners.waiting.is_empty() && !self.dependents(object).is_empty() {
            PropagationPolicy::Foreground
        } else if object.has_finalizer(ORPHAN) {
            PropagationPolicy::Orphan
        } else if object.has_finalizer(FOREGROUND) {
            PropagationPolicy::Foreground
        } else {
            PropagationPolicy::Background
        };
        let task = Task::about(resource, object, "delete", ", which has lost its owner");
        let call = Call::Delete(Delete {
            by_version: true,
            grace: None,
            propagation: Some(propagation),
        });
        Some(Task { absent, ..task }.call(call))
    }

    fn owners(&self, object: &'a Object) -> Owners<'a> {
        let mut owners = Owners::default();
        for reference in &object.metadata.owner_references {
            match self.by_uid.get(reference.uid.as_str()) {
                Some(owner) if is_waiting(owner) => owners.waiting.push(reference),
                Some(_) => owners.solid.push(reference),
                None => match Absent::owner(reference, &object.metadata.namespace) {
                    Some(absent) => owners.dangling.push((reference, absent)),
                    None => owners.solid.push(reference),
                },
            }
        }
        owners
    }

    /// The tasks for an object that is terminating.
    fn finish(&self, resource: &'static Resource, object: &'a Object) -> Vec<Task> {
        let uid = &object.metadata.uid;
        let dependents = self.dependents(object);
        if object.has_finalizer(ORPHAN) {
            let all = dependents.iter();
            let tasks: Vec<Task> = all
                .map(|(resource, d)| orphaned(resource, d, uid))
                .collect();
            return match tasks.is_empty() {
                true => vec![without_finalizer(resource, object, ORPHAN)],
                false => tasks,
            };
        }
        let blocks = |(_, dependent): &(_, &Object)| {
            let mut owners = dependent.metadata.owner_references.iter();
            owners.any(|o| o.uid == *uid && o.block_owner_deletion == Some(true))
        };
        if object.has_finalizer(FOREGROUND) && !dependents.iter().any(blocks) {
            return vec![without_finalizer(resource, object, FOREGROUND)];
        }
        Vec::new()
    }
}

/// Whether it waits for its dependents to be deleted.
fn is_waiting(owner: &Object) -> bool {
    owner.terminating() && owner.has_finalizer(FOREGROUND)
}

fn orphaned(resource: &'static Resource, object: &Object, owner: &str) -> Task {
    let all = object.metadata.owner_references.iter();
    let left: Vec<&OwnerReference> = all.filter(|o| o.uid != owner).collect();
    let task = Task::about(resource, object, "make an orphan of", "");
    task.call(Call::Merge(
        json!({ "metadata": { "ownerReferences": left } }),
    ))
}

fn without_finalizer(resource: &'static Resource, object: &Object, finalizer: &str) -> Task {
    let all = object.metadata.finalizers.iter();
    let left: Vec<&String> = all.filter(|f| *f != finalizer).collect();
    let task = Task::about(resource, object, "take the finalizer off", "");
    task.call(Call::Merge(json!({ "metadata": { "finalizers": left } })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn object(name: &str, owners: Value, finalizers: Value, deleting: bool) -> Object {
        let mut metadata = json!({
            "namespace": "x", "name": name, "uid": name, "ownerReferences": owners, "finalizers": finalizers,
        });
        if deleting {
            metadata["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn owner(name: &str, blocks: bool) -> Value {
        json!({ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": name, "uid": name,
            "blockOwnerDeletion": blocks })
    }

    fn said(tasks: &[Task]) -> Vec<String> {
        let line = |task: &Task| {
            let checks: Vec<&str> = task.absent.iter().map(|a| a.uid.as_str()).collect();
            let call = match &task.calls[..] {
                [Call::Delete(delete)] => {
                    format!("delete {}", json!(delete.propagation).as_str().unwrap())
                }
                [Call::Merge(patch)] => patch["metadata"].to_string(),
                other => panic!("{other:?}"),
            };
            format!("{} {checks:?} {call}", task.name)
        };
        tasks.iter().map(line).collect()
    }

    #[test]
    fn by_table() {
        let none = json!([]);
        let plain = |name: &str| object(name, json!([]), json!([]), false);
        let of = |name: &str, owners: Value| object(name, owners, json!([]), false);
        let node = json!({ "apiVersion": "v1", "kind": "Job", "name": "j", "uid": "j" });
        for (why, sets, pods, expected) in [
            ("nobody's", vec![], vec![plain("p")], vec![]),
            (
                "owned",
                vec![plain("d")],
                vec![of("p", json!([owner("d", true)]))],
                vec![],
            ),
            (
                "lost",
                vec![],
                vec![of("p", json!([owner("d", true)]))],
                vec![r#"p ["d"] delete Background"#],
            ),
            (
                "half lost",
                vec![plain("e")],
                vec![of("p", json!([owner("d", false), owner("e", false)]))],
                vec![
                    r#"p ["d"] {"ownerReferences":[{"apiVersion":"apps/v1","blockOwnerDeletion":false,"kind":"DaemonSet","name":"e","uid":"e"}]}"#,
                ],
            ),
            (
                "owned by what is not served",
                vec![],
                vec![of("p", json!([node]))],
                vec![],
            ),
            (
                "lost, on its way",
                vec![],
                vec![object("p", json!([owner("d", true)]), none.clone(), true)],
                vec![],
            ),
            (
                "foreground: dependents first",
                vec![object("d", none.clone(), json!([FOREGROUND]), true)],
                vec![
                    of("p", json!([owner("d", true)])),
                    of("q", json!([owner("d", false)])),
                ],
                vec!["p [] delete Background", "q [] delete Background"],
            ),
            (
                "foreground: a dependent is on its way",
                vec![object("d", none.clone(), json!([FOREGROUND]), true)],
                vec![object("p", json!([owner("d", true)]), none.clone(), true)],
                vec![],
            ),
            (
                "foreground: nobody blocks",
                vec![object("d", none.clone(), json!(["own", FOREGROUND]), true)],
                vec![object("p", json!([owner("d", false)]), none.clone(), true)],
                vec![r#"d [] {"finalizers":["own"]}"#],
            ),
            (
                "orphans first",
                vec![object("d", none.clone(), json!([ORPHAN]), true)],
                vec![
                    of("p", json!([owner("d", true)])),
                    of("q", json!([owner("d", true)])),
                ],
                vec![
                    r#"p [] {"ownerReferences":[]}"#,
                    r#"q [] {"ownerReferences":[]}"#,
                ],
            ),
            (
                "orphaned",
                vec![object("d", none.clone(), json!([ORPHAN]), true)],
                vec![plain("p")],
                vec![r#"d [] {"finalizers":[]}"#],
            ),
        ] {
            let known = World::default().with(&DAEMON_SETS, sets).with(&PODS, pods);
            let decision = GarbageCollector.decide(&known, Timestamp::UNIX_EPOCH);
            // A dependent is orphaned when its owner is looked at, which is before pods are.
            assert_eq!(said(&decision.tasks), expected, "{why}");
        }
    }

    #[test]
    fn a_dependent_with_dependents_goes_in_the_foreground_too() {
        let known = World::default()
            .with(
                &DAEMON_SETS,
                [object("d", json!([]), json!([FOREGROUND]), true)],
            )
            .with(
                &PODS,
                [
                    object("p", json!([owner("d", true)]), json!([]), false),
                    object("q", json!([owner("p", true)]), json!([]), false),
                ],
            );
        let tasks = GarbageCollector.decide(&known, Timestamp::UNIX_EPOCH).tasks;
        assert_eq!(said(&tasks), ["p [] delete Foreground"]);
    }
}
