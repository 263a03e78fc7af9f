//! Two controllers never work at once unnoticed: the real built-in controller is switched on beside
//! ours, and off again.

use jiff::Timestamp;

use crate::audit::Entry;
use crate::cluster::{Lab, SOON, name_of};
use crate::control_plane::BUILT_IN;
use crate::controller::built_in;
use crate::metrics::start;

/// Writes of ours since then, but for events.
fn writes_since(lab: &Lab, then: Timestamp) -> Vec<String> {
    let came = |e: &Entry| e.request_received_timestamp.parse::<Timestamp>();
    let entries = lab.plane.audit("controller").into_iter();
    let writes = entries.filter(|e| e.writes() && e.object_ref.resource != "events");
    let late = writes.filter(|e| came(e).is_ok_and(|came| came > then));
    late.map(|e| e.kind()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_built_in_controller_is_on_ours_stands_by_and_goes_on_when_it_is_off() {
    if built_in() {
        return;
    }
    let mut lab = Lab::alone("two-masters").await;
    lab.add_nodes(1..=3).await;
    let (mut controller, endpoints) = start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 3, SOON).await;

    let built_in = lab.plane.start_built_in();
    // Either may be the first to cover a node that joins: sooner or later it is the other one.
    let mut nodes = 3;
    while controller
        .lines_with("another DaemonSet controller is active")
        .is_empty()
    {
        controller.expect_running();
        assert!(nodes < 100, "the built-in controller never was the first");
        nodes += 1;
        lab.add_nodes(nodes..=nodes).await;
        lab.until_covered("agent", nodes as i32, 2 * SOON).await;
    }
    let (code, ready) = endpoints.ask("/readyz?verbose").await.expect("an answer");
    assert!(
        code == 200 && ready.contains("[-]conflict"),
        "{code} {ready}"
    );
    let metrics = endpoints.metrics().await;
    assert_eq!(metrics.get("daemonset_controller_conflict", &[]), Some(1.0));
    lab.until("there is an event", SOON, async || {
        let events = lab.events("ConflictingController").await;
        if events.len() == 1 {
            Ok(())
        } else {
            Err(format!("{events:?}"))
        }
    })
    .await;

    // Open requests of ours have ended once the other one has covered another node.
    lab.add_nodes(nodes + 1..=nodes + 1).await;
    lab.until_covered("agent", nodes as i32 + 1, SOON).await;
    let standing_by = Timestamp::now();
    let theirs = lab.plane.audit(BUILT_IN).len();
    lab.add_nodes(nodes + 2..=nodes + 9).await;
    lab.until_covered("agent", nodes as i32 + 9, SOON).await;
    assert_eq!(writes_since(&lab, standing_by), [""; 0]);
    assert!(lab.plane.audit(BUILT_IN).len() > theirs);

    drop(built_in);
    lab.add_nodes(nodes + 10..=nodes + 10).await;
    lab.until_covered("agent", nodes as i32 + 10, 2 * SOON)
        .await;
    let made = writes_since(&lab, standing_by);
    assert!(made.contains(&"create pods".to_owned()), "{made:?}");
    let metrics = endpoints.metrics().await;
    assert_eq!(metrics.get("daemonset_controller_conflict", &[]), Some(0.0));
    let mut names: Vec<_> = lab.pods().await.iter().map(|p| name_of(p).len()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 2, "pods of either one, and none was replaced");
}
