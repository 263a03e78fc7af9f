//! The resources that the simulated API server serves.

/// One resource of the API. Compared by identity: there is one of each, in [`ALL`].
#[derive(Debug)]
pub struct Resource {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Version within the group.
    pub version: &'static str,
    /// `pods`.
    pub plural: &'static str,
    /// `Pod`.
    pub kind: &'static str,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// Whether it has the subresource `status`, which alone writes `.status`.
    pub status: bool,
    /// Whether writes of its `spec` raise `metadata.generation`, which begins with 1.
    pub generation: bool,
}

const fn core(plural: &'static str, kind: &'static str) -> Resource {
    Resource {
        group: "",
        version: "v1",
        plural,
        kind,
        namespaced: true,
        status: false,
        generation: false,
    }
}

/// Pods.
pub static PODS: Resource = Resource {
    status: true,
    generation: true,
    ..core("pods", "Pod")
};
/// Nodes.
pub static NODES: Resource = Resource {
    namespaced: false,
    status: true,
    ..core("nodes", "Node")
};
/// Namespaces.
pub static NAMESPACES: Resource = Resource {
    namespaced: false,
    status: true,
    ..core("namespaces", "Namespace")
};
/// Events of the core group. Those of `events.k8s.io` are the same objects in another form.
pub static EVENTS: Resource = core("events", "Event");
/// The newer form of events.
pub static NEW_EVENTS: Resource = Resource {
    group: "events.k8s.io",
    ..core("events", "Event")
};
/// DaemonSets.
pub static DAEMON_SETS: Resource = Resource {
    group: "apps",
    status: true,
    generation: true,
    ..core("daemonsets", "DaemonSet")
};
/// ControllerRevisions.
pub static CONTROLLER_REVISIONS: Resource = Resource {
    group: "apps",
    ..core("controllerrevisions", "ControllerRevision")
};
/// Leases.
pub static LEASES: Resource = Resource {
    group: "coordination.k8s.io",
    ..core("leases", "Lease")
};

/// All of them.
pub static ALL: [&Resource; 8] = [
    &PODS,
    &NODES,
    &NAMESPACES,
    &EVENTS,
    &NEW_EVENTS,
    &DAEMON_SETS,
    &CONTROLLER_REVISIONS,
    &LEASES,
];

impl PartialEq for Resource {
    fn eq(&self, other: &Resource) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Resource {}

impl Resource {
    /// The resource of this group, version and plural.
    pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
        let mut all = ALL.into_iter();
        all.find(|r| r.group == group && r.version == version && r.plural == plural)
    }

    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// As messages name it: `pods`, `daemonsets.apps`.
    pub fn qualified(&self) -> String {
        qualified(self.plural, self.group)
    }

    /// As messages about invalid objects name its kind: `Pod`, `DaemonSet.apps`.
    pub fn qualified_kind(&self) -> String {
        qualified(self.kind, self.group)
    }

    /// The path of its collection, of one namespace or of all where that is empty.
    pub fn path(&self, namespace: &str) -> String {
        let root = if self.group.is_empty() {
            "/api"
        } else {
            "/apis/"
        };
        let root = match self.group {
            "" => format!("{root}/{}", self.version),
            group => format!("{root}{group}/{}", self.version),
        };
        if namespace.is_empty() {
            format!("{root}/{}", self.plural)
        } else {
            format!("{root}/namespaces/{namespace}/{}", self.plural)
        }
    }
}

fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() {
        name.to_owned()
    } else {
        format!("{name}.{group}")
    }
}
