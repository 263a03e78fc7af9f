//! What a snapshot leaves out: fields that decide nothing, and values of templates that may be
//! secrets.

use std::collections::BTreeMap;

use serde_json::{Map, Value, value::RawValue};

use crate::{
    cli::plan::diff::{
        secrets,
        tree::{HIDDEN, Tree},
    },
    model::{Kind, resources::MARK},
};

/// Annotations of DaemonSets and revisions that hold the whole manifest once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The names of values that were left out. The same value has the same name everywhere, so what was
/// equal stays equal, and what differed differs.
#[derive(Default)]
pub(super) struct LeftOut(BTreeMap<String, usize>);

impl LeftOut {
    /// How many different values there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The object without what decides nothing and without secrets. None for a pod that cannot
    /// concern a DaemonSet.
    pub fn of(&mut self, kind: Kind, object: &Value) -> Option<Value> {
        match kind {
            Kind::DaemonSet | Kind::Revision => Some(self.template(object)),
            Kind::Node => Some(node(object)),
            Kind::Pod => concerns_daemon_sets(object).then(|| pod(object)),
        }
    }

    fn template(&mut self, object: &Value) -> Value {
        let mut object = object.clone();
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
            if let Some(annotations) = metadata
                .get_mut("annotations")
                .and_then(Value::as_object_mut)
            {
                annotations.remove(LAST_APPLIED);
            }
        }
        let raw = RawValue::from_string(object.to_string()).expect("a value has a JSON form");
        let Ok(mut tree) = Tree::read(&raw) else {
            return object;
        };
        secrets::hide(&mut tree);
        tree.rename_hidden(&mut |value, shown| {
            let next = self.0.len() + 1;
            let number = *self.0.entry(value.to_owned()).or_insert(next);
            shown.replace(HIDDEN, &format!("left-out-{number}"))
        });
        serde_json::from_str(tree.to_json().get()).unwrap_or(object)
    }
}

/// Whether a snapshot would leave out a value of this object.
pub(super) fn has_secrets(object: &RawValue) -> bool {
    let tree = Tree::read(object).map(|mut tree| {
        secrets::hide(&mut tree);
        tree.is_hidden()
    });
    tree.unwrap_or(false)
}

/// Pods of other controllers are left out.
fn concerns_daemon_sets(pod: &Value) -> bool {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    let mut controllers = owners
        .into_iter()
        .flatten()
        .filter(|owner| owner["controller"] == true);
    controllers
        .next()
        .is_none_or(|owner| owner["kind"] == "DaemonSet")
}

fn node(node: &Value) -> Value {
    let mut metadata = some(
        &node["metadata"],
        &[
            "name",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "deletionTimestamp",
        ],
    );
    metadata.insert("labels".to_owned(), node["metadata"]["labels"].clone());
    let mut status = Map::new();
    let conditions = ["type", "status", "lastTransitionTime", "reason", "message"];
    status.insert(
        "conditions".to_owned(),
        each(&node["status"]["conditions"], &conditions),
    );
    let info = some(&node["status"]["nodeInfo"], &["bootID"]);
    status.insert("nodeInfo".to_owned(), info.into());
    object(
        node,
        metadata,
        some(&node["spec"], &["taints", "unschedulable"]),
        status,
    )
}

fn pod(pod: &Value) -> Value {
    let mut metadata = some(
        &pod["metadata"],
        &[
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "finalizers",
            "labels",
            "ownerReferences",
        ],
    );
    let annotations = some(&pod["metadata"]["annotations"], &[MARK]);
    if !annotations.is_empty() {
        metadata.insert("annotations".to_owned(), annotations.into());
    }
    let mut spec = some(&pod["spec"], &["nodeName", "schedulingGates"]);
    let affinity = &pod["spec"]["affinity"]["nodeAffinity"];
    if !affinity.is_null() {
        let affinity = serde_json::json!({"nodeAffinity": affinity});
        spec.insert("affinity".to_owned(), affinity);
    }
    let mut status = some(&pod["status"], &["phase", "reason", "message"]);
    let conditions = ["type", "status", "lastTransitionTime", "reason", "message"];
    status.insert(
        "conditions".to_owned(),
        each(&pod["status"]["conditions"], &conditions),
    );
    for list in ["initContainerStatuses", "containerStatuses"] {
        let fields = ["name", "restartCount", "state", "lastState", "ready"];
        if pod["status"][list].is_array() {
            status.insert(list.to_owned(), each(&pod["status"][list], &fields));
        }
    }
    object(pod, metadata, spec, status)
}

fn object(
    whole: &Value,
    metadata: Map<String, Value>,
    spec: Map<String, Value>,
    status: Map<String, Value>,
) -> Value {
    let mut object = some(whole, &["apiVersion", "kind"]);
    object.insert("metadata".to_owned(), metadata.into());
    object.insert("spec".to_owned(), spec.into());
    object.insert("status".to_owned(), status.into());
    object.into()
}

/// These fields of an object, where they are there.
fn some(object: &Value, fields: &[&str]) -> Map<String, Value> {
    let there = fields.iter().filter_map(|field| {
        let value = object.get(field).filter(|value| !value.is_null())?;
        Some(((*field).to_owned(), value.clone()))
    });
    there.collect()
}

/// These fields of each entry of a list.
fn each(list: &Value, fields: &[&str]) -> Value {
    let entries = list.as_array().into_iter().flatten();
    entries
        .map(|entry| Value::from(some(entry, fields)))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn revision(password: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": {"name": "r"},
            "data": {"spec": {"template": {"spec": {"containers": [{
                "name": "c", "args": ["--token=abc"], "env": [{"name": "P", "value": password}],
            }]}}}},
        })
    }

    #[test]
    fn secrets_are_left_out_and_what_differed_differs() {
        let mut left_out = LeftOut::default();
        let [a, b, c] = ["one", "two", "one"].map(|p| {
            let left = left_out.of(Kind::Revision, &revision(p)).unwrap();
            let text = left.to_string();
            assert!(!text.contains(p) && !text.contains("abc"), "{text}");
            left
        });
        assert_ne!(a, b);
        assert_eq!(a, c);
        assert_eq!(left_out.count(), 3);
    }

    #[test]
    fn pods_of_other_controllers_are_left_out() {
        let pod = |kind: &str| json!({"metadata": {"name": "p", "ownerReferences": [{"kind": kind, "controller": true}]}});
        let mut left_out = LeftOut::default();
        assert!(left_out.of(Kind::Pod, &pod("ReplicaSet")).is_none());
        assert!(left_out.of(Kind::Pod, &pod("DaemonSet")).is_some());
        let orphan = json!({"metadata": {"name": "p"}});
        assert!(left_out.of(Kind::Pod, &orphan).is_some());
    }
}
