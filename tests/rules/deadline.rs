//! `deadline`: from when it counts, when it does not, and what its end does.

use super::keyed::*;
use crate::support::*;
use daemonset_controller::model::Clock;
use daemonset_controller::plan::{Plan, Progress};
use serde_json::json;

/// The rollout began `started` seconds ago; a deadline of 10 minutes and these keys.
fn plan_of(
    started: i64,
    recorded: &[(&str, &str)],
    keys: &[(&str, &str)],
    objects: Vec<Object>,
) -> Plan {
    let deadline = [("deadline", "10m")];
    let set = set_with(&[&deadline, keys].concat(), json!(1), json!(0));
    let revisions = two_revisions(&set, started, recorded).into_iter();
    Cluster::bare(set, revisions.chain(nodes("a b c")).chain(objects)).plan()
}

/// One that is not available.
fn stuck(node: &str) -> Object {
    unready(pod(&format!("new-{node}")).on(node))
}

fn past(plan: &Plan) -> Option<String> {
    let mut rules = plan.holds.iter().map(|hold| &hold.rule);
    let past = rules.find(|rule| rule.as_str() == "ProgressDeadlineExceeded")?;
    let message = past.message();
    Some(message.split_once("revision: ")?.1.to_owned())
}

fn clock(plan: &Plan) -> Option<Clock> {
    plan.revision_ops
        .set_clock
        .as_ref()
        .map(|(_, clock)| *clock)
}

const STOPPED: &[(&str, &str)] = &[("clock", "stopped")];

#[test]
fn it_counts_from_the_last_progress() {
    let no_pod = || vec![stuck("a"), old("b"), old("c")];
    let one = |seconds| vec![new("a", seconds), stuck("b"), old("c")];
    for (started, recorded, pods, over) in [
        (599, None, no_pod(), false),
        (600, None, no_pod(), true),
        (9_000, None, one(599), false),
        (9_000, None, one(600), true),
        (9_000, Some(("clock", ago(599))), no_pod(), false),
        (9_000, Some(("clock", ago(600))), no_pod(), true),
        // A time that has not come, and what is no time, are no record.
        (9_000, Some(("clock", ago(-1))), no_pod(), true),
        (9_000, Some(("clock", "soon".into())), no_pod(), true),
        // An approval begins it anew.
        (
            9_000,
            Some(("approved", format!(r#"{{"at":"{}"}}"#, ago(599)))),
            no_pod(),
            false,
        ),
    ] {
        let recorded = recorded.as_ref().map(|(key, value)| (*key, &**value));
        let recorded: Vec<(&str, &str)> = recorded.into_iter().collect();
        let plan = plan_of(started, &recorded, &[("approve", NEW)], pods);
        assert_eq!(past(&plan).is_some(), over, "{started} {recorded:?}");
        assert_eq!(clock(&plan), None, "{started} {recorded:?}");
        if !over {
            assert_eq!(plan.wake_at, Some(later(1)), "{started} {recorded:?}");
        }
    }
}

#[test]
fn its_end_pauses_and_says_where() {
    let plan = plan_of(700, &[], &[], vec![new("b", 700), stuck("a"), old("c")]);
    let said = "for 600 s no further node got an available pod of it; that of a is not";
    assert_eq!(past(&plan).as_deref(), Some(said));
    assert!(plan.deletes.is_empty() && plan.revision_ops.set_completed.is_none());
    let told: Vec<&str> = plan.events.iter().map(|e| e.reason).collect();
    assert_eq!(told, ["RolloutFailed"]);
    let standing = plan.standing.expect("a standing");
    assert_eq!(standing.progress.as_str(), "ProgressDeadlineExceeded");
    assert!(matches!(standing.progress, Progress::AutoPaused(_)));
    let stalled = standing.stalled.map(|rule| rule.as_str());
    assert_eq!(stalled, Some("ProgressDeadlineExceeded"));
    // Nobody is to be paused.
    let go_on = [("on-failure", "continue")];
    let plan = plan_of(700, &[], &go_on, vec![new("b", 700), stuck("a"), old("c")]);
    assert_eq!(past(&plan), None);
}

#[test]
fn it_does_not_run_while_the_rollout_waits_and_that_is_recorded_both_ways() {
    let begun = || vec![new("a", 700), old("b"), old("c")];
    let canary = [("canary", "1"), ("bake", "1h")];
    let approval = [("canary", "1"), ("bake", "approval")];
    let nowhere = [("canary", "pool=none")];
    for (what, keys) in [
        ("held", &[("hold", "rollout")][..]),
        ("malformed", &[("holt", "")]),
        ("baking", &canary),
        ("awaiting", &approval),
        ("no canary", &nowhere),
    ] {
        let plan = plan_of(9_000, &[], keys, begun());
        assert_eq!(past(&plan), None, "{what}");
        assert_eq!(clock(&plan), Some(Clock::Stopped), "{what}");
        let plan = plan_of(9_000, STOPPED, keys, begun());
        assert_eq!((past(&plan), clock(&plan)), (None, None), "{what}");
    }
    // It goes on, and the time begins anew.
    let plan = plan_of(9_000, STOPPED, &[], begun());
    assert_eq!(
        (past(&plan), clock(&plan)),
        (None, Some(Clock::Since(now())))
    );
    // The last bake.
    let all = || vec![new("a", 700), new("b", 700), new("c", 700)];
    let plan = plan_of(9_000, &[], &canary, all());
    assert_eq!((past(&plan), clock(&plan)), (None, Some(Clock::Stopped)));
    // A stage that is over.
    let over = [("canary", "1"), ("bake", "0s")];
    let plan = plan_of(9_000, &[], &over, begun());
    assert_eq!(
        (past(&plan), clock(&plan)),
        (None, Some(Clock::Since(now())))
    );
    // Without the key nothing is recorded.
    let off = [("deadline", "off"), ("canary", "1"), ("bake", "1h")];
    assert_eq!(clock(&plan_of(9_000, &[], &off, begun())), None);
}

#[test]
fn nodes_that_may_fail_let_the_stage_go_on_and_with_none_left_it_pauses() {
    let keys =
        |on_failure: &'static str| [("canary", "2"), ("bake", "1m"), ("on-failure", on_failure)];
    let pods = || vec![new("a", 700), stuck("b"), old("c")];
    let first = plan_of(9_000, &[], &keys("pause"), pods());
    let said =
        "for 600 s no further node of stage canary got an available pod of it; that of b is not";
    assert_eq!(past(&first).as_deref(), Some(said));
    for may in ["pause,tolerate=1", "continue"] {
        let plan = plan_of(9_000, &[], &keys(may), pods());
        assert_eq!(past(&plan), None, "{may}");
        assert!(plan.revision_ops.release_stages.is_some(), "{may}");
    }
    let after = [("released", r#"["canary"]"#)];
    let plan = plan_of(9_000, &after, &keys("pause,tolerate=1"), pods());
    assert!(past(&plan).is_some(), "there is no stage that could go on");
}

#[test]
fn a_pause_by_the_deadline_is_not_recorded_where_a_node_that_may_fail_does() {
    let crashes = json!({"status": {"containerStatuses": [{"name": "c", "restartCount": 9}]}});
    let pods = vec![stuck("a").with(crashes), stuck("b"), old("c")];
    let plan = plan_of(9_000, &[], &[("on-failure", "pause,tolerate=1")], pods);
    assert!(past(&plan).is_some());
    assert_eq!(plan.revision_ops.set_failed, None);
}
