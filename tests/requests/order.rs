//! A plan is carried out in order: each request is sent after the answers that it relies on.

use std::time::Duration;

use daemonset_controller::sim::api::resource::{DAEMON_SETS, PODS};
use daemonset_controller::sim::api::{ApiServer, Entry};
use daemonset_controller::sim::cluster::{Cluster, Part};
use serde_json::{Value, json};
use tokio::time::sleep;

/// The name of the controller's client.
const OURS: &str = "a";
/// Long enough for everything that a change leads to.
const SETTLED: Duration = Duration::from_secs(120);

fn daemon_set(image: &str) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            },
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}},
        },
    })
}

/// A cluster of three nodes without a DaemonSet.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(1).with(&[Part::Kubelets, Part::Scheduler]);
    cluster.add_nodes(3);
    cluster
}

/// The controller's requests from the one of this number on: reads and writes, without events and
/// watches.
fn ours(server: &ApiServer, from: usize) -> Vec<Entry> {
    server.requests(|e| {
        let of_events = e
            .target
            .as_ref()
            .is_some_and(|t| t.resource.plural == "events");
        e.number >= from && &*e.client == OURS && !e.is_upkeep() && !of_events
    })
}

/// `POST pods`, `PATCH daemonsets/status`: method, resource and subresource.
fn kind(request: &Entry) -> String {
    let target = request.target.as_ref().expect("a request for a resource");
    let subresource = if request.path.ends_with("/status") {
        "/status"
    } else {
        ""
    };
    format!("{} {}{subresource}", request.method, target.resource.plural)
}

/// Asserts that all requests of the kind `before` were answered when the first of the kind `after`
/// came.
#[track_caller]
fn assert_answered_before(requests: &[Entry], before: &str, after: &str) {
    let of = |wanted: &str| -> Vec<&Entry> {
        let found: Vec<&Entry> = requests.iter().filter(|r| kind(r) == wanted).collect();
        assert!(
            !found.is_empty(),
            "there was no {wanted}: {:?}",
            kinds(requests)
        );
        found
    };
    let first = of(after)[0].at;
    for request in of(before) {
        let answered = request.ended.is_some_and(|ended| ended <= first);
        assert!(answered, "{before} before {after}: {:?}", kinds(requests));
    }
}

fn kinds(requests: &[Entry]) -> Vec<String> {
    requests.iter().map(kind).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_is_listed_before_the_first_write() {
    let mut cluster = cluster();
    cluster.apply(&daemon_set("i:1")).expect("a DaemonSet");
    let _running = cluster.controller(OURS);
    sleep(SETTLED).await;
    let all = ours(&cluster.server, 0);
    let first = all.iter().find(|r| r.is_write()).expect("a write");
    for plural in ["daemonsets", "nodes", "controllerrevisions", "pods"] {
        let listed = all.iter().find(|r| r.is_for("GET", plural));
        let ended = listed.and_then(|r| r.ended);
        assert!(
            ended.is_some_and(|e| e <= first.at),
            "{plural}: {:?}",
            kinds(&all)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_revision_is_created_before_the_pods_that_bear_its_hash() {
    let mut cluster = cluster();
    cluster.apply(&daemon_set("i:1")).expect("a DaemonSet");
    let _running = cluster.controller(OURS);
    sleep(SETTLED).await;
    let all = ours(&cluster.server, 0);
    assert_eq!(all.iter().filter(|r| kind(r) == "POST pods").count(), 3);
    assert_answered_before(&all, "POST controllerrevisions", "POST pods");
}

#[tokio::test(start_paused = true)]
async fn an_update_creates_the_revision_then_deletes_and_creates_only_what_was_deleted() {
    let mut cluster = cluster();
    cluster.apply(&daemon_set("i:1")).expect("a DaemonSet");
    let _running = cluster.controller(OURS);
    sleep(SETTLED).await;
    let from = cluster.server.requests_so_far();
    cluster.apply(&daemon_set("i:2")).expect("another template");
    sleep(SETTLED).await;
    let all = ours(&cluster.server, from);
    assert_answered_before(&all, "POST controllerrevisions", "DELETE pods");
    let writes = |wanted: &str| all.iter().filter(|r| kind(r) == wanted).count();
    assert_eq!((writes("DELETE pods"), writes("POST pods")), (3, 3));
    let (mut deleted, mut created) = (0, 0);
    for request in &all {
        deleted += usize::from(kind(request) == "DELETE pods");
        created += usize::from(kind(request) == "POST pods");
        assert!(created <= deleted, "{:?}", kinds(&all));
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_adopted_only_after_the_daemon_set_was_read_once_more() {
    let mut cluster = cluster();
    cluster.apply(&daemon_set("i:1")).expect("a DaemonSet");
    let _running = cluster.controller(OURS);
    sleep(SETTLED).await;
    let from = cluster.server.requests_so_far();
    let orphan = json!({
        "metadata": {"name": "orphan", "namespace": "default", "labels": {"app": "web"}},
        "spec": {"nodeName": "n0", "containers": [{"name": "c", "image": "i"}]},
    });
    cluster.create(&PODS, &orphan).expect("a pod");
    sleep(SETTLED).await;
    let all = ours(&cluster.server, from);
    let patch = all.iter().find(|r| kind(r) == "PATCH pods");
    let patch = patch.unwrap_or_else(|| panic!("no adoption: {:?}", kinds(&all)));
    let web = format!("{}/web", DAEMON_SETS.path("default"));
    let read = all.iter().find(|r| r.is("GET", &web));
    let ended = read.and_then(|r| r.ended);
    assert!(ended.is_some_and(|e| e <= patch.at), "{:?}", kinds(&all));
}
