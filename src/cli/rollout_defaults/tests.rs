use super::*;

fn refused(text: &str) -> String {
    parse(text.as_bytes()).expect_err(text)
}

/// What the rules say about this DaemonSet: keys, and selectors of excluded nodes.
fn says(text: &str, namespace: &str, name: &str) -> (Vec<String>, Vec<String>) {
    let defaults = parse(text.as_bytes()).unwrap_or_else(|why| panic!("{why}: {text}"));
    let of = defaults.of(namespace, name);
    let key = |(key, (value, rule)): (&Str, &(Str, usize))| format!("{key}={value} by {rule}");
    let excluded = of.exclusions.iter();
    (
        of.set.iter().map(key).collect(),
        excluded
            .map(|e| format!("{} {} by {}", e.text, e.existing.as_str(), e.rule))
            .collect(),
    )
}

#[test]
fn without_content_there_are_no_rules() {
    for text in ["", "\n", "# nothing yet\n", "---\n", "[]", "null"] {
        let defaults = parse(text.as_bytes()).unwrap_or_else(|why| panic!("{why}: {text}"));
        assert!(defaults.is_empty(), "{text}");
    }
}

#[test]
fn later_rules_win_key_by_key() {
    let text = "
- set: {canary: 5%, bake: 1h}
- namespaces: [kube-*, vendor]
  names: ['*']
  set: {canary: 3, budget: strict}
- namespaces: [vendor]
  names: [agent]
  set: {canary: off, approve: 5567}
";
    let of = |namespace, name| says(text, namespace, name).0;
    assert_eq!(of("default", "web"), ["bake=1h by 1", "canary=5% by 1"]);
    assert_eq!(
        of("kube-system", "web"),
        ["bake=1h by 1", "budget=strict by 2", "canary=3 by 2"]
    );
    assert_eq!(
        of("vendor", "agent"),
        [
            "approve=5567 by 3",
            "bake=1h by 1",
            "budget=strict by 2",
            "canary=off by 3"
        ]
    );
}

#[test]
fn nodes_are_excluded_by_all_rules_until_one_says_off() {
    let text = "
- excludeNodes: eks.amazonaws.com/compute-type=fargate
- excludeNodes: type=virtual-kubelet
  existing: remove
- names: [virtual-agent]
  excludeNodes: off
- names: [virtual-agent]
  excludeNodes: gpu
  existing: keep
";
    assert_eq!(
        says(text, "a", "web").1,
        [
            "eks.amazonaws.com/compute-type=fargate keep by 1",
            "type=virtual-kubelet remove by 2"
        ]
    );
    assert_eq!(says(text, "a", "virtual-agent").1, ["gpu keep by 4"]);
}

#[test]
fn json_is_read_as_well() {
    let text = r#"[{"names": ["web"], "set": {"hold": "rollout"}}]"#;
    assert_eq!(says(text, "a", "web").0, ["hold=rollout by 1"]);
    assert!(says(text, "a", "web2").0.is_empty());
}

