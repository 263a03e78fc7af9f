//! L1: the state of the cluster once all faults have ended and the controller is at rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::facts::{
    self, age, current_hash, hash, is_live, is_terminal, is_terminating, owner, ready_since, said,
    target, text,
};
use crate::model::{DaemonSet, Selector, Settings, UpdateStrategy};
use crate::sim::api::resource::{CONTROLLER_REVISIONS, DAEMON_SETS, NAMESPACES, NODES, PODS};
use crate::sim::api::store::{Name, Store};

type Rows = BTreeMap<Name, Arc<Value>>;

/// Everything that is not in its desired state, in words.
pub fn desired(store: &Store, now: Timestamp, settings: Settings) -> Vec<String> {
    let mut wrong = Vec::new();
    let going = |daemon_set: &Value| {
        let namespace = store.get(&NAMESPACES, "", text(daemon_set, "namespace"));
        is_terminating(daemon_set) || namespace.is_some_and(|n| is_terminating(n))
    };
    for object in store.all(&DAEMON_SETS).values().filter(|d| !going(d)) {
        // DaemonSets that cannot be decoded, and selectors that match everything or nothing, are
        // left alone.
        let Some(read) = facts::read(object) else {
            continue;
        };
        let Ok(Selector::All(_)) = &read.selector else {
            continue;
        };
        let told = judge(object, &read, store, now, settings).into_iter();
        wrong.extend(told.map(|what| format!("DaemonSet {}: {what}", said(object))));
    }
    wrong
}

/// The counts of the status.
#[derive(Default)]
struct Counts {
    desired: i64,
    current: i64,
    misscheduled: i64,
    ready: i64,
    available: i64,
    updated: i64,
}

fn judge(
    object: &Value,
    read: &DaemonSet,
    store: &Store,
    now: Timestamp,
    settings: Settings,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let revisions = store.all(&CONTROLLER_REVISIONS);
    let Some(current) = current_hash(object, revisions.values()) else {
        return vec!["its template has no revision".into()];
    };
    orphans(object, read, store.all(&PODS), &mut wrong);
    orphans(object, read, revisions, &mut wrong);
    let mut counts = Counts::default();
    // With rollout control a rollout may be held.
    let rolls = read.control.is_none()
        && matches!(read.update_strategy, UpdateStrategy::RollingUpdate { .. });
    let mut outdated = Vec::new();
    let pods = store.all(&PODS).values();
    let ours: Vec<&Arc<Value>> = pods.filter(|p| owner(p) == text(object, "uid")).collect();
    for node in store.all(&NODES).values() {
        let name = text(node, "name");
        let here = ours.iter().filter(|p| target(p) == name);
        let mut here: Vec<&Value> = here.map(|p| &***p).collect();
        here.retain(|p| !(is_terminal(p) && is_terminating(p)));
        here.sort_by_key(|pod| age(pod));
        // Beside one that the scheduler has no place for, the old one stays.
        let mut live = here.iter().filter(|p| is_live(p));
        if let (Some(only), None) = (live.next(), live.next())
            && rolls
            && hash(only) != current
        {
            outdated.push(format!("{} is of an old revision", said(only)));
        }
        let Some(verdict) = facts::verdict(read, node) else {
            continue;
        };
        let live = here.iter().filter(|p| is_live(p)).count();
        let most = if read.update_strategy.allows_surge() {
            2
        } else {
            1
        };
        let (least, most) = match (verdict.should_run(), verdict.should_continue_running()) {
            (true, _) if is_leaving(node, &here, settings) => (0, most),
            (true, _) => (1, most),
            (false, true) => (0, most),
            (false, false) => (0, 0),
        };
        if !(least..=most).contains(&live) {
            let wanted = if least == 0 { "none" } else { "one" };
            wrong.push(format!(
                "{name} has {live} live pods, not {wanted} ({verdict:?})"
            ));
        }
        counts.add(
            verdict.should_run(),
            here.first().copied(),
            current,
            read,
            now,
        );
    }
    // A share of no nodes is none.
    if counts.desired > 0 && counts.available == counts.desired {
        wrong.append(&mut outdated);
    }
    stranded(&ours, store, &mut wrong);
    counts.compare(object, &mut wrong);
    wrong
}

