//! A cluster that is so large that plans are dear: syncs are further apart, and a sync leaves the
//! status that follows from its calls to the next one.

use daemonset_controller::runtime::pace;
use daemonset_controller::sim::cluster::KUBELETS;
use daemonset_controller::sim::kubelets::GROUP_LABEL;
use serde_json::json;

use super::rollout::*;
use super::world::*;

/// Nodes that the DaemonSet does not select. A plan looks at them all the same.
const OTHERS: usize = 10_100;

#[tokio::test(start_paused = true)]
async fn a_rollout_goes_on_and_is_told_of_where_plans_are_dear() {
    assert!(pace::is_dear(OTHERS));
    let (server, _running) = covered(12, rolling(3, 0)).await;
    respec(
        &server,
        json!({"template": {"spec": {"nodeSelector": {(GROUP_LABEL): KUBELETS}}}}),
    );
    seconds(120).await;
    for i in 0..OTHERS {
        let name = format!("other-{i}");
        server.put("nodes", json!({"metadata": {"name": name}, "spec": {}}));
    }
    seconds(5).await;
    let before = version(&server);
    change_to(&server, "2", "2s");
    seconds(120).await;
    assert_rolled(&server, 12, "2");
    // Where no pod belongs none is available.
    assert_eq!(worst(&server, before).unavailable, OTHERS + 3);
    server.at_rest().await;
}
