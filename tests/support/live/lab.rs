//! One test's part of a cluster: a namespace, nodes that only its DaemonSets select, kubelets that
//! serve them. It waits for a state, and shows the state when the wait is in vain.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use daemonset_controller::sim::kubelets::{KubeletOptions, Kubelets, NodeSpec};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::control_plane::{Answer, ControlPlane, Options};

/// The label that ties nodes to a test.
pub const LAB: &str = "live.test/lab";
/// One test's part of a cluster.
pub struct Lab {
    /// The control plane, shared with other tests or not.
    pub plane: Arc<ControlPlane>,
    /// The namespace, named after the test.
    pub namespace: String,
    /// Whether no other test uses the control plane.
    pub alone: bool,
    /// A client with all rights.
    pub api: kube::Client,
    /// The kubelets of this test's nodes.
    pub kubelets: Kubelets,
}

impl Lab {
    /// A control plane of its own that differs from the usual one.
    pub async fn alone_with(name: &str, options: Options) -> Self {
        let lab = Self::on(ControlPlane::start(name, options).await, name, name, true).await;
        lab.plane
            .kubectl(&["create", "namespace", name])
            .await
            .expect_ok("create namespace");
        lab
    }

    /// The namespace `namespace` of this control plane, with the nodes of the group `group`.
    pub async fn on(plane: Arc<ControlPlane>, group: &str, namespace: &str, alone: bool) -> Self {
        let api = plane.client("admin").await;
        let mut options = KubeletOptions::new(group);
        options.namespace = Some(namespace.to_owned());
        let kubelets = Kubelets::start(plane.client("kubelets").await, options);
        Self {
            plane,
            namespace: namespace.to_owned(),
            alone,
            api,
            kubelets,
        }
    }

    /// A node of this test, to be changed before it is registered.
    pub fn node(&self, number: usize) -> NodeSpec {
        NodeSpec::new(self.node_name(number)).label(LAB, &self.namespace)
    }

    /// The name of this test's node of that number.
    pub fn node_name(&self, number: usize) -> String {
        format!("{}-{number:04}", self.namespace)
    }

    /// Registers plain nodes of these numbers.
    pub async fn add_nodes(&mut self, numbers: std::ops::RangeInclusive<usize>) {
        let nodes: Vec<NodeSpec> = numbers.map(|number| self.node(number)).collect();
        self.register(nodes).await;
    }

    /// Registers nodes.
    pub async fn register(&mut self, nodes: Vec<NodeSpec>) {
        self.kubelets
            .register(nodes)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    }

