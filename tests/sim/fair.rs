//! DaemonSets do not wait for one another, and a namespace that is deleted slows no other.

use std::time::Duration;

use daemonset_controller::sim::cluster::Part;
use serde_json::Value;

use super::world::*;

#[tokio::test(start_paused = true)]
async fn one_daemon_set_whose_creates_hang_or_fail_delays_no_other() {
    let refuse = |code, reason| Act::Refuse(ApiStatus::new(code, reason, "no"));
    for act in [
        Act::Hang,
        refuse(403, "Forbidden"),
        refuse(500, "InternalError"),
        Act::RefuseFor(ApiStatus::new(429, "TooManyRequests", "no"), 300),
        Act::Delay(Duration::from_secs(30)),
    ] {
        let said = format!("{act:?}");
        let server = world(12);
        let names = ["aa", "bad", "cc", "dd", "zz"];
        for name in names {
            server.add("daemonsets", daemon_set("default", name));
        }
        let bad =
            |c: &Entry| c.is("POST", "/pods") && c.json()["metadata"]["generateName"] == "bad-";
        server.rule(usize::MAX, bad, act);
        let _running = start(&server, "a");
        seconds(6).await;
        for name in names.into_iter().filter(|n| *n != "bad") {
            let covered = server.covered_by(&format!("ds-{name}"));
            assert_eq!(covered.len(), 12, "{said}: {name}");
        }
        server.assert_covered(12);
        // Neither later, when it has failed for long.
        seconds(200).await;
        server.add("nodes", node("late"));
        server.until_covered(13, Duration::from_secs(1)).await;
        server.at_rest().await;
        assert_eq!(server.covered_by("ds-bad").len(), 13, "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_namespace_is_emptied_and_may_come_again() {
    let server = world(5);
    for part in [Part::GarbageCollector, Part::NamespaceController] {
        server.switch(part, true);
    }
    server.kubelet();
    server.add("daemonsets", daemon_set("going", "agent"));
    let _running = start(&server, "a");
    seconds(20).await;
    assert_eq!(server.covered_by("ds-agent").len(), 5);
    let gone = server.perform("DELETE", "/api/v1/namespaces/going", &Value::Null);
    gone.expect("it is there");
    seconds(120).await;
    let namespace = server.server().get(resource("namespaces"), "", "going");
    assert!(namespace.is_none(), "{namespace:?}");
    for plural in ["pods", "daemonsets", "controllerrevisions"] {
        let left = server.all(plural).into_iter();
        let left = left.filter(|o| o["metadata"]["namespace"] == "going");
        assert_eq!(left.count(), 0, "{plural}");
    }
    assert!(server.events("FailedCreate").is_empty());
    server.assert_covered(5);
    let mut again = daemon_set("going", "agent");
    again["metadata"]["uid"] = "ds-again".into();
    server.add("daemonsets", again);
    seconds(20).await;
    assert_eq!(server.covered_by("ds-again").len(), 5);
    assert_eq!(server.deletes().len(), 0);
    server.at_rest().await;
}
