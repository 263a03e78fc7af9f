//! `/healthz` fails only where a restart could help, `/readyz` names what is missing.

use daemonset_controller::runtime::monitor::Weight;

use super::metrics::metrics;
use super::world::*;

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_away_makes_watches_old_and_neither_kills_nor_unreadies() {
    let server = world(2);
    let a = start(&server, "a");
    let age = |kind: &str| {
        let name = "daemonset_controller_watch_age_seconds";
        metrics(&a).get(name, &[("kind", kind)]).expect("a gauge")
    };
    for _ in 0..60 {
        seconds(10).await;
        // Nothing happens: bookmarks, and another watch every minute or so.
        assert!(age("Pod") <= 96.0, "{}", age("Pod"));
        assert!(a.monitor.healthz().passed);
    }
    for act in [
        Act::Fail,
        Act::Hang,
        Act::Refuse(ApiStatus::new(503, "ServiceUnavailable", "no")),
    ] {
        server.rule(usize::MAX, |_| true, act);
        KINDS.into_iter().for_each(|kind| server.cut(kind, false));
        let before = age("Pod") as u64;
        for minute in 1..60 {
            seconds(60).await;
            let passed = a.monitor.healthz();
            assert!(passed.passed, "after {minute} min: {}", passed.verbose);
            let (age, away) = (age("Pod") as u64, minute * 60);
            assert!(
                (away..=away + before + 1).contains(&age),
                "{age} s after {minute} min"
            );
        }
        assert!(a.monitor.readyz().passed, "what is known stays known");
        server.clear_rules();
        seconds(70).await;
        assert!(age("Pod") <= 70.0, "{}", age("Pod"));
    }
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn writes_that_hang_for_hours_are_no_stuck_worker() {
    let server = world(60);
    server.kubelet();
    let a = start(&server, "a");
    seconds(60).await;
    server.rule(usize::MAX, |c| c.is_for("DELETE", "pods"), Act::Hang);
    server.rule(
        usize::MAX,
        |c| c.is_for("GET", "pods") && !c.is_watch(),
        Act::Hang,
    );
    (0..60).for_each(|n| server.edit("nodes", &format!("n{n}"), away(true)));
    let mut longest = 0.0;
    for minute in 0..180 {
        seconds(60).await;
        let healthy = a.monitor.healthz();
        assert!(healthy.passed, "after {minute} min: {}", healthy.verbose);
        let running = metrics(&a).sum("workqueue_longest_running_processor_seconds", &[]);
        longest = f64::max(longest, running);
    }
    // Each pod whose deletion has no answer is read back, one after another.
    assert!(longest > 660.0, "nothing was put to the test: {longest} s");
    server.at_rest().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_before_it_is_ready_is_named() {
    let server = world(2);
    server.rule(
        usize::MAX,
        |c| c.is("GET", "/controllerrevisions"),
        Act::Fail,
    );
    let a = start(&server, "a");
    seconds(60).await;
    let report = a.monitor.readyz();
    assert!(!report.passed);
    let first: Vec<&str> = report
        .verbose
        .lines()
        .map(|line| line.split(':').next().unwrap_or(""))
        .collect();
    let expected = [
        "[+]cache-DaemonSet ok",
        "[+]cache-Node ok",
        "[-]cache-ControllerRevision failed",
        "[-]cache-Pod failed",
        "[+]conflict ok",
        "readyz check failed",
    ];
    assert_eq!(first, expected);
    assert!(
        a.monitor.healthz().passed,
        "{}",
        a.monitor.healthz().verbose
    );
    server.clear_rules();
    seconds(60).await;
    a.monitor
        .add_check("leader", Weight::Informs, || Err("somebody else".into()));
    a.monitor
        .add_check("mood", Weight::Informs, || Ok("good".into()));
    let report = a.monitor.readyz();
    assert!(report.passed, "what informs does not decide");
    let more = "[-]leader failed: somebody else\n[+]mood ok: good\nreadyz check passed\n";
    assert!(report.verbose.ends_with(more), "{}", report.verbose);
    a.monitor
        .add_check("late", Weight::Decides, || Err("not yet".into()));
    assert!(!a.monitor.readyz().passed);
    server.at_rest().await;
}
