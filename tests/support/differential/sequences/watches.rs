//! Watches: where they begin, what a selector makes of changes, bookmarks.

use serde_json::json;

use crate::differential::objects::{daemon_set, event, node, options, pod, pod_on, revision, with};
use crate::differential::step::*;

fn labelled(name: &str, value: &str) -> serde_json::Value {
    with(pod(name), "/metadata/labels", json!({"l": value}))
}

fn relabel(name: &str, value: &str) -> Step {
    merge(PODS, name, json!({"metadata": {"labels": {"l": value}}}))
}

/// A pod that is made, changed twice, written in vain, deleted with grace and gone.
fn life() -> Vec<Step> {
    vec![
        create(
            PODS,
            with(pod_on("n", "a"), "/metadata/labels", json!({"l": "1"})),
        )
        .save("a"),
        relabel("a", "2"),
        relabel("a", "2"),
        strategic(PODS, "a", json!({"status": {"phase": "Running"}})).sub("status"),
        delete(PODS, "a"),
        delete(PODS, "a").json(options(json!({"gracePeriodSeconds": 0}))),
        create(PODS, labelled("a", "3")),
    ]
}

pub fn all() -> Vec<Sequence> {
    let from = |step: Step, version: &str| step.query("resourceVersion", version);
    let initial = |step: Step| {
        step.query("sendInitialEvents", "true")
            .query("resourceVersionMatch", "NotOlderThan")
    };
    let bookmarks = |step: Step| step.query("allowWatchBookmarks", "true");
    vec![
        sequence(
            "a life watched from a list",
            [
                vec![list(PODS).save("list"), from(watch(PODS), "<list.rv>")],
                life(),
            ]
            .concat(),
        ),
        sequence(
            "a life watched afterwards",
            [
                vec![create(PODS, pod("z")).save("z")],
                life(),
                vec![from(watch(PODS), "<z.rv>"), from(watch(PODS), "<a.rv>")],
            ]
            .concat(),
        ),
        sequence(
            "watches without a version",
            [
                vec![
                    create(PODS, pod("y")),
                    create(PODS, pod("b")),
                    watch(PODS),
                    from(watch(PODS), "0"),
                    from(watch(PODS), ""),
                ],
                life(),
            ]
            .concat(),
        ),
        sequence(
            "label selectors of watches",
            [
                create(PODS, labelled("a", "1")).save("a"),
                from(watch(PODS), "<a.rv>").query("labelSelector", "l=1"),
                from(watch(PODS), "<a.rv>").query("labelSelector", "l!=1"),
                from(watch(PODS), "<a.rv>").query("labelSelector", "l in (1,2)"),
                create(PODS, labelled("b", "2")),
                relabel("a", "2"),
                relabel("a", "3"),
                relabel("b", "1"),
                relabel("a", "1"),
                merge(PODS, "a", json!({"metadata": {"annotations": {"x": "y"}}})),
                delete(PODS, "a"),
                delete(PODS, "b"),
            ],
        ),
        sequence(
            "field selectors of watches",
            [
                create(PODS, pod("a")).save("a"),
                from(watch(PODS), "<a.rv>").query("fieldSelector", "spec.nodeName=n"),
                from(watch(PODS), "<a.rv>").query("fieldSelector", "spec.nodeName="),
                from(watch(PODS), "<a.rv>").query("fieldSelector", "status.phase=Running"),
                from(watch(PODS), "<a.rv>").query("fieldSelector", "metadata.name=b"),
                create(PODS, pod("a"))
                    .sub("binding")
                    .json(json!({"target": {"kind": "Node", "name": "n"}})),
                create(
                    &format!("{PODS}/a/binding"),
                    crate::differential::objects::binding("a", "n"),
                ),
                create(PODS, pod_on("n", "b")),
                strategic(PODS, "b", json!({"status": {"phase": "Running"}})).sub("status"),
                strategic(PODS, "b", json!({"status": {"phase": "Succeeded"}})).sub("status"),
                delete(PODS, "b"),
                delete(PODS, "a"),
            ],
        ),
        sequence(
            "selectors and what came before",
            [
                create(PODS, labelled("a", "1")),
                create(PODS, labelled("b", "2")),
                watch(PODS).query("labelSelector", "l=1"),
                from(watch(PODS), "0").query("labelSelector", "l=2"),
                initial(watch(PODS)).query("labelSelector", "l=2"),
                relabel("a", "2"),
                relabel("b", "1"),
            ],
        ),
        sequence(
            "one object watched by its path",
            [
                create(PODS, pod("a")).save("a"),
                from(watch(&format!("{PODS}/a")), "<a.rv>"),
                create(PODS, pod("b")),
                delete(PODS, "a"),
            ],
        ),
        sequence(
            "initial events",
            [
                create(PODS, pod("c")),
                create(PODS, pod("a")),
                create(PODS, pod("b")).save("b"),
                bookmarks(initial(watch(PODS))),
                initial(watch(PODS)),
                bookmarks(initial(from(watch(PODS), "0"))),
                bookmarks(initial(from(watch(PODS), "<b.rv>"))),
                bookmarks(from(watch(PODS), "<b.rv>"))
                    .query("sendInitialEvents", "false")
                    .query("resourceVersionMatch", "NotOlderThan"),
                create(PODS, pod("d")),
                delete(PODS, "a"),
            ],
        ),
        sequence(
            "initial events of nothing",
            [
                bookmarks(initial(watch(REVISIONS))),
                bookmarks(initial(watch(DAEMON_SETS))),
                create(DAEMON_SETS, daemon_set("a")),
                create(REVISIONS, revision("a", 1)),
            ],
        ),
        sequence(
            "watches that may not be",
            [
                create(PODS, pod("a")).save("a"),
                watch(PODS).query("sendInitialEvents", "true"),
                watch(PODS)
                    .query("sendInitialEvents", "true")
                    .query("resourceVersionMatch", "Exact"),
                watch(PODS).query("resourceVersionMatch", "NotOlderThan"),
                from(watch(PODS), "<a.rv>").query("resourceVersionMatch", "Exact"),
                from(watch(PODS), "x"),
                from(watch(PODS), "-1"),
                watch(PODS).query("labelSelector", "a b"),
                watch(PODS).query("fieldSelector", "spec.image=x"),
                watch(PODS).query("timeoutSeconds", "x"),
                watch(PODS).query("watch", "maybe"),
                request("GET", PODS).query("watch", "maybe"),
                watch(PODS).query("continue", "abc"),
                watch(PODS).query("limit", "1"),
            ],
        ),
        sequence(
            "watches of the future and of the distant past",
            [
                create(PODS, pod("a")).save("a"),
                from(watch(PODS), "<a.rv+1000000>"),
                from(watch(PODS), "1"),
                initial(from(watch(PODS), "1")),
            ],
        ),
        sequence(
            "watches that end",
            [
                create(PODS, pod("a")).save("a"),
                from(watch(PODS), "<a.rv>").query("timeoutSeconds", "1"),
                bookmarks(from(watch(PODS), "<a.rv>")).query("timeoutSeconds", "3"),
                bookmarks(initial(watch(PODS))).query("timeoutSeconds", "1"),
                create(PODS, pod("b")),
            ],
        ),
        sequence(
            "watches of other kinds",
            [
                list(PODS).save("list"),
                from(watch(NODES), "<list.rv>").query("labelSelector", "run=<ns>"),
                from(watch(DAEMON_SETS), "<list.rv>"),
                from(watch(REVISIONS), "<list.rv>"),
                from(watch(EVENTS), "<list.rv>"),
                from(watch(NEW_EVENTS), "<list.rv>"),
                from(watch(NAMESPACES), "<list.rv>").query("fieldSelector", "metadata.name=<ns>"),
                create(NODES, node("<ns>-n")),
                strategic(NODES, "<ns>-n", json!({"spec": {"unschedulable": true}})),
                create(DAEMON_SETS, daemon_set("a")),
                merge(DAEMON_SETS, "a", json!({"status": {"numberReady": 1}})).sub("status"),
                create(REVISIONS, revision("a", 1)),
                merge(REVISIONS, "a", json!({"revision": 2})),
                create(EVENTS, event("a")),
                merge(EVENTS, "a", json!({"count": 2})),
                merge(
                    NAMESPACES,
                    "<ns>",
                    json!({"metadata": {"labels": {"l": "1"}}}),
                ),
                delete(NODES, "<ns>-n"),
                delete(DAEMON_SETS, "a"),
                delete(REVISIONS, "a"),
            ],
        ),
        sequence(
            "what deletes with finalizers look like to a watch",
            [
                create(
                    DAEMON_SETS,
                    with(daemon_set("a"), "/metadata/finalizers", json!(["x.y/hold"])),
                )
                .save("a"),
                from(watch(DAEMON_SETS), "<a.rv>"),
                delete(DAEMON_SETS, "a"),
                delete(DAEMON_SETS, "a"),
                merge(
                    DAEMON_SETS,
                    "a",
                    json!({"metadata": {"finalizers": null, "labels": {"l": "1"}}}),
                ),
                create(DAEMON_SETS, daemon_set("b")),
                delete(DAEMON_SETS, "b").json(options(json!({"propagationPolicy": "Foreground"}))),
                merge(DAEMON_SETS, "b", json!({"metadata": {"finalizers": null}})),
                create(PODS, pod_on("n", "p")).save("p"),
                from(watch(PODS), "<p.rv>"),
                delete(PODS, "p"),
                delete(PODS, "p").json(options(json!({"gracePeriodSeconds": 3}))),
                delete(PODS, "p").json(options(json!({"gracePeriodSeconds": 0}))),
                create(PODS, pod_on("n", "q")),
                delete(PODS, "q").json(options(json!({"gracePeriodSeconds": 0}))),
                create(PODS, pod("r")),
                delete_all(PODS),
            ],
        ),
    ]
}
