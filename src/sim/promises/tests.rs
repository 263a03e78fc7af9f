//! Each promise can be broken, and its violation is found.

mod at_rest;
mod budget;
mod conditions;
mod exclusive;
mod gates;
mod revisions;
mod standing;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use crate::sim::api::resource::{CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS};
use crate::sim::api::{Gate, Resource, path};

/// A made-up history.
#[derive(Default)]
struct Story {
    store: Store,
    log: Vec<Entry>,
    deliveries: Deliveries,
}

const POD: &str = "/api/v1/namespaces/d/pods/";

impl Story {
    /// A DaemonSet `web` with its revision, on the node `n`.
    fn new() -> Story {
        let mut story = Story::default();
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}});
        story.put(&NODES, json!({"metadata": {"name": "n"}}), None);
        story.put(
            &DAEMON_SETS,
            json!({
                "metadata": {"namespace": "d", "name": "web", "uid": "ds", "generation": 1},
                "spec": {
                    "selector": {"matchLabels": {"app": "web"}}, "template": template,
                    "updateStrategy": {"type": "OnDelete"},
                },
                "status": {
                    "observedGeneration": 1, "desiredNumberScheduled": 1, "currentNumberScheduled": 1,
                    "updatedNumberScheduled": 1, "numberReady": 1, "numberAvailable": 1,
                },
            }),
            None,
        );
        let mut data = json!({"spec": {"template": template}});
        data["spec"]["template"]["$patch"] = "replace".into();
        let labels = json!({"app": "web", "controller-revision-hash": "new"});
        story.put(
            &CONTROLLER_REVISIONS,
            json!({
                "metadata": {"namespace": "d", "name": "web-1", "labels": labels, "ownerReferences": owned("ds")},
                "data": data, "revision": 1,
            }),
            None,
        );
        story
    }

    fn now(&self) -> Duration {
        Duration::from_secs(10 * self.store.version())
    }

    /// Writes an object, by a request of this client, method and path if there is one.
    fn put(&mut self, resource: &'static Resource, object: Value, by: Option<(&str, &str, &str)>) {
        let request = self.request(by);
        self.store.put(resource, object, self.now(), request);
    }

    fn remove(&mut self, resource: &'static Resource, name: &str, by: Option<(&str, &str, &str)>) {
        let request = self.request(by);
        let namespace = if resource.namespaced { "d" } else { "" };
        let object = self.store.get(resource, namespace, name);
        let object = (**object.expect("it is there")).clone();
        self.store.remove(resource, object, self.now(), request);
    }

    fn request(&mut self, by: Option<(&str, &str, &str)>) -> usize {
        let Some((client, method, path)) = by else {
            return usize::MAX;
        };
        self.log.push(Entry {
            number: self.log.len(),
            client: Arc::from(client),
            method: method.into(),
            path: path.into(),
            query: String::new(),
            body: Bytes::new(),
            target: path::target(path).ok(),
            at: self.now(),
            ended: Some(self.now()),
            code: 200,
        });
        self.log.len() - 1
    }

    fn created(mut self, pod: Value) -> Story {
        let by = ("us", "POST", "/api/v1/namespaces/d/pods");
        self.put(&PODS, pod, Some(by));
        self
    }

    fn there(mut self, pod: Value) -> Story {
        self.put(&PODS, pod, None);
        self
    }

    fn deleted(mut self, name: &str) -> Story {
        let path = format!("{POD}{name}");
        self.remove(&PODS, name, Some(("us", "DELETE", &path)));
        self
    }

    /// Marks the pod as terminating; it stays for its grace period.
    fn deleted_gracefully(mut self, name: &str) -> Story {
        let mut pod = (**self.store.get(&PODS, "d", name).unwrap()).clone();
        pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let path = format!("{POD}{name}");
        self.put(&PODS, pod, Some(("us", "DELETE", &path)));
        self
    }

    fn patched(mut self, pod: Value) -> Story {
        let path = format!("{POD}{}", pod["metadata"]["name"].as_str().unwrap());
        self.put(&PODS, pod, Some(("us", "PATCH", &path)));
        self
    }

    fn tainted(mut self, effect: &str) -> Story {
        let taints = json!([{"key": "k", "effect": effect}]);
        self.put(
            &NODES,
            json!({"metadata": {"name": "n"}, "spec": {"taints": taints}}),
            None,
        );
        self
    }

    fn with_daemon_set(mut self, change: Value) -> Story {
        let mut daemon_set = (**self.store.get(&DAEMON_SETS, "d", "web").unwrap()).clone();
        json_patch::merge(&mut daemon_set, &change);
        self.put(&DAEMON_SETS, daemon_set, None);
        self
    }

    fn check<R>(&self, f: impl FnOnce(&Check<'_>) -> R) -> R {
        f(&Check {
            store: &self.store,
            log: &self.log,
            controllers: &["us"],
            deliveries: &self.deliveries,
            epoch: Timestamp::UNIX_EPOCH,
            settings: Settings::default(),
        })
    }

    fn history(&self) -> Vec<&'static str> {
        let found = self.check(|check| check.history());
        found.iter().map(|v| v.promise).collect()
    }

    fn settled(&self, since: Duration) -> Vec<String> {
        let found = self.check(|check| check.settled(Timestamp::UNIX_EPOCH, since));
        found.iter().map(|v| v.what.clone()).collect()
    }
}

