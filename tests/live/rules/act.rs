//! The change that each step makes to the cluster.

use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use super::Step;
use super::case::Case;
use crate::cluster::{LAB, SOON, name_of, same};
use crate::controller::Launch;
use crate::webhook::Webhook;

impl Case {
    /// Does to the cluster what the step is about.
    pub async fn act(&mut self, step: Step) {
        match step {
            Step::Start => {
                self.controller = Some(Launch::new(&self.lab).user(&self.user).start());
            }
            Step::Status | Step::Event | Step::SameEvent => {} // of what happened before
            Step::NodeJoins => self.lab.add_nodes(4..=4).await,
            Step::PodGoes => {
                let pod = self.agents().await.remove(0);
                let uid = pod.metadata.uid.clone().unwrap_or_default();
                self.gone = (name_of(&pod).to_owned(), uid);
                // Without its kubelet: the next one has its name, and the same event.
                let now = DeleteParams::default().grace_period(0);
                let deleted = self.lab.pod_api().delete(name_of(&pod), &now).await;
                deleted.expect("admin may delete pods");
            }
            Step::Orphan => {
                // On a node where the DaemonSet would make none, and keeps what runs.
                let full = self.lab.node(9).taint("live.test/full", "", "NoSchedule");
                self.lab.register(vec![full]).await;
                let node = self.lab.node_name(9);
                let pod = json!({
                    "metadata": { "name": "orphan", "labels": { "app": "agent" } },
                    "spec": { "nodeName": node, "containers": [{ "name": "c", "image": "registry.example/agent:1" }],
                              "tolerations": [{ "operator": "Exists" }] },
                });
                let pod = serde_json::from_value(pod).expect("a pod");
                let created = self
                    .lab
                    .pod_api()
                    .create(&PostParams::default(), &pod)
                    .await;
                created.expect("admin may create pods");
            }
            Step::SecondSet => {
                self.lab.create(&self.lab.daemon_set("second")).await;
            }
            Step::Resize => {
                let rules = json!([{
                    "nodes": LAB, "containers": { "c": { "requests": { "cpu": "20m" } } },
                }]);
                let key = "daemonset-controller.io/resources";
                let annotations = json!({ key: rules.to_string() });
                let patch = json!({ "metadata": { "annotations": annotations } });
                self.lab.patch("agent", &patch).await;
            }
            Step::Raced => self.race().await,
            Step::NewTemplate => self.template("b").await,
            Step::Rollback => {
                let patch =
                    json!({ "spec": { "template": { "metadata": { "annotations": null } } } });
                self.template("b").await; // as it is: only the highest number is taken down
                self.lab.patch("agent", &patch).await;
            }
            Step::History => self.template("c").await,
            Step::Evicted => {
                self.evict().await;
                self.template("d").await;
            }
            Step::Unusable => {
                self.evict().await;
                let budget = json!({
                    "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                    "metadata": { "name": "agent", "namespace": self.lab.namespace },
                    "spec": { "maxUnavailable": 1, "selector": { "matchLabels": { "app": "agent" } } },
                });
                self.lab.apply(&budget.to_string()).await;
                self.template("e").await;
            }
            Step::RevisionGoes => {
                let all = self.revisions().await;
                let (name, uid, _) = all.last().cloned().expect("there is a revision");
                self.lab
                    .kubectl_ok(&["delete", "controllerrevision", &name])
                    .await;
                self.gone = (name, uid);
            }
        }
    }

    async fn evict(&self) {
        let key = "daemonset-controller.io/replace-by=eviction";
        let annotate = ["annotate", "--overwrite", "daemonset", "agent", key];
        self.lab.kubectl_ok(&annotate).await;
    }

    /// Has a webhook create what the controller is about to, and makes a DaemonSet for it.
    async fn race(&mut self) {
        let webhook = Webhook::ahead(self.lab.plane.dir(), self.lab.api.clone()).await;
        let resource = |group: &str, resource: &str| {
            json!({ "apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE"],
                    "resources": [resource] })
        };
        let namespace = json!({ "kubernetes.io/metadata.name": self.lab.namespace });
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": self.user },
            "webhooks": [{
                "name": "ahead.live.test", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                "failurePolicy": "Fail",
                "clientConfig": { "url": webhook.url, "caBundle": webhook.authority },
                "rules": [resource("", "pods"), resource("apps", "controllerrevisions")],
                "namespaceSelector": { "matchLabels": namespace },
                "objectSelector": { "matchLabels": { "live.test/raced": "yes" } },
            }],
        });
        self.lab.apply(&configuration.to_string()).await;
        let probe = [
            "run",
            "probe",
            "--image=none",
            "--dry-run=server",
            "--labels=live.test/raced=yes",
        ];
        self.lab
            .until("the webhook is asked", SOON, async || {
                self.lab.kubectl_ok(&probe).await;
                same(webhook.calls() > 0, true)
            })
            .await;
        self.webhook = Some(webhook);
        let mut set = self.lab.daemon_set("raced");
        set["spec"]["template"]["metadata"]["labels"]["live.test/raced"] = json!("yes");
        self.lab.create(&set).await;
    }
}
