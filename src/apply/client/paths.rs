//! Paths of the API server's resources.

use crate::model::Key;

/// Where it is asked whose token it is.
pub const TOKEN_REVIEWS: &str = "/apis/authentication.k8s.io/v1/tokenreviews";

/// Where it is asked what somebody may do.
pub const ACCESS_REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

/// A collection in a namespace.
fn namespaced(group: &str, namespace: &str, plural: &str) -> String {
    format!("/{group}/namespaces/{namespace}/{plural}")
}

/// The pods of a namespace.
pub fn pods(namespace: &str) -> String {
    namespaced("api/v1", namespace, "pods")
}

/// A pod.
pub fn pod(key: &Key) -> String {
    format!("{}/{}", pods(&key.namespace), key.name)
}

/// The subresource of a pod by which it is evicted.
pub fn eviction(pod_key: &Key) -> String {
    format!("{}/eviction", pod(pod_key))
}

/// A PodDisruptionBudget.
pub fn disruption_budget(key: &Key) -> String {
    format!(
        "{}/{}",
        namespaced("apis/policy/v1", &key.namespace, "poddisruptionbudgets"),
        key.name
    )
}

/// The subresource of a pod by which the resources of its containers change.
pub fn pod_resize(key: &Key) -> String {
    format!("{}/resize", pod(key))
}

/// The ControllerRevisions of a namespace.
pub fn revisions(namespace: &str) -> String {
    namespaced("apis/apps/v1", namespace, "controllerrevisions")
}

/// A ControllerRevision.
pub fn revision(key: &Key) -> String {
    format!("{}/{}", revisions(&key.namespace), key.name)
}

/// A DaemonSet.
pub fn daemon_set(key: &Key) -> String {
    format!(
        "{}/{}",
        namespaced("apis/apps/v1", &key.namespace, "daemonsets"),
        key.name
    )
}

/// The status of a DaemonSet.
pub fn daemon_set_status(key: &Key) -> String {
    format!("{}/status", daemon_set(key))
}

/// The Events of a namespace.
pub fn events(namespace: &str) -> String {
    namespaced("api/v1", namespace, "events")
}

/// An Event.
pub fn event(namespace: &str, name: &str) -> String {
    format!("{}/{name}", events(namespace))
}