#[test]
fn a_mistake_is_named_with_line_rule_field_and_what_is_right() {
    for (text, right) in [
        ("a: b", "line 1: a list of rules is needed, not a mapping"),
        (
            "{\"a\": 1}",
            "line 1: a list of rules is needed, not a mapping",
        ),
        ("3", "line 1: a list of rules is needed, not a number"),
        (
            "- x",
            "line 1: rule 1: a mapping with namespaces, names, set, excludeNodes and existing is needed, not a text",
        ),
        (
            "- set: {hold: all}\n-\n",
            "line 2: rule 2: a mapping with namespaces, names, set, excludeNodes and existing is needed, not nothing",
        ),
        (
            "- set: {hold: all}\n- set:\n    hold: rollot\n",
            "line 3: rule 2: set: hold: \"rollot\" is not a valid value, rollout, all or off is needed",
        ),
        (
            "# a\n---\n- set: {hold: true}",
            "line 3: rule 1: set: hold: \"true\" is not a valid value, rollout, all or off is needed",
        ),
        (
            "- set: {daemonset-controller.io/hold: all}",
            "line 1: rule 1: set: daemonset-controller.io/hold: keys have no prefix here, hold is needed",
        ),
        (
            "- set: {canary: 1.5}",
            "line 1: rule 1: set: canary: a text is needed, in quotes where YAML reads something else, not a number",
        ),
        (
            "- set: {bake: [1h]}",
            "line 1: rule 1: set: bake: a text is needed, in quotes where YAML reads something else, not a list",
        ),
        (
            "- set: {}",
            "line 1: rule 1: set: it is empty: leave it out, or set a key",
        ),
        (
            "- set: hold",
            "line 1: rule 1: set: a mapping of keys is needed, not a text",
        ),
        (
            "- names: [a]\n",
            "line 1: rule 1: it says nothing: set or excludeNodes is needed",
        ),
        (
            "- set: {hold: all}\n  name: web",
            "line 2: rule 1: name: a rule has no such field; it has namespaces, names, set, excludeNodes and existing",
        ),
        (
            "- set: {hold: all}\n  and: x",
            "line 2: rule 1: and: a rule has no such field; it has namespaces, names, set, excludeNodes and existing",
        ),
        (
            "- set: {hold: all}\n  names: web",
            "line 2: rule 1: names: a list is needed, not a text",
        ),
        (
            "- set: {hold: all}\n  names: []",
            "line 2: rule 1: names: an empty list is for nothing; leave the field out, and the rule is for all",
        ),
        (
            "- set: {hold: all}\n  namespaces: [Kube]",
            "line 2: rule 1: namespaces: \"Kube\" is no name; * in a name stands for any text",
        ),
        (
            "- set: {hold: all}\n  namespaces: [3]",
            "line 2: rule 1: namespaces: 3 is no name; * in a name stands for any text",
        ),
        (
            "- excludeNodes: ''",
            "line 1: rule 1: excludeNodes: an empty selector would exclude all nodes; a label selector or off is needed",
        ),
        (
            "- excludeNodes: {a: b}",
            "line 1: rule 1: excludeNodes: a label selector as text is needed, not a mapping",
        ),
        (
            "- excludeNodes: gpu\n  existing: delete",
            "line 2: rule 1: existing: \"delete\" is not a valid value, keep or remove is needed",
        ),
        (
            "- excludeNodes: off\n  existing: keep",
            "line 2: rule 1: existing: it has no meaning with excludeNodes: off",
        ),
        (
            "- set: {hold: all}\n  existing: keep",
            "line 2: rule 1: existing: it has no meaning without excludeNodes",
        ),
        (
            "- set:\n    hold: all\n    hold: off",
            "\"hold\" is there more than once, in lines 2 and 3",
        ),
        (
            "---\n- names: [a]\n  names: [b]\n  set: {hold: all}",
            "\"names\" is there more than once, in lines 2 and 3",
        ),
        (
            "- set: {hold: all}\n---\n- set: {hold: all}",
            "it has 2 documents, and one list of rules is needed",
        ),
    ] {
        assert_eq!(refused(text), right, "{text}");
    }
    let unknown = refused("- set: {holt: all}");
    assert!(
        unknown.starts_with("line 1: rule 1: set: holt: this version does not know the key"),
        "{unknown}"
    );
    let selector = refused("- excludeNodes: a=b,");
    assert!(
        selector.starts_with("line 1: rule 1: excludeNodes: \"a=b,\" is no label selector"),
        "{selector}"
    );
    assert!(refused("- [").starts_with("line 1: "));
    assert_eq!(parse(b"\xff"), Err("it is not UTF-8".to_owned()));
}

/// So a file that was right goes on being read: each key that an annotation may have.
#[test]
fn every_key_can_be_set() {
    let text = "
- set: {approve: 6f5d9c7b8d, bake: approval, budget: strict, canary: pool=canary, hold: all}
";
    assert_eq!(says(text, "a", "b").0.len(), 5);
}