fn owned(uid: &str) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "web", "uid": uid, "controller": true}])
}

/// A pod on the node `n`, ready, of the current revision. The later in the alphabet, the younger.
fn pod(name: &str) -> Value {
    json!({
        "metadata": {
            "namespace": "d", "name": name, "uid": name, "ownerReferences": owned("ds"),
            "labels": {"app": "web", "controller-revision-hash": "new"},
        },
        "spec": {"nodeName": "n"},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn changed(name: &str, change: Value) -> Value {
    let mut pod = pod(name);
    json_patch::merge(&mut pod, &change);
    pod
}

fn surge() -> Value {
    let rolling = json!({"maxSurge": 1, "maxUnavailable": 0});
    json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}})
}

#[test]
fn by_table() {
    let new = Story::new;
    let none: [&str; 0] = [];
    let failed = json!({"status": {"phase": "Failed"}});
    let old = json!({"metadata": {"labels": {"controller-revision-hash": "old"}}});
    let nobodys = json!({"metadata": {"ownerReferences": null}});
    let somebodys = json!({"metadata": {"ownerReferences": owned("other")}});
    let pinned = json!({"spec": {"nodeName": null, "affinity": {"nodeAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]},
        ]},
    }}}});
    let elsewhere = json!({"spec": {"nodeName": "m"}});
    let not_ready = json!({"status": {"conditions": null}});
    for (what, story, expected) in [
        ("one", new().created(pod("a")), &none[..]),
        ("two", new().created(pod("a")).created(pod("b")), &["S1"]),
        (
            "two, one pinned",
            new().created(pod("a")).created(changed("b", pinned)),
            &["S1"],
        ),
        (
            "two on two nodes",
            new().created(pod("a")).created(changed("b", elsewhere)),
            &none,
        ),
        (
            "after one that failed",
            new()
                .created(changed("a", failed.clone()))
                .created(pod("b")),
            &none,
        ),
        (
            "somebody else's hand",
            new().created(pod("a")).there(pod("b")),
            &none,
        ),
        (
            "two of different revisions",
            new().created(pod("a")).created(changed("b", old.clone())),
            &["S1"],
        ),
        (
            "while surging",
            new()
                .with_daemon_set(surge())
                .there(changed("a", old.clone()))
                .created(pod("b")),
            &none,
        ),
        (
            "two of one, surging",
            new()
                .with_daemon_set(surge())
                .there(pod("a"))
                .created(pod("b")),
            &["S1"],
        ),
        (
            "the only one is deleted",
            new().there(pod("a")).deleted("a"),
            &["S3"],
        ),
        (
            "one that is not ready",
            new().there(changed("a", not_ready)).deleted("a"),
            &none,
        ),
        (
            "one of another revision, with OnDelete",
            new().there(changed("a", old)).deleted("a"),
            &["S2"],
        ),
        (
            "one that failed",
            new().there(changed("a", failed)).deleted("a"),
            &none,
        ),
        (
            "where it may not run",
            new().there(pod("a")).tainted("NoExecute").deleted("a"),
            &none,
        ),
        (
            "where it may stay",
            new().there(pod("a")).tainted("NoSchedule").deleted("a"),
            &["S3"],
        ),
        (
            "the younger of two",
            new().there(pod("a")).there(pod("b")).deleted("b"),
            &none,
        ),
        (
            "the older of two",
            new().there(pod("a")).there(pod("b")).deleted("a"),
            &["S3"],
        ),
        (
            "both of two, one after the other",
            new()
                .there(pod("a"))
                .there(pod("b"))
                .deleted("b")
                .deleted("a"),
            &["S3"],
        ),
        (
            "somebody's pod",
            new().there(changed("a", somebodys.clone())).deleted("a"),
            &["S5"],
        ),
        (
            "nobody's pod",
            new().there(changed("a", nobodys.clone())).deleted("a"),
            &["S5"],
        ),
        (
            "nobody's pod is made",
            new().created(changed("a", nobodys.clone())),
            &["S5"],
        ),
        (
            "adoption",
            new().there(changed("a", nobodys.clone())).patched(pod("a")),
            &none,
        ),
        (
            "release",
            new().there(pod("a")).patched(changed("a", nobodys.clone())),
            &none,
        ),
        (
            "theft",
            new().there(changed("a", somebodys)).patched(pod("a")),
            &["S5"],
        ),
        (
            "more than an adoption",
            new()
                .there(changed("a", nobodys))
                .patched(changed("a", json!({"metadata": {"labels": {"b": "c"}}}))),
            &["S5"],
        ),
    ] {
        let found = story.history();
        assert_eq!(
            found,
            expected,
            "{what}: {:?}",
            story.check(|check| check.history())
        );
    }
}