/// Adds the pods that wait for a node that is gone: nobody else deletes them.
fn stranded(ours: &[&Arc<Value>], store: &Store, wrong: &mut Vec<String>) {
    let is_bound = |pod: &Value| pod["spec"]["nodeName"].is_string();
    for pod in ours.iter().filter(|p| is_live(p) && !is_bound(p)) {
        let node = target(pod);
        if !node.is_empty() && store.get(&NODES, "", node).is_none() {
            wrong.push(format!("{} waits for {node}, which is gone", said(pod)));
        }
    }
}

/// Whether nothing need be created on the node, with these pods of the DaemonSet on it.
fn is_leaving(node: &Value, here: &[&Value], settings: Settings) -> bool {
    let Some(node) = facts::node(node) else {
        return false;
    };
    let signs = node.leaving_signs(settings);
    let by_shutdown = |pod: &&Value| {
        let reason = pod["status"]["reason"].as_str().unwrap_or("");
        is_terminal(pod) && ["NodeShutdown", "Terminated"].contains(&reason)
    };
    signs.shutting_down
        || signs.terminating
        || signs.tainted
        || signs.shut_down && here.iter().any(by_shutdown)
}

/// Adds the objects that match the selector, have no controller, and should have been adopted.
fn orphans(object: &Value, read: &DaemonSet, rows: &Rows, wrong: &mut Vec<String>) {
    let namespace = text(object, "namespace");
    for orphan in rows.values() {
        if !owner(orphan).is_empty()
            || is_terminating(orphan)
            || text(orphan, "namespace") != namespace
        {
            continue;
        }
        let labels = orphan["metadata"]["labels"].as_object();
        let labels = labels.into_iter().flatten();
        let labels = labels.map(|(k, v)| (k.as_str(), v.as_str().unwrap_or("")));
        if let Ok(selector) = &read.selector
            && selector.matches(&labels.collect())
        {
            wrong.push(format!("{} is nobody's and was not adopted", said(orphan)));
        }
    }
}

/// Whether it is of the current revision by the deprecated template generation, as for the built-in
/// controller: so is an orphan that a DaemonSet of the same name left behind at the same number.
fn is_of_generation(pod: &Value, read: &DaemonSet) -> bool {
    let label = pod["metadata"]["labels"]["pod-template-generation"].as_str();
    let generation = read.template_generation.map(|g| g.to_string());
    label.is_some() && label == generation.as_deref()
}

impl Counts {
    fn add(
        &mut self,
        should_run: bool,
        oldest: Option<&Value>,
        current: &str,
        read: &DaemonSet,
        now: Timestamp,
    ) {
        self.desired += i64::from(should_run);
        let Some(pod) = oldest else {
            return;
        };
        if !should_run {
            self.misscheduled += 1;
            return;
        }
        self.current += 1;
        self.updated += i64::from(hash(pod) == current || is_of_generation(pod, read));
        if let Some(since) = ready_since(pod) {
            self.ready += 1;
            let wait = SignedDuration::from_secs(read.min_ready_seconds.into());
            let since: Option<Timestamp> = since.parse().ok();
            let is_old = since.is_some_and(|since| since.duration_until(now) >= wait);
            self.available += i64::from(read.min_ready_seconds == 0 || is_old);
        }
    }

    fn compare(&self, object: &Value, wrong: &mut Vec<String>) {
        let status = &object["status"];
        for (field, should) in [
            ("desiredNumberScheduled", self.desired),
            ("currentNumberScheduled", self.current),
            ("numberMisscheduled", self.misscheduled),
            ("numberReady", self.ready),
            ("numberAvailable", self.available),
            ("numberUnavailable", self.desired - self.available),
            ("updatedNumberScheduled", self.updated),
        ] {
            let is = status[field].as_i64().unwrap_or(0);
            if is != should {
                wrong.push(format!("its status has {field} {is}, not {should}"));
            }
        }
        let (is, should) = (
            &status["observedGeneration"],
            &object["metadata"]["generation"],
        );
        if is != should {
            wrong.push(format!(
                "its status has observedGeneration {is}, not {should}"
            ));
        }
    }
}
