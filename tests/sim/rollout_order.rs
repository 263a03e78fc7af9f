//! The oldest pods are replaced first, ties by the node's name. With OnDelete none is replaced.

use serde_json::json;

use super::rollout::*;
use super::world::*;

#[tokio::test(start_paused = true)]
async fn the_oldest_pods_go_first_and_ties_go_by_the_nodes_name() {
    let server = world(0);
    respec(&server, json!({"updateStrategy": rolling(1, 0)}));
    server.kubelet();
    let _running = start(&server, "a");
    seconds(5).await;
    for names in [["m", "x"], ["n10", "n9"], ["a", "z"]] {
        for name in names {
            server.add("nodes", node(name));
        }
        seconds(5).await;
    }
    change_to(&server, "2", "1s");
    seconds(60).await;
    assert_eq!(gone_from(&server), ["m", "x", "n10", "n9", "a", "z"]);
    // All pods are new now, in that order.
    change_to(&server, "3", "1s");
    seconds(60).await;
    assert_eq!(gone_from(&server)[6..], ["m", "x", "n10", "n9", "a", "z"]);
    assert_rolled(&server, 6, "3");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn with_on_delete_what_somebody_deletes_is_replaced_by_the_new_and_nothing_else() {
    let (server, _running) = covered(4, json!({"type": "OnDelete"})).await;
    change(&server, "2");
    seconds(600).await;
    assert_eq!(gone_from(&server), [""; 0]);
    assert_eq!(nodes_of(&server, "1").len(), 4);
    server.ask_to_delete("pods", &name(&["n2", ""]));
    seconds(60).await;
    assert_eq!(nodes_of(&server, "2"), ["n2".to_owned()].into());
    server.assert_covered(4);
    assert_eq!(gone_from(&server), [""; 0]);
    server.at_rest().await;
}
