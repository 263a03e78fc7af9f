//! The nodes of the demo's cluster: those of files, or its own: a few zones, a few pools, some of
//! them tainted, with the labels that nodes of real clusters carry.

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use crate::sim::kubelets::script::PREFIX;

use super::objects::text;

/// The label with the zone of a node.
pub const ZONE: &str = "topology.kubernetes.io/zone";
/// The label with the pool of a node.
pub const POOL: &str = "example.com/pool";

const HOSTNAME: &str = "kubernetes.io/hostname";
const ZONES: [&str; 3] = ["a", "b", "c"];
/// From so many nodes on, one of them runs Windows.
const WITH_WINDOWS: usize = 10;

/// Nodes of one sort.
struct Pool {
    name: &'static str,
    arch: &'static str,
    os: &'static str,
    instance_type: &'static str,
    /// More labels.
    labels: &'static [(&'static str, &'static str)],
}

const GENERAL: Pool = Pool {
    name: "general",
    arch: "amd64",
    os: "linux",
    instance_type: "m6i.large",
    labels: &[("node-role.kubernetes.io/worker", "")],
};
const BATCH: Pool = Pool {
    name: "batch",
    arch: "arm64",
    instance_type: "m7g.large",
    labels: &[],
    ..GENERAL
};
const CONTROL_PLANE: Pool = Pool {
    name: "control-plane",
    // Clusters that are older than the new name have both.
    labels: &[
        ("node-role.kubernetes.io/control-plane", ""),
        ("node-role.kubernetes.io/master", ""),
    ],
    ..GENERAL
};
/// As the vendor's operator and node feature discovery label them.
const GPU: Pool = Pool {
    name: "gpu",
    instance_type: "g6.xlarge",
    labels: &[
        ("feature.node.kubernetes.io/pci-10de.present", "true"),
        ("nvidia.com/gpu.count", "1"),
        ("nvidia.com/gpu.deploy.container-toolkit", "true"),
        ("nvidia.com/gpu.deploy.dcgm-exporter", "true"),
        ("nvidia.com/gpu.deploy.device-plugin", "true"),
        ("nvidia.com/gpu.deploy.driver", "true"),
        ("nvidia.com/gpu.deploy.gpu-feature-discovery", "true"),
        ("nvidia.com/gpu.present", "true"),
    ],
    ..GENERAL
};
const WINDOWS: Pool = Pool {
    name: "windows",
    os: "windows",
    labels: &[("node.kubernetes.io/windows-build", "10.0.20348")],
    ..GENERAL
};

/// Makes nodes. The same seed makes the same nodes.
pub struct Fleet {
    rng: StdRng,
    workers: usize,
    digits: usize,
    made: usize,
    /// The nodes of files, if the cluster has those.
    given: Vec<Value>,
}

impl Fleet {
    /// The first nodes, and a fleet that makes more. Of twenty nodes one is for the control plane,
    /// two have GPUs, two are for batch work, one runs Windows, and the others are for general use.
    pub fn new(nodes: usize, seed: u64) -> (Fleet, Vec<Value>) {
        let control = usize::from(nodes > 2);
        let windows = usize::from(nodes >= WITH_WINDOWS);
        let (gpu, batch) = (nodes / 8, nodes / 10);
        let workers = nodes - control - windows - gpu - batch;
        let mut fleet = Fleet {
            rng: StdRng::seed_from_u64(seed),
            workers: 0,
            digits: (workers + 1).to_string().len(),
            made: 0,
            given: Vec::new(),
        };
        let mut all = Vec::with_capacity(nodes);
        for n in 1..=batch {
            all.push(fleet.node(format!("batch-{n}"), &BATCH));
        }
        for n in 1..=control {
            let node = fleet.node(format!("control-plane-{n}"), &CONTROL_PLANE);
            all.push(tainted(node, "node-role.kubernetes.io/control-plane", ""));
        }
        for n in 1..=gpu {
            let node = fleet.node(format!("gpu-{n}"), &GPU);
            // Not all that is for GPUs tolerates the taint, so one of several nodes is without it.
            all.push(match n == 1 || n < gpu {
                true => tainted(node, "nvidia.com/gpu", "present"),
                false => node,
            });
        }
        for n in 1..=windows {
            all.push(fleet.node(format!("windows-{n}"), &WINDOWS));
        }
        for _ in 0..workers {
            all.push(fleet.worker());
        }
        (fleet, all)
    }

    /// The nodes of files, and a fleet that makes more like them.
    pub fn given(nodes: Vec<Value>, seed: u64) -> (Fleet, Vec<Value>) {
        let mut fleet = Fleet {
            rng: StdRng::seed_from_u64(seed),
            workers: 0,
            digits: 0,
            made: 0,
            given: nodes.clone(),
        };
        let nodes = nodes.into_iter().map(|node| fleet.slowed(node));
        let nodes = nodes.collect();
        (fleet, nodes)
    }

