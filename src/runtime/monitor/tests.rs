use std::time::Duration;

use rand::{SeedableRng, rngs::StdRng};
use tokio::time::{advance, sleep};

use crate::{
    cache::Cache,
    model::{Interner, Time},
    plan::{Rollout, revisions::CurrentRevision},
    runtime::queue::Queue,
    wire,
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn shared(monitor: &Arc<Monitor>) -> Arc<Shared> {
    let queue = Queue::new(StdRng::seed_from_u64(1), Duration::ZERO);
    let clock = Arc::new(Time::default);
    Shared::new(Cache::default(), queue, clock, monitor.clone())
}

fn lines(report: &Report) -> Vec<&str> {
    let failed = report.verbose.lines().filter(|l| l.starts_with("[-]"));
    failed.collect()
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_takes_no_turn_is_dead_and_one_that_has_not_begun_is_not() {
    let monitor = Monitor::new();
    let shared = shared(&monitor);
    let beating = tokio::spawn({
        let shared = shared.clone();
        async move { shared.pulse.run().await }
    });
    sleep(DEAD_WATCH * 2).await;
    assert!(monitor.healthz().passed, "none has begun");
    monitor.watched(Kind::Pod, Watched::list_began);
    monitor.watched(Kind::Node, Watched::list_began);
    sleep(DEAD_WATCH).await;
    assert!(monitor.healthz().passed);
    // Refused is a turn all the same.
    monitor.watched(Kind::Node, |w, now| w.asked(false, now));
    sleep(SECOND).await;
    let report = monitor.healthz();
    assert!(!report.passed);
    assert_eq!(
        lines(&report),
        ["[-]watch-Pod failed: list and watch did nothing for 301 s"]
    );
    // The whole process is halted: what stood still gets its time again.
    advance(DEAD_WATCH * 10).await;
    assert!(monitor.healthz().passed, "{}", monitor.healthz().verbose);
    sleep(DEAD_WATCH + SECOND).await;
    assert_eq!(lines(&monitor.healthz()).len(), 2);
    beating.abort();
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_is_not_heard_of_is_stuck() {
    let monitor = Monitor::new();
    let shared = shared(&monitor);
    let key = Key::new("default", "web");
    shared.queue.add(key.clone());
    sleep(STUCK_WORKER * 2).await;
    assert!(monitor.healthz().passed, "waiting is not being stuck");
    assert_eq!(shared.queue.take().await.as_ref(), Some(&key));
    for _ in 0..10 {
        sleep(STUCK_WORKER).await;
        assert!(monitor.healthz().passed);
        shared.queue.hear(&key);
    }
    sleep(STUCK_WORKER + SECOND).await;
    let report = monitor.healthz();
    assert!(!report.passed);
    assert_eq!(
        lines(&report),
        ["[-]workers failed: the sync of daemonset default/web was not heard of for 601 s"]
    );
    shared.queue.done(&key, crate::runtime::queue::Outcome::Ok);
    assert!(monitor.healthz().passed);
}

/// A roll of so many nodes, of which so many are done.
fn seen(desired: usize, done: usize) -> (Plan, DaemonSetStatus) {
    let plan = Plan {
        revision: Some(CurrentRevision {
            name: "web-b".into(),
            hash: "b".into(),
            number: 2,
            create: false,
        }),
        rollout: Some(Rollout {
            desired,
            done,
            old: desired - done,
            ..Rollout::default()
        }),
        ..Plan::default()
    };
    let count = |n: usize| i32::try_from(n).expect("a few");
    let status = DaemonSetStatus {
        desired_number_scheduled: count(desired),
        current_number_scheduled: count(desired),
        number_available: count(desired),
        updated_number_scheduled: count(done),
        ..DaemonSetStatus::default()
    };
    (plan, status)
}

/// A DaemonSet whose nodes may take 11 minutes each.
fn daemon_set() -> DaemonSet {
    let json = r#"{"metadata": {"namespace": "default", "name": "web", "uid": "u", "resourceVersion": "1"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "minReadySeconds": 20, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"terminationGracePeriodSeconds": 40}}}}"#;
    let raw = serde_json::from_str(json).expect("JSON");
    wire::daemon_set::decode(raw, &mut Interner::default()).expect("a DaemonSet")
}

#[tokio::test(start_paused = true)]
async fn a_roll_goes_on_while_nodes_come_and_go() {
    let ds = daemon_set();
    let next = |roll: Option<Roll>, desired, done| {
        let (plan, status) = seen(desired, done);
        Roll::next(roll, &ds, &plan, &status, Instant::now())
    };
    let stuck = |roll: &Option<Roll>| {
        let roll = roll.as_ref().expect("under way");
        roll.is_stuck(None, Instant::now())
    };
    let whole = Duration::from_secs(660);
    let mut roll = next(None, 100, 10);
    sleep(whole).await;
    assert!(!stuck(&roll));
    // Thirty nodes join, and what is left grows: what is done after that is progress all the same.
    roll = next(roll, 130, 10);
    sleep(SECOND).await;
    assert!(stuck(&roll), "nodes that join are none");
    roll = next(roll, 130, 11);
    assert!(!stuck(&roll));
    sleep(whole).await;
    // Nodes that were done leave, so there is no less to do.
    roll = next(roll, 120, 1);
    sleep(SECOND).await;
    assert!(stuck(&roll));
    roll = next(roll, 120, 2);
    assert!(!stuck(&roll));
    // A pod that is available, then not, and then again is no progress.
    sleep(whole).await;
    roll = next(roll, 120, 1);
    roll = next(roll, 120, 2);
    sleep(SECOND).await;
    assert!(stuck(&roll));
    assert_eq!(
        roll.as_ref().map(|r| r.age(Instant::now())),
        Some(whole * 3 + SECOND * 3)
    );
    assert_eq!(next(roll, 120, 120), None, "all is done");
}

#[tokio::test(start_paused = true)]
async fn a_daemon_set_of_the_same_name_is_another_one() {
    let monitor = Monitor::new();
    monitor.set_leader(true);
    let key = Key::new("default", "web");
    let (plan, _) = seen(10, 3);
    let (_, status) = seen(10, 3);
    let plan = Plan {
        status: Some(status),
        ..plan
    };
    let mut ds = daemon_set();
    monitor.planned(&key, &ds, &plan);
    monitor.carried_out(&key, true);
    sleep(SECOND * 100).await;
    let stuck = |monitor: &Monitor| {
        let rows = lock(&monitor.rows);
        let row = &rows[&key];
        let roll = row.roll.as_ref().expect("under way");
        (
            roll.age(Instant::now()),
            roll.is_stuck(row.refused, Instant::now()),
        )
    };
    assert_eq!(stuck(&monitor), (SECOND * 100, true));
    ds.uid = "other".into();
    monitor.planned(&key, &ds, &plan);
    assert_eq!(stuck(&monitor), (Duration::ZERO, false));
    // Left alone there is nothing to count.
    monitor.planned(
        &key,
        &ds,
        &Plan::leave_alone(crate::plan::LeftAlone::BeingDeleted),
    );
    assert!(lock(&monitor.rows).is_empty());
    monitor.carried_out(&key, true);
    assert!(lock(&monitor.rows).is_empty());
}
