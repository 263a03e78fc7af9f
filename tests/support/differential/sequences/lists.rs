//! Lists: selectors, pages, versions.

use serde_json::json;

use crate::differential::objects::{daemon_set, node, pod, pod_on, with};
use crate::differential::step::*;

/// Four pods: `a` and `b` with label `l`, `b` and `c` on a node, `c` running.
fn four() -> Vec<Step> {
    vec![
        create(PODS, with(pod("d"), "/metadata/labels", json!({"m": "x"}))),
        create(
            PODS,
            with(pod("a"), "/metadata/labels", json!({"l": "1", "m": "x"})),
        )
        .save("a"),
        create(
            PODS,
            with(
                pod_on("n", "b"),
                "/metadata/labels",
                json!({"l": "2", "m": "y"}),
            ),
        )
        .save("b"),
        create(PODS, pod_on("n", "c")),
        strategic(PODS, "c", json!({"status": {"phase": "Running"}}))
            .sub("status")
            .save("c"),
    ]
}

fn after_four(steps: impl IntoIterator<Item = Step>) -> Vec<Step> {
    four().into_iter().chain(steps).collect()
}

pub fn all() -> Vec<Sequence> {
    let labels = [
        "l=1",
        "l==1",
        "l!=1",
        "l",
        "!l",
        "l in (1,2)",
        "l notin (1)",
        "l=1,m=x",
        "l>1",
        "",
        "l=",
        "nothing=here",
    ];
    let bad_labels = ["l in 1", "a b", "l=1=2", "=", "l=a b", "!", "(", "x/y/z=1"];
    let fields = [
        "metadata.name=a",
        "metadata.name!=a",
        "spec.nodeName=n",
        "spec.nodeName=",
        "status.phase=Running",
        "status.phase!=Running",
        "spec.nodeName=n,status.phase=Running",
        "metadata.namespace=<ns>",
        "metadata.namespace=other",
        "spec.restartPolicy=Always",
        "spec.schedulerName=default-scheduler",
        "status.podIP=",
        "spec.hostNetwork=false",
        "spec.serviceAccountName=default",
    ];
    let bad_fields = [
        "spec.image=x",
        "metadata.name",
        "status",
        "metadata.labels.l=1",
        "a=b=c",
    ];
    let names_only = |selectors: &[&str], name: &'static str| -> Vec<Step> {
        selectors
            .iter()
            .map(|s| list(PODS).query(name, s))
            .collect()
    };
    vec![
        sequence(
            "label selectors",
            after_four(names_only(&labels, "labelSelector")),
        ),
        sequence(
            "bad label selectors",
            after_four(names_only(&bad_labels, "labelSelector")),
        ),
        sequence(
            "field selectors",
            after_four(names_only(&fields, "fieldSelector")),
        ),
        sequence(
            "bad field selectors",
            after_four(names_only(&bad_fields, "fieldSelector")),
        ),
        sequence(
            "field selectors of other kinds",
            [
                create(
                    NODES,
                    with(node("<ns>-n"), "/spec/unschedulable", json!(true)),
                ),
                create(NODES, node("<ns>-m")),
                list(NODES).query("fieldSelector", "metadata.name=<ns>-n"),
                list(NODES).query("fieldSelector", "spec.unschedulable=true"),
                list(NODES)
                    .query("fieldSelector", "spec.unschedulable=false")
                    .query("labelSelector", "run=<ns>"),
                list(NODES).query("fieldSelector", "status.phase=x"),
                list(NAMESPACES).query("fieldSelector", "metadata.name=<ns>"),
                list(NAMESPACES).query("fieldSelector", "metadata.name=<ns>,status.phase=Active"),
                create(DAEMON_SETS, daemon_set("a")),
                list(DAEMON_SETS).query("fieldSelector", "metadata.name=a"),
                list(DAEMON_SETS).query("fieldSelector", "metadata.namespace=<ns>"),
                list(DAEMON_SETS).query("fieldSelector", "status.numberReady=0"),
                list(REVISIONS).query("fieldSelector", "revision=1"),
                list(LEASES).query("fieldSelector", "spec.holderIdentity=x"),
            ],
        ),
        sequence(
            "lists that are empty",
            [
                list(PODS),
                list(DAEMON_SETS),
                list(REVISIONS),
                list(EVENTS),
                list(NEW_EVENTS),
                list(LEASES),
                list(NODES).query("labelSelector", "run=<ns>"),
                list("/api/v1/namespaces/nowhere/pods"),
            ],
        ),
        sequence(
            "lists of all namespaces",
            after_four([
                create(DAEMON_SETS, daemon_set("a")),
                list(ALL_PODS).query("fieldSelector", "metadata.namespace=<ns>,spec.nodeName=n"),
                list("/apis/apps/v1/daemonsets").query("fieldSelector", "metadata.namespace=<ns>"),
                create(ALL_PODS, pod("x")),
                delete_all(ALL_PODS),
                list(NODES).query("labelSelector", "run=<ns>"),
            ]),
        ),
        sequence(
            "pages",
            after_four([
                list(PODS).query("limit", "2").save("page"),
                list(PODS)
                    .query("limit", "2")
                    .query("continue", "<page.continue>"),
                list(PODS).query("limit", "3").save("page"),
                create(PODS, pod("b1")),
                delete(PODS, "d"),
                list(PODS)
                    .query("limit", "3")
                    .query("continue", "<page.continue>"),
                list(PODS)
                    .query("limit", "1")
                    .query("labelSelector", "m")
                    .save("page"),
                list(PODS)
                    .query("limit", "1")
                    .query("labelSelector", "m")
                    .query("continue", "<page.continue>"),
                list(PODS).query("continue", "<page.continue>"),
                list(PODS).query("limit", "5"),
                list(PODS).query("limit", "4"),
                list(PODS).query("limit", "0"),
            ]),
        ),
        sequence(
            "bad pages",
            after_four([
                list(PODS).query("limit", "2").save("page"),
                list(PODS).query("limit", "x"),
                list(PODS).query("limit", "-1"),
                list(PODS).query("continue", "garbage"),
                list(PODS).query("continue", "e30"),
                list(PODS)
                    .query("limit", "2")
                    .query("continue", "<page.continue>")
                    .query("resourceVersion", "<a.rv>"),
                list(PODS)
                    .query("limit", "2")
                    .query("continue", "<page.continue>")
                    .query("resourceVersion", "0"),
                list(PODS)
                    .query("limit", "2")
                    .query("continue", "<page.continue>")
                    .query("resourceVersionMatch", "Exact"),
            ]),
        ),
        sequence(
            "lists as of a version",
            after_four([
                list(PODS).query("resourceVersion", "0"),
                list(PODS).query("resourceVersion", "<b.rv>"),
                list(PODS)
                    .query("resourceVersion", "<b.rv>")
                    .query("limit", "1"),
                list(PODS)
                    .query("resourceVersion", "<a.rv>")
                    .query("resourceVersionMatch", "Exact"),
                list(PODS)
                    .query("resourceVersion", "<b.rv>")
                    .query("resourceVersionMatch", "Exact")
                    .query("limit", "1")
                    .save("page"),
                list(PODS)
                    .query("limit", "1")
                    .query("continue", "<page.continue>"),
                list(PODS)
                    .query("resourceVersion", "<b.rv>")
                    .query("resourceVersionMatch", "NotOlderThan"),
                list(PODS)
                    .query("resourceVersion", "0")
                    .query("resourceVersionMatch", "NotOlderThan"),
                get(PODS, "a").query("resourceVersion", "0"),
                get(PODS, "a").query("resourceVersion", "<a.rv>"),
                get(PODS, "nobody").query("resourceVersion", "0"),
            ]),
        ),
        sequence(
            "bad versions in lists",
            after_four([
                list(PODS).query("resourceVersion", "x"),
                list(PODS).query("resourceVersion", "-1"),
                list(PODS).query("resourceVersionMatch", "Exact"),
                list(PODS)
                    .query("resourceVersion", "0")
                    .query("resourceVersionMatch", "Exact"),
                list(PODS)
                    .query("resourceVersion", "<a.rv>")
                    .query("resourceVersionMatch", "Odd"),
                list(PODS)
                    .query("resourceVersion", "x")
                    .query("resourceVersionMatch", "NotOlderThan"),
                get(PODS, "a").query("resourceVersion", "x"),
                list(PODS).query("sendInitialEvents", "true"),
                list(PODS).query("timeoutSeconds", "x"),
                list(PODS)
                    .query("timeoutSeconds", "5")
                    .query("nonsense", "1"),
            ]),
        ),
        sequence(
            "lists of the future",
            after_four([
                list(PODS).query("resourceVersion", "<a.rv+1000000>"),
                list(PODS)
                    .query("resourceVersion", "<a.rv+1000000>")
                    .query("resourceVersionMatch", "Exact"),
                get(PODS, "a").query("resourceVersion", "<a.rv+1000000>"),
            ]),
        ),
    ]
}
