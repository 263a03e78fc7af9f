//! S8: what rollout control holds is not rolled out.
//!
//! While a DaemonSet is held, or waits for its canary, no controller creates a pod of the current
//! revision on a node that is not released for it, and none deletes a pod of another revision that
//! is alone on such a node and may stay there. A node is released if it had the current revision
//! last, or if it may be in the canary: it matches the selector, or fewer nodes have the current
//! revision than the canary has; or if no node of an earlier group of `order` is without it.
//! Nothing is held while no other revision is stable: none completed after the current one, and no
//! live pod is of one. All nodes are held while more nodes fail than are tolerated, and after a
//! verdict no pod of the revision is made at all ([`failing`](super::failing)). Then all nodes go
//! to the stable revision, those too that had neither; what has it keeps it.
//!
//! A controller is charged for what it must have known: all states of the DaemonSet since then have
//! to hold the node.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, value::to_raw_value};

use super::facts::{self, current_hash, hash, is_live, is_of_template, owner, said, target, text};
use super::failing::Judged;
use super::past::{Life, Past, Set};
use super::promise::Promise;
use super::step::Step;
use crate::model::control::{CANARY_STAGE, COMPLETED, RELEASED};
use crate::model::{Canary, Control, FeatureGates, Interner, Node, NodeHealth, Order, Template};
use crate::plan::eligibility::Eligibility;
use crate::sim::api::Entry;
use crate::sim::api::resource::{CONTROLLER_REVISIONS, PODS};
use crate::sim::api::store::Change;
use crate::wire::daemon_set::template_of_data;

/// S8.
#[derive(Default)]
pub struct Gates;

impl Promise for Gates {
    fn name(&self) -> &'static str {
        "S8"
    }

    fn see(&mut self, step: &Step<'_>, past: &Past) -> Vec<String> {
        let Some(request) = step.request.filter(|_| step.is_for(&PODS)) else {
            return Vec::new();
        };
        let write = step.write;
        let wrong = match (&write.before, write.change) {
            (None, Change::Added) => created(step, request, &write.object, past),
            (Some(before), change) if request.is_delete() && is_live(before) => {
                let goes = change == Change::Deleted || !is_live(&write.object);
                goes.then(|| deleted(step, request, before, past)).flatten()
            }
            _ => None,
        };
        wrong.into_iter().collect()
    }
}

fn created(step: &Step<'_>, request: &Entry, pod: &Value, past: &Past) -> Option<String> {
    let view = View::new(step, request, pod, past)?;
    (view.is_current(hash(pod)) && view.holds(target(pod), text(pod, "uid"))).then(|| {
        format!(
            "{} is of the current revision, and {} is held",
            said(pod),
            target(pod)
        )
    })
}

fn deleted(step: &Step<'_>, request: &Entry, pod: &Value, past: &Past) -> Option<String> {
    let view = View::new(step, request, pod, past)?;
    let uid = text(pod, "uid");
    let mut beside = view.on(target(pod), uid);
    let wrong = !view.is_current(hash(pod))
        && !beside.any(|other| other.stayed(view.since))
        && view.may_stay(pod)
        && view.holds(target(pod), "");
    wrong.then(|| format!("{} goes, although {} is held", said(pod), target(pod)))
}

/// Why nodes are held, by one state of the DaemonSet.
enum Held<'a> {
    /// All of them are.
    All,
    /// All of them go back: none has the current revision again.
    Back,
    /// Those outside of the canary are.
    Canary(&'a Canary),
    /// Those of groups are that come later than one which is not done.
    Order(&'a Order),
}

/// The states that a controller may have seen when it made the plan of a request.
struct View<'a> {
    past: &'a Past,
    owner: &'a str,
    since: Duration,
    sets: Vec<(&'a Set, Held<'a>)>,
    /// The DaemonSet's revisions.
    revisions: Vec<&'a Arc<Value>>,
    /// The hash of the current one.
    current: &'a str,
    /// The stages that are recorded on it.
    released: BTreeSet<String>,
    /// Whether the request makes a pod.
    is_made: bool,
    /// Whether the pod is of the one revision that nodes go back to.
    is_stable: bool,
}

