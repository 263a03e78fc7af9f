//! A controller dies at any request of a rollout that fails: the one that is taken back, and the
//! one that pauses and is approved. Another controller has nothing but the state in the API, and
//! what an action depends on is there before the action.

use std::collections::BTreeMap;

use daemonset_controller::model::control::{APPROVED, VERDICT};
use daemonset_controller::sim::api::store::{Change, Write};
use serde_json::{Value, json};

use super::on_failure::*;
use super::rollout::*;
use super::rollout_crashes::Death;
use super::sweep;
use super::world::*;

/// How many nodes there are, and how many may be without a pod.
const NODES: usize = 4;
const BUDGET: usize = 2;

/// Four nodes with the first version, and a controller that has read these keys.
async fn keyed(strategy: &Value, keys: &[(&str, &str)]) -> (World, Controller) {
    let (server, running) = covered(NODES, strategy.clone()).await;
    for (key, value) in keys {
        set_key(&server, key, *value);
    }
    seconds(5).await;
    (server, running)
}

/// Every value that this annotation of the newest revision ever had, with the first version at
/// which it had it.
fn recorded(server: &World, annotation: &str) -> Vec<(u64, String)> {
    let mut values: Vec<(u64, String)> = Vec::new();
    for write in server.read(|store| store.history(resource("controllerrevisions")).to_vec()) {
        let value = write.object["metadata"]["annotations"][annotation].as_str();
        let value = value.unwrap_or("").to_owned();
        let is_news = values.last().is_none_or(|(_, last)| *last != value);
        if write.object["revision"] == 2 && !value.is_empty() && is_news {
            values.push((write.version, value));
        }
    }
    values
}

/// The first version at which something of this kind happened to a pod.
fn first(server: &World, is_it: impl Fn(&Write) -> bool) -> Option<u64> {
    let history = server.read(|store| store.history(resource("pods")).to_vec());
    history.iter().find(|w| is_it(w)).map(|w| w.version)
}

fn is_of(write: &Write, v: &str) -> bool {
    write.object["metadata"]["annotations"]["v"] == v
}

/// How many pods of the first version each node ever had, and of the second.
fn ever(server: &World) -> BTreeMap<String, [usize; 2]> {
    let mut ever: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for write in server.read(|store| store.history(resource("pods")).to_vec()) {
        if write.change == Change::Added {
            let node = target(&write.object).to_owned();
            ever.entry(node).or_default()[usize::from(is_of(&write, "2"))] += 1;
        }
    }
    ever
}

