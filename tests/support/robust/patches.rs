//! Patches, as the simulated API server applies them.

use daemonset_controller::sim::api::{
    patch::{PatchKind, apply},
    resource::{CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS},
};
use serde_json::json;

/// Any bytes, as a patch of each kind of objects of each resource.
pub fn patch(data: &[u8]) {
    let original = json!({
        "metadata": {
            "name": "x", "labels": {"app": "x"}, "finalizers": ["a", "b"],
            "ownerReferences": [{"uid": "u", "controller": true}, {"uid": "v"}],
        },
        "spec": {
            "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}]}],
            "tolerations": [{"key": "a"}],
            "taints": [{"key": "a", "effect": "NoSchedule"}],
            "template": {"spec": {"containers": [{"name": "c"}, {"name": "d"}]}},
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    });
    for resource in [&CONTROLLER_REVISIONS, &DAEMON_SETS, &NODES, &PODS] {
        for kind in [PatchKind::Json, PatchKind::Merge, PatchKind::Strategic] {
            let Ok(patched) = apply(resource, kind, original.clone(), data) else {
                continue;
            };
            let length = patched.to_string().len();
            // Copies add up to 3 MiB; an escape in a patch may be spelt longer in an object.
            assert!(
                length <= 4096 + 6 * data.len() + (3 << 20),
                "{length} bytes"
            );
        }
    }
}
