//! What is written down while a rehearsal goes on: the state of every node, the stages, the events.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{DaemonSet, Pod, Str, Time, revision::HASH_LABEL},
    plan::{Event, EventType, Plan},
};

use super::{
    cluster::Cluster,
    durations::zone,
    figures::{Peak, Peaks},
    node_state::{NodeState, Seen},
};

/// A node as it is written down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeRecord {
    /// Its name.
    pub name: Str,
    /// Its zone; empty where it has none.
    pub zone: Str,
    /// Its state at the beginning.
    pub first: NodeState,
    /// Its state at the end.
    pub last: NodeState,
}

/// A node changes its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// When.
    pub at: Time,
    /// The node's index.
    pub node: usize,
    /// The new state.
    pub state: NodeState,
}

/// For a while the rollout stands at the same point.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// How far it is, in one word: the reason of the condition `Progressing`.
    pub progress: &'static str,
    /// The stage that is rolled out, bakes, or is to be approved.
    pub stage: Option<Str>,
    /// Since when.
    pub from: Time,
    /// Until when; None where it ends with the rehearsal.
    pub until: Option<Time>,
    /// How many nodes had an available new pod when it ended.
    pub updated: usize,
    /// The most nodes that were unavailable at once meanwhile.
    pub most_unavailable: usize,
}

/// An event that would be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// When.
    pub at: Time,
    /// Whether it is a warning.
    pub is_warning: bool,
    /// `reason`.
    pub reason: &'static str,
    /// `message`.
    pub message: String,
}

/// The recorder.
pub(super) struct Record {
    /// The hashes of the pods that are new.
    targets: BTreeSet<Str>,
    generation: Option<String>,
    index: BTreeMap<Str, usize>,
    unavailable: usize,
    unavailable_in: BTreeMap<Str, usize>,
    updated: usize,
    pub nodes: Vec<NodeRecord>,
    pub changes: Vec<Change>,
    pub peaks: Peaks,
    pub spans: Vec<Span>,
    pub events: Vec<Told>,
}

impl Record {
    /// Begins with the nodes as they are. `targets` are the hashes of the pods that are new: that
    /// of the revision which is rolled out, and those of its duplicates.
    pub fn new(cluster: &mut Cluster, targets: BTreeSet<Str>) -> Record {
        let ds = cluster.daemon_set();
        let mut record = Record {
            generation: ds.template_generation.map(|g| g.to_string()),
            targets,
            index: BTreeMap::new(),
            unavailable: 0,
            unavailable_in: BTreeMap::new(),
            updated: 0,
            nodes: Vec::new(),
            changes: Vec::new(),
            peaks: Peaks::default(),
            spans: Vec::new(),
            events: Vec::new(),
        };
        let mut names: Vec<Str> = cluster.nodes().map(|node| node.name.clone()).collect();
        names.sort();
        let states = record.states(cluster, &names);
        for (name, state) in names.into_iter().zip(states) {
            record.add(cluster, name, state, state);
        }
        record.peaks.before = record.unavailable;
        record.note_peaks(cluster.now());
        record
    }

    /// Looks at the nodes on which something changed.
    pub fn look(&mut self, cluster: &mut Cluster) {
        let touched: Vec<Str> = cluster.take_touched().into_iter().collect();
        if touched.is_empty() {
            return;
        }
        let (now, states) = (cluster.now(), self.states(cluster, &touched));
        for (name, state) in touched.into_iter().zip(states) {
            let Some(&at) = self.index.get(&name) else {
                if cluster.node(&name).is_some() {
                    self.add(cluster, name, NodeState::Absent, state);
                    let node = self.nodes.len() - 1;
                    self.changes.push(Change {
                        at: now,
                        node,
                        state,
                    });
                }
                continue;
            };
            let was = self.nodes[at].last;
            if was == state {
                continue;
            }
            let zone = self.nodes[at].zone.clone();
            self.count(&zone, was, false);
            self.count(&zone, state, true);
            self.nodes[at].last = state;
            self.changes.push(Change {
                at: now,
                node: at,
                state,
            });
        }
        self.note_peaks(now);
    }

    /// Takes in how the rollout stands by this plan, and what it says.
    pub fn planned(&mut self, plan: &Plan, now: Time) {
        let told = plan.events.iter().filter(|event| event.node.is_none());
        for event in told {
            self.tell(event, now);
        }
        let Some(standing) = &plan.standing else {
            return;
        };
        let (progress, stage) = (standing.progress.as_str(), &standing.stage);
        let is_same = |span: &Span| span.progress == progress && span.stage == *stage;
        if self.spans.last().is_some_and(is_same) {
            return;
        }
        // What a plan says that is followed by another one at once, nobody sees.
        self.spans.pop_if(|span| span.from == now);
        if let Some(span) = self.spans.last_mut() {
            if is_same(span) {
                span.until = None;
                return;
            }
            span.until = Some(now);
            span.updated = self.updated;
        }
        self.spans.push(Span {
            progress,
            stage: stage.clone(),
            from: now,
            until: None,
            updated: self.updated,
            most_unavailable: self.unavailable,
        });
    }

