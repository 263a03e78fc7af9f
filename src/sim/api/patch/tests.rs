//! The answers of a real API server 1.37.1 to these requests. Strategic merges have a table of
//! their own in `tests/server/strategic_merge.rs`.

use serde_json::{Value, json};

use super::super::resource::{CONTROLLER_REVISIONS, PODS};
use super::*;

const REJECTED: &str = "the server rejected our request due to an error in our request";

fn pod() -> Value {
    json!({
        "metadata": {"name": "p", "labels": {"a": "b"}, "finalizers": ["x.io/a", "x.io/b"]},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    })
}

fn patched(kind: PatchKind, patch: &str) -> Result<Value> {
    apply(&PODS, kind, pod(), patch.as_bytes())
}

/// Patches the pod, and compares the metadata at `path`.
#[track_caller]
fn check(kind: PatchKind, patch: &str, path: &str, expected: Value) {
    let mut pod = patched(kind, patch).expect(patch);
    assert_eq!(pod.pointer(path), Some(&expected), "{patch}");
    *pod.pointer_mut(path).unwrap() = Value::Null;
    let mut before = self::pod();
    if let Some(value) = before.pointer_mut(path) {
        *value = Value::Null;
        assert_eq!(pod, before, "{patch} changed more than {path}");
    }
}

#[track_caller]
fn check_error(kind: PatchKind, patch: &str, code: u16, reason: &str, message: &str) {
    let status = patched(kind, patch).expect_err(patch);
    assert_eq!(
        (status.code, status.reason, &*status.message),
        (code, reason, message),
        "{patch}"
    );
}

#[test]
fn content_types_by_table() {
    for (content_type, expected) in [
        ("application/json-patch+json", Some(PatchKind::Json)),
        ("application/merge-patch+json", Some(PatchKind::Merge)),
        (
            "application/strategic-merge-patch+json; charset=utf-8",
            Some(PatchKind::Strategic),
        ),
        ("application/apply-patch+yaml", None),
        ("application/json", None),
        ("", None),
    ] {
        let kind = PatchKind::of(content_type);
        assert_eq!(kind.as_ref().ok().copied(), expected, "{content_type}");
        if let Err(status) = kind {
            assert_eq!(
                status.to_json(),
                json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": "415: Unsupported Media Type", "reason": "UnsupportedMediaType",
                    "details": {}, "code": 415,
                })
            );
        }
    }
}

#[test]
fn json_patches_by_table() {
    let labels = "/metadata/labels";
    let finalizers = "/metadata/finalizers";
    for (patch, path, expected) in [
        ("null", labels, json!({"a": "b"})),
        ("[]", labels, json!({"a": "b"})),
        (
            r#"[{"op":"add","path":"/metadata/labels/q","value":"1"}]"#,
            labels,
            json!({"a": "b", "q": "1"}),
        ),
        // The server is more lenient than the RFC.
        (
            r#"[{"op":"replace","path":"/metadata/labels/z","value":"1"}]"#,
            labels,
            json!({"a": "b", "z": "1"}),
        ),
        (
            r#"[{"op":"test","path":"/metadata/labels/z","value":null}]"#,
            labels,
            json!({"a": "b"}),
        ),
        (
            r#"[{"op":"add","path":"/metadata/labels/z"}]"#,
            labels,
            json!({"a": "b", "z": ""}),
        ),
        (
            r#"[{"op":"copy","from":"/metadata/zz","path":"/metadata/labels/q"}]"#,
            labels,
            json!({"a": "b", "q": ""}),
        ),
        (
            r#"[{"op":"move","from":"/metadata/labels/a","path":"/metadata/labels/x~1y~01"}]"#,
            labels,
            json!({"x/y~1": "b"}),
        ),
        (
            r#"[{"op":"add","path":"/metadata/finalizers/-1","value":"x.io/c"}]"#,
            finalizers,
            json!(["x.io/a", "x.io/b", "x.io/c"]),
        ),
        (
            r#"[{"op":"add","path":"/metadata/finalizers/-","value":"x.io/c"}]"#,
            finalizers,
            json!(["x.io/a", "x.io/b", "x.io/c"]),
        ),
        (
            r#"[{"op":"add","path":"/metadata/finalizers/1","value":"x.io/c"}]"#,
            finalizers,
            json!(["x.io/a", "x.io/c", "x.io/b"]),
        ),
        (
            r#"[{"op":"remove","path":"/metadata/finalizers/-1"}]"#,
            finalizers,
            json!(["x.io/a"]),
        ),
        (
            r#"[{"op":"test","path":"/spec/containers/0/name","value":"c"},
                {"op":"replace","path":"/spec/containers/0/image","value":"j"}]"#,
            "/spec/containers/0/image",
            json!("j"),
        ),
        (
            r#"[{"op":"add","path":"/metadata/annotations","value":{"x":"1"}}]"#,
            "/metadata/annotations",
            json!({"x": "1"}),
        ),
        (
            r#"[{"op":"test","path":"/metadata/labels","value":{"a":"b"},"extra":1}]"#,
            labels,
            json!({"a": "b"}),
        ),
    ] {
        check(PatchKind::Json, patch, path, expected);
    }
}

