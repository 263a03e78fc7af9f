use std::time::Duration;

use rand::{SeedableRng, rngs::StdRng};
use tokio::time::{advance, sleep};

use crate::{
    model::Interner,
    plan::{Rollout, revisions::CurrentRevision},
    wire,
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn running(monitor: &Monitor) -> (Arc<Queue<Key>>, Arc<Pulse>) {
    let queue = Queue::new(StdRng::seed_from_u64(1), Duration::ZERO);
    let (queue, pulse) = (Arc::new(queue), Arc::default());
    monitor.attach(&queue, &pulse);
    (queue, pulse)
}

fn lines(report: &Report) -> Vec<&str> {
    let failed = report.verbose.lines().filter(|l| l.starts_with("[-]"));
    failed.collect()
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_takes_no_turn_is_dead_and_one_that_has_not_begun_is_not() {
    let monitor = Monitor::new();
    let (_queue, pulse) = running(&monitor);
    let beating = tokio::spawn(async move { pulse.run().await });
    sleep(DEAD_WATCH * 2).await;
    assert!(monitor.healthz().passed, "none has begun");
    monitor.watched(Kind::Pod, Watched::list_began);
    monitor.watched(Kind::Node, Watched::list_began);
    sleep(DEAD_WATCH).await;
    assert!(monitor.healthz().passed);
    // A request that is refused is progress all the same.
    monitor.watched(Kind::Node, |w, now| w.asked(false, now));
    sleep(SECOND).await;
    let report = monitor.healthz();
    assert!(!report.passed);
    assert_eq!(
        lines(&report),
        ["[-]watch-Pod failed: list and watch made no progress for 301 s"]
    );
    // The whole process is halted: all loops have their full time again.
    advance(DEAD_WATCH * 10).await;
    assert!(monitor.healthz().passed, "{}", monitor.healthz().verbose);
    sleep(DEAD_WATCH + SECOND).await;
    assert_eq!(lines(&monitor.healthz()).len(), 2);
    beating.abort();
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_is_not_heard_of_is_stuck() {
    let monitor = Monitor::new();
    let (queue, _pulse) = running(&monitor);
    let key = Key::new("default", "web");
    queue.add(key.clone());
    sleep(STUCK_WORKER * 2).await;
    assert!(monitor.healthz().passed, "waiting is not being stuck");
    assert_eq!(queue.take().await.as_ref(), Some(&key));
    for _ in 0..10 {
        sleep(STUCK_WORKER).await;
        assert!(monitor.healthz().passed);
        queue.hear(&key);
    }
    sleep(STUCK_WORKER + SECOND).await;
    let report = monitor.healthz();
    assert!(!report.passed);
    assert_eq!(
        lines(&report),
        ["[-]workers failed: the sync of daemonset default/web made no progress for 601 s"]
    );
    queue.done(&key, crate::runtime::queue::Outcome::Ok);
    assert!(monitor.healthz().passed);
}

/// A plan in the middle of a rollout.
fn plan() -> Plan {
    Plan {
        revision: Some(CurrentRevision {
            name: "web-b".into(),
            hash: "b".into(),
            number: 2,
            create: false,
        }),
        rollout: Some(Rollout {
            desired: 10,
            done: 3,
            old: 7,
            ..Rollout::default()
        }),
        status: Some(DaemonSetStatus::default()),
        ..Plan::default()
    }
}

fn daemon_set() -> DaemonSet {
    let json = r#"{"metadata": {"namespace": "default", "name": "web", "uid": "u", "resourceVersion": "1"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {}}}}"#;
    let raw: &serde_json::value::RawValue = serde_json::from_str(json).expect("JSON");
    wire::daemon_set::decode(raw, &mut Interner::default()).expect("a DaemonSet")
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_of_the_same_name_is_another_one() {
    let monitor = Monitor::new();
    monitor.set_leader(true);
    let key = Key::new("default", "web");
    let plan = plan();
    let mut ds = daemon_set();
    monitor.planned(&key, &ds, &plan, Time::default());
    monitor.carried_out(&key, true);
    sleep(SECOND * 100).await;
    let stuck = |monitor: &Monitor| {
        let rows = lock(&monitor.rows);
        let row = &rows[&key];
        let rollout = row.rollout.as_ref().expect("under way");
        let now = monitor.now();
        let stuck = rollout.stuck_since(row.refused, now);
        (rollout.age(now), stuck.is_some())
    };
    assert_eq!(stuck(&monitor), (SECOND * 100, true));
    ds.uid = "other".into();
    monitor.planned(&key, &ds, &plan, Time::default());
    assert_eq!(stuck(&monitor), (Duration::ZERO, false));
    // A DaemonSet that is left alone has no counts.
    monitor.planned(
        &key,
        &ds,
        &Plan::leave_alone(crate::plan::LeftAlone::BeingDeleted),
        Time::default(),
    );
    assert!(lock(&monitor.rows).is_empty());
    monitor.carried_out(&key, true);
    assert!(lock(&monitor.rows).is_empty());
}
