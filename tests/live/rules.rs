//! The role is as small as it can be: every verb of every resource in `deploy/rbac.yaml` is used, and without any one
//! of them the API server denies just that, and what depends on it does not happen.
//! `lease_rules.rs` does the same for the Lease's role.

use std::collections::BTreeSet;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::cluster::{Lab, SOON, controller_of, name_of, node_of, same};
use crate::controller::{Controller, Launch, built_in};
use crate::webhook::Webhook;

/// What is done to the cluster, and what the controller is to make of it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// The controller starts: the DaemonSet gets its pods.
    Start,
    /// Its status is written.
    Status,
    /// An event says that a pod was created.
    Event,
    /// A node joins: it gets a pod.
    NodeJoins,
    /// Somebody deletes a pod: it comes back.
    PodGoes,
    /// It is told once more, so the event is counted, not written anew.
    SameEvent,
    /// A pod of the same labels that nobody controls is adopted.
    Orphan,
    /// Another DaemonSet appears: it gets pods.
    SecondSet,
    /// A pod and a revision are created by somebody else, right before the controller does: it reads who has the name.
    Raced,
    /// The template changes: all pods are replaced.
    NewTemplate,
    /// The template becomes what it was: its revision gets the highest number.
    Rollback,
    /// One template more than the history may hold: the oldest revision goes.
    History,
    /// Somebody deletes the current revision: it comes back.
    RevisionGoes,
}

/// Each verb and resource, the step that needs it, and what has to happen before that step besides the start.
const NEEDED: &[(&str, Step, &[Step])] = &[
    ("list daemonsets", Step::Start, &[]),
    ("list nodes", Step::Start, &[]),
    ("list controllerrevisions", Step::Start, &[]),
    ("list pods", Step::Start, &[]),
    ("create controllerrevisions", Step::Start, &[]),
    ("create pods", Step::Start, &[]),
    ("patch daemonsets/status", Step::Status, &[]),
    ("create events", Step::Event, &[]),
    ("watch nodes", Step::NodeJoins, &[]),
    ("watch pods", Step::PodGoes, &[]),
    ("patch events", Step::SameEvent, &[Step::PodGoes]),
    ("get daemonsets", Step::Orphan, &[]),
    ("patch pods", Step::Orphan, &[]),
    ("watch daemonsets", Step::SecondSet, &[]),
    ("get controllerrevisions", Step::Raced, &[]),
    ("get pods", Step::Raced, &[]),
    ("delete pods", Step::NewTemplate, &[]),
    (
        "patch controllerrevisions",
        Step::Rollback,
        &[Step::NewTemplate],
    ),
    (
        "delete controllerrevisions",
        Step::History,
        &[Step::NewTemplate],
    ),
    ("watch controllerrevisions", Step::RevisionGoes, &[]),
];

/// Everything in an order in which each step finds what it needs.
const ALL: &[Step] = &[
    Step::Start,
    Step::Status,
    Step::Event,
    Step::NodeJoins,
    Step::PodGoes,
    Step::SameEvent,
    Step::Orphan,
    Step::SecondSet,
    Step::Raced,
    Step::NewTemplate,
    Step::Rollback,
    Step::History,
    Step::RevisionGoes,
];

/// A controller under a role of its own.
struct Case {
    lab: Lab,
    user: String,
    controller: Option<Controller>,
    webhook: Option<Webhook>,
    /// A pod or revision that somebody deletes: name and UID.
    gone: (String, String),
    /// The highest revision before the last step.
    number: i64,
}

/// The verbs of a role with their resources: `get pods`.
fn granted(rules: &[PolicyRule]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for rule in rules {
        for resource in rule.resources.iter().flatten() {
            all.extend(rule.verbs.iter().map(|verb| format!("{verb} {resource}")));
        }
    }
    all
}

/// The same without one of them.
fn without(rules: &[PolicyRule], left_out: &str) -> Vec<PolicyRule> {
    let mut kept = Vec::new();
    for rule in rules {
        for resource in rule.resources.iter().flatten() {
            let verbs = rule.verbs.iter();
            kept.push(PolicyRule {
                resources: Some(vec![resource.clone()]),
                verbs: verbs
                    .filter(|verb| format!("{verb} {resource}") != left_out)
                    .cloned()
                    .collect(),
                ..rule.clone()
            });
        }
    }
    kept.retain(|rule| !rule.verbs.is_empty());
    kept
}

