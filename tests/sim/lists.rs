//! Lists that go back in time, watches that expire, objects of unknown shape: none of them leads to
//! a second pod or a lost one.

use std::time::Duration;

use serde_json::json;

use super::world::*;

#[tokio::test(start_paused = true)]
async fn expired_watches_in_the_middle_of_creating_double_nothing() {
    let server = world(60);
    server.rule(
        usize::MAX,
        |c| c.is("POST", "/pods"),
        Act::Delay(Duration::from_millis(50)),
    );
    let _running = start(&server, "a");
    for plural in [
        "pods",
        "pods",
        "nodes",
        "controllerrevisions",
        "daemonsets",
        "pods",
    ] {
        millis(40).await;
        server.cut(plural, true);
    }
    seconds(60).await;
    assert!(
        server
            .requests(|c| c.is("GET", "/pods") && !c.query.contains("watch"))
            .len()
            >= 2
    );
    assert_eq!(codes(&server.posts()), [201; 60]);
    assert!(server.deletes().is_empty());
    server.assert_covered(60);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_newer_than_a_list_survives_it() {
    let server = world(30);
    let _running = start(&server, "a");
    seconds(10).await;
    // From now on only answers tell of pods, and a list that was read before the next creates
    // arrives after them.
    server.freeze("a", "pods", true);
    let list = |c: &Entry| c.is("GET", "/pods") && !c.query.contains("watch");
    server.rule(1, list, Act::Late(Duration::from_secs(5)));
    server.cut("pods", true);
    seconds(1).await;
    (30..40).for_each(|n| server.add("nodes", node(&format!("n{n}"))));
    seconds(1).await;
    server.assert_covered(40);
    seconds(10).await;
    assert!(
        server
            .requests(list)
            .last()
            .is_some_and(|l| l.ended.is_some())
    );
    server.add("nodes", node("n40"));
    seconds(60).await;
    assert_eq!(codes(&server.posts()), [201; 41]);
    assert!(server.deletes().is_empty());
    assert_eq!(
        server.get("daemonsets", "web")["status"]["currentNumberScheduled"],
        41
    );
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_cut_goes_on_where_it_was() {
    let server = world(5);
    server.kubelet();
    let _running = start(&server, "a");
    seconds(30).await;
    for n in 5..10 {
        for plural in ["pods", "nodes", "daemonsets"] {
            server.cut(plural, false);
        }
        server.add("nodes", node(&format!("n{n}")));
        seconds(30).await;
    }
    server.assert_covered(10);
    assert_eq!(server.posts().len(), 10);
    let lists = server.requests(|c| &*c.client == "a" && c.is("GET", "/nodes") && !c.is_watch());
    assert_eq!(lists.len(), 1);
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_with_a_pod_that_cannot_be_read_is_left_as_it_is() {
    for at_start in [true, false] {
        let server = world(2);
        let mut odd = pod("odd", "n0");
        odd["spec"]["tolerations"] = json!("of a shape to come");
        odd["status"]["conditions"] = json!("likewise");
        odd["metadata"]["labels"] = json!(7);
        if at_start {
            server.put("pods", odd);
            let _running = start(&server, "a");
            seconds(60).await;
            assert_eq!(server.posts().len(), 1);
        } else {
            let _running = start(&server, "a");
            seconds(10).await;
            server.remove("pods", &name(&["n0", ""]));
            server.put("pods", odd);
            seconds(60).await;
            server.edit("nodes", "n0", away(true));
            seconds(60).await;
            server.edit("nodes", "n0", away(false));
            seconds(60).await;
        }
        assert!(server.deletes().is_empty());
        assert!(is_live(&server.get("pods", "odd")));
        assert_eq!(server.covered()["n1"], 1);
        assert_eq!(server.covered()["n0"], 1);
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn relists_that_come_late_or_fail_amid_two_hundred_and_fifty_creates_double_nothing() {
    for answer in [
        None,
        Some(Act::Late(Duration::from_millis(700))),
        Some(Act::Fail),
    ] {
        let fails = matches!(answer, Some(Act::Fail));
        let server = world(250);
        let slow = Act::Delay(Duration::from_millis(200));
        server.rule(usize::MAX, |c| c.is("POST", "/pods"), slow);
        let _running = start(&server, "a");
        // The creates have begun: without a watch of pods none would begin.
        seconds(4).await;
        if let Some(act) = answer {
            let list = |c: &Entry| c.method == "GET" && c.path.starts_with("/api") && !c.is_watch();
            server.rule(12, list, act);
        }
        for round in 0..12 {
            millis(150).await;
            server.cut("pods", true);
            if round % 3 == 0 {
                KINDS.into_iter().for_each(|kind| server.cut(kind, true));
            }
        }
        let made = server.covered().len();
        // Where neither a watch nor a list tells of pods, none is made.
        let at_least = usize::from(!fails);
        assert!((at_least..250).contains(&made), "in the middle: {made}");
        seconds(120).await;
        assert_eq!(codes(&server.posts()), [201; 250]);
        assert!(server.deletes().is_empty());
        server.assert_covered(250);
        server.at_rest().await;
    }
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_every_few_seconds_cost_no_list_and_lose_nothing() {
    let server = world(5);
    server.kubelet();
    let _running = start(&server, "a");
    seconds(10).await;
    let before = server.requests_so_far();
    for n in 0..60 {
        server.end_watches(resource(KINDS[n % 4]));
        match n % 3 {
            0 => server.add("nodes", node(&format!("late-{n}"))),
            1 => server.edit("nodes", &format!("n{}", n % 5), away(true)),
            _ => (0..5).for_each(|n| server.edit("nodes", &format!("n{n}"), away(false))),
        }
        seconds(3).await;
    }
    seconds(10).await;
    server.assert_covered(25);
    let list = |c: &Entry| c.number >= before && &*c.client == "a" && c.method == "GET";
    let lists = server.requests(|c| list(c) && !c.is_watch() && !c.path.contains("/pods/"));
    assert!(lists.is_empty(), "{lists:?}");
    server.at_rest().await;
}