#[test]
fn json_patches_that_do_not_apply_change_nothing_and_do_not_say_why() {
    for patch in [
        r#"[{"op":"nope","path":"/a"}]"#,
        r#"[{"path":"/a"}]"#,
        r#"[{"op":"remove"}]"#,
        "[null]",
        r#"[{"op":"test","path":"/metadata/name","value":"q"}]"#,
        r#"[{"op":"remove","path":"/metadata/labels/z"}]"#,
        r#"[{"op":"add","path":"/metadata/nope/z","value":"1"}]"#,
        r#"[{"op":"add","path":"metadata","value":"1"}]"#,
        r#"[{"op":"add","path":"/metadata/finalizers/9","value":"x.io/c"}]"#,
        r#"[{"op":"add","path":"/metadata/finalizers/x","value":"x.io/c"}]"#,
        r#"[{"op":"replace","path":"/metadata/finalizers/2","value":"x.io/c"}]"#,
        r#"[{"op":"remove","path":""}]"#,
        r#"[{"op":"replace","path":"","value":"x"}]"#,
        r#"[{"op":"move","from":"/metadata/labels/q","path":"/metadata/labels/r"}]"#,
        r#"[{"op":"remove","path":"/metadata/labels/a"},{"op":"remove","path":"/metadata/labels/a"}]"#,
    ] {
        check_error(PatchKind::Json, patch, 422, "Invalid", REJECTED);
        let status = patched(PatchKind::Json, patch).unwrap_err();
        assert_eq!(status.details, json!({}));
    }
}

#[test]
fn malformed_bodies_by_table() {
    use PatchKind::*;
    for (kind, patch, message) in [
        (Json, "", "invalid JSON patch"),
        (Json, "[{", "invalid JSON patch"),
        (
            Json,
            "{}",
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
        ),
        (
            Json,
            "[1]",
            "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
        ),
        (
            Json,
            r#"[{"op":1,"path":"/a"}]"#,
            "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string",
        ),
        (Merge, "", "invalid JSON patch"),
        (Merge, "{", "invalid JSON patch"),
        (Merge, "null", "Invalid JSON Patch"),
        (
            Merge,
            "[]",
            "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (Strategic, "{", "invalid JSON patch"),
        (
            Strategic,
            "[]",
            "json: cannot unmarshal array into Go value of type map[string]interface {}",
        ),
        (
            Strategic,
            r#"{"metadata":{"$retainKeys":["a"],"name":"p"}}"#,
            "invalid patch format of retainKeys",
        ),
    ] {
        check_error(kind, patch, 400, "BadRequest", message);
    }
    check_error(
        Strategic,
        r#"{"spec":{"containers":[{"image":"x"}]}}"#,
        500,
        "",
        "map: map[image:x] does not contain declared merge key: name",
    );
    assert_eq!(patched(Strategic, "null"), Ok(pod()));
}

#[test]
fn too_many_operations_are_refused() {
    let one = r#"{"op":"test","path":"/metadata/name","value":"p"}"#;
    let most = vec![one; 10_000].join(",");
    assert!(patched(PatchKind::Json, &format!("[{most}]")).is_ok());
    let status = patched(PatchKind::Json, &format!("[{most},{one}]")).unwrap_err();
    assert_eq!((status.code, status.reason), (413, "RequestEntityTooLarge"));
    assert_eq!(
        status.message,
        "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"
    );
}

#[test]
fn merge_patches_by_table() {
    let labels = "/metadata/labels";
    for (patch, path, expected) in [
        (
            r#"{"metadata":{"labels":{"a":null,"n":null,"c":"d"}}}"#,
            labels,
            json!({"c": "d"}),
        ),
        (
            r#"{"metadata":{"annotations":{"n":null}}}"#,
            "/metadata/annotations",
            json!({}),
        ),
        (
            r#"{"metadata":{"finalizers":["x.io/c"]}}"#,
            "/metadata/finalizers",
            json!(["x.io/c"]),
        ),
        (
            r#"{"spec":{"containers":[{"name":"d","image":null}]}}"#,
            "/spec/containers",
            json!([{"name": "d"}]),
        ),
    ] {
        check(PatchKind::Merge, patch, path, expected);
    }
}

#[test]
fn a_revisions_data_is_kept_as_it_is() {
    let data = json!({"spec": {"template": {"$patch": "replace", "x": null}}});
    let revision = json!({"metadata": {"name": "r"}, "data": data});
    for (kind, patch) in [
        (PatchKind::Strategic, r#"{"metadata":{"labels":{"a":"b"}}}"#),
        (PatchKind::Merge, r#"{"metadata":{"labels":{"a":"b"}}}"#),
        (
            PatchKind::Json,
            r#"[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]"#,
        ),
    ] {
        let patched = apply(
            &CONTROLLER_REVISIONS,
            kind,
            revision.clone(),
            patch.as_bytes(),
        )
        .unwrap();
        assert_eq!(patched["data"], data, "{kind:?}");
        assert_eq!(patched["metadata"]["labels"], json!({"a": "b"}), "{kind:?}");
    }
}
