//! The controller's actions with their causes: reads the writes to the API server in their order,
//! and looks up each of the controller's in the plan for the moment before it.
//!
//! The plan is made by the controller's own planner, from a cache that is fed with the same
//! objects. So each cause is the one that the controller had.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use serde_json::value::to_raw_value;

use crate::{
    cache::Cache,
    cli::advice::{self, Advice},
    model::{
        BackoffKey, BackoffKind, FeatureGates, Key, Kind, Node, NodeId, Settings, Snapshot, Time,
        Verdict,
    },
    plan::{self, CreateCause, DeleteCause, Plan, eligibility, obstacles},
    sim::api::{
        ApiServer, Resource,
        resource::{CONTROLLER_REVISIONS, DAEMON_SETS, EVENTS, NODES, PODS},
        store::{Change, Write},
    },
};

use super::news::{self, News};
use super::objects::{target, text};

/// The name of the controller's client in the log of requests.
pub const CONTROLLER: &str = "controller";

/// The resources that are followed, with their kinds in the cache. Events are only reported.
const FOLLOWED: [(&Resource, Option<Kind>); 5] = [
    (&DAEMON_SETS, Some(Kind::DaemonSet)),
    (&NODES, Some(Kind::Node)),
    (&CONTROLLER_REVISIONS, Some(Kind::Revision)),
    (&PODS, Some(Kind::Pod)),
    (&EVENTS, None),
];

/// The actions of the last plan.
#[derive(Default)]
struct Expected {
    /// Name of the pod to the cause of its creation.
    creates: BTreeMap<String, CreateCause>,
    /// UID of the pod to the cause of its deletion.
    deletes: BTreeMap<String, String>,
    /// Node to the backoff that begins when its failed pod is replaced.
    backoff: BTreeMap<String, Vec<BackoffKey>>,
}

/// Follows one DaemonSet, and the controller's actions for it.
pub struct Chronicle {
    server: ApiServer,
    epoch: Timestamp,
    key: Key,
    cache: Cache,
    /// The version of the last write that was read.
    version: u64,
    /// For each request in the log, whether the controller sent it.
    senders: Vec<bool>,
    /// Whether something changed since the last plan that the controller did not do.
    stale: bool,
    expected: Expected,
    verdicts: BTreeMap<String, Verdict>,
    /// The DaemonSet's generation that the verdicts are for.
    judged: Option<i64>,
    /// How often verdicts changed.
    changes: u64,
}

impl Chronicle {
    /// Follows a DaemonSet on a server that started at `epoch`.
    pub fn new(server: ApiServer, epoch: Timestamp, namespace: &str, name: &str) -> Chronicle {
        Chronicle {
            server,
            epoch,
            key: Key::new(namespace, name),
            cache: Cache::new(FeatureGates::default()),
            version: 0,
            senders: Vec::new(),
            stale: true,
            expected: Expected::default(),
            verdicts: BTreeMap::new(),
            judged: None,
            changes: 0,
        }
    }

    /// The news since the last call, with their times since the server's start.
    pub fn catch_up(&mut self) -> Vec<(Duration, News)> {
        if self.server.read(|store| store.version()) == self.version {
            return Vec::new();
        }
        let known = self.senders.len();
        self.server.with(|state| {
            let new = state.log[known..].iter();
            self.senders
                .extend(new.map(|entry| *entry.client == *CONTROLLER));
        });
        let mut writes: Vec<(Write, Option<Kind>)> = Vec::new();
        self.server.read(|store| {
            for (resource, kind) in FOLLOWED {
                let all = store.history(resource);
                let first = all.partition_point(|w| w.version <= self.version);
                writes.extend(all[first..].iter().map(|w| (w.clone(), kind)));
            }
            self.version = store.version();
        });
        writes.sort_by_key(|(write, _)| write.version);
        let mut news = Vec::new();
        for (write, kind) in writes {
            let Some(told) = self.read(&write, kind) else {
                continue;
            };
            let waits = match &told {
                News::Failed { node, .. } => self.wait(node, self.time(write.at)),
                _ => None,
            };
            news.push((write.at, told));
            news.extend(waits.map(|n| (write.at, n)));
        }
        news
    }

