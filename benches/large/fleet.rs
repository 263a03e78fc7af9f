//! A large cluster in a cache, and what happens to the pods of one of its DaemonSets.

use std::time::Duration;

use daemonset_controller::{
    cache::{Cache, Row},
    model::{
        Controller, FeatureGates, Interner, Key, Kind, Labels, Node, Pod, Readiness, Settings,
        Snapshot, Str, Time, Uid, Version,
    },
    plan::{self, Create, Plan},
    runtime::shared::SETTLE_STEP,
};
use serde_json::{json, value::RawValue};

use crate::{
    BURST,
    support::{fleet::node_text, revision, template},
    timed,
};

/// The nodes, and the DaemonSets that have a pod on each of them.
pub struct Fleet {
    pub cache: Cache,
    pub nodes: usize,
    pub daemon_sets: usize,
    pub now: Time,
    /// The last resourceVersion.
    version: u64,
    interner: Interner,
}

pub fn key(daemon_set: usize) -> Key {
    Key::new("system", format!("agent-{daemon_set}"))
}

fn uid(daemon_set: usize) -> String {
    format!("2fd1bb0e-6a5b-4a5e-9f2d-6d2d0000{daemon_set:04}")
}

fn hash(release: usize) -> String {
    format!("release{release}")
}

fn node_name(node: usize) -> String {
    format!("node-{node:06}")
}

impl Fleet {
    /// Reads all of it as lists bring it.
    pub fn new(nodes: usize, daemon_sets: usize) -> Fleet {
        let mut cache = Cache::new(FeatureGates::default());
        let now: Time = "2026-06-01T12:00:00Z".parse().expect("a time");
        cache.tick(now);
        let mut fleet = Fleet {
            cache,
            nodes,
            daemon_sets,
            now,
            version: 1_000,
            interner: Interner::default(),
        };
        for kind in Kind::ALL {
            fleet.cache.list_began(kind);
            fleet.list(kind);
            fleet.complete(kind);
        }
        fleet.cache.take_dirty();
        fleet
    }

    /// Hands over all objects of a kind, as a list does.
    fn list(&mut self, kind: Kind) {
        match kind {
            Kind::Node => {
                for node in 0..self.nodes {
                    self.listed(kind, &node_text(node));
                }
            }
            Kind::Pod => {
                for daemon_set in 0..self.daemon_sets {
                    for node in 0..self.nodes {
                        self.listed(kind, &pod_text(daemon_set, node));
                    }
                }
            }
            Kind::DaemonSet => {
                for daemon_set in 0..self.daemon_sets {
                    self.listed(kind, &daemon_set_text(daemon_set, 0));
                }
            }
            Kind::Revision => {
                for daemon_set in 0..self.daemon_sets {
                    self.listed(kind, &revision_text(daemon_set, 0));
                }
            }
        }
    }

    fn listed(&mut self, kind: Kind, text: &str) {
        self.cache.listed(kind, &raw(text)).expect("it decodes");
    }

    fn complete(&mut self, kind: Kind) {
        self.version += 1;
        self.cache.list_completed(kind, Version(self.version));
    }

    /// A DaemonSet that has no pod yet; returns its number.
    pub fn add_daemon_set(&mut self) -> usize {
        let added = self.daemon_sets;
        self.observe(Kind::DaemonSet, &daemon_set_text(added, 0));
        self.observe(Kind::Revision, &revision_text(added, 0));
        added
    }

    /// The template of a DaemonSet becomes another one.
    pub fn release(&mut self, daemon_set: usize) {
        self.observe(Kind::DaemonSet, &daemon_set_text(daemon_set, 1));
        self.observe(Kind::Revision, &revision_text(daemon_set, 1));
    }

    fn observe(&mut self, kind: Kind, text: &str) {
        self.cache.observe(kind, &raw(text)).expect("it decodes");
    }

    /// What a sync decides now.
    pub fn plan(&mut self, daemon_set: usize) -> Plan {
        let now = self.now;
        self.snapshot(daemon_set, |s| plan::for_sync(s, now, BURST))
    }

    /// What the whole plan of people is now.
    pub fn whole_plan(&mut self, daemon_set: usize) -> Plan {
        let now = self.now;
        self.snapshot(daemon_set, |s| plan::plan(s, now))
    }

    /// How many rows a plan looks at.
    pub fn rows(&mut self, daemon_set: usize) -> usize {
        self.snapshot(daemon_set, |s| s.rows())
    }

