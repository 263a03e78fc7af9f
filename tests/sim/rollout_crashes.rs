//! A controller dies at any request of a rollout, and another begins with nothing but the state in
//! the API: the rollout goes on, within the budget, and no pod is replaced twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daemonset_controller::model::control::COMPLETED;
use serde_json::{Value, json};

use super::rollout::*;
use super::sweep;
use super::world::*;

/// When and how it dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Death {
    /// Before the request is carried out.
    Before,
    /// After it is carried out, before the answer is read.
    After,
    /// Before, and the request is on its way for so many milliseconds more.
    Stuck(u64),
}

/// A request of the controller that is of its plans.
pub fn counts(c: &Entry) -> bool {
    &*c.client == "a" && !c.is_upkeep() && !c.is_for(&c.method, "events")
}

impl Death {
    /// From now on it dies so at its `nth` request.
    pub fn await_at(self, server: &World, nth: usize) {
        let act = match self {
            Death::Before => return,
            Death::After => Act::Late(Duration::from_millis(1)),
            Death::Stuck(time) => Act::Strand(Duration::from_millis(time)),
        };
        let count = AtomicUsize::new(0);
        let is_nth = move |c: &Entry| counts(c) && count.fetch_add(1, Ordering::Relaxed) == nth;
        server.rule(1, is_nth, act);
    }

    /// Controller `a` dies at its `nth` request after `begun` ones of all, and another one takes
    /// over. None where it sends nothing for so many seconds before.
    pub async fn strike(
        self,
        server: &World,
        running: Controller,
        begun: usize,
        nth: usize,
        patience: u64,
    ) -> Option<Controller> {
        let mut seen = begun;
        for _ in 0..=nth {
            let patience = Duration::from_secs(patience);
            let next = server.next_request(seen, patience, counts).await?;
            seen = next.number + 1;
        }
        if self == Death::After {
            millis(1).await; // done, and the answer is under way
        }
        running.kill();
        server.clear_rules();
        Some(start(server, "a"))
    }
}

/// How many nodes there are.
const NODES: usize = 2;

/// A rollout whose controller dies at its `nth` request. False where it has none.
async fn dies_at(nth: usize, death: Death, strategy: Value, keys: &Value) -> bool {
    let (server, running) = covered(NODES, strategy.clone()).await;
    let annotations = json!({"metadata": {"annotations": keys}});
    server.edit("daemonsets", "web", annotations);
    seconds(5).await;
    let (begun, before) = (server.requests_so_far(), version(&server));
    let pods = server.pods_ever();
    death.await_at(&server, nth);
    change_to(&server, "2", "500ms");
    let Some(again) = death.strike(&server, running, begun, nth, 5).await else {
        return false;
    };
    seconds(30).await;
    let said = format!("{death:?} at request {nth} of {strategy}");
    assert_rolled(&server, NODES, "2");
    assert_eq!(server.pods_ever(), pods + NODES, "{said}");
    let posts = server.requests(|c| c.number >= begun && c.is("POST", "/controllerrevisions"));
    assert!(
        posts.iter().filter(|p| p.code == 201).count() <= 1,
        "{said}"
    );
    let worst = worst(&server, before);
    assert!(worst.unavailable + worst.doubled <= 1, "{said}: {worst:?}");
    server.at_rest().await;
    assert!(again.is_running());
    let revisions = server.all("controllerrevisions");
    let newest = revisions.iter().max_by_key(|r| r["revision"].as_i64());
    let is_completed = newest.is_some_and(|r| r["metadata"]["annotations"][COMPLETED].is_string());
    assert_eq!(is_completed, keys.is_object(), "{said}");
    true
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_rollout_costs_no_more_than_the_rollout() {
    for (turn, (strategy, death)) in [
        (rolling(1, 0), Death::Before),
        (rolling(1, 0), Death::After),
        (rolling(1, 0), Death::Stuck(700)),
        (rolling(0, 1), Death::Before),
        (rolling(0, 1), Death::Stuck(700)),
    ]
    .into_iter()
    .enumerate()
    {
        // A part begins at another request each time, so that none is left out of all of them.
        let stride = sweep::stride(3);
        let mut nth = turn % stride;
        while dies_at(nth, death, strategy.clone(), &Value::Null).await {
            nth += stride;
        }
        assert!(nth >= 8, "only {nth} requests were tried");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_rollout_by_eviction_replaces_no_pod_twice() {
    let keys = json!({"daemonset-controller.io/replace-by": "eviction"});
    for (turn, (strategy, death)) in [
        (rolling(1, 0), Death::Before),
        (rolling(1, 0), Death::After),
        (rolling(0, 1), Death::Stuck(700)),
    ]
    .into_iter()
    .enumerate()
    {
        let stride = sweep::stride(3);
        let mut nth = turn % stride;
        while dies_at(nth, death, strategy.clone(), &keys).await {
            nth += stride;
        }
        assert!(nth >= 8, "only {nth} requests were tried");
    }
}

/// S8 is among the promises that are judged at the end.
#[tokio::test(start_paused = true)]
async fn a_crash_at_any_request_of_a_staged_rollout_releases_nobody_early() {
    let key = |key: &str| format!("daemonset-controller.io/{key}");
    let keys = json!({(key("canary")): "1", (key("bake")): "2s", (key("budget")): "strict"});
    for (turn, (strategy, death)) in [
        (rolling(1, 0), Death::After),
        (rolling(0, 1), Death::Stuck(700)),
    ]
    .into_iter()
    .enumerate()
    {
        let stride = sweep::stride(2);
        let mut nth = turn % stride;
        while dies_at(nth, death, strategy.clone(), &keys).await {
            nth += stride;
        }
        assert!(nth >= 10, "only {nth} requests were tried");
    }
}
