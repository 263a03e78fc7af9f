//! How long pods take to become ready, by the DaemonSet's own pods: created to ready.

use std::{collections::BTreeMap, time::Duration};

use crate::model::{Labels, Node, Order, Pod, Readiness, Snapshot, Str};

/// The label of a node with its zone.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// What a pod takes from its create to Ready where no pod tells.
pub const READY_DEFAULT: Duration = Duration::from_secs(15);

/// A pod that took longer was not ready in between, or waited for a person.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// So many pods of a group say enough about it; else those of all groups do.
const ENOUGH: usize = 3;

/// How long pods took from their create to Ready, by group of nodes, in whole seconds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Durations {
    by_group: BTreeMap<Str, Vec<Duration>>,
    all: Vec<Duration>,
}

/// The shortest, the median and the longest of some durations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spread {
    /// How many pods.
    pub pods: usize,
    /// The shortest.
    pub shortest: Duration,
    /// The median.
    pub median: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Durations {
    /// From the pods of a snapshot that the DaemonSet controls, whatever their revision. A pod
    /// whose containers were restarted does not count: it became ready once more since.
    pub fn of(snapshot: &Snapshot<'_>) -> Durations {
        let ds = snapshot.daemon_set;
        let order = ds.control.as_deref().and_then(|c| c.order.as_ref());
        let mut durations = Durations::default();
        for pod in &snapshot.pods {
            let node = pod.node.and_then(|id| snapshot.nodes.get(id));
            let (Some(node), Some(took)) = (node, took(pod)) else {
                continue;
            };
            if !pod.controller.is(&ds.uid) {
                continue;
            }
            let group = durations.by_group.entry(group(order, node)).or_default();
            group.push(took);
            durations.all.push(took);
        }
        durations.by_group.values_mut().for_each(|all| all.sort());
        durations.all.sort();
        durations
    }

    /// What the pods of a group took, or those of all groups where it has too few. The default
    /// alone where there is none. Never empty.
    pub fn of_group(&self, group: &str) -> &[Duration] {
        let own = self.by_group.get(group);
        match own.filter(|own| own.len() >= ENOUGH) {
            Some(own) => own,
            None if self.all.is_empty() => &[READY_DEFAULT],
            None => &self.all,
        }
    }

    /// Each group of which enough is known, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&Str, Spread)> {
        let known = self.by_group.iter().filter(|(_, all)| all.len() >= ENOUGH);
        known.filter_map(|(name, all)| Some((name, spread(all)?)))
    }

    /// All groups together; None where no pod tells.
    pub fn together(&self) -> Option<Spread> {
        spread(&self.all)
    }
}

/// The group of a node: that of the key `order`, else its zone, else all nodes alike.
pub fn group(order: Option<&Order>, node: &Node) -> Str {
    match order {
        Some(order) => order.name(&order.group(&node.labels)),
        None => zone(&node.labels),
    }
}

/// The zone of a node with these labels; empty where it has none.
pub fn zone(labels: &Labels) -> Str {
    labels.get_shared(ZONE).cloned().unwrap_or_default()
}

fn took(pod: &Pod) -> Option<Duration> {
    let Readiness::Since(ready) = pod.readiness else {
        return None;
    };
    let restarted = pod.detail.as_deref().is_some_and(|d| d.restarts.is_some());
    let took = ready.whole_seconds().since(pod.created.whole_seconds());
    (!restarted && ready >= pod.created && took <= LONGEST).then_some(took)
}

/// `sorted` is in ascending order.
fn spread(sorted: &[Duration]) -> Option<Spread> {
    Some(Spread {
        pods: sorted.len(),
        shortest: *sorted.first()?,
        median: sorted[sorted.len() / 2],
        longest: *sorted.last()?,
    })
}
