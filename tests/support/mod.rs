//! Small clusters for tests and benches: objects as the API server sends them, and a cache fed with
//! them.
//!
//! Every object starts as the ordinary case (a node without taints, a pod of the DaemonSet `web` of
//! the current revision); what a test is about is merged over it.

// Each test binary and bench uses a part of it.
#![allow(dead_code)]

pub mod fleet;

use std::time::Duration;

use daemonset_controller::{
    cache::Cache,
    model::{
        BackoffKey, BackoffKind, FeatureGates, Key, Kind, Settings, Snapshot, Time, Uid, Verdict,
    },
    plan::{self, Plan},
    wire::canonical,
};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

/// The DaemonSet's UID.
pub const DS_UID: &str = "ds-uid";
/// The hash of the revision of the DaemonSet's template.
pub const NEW: &str = "new";
/// The hash of an older revision.
pub const OLD: &str = "old";

/// When everything happens.
pub fn now() -> Time {
    "2026-06-01T12:00:00Z".parse().expect("a time")
}

/// So many seconds before [`now`], as the API writes it.
pub fn ago(seconds: i64) -> String {
    let now = now().timestamp().as_second();
    Time::from_secs(now - seconds).to_string()
}

/// So many seconds after [`now`].
pub fn later(seconds: u64) -> Time {
    now() + Duration::from_secs(seconds)
}

/// Lays `patch` over `target`: objects merge, everything else is replaced.
pub fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

/// An object as the API server sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub kind: Kind,
    /// All of it.
    pub json: Value,
}

/// The DaemonSet `default/web`, OnDelete unless surging.
pub fn daemon_set() -> Object {
    Object {
        kind: Kind::DaemonSet,
        json: json!({
            "metadata": {
                "name": "web", "namespace": "default", "uid": DS_UID, "resourceVersion": "1",
                "generation": 1, "creationTimestamp": ago(10_000),
            },
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {}},
                "updateStrategy": {"type": "OnDelete"},
                "revisionHistoryLimit": 10,
            },
            "status": {"observedGeneration": 1},
        }),
    }
}

/// A node without taints.
pub fn node(name: &str) -> Object {
    Object {
        kind: Kind::Node,
        json: json!({
            "metadata": {
                "name": name, "uid": format!("node-{name}"), "resourceVersion": "1",
                "creationTimestamp": ago(20_000), "labels": {"kubernetes.io/hostname": name},
            },
            "spec": {},
        }),
    }
}

/// A pod of the DaemonSet, of the current revision: created 1,000 s ago, pending, on no node.
pub fn pod(name: &str) -> Object {
    let owner = json!([{
        "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "web", "uid": DS_UID, "controller": true,
    }]);
    Object {
        kind: Kind::Pod,
        json: json!({
            "metadata": {
                "name": name, "namespace": "default", "uid": format!("pod-{name}"), "resourceVersion": "1",
                "creationTimestamp": ago(1_000), "ownerReferences": owner,
                "labels": {"app": "web", "controller-revision-hash": NEW},
            },
            "spec": {},
            "status": {"phase": "Pending"},
        }),
    }
}

/// A revision of the DaemonSet that holds this template.
pub fn revision(hash: &str, number: i64, template: &Value) -> Object {
    let raw = to_raw_value(template).expect("JSON");
    let (data, _) = canonical::revision_data(&raw).expect("a template");
    Object {
        kind: Kind::Revision,
        json: json!({
            "metadata": {
                "name": format!("web-{hash}"), "namespace": "default", "uid": format!("rev-{hash}"),
                "resourceVersion": "1",
                "labels": {"app": "web", "controller-revision-hash": hash},
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "web", "uid": DS_UID, "controller": true,
                }],
            },
            "revision": number,
            "data": serde_json::from_str::<Value>(&data).expect("JSON"),
        }),
    }
}

/// A template unlike the DaemonSet's: one for each `n`.
pub fn template(n: usize) -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"image": format!("web:{n}")}]}})
}

impl Object {
    /// Lays this over it.
    pub fn with(mut self, patch: Value) -> Object {
        merge(&mut self.json, patch);
        self
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.json["metadata"]["name"].as_str().expect("a name")
    }

    /// Its namespace and name.
    pub fn key(&self) -> Key {
        let namespace = self.json["metadata"]["namespace"].as_str();
        Key::new(namespace.unwrap_or(""), self.name())
    }

    /// As the wire has it.
    pub fn raw(&self) -> Box<RawValue> {
        to_raw_value(&self.json).expect("JSON")
    }

    /// A node's taint, `key=value:effect` as kubectl writes it.
    pub fn taint(mut self, taint: &str) -> Object {
        let (pair, effect) = taint.rsplit_once(':').expect("an effect");
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let taint = json!({"key": key, "value": value, "effect": effect});
        match &mut self.json["spec"]["taints"] {
            Value::Array(taints) => taints.push(taint),
            none => *none = json!([taint]),
        }
        self
    }

