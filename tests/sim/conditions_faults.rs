//! The conditions of a DaemonSet when controllers die, are several, or somebody else writes them;
//! and how often they are written.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::conditions::{now, set_keys};
use super::rollout::*;
use super::world::*;

const DONE: [&str; 2] = ["Available True PodsAvailable", "Progressing True Complete"];

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_write_of_a_status_leaves_conditions_that_the_next_one_corrects() {
    let mut died = 0;
    for (nth, late) in (0..7).flat_map(|nth| [(nth, false), (nth, true)]) {
        let (server, running) = covered(3, rolling(3, 0)).await;
        set_keys(&server, json!({"canary": "1", "bake": "20s"}));
        seconds(5).await;
        let begun = server.requests_so_far();
        let count = AtomicUsize::new(0);
        let is_nth = move |c: &Entry| {
            c.is("PATCH", "/daemonsets/web/status") && count.fetch_add(1, Ordering::Relaxed) == nth
        };
        let act = if late {
            Act::Late(Duration::from_secs(2))
        } else {
            Act::Lose
        };
        server.rule(1, is_nth, act);
        change_to(&server, "2", "1s");
        for _ in 0..1_000 {
            millis(100).await;
            let sent = server.statuses().into_iter().filter(|c| c.number >= begun);
            if sent.count() > nth {
                died += 1;
                break;
            }
        }
        running.kill();
        let _second = start(&server, "b");
        seconds(200).await;
        assert_rolled(&server, 3, "2");
        assert_eq!(now(&server), DONE, "{nth} {late}");
        let complete = server.events("RolloutComplete").len();
        assert!(complete <= 1, "{nth} {late}: {complete}");
        server.at_rest().await;
    }
    assert_eq!(died, 14, "each is a write that there was");
}

#[tokio::test(start_paused = true)]
async fn a_message_alone_is_written_every_ten_seconds_at_most() {
    let server = world(3);
    set_keys(&server, json!({"budget": "strict"}));
    let _running = start(&server, "a");
    seconds(30).await;
    let states = [
        json!([{"name": "c", "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]),
        json!([{"name": "c", "restartCount": 2, "state": {"running": {}}}]),
    ];
    for node in ["n0", "n1", "n2"] {
        let bound = json!({"spec": {"nodeName": node}, "status": {"phase": "Running"}});
        server.edit("pods", &name(&[node, ""]), bound);
    }
    seconds(30).await;
    let before = server.statuses().len();
    for second in 0..100 {
        let state = states[second % 2].clone();
        let pod = name(&[["n0", "n1", "n2"][second % 3], ""]);
        server.edit(
            "pods",
            &pod,
            json!({"status": {"containerStatuses": state}}),
        );
        seconds(1).await;
    }
    let writes = server.statuses().split_off(before);
    assert!((8..=11).contains(&writes.len()), "{}", writes.len());
    for pair in writes.windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_secs(10));
    }
    seconds(15).await;
    let last = server.get("daemonsets", "web")["status"]["conditions"][0].clone();
    let message = last["message"].as_str().expect("a message");
    assert!(
        message.starts_with("3 of 3 nodes are without an available pod: "),
        "{message}"
    );
    // A count that changes is written at once, and the message with it.
    server.edit(
        "pods",
        &name(&["n0", ""]),
        json!({"status": ready("Running")}),
    );
    millis(200).await;
    let status = server.get("daemonsets", "web")["status"].clone();
    assert_eq!(status["numberReady"], 1);
    let message = status["conditions"][0]["message"].as_str();
    assert!(
        message.expect("a message").starts_with("2 of 3 nodes "),
        "{status}"
    );
    server.finish().await;
}

#[tokio::test(start_paused = true)]
async fn two_controllers_say_the_same_and_do_not_fight() {
    let (server, _a) = covered(5, rolling(2, 0)).await;
    let _b = start(&server, "b");
    seconds(30).await;
    let before = server.statuses().len();
    set_keys(&server, json!({"canary": "1", "bake": "30s"}));
    seconds(5).await;
    change_to(&server, "2", "2s");
    seconds(300).await;
    assert_rolled(&server, 5, "2");
    assert_eq!(now(&server), DONE);
    let writes = server.statuses().len() - before;
    assert!(writes < 60, "{writes}");
    seconds(3600).await;
    assert_eq!(server.statuses().len() - before, writes, "at rest");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_keeps_writing_over_them_is_answered_ever_more_seldom() {
    let (server, _running) = covered(2, rolling(1, 0)).await;
    set_keys(&server, json!({"hold": "rollout"}));
    seconds(5).await;
    let before = server.statuses().len();
    let theirs = json!([{"type": "Available", "status": "False", "reason": "Theirs"}]);
    for _ in 0..1_200 {
        let patch = json!({"status": {"conditions": theirs}});
        server.edit("daemonsets", "web", patch);
        millis(500).await;
    }
    let writes = server.statuses().len() - before;
    assert!((10..30).contains(&writes), "{writes} in ten minutes");
    seconds(120).await;
    // There is nothing that the hold would hold.
    assert_eq!(now(&server), DONE);
    server.at_rest().await;
}

/// As a built-in controller that had the cluster for a while leaves it: conditions of before, and
/// other pods.
#[tokio::test(start_paused = true)]
async fn conditions_that_somebody_left_are_corrected() {
    let (server, running) = covered(3, rolling(1, 0)).await;
    set_keys(&server, json!({"hold": "rollout"}));
    seconds(5).await;
    change_to(&server, "2", "1s");
    seconds(30).await;
    assert_eq!(now(&server)[1], "Progressing Unknown Paused");
    running.kill();
    set_keys(&server, json!({"hold": Value::Null, "budget": "strict"}));
    seconds(60).await;
    assert_eq!(
        now(&server)[1],
        "Progressing Unknown Paused",
        "nobody is there"
    );
    let _second = start(&server, "b");
    seconds(60).await;
    assert_rolled(&server, 3, "2");
    assert_eq!(now(&server), DONE);
    assert_eq!(server.events("RolloutComplete").len(), 1);
    server.at_rest().await;
}
