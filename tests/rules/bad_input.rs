//! Bad input of rollout control: keys that cannot be read, keys that say two things, and recorded
//! state that somebody edited. Each has a meaning, and nothing is guessed.

use std::collections::BTreeMap;

use super::keyed::*;
use crate::support::*;
use daemonset_controller::plan::{HoldRule, Plan};
use serde_json::{Value, json};

const COMPLETED: &str = "state.daemonset-controller.io/completed";
const RELEASED: &str = "state.daemonset-controller.io/released";

/// The API server takes no event with a longer message.
const EVENT: usize = 1024;

/// `default/web` that may replace all pods at once, with these keys.
fn set<K: AsRef<str>, V: AsRef<str>>(keys: impl IntoIterator<Item = (K, V)>) -> Object {
    let annotation = |(key, value): (K, V)| {
        let key = format!("daemonset-controller.io/{}", key.as_ref());
        (key, value.as_ref().to_owned())
    };
    let annotations: BTreeMap<String, String> = keys.into_iter().map(annotation).collect();
    daemon_set().with(json!({
        "metadata": {"annotations": annotations},
        "spec": {"updateStrategy": {
            "type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%", "maxSurge": 0},
        }},
    }))
}

fn current(set: &Object) -> Object {
    revision(NEW, 2, &set.json["spec"]["template"])
}

fn older() -> Object {
    revision(OLD, 1, &template(1))
}

fn cluster(set: Object, objects: impl IntoIterator<Item = Object>) -> Cluster {
    let revisions = [current(&set), older()];
    Cluster::bare(set, revisions.into_iter().chain(objects))
}

fn new(node: &str) -> Object {
    pod(&format!("new-{node}")).on(node).ready(5_000)
}

fn with_state(revision: Object, key: &str, value: &str) -> Object {
    revision.with(json!({"metadata": {"annotations": {key: value}}}))
}

/// In the middle of a rollout: `a` and `b` have old pods, `c` has none.
fn plan_with(keys: &[(&str, &str)]) -> Plan {
    let objects = [node("a"), node("b"), node("c"), old("a"), old("b")];
    cluster(set(keys.iter().copied()), objects).plan()
}

/// What is said of keys that cannot be read, by a plan that holds the rollout and nothing else.
fn held_words(plan: &Plan) -> String {
    assert_eq!(gone(plan), NONE, "nothing is replaced");
    assert_eq!(created(plan), ["c old"], "upkeep goes on");
    assert_eq!(holds(plan), ["InvalidAnnotation a b"]);
    let HoldRule::InvalidAnnotation(words) = &plan.holds[0].rule else {
        panic!("{:?}", plan.holds);
    };
    let event = &plan.events[0];
    assert_eq!(
        (event.kind.as_str(), event.reason),
        ("Warning", "InvalidAnnotation")
    );
    let framed = "No pod is replaced by one of another revision until it is corrected: ";
    assert_eq!(event.message, format!("{framed}{words}"));
    // That of RolloutPaused has a revision's name besides, and similar events a prefix.
    assert!(words.len() < 640, "{} bytes: {words}", words.len());
    assert!(event.message.len() < EVENT - 40);
    assert!(!words.contains(char::is_control), "{words:?}");
    words.to_string()
}

fn table() -> Value {
    let text = std::fs::read_to_string("tests/data/rollout-keys.json").expect("the table");
    serde_json::from_str(&text).expect("JSON")
}

fn texts(values: &Value) -> impl Iterator<Item = &str> {
    let values = values.as_array().expect("a list").iter();
    values.map(|value| value.as_str().expect("a text"))
}

