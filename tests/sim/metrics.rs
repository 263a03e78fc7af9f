//! What a controller says of itself is what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use daemonset_controller::plan::progress::{PATIENCE, REFUSED};
use daemonset_controller::runtime::monitor::Weight;
use daemonset_controller::sim::kubelets::lifecycle::PREFIX;
use serde_json::{Value, json};

use super::openmetrics::{Exposition, parse};
use super::world::*;

const WEB: [(&str, &str); 2] = [("namespace", "default"), ("daemonset", "web")];

/// All metrics of a controller, as Prometheus reads them.
fn metrics(controller: &Controller) -> Exposition {
    let text = controller.monitor.exposition();
    parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// A gauge of `default/web`, by the end of its name.
fn web(controller: &Controller, name: &str) -> Option<f64> {
    metrics(controller).get(&format!("daemonset_controller_{name}"), &WEB)
}

/// The counts of `default/web`: desired, current, ready, available, updated, misscheduled.
fn counts(controller: &Controller) -> [Option<f64>; 6] {
    let names = [
        "desired",
        "current",
        "ready",
        "available",
        "updated",
        "misscheduled",
    ];
    names.map(|name| web(controller, &format!("{name}_pods")))
}

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

/// How often something was done, by what and why.
fn actions(controller: &Controller) -> BTreeMap<String, f64> {
    let metrics = metrics(controller);
    let all = metrics.samples("daemonset_controller_actions_total");
    let done = all.filter(|s| s.value > 0.0);
    done.map(|s| {
        (
            format!("{} {}", s.labels["action"], s.labels["cause"]),
            s.value,
        )
    })
    .collect()
}

fn rolling(max_unavailable: u32) -> Value {
    let budget = json!({"maxUnavailable": max_unavailable, "maxSurge": 0});
    json!({"spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": budget}}})
}

/// Another template: pods of version `version` that become ready after this time.
fn version(version: u32, ready_after: &str) -> Value {
    let annotations =
        json!({"v": version.to_string(), format!("{PREFIX}ready-after"): ready_after});
    json!({"spec": {"template": {"metadata": {"annotations": annotations}}}})
}

/// Somebody changes `default/web`, by way of the API server.
fn change(server: &World, patch: Value) {
    let path = "/apis/apps/v1/namespaces/default/daemonsets/web";
    let changed = server.perform("PATCH", path, &patch);
    changed.unwrap_or_else(|why| panic!("{why}: {patch}"));
}

/// Whether the roll of `default/web` is stuck, and for how long it has been under way, in whole seconds, rounded up.
fn roll(controller: &Controller) -> (bool, u64) {
    let age = web(controller, "rollout_age_seconds").expect("it is known");
    let stuck = web(controller, "rollout_stuck").expect("it is known");
    (stuck == 1.0, age.ceil() as u64)
}