    fn snapshot<R>(&mut self, daemon_set: usize, f: impl FnOnce(&Snapshot<'_>) -> R) -> R {
        let key = key(daemon_set);
        let snapshot = self.cache.snapshot(&key, Settings::default(), f);
        snapshot.expect("the DaemonSet is there")
    }

    /// The answer to a create.
    pub fn created(&mut self, daemon_set: usize, create: &Create) -> Pod {
        self.version += 1;
        let labels: [(Str, Str); 2] = [
            ("app".into(), key(daemon_set).name),
            ("controller-revision-hash".into(), create.revision.clone()),
        ];
        let labels: Labels = labels.into_iter().collect();
        let made = Uid::from(&*format!("made-{}", self.version));
        let pod = Pod {
            version: Version(self.version),
            created: self.now,
            controller: Controller::Uid(Uid::from(&*uid(daemon_set))),
            labels: self.interner.labels(labels),
            scheduled: true,
            ..Pod::new(create.pod_name.clone(), made)
        };
        self.put(pod.clone(), &create.node);
        pod
    }

    /// A pod became ready.
    pub fn ready(&mut self, mut pod: Pod, node: &Str) {
        self.version += 1;
        pod.version = Version(self.version);
        pod.readiness = Readiness::Since(self.now);
        self.put(pod, node);
    }

    fn put(&mut self, pod: Pod, node: &Str) {
        self.cache.observe_row(Row::Pod {
            namespace: "system".into(),
            pod,
            node: Some(node.clone()),
            relevant: true,
        });
    }

    /// A node gets a taint that nothing tolerates, or loses it.
    pub fn taint(&mut self, node: usize, tainted: bool) {
        self.version += 1;
        let (_, known) = self.cache.nodes().by_name(&node_name(node)).expect("there");
        let mut changed: Node = known.clone();
        changed.version = Version(self.version);
        changed.taints = if tainted {
            let taints = r#"{"metadata":{"name":"n","uid":"n"},"spec":{"taints":[{"key":"gone","effect":"NoExecute"}]}}"#;
            let read = daemonset_controller::wire::node::decode(&raw(taints), &mut self.interner);
            read.expect("a node").taints
        } else {
            Box::default()
        };
        self.cache.observe_row(Row::Node(changed));
    }

    /// A node is deleted.
    pub fn delete_node(&mut self, node: usize) {
        let (_, known) = self.cache.nodes().by_name(&node_name(node)).expect("there");
        let (name, uid) = (known.name.clone(), known.uid.clone());
        self.cache
            .deleted_row(Kind::Node, &Key::new("", name), &uid);
    }

    /// All pods are listed again, and none has changed.
    pub fn relist(&mut self) {
        self.cache.list_began(Kind::Pod);
        self.list(Kind::Pod);
    }

    /// The list of pods is complete: settles absence in steps, and returns how long the longest
    /// took.
    pub fn relist_completed(&mut self) -> Duration {
        self.version += 1;
        let (mut is_settled, mut longest) = (false, Duration::ZERO);
        self.cache.list_ended(Kind::Pod, Version(self.version));
        while !is_settled {
            let (done, took) = timed(|| self.cache.settle(Kind::Pod, SETTLE_STEP));
            (is_settled, longest) = (done, longest.max(took));
        }
        longest
    }
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("JSON")
}

fn daemon_set_text(daemon_set: usize, release: usize) -> String {
    let name = key(daemon_set).name;
    json!({
        "metadata": {"name": &*name, "namespace": "system", "uid": uid(daemon_set), "resourceVersion": (2 + release).to_string(),
            "generation": 1 + release, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "selector": {"matchLabels": {"app": &*name}},
            "template": pod_template(daemon_set, release),
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%", "maxSurge": 0}},
            "revisionHistoryLimit": 10,
        },
        "status": {"observedGeneration": 1 + release},
    })
    .to_string()
}

fn pod_template(daemon_set: usize, release: usize) -> serde_json::Value {
    let mut all = template(release);
    all["metadata"]["labels"]["app"] = (*key(daemon_set).name).into();
    all
}

fn revision_text(daemon_set: usize, release: usize) -> String {
    let name = key(daemon_set).name;
    let number = i64::try_from(release).expect("few releases") + 1;
    let object = revision(&hash(release), number, &pod_template(daemon_set, release));
    let object = object.with(json!({"metadata": {
        "name": format!("{name}-{}", hash(release)), "namespace": "system",
        "uid": format!("revision-{daemon_set}-{release}"), "labels": {"app": &*name},
        "ownerReferences": [owner(daemon_set)],
    }}));
    object.json.to_string()
}

fn owner(daemon_set: usize) -> serde_json::Value {
    json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": &*key(daemon_set).name,
        "uid": uid(daemon_set), "controller": true})
}

/// A ready pod of the first release, as short as one can be: reading is measured elsewhere.
fn pod_text(daemon_set: usize, node: usize) -> String {
    let name = key(daemon_set).name;
    let number = daemon_set * 1_000_000 + node;
    format!(
        r#"{{"metadata":{{"name":"{name}-{node:06x}","namespace":"system","uid":"0b6f9a44-64b2-4a0e-8c5d-{number:012}","resourceVersion":"{}",
        "creationTimestamp":"2026-05-01T00:00:{:02}Z","labels":{{"app":"{name}","controller-revision-hash":"{}"}},"ownerReferences":[{}]}},
        "spec":{{"nodeName":"{}"}},"status":{{"phase":"Running","conditions":[{{"type":"Ready","status":"True","lastTransitionTime":"2026-05-01T00:01:00Z"}}]}}}}"#,
        10 + node,
        node % 60,
        hash(0),
        owner(daemon_set),
        node_name(node),
    )
}
