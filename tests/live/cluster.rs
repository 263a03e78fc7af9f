//! The part of a `Lab` that tests use and the benchmark does not.

use std::time::Duration;

use daemonset_controller::sim::kubelets::{KubeletOptions, Kubelets};
use k8s_openapi::api::apps::v1::{ControllerRevision, DaemonSetStatus};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::ListParams;

use crate::control_plane::{ControlPlane, Options};
use crate::controller::built_in;
pub use crate::harness::lab::{LAB, Lab, same};

/// How long a test waits for what should take a moment, on a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

impl Lab {
    /// The DaemonSet's status. An error where it is of an earlier generation: the counts of a
    /// rollout that is over look like those of one that has not begun.
    pub async fn status(&self, name: &str) -> Result<DaemonSetStatus, String> {
        let set = self.get(name).await;
        let status = set.status.unwrap_or_default();
        if status.observed_generation == set.metadata.generation {
            return Ok(status);
        }
        Err(format!(
            "the status is of generation {:?}, not {:?}",
            status.observed_generation, set.metadata.generation
        ))
    }

    /// A part of the shared control plane; `name` must be the test's own. (One of its own for the
    /// built-in controller, which cannot be kept to a namespace.)
    pub async fn shared(name: &str) -> Self {
        if built_in() {
            return Self::alone(name).await;
        }
        let lab = Self::on(ControlPlane::shared().await, name, name, false).await;
        lab.plane
            .kubectl(&["create", "namespace", name])
            .await
            .expect_ok("create namespace");
        lab
    }

    /// A control plane of its own.
    pub async fn alone(name: &str) -> Self {
        Self::alone_with(name, Options::default()).await
    }

    /// A control plane of its own, of which it uses the namespace `default`.
    pub async fn alone_in_default(name: &str) -> Self {
        Self::on(
            ControlPlane::start(name, Options::default()).await,
            name,
            "default",
            true,
        )
        .await
    }

    /// A control plane of its own, whose nodes are lost after some seconds of silence.
    pub async fn with_node_lifecycle(name: &str) -> Self {
        let plane = ControlPlane::start(
            name,
            Options {
                node_lifecycle: true,
                ..Options::default()
            },
        )
        .await;
        let mut lab = Self::on(plane, name, "default", true).await;
        let mut options = KubeletOptions::new(name);
        options.heartbeat = Some(Duration::from_secs(1));
        lab.kubelets = Kubelets::start(lab.plane.client("kubelets").await, options);
        lab
    }

    /// Applies a manifest in this test's namespace.
    pub async fn apply(&self, manifest: &str) {
        let args = ["-n", &self.namespace, "apply", "-f", "-"];
        self.plane
            .kubectl_in(&args, manifest)
            .await
            .expect_ok("apply");
    }

    /// All ControllerRevisions here, by revision number.
    pub async fn revisions(&self) -> Vec<ControllerRevision> {
        let api: Api<ControllerRevision> = Api::namespaced(self.api.clone(), &self.namespace);
        let mut all = api
            .list(&ListParams::default())
            .await
            .expect("revisions can be listed")
            .items;
        all.sort_by_key(|revision| revision.revision);
        all
    }

    /// All events here with this reason.
    pub async fn events(&self, reason: &str) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.api.clone(), &self.namespace);
        let params = ListParams::default().fields(&format!("reason={reason}"));
        api.list(&params).await.expect("events can be listed").items
    }
}

/// The name of a pod.
pub fn name_of(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// The node a pod is on or pinned to.
pub fn node_of(pod: &Pod) -> String {
    let spec = serde_json::to_value(&pod.spec).expect("a pod's spec is JSON");
    crate::referee::target(&spec).unwrap_or_default()
}

/// The UID of a pod's controller.
pub fn controller_of(pod: &Pod) -> Option<&str> {
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    owners
        .iter()
        .find(|owner| owner.controller == Some(true))
        .map(|owner| owner.uid.as_str())
}