    pub fn label(self, key: &str, value: &str) -> Object {
        self.with(json!({"metadata": {"labels": {key: value}}}))
    }

    /// Scheduled to this node.
    pub fn on(self, node: &str) -> Object {
        self.with(json!({"spec": {"nodeName": node}}))
    }

    /// Not scheduled; pinned to these nodes.
    pub fn pinned(self, nodes: &[&str]) -> Object {
        self.with(json!({"spec": {"affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": nodes}]},
            ]},
        }}}}))
    }

    /// Running, and ready for so many seconds.
    pub fn ready(self, seconds: i64) -> Object {
        self.with(json!({"status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": ago(seconds)},
        ]}}))
    }

    /// `status.phase`.
    pub fn phase(self, phase: &str) -> Object {
        self.with(json!({"status": {"phase": phase}}))
    }

    pub fn terminating(self) -> Object {
        self.with(json!({"metadata": {"deletionTimestamp": ago(5)}}))
    }

    /// Created so many seconds ago.
    pub fn created(self, seconds: i64) -> Object {
        self.with(json!({"metadata": {"creationTimestamp": ago(seconds)}}))
    }

    /// A later state of it.
    pub fn version(self, version: u64) -> Object {
        self.with(json!({"metadata": {"resourceVersion": version.to_string()}}))
    }

    /// Of the revision of this hash.
    pub fn hash(self, hash: &str) -> Object {
        self.label("controller-revision-hash", hash)
    }

    /// Without a controller.
    pub fn orphan(self) -> Object {
        self.with(json!({"metadata": {"ownerReferences": []}}))
    }

    /// Controlled by another DaemonSet.
    pub fn owned_by(self, uid: &str) -> Object {
        self.with(json!({"metadata": {"ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "other", "uid": uid, "controller": true},
        ]}}))
    }

    /// With a surge of one.
    pub fn surging(self) -> Object {
        self.with(json!({"spec": {"updateStrategy": {
            "type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }}}))
    }
}

/// A cache that was fed, around the DaemonSet `default/web`.
pub struct Cluster {
    pub cache: Cache,
    /// When plans are made.
    pub now: Time,
    /// What the operator chose.
    pub settings: Settings,
}

impl Cluster {
    /// The DaemonSet, with the revision of its template, and these.
    pub fn new(daemon_set: Object, objects: impl IntoIterator<Item = Object>) -> Cluster {
        let current = revision(NEW, 1, &daemon_set.json["spec"]["template"]);
        Self::bare(daemon_set, std::iter::once(current).chain(objects))
    }

    /// Nothing yet.
    pub fn empty() -> Cluster {
        let mut cache = Cache::new(FeatureGates::default());
        cache.tick(now());
        Cluster {
            cache,
            now: now(),
            settings: Settings::default(),
        }
    }

    /// The DaemonSet and these.
    pub fn bare(daemon_set: Object, objects: impl IntoIterator<Item = Object>) -> Cluster {
        let mut cluster = Cluster::empty();
        cluster.put(&daemon_set);
        for object in objects {
            cluster.put(&object);
        }
        cluster
    }

    /// Feeds a state in.
    pub fn put(&mut self, object: &Object) {
        self.cache
            .observe(object.kind, &object.raw())
            .unwrap_or_else(|e| panic!("{e}"));
    }

    /// An attempt was made so many seconds ago.
    pub fn attempt(&mut self, node: &str, kind: BackoffKind, seconds: i64) {
        let key = BackoffKey {
            daemon_set: Uid::from(DS_UID),
            generation: 1,
            node: node.into(),
            kind,
        };
        self.cache
            .attempt(&[key], ago(seconds).parse().expect("a time"));
    }

    /// Lends the snapshot.
    pub fn snapshot<R>(&mut self, f: impl FnOnce(&Snapshot<'_>) -> R) -> R {
        self.cache
            .snapshot(&key(), self.settings, f)
            .expect("the DaemonSet is there")
    }

    pub fn plan(&mut self) -> Plan {
        let now = self.now;
        self.snapshot(|s| plan::plan(s, now))
    }

    /// The verdict on a node.
    pub fn verdict(&mut self, node: &str) -> Verdict {
        self.snapshot(|s| s.verdicts.get(s.nodes.by_name(node).expect("the node").0))
    }
}

/// The DaemonSet's key.
pub fn key() -> Key {
    Key::new("default", "web")
}

/// `phase node cause` of each create.
pub fn creates(plan: &Plan) -> Vec<String> {
    let line = |c: &plan::Create| format!("{} {} {}", c.phase.as_str(), c.node, c.cause.as_str());
    plan.creates.iter().map(line).collect()
}

/// `phase pod cause` of each delete.
pub fn deletes(plan: &Plan) -> Vec<String> {
    let line =
        |d: &plan::Delete| format!("{} {} {}", d.phase.as_str(), d.pod.name, d.cause.as_str());
    plan.deletes.iter().map(line).collect()
}
