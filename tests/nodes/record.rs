//! When pods end and when their successors are created, as a watch hears it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use daemonset_controller::sim::follow::{Event, Target, follow};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::referee::{PodView, target};

/// One pod that ended on request, and the pod that follows it on its node.
#[derive(Debug, Clone, Copy)]
pub struct Succession {
    /// From the write of a terminal phase to the create.
    pub gap: Duration,
    /// Whether the create came before the last delete of the former pod.
    pub before_delete: bool,
}

/// A watch of the pods of a namespace, with the time of each event.
pub struct Record {
    events: mpsc::UnboundedReceiver<(Instant, Event<PodView>)>,
    task: JoinHandle<()>,
}

impl Record {
    /// Starts it.
    pub fn start(client: kube::Client, namespace: &str) -> Self {
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let (sender, events) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let target = Target {
                path,
                ..Target::default()
            };
            let mut all = Box::pin(follow::<PodView>(client, target));
            while let Some(event) = all.next().await {
                if sender.send((Instant::now(), event)).is_err() {
                    return;
                }
            }
        });
        Self { events, task }
    }

    /// Ends it, and gives each succession that it saw.
    pub fn finish(mut self) -> Vec<Succession> {
        self.task.abort();
        let (mut known, mut over) = (BTreeSet::new(), BTreeSet::new());
        let mut ended: BTreeMap<String, (Instant, bool)> = BTreeMap::new();
        let mut seen = Vec::new();
        while let Ok((at, event)) = self.events.try_recv() {
            match event {
                Event::Listed(pods) => {
                    known.extend(pods.into_iter().map(|pod| pod.metadata.uid));
                }
                Event::Applied(pod) => {
                    let Some(node) = target(&pod.spec) else {
                        continue;
                    };
                    if known.insert(pod.metadata.uid.clone()) {
                        if let Some((since, is_gone)) = ended.remove(&node) {
                            seen.push(Succession {
                                gap: at - since,
                                before_delete: !is_gone,
                            });
                        }
                    } else if is_ended_on_request(&pod) && over.insert(pod.metadata.uid) {
                        ended.insert(node, (at, false));
                    }
                }
                Event::Deleted(pod) => {
                    if let Some(end) = target(&pod.spec).and_then(|node| ended.get_mut(&node)) {
                        end.1 = true;
                    }
                }
            }
        }
        seen
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether it ended after it was asked to go.
fn is_ended_on_request(pod: &PodView) -> bool {
    pod.metadata.deletion_timestamp.is_some() && pod.is_terminal()
}