    /// The rehearsal is over.
    pub fn end(&mut self) {
        if let Some(span) = self.spans.last_mut() {
            span.updated = self.updated;
        }
    }

    fn tell(&mut self, event: &Event, now: Time) {
        let known = |told: &Told| told.reason == event.reason && told.message == event.message;
        // A warning comes with every plan.
        if self.events.iter().rev().take(20).any(known) {
            return;
        }
        self.events.push(Told {
            at: now,
            is_warning: event.kind == EventType::Warning,
            reason: event.reason,
            message: event.message.clone(),
        });
    }

    fn add(&mut self, cluster: &Cluster, name: Str, first: NodeState, last: NodeState) {
        let zone = cluster.node(&name).map(|node| zone(&node.labels));
        let zone = zone.unwrap_or_default();
        self.count(&zone, last, true);
        self.index.insert(name.clone(), self.nodes.len());
        self.nodes.push(NodeRecord {
            name,
            zone,
            first,
            last,
        });
    }

    fn count(&mut self, zone: &Str, state: NodeState, comes: bool) {
        let one = |count: &mut usize| match comes {
            true => *count += 1,
            false => *count -= 1,
        };
        if state.is_wanted() && !state.is_available() {
            one(&mut self.unavailable);
            one(self.unavailable_in.entry(zone.clone()).or_default());
        }
        if state == NodeState::New {
            one(&mut self.updated);
        }
    }

    fn note_peaks(&mut self, now: Time) {
        let all = Peak {
            nodes: self.unavailable,
            at: now,
        };
        self.peaks.all.raise(all);
        for (zone, nodes) in &self.unavailable_in {
            let peak = Peak {
                nodes: *nodes,
                at: now,
            };
            let known = self.peaks.by_zone.entry(zone.clone()).or_default();
            known.raise(peak);
        }
        if let Some(span) = self.spans.last_mut() {
            span.most_unavailable = span.most_unavailable.max(self.unavailable);
        }
    }

    fn is_new(&self, pod: &Pod) -> bool {
        let generation = self.generation.as_deref();
        let hash = pod.labels.get_shared(HASH_LABEL);
        hash.is_some_and(|hash| self.targets.contains(hash))
            || generation.is_some_and(|g| pod.labels.get("pod-template-generation") == Some(g))
    }

    fn states(&self, cluster: &mut Cluster, names: &[Str]) -> Vec<NodeState> {
        let now = cluster.now();
        let wanted = wanted(cluster, names);
        let ds: &DaemonSet = cluster.daemon_set();
        let (uid, min_ready_seconds) = (ds.uid.clone(), ds.min_ready_seconds);
        let states = names.iter().zip(wanted).map(|(name, wanted)| {
            let pods = cluster.pods_on(name).filter(|pod| pod.controller.is(&uid));
            let seen = Seen {
                wanted,
                ready: cluster.node(name).is_some_and(|node| !node.is_unready()),
                pods: pods.collect(),
            };
            seen.state(min_ready_seconds, now, |pod| self.is_new(pod))
        });
        states.collect()
    }
}

/// Whether each of these nodes is to have a pod: of the present template, or where stages keep an
/// older revision on it, of that one.
fn wanted(cluster: &mut Cluster, names: &[Str]) -> Vec<bool> {
    let hashes = names.iter().map(|name| {
        let live = cluster.pods_on(name).filter(|pod| pod.is_live());
        let hashes = live.filter_map(|pod| pod.labels.get_shared(HASH_LABEL).cloned());
        hashes.collect()
    });
    let hashes: Vec<Vec<Str>> = hashes.collect();
    cluster.snapshot(|snapshot| {
        let keeps = |hash: &Str, id| {
            let mut revisions = snapshot.revisions.iter();
            let of = revisions.find(|r| r.labels.get_shared(HASH_LABEL) == Some(hash));
            let placed = of.and_then(|revision| snapshot.placed(revision));
            placed.is_some_and(|placed| placed.verdicts.get(id).should_run())
        };
        let wanted = names.iter().zip(&hashes).map(|(name, hashes)| {
            let Some((id, _)) = snapshot.nodes.by_name(name) else {
                return false;
            };
            snapshot.verdicts.get(id).should_run() || hashes.iter().any(|hash| keeps(hash, id))
        });
        wanted.collect()
    })
}
