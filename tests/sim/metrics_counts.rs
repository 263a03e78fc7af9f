//! The metrics of a controller are what happened: actions, requests, syncs, relists, pods.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::metrics::{actions, counts, document, metrics, web};
use super::openmetrics::Exposition;
use super::world::*;

/// The counts in the status of `default/web`, in the same order.
fn status(server: &World) -> [Option<f64>; 6] {
    let status = server.get("daemonsets", "web")["status"].clone();
    [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "numberAvailable",
        "updatedNumberScheduled",
        "numberMisscheduled",
    ]
    .map(|field| Some(status[field].as_f64().unwrap_or(0.0)))
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_counted_with_its_cause_and_the_pods_as_the_status_has_them() {
    let server = world(5);
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    let done = |pairs: &[(&str, u32)]| -> BTreeMap<String, f64> {
        let pairs = pairs.iter().map(|(k, n)| ((*k).to_owned(), f64::from(*n)));
        pairs.collect()
    };
    let first = [
        ("create NodeWithoutPod", 5),
        ("create_revision NewTemplate", 1),
    ];
    assert_eq!(actions(&a), done(&first));
    assert_eq!(counts(&a), [5.0, 5.0, 5.0, 5.0, 5.0, 0.0].map(Some));
    assert_eq!(counts(&a), status(&server));

    server.edit("nodes", "n0", away(true));
    server.add("pods", orphan("mine", "n1"));
    seconds(60).await;
    let then = [
        ("create NodeWithoutPod", 5),
        ("create_revision NewTemplate", 1),
        ("delete NodeNotEligible", 1),
        ("adopt MatchingOrphan", 1),
        ("delete Duplicate", 1),
    ];
    assert_eq!(actions(&a), done(&then));
    assert_eq!(counts(&a), [4.0, 4.0, 4.0, 4.0, 4.0, 0.0].map(Some));
    assert_eq!(counts(&a), status(&server));
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_as_the_api_server_saw_them() {
    let server = world(5);
    server.kubelet();
    for (code, reason) in [
        (403, "Forbidden"),
        (500, "InternalError"),
        (429, "TooManyRequests"),
    ] {
        let status = ApiStatus::new(code, reason, "no");
        server.rule(1, |c| c.is("POST", "/pods"), Act::Refuse(status));
    }
    let taken = ApiStatus::new(409, "AlreadyExists", "taken");
    server.rule(1, |c| c.is("POST", "/pods"), Act::Refuse(taken));
    server.rule(
        1,
        |c| &*c.client == "a" && c.is("GET", "/nodes"),
        Act::Refuse(ApiStatus::new(503, "ServiceUnavailable", "no")),
    );
    let a = start(&server, "a");
    seconds(200).await;
    server.cut("daemonsets", true);
    seconds(30).await;
    server.assert_covered(5);

    let mut seen: BTreeMap<String, f64> = BTreeMap::new();
    for entry in server.requests(|c| &*c.client == "a" && c.ended.is_some()) {
        let target = entry.target.as_ref().expect("a resource");
        let named = !entry.path.ends_with(target.resource.plural);
        let verb = match &*entry.method {
            "GET" if entry.is_watch() => "watch",
            "GET" if named => "get",
            "GET" => "list",
            "POST" => "create",
            "PATCH" => "patch",
            "DELETE" => "delete",
            other => panic!("{other}"),
        };
        let resource = match entry.path.ends_with("/status") {
            true => "daemonsets/status",
            false => target.resource.plural,
        };
        let outcome = match entry.code {
            200..300 => "ok",
            403 => "forbidden",
            404 => "not_found",
            409 => "already_exists",
            410 => "gone",
            429 => "throttled",
            500.. => "server_error",
            other => panic!("{other}"),
        };
        *seen
            .entry(format!("{verb} {resource} {outcome}"))
            .or_default() += 1.0;
    }
    // A watch is a request that goes on: open ones have not ended for the server, and are answered
    // for the client.
    let open = server.requests(|c| &*c.client == "a" && c.is_watch() && c.ended.is_none());
    for entry in open {
        let plural = entry.target.expect("a resource").resource.plural;
        *seen.entry(format!("watch {plural} ok")).or_default() += 1.0;
    }
    let metrics = metrics(&a);
    let counted: BTreeMap<String, f64> = metrics
        .samples("daemonset_controller_api_requests_total")
        .map(|s| {
            let words = ["verb", "resource", "outcome"].map(|label| &*s.labels[label]);
            (words.join(" "), s.value)
        })
        .collect();
    assert_eq!(counted, seen);
    let document = document();
    for s in metrics.samples("daemonset_controller_api_requests_total") {
        for value in s.labels.values() {
            let word = format!("`{value}`");
            assert!(
                document.contains(&word),
                "docs/metrics.md does not know {word}"
            );
        }
    }
    for expected in ["forbidden", "server_error", "throttled", "already_exists"] {
        assert!(
            seen.contains_key(&format!("create pods {expected}")),
            "{seen:?}"
        );
    }
    assert!(seen.contains_key("list nodes server_error") && seen.contains_key("create events ok"));
    let syncs = |how: &str| metrics.get("daemonset_controller_syncs_total", &[("result", how)]);
    // Three refusals, in as many syncs or fewer; a name that is taken is no failure.
    let failed = syncs("error").expect("a count");
    assert!((1.0..=3.0).contains(&failed), "{failed}");
    assert!(syncs("ok") > Some(0.0));
    assert_eq!(
        metrics.get("workqueue_retries_total", &[]),
        Some(syncs("error").unwrap_or(0.0) + syncs("again").unwrap_or(0.0))
    );
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_counted_as_it_was_used() {
    let server = world(3);
    let slow = Act::Delay(Duration::from_secs(5));
    server.rule(1, |c| c.is("POST", "/controllerrevisions"), slow);
    let a = start(&server, "a");
    // The first lists are done in no time, then it watches for four seconds.
    seconds(6).await;
    let now = metrics(&a);
    let queue = [("name", "daemonset")];
    let get = |m: &Exposition, name: &str| m.get(&format!("workqueue_{name}"), &queue);
    let working = get(&now, "unfinished_work_seconds").expect("a gauge");
    assert!((1.0..3.0).contains(&working), "{working}");
    assert_eq!(
        get(&now, "longest_running_processor_seconds"),
        Some(working)
    );
    assert_eq!(get(&now, "work_duration_seconds_count"), Some(0.0));
    assert_eq!(get(&now, "queue_duration_seconds_count"), Some(1.0));
    assert_eq!(get(&now, "adds_total"), Some(1.0));
    assert_eq!(get(&now, "depth"), Some(0.0));
    seconds(60).await;
    let then = metrics(&a);
    assert_eq!(get(&then, "unfinished_work_seconds"), Some(0.0));
    let turns = get(&then, "work_duration_seconds_count").expect("a histogram");
    assert_eq!(get(&then, "queue_duration_seconds_count"), Some(turns));
    assert_eq!(then.sum("daemonset_controller_syncs_total", &[]), turns);
    let worked = get(&then, "work_duration_seconds_sum").expect("a histogram");
    assert!((5.0..6.0).contains(&worked), "{worked}");
    let long = then.sum("workqueue_work_duration_seconds_bucket", &[("le", "2.5")]);
    assert_eq!(long, turns - 1.0, "one turn took five seconds");
    // It was known before it was watched for a while: it waited for a worker so long.
    let waited = get(&then, "queue_duration_seconds_sum").expect("a histogram");
    assert!((3.9..4.2).contains(&waited), "{waited}");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn relists_and_what_cannot_be_decoded_are_counted_by_kind() {
    let server = world(2);
    let a = start(&server, "a");
    seconds(30).await;
    let of = |metrics: &Exposition, name: &str| {
        let name = format!("daemonset_controller_{name}_total");
        ["DaemonSet", "Node", "ControllerRevision", "Pod"]
            .map(|kind| metrics.get(&name, &[("kind", kind)]).expect("a count"))
    };
    assert_eq!(of(&metrics(&a), "relists"), [0.0; 4], "the first is none");
    assert_eq!(of(&metrics(&a), "decode_failures"), [0.0; 4]);
    server.cut("pods", true);
    seconds(5).await;
    server.cut("pods", true);
    server.cut("nodes", true);
    seconds(5).await;
    assert_eq!(of(&metrics(&a), "relists"), [0.0, 1.0, 0.0, 2.0]);
    let mut odd = node("odd");
    odd["spec"]["taints"] = json!("of a shape to come");
    server.put("nodes", odd);
    seconds(5).await;
    assert_eq!(of(&metrics(&a), "decode_failures"), [0.0, 1.0, 0.0, 0.0]);
    server.cut("nodes", true);
    seconds(5).await;
    assert_eq!(of(&metrics(&a), "relists"), [0.0, 2.0, 0.0, 2.0]);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_that_is_gone_and_one_that_is_not_ours_to_plan_for_are_not_in_the_metrics() {
    let server = world(2);
    server.add("daemonsets", daemon_set("other", "second"));
    let a = start(&server, "a");
    seconds(30).await;
    let known = |controller: &Controller| {
        let metrics = metrics(controller);
        let mut rows: Vec<(String, f64)> = metrics
            .samples("daemonset_controller_desired_pods")
            .map(|s| (s.labels["daemonset"].clone(), s.value))
            .collect();
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        rows
    };
    assert_eq!(
        known(&a),
        [("second".to_owned(), 2.0), ("web".to_owned(), 2.0)]
    );
    server.remove("daemonsets", "web");
    seconds(5).await;
    assert_eq!(known(&a), [("second".to_owned(), 2.0)]);
    assert_eq!(web(&a, "rollout_stuck"), None);

    let leads =
        |controller: &Controller| metrics(controller).get("daemonset_controller_leader", &[]);
    assert_eq!(leads(&a), Some(1.0));
    a.monitor.set_leader(false);
    assert_eq!((leads(&a), known(&a)), (Some(0.0), Vec::new()));
    server.add("nodes", node("n2"));
    seconds(5).await;
    assert_eq!(
        known(&a),
        [],
        "a sync that began before does not bring it back"
    );
    a.monitor.set_leader(true);
    a.monitor.set_conflict(true);
    assert_eq!(
        metrics(&a).get("daemonset_controller_conflict", &[]),
        Some(1.0)
    );
    server.add("nodes", node("n3"));
    seconds(5).await;
    assert_eq!(known(&a), [("second".to_owned(), 4.0)]);
    server.at_rest().await;
}
