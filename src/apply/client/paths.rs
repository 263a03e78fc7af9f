//! The paths of what is read and written by name.

use crate::model::Key;

/// A namespaced object or collection.
fn namespaced(group: &str, namespace: &str, plural: &str) -> String {
    format!("/{group}/namespaces/{namespace}/{plural}")
}

/// All pods of a namespace.
pub fn pods(namespace: &str) -> String {
    namespaced("api/v1", namespace, "pods")
}

/// One pod.
pub fn pod(key: &Key) -> String {
    format!("{}/{}", pods(&key.namespace), key.name)
}

/// All ControllerRevisions of a namespace.
pub fn revisions(namespace: &str) -> String {
    namespaced("apis/apps/v1", namespace, "controllerrevisions")
}

/// One ControllerRevision.
pub fn revision(key: &Key) -> String {
    format!("{}/{}", revisions(&key.namespace), key.name)
}

/// One DaemonSet.
pub fn daemon_set(key: &Key) -> String {
    format!(
        "{}/{}",
        namespaced("apis/apps/v1", &key.namespace, "daemonsets"),
        key.name
    )
}

/// A DaemonSet's status.
pub fn daemon_set_status(key: &Key) -> String {
    format!("{}/status", daemon_set(key))
}

/// All Events of a namespace.
pub fn events(namespace: &str) -> String {
    namespaced("api/v1", namespace, "events")
}

/// One Event.
pub fn event(namespace: &str, name: &str) -> String {
    format!("{}/{name}", events(namespace))
}