    fn read(&mut self, write: &Write, kind: Option<Kind>) -> Option<News> {
        let by_controller = self.senders.get(write.request).copied().unwrap_or(false);
        let now = self.time(write.at);
        let Some(kind) = kind else {
            return by_controller.then(|| news::event(&write.object));
        };
        let news = match kind {
            Kind::Pod if by_controller => self.pod(write, now),
            Kind::Revision if by_controller => news::revision(write),
            _ => None,
        };
        self.stale |= !by_controller;
        if let Ok(raw) = to_raw_value(&*write.object) {
            match write.change {
                Change::Deleted => self.cache.deleted(kind, &raw),
                // An object that cannot be decoded is kept in part, as in the controller's cache.
                _ => drop(self.cache.observe(kind, &raw)),
            }
        }
        match kind {
            Kind::DaemonSet => {
                let generation = write.object["metadata"]["generation"].as_i64();
                // Most writes are of the status.
                if self.judged != generation || generation.is_none() {
                    self.judged = generation;
                    self.judge_all();
                }
                news
            }
            Kind::Node => self.node(&text(&write.object, "/metadata/name")),
            Kind::Pod => news.or_else(|| news::failure(write)),
            Kind::Revision => news,
        }
    }

    fn time(&self, at: Duration) -> Time {
        let at = SignedDuration::try_from(at).unwrap_or_default();
        let now = self.epoch.checked_add(at).unwrap_or(self.epoch);
        Time::from(now)
    }

    /// The news of a write to a pod by the controller. The cache does not have the write yet.
    fn pod(&mut self, write: &Write, now: Time) -> Option<News> {
        let (pod, node) = (text(&write.object, "/metadata/name"), target(&write.object));
        if write.change == Change::Added {
            if self.stale || !self.expected.creates.contains_key(&pod) {
                self.plan(now);
            }
            let cause = self.expected.creates.remove(&pod);
            if matches!(
                cause,
                Some(CreateCause::PodFailed | CreateCause::PodSucceeded)
            ) && let Some(begun) = self.expected.backoff.remove(&node)
            {
                self.cache.attempt(&begun, now);
            }
            let cause = cause.map_or(UNKNOWN, CreateCause::describe).to_owned();
            return Some(News::Created { pod, node, cause });
        }
        let going = |object: &Value| object["metadata"]["deletionTimestamp"].is_string();
        let asked = write.before.as_deref().is_some_and(going);
        if asked || write.change == Change::Modified && !going(&write.object) {
            return None;
        }
        let uid = text(&write.object, "/metadata/uid");
        if self.stale || !self.expected.deletes.contains_key(&uid) {
            self.plan(now);
        }
        let cause = self.expected.deletes.remove(&uid);
        let cause = cause.unwrap_or_else(|| UNKNOWN.to_owned());
        Some(News::Deleted { pod, node, cause })
    }

    /// Plans as the controller does, and keeps the plan's actions.
    fn plan(&mut self, now: Time) {
        self.stale = false;
        let expected = &mut self.expected;
        let settings = Settings::default();
        self.cache.snapshot(&self.key, settings, |snapshot| {
            let plan = plan::plan(snapshot, now);
            for create in &plan.creates {
                let name = create.pod_name.to_string();
                expected.creates.insert(name, create.cause);
            }
            for delete in &plan.deletes {
                let mut cause = delete.cause.describe().to_owned();
                if let DeleteCause::NodeNotEligible(verdict) = delete.cause
                    && let Some((_, node)) = snapshot.nodes.by_name(&delete.node)
                {
                    let template = &snapshot.daemon_set.template;
                    cause = format!(
                        "{cause}: {}",
                        eligibility::message(verdict, template, &[], node)
                    );
                }
                let uid = delete.pod.uid.to_string();
                expected.deletes.insert(uid, cause);
            }
            expected.backoff.clear();
            for change in plan.backoff {
                let of_node = expected.backoff.entry(change.node.to_string());
                of_node.or_default().push(change);
            }
        });
    }

    /// The plan at a time since the server's start; None if there is no such DaemonSet.
    pub fn planned(&mut self, at: Duration) -> Option<Plan> {
        let now = self.time(at);
        self.cache
            .snapshot(&self.key, Settings::default(), |snapshot| {
                plan::plan(snapshot, now)
            })
    }

    /// The advice on the DaemonSet.
    pub fn advice(&mut self) -> Vec<Advice> {
        let advice = self
            .cache
            .snapshot(&self.key, Settings::default(), |snapshot| {
                advice::about(snapshot.daemon_set, snapshot.nodes, 0, 0)
            });
        advice.unwrap_or_default()
    }

