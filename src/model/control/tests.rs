use super::*;

fn read(annotations: &[(&str, &str)]) -> Option<Arc<Control>> {
    Control::read(
        &annotations.iter().copied().collect(),
        &DefaultsOf::default(),
    )
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
fn values_of_hold() {
    let hold = |value: &str| read(&[("daemonset-controller.io/hold", value)]);
    assert_eq!(hold("off"), None);
    for (value, scope) in [("rollout", HoldScope::Rollout), ("all", HoldScope::All)] {
        let control = hold(value).expect("control");
        assert_eq!((control.hold, &control.invalid[..]), (Some(scope), &[][..]));
    }
    for wrong in ["", "rollot", "Rollout", "true", " all", "all "] {
        let control = hold(wrong).expect("control");
        assert_eq!(control.hold, None, "{wrong:?}");
        let said = control.invalid[0].to_string();
        let right = format!(
            "annotation daemonset-controller.io/hold: {wrong:?} is not a valid value, rollout, all or off is needed"
        );
        assert_eq!(said, right);
    }
}

#[test]
fn values_of_budget() {
    let budget = |value: &str| read(&[("daemonset-controller.io/budget", value)]);
    assert_eq!(budget("off"), None);
    let strict = budget("strict").expect("control");
    assert!(strict.strict_budget && strict.invalid.is_empty());
    for wrong in ["", "Strict", "1", "bad-nodes", "strict,bad-nodes"] {
        let control = budget(wrong).expect("control");
        assert!(!control.strict_budget, "{wrong:?}");
        let said = control.invalid[0].to_string();
        assert!(
            said.ends_with("is not a valid value, strict or off is needed"),
            "{said}"
        );
    }
}

#[test]
fn values_of_bake() {
    let bake = |value: &str| read(&[("daemonset-controller.io/bake", value)]);
    assert_eq!(bake("off"), None);
    let seconds = |n| Bake::For(Duration::from_secs(n));
    for (value, right) in [
        ("0s", seconds(0)),
        ("90s", seconds(90)),
        ("5m", seconds(300)),
        ("1h30m", seconds(5400)),
        ("2h0m5s", seconds(7205)),
        ("approval", Bake::Approval),
    ] {
        let control = bake(value).expect("control");
        assert_eq!(
            (control.bake, &control.invalid[..]),
            (right, &[][..]),
            "{value}"
        );
    }
    // The default is no key.
    assert_eq!(bake("10m"), None);
    for wrong in [
        "",
        "10",
        "m",
        "10 m",
        "-5m",
        "5m1h",
        "1.5h",
        "10min",
        "1d",
        "5mm",
        "Approval",
        "99999999999h",
    ] {
        assert_eq!(bake(wrong).expect("control").invalid.len(), 1, "{wrong:?}");
    }
}

#[test]
fn values_of_canary() {
    let canary = |value: &str| read(&[("daemonset-controller.io/canary", value)]);
    assert_eq!(canary("off"), None);
    for (value, right) in [
        ("3", Canary::Nodes(3)),
        ("5%", Canary::Percent(5)),
        ("100%", Canary::Percent(100)),
    ] {
        let control = canary(value).expect("control");
        assert_eq!(
            (&control.canary, control.invalid.len()),
            (&Some(right), 0),
            "{value}"
        );
    }
    for selector in ["canary=yes", "pool in (a,b),!gpu", "example.com/canary"] {
        let control = canary(selector).expect("control");
        let Some(Canary::Selector(parsed)) = &control.canary else {
            panic!("{selector}: {control:?}");
        };
        assert_eq!(Ok(parsed), LabelSelector::parse(selector).as_ref());
    }
    for wrong in [
        "",
        " ",
        "0",
        "-1",
        "+1",
        "0%",
        "101%",
        "%",
        "1.5",
        "3 nodes",
        "=x",
        "a=b,",
        "9999999999999999999999",
    ] {
        assert_eq!(
            canary(wrong).expect("control").invalid.len(),
            1,
            "{wrong:?}"
        );
    }
}

#[test]
fn values_of_approve() {
    let approve = |value: &str| read(&[("daemonset-controller.io/approve", value)]);
    assert_eq!(approve("off"), None);
    let control = approve("6f5d9c7b8d").expect("control");
    assert_eq!(control.approve.as_deref(), Some("6f5d9c7b8d"));
    for wrong in ["", "Yes", "agent-6f5d9c7b8d", "a b"] {
        assert_eq!(
            approve(wrong).expect("control").invalid.len(),
            1,
            "{wrong:?}"
        );
    }
}

#[test]
fn a_key_that_is_not_known_is_named_with_those_that_are() {
    for key in ["holt", "", "Hold", "hold/x"] {
        let control = read(&[(&format!("daemonset-controller.io/{key}"), "all")]);
        let said = control.expect("control").invalid[0].to_string();
        assert_eq!(
            said,
            format!(
                "annotation daemonset-controller.io/{key}: this version does not know the key; it knows approve, bake, budget, canary and hold"
            )
        );
    }
}
