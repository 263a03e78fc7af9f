//! Lists go back in time, watches expire, objects are of unknown shape: nothing is doubled or dropped for that.

use std::time::Duration;

use serde_json::json;

use super::server::Act;
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
            .calls(|c| c.is("GET", "/pods") && !c.query.contains("watch"))
            .len()
            >= 2
    );
    assert_eq!(codes(&server.posts()), [201; 60]);
    assert!(server.deletes().is_empty());
    server.assert_covered(60);
}

#[tokio::test(start_paused = true)]
async fn what_is_newer_than_a_list_survives_it() {
    let server = world(30);
    let _running = start(&server, "a");
    seconds(10).await;
    // From now on only answers tell of pods, and a list that was read before the next creates arrives after them.
    server.freeze("a", "pods", true);
    let list = |c: &super::server::Call| c.is("GET", "/pods") && !c.query.contains("watch");
    server.rule(1, list, Act::Late(Duration::from_secs(5)));
    server.cut("pods", true);
    seconds(1).await;
    (30..40).for_each(|n| server.add("nodes", node(&format!("n{n}"))));
    seconds(1).await;
    server.assert_covered(40);
    seconds(10).await;
    assert!(server.calls(list).last().is_some_and(|l| l.ended.is_some()));
    server.add("nodes", node("n40"));
    seconds(60).await;
    assert_eq!(codes(&server.posts()), [201; 41]);
    assert!(server.deletes().is_empty());
    assert_eq!(
        server.get("daemonsets", "web")["status"]["currentNumberScheduled"],
        41
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_cut_goes_on_where_it_was() {
    let server = world(5);
    server.kubelet(ready("Running"));
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
    let lists = server.calls(|c| c.is("GET", "/nodes") && !c.query.contains("watch"));
    assert_eq!(lists.len(), 1);
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
            server.add("pods", odd);
            let _running = start(&server, "a");
            seconds(60).await;
            assert_eq!(server.posts().len(), 1);
        } else {
            let _running = start(&server, "a");
            seconds(10).await;
            server.replace("pods", &name(&["n0", ""]), odd);
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
    }
}