    /// One more node, and whether it is a copy: the name of the node that it is like. A node of a
    /// file is copied if there are some, the first one that is liked.
    pub fn another(&mut self, is_liked: impl Fn(&str) -> bool) -> (Value, Option<String>) {
        let name = |node: &Value| text(node, "/metadata/name");
        let liked = self.given.iter().find(|node| is_liked(&name(node)));
        let Some(original) = liked.or(self.given.first()) else {
            return (self.worker(), None);
        };
        let like = name(original);
        let is_taken = |new: &String| self.given.iter().any(|node| name(node) == *new);
        let mut new = format!("{like}-copy");
        while is_taken(&new) {
            new.push_str("-copy");
        }
        let mut copy = json!({
            "metadata": {
                "name": new,
                "labels": original["metadata"]["labels"],
                "annotations": original["metadata"]["annotations"],
            },
            "spec": { "taints": original["spec"]["taints"] },
        });
        for room in ["capacity", "allocatable"] {
            copy["status"][room] = original["status"][room].clone();
        }
        if copy["metadata"]["labels"][HOSTNAME].is_string() {
            copy["metadata"]["labels"][HOSTNAME] = json!(new);
        }
        (self.slowed(without_nulls(copy)), Some(like))
    }

    /// One more node for general use.
    fn worker(&mut self) -> Value {
        self.workers += 1;
        let (n, digits) = (self.workers, self.digits);
        self.node(format!("worker-{n:0digits$}"), &GENERAL)
    }

    /// A node of a pool.
    fn node(&mut self, name: String, pool: &Pool) -> Value {
        let zone = ZONES[self.made % ZONES.len()];
        self.made += 1;
        let mut labels = json!({
            ZONE: zone,
            "topology.kubernetes.io/region": "demo",
            POOL: pool.name,
            HOSTNAME: name,
            "kubernetes.io/os": pool.os,
            "kubernetes.io/arch": pool.arch,
            "beta.kubernetes.io/os": pool.os,
            "beta.kubernetes.io/arch": pool.arch,
            "node.kubernetes.io/instance-type": pool.instance_type,
        });
        for (key, value) in pool.labels {
            labels[*key] = json!(value);
        }
        self.slowed(json!({ "metadata": { "name": name, "labels": labels } }))
    }

    /// The node with a kubelet that takes some time for each pod, as if it pulled images. A node
    /// that is not ready starts and ends no pods.
    fn slowed(&mut self, mut node: Value) -> Value {
        let mut delay = |least: u64, most: u64| {
            let tens = self.rng.random_range(least / 10..=most / 10);
            format!("{}ms", tens * 10)
        };
        let mut script = vec![
            ("start-after", delay(200, 1_500)),
            ("ready-after", delay(200, 1_500)),
            ("terminate-after", delay(300, 900)),
        ];
        let annotations = &node["metadata"]["annotations"];
        if !annotations.is_object() && !annotations.is_null() {
            // The API server refuses it.
            return node;
        }
        let conditions = node["status"]["conditions"].as_array();
        let is_down = |c: &Value| c["type"] == "Ready" && c["status"] != "True";
        if conditions.is_some_and(|all| all.iter().any(is_down)) {
            script.push(("silent", "true".to_owned()));
        }
        for (key, value) in script {
            node["metadata"]["annotations"][format!("{PREFIX}{key}")] = json!(value);
        }
        node
    }
}

fn tainted(mut node: Value, key: &str, value: &str) -> Value {
    node["spec"]["taints"] = json!([{ "key": key, "value": value, "effect": "NoSchedule" }]);
    node
}

/// The object without the fields that the original did not have.
fn without_nulls(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        for value in fields.values_mut() {
            *value = without_nulls(value.take());
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(nodes: &[Value]) -> Vec<String> {
        nodes.iter().map(|n| text(n, "/metadata/name")).collect()
    }

    #[test]
    fn there_are_as_many_as_asked_for_with_names_of_their_own() {
        for nodes in [1, 2, 3, 8, 10, 20, 500] {
            let (mut fleet, mut all) = Fleet::new(nodes, 1);
            all.push(fleet.another(|_| true).0);
            let mut names = names(&all);
            names.sort();
            names.dedup();
            assert_eq!(names.len(), nodes + 1, "{names:?}");
        }
    }

    #[test]
    fn a_node_of_a_file_is_copied_under_a_name_that_is_free() {
        let node = |name: &str, disk: &str| json!({ "metadata": { "name": name, "labels": { "disk": disk, HOSTNAME: name } } });
        let given = vec![node("a", "slow"), node("b", "fast"), node("b-copy", "slow")];
        let (mut fleet, all) = Fleet::given(given, 1);
        assert_eq!(names(&all), ["a", "b", "b-copy"]);
        let (copy, like) = fleet.another(|name| name == "b");
        assert_eq!(like.as_deref(), Some("b"));
        assert_eq!(copy["metadata"]["name"], "b-copy-copy");
        let labels = json!({ "disk": "fast", HOSTNAME: "b-copy-copy" });
        assert_eq!(copy["metadata"]["labels"], labels);
        assert!(copy["spec"]["taints"].is_null(), "{copy}");
    }
}
