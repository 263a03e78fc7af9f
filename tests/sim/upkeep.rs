//! Adoption, release, revisions, availability and backoff: each at the right moment, and with no
//! request too many.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::*;

fn labelled(app: &str) -> Value {
    json!({"metadata": {"labels": {"app": app}}})
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_stops_matching_is_released_and_one_that_matches_again_is_a_duplicate() {
    let server = world(1);
    server.kubelet();
    let _running = start(&server, "a");
    seconds(10).await;
    let first = name(&["n0", ""]);
    server.edit("pods", &first, labelled("other"));
    seconds(10).await;
    assert_eq!(owner(&server.get("pods", &first)), "");
    assert!(is_live(&server.get("pods", &first)));
    server.assert_covered(1);
    assert_eq!(server.posts().len(), 2);
    server.edit("pods", &first, labelled("web"));
    seconds(10).await;
    // The older one stays.
    server.assert_covered(1);
    assert_eq!(owner(&server.get("pods", &first)), UID);
    assert_eq!(names(&server.deletes()), names(&server.posts()[1..]));
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn revisions_follow_the_template_and_an_undone_change_makes_none() {
    let server = world(2);
    server.edit(
        "daemonsets",
        "web",
        json!({"spec": {"revisionHistoryLimit": 1}}),
    );
    server.kubelet();
    let _running = start(&server, "a");
    let revisions = || -> Vec<i64> {
        let all = server.all("controllerrevisions");
        let mut all: Vec<i64> = all.iter().filter_map(|r| r["revision"].as_i64()).collect();
        all.sort_unstable();
        all
    };
    // Pods of an old revision keep it; so they are deleted by hand, as OnDelete has it.
    let renew = || {
        for pod in server.all("pods") {
            server.ask_to_delete("pods", pod["metadata"]["name"].as_str().unwrap_or(""));
        }
    };
    let image = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}});
    seconds(10).await;
    assert_eq!(revisions(), [1]);
    for (to, expected) in [
        ("i:2", vec![1, 2]),
        ("i:3", vec![2, 3]),
        ("i:2", vec![3, 4]),
    ] {
        let patch = image(to);
        let path = "/apis/apps/v1/namespaces/default/daemonsets/web";
        server.perform("PATCH", path, &patch).expect("a patch");
        seconds(10).await;
        renew();
        seconds(30).await;
        assert_eq!(revisions(), expected, "{to}");
        server.assert_covered(2);
        let status = server.get("daemonsets", "web")["status"].clone();
        assert_eq!(status["updatedNumberScheduled"], 2, "{to}");
    }
    let posts = server.requests(|c| c.is("POST", "/controllerrevisions"));
    assert_eq!(codes(&posts), [201; 3]);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_pod_becomes_available_when_it_has_been_ready_for_min_ready_seconds() {
    let server = world(1);
    server.edit(
        "daemonsets",
        "web",
        json!({"spec": {"minReadySeconds": 30}}),
    );
    server.kubelet();
    let _running = start(&server, "a");
    seconds(10).await;
    let pod = server.get("pods", &name(&["n0", ""]));
    let conditions = pod["status"]["conditions"].as_array().expect("conditions");
    let ready = conditions
        .iter()
        .find(|c| c["type"] == "Ready")
        .expect("Ready");
    let ready: jiff::Timestamp = ready["lastTransitionTime"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let due = ready.as_second() + 30;
    let before = server.statuses().len();
    while server.statuses().len() == before {
        millis(1).await;
        assert!(server.now().as_second() < due + 2);
    }
    let write = server.statuses().pop().expect("one");
    assert_eq!(write.json()["status"]["numberAvailable"], 1);
    let began = server.now();
    let late = began.as_millisecond() - due * 1_000;
    // The request itself was noted at this very millisecond.
    assert!((0..20).contains(&late), "{late} ms late");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn the_pauses_between_failed_pods_double_to_a_quarter_of_an_hour_and_are_kept_to_the_millisecond()
 {
    let server = world(1);
    server.kubelet_that("fail-after", "0s");
    let _running = start(&server, "a");
    seconds(4_000).await;
    let deletes = server.deletes();
    let gaps: Vec<Duration> = deletes.windows(2).map(|w| w[1].at - w[0].at).collect();
    for (n, gap) in gaps.iter().enumerate() {
        let pause = Duration::from_secs((1 << n.min(10)).min(900));
        let late = gap.saturating_sub(pause);
        assert!(
            *gap >= pause && late < Duration::from_millis(20),
            "{gaps:?}"
        );
    }
    assert!((12..=14).contains(&gaps.len()), "{gaps:?}");
    server.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rolling_update_ends_with_all_pods_new_and_nothing_broken_on_the_way() {
    for rolling in [
        json!({"maxUnavailable": 2, "maxSurge": 0}),
        json!({"maxUnavailable": 0, "maxSurge": 2}),
    ] {
        let server = world(6);
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": rolling});
        server.edit(
            "daemonsets",
            "web",
            json!({"spec": {"updateStrategy": strategy}}),
        );
        server.kubelet();
        let _running = [start(&server, "a"), start(&server, "b")];
        seconds(10).await;
        let path = "/apis/apps/v1/namespaces/default/daemonsets/web";
        for version in ["2", "3"] {
            let template = json!({"metadata": {"annotations": {"v": version}}});
            let patch = json!({"spec": {"template": template}});
            server.perform("PATCH", path, &patch).expect("a patch");
            seconds(60).await;
            let status = server.get("daemonsets", "web")["status"].clone();
            assert_eq!(status["updatedNumberScheduled"], 6, "{status}");
        }
        server.assert_covered(6);
        server.at_rest().await;
    }
}