#[test]
fn every_malformed_value_holds_the_rollout_with_its_key_and_what_would_be_right() {
    let table = table();
    for row in table["keys"].as_array().expect("rows") {
        let key = row["key"].as_str().expect("a key");
        let wanted = row["wanted"].as_str().expect("what is wanted");
        for value in texts(&row["malformed"]) {
            let words = held_words(&plan_with(&[(key, value)]));
            let (before, after) = (
                format!("annotation daemonset-controller.io/{key}: \""),
                format!("\" is not a valid value, {wanted} is needed"),
            );
            assert!(
                words.starts_with(&before) && words.ends_with(&after),
                "{words}"
            );
            let plain =
                value.len() <= 64 && value.bytes().all(|b| b != b'"' && (32..127).contains(&b));
            assert!(!plain || words == before + value + &after, "{words}");
            // Whatever else is asked for is not done either.
            held_words(&plan_with(&[("bake", "0s"), ("canary", "1"), (key, value)]));
        }
        for value in texts(&row["valid"]) {
            let plan = plan_with(&[(key, value)]);
            let invalid = plan
                .holds
                .iter()
                .find(|h| h.rule.as_str() == "InvalidAnnotation");
            assert_eq!(invalid, None, "{key}: {value:?}");
        }
    }
    for key in texts(&table["unknown"]) {
        let words = held_words(&plan_with(&[(key, "all")]));
        let right = format!(
            "annotation daemonset-controller.io/{key}: this version does not know the key; it knows approve, bake, budget, canary, deadline, exclusive, hold, on-failure, order, replace-by and resources"
        );
        assert_eq!(words, right);
    }
}

#[test]
fn of_many_keys_a_few_are_named_and_the_others_are_counted() {
    let wrong = |count: usize| {
        let keys = (0..count).map(|n| (format!("key-{n:03}"), "x"));
        let objects = [node("a"), node("b"), node("c"), old("a"), old("b")];
        held_words(&cluster(set(keys), objects).plan())
    };
    assert_eq!(wrong(2).matches("; annotation ").count(), 1, "{}", wrong(2));
    let three = wrong(3);
    assert!(
        three.contains("/key-002: ") && !three.contains(" more"),
        "{three}"
    );
    let many = wrong(1000);
    assert!(many.ends_with("; and 997 more"), "{many}");
    assert_ne!(wrong(999), many, "another number is another hold");
    // Five at most, however short.
    let known = [
        ("approve", "A"),
        ("bake", "b"),
        ("budget", "c"),
        ("canary", ""),
        ("hold", "d"),
        ("x", ""),
    ];
    let words = held_words(&plan_with(&known));
    assert!(
        words.contains("/approve: \"A\"") && words.contains(" more"),
        "{words}"
    );
}

#[test]
fn long_keys_and_values_are_cut_and_what_nobody_sees_is_escaped() {
    for (value, shown) in [
        ("x".repeat(250 * 1024), "x… (256000 bytes)\" is not"),
        ("ä".repeat(125 * 1024), "ä… (256000 bytes)\" is not"),
        ("\u{0}".repeat(999), "\\0… (999 bytes)\" is not"),
        ("all\r\n".to_owned(), "\"all\\r\\n\" is not"),
        ("\u{202e}lla".to_owned(), "\"\\u{202e}lla\" is not"),
        ("\u{1b}[31mall".to_owned(), "\"\\u{1b}[31mall\" is not"),
        ("rollout\u{200b}".to_owned(), "\"rollout\\u{200b}\" is not"),
        ("𝓪𝓵𝓵".to_owned(), "\"𝓪𝓵𝓵\" is not"),
    ] {
        let words = held_words(&plan_with(&[("hold", &value)]));
        assert!(words.contains(shown), "{words}");
    }
    for key in ["k".repeat(4096), "\u{0}".repeat(63)] {
        let words = held_words(&plan_with(&[(&key, "all")]));
        assert!(words.contains("… ("), "{words}");
    }
    // Other values are other holds, so each is told.
    let hold = |value: &str| held_words(&plan_with(&[("hold", value)]));
    assert_ne!(hold("rollot"), hold("rolout"));
    assert_ne!(hold(&"x".repeat(300)), hold(&"x".repeat(301)));
}

