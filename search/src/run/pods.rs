//! How pods meet their ends, other than by controllers and kubelets.

use daemonset_controller::sim::api::resource::{DAEMON_SETS, PODS};
use kube::core::Request;
use serde_json::{Value, json};

use super::{NAMES, Runner, SETS, objects};
use crate::step::End;

/// A pod's status once it has failed. One that its kubelet rejected has neither conditions nor
/// container statuses.
fn failed(reason: &str) -> Value {
    let status = match reason {
        "" => json!({
            "phase": "Failed",
            "conditions": [{"type": "Ready", "status": "False", "reason": "PodFailed"}],
        }),
        reason => json!({
            "phase": "Failed", "reason": reason, "message": format!("Pod was rejected: {reason}"),
            "conditions": null, "containerStatuses": null,
        }),
    };
    json!({ "status": status })
}

impl Runner<'_> {
    /// The UID of a DaemonSet, empty while it is not there.
    pub(super) fn uid(&self, set: usize) -> String {
        let object = self.server.get(&DAEMON_SETS, "default", SETS[set]);
        object.map_or_else(String::new, |o| objects::text(&o, "uid").to_owned())
    }

    pub(super) fn pod(&mut self, set: usize, node: u32, end: End) -> bool {
        let (uid, node) = (self.uid(set % self.sets.len()), self.node(node));
        let name = format!("n{node}");
        let pod = self
            .server
            .read(|store| objects::live_pod(store, &uid, &name));
        let Some(pod) = pod.filter(|_| self.is_calm(node)) else {
            return false;
        };
        // Whoever has missed a pod's coming, its end, its successor and its deletion makes a second
        // one (docs/design.md, "Known gap"): one that not everybody knows of is only deleted.
        let end = match end {
            End::Fails(_) if self.history.late.is_none() && !self.is_known(&pod) => {
                End::Deleted(true)
            }
            end => end,
        };
        let path = format!("{}/{}", PODS.path("default"), objects::text(&pod, "name"));
        let status = format!("{path}/status");
        let at_once = json!({"gracePeriodSeconds": 0});
        let done = match end {
            End::Fails(reason) => self.server.perform("PATCH", &status, &failed(reason)),
            End::Deleted(true) => self.server.perform("DELETE", &path, &at_once),
            End::Deleted(false) => self.server.perform("DELETE", &path, &Value::Null),
            End::FailedAndDeleted => {
                let ended = self.server.perform("PATCH", &status, &failed(""));
                ended.and_then(|_| self.server.perform("DELETE", &path, &at_once))
            }
            End::Evicted => {
                let eviction = json!({
                    "apiVersion": "policy/v1", "kind": "Eviction",
                    "metadata": {"name": objects::text(&pod, "name"), "namespace": "default"},
                });
                self.server
                    .perform("POST", &format!("{path}/eviction"), &eviction)
            }
            End::LabelStolen => {
                let labels = json!({"metadata": {"labels": {"app": "stolen"}}});
                self.server.perform("PATCH", &path, &labels)
            }
            End::Disowned => {
                let owners = json!({"metadata": {"ownerReferences": null}});
                self.server.perform("PATCH", &path, &owners)
            }
        };
        done.is_ok()
    }

    /// Posts a second pod of the first DaemonSet to a node, as a controller.
    pub(super) async fn plant(&mut self, node: u32) -> bool {
        let (uid, name) = (self.uid(0), format!("n{}", self.node(node)));
        let pod = self
            .server
            .read(|store| objects::live_pod(store, &uid, &name));
        let Some(pod) = pod else { return false };
        let mut twin = json!({
            "metadata": {"name": format!("planted-{}", self.server.requests_so_far())},
            "spec": pod["spec"],
        });
        for field in ["namespace", "labels", "ownerReferences"] {
            twin["metadata"][field] = pod["metadata"][field].clone();
        }
        let request = Request::new(PODS.path("default"));
        let request = request.create(&kube::api::PostParams::default(), twin.to_string().into());
        let request = request.expect("a request");
        let client = self.server.client(NAMES[0]);
        client.request_text(request).await.is_ok()
    }
}
