use serde_json::Value;

use super::*;

fn read(annotations: &[(&str, &str)]) -> Option<Arc<Control>> {
    Control::read(
        &annotations.iter().copied().collect(),
        &DefaultsOf::default(),
    )
}

fn read_key(key: &str, value: &str) -> Option<Arc<Control>> {
    read(&[(&format!("{PREFIX}{key}"), value)])
}

/// The keys and their values, valid and malformed. The chart's admission policy is held against
/// the same table on a real API server.
fn table() -> Value {
    let table = include_str!("../../../tests/data/rollout-keys.json");
    serde_json::from_str(table).expect("the table is JSON")
}

fn texts(values: &Value) -> impl Iterator<Item = &str> {
    let values = values.as_array().expect("a list").iter();
    values.map(|value| value.as_str().expect("a text"))
}

#[test]
fn without_a_key_there_is_no_control() {
    assert_eq!(read(&[]), None);
    let others = [
        ("hold", "all"),
        ("example.com/hold", "all"),
        (
            "state.daemonset-controller.io/completed",
            "2026-11-20T06:00:00Z",
        ),
        ("sim.daemonset-controller.io/hold", "all"),
    ];
    assert_eq!(read(&others), None);
}

#[test]
fn every_value_of_the_table_is_read_or_refused_with_what_would_be_right() {
    let table = table();
    let rows = table["keys"].as_array().expect("rows");
    let mut seen = 0;
    for row in rows {
        let key = row["key"].as_str().expect("a key");
        let wanted = row["wanted"].as_str().expect("what is wanted");
        for value in texts(&row["valid"]) {
            let invalid = read_key(key, value).map(|control| control.invalid.clone());
            assert_eq!(invalid.unwrap_or_default(), [], "{key}: {value:?}");
            seen += 1;
        }
        for value in texts(&row["malformed"]) {
            let control = read_key(key, value).unwrap_or_default();
            let invalid: Vec<_> = control
                .invalid
                .iter()
                .map(|i| (&*i.key, i.wanted))
                .collect();
            assert_eq!(invalid, [(key, Some(wanted))], "{key}: {value:?}");
            let others = Control {
                invalid: Vec::new(),
                ..(*control).clone()
            };
            assert_eq!(others, Control::default(), "{key}: {value:?} is not used");
            seen += 1;
        }
        assert_eq!(read_key(key, "off"), None, "{key}");
    }
    assert!(rows.len() >= 5 && seen > 300, "{seen} values");
    for key in texts(&table["unknown"]) {
        let control = read_key(key, "all").expect("control");
        assert_eq!(control.invalid, [InvalidKey::new(key, "all", None)]);
    }
}

/// What the admission policy lets through, because it cannot read JSON.
#[test]
fn what_is_wrong_inside_of_rules_of_resources_is_said_with_its_place() {
    let table = table();
    let rows = table["keys"].as_array().expect("rows").iter();
    let row = rows.filter(|row| row["key"] == "resources");
    let mut seen = 0;
    for row in row.flat_map(|row| row["inside"].as_array().expect("a list")) {
        let value = row[0].as_str().expect("a value");
        let control = read_key("resources", value).unwrap_or_default();
        assert_eq!(control.resources, [], "{value} is not used");
        let [invalid] = &control.invalid[..] else {
            panic!("{value}: {:?}", control.invalid);
        };
        let problem = invalid.problem.as_deref().expect("a problem");
        if let Some(why) = row[1].as_str() {
            assert_eq!(problem, why, "{value}");
        }
        let said = invalid.to_string();
        assert!(
            said.contains(&format!("\" is not a valid value ({problem}), a JSON list")),
            "{said}"
        );
        seen += 1;
    }
    assert!(seen > 15);
}

#[test]
fn the_first_rule_of_resources_that_matches_counts() {
    let rules = r#"[{"nodes":"a","containers":{"c":{"limits":{"cpu":"0.5"}}}},{"nodes":"!a","containers":{}}]"#;
    let control = read_key("resources", rules).expect("control");
    let of = |labels: &[(&str, &str)]| {
        let labels = labels.iter().copied().collect();
        let rule = control.resources.iter().find(|r| r.matches(&labels));
        rule.map(|rule| (rule.to_string(), rule.mark.as_deref().map(str::to_owned)))
    };
    let mark = r#"{"c":{"limits":{"cpu":"500m"}}}"#.to_owned();
    assert_eq!(of(&[("a", "")]), Some(("rule 1 (a)".into(), Some(mark))));
    assert_eq!(of(&[]), Some(("rule 2 (!a)".into(), None)));
}

#[test]
fn values_of_hold_and_budget() {
    for (value, scope) in [("rollout", HoldScope::Rollout), ("all", HoldScope::All)] {
        let control = read_key("hold", value).expect("control");
        assert_eq!(control.hold, Some(scope));
    }
    for (value, strict, cap) in [
        ("strict", true, None),
        ("bad-nodes", false, Some(NodeCap::Percent(20))),
        ("bad-nodes=3", false, Some(NodeCap::Nodes(3))),
        ("bad-nodes=50%", false, Some(NodeCap::Percent(50))),
        ("strict,bad-nodes", true, Some(NodeCap::Percent(20))),
        ("bad-nodes=3,strict", true, Some(NodeCap::Nodes(3))),
    ] {
        let control = read_key("budget", value).expect("control");
        assert_eq!(
            (control.strict_budget, control.bad_nodes),
            (strict, cap),
            "{value}"
        );
    }
}