#[test]
fn keys_that_say_two_things() {
    // What cannot be read comes first, and `hold: all` holds upkeep besides.
    let plan = plan_with(&[("hold", "all"), ("bake", "soon")]);
    assert_eq!((gone(&plan).len(), created(&plan).len()), (0, 0));
    assert_eq!(
        holds(&plan),
        ["InvalidAnnotation a b", "AllHeldByAnnotation c"]
    );
    assert_eq!(
        plan.events[0].reason, "InvalidAnnotation",
        "it is told all the same"
    );
    // Nobody's approval ends a hold.
    for approved in [NEW, OLD, "other"] {
        let plan = plan_with(&[("hold", "rollout"), ("canary", "1"), ("approve", approved)]);
        assert_eq!(gone(&plan), NONE, "{approved}");
        assert_eq!(holds(&plan), ["HeldByAnnotation a b"], "{approved}");
        assert_eq!(
            plan.revision_ops.release_stages, None,
            "and none is recorded"
        );
    }
    // Without a canary there is nothing to bake or to approve.
    let plain = plan_with(&[]);
    for keys in [
        &[("bake", "1h")][..],
        &[("bake", "approval")],
        &[("approve", "other")],
        &[("bake", "approval"), ("approve", NEW), ("canary", "off")],
    ] {
        let plan = plan_with(keys);
        assert_eq!(gone(&plan), gone(&plain), "{keys:?}");
        assert_eq!(created(&plan), created(&plain), "{keys:?}");
        assert_eq!(holds(&plan), holds(&plain), "{keys:?}");
    }
}

#[test]
fn a_canary_with_on_delete_waits_for_you_and_the_others_wait_for_it() {
    let on_delete =
        json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}});
    let keyed = set([("canary", "2")]).with(on_delete);
    let objects = [node("a"), node("b"), node("c"), old("a"), old("b")];
    let plan = cluster(keyed.clone(), objects).plan();
    assert_eq!(gone(&plan), NONE);
    // The node without a pod is the first of the canary.
    assert_eq!(created(&plan), ["c new"]);
    assert_eq!(holds(&plan), ["Canary b", "OnDelete a"]);
    // You delete the pods of both.
    let objects = [node("a"), node("b"), node("c"), old("c")];
    let plan = cluster(keyed, objects).plan();
    assert_eq!(created(&plan), ["a new", "b new"]);
    assert_eq!(holds(&plan), ["Canary c"]);
}

#[test]
fn a_strict_budget_bounds_a_canary_as_well() {
    let one = json!({"spec": {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 1}}}});
    let broken = |name: &str| {
        let unready = json!([{"type": "Ready", "status": "False"}]);
        old(name).with(json!({"status": {"conditions": unready}}))
    };
    for (budget, goes) in [("strict", 1), ("off", 2)] {
        let keyed = set([("canary", "2"), ("budget", budget)]).with(one.clone());
        let objects = [
            node("a"),
            node("b"),
            node("c"),
            broken("a"),
            broken("b"),
            old("c"),
        ];
        let plan = cluster(keyed, objects).plan();
        assert_eq!(gone(&plan).len(), goes, "{budget}");
        assert!(!gone(&plan).contains(&"c".to_owned()), "{budget}");
    }
}

#[test]
fn a_selector_of_nothing_waits_and_says_so_and_one_of_everything_is_everything() {
    let plan = plan_with(&[("canary", "pool=nowhere")]);
    assert_eq!(gone(&plan), NONE);
    assert_eq!(created(&plan), ["c old"]);
    assert_eq!(holds(&plan), ["NoCanaryNode a b"]);
    let plan = plan_with(&[("canary", "!nothing")]);
    assert_eq!(gone(&plan), ["a", "b"]);
    assert_eq!(created(&plan), ["c new"]);
    // Nobody is left to wait for it, so it is complete with its last pod.
    let objects = [node("a"), node("b"), new("a"), new("b")];
    let plan = cluster(set([("canary", "!nothing")]), objects).plan();
    assert!(plan.holds.is_empty(), "{:?}", plan.holds);
    let (completed, _) = plan.revision_ops.set_completed.expect("a record");
    assert_eq!(&*completed.name, "web-new");
}

