//! Each request of the controller fails, one kind of error at a time: when the errors stop, the
//! cluster reaches the desired state, and nothing was created twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::world::*;

/// Requests of the controller: method, plural, and a part of the query or path that tells them from
/// others.
const REQUESTS: [(&str, &str, What); 18] = [
    ("GET", "daemonsets", What::List),
    ("GET", "nodes", What::List),
    ("GET", "controllerrevisions", What::List),
    ("GET", "pods", What::List),
    ("GET", "daemonsets", What::Watch),
    ("GET", "nodes", What::Watch),
    ("GET", "controllerrevisions", What::Watch),
    ("GET", "pods", What::Watch),
    ("GET", "daemonsets", What::One),
    ("GET", "pods", What::One),
    ("POST", "controllerrevisions", What::Any),
    ("POST", "pods", What::Any),
    ("PATCH", "pods", What::Any),
    ("PATCH", "controllerrevisions", What::Any),
    ("PATCH", "daemonsets", What::Any),
    ("DELETE", "pods", What::Any),
    ("DELETE", "controllerrevisions", What::Any),
    ("POST", "events", What::Any),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    List,
    Watch,
    One,
    Any,
}

impl What {
    fn is(self, entry: &Entry) -> bool {
        let one = entry.target.as_ref().is_some_and(|t| !t.name.is_empty());
        match self {
            What::Any => true,
            What::Watch => entry.is_watch(),
            What::List => !entry.is_watch() && !one,
            What::One => one,
        }
    }
}

/// The errors of successive requests of this kind.
fn errors() -> Vec<Vec<Act>> {
    let refuse = |code, reason| Act::Refuse(ApiStatus::new(code, reason, "not now"));
    let wait = Act::RefuseFor(ApiStatus::new(429, "TooManyRequests", "wait"), 3);
    vec![
        vec![
            refuse(403, "Forbidden"),
            refuse(409, "Conflict"),
            refuse(422, "Invalid"),
        ],
        vec![refuse(429, "TooManyRequests"), wait, Act::Fail],
        vec![
            refuse(500, "InternalError"),
            refuse(503, "ServiceUnavailable"),
            refuse(504, "Timeout"),
        ],
        vec![Act::Lose, Act::Hang],
    ]
}

/// Two nodes, an orphan on one of them, and a revision that is to go; of all kinds of requests
/// there is cause for one.
fn scene(method: &str, plural: &str, what: What) -> World {
    let server = world(2);
    server.edit(
        "daemonsets",
        "web",
        json!({"spec": {"revisionHistoryLimit": 0}}),
    );
    server.add("pods", orphan("left-behind", "n0"));
    let old = json!({
        "metadata": {"name": "web-old", "labels": {"app": "web", "controller-revision-hash": "old"}},
        "data": {"spec": {"template": {"$patch": "replace", "spec": {}}}}, "revision": 1,
    });
    server.add("controllerrevisions", old);
    server.kubelet();
    if (method, plural, what) == ("GET", "pods", What::One) {
        // A pod is read where it is not known what became of a request about it.
        server.rule(1, |c| c.is_for("DELETE", "pods"), Act::Lose);
        let lost = |c: &Entry| c.is_for("DELETE", "pods") && &*c.client == "a";
        server.rule(1, lost, Act::Fail);
        server.gate(
            "a",
            resource("pods"),
            Some(Gate::Lag(Duration::from_secs(5))),
        );
    }
    server
}

/// Everything that a controller does happens, while some of its requests fail.
async fn life(method: &'static str, plural: &'static str, what: What, acts: Vec<Act>) {
    let server = scene(method, plural, what);
    let hits = Arc::new(AtomicUsize::new(0));
    let said = format!("{method} {plural} {what:?} {acts:?}");
    // Of rules the last one goes first.
    for act in acts.into_iter().rev() {
        let hits = hits.clone();
        let matches = move |c: &Entry| {
            let hit = &*c.client == "a" && c.is_for(method, plural) && what.is(c);
            hits.fetch_add(usize::from(hit), Ordering::Relaxed);
            hit
        };
        server.rule(1, matches, act);
    }
    let running = start(&server, "a");
    seconds(20).await;
    server.edit("nodes", "n1", away(true));
    seconds(20).await;
    server.edit("nodes", "n1", away(false));
    server.cut(
        KINDS.into_iter().find(|k| *k == plural).unwrap_or("nodes"),
        true,
    );
    seconds(20).await;
    assert!(hits.load(Ordering::Relaxed) > 0, "no {said}");
    server.at_rest().await;
    server.assert_covered(2);
    assert!(running.is_running());
    // The pod of n1 before and after the taint, and the one that was adopted.
    assert!(
        server.pods_ever() <= 3,
        "{said}: {} pods",
        server.pods_ever()
    );
    let revisions = server.all("controllerrevisions");
    assert_eq!(revisions.len(), 1, "{said}");
    assert_eq!(owner(&revisions[0]), UID);
    assert_eq!(owner(&server.get("pods", "left-behind")), UID, "{said}");
}

/// One of these lives, by a seed.
pub async fn seed(seed: u64) {
    let errors = errors();
    let at = seed as usize;
    let (method, plural, what) = REQUESTS[at % REQUESTS.len()];
    life(
        method,
        plural,
        what,
        errors[at / REQUESTS.len() % errors.len()].clone(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn reading_fails() {
    for (method, plural, what) in REQUESTS.into_iter().filter(|r| r.0 == "GET") {
        for acts in errors() {
            life(method, plural, what, acts).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn writing_fails() {
    for (method, plural, what) in REQUESTS.into_iter().filter(|r| r.0 != "GET") {
        for acts in errors() {
            life(method, plural, what, acts).await;
        }
    }
}

/// How often a request may be tried in ten minutes: at intervals that double from 50 ms, and once
/// more for each change.
const MOST: usize = 30;

#[tokio::test(start_paused = true)]
async fn what_is_denied_for_good_is_asked_for_at_growing_intervals() {
    let asked = |r: &(&str, &str, What)| !matches!(r.2, What::List | What::Watch);
    for (method, plural, what) in REQUESTS.into_iter().filter(asked) {
        let server = scene(method, plural, what);
        let denied = Act::Refuse(ApiStatus::new(403, "Forbidden", "no"));
        let matches = move |c: &Entry| &*c.client == "a" && c.is_for(method, plural) && what.is(c);
        server.rule(usize::MAX, matches, denied);
        let running = start(&server, "a");
        seconds(20).await;
        server.edit("nodes", "n1", away(true));
        seconds(600).await;
        let tried = server.requests(matches).len();
        assert!(
            (1..=MOST).contains(&tried),
            "{method} {plural} {what:?}: {tried} times"
        );
        server.edit("nodes", "n1", away(false));
        server.at_rest().await;
        server.assert_covered(2);
        assert!(running.is_running());
    }
}
