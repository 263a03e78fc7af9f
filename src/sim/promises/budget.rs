//! S2: pods that a controller deletes for a rollout never make more than `maxUnavailable` nodes
//! unavailable.
//!
//! The rule, stated for one delete: an available pod that is the only one on a node where it may
//! stay is deleted only if, before the delete, fewer nodes than `maxUnavailable` were without an
//! available pod. With `maxSurge` it is deleted when a newer pod on its node is available; without
//! one it is deleted only from a node that is no longer eligible, and only while more pods are
//! available than nodes are. With `OnDelete` it is not deleted at all. All other deletes are
//! upkeep, which no budget limits: pods that are not available, duplicates, and pods where none may
//! be. Pods of the current revision are S3's.
//!
//! A controller is charged for what it must have known. A node counts as without an available pod
//! if no pod on it was available at any moment from which the plan may have been made. A pod that
//! the controller itself asked to delete does not count as available in any case, because it knows
//! its own writes at once. So with one controller and watches that do not lag, the rule holds as
//! stated. Changes that others made a moment before excuse a delete; changes that the controller
//! made never do. If settings changed meanwhile, any of them that allows the delete excuses it.
//!
//! With `budget: bad-nodes` the rule holds among the nodes that are not exempt. A node that may
//! have been exempt is not counted, and one that must have been is not touched.
//!
//! With `budget: strict` the same holds for pods that are not available, among the nodes whose old
//! pod is gone or on its way out: no more of these than `maxUnavailable` are without an available
//! pod. An old pod that is not available and stays does not count against itself.
//!
//! One case that upstream counts is not counted: a node with several pods of which one is
//! available.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::facts::{current_hash, is_live, owner, said, target, text};
use super::past::{Life, Past, Set, is_available};
use super::promise::Promise;
use super::step::Step;
use crate::model::{DaemonSet, Node, NodeHealth, Time, UpdateStrategy};
use crate::sim::api::Entry;
use crate::sim::api::resource::{CONTROLLER_REVISIONS, PODS};
use crate::sim::api::store::Change;

/// S2. It needs no memory besides [`Past`].
#[derive(Default)]
pub struct Budget;

impl Promise for Budget {
    fn name(&self) -> &'static str {
        "S2"
    }

    fn see(&mut self, step: &Step<'_>, past: &Past) -> Vec<String> {
        let deletes = step.request.filter(|r| r.is_delete());
        let Some(request) = deletes.filter(|_| step.is_for(&PODS)) else {
            return Vec::new();
        };
        let Some(before) = step.write.before.as_ref().filter(|pod| is_live(pod)) else {
            return Vec::new();
        };
        if step.write.change != Change::Deleted && is_live(&step.write.object) {
            return Vec::new();
        }
        let wrong = past
            .pod_of(text(before, "uid"))
            .and_then(|pod| View::new(step, request, before, past)?.judge(step, pod));
        let told = |why| format!("{} on {} {why}", said(before), target(before));
        wrong.map(told).into_iter().collect()
    }
}

/// The states that a controller may have seen when it made the plan that a delete belongs to.
struct View<'a> {
    past: &'a Past,
    request: &'a Entry,
    owner: &'a str,
    /// The pod as the delete found it. The controller had seen this very state.
    found: &'a Value,
    /// The states of the DaemonSet.
    sets: Vec<(&'a Set, &'a DaemonSet)>,
    /// The plan was made from the state at some moment since then.
    since: Duration,
    /// The time of day at the delete.
    now: Timestamp,
    /// The plan was made no earlier than this.
    planned: Duration,
    /// The time of day at `planned`.
    planned_at: Timestamp,
}