/// Texts that say of no revision that it completed.
fn no_times() -> Vec<String> {
    let texts = [
        "",
        " ",
        "yes",
        "yesterday",
        "1780315200",
        "2026-06-01",
        "2026-13-01T00:00:00Z",
        "2026-06-01T11:00:00",
        "null",
        "{}",
        "\u{0}",
        // Later than now, by a second and by much; the last is beyond what a time can be.
        "2026-06-01T12:00:01Z",
        "9999-12-30T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "99999-01-01T00:00:00Z",
    ];
    let huge = ["x".repeat(250 * 1024), "9".repeat(250 * 1024)];
    texts.into_iter().map(str::to_owned).chain(huge).collect()
}

#[test]
fn a_completion_that_is_no_time_or_has_not_come_is_no_completion() {
    let first = || revision("first", 0, &template(2));
    let stable = |at: &str| {
        let keyed = set([("hold", "rollout")]);
        let objects = [
            with_state(first(), COMPLETED, at),
            node("a"),
            node("b"),
            old("b"),
        ];
        created(&cluster(keyed, objects).plan())
    };
    assert_eq!(stable(&ago(60)), ["a first"]);
    assert_eq!(stable("2026-06-01T12:00:00Z"), ["a first"], "now has come");
    assert_eq!(
        stable("-005000-01-01T00:00:00Z"),
        ["a first"],
        "so has any other"
    );
    for at in no_times() {
        assert_eq!(stable(&at), ["a old"], "{at:.30}");
        // On the current revision: it is not known to be good, so it has its canary.
        let keyed = set([("canary", "1")]);
        let target = with_state(current(&keyed), COMPLETED, &at);
        let objects = [target, older(), node("a"), node("b"), old("a"), old("b")];
        let plan = Cluster::bare(keyed, objects).plan();
        assert_eq!(gone(&plan), ["a"], "{at:.30}");
    }
}

#[test]
fn a_completion_that_has_not_come_is_written_over_once_and_by_what_is_seen() {
    let keyed = || set([("hold", "rollout")]);
    let recorded = |target_at: &str, older_at: &str| {
        let target = with_state(current(&keyed()), COMPLETED, target_at);
        let older = with_state(older(), COMPLETED, older_at);
        let objects = [target, older, node("a"), node("b"), new("a"), new("b")];
        let plan = Cluster::bare(keyed(), objects).plan();
        let set = plan.revision_ops.set_completed.as_ref();
        set.map(|(revision, at)| (revision.name.to_string(), *at))
    };
    let target = Some(("web-new".to_owned(), now()));
    for at in no_times() {
        assert_eq!(recorded(&at, &at), target, "{at:.30}");
        assert_eq!(recorded(&at, &ago(60)), target, "{at:.30}");
        // Once it is recorded, a later time elsewhere asks for no second record.
        assert_eq!(recorded(&ago(0), &at), None, "{at:.30}");
        assert_eq!(recorded(&ago(60), &at), None, "{at:.30}");
    }
    // What is not complete writes over nothing.
    for at in no_times() {
        let target = with_state(current(&keyed()), COMPLETED, &at);
        let objects = [target, older(), node("a"), node("b"), new("a"), old("b")];
        let plan = Cluster::bare(keyed(), objects).plan();
        assert_eq!(plan.revision_ops.set_completed, None, "{at:.30}");
    }
}

#[test]
fn only_the_stage_canary_itself_ends_a_canary() {
    let of = |released: &str| {
        let keyed = set([("canary", "1")]);
        let target = with_state(current(&keyed), RELEASED, released);
        let objects = [target, older(), node("a"), node("b"), old("a"), old("b")];
        gone(&Cluster::bare(keyed, objects).plan())
    };
    for released in [r#"["canary"]"#, r#"["x","canary"]"#, r#" [ "canary" ] "#] {
        assert_eq!(of(released), ["a", "b"], "{released:?}");
    }
    let huge = "canary".repeat(40 * 1024);
    for released in [
        "",
        "canary",
        "[canary]",
        r#"["canary""#,
        r#"["Canary"]"#,
        r#"[" canary"]"#,
        r#"["canary", 1]"#,
        r#"{"canary": true}"#,
        r#""canary""#,
        "true",
        "[]",
        "*",
        "\u{0}",
        &huge,
    ] {
        assert_eq!(of(released), ["a"], "{released:.30?}");
    }
}
