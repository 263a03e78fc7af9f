//! What happens to nodes.

use daemonset_controller::sim::api::resource::NODES;
use daemonset_controller::sim::kubelets::NodeSpec;
use daemonset_controller::sim::kubelets::script::PREFIX;
use serde_json::{Value, json};

use super::{Runner, undo::Undo};
use crate::step::Millis;

/// How nodes' pods behave when nothing is wrong: some are slow to become ready, some to end.
fn usual(node: u32, what: &str) -> Value {
    match (what, node % 4) {
        ("ready-after", 1) => json!("400ms"),
        ("ready-after", 2) => json!("2s"),
        ("terminate-after", 3) => json!("900ms"),
        _ => Value::Null,
    }
}

impl Runner<'_> {
    /// Which of the nodes that ever were this number stands for.
    pub(super) fn node(&self, number: u32) -> u32 {
        number % self.nodes.max(1)
    }

    pub(super) fn add_node(&mut self) {
        let number = self.nodes;
        self.nodes += 1;
        self.register(number);
    }

    fn register(&mut self, number: u32) {
        let pool = self
            .history
            .pools
            .get(number as usize)
            .copied()
            .unwrap_or(0);
        let mut spec = NodeSpec::new(format!("n{number}")).label("pool", &pool.to_string());
        for what in ["ready-after", "terminate-after"] {
            if let Some(after) = usual(number, what).as_str() {
                spec = spec.annotation(&format!("{PREFIX}{what}"), after);
            }
        }
        self.cluster.add_node(&spec);
    }

    pub(super) fn more_nodes(&mut self) -> bool {
        let has_room = (self.nodes as usize) < self.history.pools.len();
        if has_room {
            self.add_node();
        }
        has_room
    }

    pub(super) fn remove_node(&mut self, node: u32, back: Millis) -> bool {
        let node = self.node(node);
        if !self.is_calm(node) {
            return false;
        }
        let gone = self
            .cluster
            .delete(&NODES, "", &format!("n{node}"), &Value::Null);
        if gone.is_ok() {
            if back == 0 {
                self.register(node);
            } else {
                self.later(back, Undo::AddNode(node));
            }
        }
        gone.is_ok()
    }

    pub(super) fn add_node_again(&mut self, node: u32) {
        if self.server.get(&NODES, "", &format!("n{node}")).is_none() {
            self.register(node);
        }
    }

    pub(super) fn patch_node(&self, node: u32, patch: &Value) -> bool {
        let name = format!("n{node}");
        self.cluster.patch(&NODES, "", &name, patch).is_ok()
    }

    pub(super) fn pool(&mut self, node: u32, pool: u8) -> bool {
        let node = self.node(node);
        let labels = json!({"metadata": {"labels": {"pool": pool.to_string()}}});
        self.is_calm(node) && self.patch_node(node, &labels)
    }

    pub(super) fn taint(&mut self, node: u32, effect: &str, lasts: Millis) -> bool {
        let node = self.node(node);
        let taints = json!([{"key": "away", "value": "yes", "effect": effect}]);
        let done =
            self.is_calm(node) && self.patch_node(node, &json!({"spec": {"taints": taints}}));
        if done {
            let none = json!({"spec": {"taints": null}});
            self.later(lasts, Undo::Node(node, none));
        }
        done
    }

    pub(super) fn not_ready(&mut self, node: u32, lasts: Millis) -> bool {
        let node = self.node(node);
        self.later(lasts, Undo::Ready(node));
        self.turn_node(node, false)
    }

    pub(super) fn turn_node(&self, node: u32, ready: bool) -> bool {
        let now = format!("{:.0}", self.server.now());
        let status = if ready { "True" } else { "False" };
        let condition = json!({"type": "Ready", "status": status, "lastTransitionTime": now});
        let patch = json!({"status": {"conditions": [condition]}});
        let path = format!("{}/n{node}/status", NODES.path(""));
        self.server.perform("PATCH", &path, &patch).is_ok()
    }

    pub(super) fn script(&mut self, node: u32, what: &str, after: &str, lasts: Millis) -> bool {
        let node = self.node(node);
        let annotation = |value: Value| {
            let annotations = json!({ (format!("{PREFIX}{what}")): value });
            json!({"metadata": {"annotations": annotations}})
        };
        let end = annotation(usual(node, what));
        self.later(lasts, Undo::Node(node, end));
        self.patch_node(node, &annotation(json!(after)))
    }

    /// All nodes are there, healthy, and their pods do what they should.
    pub(super) fn mend_nodes(&mut self) {
        for node in 0..self.nodes {
            self.add_node_again(node);
            self.turn_node(node, true);
            let mut annotations = json!({});
            for what in [
                "crash-after",
                "pull-fails-after",
                "ready-after",
                "fail-after",
                "succeed-after",
                "terminate-after",
            ] {
                annotations[format!("{PREFIX}{what}")] = usual(node, what);
            }
            let patch = json!({
                "metadata": {"annotations": annotations}, "spec": {"taints": null},
            });
            self.patch_node(node, &patch);
        }
    }
}