/// Lets time pass until no roll is under way.
async fn until_rolled(controller: &Controller, patience: u64) {
    for _ in 0..patience {
        if roll(controller) == (false, 0) {
            return;
        }
        seconds(1).await;
    }
    panic!("{:?}", roll(controller));
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
    // A watch is a request that goes on: open ones have not ended for the server, and are answered for the client.
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
    // The first lists are done in no time, then it watches for two seconds.
    seconds(4).await;
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
    assert!((1.9..2.2).contains(&waited), "{waited}");
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
async fn a_cluster_that_is_away_makes_watches_old_and_neither_kills_nor_unreadies() {
    let server = world(2);
    let a = start(&server, "a");
    let age = |kind: &str| {
        let name = "daemonset_controller_watch_age_seconds";
        metrics(&a).get(name, &[("kind", kind)]).expect("a gauge")
    };
    for _ in 0..60 {
        seconds(10).await;
        // Nothing happens: bookmarks, and another watch every minute or so.
        assert!(age("Pod") <= 96.0, "{}", age("Pod"));
        assert!(a.monitor.healthz().passed);
    }
    for act in [
        Act::Fail,
        Act::Hang,
        Act::Refuse(ApiStatus::new(503, "ServiceUnavailable", "no")),
    ] {
        server.rule(usize::MAX, |_| true, act);
        KINDS.into_iter().for_each(|kind| server.cut(kind, false));
        let before = age("Pod") as u64;
        for minute in 1..60 {
            seconds(60).await;
            let passed = a.monitor.healthz();
            assert!(passed.passed, "after {minute} min: {}", passed.verbose);
            let (age, away) = (age("Pod") as u64, minute * 60);
            assert!(
                (away..=away + before + 1).contains(&age),
                "{age} s after {minute} min"
            );
        }
        assert!(a.monitor.readyz().passed, "what is known stays known");
        server.clear_rules();
        seconds(70).await;
        assert!(age("Pod") <= 70.0, "{}", age("Pod"));
    }
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn writes_that_hang_for_hours_are_no_stuck_worker() {
    let server = world(60);
    server.kubelet();
    let a = start(&server, "a");
    seconds(60).await;
    server.rule(usize::MAX, |c| c.is_for("DELETE", "pods"), Act::Hang);
    server.rule(
        usize::MAX,
        |c| c.is_for("GET", "pods") && !c.is_watch(),
        Act::Hang,
    );
    (0..60).for_each(|n| server.edit("nodes", &format!("n{n}"), away(true)));
    let mut longest = 0.0;
    for minute in 0..180 {
        seconds(60).await;
        let healthy = a.monitor.healthz();
        assert!(healthy.passed, "after {minute} min: {}", healthy.verbose);
        let running = metrics(&a).sum("workqueue_longest_running_processor_seconds", &[]);
        longest = f64::max(longest, running);
    }
    // Each pod whose deletion has no answer is read back, one after another.
    assert!(longest > 660.0, "nothing was put to the test: {longest} s");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_before_it_is_ready_is_named() {
    let server = world(2);
    server.rule(
        usize::MAX,
        |c| c.is("GET", "/controllerrevisions"),
        Act::Fail,
    );
    let a = start(&server, "a");
    seconds(60).await;
    let report = a.monitor.readyz();
    assert!(!report.passed);
    let first: Vec<&str> = report
        .verbose
        .lines()
        .map(|line| line.split(':').next().unwrap_or(""))
        .collect();
    let expected = [
        "[+]cache-DaemonSet ok",
        "[+]cache-Node ok",
        "[-]cache-ControllerRevision failed",
        "[-]cache-Pod failed",
        "[+]conflict ok",
        "readyz check failed",
    ];
    assert_eq!(first, expected);
    assert!(
        a.monitor.healthz().passed,
        "{}",
        a.monitor.healthz().verbose
    );
    server.clear_rules();
    seconds(60).await;
    a.monitor
        .add_check("leader", Weight::Informs, || Err("somebody else".into()));
    a.monitor
        .add_check("mood", Weight::Informs, || Ok("good".into()));
    let report = a.monitor.readyz();
    assert!(report.passed, "what informs does not decide");
    let more = "[-]leader failed: somebody else\n[+]mood ok: good\nreadyz check passed\n";
    assert!(report.verbose.ends_with(more), "{}", report.verbose);
    a.monitor
        .add_check("late", Weight::Decides, || Err("not yet".into()));
    assert!(!a.monitor.readyz().passed);
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

#[tokio::test(start_paused = true)]
async fn a_roll_has_an_age_until_it_ends_and_a_new_template_begins_another() {
    let server = world(6);
    change(&server, rolling(1));
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    assert_eq!(roll(&a), (false, 0), "the first pods are no roll");
    change(&server, version(2, "60s"));
    seconds(61).await;
    let (stuck, age) = roll(&a);
    assert!(!stuck && (60..=62).contains(&age), "{age} s");
    seconds(60).await;
    change(&server, version(3, "20s"));
    seconds(11).await;
    let (stuck, age) = roll(&a);
    assert!(
        !stuck && (10..=12).contains(&age),
        "another template is another roll: {age} s"
    );
    seconds(30).await;
    assert!(!roll(&a).0 && roll(&a).1 >= 40);
    until_rolled(&a, 600).await;
    assert_eq!(counts(&a), [6.0, 6.0, 6.0, 6.0, 6.0, 0.0].map(Some));
    let done = actions(&a);
    assert!(done["delete Outdated"] >= 6.0, "{done:?}");
    // What happens later to pods that are up to date is no roll.
    server.ask_to_delete(
        "pods",
        server.all("pods")[0]["metadata"]["name"]
            .as_str()
            .expect("a name"),
    );
    for _ in 0..60 {
        seconds(1).await;
        assert_eq!(roll(&a), (false, 0));
    }
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_roll_whose_pods_do_not_become_ready_is_stuck_and_goes_on_when_they_do() {
    let server = world(6);
    change(&server, rolling(2));
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    // Two nodes are done before it stands still.
    for node in ["n2", "n3", "n4", "n5"] {
        let never =
            json!({"metadata": {"annotations": {(format!("{PREFIX}ready-after")): "never"}}});
        server.edit("nodes", node, never);
    }
    let second = json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}});
    change(&server, second);
    let patience = PATIENCE.as_secs() + 30;
    let mut stuck_at = None;
    for _ in 0..patience + 300 {
        seconds(1).await;
        let (stuck, age) = roll(&a);
        if stuck {
            stuck_at = Some(age);
            break;
        }
    }
    let stuck_at = stuck_at.expect("it stands still");
    assert!(
        (patience..patience + 240).contains(&stuck_at),
        "{stuck_at} s"
    );
    let [desired, _, _, available, updated, _] = counts(&a);
    assert_eq!((desired, available), (Some(6.0), Some(4.0)));
    assert!(updated < desired);
    seconds(3_600).await;
    assert!(roll(&a).0, "it stays so");
    // Mended, it takes one node after another, which is progress.
    change(&server, version(3, "1s"));
    for node in ["n2", "n3", "n4", "n5"] {
        let mended = json!({"metadata": {"annotations": {(format!("{PREFIX}ready-after")): null}}});
        server.edit("nodes", node, mended);
    }
    seconds(5).await;
    assert!(!roll(&a).0);
    until_rolled(&a, 1_200).await;
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_roll_is_not_stuck_for_being_slow() {
    let server = world(4);
    change(&server, rolling(1));
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    change(&server, json!({"spec": {"minReadySeconds": 1_200}}));
    seconds(1_300).await;
    change(&server, version(2, "500s"));
    for _ in 0..4 * 28 {
        seconds(60).await;
        assert!(!roll(&a).0, "{:?}", roll(&a));
    }
    assert!(
        roll(&a).1 > 6_000,
        "{:?}: nothing was put to the test",
        roll(&a)
    );
    until_rolled(&a, 2_000).await;
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_roll_that_rests_because_pods_are_refused_is_stuck_at_once() {
    let server = world(6);
    change(&server, rolling(2));
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    let quota = ApiStatus::new(403, "Forbidden", "exceeded quota: none");
    server.rule(usize::MAX, |c| c.is("POST", "/pods"), Act::Refuse(quota));
    change(&server, version(2, "1s"));
    let mut stuck_at = None;
    for _ in 0..300 {
        seconds(1).await;
        let (stuck, age) = roll(&a);
        if stuck {
            stuck_at = Some(age);
            break;
        }
    }
    let least = REFUSED.as_secs();
    let stuck_at = stuck_at.expect("it rests");
    assert!((least..least + 60).contains(&stuck_at), "{stuck_at} s");
    server.clear_rules();
    until_rolled(&a, 900).await;
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_out_of_order_before_does_not_keep_a_roll_from_its_end() {
    let server = world(6);
    change(&server, rolling(3));
    let never = json!({"metadata": {"annotations": {(format!("{PREFIX}ready-after")): "never"}}});
    server.edit("nodes", "n5", never);
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    assert_eq!(counts(&a)[3], Some(5.0));
    let second = json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}});
    change(&server, second);
    millis(100).await;
    assert_ne!(roll(&a), (false, 0), "it is under way");
    until_rolled(&a, 900).await;
    assert!(actions(&a)["delete Outdated"] >= 5.0);
    let [desired, _, _, available, updated, _] = counts(&a);
    assert_eq!((desired, updated), (Some(6.0), Some(6.0)));
    assert_eq!(available, Some(5.0), "that node is as it was");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_surging_roll_is_no_less_one() {
    let server = world(6);
    let strategy = json!({"maxUnavailable": 0, "maxSurge": 1});
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": strategy});
    change(&server, json!({"spec": {"updateStrategy": strategy}}));
    server.kubelet();
    let a = start(&server, "a");
    seconds(30).await;
    assert_eq!(roll(&a), (false, 0));
    change(&server, version(2, "250s"));
    seconds(2).await;
    while roll(&a) != (false, 0) {
        assert!(
            !roll(&a).0,
            "one node after another is done: {:?}",
            roll(&a)
        );
        assert!(roll(&a).1 < 6 * 260);
        seconds(10).await;
    }
    assert!(
        server.elapsed() > Duration::from_secs(6 * 250),
        "nothing was put to the test"
    );
    assert_eq!(counts(&a), [6.0, 6.0, 6.0, 6.0, 6.0, 0.0].map(Some));
    server.at_rest().await;
}

fn document() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    std::fs::read_to_string(path).expect("the document")
}

/// The rows of the tables in docs/metrics.md: name, type, labels, unit.
fn documented() -> BTreeSet<[String; 4]> {
    let text = document();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let words = |cell: &str| {
        let mut words: Vec<&str> = cell
            .split([',', ' ', '`'])
            .filter(|w| !w.is_empty())
            .collect();
        words.sort_unstable();
        words.join(" ")
    };
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .filter(|cells| cells.len() == 7)
        .map(|cells| [1, 2, 3, 4].map(|n| words(cells[n])))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_document_lists_the_metrics_that_there_are_and_no_others() {
    let server = world(3);
    let a = start(&server, "a");
    seconds(30).await;
    let metrics = metrics(&a);
    let mut exposed = BTreeSet::new();
    for family in &metrics.families {
        assert!(
            !family.samples.is_empty(),
            "{}: nothing to compare",
            family.name
        );
        let labels = family.samples[0].labels.keys().filter(|k| *k != "le");
        let labels: Vec<&str> = labels.map(String::as_str).collect();
        let suffix = match &*family.kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        exposed.insert([
            format!("{}{suffix}", family.name),
            family.kind.clone(),
            {
                let mut l = labels;
                l.sort_unstable();
                l.join(" ")
            },
            family.unit.clone(),
        ]);
        assert!(
            family.help.ends_with('.'),
            "{}: {}",
            family.name,
            family.help
        );
    }
    assert!(exposed.len() > 25, "{exposed:?}");
    let documented = documented();
    let missing: Vec<_> = exposed.difference(&documented).collect();
    let more: Vec<_> = documented.difference(&exposed).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "not in docs/metrics.md: {missing:#?}, only there: {more:#?}"
    );
    server.at_rest().await;
}

/// What the labels of small fixed sets may be is in docs/metrics.md too.
#[tokio::test(start_paused = true)]
async fn the_document_lists_every_action_with_its_cause() {
    let a = start(&world(0), "a");
    seconds(1).await;
    let text = document();
    let all = metrics(&a);
    let mut said: BTreeSet<(String, String)> = BTreeSet::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<String> = row
            .split('|')
            .map(|c| c.trim().trim_matches('`').to_owned())
            .collect();
        if cells.len() == 5 {
            said.insert((cells[1].clone(), cells[2].clone()));
        }
    }
    let counted = all.samples("daemonset_controller_actions_total");
    let counted = counted.map(|s| (s.labels["action"].clone(), s.labels["cause"].clone()));
    assert_eq!(said, counted.collect(), "left: docs/metrics.md");
}
