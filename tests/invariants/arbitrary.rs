//! Random small clusters: nodes of all kinds, DaemonSets of all strategies, pods in all states,
//! revisions and backoffs, as the objects that an API server would hold.

use daemonset_controller::model::{BackoffKind, Kind};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::*;

/// Everything that a plan is made from.
#[derive(Clone, Debug)]
pub struct World {
    /// The DaemonSet first.
    pub objects: Vec<Object>,
    /// Node, kind, how many attempts were made, and how many seconds ago.
    pub attempts: Vec<(String, BackoffKind, u32, i64)>,
}

impl World {
    /// A cache fed with it, in the order given by `keys` (any numbers), or in its own.
    pub fn cluster(&self, keys: Option<&[u32]>) -> Cluster {
        let mut order: Vec<usize> = (0..self.objects.len()).collect();
        if let Some(keys) = keys {
            order.sort_by_key(|&i| (keys.get(i).copied(), i));
        }
        let mut cluster = Cluster::empty();
        for i in order {
            cluster.put(&self.objects[i]);
        }
        for (node, kind, times, seconds) in &self.attempts {
            for _ in 0..*times {
                cluster.attempt(node, *kind, *seconds);
            }
        }
        cluster
    }

    /// Whether two pods on a node are allowed.
    pub fn surging(&self) -> bool {
        self.objects[0].json["spec"]["updateStrategy"]["rollingUpdate"]["maxSurge"] == json!(1)
    }

    /// All pods.
    pub fn pods(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(|o| o.kind == Kind::Pod)
    }
}

const NODES: [&str; 5] = ["a", "b", "c", "d", "gone"];
const KINDS: [BackoffKind; 5] = [
    BackoffKind::Failed,
    BackoffKind::ShutDown,
    BackoffKind::Succeeded,
    BackoffKind::Deleted,
    BackoffKind::Released,
];
const HASHES: [&str; 5] = [NEW, OLD, "older", "dup", ""];

/// A cluster of up to four nodes and nine pods.
pub fn world() -> impl Strategy<Value = World> {
    let revisions = (
        any::<bool>(),
        prop::bool::weighted(0.2),
        any::<bool>(),
        0_i64..4,
    );
    let attempts = prop::collection::vec((0..4_usize, 0..4_usize, 1_u32..10, 0_i64..4), 0..4);
    (
        daemon_set_strategy(),
        prop::collection::vec(node_strategy(), 4),
        prop::collection::vec(pod_strategy(), 0..9),
        revisions,
        attempts,
        prop::bool::weighted(0.2),
    )
        .prop_map(
            |(ds, nodes, pods, (current, dup, old, number), attempts, squat)| {
                let template = ds.json["spec"]["template"].clone();
                let mut objects = vec![ds];
                for (name, node_of) in NODES.iter().zip(nodes) {
                    objects.extend(node_of.map(|n| n.named(name)));
                }
                if current {
                    objects.push(revision(NEW, number, &template));
                }
                if dup {
                    objects.push(revision("dup", 1, &template));
                }
                if old {
                    objects.push(revision(OLD, 2, &crate::support::template(1)));
                    objects.push(revision("older", 1, &crate::support::template(2)));
                }
                for (i, pod) in pods.into_iter().enumerate() {
                    objects.push(pod.named(&format!("web-{i}")));
                }
                let attempts = attempts
                    .into_iter()
                    .map(|(node, kind, times, ago)| {
                        (NODES[node].to_owned(), KINDS[kind], times, ago)
                    })
                    .collect();
                let mut world = World { objects, attempts };
                if squat {
                    // Somebody else holds the name of the first pod that would be created.
                    let plan = world.cluster(None).plan();
                    let name = plan.creates.first().map(|c| c.pod_name.clone());
                    world
                        .objects
                        .extend(name.map(|n| pod(&n).owned_by("other").on("a")));
                }
                world
            },
        )
}

