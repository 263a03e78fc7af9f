//! Taking over from the built-in controller and handing back to it, with pods that run for real:
//! nothing restarts, and a roll goes on in the middle.

use crate::agent::{AGENT, agent, arguments};
use crate::budget::Judge;
use crate::cluster::NODES;
use crate::installation::Way;
use crate::place::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_pod_restarts_and_no_revision_is_made() {
    let place = Place::new("takeover", Way::BuiltIn).await;
    place.cover(&agent(&[])).await;
    let before = place.uids().await;
    let revisions = || async {
        let path =
            "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.revision}{'\\n'}{end}";
        place
            .kubectl_ok(&["get", "controllerrevisions", "-o", path])
            .await
    };
    let of_built_in = revisions().await;
    let referee = place.referee().await;
    place.cluster.install(Way::Chart).await;
    // It has looked at everything, and has written what it had to: nothing.
    place
        .kubectl_ok(&["label", "daemonset", AGENT, "seen=by-ours"])
        .await;
    place.annotate(&["hold=off"]).await;
    place.until_all_available().await;
    assert_eq!(place.uids().await, before);
    assert_eq!(revisions().await, of_built_in);

    // Handed back in the middle of a roll.
    let judge = Judge::start(&place, NODES).await;
    place.annotate(&["hold-"]).await;
    place.change(&arguments(&["-linger=1s"])).await;
    place
        .until_status("one node has the new revision", |status| {
            status.updated_number_scheduled.unwrap_or(0) >= 1
        })
        .await;
    let in_the_middle = place.uids().await;
    let rolled = revisions().await;
    place.cluster.install(Way::BuiltIn).await;
    place.until_all_available().await;
    assert_eq!(revisions().await.lines().count(), rolled.lines().count());
    let after = place.uids().await;
    let kept = in_the_middle
        .iter()
        .filter(|(node, uid)| after.get(*node) == Some(uid));
    assert!(
        kept.count() >= 1,
        "what was rolled out already stays: {in_the_middle:?} {after:?}"
    );
    let worst = judge.finish(NODES * 4).await;
    assert_eq!((worst.unavailable, worst.doubled), (1, 0), "{worst:?}");
    place.end(referee, NODES * 4).await;
}
