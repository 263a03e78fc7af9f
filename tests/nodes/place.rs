//! One test's part of the cluster: a namespace of its own, with the controller that it wants.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use crate::agent::AGENT;
use crate::cluster::{Cluster, NODES};
use crate::harness::lab::{Lab, same};
use crate::installation::Way;
use crate::referee::Referee;

/// How long a test waits for what takes some seconds on an idle machine.
pub const SOON: Duration = Duration::from_secs(90);

/// A test's part of the cluster.
pub struct Place {
    pub cluster: &'static Cluster,
    lab: Lab,
}

impl Deref for Place {
    type Target = Lab;

    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Place {
    /// The namespace of this name, in a cluster whose DaemonSet controller is the one wanted.
    pub async fn new(name: &str, way: Way) -> Self {
        let cluster = Cluster::shared().await;
        cluster.install(way).await;
        let lab = Lab::on(cluster.plane.clone(), name, name, false).await;
        let place = Self { cluster, lab };
        cluster.kubectl(&["create", "namespace", name]).await;
        place
    }

    /// Creates the DaemonSet and waits until its pods are available on all nodes.
    pub async fn cover(&self, daemon_set: &Value) {
        self.create(daemon_set).await;
        self.until_all_available().await;
    }

    /// Waits until all nodes have an available pod of the current revision.
    pub async fn until_all_available(&self) {
        self.until_covered(AGENT, NODES as i32, SOON).await;
    }

    /// Applies a JSON patch to the DaemonSet.
    pub async fn change(&self, patch: &Value) {
        let patch = patch.to_string();
        self.kubectl_ok(&["patch", "daemonset", AGENT, "--type=json", "-p", &patch])
            .await;
    }

    /// Sets keys of the DaemonSet under `daemonset-controller.io/`, `KEY=VALUE` or `KEY-`.
    pub async fn annotate(&self, keys: &[&str]) {
        let keys: Vec<String> = keys
            .iter()
            .map(|key| format!("daemonset-controller.io/{key}"))
            .collect();
        let mut args = vec!["annotate", "daemonset", AGENT, "--overwrite"];
        args.extend(keys.iter().map(String::as_str));
        self.kubectl_ok(&args).await;
    }

    /// What `explain` says of the DaemonSet, with an administrator's rights.
    pub async fn explain(&self) -> String {
        let name = format!("{}/{AGENT}", self.namespace);
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_daemonset-controller"))
            .args(["explain", &name, "--kubeconfig"])
            .arg(self.plane.kubeconfig("admin"))
            .output()
            .await
            .expect("explain can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// A referee of this namespace, at work from now on.
    pub async fn referee(&self) -> Referee {
        Referee::start(self.api.clone(), &self.namespace).await
    }

    /// Waits until the status, of the present generation, is so.
    pub async fn until_status(
        &self,
        what: &str,
        is_so: impl Fn(&k8s_openapi::api::apps::v1::DaemonSetStatus) -> bool,
    ) {
        self.until(what, SOON, async || {
            let set = self.get(AGENT).await;
            let is_read =
                set.status.as_ref().and_then(|s| s.observed_generation) == set.metadata.generation;
            let status = set.status.unwrap_or_default();
            if is_read && is_so(&status) {
                return Ok(());
            }
            Err(format!("{status:?}"))
        })
        .await;
    }

    /// Waits until the condition `Progressing` has this reason.
    pub async fn until_progressing(&self, reason: &str) {
        self.until_status(&format!("Progressing {reason}"), |status| {
            let conditions = status.conditions.as_deref().unwrap_or_default();
            conditions.iter().any(|condition| {
                condition.type_.as_deref() == Some("Progressing")
                    && condition.reason.as_deref() == Some(reason)
            })
        })
        .await;
    }

    /// The pods of the DaemonSet that are neither ended nor on their way out, by node.
    pub async fn by_node(&self) -> BTreeMap<String, Pod> {
        let pods = self.pods().await.into_iter();
        pods.filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter_map(|pod| {
                let node = pod.spec.as_ref()?.node_name.clone()?;
                Some((node, pod))
            })
            .collect()
    }

    /// The pod's UID on each node.
    pub async fn uids(&self) -> BTreeMap<String, String> {
        let pods = self.by_node().await.into_iter();
        pods.map(|(node, pod)| (node, pod.metadata.uid.unwrap_or_default()))
            .collect()
    }

    /// Waits until a container of a pod waits for one of these reasons, and gives the pod's node.
    pub async fn until_waiting(&self, reasons: &[&str]) -> String {
        self.until(&format!("a pod waits: {reasons:?}"), SOON, async || {
            let pods = self.by_node().await;
            let seen: Vec<(String, String)> = pods
                .into_iter()
                .filter_map(|(node, pod)| {
                    let containers = pod.status?.container_statuses?;
                    let waiting = containers.into_iter().find_map(|c| c.state?.waiting)?;
                    Some((node, waiting.reason.unwrap_or_default()))
                })
                .collect();
            let found = seen
                .iter()
                .find(|(_, reason)| reasons.contains(&reason.as_str()));
            found
                .map(|(node, _)| node.clone())
                .ok_or_else(|| format!("{seen:?}"))
        })
        .await
    }

    /// Ends the test: the referee has seen nothing wrong in at least so many versions, and the
    /// DaemonSet goes, so that the next test finds idle nodes.
    pub async fn end(self, referee: Referee, versions: usize) {
        referee.finish().await.expect_clean(versions);
        self.leave().await;
    }

    /// Takes the DaemonSet away.
    pub async fn leave(self) {
        self.kubectl_ok(&["delete", "daemonset", AGENT, "--ignore-not-found"])
            .await;
        self.until("no pods of the test", SOON, async || {
            let left = self.by_node().await;
            same(left.len(), 0)
        })
        .await;
    }
}