#[test]
fn values_of_bake() {
    let seconds = |n| Bake::For(Duration::from_secs(n));
    for (value, right) in [
        ("0s", seconds(0)),
        ("90s", seconds(90)),
        ("5m", seconds(300)),
        ("1h30m", seconds(5400)),
        ("2h0m5s", seconds(7205)),
        ("007m", seconds(420)),
        ("approval", Bake::Approval),
    ] {
        assert_eq!(read_key("bake", value).expect("control").bake, right);
    }
    // The default is no key.
    assert_eq!(read_key("bake", "10m"), None);
}

#[test]
fn values_of_canary() {
    let canary = |value: &str| read_key("canary", value).expect("control").canary.clone();
    for (value, right) in [
        ("3", Canary::Nodes(3)),
        ("5%", Canary::Percent(5)),
        ("100%", Canary::Percent(100)),
    ] {
        assert_eq!(canary(value), Some(right));
    }
    for selector in ["canary=yes", "pool in (a,b),!gpu", "example.com/canary"] {
        let Some(Canary::Selector(parsed)) = canary(selector) else {
            panic!("{selector}");
        };
        assert_eq!(Ok(parsed), LabelSelector::parse(selector));
    }
}

#[test]
fn values_of_on_failure() {
    use {FailureAction::*, Tolerated::*};
    for (value, action, tolerated) in [
        ("pause", Pause, Nodes(0)),
        ("continue", Continue, Nodes(0)),
        ("pause,tolerate=0", Pause, Nodes(0)),
        ("pause,tolerate=3", Pause, Nodes(3)),
        ("continue,tolerate=100%", Continue, Percent(100)),
        ("pause,tolerate=0%", Pause, Percent(0)),
    ] {
        let control = read_key("on-failure", value).expect("control");
        let right = OnFailure { action, tolerated };
        assert_eq!(control.on_failure, Some(right), "{value}");
        assert_eq!(control.failures(), Some(right), "{value}");
    }
    // A share is rounded up.
    assert_eq!([1, 10, 11].map(|n| Percent(10).of(n)), [1, 1, 2]);
}

#[test]
fn stages_are_paused_by_the_first_failure_unless_they_say_otherwise() {
    for key in ["canary", "order"] {
        let control = read_key(key, "a").expect("control");
        assert_eq!(control.failures(), Some(OnFailure::default()), "{key}");
    }
    let control = read_key("deadline", "10m").expect("control");
    assert_eq!(control.deadline, Some(Duration::from_secs(600)));
    assert_eq!(control.failures(), Some(OnFailure::default()));
    let control = read_key("budget", "strict").expect("control");
    assert_eq!(control.failures(), None);
}

#[test]
fn values_of_approve() {
    let control = read_key("approve", "6f5d9c7b8d").expect("control");
    assert_eq!(control.approve.as_deref(), Some("6f5d9c7b8d"));
}

#[test]
fn a_value_has_16_kib_at_most() {
    for length in [values::LONGEST, values::LONGEST + 1] {
        // Labels of one letter, and one of two where the number is even.
        let selector = "aa,".to_owned() + &"a,".repeat((length - 3) / 2 + 1);
        let selector = &selector[usize::from(length % 2 == 1)..][..length];
        let control = read_key("canary", selector).expect("control");
        let invalid: Vec<String> = control.invalid.iter().map(ToString::to_string).collect();
        if length == values::LONGEST {
            assert_eq!(invalid, [""; 0]);
            assert!(control.canary.is_some());
            continue;
        }
        let said = " (16385 bytes)\" is not a valid value, a text of at most 16 KiB is needed";
        assert!(invalid[0].ends_with(said), "{invalid:?}");
    }
}

#[test]
fn what_is_wrong_is_said_in_full() {
    let said =
        |key: &str, value: &str| read_key(key, value).expect("control").invalid[0].to_string();
    assert_eq!(
        said("hold", "rollot"),
        "annotation daemonset-controller.io/hold: \"rollot\" is not a valid value, rollout, all or off is needed"
    );
    for key in ["holt", "", "Hold", "hold/x"] {
        assert_eq!(
            said(key, "all"),
            format!(
                "annotation daemonset-controller.io/{key}: this version does not know the key; it knows approve, bake, budget, canary, deadline, exclusive, hold, on-failure, order, replace-by and resources"
            )
        );
    }
}

#[test]
fn what_nobody_sees_is_escaped_and_what_is_long_is_cut_with_its_length() {
    let shown = |value: &str| InvalidKey::new("hold", value, None).value.to_string();
    assert_eq!(
        shown("all\n\u{0}\u{202e}\"it's"),
        r#"all\n\0\u{202e}\"it's"#
    );
    let whole = "x".repeat(64);
    assert_eq!(shown(&whole), whole);
    assert_eq!(shown(&"x".repeat(65)), "x".repeat(61) + "… (65 bytes)");
    // Neither a character nor an escape is cut in two.
    assert_eq!(shown(&"ä".repeat(64)), "ä".repeat(30) + "… (128 bytes)");
    assert_eq!(
        shown(&"\u{1}".repeat(99)),
        "\\u{1}".repeat(12) + "… (99 bytes)"
    );
    let huge = InvalidKey::new(&"k".repeat(1 << 18), &"\u{1}".repeat(1 << 18), None);
    assert!(huge.to_string().len() < 300, "{huge}");
    assert!(huge.key.len() + huge.value.len() < 200);
}
