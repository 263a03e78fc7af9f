//! Simulated kubelets: one task that serves any number of nodes.
//!
//! It registers nodes, takes the pods bound to them from Pending to Running to Ready (or to Failed
//! and Succeeded, as the [`Script`](script::Script)s in annotations say). A pod that is terminating
//! gets a terminal phase, and is removed some time later ([`detail::Linger`]). A pod whose host
//! ports another pod on the node has is rejected: a real kubelet does not admit it. One watch over
//! pods and one over nodes serve them all, and at most [`KubeletOptions::in_flight`] requests are
//! under way at once.
//!
//! Nodes belong to a group, by the label [`GROUP_LABEL`]: kubelets serve only the nodes of their
//! group, so several can share a cluster. A node that is deleted is no longer served, and neither
//! are its pods (they are the pod garbage collector's work). A node with the annotation
//! `sim.daemonset-controller.io/silent: "true"` is partitioned from the API: its pods do not change
//! and its heartbeat stops until the annotation is removed. With `shutdown: "true"` a node shuts
//! down gracefully, and another value of `boot` is another boot, which its containers have not
//! survived.
//!
//! Everything that decides an action is kept in ordered maps. On a runtime with one thread the same
//! events lead to the same requests in the same order.

pub mod detail;
mod heartbeat;
pub mod lifecycle;
mod node;
mod options;
mod pod;
mod rejection;
mod report;
mod request;
mod row;
pub mod script;
mod serve;
mod step;

use futures::stream::{self, StreamExt, TryStreamExt};
use kube::api::PostParams;
use kube::core::Request;
use tokio::task::JoinHandle;

pub use self::detail::{Detail, Linger};
pub use self::node::NodeSpec;
pub(crate) use self::node::completed;
pub use self::options::{GROUP_LABEL, KubeletOptions};
use self::serve::{Server, timestamp};
pub use self::step::step;

/// Running kubelets. Dropping them stops them; the nodes that they registered stay.
pub struct Kubelets {
    client: kube::Client,
    options: KubeletOptions,
    registered: u32,
    task: JoinHandle<()>,
}

impl Drop for Kubelets {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Kubelets {
    /// Starts serving the nodes of the group, present and future ones, as a task on this runtime.
    pub fn start(client: kube::Client, options: KubeletOptions) -> Self {
        let task = tokio::spawn(Server::new(client.clone(), options.clone()).run());
        Self {
            client,
            options,
            registered: 0,
            task,
        }
    }

    /// Creates these nodes, which are served from now on. Fails on the first that cannot be
    /// created.
    pub async fn register(
        &mut self,
        nodes: impl IntoIterator<Item = NodeSpec>,
    ) -> Result<(), RegisterError> {
        let now = timestamp(&self.options.clock);
        let mut requests = Vec::new();
        for node in nodes {
            let object = node.object(
                &self.options.group,
                self.registered,
                self.options.pods_per_node,
                &now,
            );
            self.registered += 1;
            requests.push((node.name, object));
        }
        let client = &self.client;
        stream::iter(requests)
            .map(|(name, object)| async move {
                let body = object.to_string().into_bytes();
                let sent = async {
                    let request = Request::new("/api/v1/nodes")
                        .create(&PostParams::default(), body)
                        .map_err(kube::Error::BuildRequest)?;
                    client.request_text(request).await
                };
                sent.await
                    .map(drop)
                    .map_err(|source| RegisterError { name, source })
            })
            .buffer_unordered(self.options.in_flight)
            .try_collect()
            .await
    }
}

/// A node could not be registered.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot register node {name}: {source}; is a node of this name left over, or may this user not create nodes?"
)]
pub struct RegisterError {
    /// The node's name.
    pub name: String,
    /// The failure of the request that creates it.
    pub source: kube::Error,
}