/// The role that people are given.
async fn role(lab: &Lab) -> Vec<PolicyRule> {
    let roles: Api<ClusterRole> = Api::all(lab.api.clone());
    let role = roles.get("daemonset-controller").await;
    let rules = role.expect("deploy/rbac.yaml was applied").rules;
    rules.expect("the role has rules")
}

impl Case {
    /// A namespace with three nodes and a DaemonSet, and a user who may do all that the role grants but for
    /// `left_out`. No controller runs yet.
    async fn new(number: usize, left_out: Option<&str>) -> Self {
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

    async fn agents(&self) -> Vec<Pod> {
        self.pods_of("agent").await
    }

    async fn pods_of(&self, app: &str) -> Vec<Pod> {
        let mut pods = self.lab.pods().await;
        let of = |pod: &Pod| pod.metadata.labels.as_ref()?.get("app").cloned();
        pods.retain(|pod| of(pod).as_deref() == Some(app) && controller_of(pod).is_some());
        pods
    }

    /// Names, UIDs and numbers of the revisions of `agent`, the newest last.
    async fn revisions(&self) -> Vec<(String, String, i64)> {
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

    async fn template(&mut self, version: &str) {
        let all = self.revisions().await;
        self.number = all.last().map_or(0, |(_, _, number)| *number);
        let annotation = json!({ "live.test/version": version });
        let patch =
            json!({ "spec": { "template": { "metadata": { "annotations": annotation } } } });
        self.lab.patch("agent", &patch).await;
    }

    /// Does to the cluster what the step is about.
    async fn act(&mut self, step: Step) {
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
                let deleted = self
                    .lab
                    .pod_api()
                    .delete(name_of(&pod), &DeleteParams::default())
                    .await;
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
            Step::Raced => self.race().await,
            Step::NewTemplate => self.template("b").await,
            Step::Rollback => {
                let patch =
                    json!({ "spec": { "template": { "metadata": { "annotations": null } } } });
                self.template("b").await; // as it is: only the highest number is taken down
                self.lab.patch("agent", &patch).await;
            }
            Step::History => self.template("c").await,
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

    /// Whether the controller has made of it what it should; `verb` is the one that the step is about.
    async fn done(&self, step: Step, verb: &str) -> Result<(), String> {
        match step {
            Step::Start => same(self.agents().await.len(), 3),
            Step::Status => {
                let status = self.lab.get("agent").await.status.unwrap_or_default();
                same(status.desired_number_scheduled, 3)
            }
            Step::Event => same(self.lab.events("SuccessfulCreate").await.is_empty(), false),
            Step::NodeJoins => {
                let nodes: Vec<String> = self.agents().await.iter().map(node_of).collect();
                same(nodes.contains(&self.lab.node_name(4)), true)
            }
            Step::PodGoes => {
                let pods = self.agents().await;
                let back = pods.iter().find(|pod| name_of(pod) == self.gone.0);
                let uid = back.and_then(|pod| pod.metadata.uid.as_deref());
                same(uid.is_some_and(|uid| uid != self.gone.1), true)
            }
            Step::SameEvent => {
                let told = format!("Created pod: {}", self.gone.0);
                let events = self.lab.events("SuccessfulCreate").await;
                let event = events
                    .iter()
                    .find(|e| e.message.as_deref() == Some(told.as_str()));
                same(event.and_then(|e| e.count), Some(2))
            }
            // It is of no revision, so the next thing is that the update replaces it: what it does to its own alone.
            Step::Orphan => match self.lab.pod_api().get_opt("orphan").await {
                Ok(None) => Ok(()),
                Ok(Some(orphan)) => same(controller_of(&orphan).is_some(), true),
                Err(error) => Err(error.to_string()),
            },
            Step::SecondSet => same(self.pods_of("second").await.len() >= 3, true),
            // Who has the name was read, and let in.
            Step::Raced => {
                let read = self.answers(verb).iter().any(|code| *code < 300);
                same(read, true)
            }
            Step::NewTemplate => {
                let pods = self.agents().await;
                let old = pods.iter().filter(|pod| {
                    let annotations = pod.metadata.annotations.clone().unwrap_or_default();
                    annotations.get("live.test/version").map(String::as_str) != Some("b")
                });
                same((pods.is_empty(), old.count()), (false, 0))
            }
            Step::Rollback => {
                let highest = self.revisions().await.last().map(|(_, _, number)| *number);
                same(highest, Some(self.number + 1))
            }
            Step::History => {
                let all = self.revisions().await;
                let highest = all.last().map(|(_, _, number)| *number);
                same((all.len(), highest), (2, Some(self.number + 1)))
            }
            Step::RevisionGoes => {
                let all = self.revisions().await;
                let back = all
                    .iter()
                    .any(|(name, uid, _)| *name == self.gone.0 && *uid != self.gone.1);
                same(back, true)
            }
        }
    }

    async fn until_done(&self, step: Step, verb: &str) {
        let what = format!("{}: {step:?}", self.user);
        self.lab
            .until(&what, 2 * SOON, async || self.done(step, verb).await)
            .await;
    }

    /// The codes with which the API server answered this verb, so far.
    fn answers(&self, verb: &str) -> Vec<u16> {
        let entries = self.lab.plane.audit(&self.user);
        let of = entries.iter().filter(|entry| entry.kind() == verb);
        of.map(|entry| entry.response_status.code).collect()
    }

    /// What was asked for and denied.
    fn denied(&self) -> BTreeSet<String> {
        let entries = self.lab.plane.audit(&self.user);
        let of = entries.iter().filter(|e| e.response_status.code == 403);
        of.map(|entry| entry.kind()).collect()
    }

    /// How often all objects of the resource were listed, pages after the first not counted.
    fn lists(&self, verb: &str) -> usize {
        let list = verb.replace("watch ", "list ");
        let entries = self.lab.plane.audit(&self.user);
        let whole = |uri: &str| !uri.contains("Selector=") && !uri.contains("continue=");
        let of = entries.iter().filter(|e| e.kind() == list);
        of.filter(|e| whole(&e.request_uri)).count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_of_the_role_is_used_and_no_other_is_missed() {
    if built_in() {
        return; // it has a role of its own
    }
    let mut case = Case::new(0, None).await;
    let all = granted(&role(&case.lab).await);
    let listed: BTreeSet<String> = NEEDED.iter().map(|(verb, ..)| (*verb).to_owned()).collect();
    assert_eq!(all, listed, "left: deploy/rbac.yaml, right: this file");
    for step in ALL {
        case.act(*step).await;
        for (verb, ..) in NEEDED.iter().filter(|(_, needs, _)| needs == step) {
            case.until_done(*step, verb).await;
        }
    }
    // A watch is in the log when it ends.
    let mut controller = case.controller.take().expect("it was started");
    controller.terminate(SOON).await.expect("it stops");
    case.lab
        .until("all verbs are in the audit log", SOON, async || {
            let entries = case.lab.plane.audit(&case.user);
            let used: BTreeSet<String> = entries.iter().map(|entry| entry.kind()).collect();
            same(used, all.clone())
        })
        .await;
    assert_eq!(case.denied(), BTreeSet::new(), "it asked for more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_one_verb_just_that_is_denied_and_what_needs_it_does_not_happen() {
    if built_in() {
        return;
    }
    let cases = NEEDED.iter().enumerate().map(|(number, needed)| {
        let (verb, step, before) = *needed;
        async move { left_out(number + 1, verb, step, before).await }
    });
    // Some at a time: each has a controller and kubelets of its own.
    let mut cases = futures::stream::iter(cases).buffer_unordered(5);
    while cases.next().await.is_some() {}
}

/// A controller that may do all but `verb`, brought to where `step` needs it.
async fn left_out(number: usize, verb: &str, step: Step, before: &[Step]) {
    let mut case = Case::new(number, Some(verb)).await;
    if step != Step::Start {
        case.act(Step::Start).await;
        case.until_done(Step::Start, verb).await;
    }
    for earlier in before {
        case.act(*earlier).await;
        case.until_done(*earlier, verb).await;
    }
    case.act(step).await;
    case.lab
        .until(&format!("{verb} is denied"), SOON, async || {
            same(case.answers(verb).contains(&403), true)
        })
        .await;
    if verb.starts_with("watch ") {
        // After some refused watches it lists again, so that a cluster is served even so: late, and at a price.
        case.until_done(step, verb).await;
        assert!(
            case.lists(verb) > 1,
            "{verb} is left out, and it was noticed without listing again"
        );
    } else {
        let done = case.done(step, verb).await;
        assert!(done.is_err(), "{verb} is left out, and {step:?} went well");
    }
    assert_eq!(case.denied(), BTreeSet::from([verb.to_owned()]));
    let mut controller = case.controller.take().expect("it was started");
    controller.expect_running();
}
