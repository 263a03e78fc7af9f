//! Small objects of each kind.

use serde_json::{Value, json};

/// A pod that nobody places.
pub fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "image:1"}]},
    })
}

/// A pod on a node, which need not be there.
pub fn pod_on(node: &str, name: &str) -> Value {
    with(pod(name), "/spec/nodeName", json!(node))
}

/// Binds a pod.
pub fn binding(name: &str, node: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": node},
    })
}

/// A node. Nodes have no namespace, so names begin with that of the run.
pub fn node(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"run": "<ns>"}}})
}

pub fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

pub fn daemon_set(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {
                "metadata": {"labels": {"app": "agent"}},
                "spec": {"containers": [{"name": "main", "image": "image:1"}]},
            },
        },
    })
}

/// A ControllerRevision.
pub fn revision(name: &str, number: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": name},
        "revision": number, "data": {"spec": {"template": {"$patch": "replace", "n": 1}}},
    })
}

pub fn lease(name: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, "renewTime": "2001-02-03T04:05:06.000000Z"},
    })
}

/// An event of the core group.
pub fn event(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "<ns>", "name": "a"},
        "reason": "Tested", "message": "something", "type": "Normal", "count": 1,
        "firstTimestamp": "2001-02-03T04:05:06Z", "lastTimestamp": "2001-02-03T04:05:06Z",
        "source": {"component": "test"},
    })
}

/// An event of `events.k8s.io`.
pub fn new_event(name: &str) -> Value {
    json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": name},
        "regarding": {"apiVersion": "v1", "kind": "Pod", "namespace": "<ns>", "name": "a"},
        "reason": "Tested", "note": "something", "type": "Normal", "action": "Testing",
        "eventTime": "2001-02-03T04:05:06.000000Z",
        "reportingController": "test", "reportingInstance": "test-1",
    })
}

/// The object with a value put at a JSON pointer whose parents are made where they are missing.
pub fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let mut at = &mut object;
    for part in pointer.split('/').skip(1) {
        at = match at {
            Value::Array(items) => &mut items[part.parse::<usize>().expect("an index")],
            other => &mut other[part.replace("~1", "/").as_str()],
        };
    }
    *at = value;
    object
}

/// The object without what a JSON pointer leads to.
pub fn without(mut object: Value, pointer: &str) -> Value {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let parent = object.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.expect("an object").remove(key).expect("it is there");
    object
}

/// An object's whole state of which an earlier answer, saved under this name, said the version.
pub fn at(object: Value, saved: &str) -> Value {
    with(
        object,
        "/metadata/resourceVersion",
        json!(format!("<{saved}.rv>")),
    )
}

/// Options of a delete.
pub fn options(fields: Value) -> Value {
    let mut options = json!({"kind": "DeleteOptions", "apiVersion": "v1"});
    for (name, value) in fields.as_object().expect("an object") {
        options[name.as_str()] = value.clone();
    }
    options
}
