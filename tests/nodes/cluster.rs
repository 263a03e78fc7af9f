//! The cluster that all tests share: a control plane and three nodes, started by the first that
//! asks. The tests run one after another.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard, OnceCell};

use crate::harness::components::Options;
use crate::harness::control_plane::ControlPlane;
use crate::installation::Present;
use crate::node::{Node, rig};

/// How many nodes there are.
pub const NODES: usize = 3;

/// Where the nodes find the API server: the end of the bridge that is on this side.
const HUB: Ipv4Addr = Ipv4Addr::new(172, 30, 77, 1);

/// A control plane with real nodes.
pub struct Cluster {
    pub plane: Arc<ControlPlane>,
    nodes: Vec<Node>,
    present: Mutex<Present>,
}

impl Cluster {
    /// The one that all tests share.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    async fn start() -> Self {
        assert_eq!(rig("RIG_NODES"), NODES.to_string(), "see rig/run.sh");
        let options = Options {
            real_nodes: Some(HUB),
            ..Options::default()
        };
        let plane = ControlPlane::start("nodes", options).await;
        let api = plane.site.api;
        let authority = plane.dir().join("apiserver.crt");
        let node = |number| Node::new(number, api, authority.clone());
        let nodes: Vec<Node> = (1..=NODES).map(node).collect();
        futures::future::join_all(nodes.iter().map(Node::power_on)).await;
        let cluster = Self {
            plane,
            nodes,
            present: Mutex::default(),
        };
        for node in &cluster.nodes {
            cluster.until_ready(node).await;
        }
        cluster
    }

    /// The node of this number, from 1.
    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    /// The node of this name.
    pub fn node_named(&self, name: &str) -> &Node {
        let found = self.nodes.iter().find(|node| node.name() == name);
        found.unwrap_or_else(|| panic!("there is no node {name}"))
    }

    /// Which controller there is.
    pub async fn present(&self) -> MutexGuard<'_, Present> {
        self.present.lock().await
    }

    /// Waits until the node is Ready.
    pub async fn until_ready(&self, node: &Node) {
        self.until_condition(node, "Ready").await;
    }

    /// Waits until nothing was heard of the node for so long that it counts as lost.
    pub async fn until_lost(&self, node: &Node) {
        self.until_condition(node, "Ready=Unknown").await;
    }

    async fn until_condition(&self, node: &Node, condition: &str) {
        let name = format!("node/{}", node.name());
        // The kubelet registers the node before it has conditions.
        for wait in [
            "--for=create".to_owned(),
            format!("--for=condition={condition}"),
        ] {
            let answer = self
                .plane
                .kubectl(&["wait", &wait, &name, "--timeout=120s"])
                .await;
            assert!(
                answer.ok,
                "{name} is not {condition}: {}\n{}",
                answer.stderr,
                self.plane.kubectl(&["describe", &name]).await.stdout
            );
        }
    }
}
