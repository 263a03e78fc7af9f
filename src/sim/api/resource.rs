//! The resources that the simulated API server serves.

/// One resource of the API.
#[derive(Debug)]
pub struct Resource {
    /// The API group, empty for the core group.
    pub group: &'static str,
    /// The version within the group.
    pub version: &'static str,
    /// The name in paths, such as `pods`.
    pub plural: &'static str,
    /// The kind of its objects, such as `Pod`.
    pub kind: &'static str,
    /// Whether its objects belong to namespaces.
    pub namespaced: bool,
    /// Whether it has the subresource `status`, through which alone `.status` is written.
    pub status: bool,
    /// Whether writes of `spec` raise `metadata.generation`, which begins with 1.
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

/// `v1`, `pods`.
pub static PODS: Resource = Resource {
    status: true,
    generation: true,
    ..core("pods", "Pod")
};
/// `v1`, `nodes`.
pub static NODES: Resource = Resource {
    namespaced: false,
    status: true,
    ..core("nodes", "Node")
};
/// `v1`, `namespaces`.
pub static NAMESPACES: Resource = Resource {
    namespaced: false,
    status: true,
    ..core("namespaces", "Namespace")
};
/// `v1`, `events`. Those of `events.k8s.io` are the same objects in another form.
pub static EVENTS: Resource = core("events", "Event");
/// `events.k8s.io/v1`, `events`: the newer form.
pub static NEW_EVENTS: Resource = Resource {
    group: "events.k8s.io",
    ..core("events", "Event")
};
/// `apps/v1`, `daemonsets`.
pub static DAEMON_SETS: Resource = Resource {
    group: "apps",
    status: true,
    generation: true,
    ..core("daemonsets", "DaemonSet")
};
/// `apps/v1`, `controllerrevisions`.
pub static CONTROLLER_REVISIONS: Resource = Resource {
    group: "apps",
    ..core("controllerrevisions", "ControllerRevision")
};
/// `coordination.k8s.io/v1`, `leases`.
pub static LEASES: Resource = Resource {
    group: "coordination.k8s.io",
    ..core("leases", "Lease")
};

/// `policy/v1`, `poddisruptionbudgets`, which are only read here.
pub static DISRUPTION_BUDGETS: Resource = Resource {
    group: "policy",
    status: true,
    generation: true,
    ..core("poddisruptionbudgets", "PodDisruptionBudget")
};

/// All resources that are served.
pub static ALL: [&Resource; 9] = [
    &PODS,
    &NODES,
    &NAMESPACES,
    &EVENTS,
    &NEW_EVENTS,
    &DAEMON_SETS,
    &CONTROLLER_REVISIONS,
    &LEASES,
    &DISRUPTION_BUDGETS,
];

impl PartialEq for Resource {
    fn eq(&self, other: &Resource) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Resource {}

impl Resource {
    /// The resource of this group, version and plural; None if it is not served.
    pub fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
        let mut all = ALL.into_iter();
        all.find(|r| r.group == group && r.version == version && r.plural == plural)
    }

    /// Group and version as objects have them: `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The resource as messages name it: `pods`, `daemonsets.apps`.
    pub fn qualified(&self) -> String {
        qualified(self.plural, self.group)
    }

    /// The kind as messages about invalid objects name it: `Pod`, `DaemonSet.apps`.
    pub fn qualified_kind(&self) -> String {
        qualified(self.kind, self.group)
    }

    /// The path of its collection in a namespace, or in all if that is empty.
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