impl<'a> View<'a> {
    /// None where a state of the DaemonSet holds nothing, or has another current revision.
    fn new(step: &Step<'a>, request: &Entry, pod: &'a Value, past: &'a Past) -> Option<View<'a>> {
        let owner = owner(pod);
        let since = step.known(request);
        let sets: Option<Vec<&Set>> = past.sets(owner, since).into_iter().collect();
        let sets = sets?;
        let revisions = step.before.all(&CONTROLLER_REVISIONS);
        let revisions: Vec<&Arc<Value>> = revisions.filter(|r| facts::owner(r) == owner).collect();
        let current_of = |set: &&Set| current_hash(&set.object, revisions.iter().copied());
        let current = current_of(sets.first()?)?;
        if sets.iter().any(|set| current_of(set) != Some(current)) {
            return None;
        }
        let of_current = || revisions.iter().filter(|r| hash(r) == current);
        let is_known = of_current().any(|r| completed(r).is_some());
        let released: BTreeSet<String> = of_current().flat_map(|r| released(r)).collect();
        let judged = Judged {
            past,
            owner,
            current,
            revisions: of_current().copied().collect(),
            since,
            time: step.time(since),
        };
        let held = |set: &'a Set| {
            let control = set.read.as_ref()?.control.as_deref()?;
            if judged.is_paused(set) {
                return Some((set, Held::All));
            }
            if judged.is_back(set) {
                return Some((set, Held::Back));
            }
            Some((set, held(control, current, is_known, &released)?))
        };
        let sets: Option<Vec<_>> = sets.into_iter().map(held).collect();
        let view = View {
            past,
            owner,
            since,
            sets: sets?,
            revisions,
            current,
            released,
            is_made: step.write.before.is_none(),
            is_stable: false,
        };
        let is_stable = view.is_stable(hash(pod));
        view.has_stable().then_some(View { is_stable, ..view })
    }

    /// Whether this is the hash of the revision that nodes go back to, beyond doubt: of the others
    /// it completed last, and no pod is of a third one.
    fn is_stable(&self, of: &str) -> bool {
        let others: Vec<_> = self.others().copied().collect();
        let newest = newest_completed(&others);
        let mut alike = others.iter().filter(|r| hash(r) == of);
        let mut pods = self.past.pods(self.owner);
        newest.is_some()
            && alike.any(|r| completed(r) == newest)
            && pods.all(|pod| pod.hash == of || self.is_current(&pod.hash))
    }

