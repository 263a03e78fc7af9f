//! A new template that does not work: the roll stops at one node, whatever the reason, and a good
//! template ends it.

use serde_json::{Value, json};

use crate::agent::{agent, arguments, image};
use crate::budget::Judge;
use crate::cluster::NODES;
use crate::installation::Way;
use crate::place::Place;

/// Rolls out what does not work until a container waits for one of these reasons, then takes it
/// back.
async fn stops_at_one_node(name: &str, bad: &Value, good: &Value, reasons: &[&str]) {
    let place = Place::new(name, Way::Chart).await;
    let mut set = agent(&[]);
    set["spec"]["minReadySeconds"] = json!(5);
    place.cover(&set).await;
    let before = place.uids().await;
    let referee = place.referee().await;
    let judge = Judge::start(&place, NODES).await;
    place.change(bad).await;
    let node = place.until_waiting(reasons).await;
    let now = place.uids().await;
    for (other, uid) in &before {
        assert_eq!(
            now.get(other) == Some(uid),
            *other != node,
            "{other} of {now:?}"
        );
    }
    place.change(good).await;
    place.until_all_available().await;
    let worst = judge.finish(NODES).await;
    assert_eq!((worst.unavailable, worst.doubled), (1, 0), "{worst:?}");
    place.end(referee, NODES).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loop() {
    let bad = arguments(&["-exit-after=1s"]);
    stops_at_one_node("crash-loop", &bad, &arguments(&[]), &["CrashLoopBackOff"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_is_not_there() {
    let bad = image("localhost/nobody-made-this:1");
    let good = image("localhost/agent:2");
    stops_at_one_node("no-image", &bad, &good, &["ErrImageNeverPull"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_that_fails() {
    let place = Place::new("probe", Way::Chart).await;
    place.cover(&agent(&[])).await;
    let before = place.uids().await;
    let referee = place.referee().await;
    place.change(&arguments(&["-unready"])).await;
    place
        .until_status("one new pod that is not ready", |status| {
            status.updated_number_scheduled == Some(1) && status.number_unavailable == Some(1)
        })
        .await;
    let explained = place.explain().await;
    assert!(explained.contains("maxUnavailable"), "{explained}");
    let now = place.uids().await;
    let same = before
        .iter()
        .filter(|(node, uid)| now.get(*node) == Some(uid));
    assert_eq!(same.count(), NODES - 1, "two keep what they have");
    place.change(&arguments(&[])).await;
    place.until_all_available().await;
    place.end(referee, NODES).await;
}