    /// The verdicts on all nodes, sorted by name.
    pub fn judge(&mut self) -> Vec<Judged> {
        let settings = Settings::default();
        let judged = self.cache.snapshot(&self.key, settings, |snapshot| {
            let nodes = snapshot.nodes.iter();
            let nodes = nodes.map(|(id, node)| Judged::new(snapshot, id, node));
            nodes.collect::<Vec<_>>()
        });
        let mut judged = judged.unwrap_or_default();
        judged.sort_by(|a, b| a.node.cmp(&b.node));
        judged
    }

    /// Judges all nodes anew.
    fn judge_all(&mut self) {
        let settings = Settings::default();
        let verdicts = self.cache.snapshot(&self.key, settings, |snapshot| {
            let nodes = snapshot.nodes.iter();
            let verdicts =
                nodes.map(|(id, node)| (node.name.to_string(), snapshot.verdicts.get(id)));
            verdicts.collect()
        });
        self.verdicts = verdicts.unwrap_or_default();
        self.changes += 1;
    }

    /// The verdict on one node; None if it is not there, or the DaemonSet is not.
    pub fn judge_one(&mut self, name: &str) -> Option<Judged> {
        let settings = Settings::default();
        let judged = self.cache.snapshot(&self.key, settings, |snapshot| {
            let (id, node) = snapshot.nodes.by_name(name)?;
            Some(Judged::new(snapshot, id, node))
        });
        judged.flatten()
    }

    /// All that stands against a pod on each node, by the node's name.
    pub fn obstacles(&mut self) -> Vec<(String, String)> {
        let settings = Settings::default();
        let found = self.cache.snapshot(&self.key, settings, |snapshot| {
            let template = &snapshot.daemon_set.template;
            let gates = FeatureGates::default();
            let nodes = snapshot.nodes.iter().map(|(_, node)| {
                let all = obstacles::obstacles(template, gates, node);
                let all: Vec<String> = all.iter().map(|o| o.problem()).collect();
                (node.name.to_string(), all.join("; "))
            });
            nodes.collect::<Vec<_>>()
        });
        let mut found = found.unwrap_or_default();
        found.sort();
        found
    }

    /// The news of a change of a node: its new verdict, if that has changed and no action follows
    /// from it.
    fn node(&mut self, name: &str) -> Option<News> {
        let Some(new) = self.judge_one(name) else {
            self.verdicts.remove(name);
            self.changes += 1;
            return None;
        };
        self.changes += 1;
        let old = self.verdicts.insert(name.to_owned(), new.verdict);
        let shows = new.verdict.should_run()
            || !new.verdict.should_continue_running() && old.is_some_and(|v| v.should_run());
        (old != Some(new.verdict) && !shows).then_some(News::NotEligible {
            node: new.node,
            message: new.message,
        })
    }

    /// The news of a backoff: the controller waits before it replaces the failed pod of this node.
    fn wait(&mut self, node: &str, now: Time) -> Option<News> {
        let end = self
            .cache
            .snapshot(&self.key, Settings::default(), |snapshot| {
                let ds = snapshot.daemon_set;
                let waits = [BackoffKind::Failed, BackoffKind::ShutDown].map(|kind| {
                    let key = BackoffKey::of(ds, node, kind);
                    snapshot.backoff.waits_until(&key, now)
                });
                waits.into_iter().max().flatten()
            });
        Some(News::Waits {
            node: node.to_owned(),
            time: end.flatten()?.since(now),
        })
    }

    /// How often verdicts changed so far.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether a node is to have a pod.
    pub fn is_eligible(&self, node: &str) -> bool {
        self.verdicts.get(node).is_some_and(|v| v.should_run())
    }
}

/// The verdict on a node.
pub struct Judged {
    /// The node's name.
    pub node: String,
    pub verdict: Verdict,
    /// The reason, in one word.
    pub reason: &'static str,
    /// The reason, in a sentence.
    pub message: String,
}

impl Judged {
    fn new(snapshot: &Snapshot<'_>, id: NodeId, node: &Node) -> Judged {
        let verdict = snapshot.verdicts.get(id);
        Judged {
            node: node.name.to_string(),
            verdict,
            reason: eligibility::reason(verdict),
            message: eligibility::message(verdict, &snapshot.daemon_set.template, &[], node),
        }
    }
}

/// The cause of a write that the plan for the moment before does not have.
const UNKNOWN: &str = "planned on an older state";