    /// The revisions but the current one.
    fn others(&self) -> impl Iterator<Item = &&'a Arc<Value>> {
        self.revisions.iter().filter(|r| hash(r) != self.current)
    }

    /// Whether another revision than the current one is stable.
    fn has_stable(&self) -> bool {
        let (current, others): (Vec<&Arc<Value>>, Vec<_>) =
            self.revisions.iter().partition(|r| hash(r) == self.current);
        let (current, other) = (newest_completed(&current), newest_completed(&others));
        if current.is_some() || other.is_some() {
            return other > current;
        }
        let mut pods = self.past.pods(self.owner);
        pods.any(|pod| {
            let lives = pod.came <= self.since && pod.left.is_none() && !pod.terminal;
            lives && others.iter().any(|r| hash(r) == pod.hash)
        })
    }

    /// Whether a pod with this hash is of the current revision, or of a duplicate. One without may
    /// be.
    fn is_current(&self, of: &str) -> bool {
        let mut same = self.revisions.iter().filter(|r| hash(r) == of);
        of == self.current
            || of.is_empty()
            || same.any(|r| {
                self.sets
                    .iter()
                    .any(|(set, _)| is_of_template(r, &set.object))
            })
    }

    /// Whether each state holds the node. `but` is the UID of a pod that does not count.
    fn holds(&self, node: &str, but: &str) -> bool {
        let is_held_back = self.is_made || self.is_stable;
        let mut all = self.sets.iter();
        if all.all(|(_, held)| matches!(held, Held::Back)) {
            return is_held_back && !node.is_empty();
        }
        if node.is_empty() || self.has_current(node, but) {
            return false;
        }
        self.sets.iter().all(|(set, held)| match held {
            Held::All => true,
            Held::Back => is_held_back,
            Held::Canary(canary) => !self.may_be_in(canary, set, node),
            Held::Order(order) => !self.may_follow(order, set, node),
        })
    }

    /// Whether the node may have had the current revision last.
    fn has_current(&self, node: &str, but: &str) -> bool {
        let known = || self.on(node, but).filter(|pod| pod.came <= self.since);
        let newest = known().max_by_key(|pod| pod.came);
        // A newer one may have gone long before it.
        let last = known().max_by_key(|pod| (pod.left.unwrap_or(Duration::MAX), pod.came));
        let recent = self.on(node, but).filter(|pod| pod.stayed(self.since));
        let mut may_be_last = recent.chain(newest).chain(last);
        may_be_last.any(|pod| self.is_current(&pod.hash))
    }

    fn may_be_in(&self, canary: &Canary, set: &Set, node: &str) -> bool {
        let names = self.past.nodes();
        let most = match canary {
            Canary::Selector(selector) => {
                let states = self.past.node(node, self.since);
                let mut states = states.into_iter().flatten();
                return states.any(|node| selector.matches(|key| node.labels.get(key)));
            }
            Canary::Nodes(count) => *count,
            Canary::Percent(percent) => {
                let eligible = names.filter(|name| self.ever(name, set)).count();
                (eligible * percent).div_ceil(100).max(1)
            }
        };
        let has_one = |name: &&str| {
            let mut pods = self.on(name, "");
            pods.any(|p| p.came <= self.since && p.left.is_none() && self.is_current(&p.hash))
        };
        let others = self.past.nodes().filter(|name| *name != node);
        // A node that is out of order may have given its place to another one.
        let taken = others.filter(|name| self.always(name, |node| counts(set, node)));
        taken.filter(has_one).count() < most
    }

    /// Whether the node's group may be released, or every node of an earlier one that is not may
    /// have the current revision.
    fn may_follow(&self, order: &Order, set: &Set, node: &str) -> bool {
        let states = self.past.node(node, self.since);
        states.into_iter().flatten().any(|node| {
            let group = order.group(&node.labels);
            let is_before = |node: &Node| {
                let earlier = order.group(&node.labels);
                let is_over = self.released.contains(&*order.name(&earlier));
                earlier < group && !is_over && counts(set, node)
            };
            let before = self
                .past
                .nodes()
                .filter(|name| self.always(name, is_before));
            self.released.contains(&*order.name(&group))
                || before.into_iter().all(|name| self.has_current(name, ""))
        })
    }

    /// Whether the node was there all the time, and the pod's own revision lets it stay.
    fn may_stay(&self, pod: &Value) -> bool {
        let own = self.revisions.iter().find(|r| hash(r) == hash(pod));
        let Some(template) = own.and_then(|revision| template(revision)) else {
            return false;
        };
        let eligibility = Eligibility::new(template, FeatureGates::default());
        self.always(target(pod), |node| {
            eligibility.of(node).should_continue_running()
        })
    }

    fn on<'n>(&self, node: &'n str, but: &'n str) -> impl Iterator<Item = &'a Life> + use<'a, 'n>
    where
        'a: 'n,
    {
        let but = self.past.pod_of(but);
        let is_other = move |pod: &&Life| but.is_none_or(|but| !std::ptr::eq(*pod, but));
        self.past.pods_on(self.owner, node).filter(is_other)
    }

    fn always(&self, name: &str, is_so: impl Fn(&Node) -> bool) -> bool {
        let states = self.past.node(name, self.since);
        !states.is_empty() && states.iter().all(|node| node.is_some_and(&is_so))
    }

    fn ever(&self, name: &str, set: &Set) -> bool {
        let states = self.past.node(name, self.since);
        states
            .into_iter()
            .flatten()
            .any(|node| set.verdict(node).should_run())
    }
}

/// Whether a stage waits for this node.
fn counts(set: &Set, node: &Node) -> bool {
    let is_well = !set.minds_bad_nodes() || node.health() == NodeHealth::default();
    is_well && set.verdict(node).should_run()
}

fn held<'a>(
    control: &'a Control,
    current: &str,
    is_known: bool,
    released: &BTreeSet<String>,
) -> Option<Held<'a>> {
    if control.hold.is_some() || !control.invalid.is_empty() {
        return Some(Held::All);
    }
    if is_known {
        return None;
    }
    let is_over = released.contains(CANARY_STAGE) || control.approve.as_deref() == Some(current);
    let canary = control.canary.as_ref().filter(|_| !is_over);
    let order = control.order.as_ref().map(Held::Order);
    canary.map(Held::Canary).or(order)
}

fn annotation<'a>(revision: &'a Value, key: &str) -> Option<&'a str> {
    revision["metadata"]["annotations"][key].as_str()
}

/// When it completed. All times of a simulated cluster are written alike, so that their texts are
/// in their order.
fn completed(revision: &Value) -> Option<&str> {
    annotation(revision, COMPLETED)
}

fn newest_completed<'a>(all: &[&'a Arc<Value>]) -> Option<&'a str> {
    all.iter().filter_map(|revision| completed(revision)).max()
}

/// The stages of its rollout that are over.
fn released(revision: &Value) -> Vec<String> {
    let stages = annotation(revision, RELEASED).and_then(|s| serde_json::from_str(s).ok());
    stages.unwrap_or_default()
}

fn template(revision: &Value) -> Option<Arc<Template>> {
    let data = to_raw_value(&revision["data"]).ok()?;
    let template = template_of_data(data.get(), &mut Interner::default()).ok()?;
    Some(Arc::new(template))
}