impl<'a> View<'a> {
    /// None if the pod has no controller, or the DaemonSet was not there all the time or could not
    /// be decoded.
    fn new(
        step: &Step<'_>,
        request: &'a Entry,
        found: &'a Value,
        past: &'a Past,
    ) -> Option<View<'a>> {
        let owner = owner(found);
        let since = step.known(request);
        let sets = past.sets(owner, since).into_iter();
        let sets: Option<Vec<_>> = sets.map(|s| Some((s?, s?.read.as_ref()?))).collect();
        let sets = sets.filter(|sets| !sets.is_empty())?;
        let planned = step.planned(request);
        Some(View {
            past,
            request,
            owner,
            found,
            sets,
            since,
            now: step.time(step.write.at),
            planned,
            planned_at: step.time(planned),
        })
    }

    /// Why this pod must not be deleted, if so.
    fn judge(&self, step: &Step<'_>, pod: &Life) -> Option<String> {
        if self.currents(step).all(|hash| hash == Some(&pod.hash)) {
            return None; // a case of S3
        }
        let stays = |set: &Set, node: &Node| set.verdict(node).should_continue_running();
        if !self.always(&pod.node, stays) {
            return None;
        }
        let beside: Vec<&Life> = self
            .on(&pod.node)
            .filter(|other| !std::ptr::eq(*other, pod) && self.may_be_there(other))
            .collect();
        if beside.is_empty() {
            self.judge_alone(step, pod)
        } else if beside.iter().all(|other| other.ended) {
            // The controller may know it or not.
            let wrong = self.judge_beside(step, pod, &beside);
            wrong.and_then(|_| self.judge_alone(step, pod))
        } else {
            self.judge_beside(step, pod, &beside)
        }
    }

    fn judge_alone(&self, step: &Step<'_>, pod: &Life) -> Option<String> {
        let longest = self.sets.iter().map(|(_, ds)| ds.min_ready_seconds).max()?;
        if !self.was_available_when_planned(longest) {
            return self.judge_strict(step, pod);
        }
        if self.must_be_exempt(&pod.node) {
            return Some("goes, although its node is exempt".to_owned());
        }
        let names: Vec<&str> = self.past.nodes().collect();
        let eligible = |set: &Set, node: &Node| set.verdict(node).should_run();
        let least = names.iter().filter(|n| self.always(n, eligible));
        let least = least.filter(|n| !self.may_be_exempt(step, n)).count();
        let wanted = names.iter().filter(|n| self.always(n, eligible)).count();
        let most = names.iter().filter(|n| self.ever(n, eligible)).count();
        let mut places: Vec<&str> = self.past.pods(self.owner).map(|p| &*p.node).collect();
        places.extend(names);
        places.sort_unstable();
        places.dedup();
        let (available, without): (Vec<&str>, Vec<&str>) = places
            .into_iter()
            .partition(|node| *node == pod.node || self.may_be_available(node));
        let without = without.into_iter();
        let without = without.filter(|node| !self.may_be_exempt(step, node));
        let without = without.filter(|node| {
            let mut pods = self.on(node);
            // Nodes that are not eligible or gone are counted while they have pods.
            self.always(node, eligible) || pods.any(|p| p.came <= self.since && !p.ended)
        });
        let without = without.count();
        let mut budgets = Vec::new();
        for (_, ds) in &self.sets {
            let UpdateStrategy::RollingUpdate {
                max_unavailable,
                max_surge,
            } = &ds.update_strategy
            else {
                continue;
            };
            let (Some(budget), Some(surge)) =
                (max_unavailable.scaled_up(most), max_surge.scaled_up(wanted))
            else {
                continue;
            };
            if surge == 0 {
                let budget = if most > 0 { budget.max(1) } else { budget };
                if without < budget {
                    return None;
                }
                budgets.push(budget);
            }
            let surges = max_surge.scaled_up(most).is_some_and(|n| n > 0);
            if surges && !self.always(&pod.node, eligible) && available.len() > least {
                return None;
            }
        }
        Some(match budgets.iter().max() {
            Some(budget) => format!(
                "is available and goes, although {without} of {most} nodes are without an available pod and \
                 maxUnavailable is {budget}"
            ),
            None => {
                "is available and goes, although its strategy does not have it replaced".to_owned()
            }
        })
    }

    /// Why a pod that is not available must not go, where the budget is strict.
    fn judge_strict(&self, step: &Step<'_>, pod: &Life) -> Option<String> {
        let eligible = |set: &Set, node: &Node| set.verdict(node).should_run();
        let names = self.past.nodes().filter(|node| *node != pod.node);
        let names: Vec<&str> = names.filter(|node| self.always(node, eligible)).collect();
        let mut least = 0;
        for (_, ds) in &self.sets {
            let strict = ds.control.as_deref().is_some_and(|c| c.strict_budget);
            let UpdateStrategy::RollingUpdate {
                max_unavailable,
                max_surge,
            } = &ds.update_strategy
            else {
                return None;
            };
            if !strict || max_surge.scaled_up(names.len() + 1)? > 0 {
                return None;
            }
            let most = self.past.nodes().filter(|node| self.ever(node, eligible));
            least = least.max(max_unavailable.scaled_up(most.count())?.max(1));
        }
        let may_be_old = |life: &Life| self.currents(step).any(|hash| hash != Some(&life.hash));
        let stays = |life: &Life| {
            !life.deleted_by.contains(&self.request.client) && life.stayed(self.since)
        };
        let under_way = names.into_iter().filter(|node| {
            let waits = self.on(node).any(|life| stays(life) && may_be_old(life));
            !waits && !self.may_be_available(node) && !self.may_be_exempt(step, node)
        });
        let under_way = under_way.count();
        (under_way >= least).then(|| {
            format!(
                "is not available and goes, although {under_way} nodes wait for their pod and the budget is {least}, strictly"
            )
        })
    }

    fn judge_beside(&self, step: &Step<'_>, pod: &Life, beside: &[&Life]) -> Option<String> {
        let surges = |(_, ds): &(&Set, &DaemonSet)| ds.update_strategy.allows_surge();
        // One pod of the current revision stays, and one of all other revisions.
        let is_duplicate = self.currents(step).any(|hash| {
            let is_new = |pod: &Life| hash == Some(&pod.hash);
            beside.iter().any(|other| is_new(other) == is_new(pod))
        });
        if is_duplicate || !self.sets.iter().all(surges) {
            return None; // a case of S3
        }
        let is_ready = self.was_available_when_planned(0);
        let replaced = beside
            .iter()
            .any(|other| self.may_have_been_available(other));
        (is_ready && !replaced).then(|| "goes before a newer pod there is available".to_owned())
    }

    /// Whether the DaemonSet asked for `bad-nodes` in a state that may have been planned for.
    fn minds_bad_nodes(&self) -> impl Iterator<Item = bool> {
        let control = self.sets.iter().map(|(_, ds)| ds.control.as_deref());
        control.map(|control| control.is_some_and(|c| c.bad_nodes.is_some()))
    }

    /// Whether the controller may have taken the node for exempt.
    fn may_be_exempt(&self, step: &Step<'_>, node: &str) -> bool {
        if !self.minds_bad_nodes().any(|minds| minds) {
            return false;
        }
        let waits = |pod: &Life| pod.unschedulable.is_some_and(|until| until >= self.since);
        if self.ever(node, |_, node| is_about_to_go(node)) || self.on(node).any(waits) {
            return true;
        }
        let states = self.past.node(node, self.since).into_iter().flatten();
        let mut unready = states.filter_map(|node| node.health().unready).peekable();
        if unready.peek().is_none() {
            return false;
        }
        let is_new = |pod: &&Life| self.currents(step).all(|hash| hash == Some(&pod.hash));
        let new = self.on(node).filter(|p| p.came <= self.since && !p.ended);
        let new = new.filter(is_new).map(|p| step.time(p.came)).min();
        unready.any(|ready| {
            let since = ready.since.map(Time::timestamp);
            new.is_none_or(|new| since.is_some_and(|since| since <= new))
        })
    }

    /// Whether the controller must have taken the node for exempt.
    fn must_be_exempt(&self, node: &str) -> bool {
        self.minds_bad_nodes().all(|minds| minds)
            && self.always(node, |_, node| is_about_to_go(node))
    }

    /// The hash of the current revision, by each state of the DaemonSet.
    fn currents<'s>(&self, step: &Step<'s>) -> impl Iterator<Item = Option<&'s str>> {
        self.sets.iter().map(|(set, _)| {
            let revisions = step.before.all(&CONTROLLER_REVISIONS);
            current_hash(&set.object, revisions)
        })
    }

    /// Whether the controller must have taken the pod for available when it planned.
    fn was_available_when_planned(&self, min_ready: i32) -> bool {
        is_available(self.found, min_ready, self.planned_at)
    }

    fn may_be_there(&self, pod: &Life) -> bool {
        let known_to_go = pod.deleted_by.contains(&self.request.client);
        let until = if known_to_go {
            self.planned
        } else {
            self.since
        };
        pod.stayed(until)
    }

    fn may_have_been_available(&self, pod: &Life) -> bool {
        let shortest = self.sets.iter().map(|(_, ds)| ds.min_ready_seconds).min();
        !pod.deleted_by.contains(&self.request.client)
            && pod.was_available(self.since, shortest.unwrap_or(0), self.now)
    }

    fn may_be_available(&self, node: &str) -> bool {
        self.on(node).any(|pod| self.may_have_been_available(pod))
    }

    fn on<'n>(&self, node: &'n str) -> impl Iterator<Item = &'a Life> + use<'a, 'n>
    where
        'a: 'n,
    {
        self.past.pods_on(self.owner, node)
    }

    fn always(&self, node: &str, is_so: impl Fn(&Set, &Node) -> bool) -> bool {
        let states = self.past.node(node, self.since);
        let holds = |node: &Option<&Node>| {
            node.is_some_and(|node| self.sets.iter().all(|(set, _)| is_so(set, node)))
        };
        !states.is_empty() && states.iter().all(holds)
    }

    fn ever(&self, node: &str, is_so: impl Fn(&Set, &Node) -> bool) -> bool {
        let states = self.past.node(node, self.since);
        let holds = |node: &&Node| self.sets.iter().any(|(set, _)| is_so(set, node));
        states.iter().flatten().any(holds)
    }
}

/// Whether the node is exempt whatever runs on it.
fn is_about_to_go(node: &Node) -> bool {
    let health = NodeHealth {
        unready: None,
        ..node.health()
    };
    health != NodeHealth::default()
}