fn daemon_set_strategy() -> impl Strategy<Value = Object> {
    let strategy = prop_oneof![
        Just(json!({"type": "OnDelete", "rollingUpdate": null})),
        Just(
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}})
        ),
        Just(
            json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}})
        ),
    ];
    let spec = prop_oneof![
        3 => Just(json!({})),
        1 => Just(json!({"nodeSelector": {"zone": "z1"}})),
        1 => Just(json!({"tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}]})),
    ];
    (
        strategy,
        spec,
        prop_oneof![Just(0), Just(30)],
        0..3,
        prop::bool::weighted(0.8),
    )
        .prop_map(|(strategy, spec, min_ready, limit, observed)| {
            daemon_set().with(json!({
                "spec": {
                    "updateStrategy": strategy, "template": {"spec": spec},
                    "minReadySeconds": min_ready, "revisionHistoryLimit": limit,
                },
                "status": {"observedGeneration": i32::from(observed)},
            }))
        })
}

/// None for a node that is gone.
fn node_strategy() -> impl Strategy<Value = Option<Object>> {
    let taint = prop::option::weighted(
        0.3,
        prop::sample::select(vec![
            "k:NoSchedule",
            "k:NoExecute",
            "k:PreferNoSchedule",
            "node.kubernetes.io/unschedulable:NoSchedule",
        ]),
    );
    let some = (taint, prop::bool::weighted(0.7)).prop_map(|(taint, in_zone)| {
        let mut n = node("?").label("zone", if in_zone { "z1" } else { "z2" });
        if let Some(taint) = taint {
            n = n.taint(taint);
        }
        n
    });
    prop::option::weighted(0.9, some)
}

fn pod_strategy() -> impl Strategy<Value = Object> {
    let target = (0..NODES.len(), 0..8);
    let status = 0..8;
    let owner = 0..10;
    (
        target,
        status,
        owner,
        prop::sample::select(HASHES.to_vec()),
        1_i64..6,
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |((node, how), status, owner, hash, created, terminating, stolen)| {
                let p = pod("?").created(created * 100).hash(hash);
                let p = match how {
                    0 => p.pinned(&[NODES[node]]),
                    1 => p,
                    2 => p.pinned(&["a", "b"]),
                    _ => p.on(NODES[node]),
                };
                let p = match status {
                    0 => p.phase("Pending"),
                    1 => p.phase("Running"),
                    2 => p.ready(10),
                    3 => p.ready(100),
                    4 => p.phase("Failed"),
                    5 => p.phase("Succeeded"),
                    6 => p.ready(50).phase("Failed"),
                    _ => p.with(
                        json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}),
                    ),
                };
                let p = match owner {
                    0 => p.orphan(),
                    1 => p.owned_by("other"),
                    _ => p,
                };
                let p = if terminating { p.terminating() } else { p };
                if stolen { p.label("app", "stolen") } else { p }
            },
        )
}

impl Object {
    /// With this name and a UID made from it.
    pub fn named(self, name: &str) -> Object {
        self.with(json!({"metadata": {"name": name, "uid": format!("uid-{name}")}}))
    }

    /// A value by its JSON pointer, null where there is none.
    pub fn at(&self, pointer: &str) -> &Value {
        self.json.pointer(pointer).unwrap_or(&Value::Null)
    }
}

/// A cluster some of whose nodes are bad, in the sense of `budget: bad-nodes`.
pub fn troubled_world() -> impl Strategy<Value = World> {
    let trouble = prop::collection::vec((0..12_usize, 1_i64..7), NODES.len());
    (world(), trouble).prop_map(|(mut world, troubles)| {
        let nodes = world.objects.iter_mut().filter(|o| o.kind == Kind::Node);
        for (node, (trouble, since)) in nodes.zip(troubles) {
            *node = troubled(node.clone(), trouble, ago(since * 100));
        }
        world
    })
}

fn troubled(node: Object, trouble: usize, since: String) -> Object {
    let with = |kind: &str, status: &str| {
        let condition = json!({"type": kind, "status": status, "lastTransitionTime": since});
        node.clone()
            .with(json!({"status": {"conditions": [condition]}}))
    };
    match trouble {
        0 => with("Ready", "False"),
        1 | 2 => with("Ready", "Unknown"),
        3 => with("MaintenanceInProgress", "True"),
        4 => with("GracefulNodeShutdownInProgress", "True"),
        5 => node.terminating(),
        6 => node.taint("karpenter.sh/disrupted:PreferNoSchedule"),
        7 => node.taint("ToBeDeletedByClusterAutoscaler:NoSchedule"),
        _ => node,
    }
}