#[test]
fn a_delete_is_excused_by_what_the_controller_may_not_know_yet_and_by_nothing_else() {
    // Each step here comes ten seconds after the one before.
    for (lag, expected) in [(0, vec!["S3"]), (5, vec!["S3"]), (15, vec![])] {
        let mut story = Story::new().there(pod("a")).tainted("NoExecute");
        story.put(&NODES, json!({"metadata": {"name": "n"}}), None);
        let us: Arc<str> = Arc::from("us");
        story.deliveries.opened(&us, &NODES, Duration::ZERO);
        let gate = Gate::Lag(Duration::from_secs(lag));
        story
            .deliveries
            .gate("us", &NODES, Some(gate), Duration::ZERO);
        assert_eq!(story.deleted("a").history(), expected, "a lag of {lag} s");
    }
}

#[test]
fn other_writes_of_a_controller_are_not_its_business() {
    let mut story = Story::new();
    story.put(
        &NODES,
        json!({"metadata": {"name": "n"}, "a": 1}),
        Some(("us", "PATCH", "/api/v1/nodes/n")),
    );
    let path = "/apis/apps/v1/namespaces/d/daemonsets/web";
    for field in ["status", "spec"] {
        let mut daemon_set = (**story.store.get(&DAEMON_SETS, "d", "web").unwrap()).clone();
        daemon_set[field]["more"] = json!(1);
        story.put(&DAEMON_SETS, daemon_set, Some(("us", "PATCH", path)));
    }
    let found: Vec<String> = story
        .check(|check| check.history())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].contains("Node n: it is no controller's to write; by 40.000000 us PATCH"),
        "{found:?}"
    );
    assert!(
        found[1].contains("DaemonSet d/web: more than its status is written"),
        "{found:?}"
    );
}

#[test]
fn a_strategy_that_changed_a_moment_ago_excuses_whoever_acts_on_either() {
    let old = json!({"metadata": {"labels": {"controller-revision-hash": "old"}}});
    let pair = || {
        Story::new()
            .there(changed("a", old.clone()))
            .there(pod("b"))
    };
    let on_delete =
        || json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}});
    let us: Arc<str> = Arc::from("us");
    for lag in [0, 15] {
        // Pods of two revisions stay while surging; afterwards only the older pod stays.
        let mut story = pair().with_daemon_set(surge()).with_daemon_set(on_delete());
        story.deliveries.opened(&us, &DAEMON_SETS, Duration::ZERO);
        let gate = Some(Gate::Lag(Duration::from_secs(lag)));
        story
            .deliveries
            .gate("us", &DAEMON_SETS, gate, Duration::ZERO);
        let found = story.deleted("b").history();
        assert!(found.is_empty(), "a lag of {lag} s: {found:?}");
    }
    assert_eq!(
        pair().with_daemon_set(surge()).deleted("b").history(),
        ["S3"]
    );
}