    /// A DaemonSet for this test's nodes, to be changed before it is created.
    pub fn daemon_set(&self, name: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": { "name": name, "namespace": self.namespace, "labels": { "app": name } },
            "spec": {
                "selector": { "matchLabels": { "app": name } },
                "template": {
                    "metadata": { "labels": { "app": name } },
                    "spec": {
                        "nodeSelector": { LAB: self.namespace },
                        "containers": [{ "name": "c", "image": "registry.example/agent:1" }],
                    },
                },
            },
        })
    }

    /// Creates it.
    pub async fn create(&self, daemon_set: &Value) -> DaemonSet {
        let object = serde_json::from_value(daemon_set.clone()).expect("a DaemonSet");
        let created = self
            .daemon_sets()
            .create(&PostParams::default(), &object)
            .await;
        created.unwrap_or_else(|error| {
            panic!("cannot create {}: {error}", daemon_set["metadata"]["name"])
        })
    }

    /// Runs kubectl in this test's namespace.
    pub async fn kubectl(&self, args: &[&str]) -> Answer {
        self.plane
            .kubectl(&[&["-n", &self.namespace], args].concat())
            .await
    }

    /// Runs kubectl in this test's namespace; panics when it fails.
    pub async fn kubectl_ok(&self, args: &[&str]) -> String {
        self.kubectl(args).await.expect_ok(&args.join(" "))
    }

    /// The DaemonSets here.
    pub fn daemon_sets(&self) -> Api<DaemonSet> {
        Api::namespaced(self.api.clone(), &self.namespace)
    }

    /// The pods here.
    pub fn pod_api(&self) -> Api<Pod> {
        Api::namespaced(self.api.clone(), &self.namespace)
    }

    /// The nodes, this test's and others'.
    pub fn node_api(&self) -> Api<Node> {
        Api::all(self.api.clone())
    }

    /// A DaemonSet as it is now.
    pub async fn get(&self, name: &str) -> DaemonSet {
        let got = self.daemon_sets().get(name).await;
        got.unwrap_or_else(|error| {
            panic!("cannot read DaemonSet {}/{name}: {error}", self.namespace)
        })
    }

    /// All pods here, by name, as decisions see them: without those that have ended on their way
    /// out, which their kubelets delete a moment later.
    pub async fn pods(&self) -> Vec<Pod> {
        let mut pods = self
            .pod_api()
            .list(&ListParams::default())
            .await
            .expect("pods can be listed")
            .items;
        pods.retain(|pod| {
            let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref());
            let has_ended = matches!(phase, Some("Succeeded" | "Failed"));
            !(has_ended && pod.metadata.deletion_timestamp.is_some())
        });
        pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        pods
    }

    /// Merges `patch` into the DaemonSet.
    pub async fn patch(&self, name: &str, patch: &Value) -> DaemonSet {
        let patched = self
            .daemon_sets()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        patched.unwrap_or_else(|error| panic!("cannot patch DaemonSet {name}: {error}"))
    }

    /// Merges `patch` into the node.
    pub async fn patch_node(&self, name: &str, patch: &Value) -> Node {
        let patched = self
            .node_api()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        patched.unwrap_or_else(|error| panic!("cannot patch node {name}: {error}"))
    }

    /// Asks again and again until `check` answers `Ok`; after `limit` shows the state here and
    /// panics with what `check` said last.
    pub async fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut check: impl AsyncFnMut() -> Result<T, String>,
    ) -> T {
        let deadline = Instant::now() + limit;
        loop {
            let error = match check().await {
                Ok(answer) => return answer,
                Err(error) => error,
            };
            if Instant::now() > deadline {
                eprintln!("{}", self.state().await);
                panic!("not within {limit:?}: {what}; last seen: {error}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the DaemonSet's status says that exactly `wanted` nodes are covered by ready,
    /// available pods of the current revision, and gives the DaemonSet.
    pub async fn until_covered(&self, name: &str, wanted: i32, limit: Duration) -> DaemonSet {
        self.until(
            &format!("{name} covers {wanted} nodes"),
            limit,
            async || {
                let set = self
                    .daemon_sets()
                    .get(name)
                    .await
                    .map_err(|error| error.to_string())?;
                let status = set.status.clone().unwrap_or_default();
                let counts = [
                    status.desired_number_scheduled,
                    status.current_number_scheduled,
                    status.number_ready,
                    status.number_available.unwrap_or(0),
                    status.updated_number_scheduled.unwrap_or(0),
                ];
                let current = status.observed_generation == set.metadata.generation;
                let covered = current && counts == [wanted; 5] && status.number_misscheduled == 0;
                same(covered, true)
                    .map_err(|_| format!("{status:?}"))
                    .map(|()| set)
            },
        )
        .await
    }

    /// Waits until there are exactly `wanted` pods here that are not being deleted, and gives all
    /// pods.
    pub async fn until_pods(&self, wanted: usize, limit: Duration) -> Vec<Pod> {
        self.until(&format!("{wanted} pods"), limit, async || {
            let pods = self.pods().await;
            let staying = pods
                .iter()
                .filter(|pod| pod.metadata.deletion_timestamp.is_none())
                .count();
            same(staying, wanted).map(|()| pods)
        })
        .await
    }

    /// The objects of this namespace as kubectl shows them.
    pub async fn state(&self) -> String {
        let mut text = format!("=== namespace {}\n", self.namespace);
        for args in [
            &["get", "daemonsets,controllerrevisions,pods", "-o", "wide"][..],
            &[
                "get",
                "daemonsets",
                "-o",
                "jsonpath={range .items[*]}{.metadata.name}: {.status}{'\\n'}{end}",
            ],
            &["get", "events", "--sort-by=.lastTimestamp"],
        ] {
            let answer = self.kubectl(args).await;
            let lines: Vec<&str> = answer.stdout.lines().chain(answer.stderr.lines()).collect();
            let shown = lines.len().min(60);
            text += &format!(
                "{}\n({} lines in all)\n",
                lines[..shown].join("\n"),
                lines.len()
            );
        }
        text
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.plane.logs(15));
        }
    }
}

/// `Ok` when both are the same, else an error that shows them.
pub fn same<T: PartialEq + Debug>(seen: T, wanted: T) -> Result<(), String> {
    if seen == wanted {
        Ok(())
    } else {
        Err(format!("{seen:?}, wanted {wanted:?}"))
    }
}
