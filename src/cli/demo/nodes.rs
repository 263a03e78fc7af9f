//! The nodes of the demo's cluster: a few zones, a few pools, some of them tainted.

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::sim::kubelets::{NodeSpec, lifecycle::PREFIX};

/// The label with the zone of a node.
pub const ZONE: &str = "topology.kubernetes.io/zone";
/// The label with the pool of a node.
pub const POOL: &str = "example.com/pool";

const ZONES: [&str; 3] = ["a", "b", "c"];

/// Makes nodes. The same seed makes the same nodes.
pub struct Fleet {
    rng: StdRng,
    workers: usize,
    digits: usize,
    made: usize,
}

impl Fleet {
    /// The first nodes, and a fleet that makes more. Of twenty nodes one is for the control plane,
    /// two have GPUs, two are for batch work, and the others are for general use.
    pub fn new(nodes: usize, seed: u64) -> (Fleet, Vec<NodeSpec>) {
        let control = usize::from(nodes > 2);
        let (gpu, batch) = (nodes / 8, nodes / 10);
        let workers = nodes - control - gpu - batch;
        let mut fleet = Fleet {
            rng: StdRng::seed_from_u64(seed),
            workers: 0,
            digits: (workers + 1).to_string().len(),
            made: 0,
        };
        let mut all = Vec::with_capacity(nodes);
        for n in 1..=batch {
            all.push(fleet.node(format!("batch-{n}"), "batch"));
        }
        for n in 1..=control {
            let node = fleet.node(format!("control-plane-{n}"), "control-plane");
            all.push(node.taint("node-role.kubernetes.io/control-plane", "", "NoSchedule"));
        }
        for n in 1..=gpu {
            let node = fleet.node(format!("gpu-{n}"), "gpu");
            all.push(node.taint("nvidia.com/gpu", "present", "NoSchedule"));
        }
        for _ in 0..workers {
            all.push(fleet.worker());
        }
        (fleet, all)
    }

    /// One more node for general use.
    pub fn worker(&mut self) -> NodeSpec {
        self.workers += 1;
        let (n, digits) = (self.workers, self.digits);
        self.node(format!("worker-{n:0digits$}"), "general")
    }

    /// A node whose kubelet takes some time for each pod, as if it pulled images.
    fn node(&mut self, name: String, pool: &str) -> NodeSpec {
        let mut delay = |least: u64, most: u64| {
            let tens = self.rng.random_range(least / 10..=most / 10);
            format!("{}ms", tens * 10)
        };
        let (start, ready) = (delay(200, 1_500), delay(200, 1_500));
        let end = delay(300, 900);
        let zone = ZONES[self.made % ZONES.len()];
        self.made += 1;
        NodeSpec::new(name)
            .label(ZONE, zone)
            .label(POOL, pool)
            .annotation(&format!("{PREFIX}start-after"), &start)
            .annotation(&format!("{PREFIX}ready-after"), &ready)
            .annotation(&format!("{PREFIX}terminate-after"), &end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_asked_for_with_names_of_their_own() {
        for nodes in [1, 2, 3, 8, 10, 20, 500] {
            let (mut fleet, all) = Fleet::new(nodes, 1);
            let mut names: Vec<String> = all.into_iter().map(|n| n.name).collect();
            names.push(fleet.worker().name);
            names.sort();
            names.dedup();
            assert_eq!(names.len(), nodes + 1, "{names:?}");
        }
    }
}
