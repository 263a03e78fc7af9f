//! Texts that people and controllers write into annotations and flags.

use daemonset_controller::{
    model::{
        Control, DefaultsOf, Interner, LabelSelector, Labels, Order,
        control::{APPROVED, CLOCK, COMPLETED, PREFIX, RELEASED, STARTED, VERDICT},
        quantity,
        resources::{ResourceClass, compare},
        selector::parse_int,
    },
    wire::revision::{self, approved_text, clock_text, verdict_text},
};
use serde_json::{json, value::to_raw_value};

/// The keys of rollout control, and one that there is not.
pub const KEYS: [&str; 11] = [
    "approve",
    "bake",
    "budget",
    "canary",
    "deadline",
    "hold",
    "on-failure",
    "order",
    "replace-by",
    "resources",
    "other",
];

/// The annotations of a revision in which the state of rollouts is kept.
const STATE: [&str; 6] = [APPROVED, CLOCK, COMPLETED, RELEASED, STARTED, VERDICT];

/// Any text, as the value of each key and as a key.
pub fn annotation(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    for (key, value) in KEYS
        .map(|key| (key, text))
        .into_iter()
        .chain([(text, "all")])
    {
        let invalid = Control::check(key, value);
        if let Some(invalid) = &invalid {
            let said = invalid.to_string();
            assert!(said.len() < 1000, "{} bytes: {said}", said.len());
            assert!(!said.contains(char::is_control), "{said:?}");
            assert!(said.starts_with(&format!("annotation {PREFIX}")), "{said}");
        }
        let annotations: Labels = [(&*format!("{PREFIX}{key}"), value)].into_iter().collect();
        let control = Control::read(&annotations, &DefaultsOf::default());
        let kept = control.iter().flat_map(|control| &control.invalid);
        assert_eq!(
            kept.count(),
            usize::from(invalid.is_some()),
            "nothing is guessed"
        );
        for rule in control.iter().flat_map(|control| &control.resources) {
            let Some(mark) = rule.mark.as_deref() else {
                continue;
            };
            assert_eq!(
                ResourceClass::parse(mark).as_ref(),
                Some(&*rule.class),
                "{mark}"
            );
        }
    }
    let class = ResourceClass::parse(text);
    assert!(class.is_none_or(|class| class.text().as_deref() == Some(text)));
}

/// Any text, as the state of a rollout. A revision stays readable whatever it is.
pub fn state(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let read = |key: &str, text: &str| {
        let object = json!({"metadata": {"name": "r", "uid": "u", "annotations": {key: text}}});
        let raw = to_raw_value(&object).expect("JSON");
        let decoded = revision::decode(&raw, &mut Interner::default());
        decoded.expect("state makes no revision unreadable").1
    };
    for key in STATE {
        let first = read(key, text);
        if let Some(failed) = &first.failed {
            let again = read(key, &verdict_text(failed)).failed;
            assert_eq!(again.as_ref(), Some(failed));
        }
        if let Some(approved) = &first.approved {
            let again = read(key, &approved_text(approved)).approved;
            assert_eq!(again.as_ref(), Some(approved));
        }
        if let Some(clock) = first.clock {
            assert_eq!(read(key, &clock_text(clock)).clock, Some(clock));
        }
        for time in [first.started, first.completed].into_iter().flatten() {
            let again = read(key, &time.to_string());
            assert!(again.started.or(again.completed) == Some(time), "{time}");
        }
        if !first.released.is_empty() {
            let names: Vec<&str> = first.released.iter().map(|name| &**name).collect();
            assert_eq!(
                read(key, &json!(names).to_string()).released,
                first.released
            );
        }
    }
}

/// Any text, as a quantity and as a number.
pub fn quantity(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    for form in [quantity::canonical, quantity::canonical_resource] {
        let Some(once) = form(text) else {
            continue;
        };
        assert_eq!(form(&once).as_deref(), Some(&*once), "{text:?}");
        assert!(once.len() <= text.len() + 64, "{text:?}: {once}");
    }
    let _ = (
        quantity::billionths(text),
        compare(text, text),
        parse_int(text),
    );
}

/// Any text, as a selector of labels and as an order of nodes.
pub fn selector(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let labels: Labels = [("pool", "a"), ("zone", "7"), ("gpu", "")]
        .into_iter()
        .collect();
    match LabelSelector::parse(text) {
        Ok(selector) => drop(selector.matches(|key| labels.get(key))),
        Err(why) => assert!(!why.is_empty()),
    }
    if let Some(order) = Order::parse(text) {
        let group = order.group(&labels);
        assert!(!order.name(&group).is_empty());
        assert_eq!(order.group(&labels), group);
    }
}
