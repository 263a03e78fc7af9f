//! What is counted: requests to the API server, and what was done to pods and revisions.
//!
//! `apply` says what happened; whoever keeps the counts (`runtime::metrics`) listens as a [`Tally`]. All that is said
//! comes from small fixed sets, so that counts by it never grow without bound.

use std::fmt;

use http::Method;

use crate::plan::{CreateCause, DeleteCause};

/// Listens. Called at every request, from many at a time; must not block.
pub trait Tally: Send + Sync {
    /// A request was answered, or given up. `outcome` is `ok` or an [`ApiError::category`](super::error::ApiError::category).
    fn called(&self, verb: Verb, resource: Resource, outcome: &'static str);
    /// The API server did what was asked for.
    fn acted(&self, action: Action);
}

/// What is asked for, in RBAC's words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verb {
    /// GET of one object.
    Get,
    /// GET of a collection.
    List,
    /// GET of what changes.
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
    /// The word.
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

/// Of what it is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Resource {
    /// `apps/v1` DaemonSets.
    DaemonSets,
    /// The status of a DaemonSet.
    DaemonSetStatus,
    /// `v1` Nodes.
    Nodes,
    /// `apps/v1` ControllerRevisions.
    Revisions,
    /// `v1` Pods.
    Pods,
    /// Events.
    Events,
    /// `coordination.k8s.io` Leases.
    Leases,
    /// Anything else.
    Other,
}

impl Resource {
    /// The word, as RBAC has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Resource::DaemonSets => "daemonsets",
            Resource::DaemonSetStatus => "daemonsets/status",
            Resource::Nodes => "nodes",
            Resource::Revisions => "controllerrevisions",
            Resource::Pods => "pods",
            Resource::Events => "events",
            Resource::Leases => "leases",
            Resource::Other => "other",
        }
    }
}

/// What a request asks for, by its method and path.
pub fn of(method: &Method, path: &str) -> (Verb, Resource) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    // "api", "v1" or "apis", group, version.
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
        (Some("events"), None) => Resource::Events,
        (Some("leases"), None) => Resource::Leases,
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

/// What was done, with its cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// A pod was created.
    Create(CreateCause),
    /// A pod was deleted.
    Delete(DeleteCause),
    /// An orphan that matches the selector became ours.
    Adopt,
    /// A pod that stopped matching was let go.
    Release,
    /// A pod got the hash of the revision that its own was merged into.
    Relabel,
    /// A revision was created for a new template.
    CreateRevision,
    /// A revision that is like the current one was deleted.
    DeleteDuplicateRevision,
    /// A revision beyond the history limit was deleted.
    DeleteOldRevision,
    /// An orphaned revision became ours.
    AdoptRevision,
    /// A revision that stopped matching was let go.
    ReleaseRevision,
    /// A revision got the label with its hash, which it lacked.
    LabelRevision,
    /// The current revision was given the highest number: a rollback.
    RenumberRevision,
}

impl Action {
    /// Every one that there is, for whoever counts from zero.
    pub fn all() -> Vec<Action> {
        let creates = CreateCause::ALL.into_iter().map(Action::Create);
        let deletes = DeleteCause::ALL.into_iter().map(Action::Delete);
        let others = [
            Action::Adopt,
            Action::Release,
            Action::Relabel,
            Action::CreateRevision,
            Action::DeleteDuplicateRevision,
            Action::DeleteOldRevision,
            Action::AdoptRevision,
            Action::ReleaseRevision,
            Action::LabelRevision,
            Action::RenumberRevision,
        ];
        creates.chain(deletes).chain(others).collect()
    }

    /// What, in one word.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Create(_) => "create",
            Action::Delete(_) => "delete",
            Action::Adopt => "adopt",
            Action::Release => "release",
            Action::Relabel => "relabel",
            Action::CreateRevision => "create_revision",
            Action::DeleteDuplicateRevision | Action::DeleteOldRevision => "delete_revision",
            Action::AdoptRevision => "adopt_revision",
            Action::ReleaseRevision => "release_revision",
            Action::LabelRevision => "label_revision",
            Action::RenumberRevision => "renumber_revision",
        }
    }

    /// Why, in one word.
    pub fn cause(self) -> &'static str {
        match self {
            Action::Create(cause) => cause.as_str(),
            Action::Delete(cause) => cause.as_str(),
            Action::Adopt | Action::AdoptRevision => "MatchingOrphan",
            Action::Release | Action::ReleaseRevision => "NoLongerMatches",
            Action::Relabel | Action::DeleteDuplicateRevision => "DuplicateRevision",
            Action::CreateRevision => "NewTemplate",
            Action::DeleteOldRevision => "HistoryLimit",
            Action::LabelRevision => "LabelMissing",
            Action::RenumberRevision => "Rollback",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.as_str(), self.cause())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{apply::paths, model::Key};

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

    #[test]
    fn every_action_is_said_in_its_own_words() {
        let all = Action::all();
        let words: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
        assert_eq!(words.len(), all.len(), "{words:?}");
        let word = |w: &str| w.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        assert!(all.iter().all(|a| word(a.as_str()) && word(a.cause())));
    }
}
