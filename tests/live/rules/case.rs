//! A controller under a role of its own, and the traces of its work.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::role::{granted, role, without};
use crate::cluster::{Lab, SOON, controller_of, same};
use crate::controller::Controller;
use crate::webhook::Webhook;

/// A controller under a role of its own.
pub struct Case {
    pub lab: Lab,
    pub user: String,
    pub controller: Option<Controller>,
    pub webhook: Option<Webhook>,
    /// A pod or revision that somebody deletes: name and UID.
    pub gone: (String, String),
    /// The highest revision before the last step.
    pub number: i64,
}

impl Case {
    /// A namespace with three nodes and a DaemonSet, and a user who may do all that the role grants
    /// but for `left_out`. No controller runs yet.
    pub async fn new(number: usize, left_out: Option<&str>) -> Self {
        let user = format!("rules-{number}");
        let mut lab = Lab::shared(&user).await;
        lab.add_nodes(1..=3).await;
        let all = role(&lab).await;
        let rules = left_out.map_or_else(|| all.clone(), |verb| without(&all, verb));
        assert_eq!(
            granted(&rules).len() + usize::from(left_out.is_some()),
            granted(&all).len(),
            "{left_out:?} is left out"
        );
        let manifest = json!({ "apiVersion": "v1", "kind": "List", "items": [
            { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": user },
              "rules": rules },
            { "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": user },
              "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user },
              "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }] },
        ]});
        lab.apply(&manifest.to_string()).await;
        // The API server learns of roles by watches of its own.
        let resource = if left_out == Some("list nodes") {
            "pods"
        } else {
            "nodes"
        };
        let may = ["auth", "can-i", "list", resource, "--as", &user];
        lab.until("the role is in force", SOON, async || {
            same(lab.kubectl(&may).await.ok, true)
        })
        .await;
        let mut set = lab.daemon_set("agent");
        set["spec"]["revisionHistoryLimit"] = json!(1);
        set["spec"]["updateStrategy"] =
            json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": "100%" } });
        set["spec"]["template"]["spec"]["containers"][0]["resources"] =
            json!({ "requests": { "cpu": "10m" } });
        lab.create(&set).await;
        Self {
            lab,
            user,
            controller: None,
            webhook: None,
            gone: Default::default(),
            number: 0,
        }
    }

    pub async fn agents(&self) -> Vec<Pod> {
        self.pods_of("agent").await
    }

    pub async fn pods_of(&self, app: &str) -> Vec<Pod> {
        let mut pods = self.lab.pods().await;
        let of = |pod: &Pod| pod.metadata.labels.as_ref()?.get("app").cloned();
        pods.retain(|pod| of(pod).as_deref() == Some(app) && controller_of(pod).is_some());
        pods
    }

    /// Names, UIDs and numbers of the revisions of `agent`, the newest last.
    pub async fn revisions(&self) -> Vec<(String, String, i64)> {
        let mut all = self.lab.revisions().await;
        all.retain(|r| {
            let labels = r.metadata.labels.clone().unwrap_or_default();
            labels.get("app").is_some_and(|app| app == "agent")
        });
        all.into_iter()
            .map(|r| {
                let (name, uid) = (r.metadata.name, r.metadata.uid);
                (
                    name.unwrap_or_default(),
                    uid.unwrap_or_default(),
                    r.revision.unwrap_or_default(),
                )
            })
            .collect()
    }

    pub async fn template(&mut self, version: &str) {
        let all = self.revisions().await;
        self.number = all.last().map_or(0, |(_, _, number)| *number);
        let annotation = json!({ "live.test/version": version });
        let patch =
            json!({ "spec": { "template": { "metadata": { "annotations": annotation } } } });
        self.lab.patch("agent", &patch).await;
    }

    /// The codes with which the API server answered this verb, so far.
    pub fn answers(&self, verb: &str) -> Vec<u16> {
        let entries = self.lab.plane.audit(&self.user);
        let of = entries.iter().filter(|entry| entry.kind() == verb);
        of.map(|entry| entry.response_status.code).collect()
    }

    /// The requests that were denied.
    pub fn denied(&self) -> BTreeSet<String> {
        let entries = self.lab.plane.audit(&self.user);
        let of = entries.iter().filter(|e| e.response_status.code == 403);
        of.map(|entry| entry.kind()).collect()
    }

    /// How often all objects of the resource were listed, pages after the first not counted.
    pub fn lists(&self, verb: &str) -> usize {
        let list = verb.replace("watch ", "list ");
        let entries = self.lab.plane.audit(&self.user);
        let whole = |uri: &str| !uri.contains("Selector=") && !uri.contains("continue=");
        let of = entries.iter().filter(|e| e.kind() == list);
        of.filter(|e| whole(&e.request_uri)).count()
    }
}
