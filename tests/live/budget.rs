//! The judge of promise S2: watches every version of a namespace's pods and remembers how many
//! nodes were ever without a ready pod at once, and how many had two.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use daemonset_controller::sim::follow::{Event, Followed, Target, follow};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::lab::Lab;

/// The worst that it saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worst {
    /// Nodes without a ready pod that is not being deleted.
    pub unavailable: usize,
    /// Nodes with two pods that are not being deleted.
    pub doubled: usize,
    /// Versions looked at.
    pub versions: usize,
}

/// A judge at work.
pub struct Judge {
    worst: watch::Receiver<Worst>,
    task: JoinHandle<()>,
}

impl Judge {
    /// Judges from now on, when `nodes` nodes have a ready pod each.
    pub async fn start(lab: &Lab, nodes: usize) -> Judge {
        let target = Target {
            path: format!("/api/v1/namespaces/{}/pods", lab.namespace),
            ..Target::default()
        };
        let events = follow::<Pod>(lab.api.clone(), target);
        let (sender, mut worst) = watch::channel(Worst::default());
        let task = tokio::spawn(async move {
            let mut events = Box::pin(events);
            let mut pods = BTreeMap::new();
            while let Some(event) = events.next().await {
                match event {
                    Event::Listed(list) => {
                        pods = list.into_iter().map(|p| (p.uid(), p)).collect();
                    }
                    Event::Applied(pod) => {
                        pods.insert(pod.uid(), pod);
                    }
                    Event::Deleted(pod) => {
                        pods.remove(&pod.uid());
                    }
                }
                sender.send_modify(|worst| look(&pods, nodes, worst));
            }
        });
        worst
            .wait_for(|w| w.versions > 0)
            .await
            .expect("the judge's task runs");
        Judge { worst, task }
    }

    /// What was at its worst, after so many versions at least.
    pub async fn finish(mut self, versions: usize) -> Worst {
        let seen = self.worst.wait_for(|w| w.versions >= versions);
        let seen = tokio::time::timeout(Duration::from_secs(60), seen).await;
        let worst = *seen
            .expect("there were so many versions")
            .expect("the judge's task runs");
        self.task.abort();
        worst
    }
}

fn look(pods: &BTreeMap<String, Pod>, nodes: usize, worst: &mut Worst) {
    let mut live: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ready = BTreeSet::new();
    for pod in pods.values().filter(|p| !p.deleting()) {
        let node = pod.spec["nodeName"].as_str().unwrap_or("");
        *live.entry(node).or_default() += 1;
        if pod.ready() {
            ready.insert(node);
        }
    }
    live.remove("");
    worst.versions += 1;
    worst.unavailable = worst.unavailable.max(nodes.saturating_sub(ready.len()));
    let doubled = live.values().filter(|n| **n > 1).count();
    worst.doubled = worst.doubled.max(doubled);
}

#[derive(Clone, Debug, Deserialize)]
struct Pod {
    metadata: Value,
    spec: Value,
    status: Value,
}

impl Pod {
    fn uid(&self) -> String {
        self.metadata["uid"].as_str().unwrap_or("").to_owned()
    }

    fn deleting(&self) -> bool {
        self.metadata["deletionTimestamp"].is_string()
    }

    fn ready(&self) -> bool {
        let conditions = self.status["conditions"].as_array().into_iter().flatten();
        conditions
            .into_iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True")
    }
}

impl Followed for Pod {
    fn version(&self) -> &str {
        self.metadata["resourceVersion"].as_str().unwrap_or("")
    }
}
