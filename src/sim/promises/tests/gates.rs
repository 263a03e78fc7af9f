//! S8 can be broken in each of its ways.

use serde_json::{Value, json};

use super::*;

const REVISIONS: &str = "/apis/apps/v1/namespaces/d/controllerrevisions";

fn key(key: &str, value: &str) -> Value {
    json!({"metadata": {"annotations": {(format!("daemonset-controller.io/{key}")): value}}})
}

fn node(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"pool": name}}})
}

/// A pod of the current revision, or of the older one.
fn pod_of(hash: &str, name: &str, node: &str) -> Value {
    let labels = json!({"controller-revision-hash": hash});
    changed(
        name,
        json!({"metadata": {"labels": labels}, "spec": {"nodeName": node}}),
    )
}

/// The nodes `n` and `m`, an older revision that completed, and a key that was set long ago.
fn staged(name: &str, value: &str) -> Story {
    let mut story = Story::new().with_daemon_set(key(name, value));
    story.put(&NODES, node("m"), None);
    let state = json!({"state.daemonset-controller.io/completed": "2026-01-01T00:00:00Z"});
    story.put(&CONTROLLER_REVISIONS, older_revision("old", state), None);
    story
}

fn older_revision(hash: &str, state: Value) -> Value {
    let template = json!({
        "$patch": "replace", "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": hash}]},
    });
    let labels = json!({"app": "web", "controller-revision-hash": hash});
    json!({
        "metadata": {
            "namespace": "d", "name": hash, "uid": hash, "labels": labels, "annotations": state,
            "ownerReferences": owned("ds"),
        },
        "data": {"spec": {"template": template}}, "revision": 0,
    })
}

impl Story {
    fn deleted_by_people(mut self, name: &str) -> Story {
        self.remove(&PODS, name, None);
        self
    }

    /// Somebody records this on the current revision.
    fn recorded(mut self, key: &str, value: &str) -> Story {
        let revision = self.store.get(&CONTROLLER_REVISIONS, "d", "web-1").unwrap();
        let mut revision = (**revision).clone();
        let key = format!("state.daemonset-controller.io/{key}");
        json_patch::merge(
            &mut revision,
            &json!({"metadata": {"annotations": {(key): value}}}),
        );
        self.put(
            &CONTROLLER_REVISIONS,
            revision,
            Some(("us", "PATCH", REVISIONS)),
        );
        self
    }
}

#[test]
fn by_table() {
    let rolling = json!({"spec": {"updateStrategy": {
        "type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "maxSurge": 0},
    }}});
    let (old, new) = (
        |at: &str| pod_of("old", "a", at),
        |at: &str| pod_of("new", "b", at),
    );
    let on_m = || pod_of("new", "c", "m");
    for (what, story, broken) in [
        (
            "held, and it joins",
            staged("hold", "rollout").created(new("n")),
            true,
        ),
        (
            "held, and gets the old one",
            staged("hold", "rollout").created(old("n")),
            false,
        ),
        ("not held", staged("hold", "off").created(new("n")), false),
        (
            "what cannot be read",
            staged("hold", "x").created(new("n")),
            true,
        ),
        (
            "the node had it",
            staged("hold", "all")
                .there(on_m())
                .there(new("n"))
                .deleted_by_people("b")
                .created(pod_of("new", "d", "n")),
            false,
        ),
        (
            "held, and the node had it last: a newer pod of the old one went before",
            staged("hold", "all")
                .there(new("n"))
                .there(old("n"))
                .deleted_by_people("a")
                .deleted_by_people("b")
                .created(pod_of("new", "d", "n")),
            false,
        ),
        (
            "the node had the old one",
            staged("hold", "all")
                .there(old("n"))
                .deleted_by_people("a")
                .created(new("n")),
            true,
        ),
        (
            "what completed last is no longer held",
            staged("hold", "all")
                .recorded("completed", "2026-01-02T00:00:00Z")
                .created(new("n")),
            false,
        ),
        (
            "a canary of one",
            staged("canary", "1").created(new("n")),
            false,
        ),
        (
            "the second of one",
            staged("canary", "1").there(on_m()).created(new("n")),
            true,
        ),
        (
            "the second of two",
            staged("canary", "2").there(on_m()).created(new("n")),
            false,
        ),
        (
            "the second of half",
            staged("canary", "50%").there(on_m()).created(new("n")),
            true,
        ),
        (
            "selected",
            staged("canary", "pool=m").created(on_m()),
            false,
        ),
        (
            "not selected",
            staged("canary", "pool=m").created(new("n")),
            true,
        ),
        (
            "the canary is over",
            staged("canary", "1")
                .there(on_m())
                .recorded("released", "[\"canary\"]")
                .created(new("n")),
            false,
        ),
        (
            "approved",
            staged("canary", "1")
                .with_daemon_set(key("approve", "new"))
                .there(on_m())
                .created(new("n")),
            false,
        ),
        (
            "a replacement",
            staged("canary", "1")
                .with_daemon_set(rolling.clone())
                .there(old("n"))
                .deleted("a"),
            false,
        ),
        (
            "held, and replaced",
            staged("hold", "rollout")
                .with_daemon_set(rolling.clone())
                .there(old("n"))
                .deleted("a"),
            true,
        ),
        (
            "held, and where it may not be",
            staged("hold", "rollout")
                .there(old("n"))
                .tainted("NoExecute")
                .deleted("a"),
            false,
        ),
    ] {
        let found = story.history();
        assert_eq!(found.contains(&"S8"), broken, "{what}: {found:?}");
    }
}

/// All nodes go back to the stable revision: a node in the middle of an earlier change as well,
/// although its group has not had its turn.
#[test]
fn on_the_way_back_only_what_has_the_stable_revision_keeps_it() {
    let back = |pods: &[&str], goes: &str| {
        let mut story = staged("order", "pool=m>n").with_daemon_set(key("on-failure", "rollback"));
        story.put(
            &CONTROLLER_REVISIONS,
            older_revision("third", json!({})),
            None,
        );
        story = story
            .recorded("started", "1970-01-01T00:00:01Z")
            .recorded("verdict", r#"{"when": "1970-01-01T00:00:02Z"}"#);
        for (hash, at) in pods.iter().zip(["n", "m"]) {
            story = story.there(pod_of(hash, hash, at));
        }
        story.deleted(goes).history().contains(&"S8")
    };
    assert!(!back(&["third"], "third"));
    assert!(back(&["old"], "old"));
    assert!(!back(&["old", "third"], "third"));
    assert!(!back(&["new", "old"], "new"));
}

/// None completed: the revision of a pod that lives is the stable one.
#[test]
fn a_pod_that_failed_makes_no_revision_stable() {
    let story = |phase: &str| {
        let mut story = staged("hold", "rollout");
        let revision = story.store.get(&CONTROLLER_REVISIONS, "d", "old").unwrap();
        let mut revision = (**revision).clone();
        revision["metadata"]["annotations"] = Value::Null;
        story.put(&CONTROLLER_REVISIONS, revision, None);
        let mut old = pod_of("old", "a", "m");
        old["status"]["phase"] = json!(phase);
        story.there(old).created(pod_of("new", "b", "n"))
    };
    assert_eq!(story("Running").history(), ["S8"]);
    assert!(story("Failed").history().is_empty());
}