/// A rollout that fails on the first nodes and is taken back, whose controller dies at its `nth`
/// request. False where it has none.
async fn dies_in_a_rollback(nth: usize, death: Death, strategy: &Value) -> bool {
    let (server, running) = keyed(strategy, &[("on-failure", "rollback")]).await;
    let (begun, before, pods) = (
        server.requests_so_far(),
        version(&server),
        server.pods_ever(),
    );
    death.await_at(&server, nth);
    // They crash before they are ready.
    change_with(&server, "2", &[("crash-after", "1s")]);
    let Some(again) = death.strike(&server, running, begun, nth, 5).await else {
        return false;
    };
    seconds(40).await;
    let said = format!("{death:?} at request {nth} of {strategy}");
    server.assert_covered(NODES);
    assert_eq!(nodes_of(&server, "1").len(), NODES, "{said}");
    assert_eq!(condition(&server, "Progressing"), is("False", "RolledBack"));
    // Only nodes that had it go back, and each once. One whose old pod had gone when the verdict
    // came gets the stable one at once.
    let touched = touched(&server, "2").len();
    assert!((1..=BUDGET).contains(&touched), "{said}: {touched}");
    let is_surging = strategy["rollingUpdate"]["maxSurge"] != 0;
    let made = server.pods_ever() - pods;
    let most = if is_surging {
        touched
    } else {
        touched + BUDGET
    };
    assert!((touched..=most).contains(&made), "{said}: {made}");
    for (node, [old, new]) in ever(&server) {
        assert!(
            old <= 1 + usize::from(!is_surging) && new <= 1,
            "{said}: {node}"
        );
    }
    let worst = worst(&server, before);
    let (unavailable, doubled) = if is_surging { (0, BUDGET) } else { (BUDGET, 0) };
    assert!(worst.unavailable <= unavailable, "{said}: {worst:?}");
    assert!(worst.doubled <= doubled, "{said}: {worst:?}");
    // One verdict, before the first pod goes for it.
    let verdicts = recorded(&server, VERDICT);
    assert_eq!(verdicts.len(), 1, "{said}: {verdicts:?}");
    let goes = |w: &Write| {
        let leaves = !w.object["metadata"]["deletionTimestamp"].is_null();
        is_of(w, "2") && (leaves || w.change == Change::Deleted)
    };
    let gone = first(&server, goes).expect("one went back");
    assert!(verdicts[0].0 < gone, "{said}");
    server.at_rest().await;
    assert!(again.is_running());
    true
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_rollback_goes_back_once_and_never_before_the_verdict() {
    for (turn, (strategy, death)) in [
        (rolling(BUDGET, 0), Death::After),
        (rolling(0, BUDGET), Death::Stuck(700)),
    ]
    .into_iter()
    .enumerate()
    {
        let stride = sweep::stride(2);
        let mut nth = turn % stride;
        while dies_in_a_rollback(nth, death, &strategy).await {
            nth += stride;
        }
        assert!(nth >= 8, "only {nth} requests were tried");
    }
}

/// A rollout that pauses in its canary and is approved, whose controller dies at its `nth` request:
/// before it pauses, or after it is approved. False where it has none.
async fn dies_in_an_approval(nth: usize, death: Death, is_approved: bool) -> bool {
    let keys = [("canary", "2"), ("on-failure", "pause")];
    let (server, mut running) = keyed(&rolling(BUDGET, 0), &keys).await;
    let (before, pods) = (version(&server), server.pods_ever());
    script(&server, "n1", "pull-fails-after", json!("0s"));
    let mut begun = server.requests_so_far();
    if !is_approved {
        death.await_at(&server, nth);
    }
    change_with(&server, "2", &[]);
    if !is_approved {
        // Until the pull has failed for long enough.
        let again = death.strike(&server, running, begun, nth, 70).await;
        let Some(again) = again else { return false };
        running = again;
    }
    seconds(90).await;
    let said = format!("{death:?} at request {nth}, approved before: {is_approved}");
    assert_eq!(
        condition(&server, "Progressing"),
        is("False", "AutoPaused"),
        "{said}"
    );
    assert_eq!(touched(&server, "2").len(), 2, "{said}");
    if is_approved {
        begun = server.requests_so_far();
        death.await_at(&server, nth);
    }
    set_key(&server, "approve", hash_of_newest(&server));
    if is_approved {
        let again = death.strike(&server, running, begun, nth, 5).await;
        let Some(again) = again else { return false };
        running = again;
    }
    seconds(90).await;
    assert_eq!(condition(&server, "Progressing"), is("True", "Rolling"));
    server.assert_covered(NODES);
    assert_eq!(nodes_of(&server, "2").len(), NODES, "{said}");
    assert_eq!(server.pods_ever(), pods + NODES, "{said}");
    let worst = worst(&server, before);
    assert!(worst.unavailable <= BUDGET, "{said}: {worst:?}");
    // One approval, before another node follows.
    let approvals = recorded(&server, APPROVED);
    assert_eq!(approvals.len(), 1, "{said}: {approvals:?}");
    let follows = |w: &Write| is_of(w, "2") && ["n2", "n3"].contains(&target(&w.object));
    let followed = first(&server, follows).expect("others followed");
    assert!(approvals[0].0 < followed, "{said}");
    assert_eq!(recorded(&server, VERDICT).len(), 1, "{said}");
    server.at_rest().await;
    assert!(running.is_running());
    true
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_pause_and_its_approval_goes_on_once_and_only_when_approved() {
    for (is_approved, death) in [(false, Death::After), (true, Death::Stuck(700))] {
        let mut nth = 0;
        while dies_in_an_approval(nth, death, is_approved).await {
            nth += 1;
        }
        assert!(nth >= 4, "only {nth} requests were tried");
    }
}
