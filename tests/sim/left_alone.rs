//! A DaemonSet for which nothing can be done is logged once as left alone, and the others are
//! served.

use serde_json::{Value, json};

use super::world::*;

/// A second DaemonSet beside `web`, with this selector.
fn with_selector(name: &str, selector: Value) -> Value {
    let mut daemon_set = daemon_set("default", name);
    daemon_set["metadata"]["uid"] = json!(format!("uid-{name}"));
    daemon_set["spec"]["selector"] = selector;
    daemon_set
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_cannot_be_used_is_said_and_the_others_go_on() {
    let server = world(3);
    let strange =
        json!({"matchExpressions": [{"key": "app", "operator": "Near", "values": ["x"]}]});
    server.put("daemonsets", with_selector("strange", strange));
    let _running = start(&server, "a");
    seconds(600).await;
    server.assert_covered(3);
    let said = server.events("InvalidSelector");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("unknown operator \"Near\""), "{said:?}");
    assert!(
        server
            .statuses()
            .iter()
            .all(|c| !c.path.contains("strange"))
    );
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_selects_everything_is_said_and_nothing_else_is_done() {
    let server = world(3);
    server.put("daemonsets", with_selector("greedy", json!({})));
    let _running = start(&server, "a");
    seconds(600).await;
    server.assert_covered(3);
    let said = server.events("SelectingAll");
    assert_eq!(
        said,
        ["This daemon set is selecting all pods. A non-empty selector is required."]
    );
    assert!(server.statuses().iter().all(|c| !c.path.contains("greedy")));
    assert!(
        server
            .posts()
            .iter()
            .all(|c| !c.json().to_string().contains("greedy"))
    );
    server.at_rest().await;
}
