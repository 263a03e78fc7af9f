//! The namespace controller: deletes the content of a namespace that is terminating, then its
//! finalizer.
//!
//! As in the real one pods are deleted first, and everything else once no pod is left. The content
//! is read before each decision, so that nothing is left when the finalizer is removed.

use std::time::Duration;

use jiff::Timestamp;

use super::actor::{self, Actor, ActorOptions, Decision, Running};
use super::task::{Call, Delete, Task};
use super::world::World;
use crate::sim::api::Resource;
use crate::sim::api::resource::{
    CONTROLLER_REVISIONS, DAEMON_SETS, EVENTS, LEASES, NAMESPACES, PODS,
};

/// The finalizer in a namespace's `spec.finalizers`.
pub const FINALIZER: &str = "kubernetes";
/// The pause before a namespace that still has content is looked at again.
const AGAIN: Duration = Duration::from_secs(1);
/// The content of a namespace, pods first.
static CONTENT: [&Resource; 5] = [&PODS, &DAEMON_SETS, &CONTROLLER_REVISIONS, &EVENTS, &LEASES];

/// The namespace controller. It has no memory between decisions.
#[derive(Debug, Clone, Default)]
pub struct NamespaceController;

/// Starts the namespace controller.
pub fn start(client: kube::Client, options: ActorOptions) -> Running {
    actor::start(client, NamespaceController, options)
}

impl Actor for NamespaceController {
    fn name(&self) -> &'static str {
        "namespace controller"
    }

    fn follows(&self) -> Vec<&'static Resource> {
        vec![&NAMESPACES]
    }

    fn reads(&self, known: &World) -> Vec<(&'static Resource, String)> {
        known
            .all(&NAMESPACES)
            .filter(|namespace| namespace.terminating())
            .flat_map(|n| CONTENT.map(|resource| (resource, n.metadata.name.clone())))
            .collect()
    }

    fn decide(&mut self, known: &World, now: Timestamp) -> Decision {
        let mut decision = Decision::default();
        for namespace in known.all(&NAMESPACES).filter(|n| n.terminating()) {
            let name = &namespace.metadata.name;
            let content = |resource: &'static Resource| {
                let all = known.all(resource);
                all.filter(move |object| object.metadata.namespace == *name)
            };
            let mut left = false;
            for resource in CONTENT {
                for object in content(resource) {
                    left = true;
                    if !object.terminating() {
                        let task = Task::about(resource, object, "delete", " with its namespace");
                        decision
                            .tasks
                            .push(task.call(Call::Delete(Delete::default())));
                    }
                }
                if left && *resource == PODS {
                    break;
                }
            }
            if left {
                decision.look_again(now + AGAIN);
            } else if namespace.spec.finalizers.iter().any(|f| f == FINALIZER) {
                let task = Task::about(&NAMESPACES, namespace, "let go of", "");
                let task = task.call(Call::Finalize(FINALIZER.to_owned()));
                decision.tasks.push(task);
            }
        }
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::Object;
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_go_then_all_else_then_the_namespace() {
        let object = |name: &str, namespace: &str, deleting: bool| -> Object {
            let mut object: Object = serde_json::from_value(json!({
                "metadata": { "namespace": namespace, "name": name }, "spec": { "finalizers": ["kubernetes"] },
            }))
            .unwrap();
            object.metadata.deletion_timestamp = deleting.then_some(Timestamp::UNIX_EPOCH);
            object
        };
        let pod = |deleting| vec![object("p", "x", deleting)];
        let rest = || vec![object("r", "x", false)];
        for (why, deleting, pods, revisions, expected, again) in [
            ("stays", false, pod(false), rest(), vec![], false),
            (
                "pods first",
                true,
                pod(false),
                rest(),
                vec!["delete Pod x/p with its namespace"],
                true,
            ),
            ("waits for pods", true, pod(true), rest(), vec![], true),
            (
                "the rest",
                true,
                vec![],
                rest(),
                vec!["delete ControllerRevision x/r with its namespace"],
                true,
            ),
            (
                "empty",
                true,
                vec![],
                vec![],
                vec!["let go of Namespace x"],
                false,
            ),
        ] {
            let elsewhere = object("p", "y", false);
            let known = World::default()
                .with(
                    &NAMESPACES,
                    [object("x", "", deleting), object("y", "", false)],
                )
                .with(&PODS, pods.into_iter().chain([elsewhere]))
                .with(&CONTROLLER_REVISIONS, revisions);
            let decision = NamespaceController.decide(&known, Timestamp::UNIX_EPOCH);
            let said: Vec<&str> = decision.tasks.iter().map(|t| t.what.as_str()).collect();
            assert_eq!(said, expected, "{why}");
            assert_eq!(decision.again.is_some(), again, "{why}");
        }
    }
}
