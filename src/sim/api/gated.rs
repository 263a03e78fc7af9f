//! Fields behind feature gates that are off: the server takes them from pods and templates, without
//! a word, before it checks them.

use serde_json::Value;

use crate::stored::types::{self, Type};

/// Struct and field, of the gates that are off by default in Kubernetes 1.37.
const GATED: [(&str, &str); 14] = [
    ("ClusterTrustBundleProjection", "user"),
    ("ConfigMapVolumeSource", "defaultUser"),
    ("DownwardAPIVolumeFile", "user"),
    ("DownwardAPIVolumeSource", "defaultUser"),
    ("EmptyDirVolumeSource", "mode"),
    ("GRPCAction", "mode"),
    ("HTTPGetAction", "protocol"),
    ("KeyToPath", "user"),
    ("Lifecycle", "stopSignal"),
    ("PodCertificateProjection", "user"),
    ("ProjectedVolumeSource", "defaultUser"),
    ("SecretVolumeSource", "defaultUser"),
    ("ServiceAccountTokenProjection", "user"),
    ("VolumeMount", "bindMountOptions"),
];

/// Gated fields of the pod itself.
const OF_PODS: [&str; 2] = ["evictionResponders", "schedulingGroup"];

/// Removes the gated fields of a pod's spec.
pub fn drop_from(spec: &mut Value) {
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|key, _| !OF_PODS.contains(&key.as_str()));
    }
    walk(spec, "PodSpec");
}

fn walk(value: &mut Value, name: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, name)),
        Value::Object(fields) => {
            let Some(known) = types::find(name) else {
                return;
            };
            if GATED.iter().any(|(owner, _)| *owner == name) {
                fields.retain(|key, _| !GATED.contains(&(name, key.as_str())));
            }
            // Hooks that had nothing but a signal go with it.
            let only_signal = |hooks: &Value| {
                let hooks = hooks.as_object();
                hooks.is_some_and(|h| h.len() == 1 && h.contains_key("stopSignal"))
            };
            fields.retain(|key, inside| key != "lifecycle" || !only_signal(inside));
            for (key, inside) in fields {
                // What is left of the sources is a new list, and there is none where none is left.
                let no_sources = || inside.as_array().is_some_and(Vec::is_empty);
                if (name, key.as_str()) == ("ProjectedVolumeSource", "sources") && no_sources() {
                    *inside = Value::Null;
                }
                if let Some(Type::Struct(of)) = known.field(key).map(|field| field.of) {
                    walk(inside, of);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn gated_fields_are_known_and_go() {
        for (owner, key) in GATED {
            assert!(
                types::find(owner).unwrap().field(key).is_some(),
                "{owner}.{key}"
            );
        }
        let mut spec = json!({
            "schedulingGroup": {"podGroupName": "g"},
            "containers": [{"lifecycle": {"stopSignal": "SIGHUP", "preStop": {}}}],
        });
        drop_from(&mut spec);
        assert_eq!(
            spec,
            json!({"containers": [{"lifecycle": {"preStop": {}}}]})
        );
    }
}
