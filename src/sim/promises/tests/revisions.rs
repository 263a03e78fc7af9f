//! S4 can be broken in each of its ways.

use serde_json::{Value, json};

use super::*;

const PATH: &str = "/apis/apps/v1/namespaces/d/controllerrevisions";

/// A revision of the DaemonSet whose template has this annotation; the DaemonSet's own has none.
fn revision(name: &str, number: i64, version: Option<&str>) -> Value {
    let mut template = json!({
        "$patch": "replace", "metadata": {"labels": {"app": "web"}}, "spec": {"containers": []},
    });
    if let Some(version) = version {
        template["metadata"]["annotations"] = json!({"v": version});
    }
    let labels = json!({"app": "web", "controller-revision-hash": name});
    json!({
        "metadata": {"namespace": "d", "name": name, "uid": name, "labels": labels, "ownerReferences": owned("ds")},
        "data": {"spec": {"template": template}}, "revision": number,
    })
}

impl Story {
    fn revised(mut self, method: &str, revision: Value) -> Story {
        self.put(&CONTROLLER_REVISIONS, revision, Some(("us", method, PATH)));
        self
    }

    fn unrevised(mut self, name: &str) -> Story {
        let path = format!("{PATH}/{name}");
        self.remove(&CONTROLLER_REVISIONS, name, Some(("us", "DELETE", &path)));
        self
    }

    fn somebodys(mut self, revision: Value) -> Story {
        self.put(&CONTROLLER_REVISIONS, revision, None);
        self
    }
}

#[test]
fn by_table() {
    let new = Story::new;
    let template = |v: &str| json!({"spec": {"template": {"metadata": {"annotations": {"v": v}}}}});
    let carries = |hash: &str| json!({"metadata": {"labels": {"controller-revision-hash": hash}}});
    let nulled = |mut revision: Value| {
        revision["data"]["spec"]["template"]["metadata"]["creationTimestamp"] = Value::Null;
        revision
    };
    for (what, story, expected) in [
        (
            "of a new template",
            new()
                .with_daemon_set(template("2"))
                .revised("POST", revision("r2", 2, Some("2"))),
            "",
        ),
        (
            "of the same template",
            new().revised("POST", revision("r2", 2, None)),
            "d/web-1 is of the same template",
        ),
        (
            "of the same template, but for a null",
            new().revised("POST", nulled(revision("r2", 2, None))),
            "d/web-1 is of the same template",
        ),
        (
            "of the same template, and somebody else's",
            {
                let mut theirs = revision("theirs", 1, Some("2"));
                theirs["metadata"]["ownerReferences"] = owned("other");
                new()
                    .with_daemon_set(template("2"))
                    .somebodys(theirs)
                    .revised("POST", revision("r2", 2, Some("2")))
            },
            "",
        ),
        (
            "of a template that it never had",
            new().revised("POST", revision("r2", 2, Some("3"))),
            "of no template",
        ),
        (
            "of a template that it no longer has",
            new()
                .with_daemon_set(template("2"))
                .with_daemon_set(template("3"))
                .revised("POST", revision("r2", 2, Some("2"))),
            "of no template",
        ),
        (
            "a higher number",
            new()
                .somebodys(revision("r0", 0, Some("0")))
                .revised("PATCH", revision("r0", 2, Some("0"))),
            "",
        ),
        (
            "other data",
            new()
                .somebodys(revision("r0", 0, Some("0")))
                .revised("PATCH", revision("r0", 0, Some("1"))),
            "what it holds is changed",
        ),
        (
            "an old one goes",
            new()
                .somebodys(revision("r0", 0, Some("0")))
                .unrevised("r0"),
            "",
        ),
        (
            "an old one that a pod carries",
            new()
                .somebodys(revision("r0", 0, Some("0")))
                .there(changed("a", carries("r0")))
                .unrevised("r0"),
            "pod d/a carries its hash",
        ),
        (
            "an old one that a pod carried",
            new()
                .somebodys(revision("r0", 0, Some("0")))
                .there(changed("a", carries("r0")))
                .there(changed("a", carries("new")))
                .unrevised("r0"),
            "",
        ),
        (
            "the present one",
            new().unrevised("web-1"),
            "the only one of the present template",
        ),
        (
            "one of two equal ones",
            new().somebodys(revision("r2", 2, None)).unrevised("web-1"),
            "",
        ),
        (
            "one of two equal ones, which a pod carries",
            new()
                .somebodys(revision("r2", 2, None))
                .there(changed("a", carries("r2")))
                .unrevised("r2"),
            "pod d/a carries its hash",
        ),
        (
            "by somebody else's hand",
            new().somebodys(revision("r2", 2, None)),
            "",
        ),
    ] {
        let found = story.check(|check| check.history());
        let as_expected = match (&found[..], expected) {
            ([], "") => true,
            ([one], said) => !said.is_empty() && one.promise == "S4" && one.what.contains(said),
            _ => false,
        };
        assert!(as_expected, "{what}: {found:?}");
    }
}

/// A deleted DaemonSet left it, and another controller adopts it for the new one.
#[test]
fn a_revision_that_was_adopted_a_moment_ago_excuses_an_equal_one_of_another_name() {
    let template = json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}});
    for (lag, expected) in [(0, vec!["S4"]), (5, vec!["S4"]), (15, vec![])] {
        let mut left = revision("left", 1, Some("2"));
        left["metadata"]["ownerReferences"] = Value::Null;
        let mut story = Story::new()
            .with_daemon_set(template.clone())
            .somebodys(left)
            .somebodys(revision("left", 1, Some("2")));
        let (us, lag) = (Arc::from("us"), Duration::from_secs(lag));
        let resource = &CONTROLLER_REVISIONS;
        story.deliveries.opened(&us, resource, Duration::ZERO);
        let gate = Some(Gate::Lag(lag));
        story.deliveries.gate("us", resource, gate, Duration::ZERO);
        let story = story.revised("POST", revision("r2", 2, Some("2")));
        assert_eq!(story.history(), expected, "a lag of {lag:?}");
    }
}

#[test]
fn an_orphan_is_not_ours_to_delete_and_of_no_present_template() {
    let mut orphan = revision("r0", 0, Some("0"));
    orphan["metadata"]["ownerReferences"] = Value::Null;
    let story = Story::new()
        .somebodys(revision("r0", 0, Some("0")))
        .somebodys(orphan)
        .unrevised("r0");
    assert_eq!(story.history(), ["S5"]);
}
