//! C1 can be broken in each of its ways.

use serde_json::{Value, json};

use super::*;

const PATH: &str = "/apis/apps/v1/namespaces/d/daemonsets/web/status";

impl Story {
    fn tells(mut self, conditions: Value, by: Option<&str>) -> Story {
        let mut object = (**self.store.get(&DAEMON_SETS, "d", "web").expect("it")).clone();
        object["status"]["conditions"] = conditions;
        self.put(&DAEMON_SETS, object, by.map(|by| (by, "PATCH", PATH)));
        self
    }
}

fn condition(kind: &str, status: &str, second: u8) -> Value {
    let at = format!("2026-01-01T00:00:{second:02}Z");
    json!({"type": kind, "status": status, "lastTransitionTime": at})
}

#[test]
fn stalled_and_reconciling_are_never_both_true() {
    let both = json!([
        condition("Reconciling", "True", 1),
        condition("Stalled", "True", 1)
    ]);
    let one = json!([
        condition("Reconciling", "True", 1),
        condition("Stalled", "False", 1)
    ]);
    assert_eq!(
        Story::new().tells(both.clone(), Some("us")).history(),
        ["C1"]
    );
    assert_eq!(Story::new().tells(one, Some("us")).history(), [""; 0]);
    assert_eq!(
        Story::new().tells(both, None).history(),
        [""; 0],
        "by others"
    );
}

#[test]
fn a_time_changes_with_its_status() {
    let at = |status, second| json!([condition("Available", status, second)]);
    let story = |after| {
        let before = Story::new().tells(at("True", 1), Some("us"));
        before.tells(after, Some("us")).history()
    };
    assert_eq!(story(at("True", 2)), ["C1"]);
    assert_eq!(story(at("False", 2)), [""; 0]);
    assert_eq!(story(at("True", 1)), [""; 0]);
}

#[test]
fn what_others_wrote_stays() {
    let theirs = condition("Theirs", "True", 1);
    let story = |after| {
        let before = Story::new().tells(json!([theirs]), None);
        before.tells(after, Some("us")).history()
    };
    assert_eq!(story(json!([])), ["C1"]);
    assert_eq!(story(json!([condition("Theirs", "True", 2)])), ["C1"]);
    let ours = condition("Available", "True", 3);
    assert_eq!(story(json!([ours, theirs])), [""; 0]);
}
