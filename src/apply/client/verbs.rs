//! The verb and the resource of a request, as RBAC names them, for counting.

use http::Method;

/// The verb of a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verb {
    /// GET of one object.
    Get,
    /// GET of a collection.
    List,
    /// GET of the changes of a collection.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl Verb {
    /// The verb as RBAC names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Watch => "watch",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
        }
    }
}

/// The resource of a request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Resource {
    /// `apps/v1` DaemonSets.
    DaemonSets,
    /// The subresource `status` of a DaemonSet.
    DaemonSetStatus,
    /// `v1` Nodes.
    Nodes,
    /// `apps/v1` ControllerRevisions.
    Revisions,
    /// `v1` Pods.
    Pods,
    /// The subresource of a pod by which it is evicted.
    Evictions,
    /// `policy/v1` PodDisruptionBudgets.
    DisruptionBudgets,
    /// The subresource `resize` of a Pod.
    PodResize,
    /// Events of either API group.
    Events,
    /// `coordination.k8s.io` Leases.
    Leases,
    /// `authentication.k8s.io` TokenReviews.
    TokenReviews,
    /// `authorization.k8s.io` SubjectAccessReviews.
    AccessReviews,
    /// Anything else.
    Other,
}

impl Resource {
    /// The resource as RBAC names it; `other` for the rest.
    pub fn as_str(self) -> &'static str {
        match self {
            Resource::DaemonSets => "daemonsets",
            Resource::DaemonSetStatus => "daemonsets/status",
            Resource::Nodes => "nodes",
            Resource::Revisions => "controllerrevisions",
            Resource::Pods => "pods",
            Resource::Evictions => "pods/eviction",
            Resource::DisruptionBudgets => "poddisruptionbudgets",
            Resource::PodResize => "pods/resize",
            Resource::Events => "events",
            Resource::Leases => "leases",
            Resource::TokenReviews => "tokenreviews",
            Resource::AccessReviews => "subjectaccessreviews",
            Resource::Other => "other",
        }
    }
}

/// The verb and the resource of a request, by its method and path.
pub fn of(method: &Method, path: &str) -> (Verb, Resource) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    // The parts before the resource: "api" and version, or "apis", group and version.
    let skipped = if parts.next() == Some("apis") { 2 } else { 1 };
    let mut parts = parts.skip(skipped).peekable();
    if parts.peek() == Some(&"namespaces") {
        parts.next();
        parts.next();
    }
    let (plural, name, part) = (parts.next(), parts.next(), parts.next());
    let resource = match (plural, part) {
        (Some("daemonsets"), None) => Resource::DaemonSets,
        (Some("daemonsets"), Some("status")) => Resource::DaemonSetStatus,
        (Some("nodes"), None) => Resource::Nodes,
        (Some("controllerrevisions"), None) => Resource::Revisions,
        (Some("pods"), None) => Resource::Pods,
        (Some("pods"), Some("eviction")) => Resource::Evictions,
        (Some("poddisruptionbudgets"), None) => Resource::DisruptionBudgets,
        (Some("pods"), Some("resize")) => Resource::PodResize,
        (Some("events"), None) => Resource::Events,
        (Some("leases"), None) => Resource::Leases,
        (Some("tokenreviews"), None) => Resource::TokenReviews,
        (Some("subjectaccessreviews"), None) => Resource::AccessReviews,
        _ => Resource::Other,
    };
    let watches = query
        .split('&')
        .any(|p| p == "watch=true" || p == "watch=1");
    let verb = match *method {
        Method::POST => Verb::Create,
        Method::PUT => Verb::Update,
        Method::PATCH => Verb::Patch,
        Method::DELETE => Verb::Delete,
        _ if watches => Verb::Watch,
        _ if name.is_none() => Verb::List,
        _ => Verb::Get,
    };
    (verb, resource)
}

#[cfg(test)]
mod tests {
    use super::super::paths;
    use super::*;
    use crate::model::Key;

    #[test]
    fn a_request_is_told_by_its_method_and_path() {
        let key = Key::new("logging", "agent");
        let events = "/api/v1/namespaces/logging/events";
        for (method, path, verb, resource) in [
            (Method::GET, paths::pod(&key), "get", "pods"),
            (Method::GET, paths::pods("logging"), "list", "pods"),
            (
                Method::GET,
                format!("{}?limit=500", paths::pods("logging")),
                "list",
                "pods",
            ),
            (
                Method::GET,
                "/api/v1/pods?watch=true&x=y".into(),
                "watch",
                "pods",
            ),
            (Method::GET, "/api/v1/nodes".into(), "list", "nodes"),
            (Method::GET, "/api/v1/nodes/n0".into(), "get", "nodes"),
            (
                Method::GET,
                "/api/v1/namespaces/logging".into(),
                "list",
                "other",
            ),
            (Method::POST, paths::pods("logging"), "create", "pods"),
            (Method::DELETE, paths::pod(&key), "delete", "pods"),
            (
                Method::POST,
                paths::eviction(&key),
                "create",
                "pods/eviction",
            ),
            (
                Method::GET,
                paths::disruption_budget(&key),
                "get",
                "poddisruptionbudgets",
            ),
            (
                Method::PATCH,
                paths::daemon_set(&key),
                "patch",
                "daemonsets",
            ),
            (
                Method::PATCH,
                paths::daemon_set_status(&key),
                "patch",
                "daemonsets/status",
            ),
            (
                Method::PATCH,
                paths::pod_resize(&key),
                "patch",
                "pods/resize",
            ),
            (
                Method::POST,
                paths::revisions("logging"),
                "create",
                "controllerrevisions",
            ),
            (
                Method::PATCH,
                paths::revision(&key),
                "patch",
                "controllerrevisions",
            ),
            (
                Method::POST,
                paths::TOKEN_REVIEWS.into(),
                "create",
                "tokenreviews",
            ),
            (
                Method::POST,
                paths::ACCESS_REVIEWS.into(),
                "create",
                "subjectaccessreviews",
            ),
            (Method::POST, events.into(), "create", "events"),
            (
                Method::PUT,
                "/apis/coordination.k8s.io/v1/namespaces/x/leases/y".into(),
                "update",
                "leases",
            ),
            (
                Method::GET,
                format!("{}/log", paths::pod(&key)),
                "get",
                "other",
            ),
            (Method::GET, "/version".into(), "list", "other"),
        ] {
            let (v, r) = of(&method, &path);
            assert_eq!(
                (v.as_str(), r.as_str()),
                (verb, resource),
                "{method} {path}"
            );
        }
    }
}
