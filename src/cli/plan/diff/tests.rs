use serde_json::{Value, json};

use super::{
    compare::{Change, compare},
    tree::Tree,
};

/// The differences as text: `+ path value`, `- path value`, `~ path from to`, `% path names names`.
fn differences(from: Value, to: Value) -> Vec<String> {
    let tree =
        |value: &Value| Tree::read(&serde_json::value::to_raw_value(value).unwrap()).unwrap();
    let (from, to) = (tree(&from), tree(&to));
    let text = |tree: &Tree| tree.to_json().get().to_owned();
    let differences = compare(&from, &to);
    let lines = differences.iter().map(|d| match &d.change {
        Change::Added(to) => format!("+ {} {}", d.path, text(to)),
        Change::Removed(from) => format!("- {} {}", d.path, text(from)),
        Change::Changed(from, to) => format!("~ {} {} {}", d.path, text(from), text(to)),
        Change::Reordered(from, to) => format!("% {} {} {}", d.path, from.join(","), to.join(",")),
    });
    lines.collect()
}

#[test]
fn objects_are_compared_by_key_and_what_is_only_on_one_side_is_shown_whole() {
    let from = json!({"spec": {"a": 1, "b": {"c": true}, "gone": {"x": [1, 2]}}});
    let to = json!({"spec": {"a": 2, "b": {"c": true, "d": null}, "app.kubernetes.io/name": "x"}});
    assert_eq!(
        differences(from, to),
        [
            "~ spec.a 1 2",
            "+ spec[app.kubernetes.io/name] \"x\"",
            "+ spec.b.d null",
            "- spec.gone {\"x\":[1,2]}",
        ]
    );
    assert_eq!(
        differences(json!({"a": "1"}), json!({"a": 1})),
        ["~ a \"1\" 1"]
    );
    assert_eq!(
        differences(json!({"a": []}), json!({"a": {}})),
        ["~ a [] {}"]
    );
}

#[test]
fn lists_of_objects_are_matched_by_what_names_their_items() {
    for (key, same, changed, step) in [
        (
            "containers",
            json!({"name": "a"}),
            json!({"name": "b"}),
            "[name=b]",
        ),
        // The name is that of the volume, and no two mounts have one path.
        (
            "volumeMounts",
            json!({"name": "v", "mountPath": "/a"}),
            json!({"name": "v", "mountPath": "/b"}),
            "[mountPath=/b]",
        ),
        (
            "ports",
            json!({"containerPort": 53, "protocol": "TCP"}),
            json!({"containerPort": 53, "protocol": "UDP"}),
            "[containerPort=53,protocol=UDP]",
        ),
        (
            "ports",
            json!({"containerPort": 53}),
            json!({"containerPort": 53, "protocol": "UDP"}),
            "[containerPort=53,protocol=UDP]",
        ),
        (
            "hostAliases",
            json!({"ip": "::1"}),
            json!({"ip": "::2"}),
            "[ip=::2]",
        ),
        (
            "volumeDevices",
            json!({"devicePath": "/a"}),
            json!({"devicePath": "/b"}),
            "[devicePath=/b]",
        ),
        (
            "tolerations",
            json!({"key": "a"}),
            json!({"key": "b"}),
            "[key=b]",
        ),
        (
            "tolerations",
            json!({"key": "a", "effect": "NoExecute"}),
            json!({"key": "a", "effect": "NoSchedule"}),
            "[key=a,effect=NoSchedule]",
        ),
        (
            "topologySpreadConstraints",
            json!({"topologyKey": "zone"}),
            json!({"topologyKey": "host"}),
            "[topologyKey=host]",
        ),
    ] {
        let with = |mut item: Value, extra: i32| {
            item["x"] = extra.into();
            item
        };
        let from = json!({ key: [with(same.clone(), 0), with(changed.clone(), 1)] });
        let to = json!({ key: [with(same.clone(), 0), with(changed.clone(), 2)] });
        assert_eq!(differences(from, to), [format!("~ {key}{step}.x 1 2")]);
    }
}

#[test]
fn items_in_another_order_are_told_by_their_names() {
    let from = json!({"env": [{"name": "a", "value": "1"}, {"name": "b"}, {"name": "c"}]});
    let to = json!({"env": [{"name": "d"}, {"name": "c"}, {"name": "a", "value": "2"}]});
    assert_eq!(
        differences(from, to),
        [
            "~ env[name=a].value \"1\" \"2\"",
            "- env[name=b] {\"name\":\"b\"}",
            "+ env[name=d] {\"name\":\"d\"}",
            "% env a,c c,a",
        ]
    );
    // One that comes between others moves none of them.
    let (from, to) = (
        json!([{"name": "a"}, {"name": "b"}]),
        json!([{"name": "a"}, {"name": "x"}, {"name": "b"}]),
    );
    assert_eq!(differences(from, to), ["+ [name=x] {\"name\":\"x\"}"]);
}

#[test]
fn lists_without_names_are_compared_by_index_between_what_they_begin_and_end_with() {
    for (from, to, expected) in [
        (
            json!(["a", "b"]),
            json!(["a", "c"]),
            &["~ args[1] \"b\" \"c\""][..],
        ),
        (
            json!(["a", "b"]),
            json!(["x", "a", "b"]),
            &["+ args[0] \"x\""],
        ),
        (
            json!(["a", "b", "c"]),
            json!(["a", "c"]),
            &["- args[1] \"b\""],
        ),
        (
            json!(["a", "a"]),
            json!(["a", "a", "a"]),
            &["+ args[2] \"a\""],
        ),
        (json!([]), json!(["a"]), &["+ args[0] \"a\""]),
        (
            json!(["a", "b", "c", "z"]),
            json!(["a", "x", "z"]),
            &["~ args[1] \"b\" \"x\"", "- args[2] \"c\""],
        ),
        // Two of one name: no name tells them apart.
        (
            json!([{"name": "a", "v": 1}, {"name": "a", "v": 2}]),
            json!([{"name": "a", "v": 1}, {"name": "a", "v": 3}]),
            &["~ args[1].v 2 3"],
        ),
        // One without a name.
        (
            json!([{"name": "a"}, {}]),
            json!([{"name": "b"}, {}]),
            &["~ args[0].name \"a\" \"b\""],
        ),
    ] {
        assert_eq!(
            differences(json!({"args": from}), json!({"args": to})),
            expected
        );
    }
}

#[test]
fn numbers_and_strings_that_go_prints_alike_are_no_difference() {
    let tree = |json: &str| Tree::read(serde_json::from_str(json).unwrap()).unwrap();
    let from = tree(r#"{"a": 1.0, "b": 1e3, "c": "\u0041<", "d": [ ]}"#);
    let to = tree(r#"{"d":[],"c":"A\u003c","b":1000,"a":1}"#);
    assert_eq!(compare(&from, &to), []);
    let to = tree(r#"{"d":[],"c":"A\u003c","b":1001,"a":1}"#);
    assert_eq!(compare(&from, &to).len(), 1);
}
