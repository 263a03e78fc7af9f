//! The loop: a plan is made and carried out, then the time goes on to whatever comes next.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crate::{
    model::{
        ConditionState, ConditionStatus, Labels, Node, NodeDetail, PodDetail, Readiness, Str, Time,
        Uid, revision::HASH_LABEL,
    },
    plan::{DetailedPlan, Plan, Progress},
};

use super::{
    Durations, Ending, NodeState, Rehearsal, Scenario,
    carry_out::{CarriedOut, carry_out},
    cluster::Cluster,
    disruption::Budgets,
    figures::Figures,
    kubelet::{Happening, Kubelets, What},
    outcome::{Target, not_updated},
    record::Record,
    scenario::pick,
};

/// So many plans follow each other at one moment at most. Each records what the next one needs, and
/// there are not many things to record.
const AT_ONCE: usize = 64;

/// A plan that did something is followed by another one after a second, unless something happens
/// that soon.
const PATIENCE: Duration = Duration::from_secs(10);

/// The label with the name of a node.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Rehearses the rollout of the DaemonSet from where it stands.
///
/// It ends when nothing happens any more, or after the scenario's horizon. The same arguments give
/// the same outcome.
pub fn rehearse(cluster: Cluster, budgets: &Budgets, scenario: &Scenario) -> Rehearsal {
    let mut rehearsing = Loop::new(cluster, budgets, scenario);
    while rehearsing.step().is_some() {}
    rehearsing.finish()
}

/// A rehearsal that is under way.
pub struct Loop<'b> {
    cluster: Cluster,
    budgets: &'b Budgets,
    kubelets: Kubelets,
    record: Record,
    target: Option<Target>,
    began: Time,
    /// When the last thing happened.
    ended: Time,
    horizon: Time,
    state: State,
    at_once: usize,
    plans: usize,
    created: usize,
    deleted: usize,
}

/// How far a rehearsal is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    GoesOn,
    IsOver,
    TimeIsUp,
}

impl<'b> Loop<'b> {
    /// Makes the cluster as it is supposed to be. Nothing has been planned yet.
    pub fn new(mut cluster: Cluster, budgets: &'b Budgets, scenario: &Scenario) -> Loop<'b> {
        let began = cluster.now();
        let first = cluster.plan();
        let target = first.revision.as_ref().map(|revision| Target {
            name: revision.name.clone(),
            hash: revision.hash.clone(),
            number: revision.number,
            is_new: revision.create,
        });
        let hash = target.as_ref().map(|t| t.hash.clone()).unwrap_or_default();
        let duplicates = first.relabels.iter().filter_map(|relabel| {
            let pod = cluster.pod(&relabel.pod.name)?;
            pod.labels.get_shared(HASH_LABEL).cloned()
        });
        let targets = duplicates.chain([hash.clone()]).collect();
        let mut record = Record::new(&mut cluster, targets);
        // As the pods took it before anything was supposed.
        let durations = cluster.snapshot(Durations::of);
        let fails = suppose(&mut cluster, scenario);
        let kubelets = Kubelets::new(&cluster, scenario, durations, fails, hash);
        kubelets.take_over(&mut cluster);
        record.look(&mut cluster);
        Loop {
            cluster,
            budgets,
            kubelets,
            record,
            target,
            began,
            ended: began,
            horizon: began + scenario.horizon,
            state: State::GoesOn,
            at_once: 0,
            plans: 0,
            created: 0,
            deleted: 0,
        }
    }

    /// The cluster as it is now.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// Plans, carries the plan out, and lets the time go on to what comes next. None when it is
    /// over.
    pub fn step(&mut self) -> Option<Plan> {
        if self.state != State::GoesOn {
            return None;
        }
        let plan = self.cluster.plan();
        self.plans += 1;
        self.created += plan.creates.len();
        self.deleted += plan.deletes.len();
        self.record.planned(&plan, self.cluster.now());
        let done = carry_out(&mut self.cluster, &self.kubelets, self.budgets, &plan);
        if matches!(done, CarriedOut::Pods | CarriedOut::PlanAgain) {
            self.ended = self.cluster.now();
        }
        self.record.look(&mut self.cluster);
        self.at_once += 1;
        if done != CarriedOut::PlanAgain || self.at_once >= AT_ONCE {
            self.at_once = 0;
            self.go_on(&plan, done);
        }
        Some(plan)
    }

    /// Lets the time go on until something happens by which decisions may change, or to when the
    /// plan wants another one.
    fn go_on(&mut self, plan: &Plan, done: CarriedOut) {
        let cluster = &mut self.cluster;
        let soon = cluster.now() + Duration::from_secs(1);
        let wakes = plan.wake_at.map(|at| up(at).max(soon));
        // A plan covers all that is known to be needed. What follows from its own actions can wait
        // for what happens next, where that is not long.
        let waits = cluster
            .next_happening()
            .is_some_and(|at| at <= soon + PATIENCE);
        let again = match done {
            CarriedOut::Pods | CarriedOut::PlanAgain => !waits,
            // What was written last is looked at once more before it ends.
            CarriedOut::Status => cluster.next_happening().is_none() && wakes.is_none(),
            CarriedOut::Nothing => false,
        };
        let wakes = Time::earliest(wakes, again.then_some(soon));
        loop {
            let next = Time::earliest(cluster.next_happening(), wakes);
            let Some(next) = next else {
                return self.state = State::IsOver;
            };
            if next > self.horizon {
                return self.state = State::TimeIsUp;
            }
            let mut matters = wakes == Some(next);
            for happening in cluster.go_on(next) {
                self.ended = next;
                matters |= self.kubelets.happen(cluster, happening);
            }
            self.record.look(cluster);
            if matters {
                return;
            }
        }
    }

    /// What came of it.
    pub fn finish(mut self) -> Rehearsal {
        self.record.end();
        let last = self.cluster.in_detail();
        let conditions = self.cluster.daemon_set().conditions().iter();
        let conditions = conditions.filter_map(|c| c.read.clone()).collect();
        let figures = self.figures();
        let record = self.record;
        Rehearsal {
            target: self.target,
            began: self.began,
            ending: ending(&last, &figures, self.state == State::IsOver),
            ended: self.ended,
            figures,
            not_updated: not_updated(&record.nodes, &last),
            spans: record.spans,
            events: record.events,
            nodes: record.nodes,
            changes: record.changes,
            conditions,
            durations: self.kubelets.durations().clone(),
            plans: self.plans,
        }
    }

    fn figures(&self) -> Figures {
        let last = || self.record.nodes.iter().map(|node| node.last);
        let wanted = || last().filter(|state| state.is_wanted());
        Figures {
            duration: self.ended.since(self.began),
            nodes: wanted().count(),
            updated: last().filter(|state| *state == NodeState::New).count(),
            unavailable: wanted().filter(|state| !state.is_available()).count(),
            peaks: self.record.peaks.clone(),
            created: self.created,
            deleted: self.deleted,
        }
    }
}

/// The end of the second that it is in.
fn up(at: Time) -> Time {
    match at.whole_seconds() {
        whole if whole == at => at,
        whole => whole + Duration::from_secs(1),
    }
}

fn ending(last: &DetailedPlan, figures: &Figures, is_over: bool) -> Ending {
    let plan = &last.plan;
    if let Some(why) = &plan.left_alone {
        return Ending::LeftAlone(why.clone());
    }
    let Some(standing) = &plan.standing else {
        return Ending::Stuck;
    };
    if let Some(rule) = &standing.stalled {
        return Ending::Stalled(rule.clone());
    }
    match &standing.progress {
        Progress::Complete => Ending::Complete,
        progress @ (Progress::AwaitingApproval(_) | Progress::Paused(_)) => {
            Ending::Waits(progress.clone())
        }
        Progress::AutoPaused(rule) => Ending::Stalled(rule.clone()),
        // Without any node there is nothing to wait for.
        _ if figures.nodes == 0 => Ending::Complete,
        _ if is_over => Ending::Stuck,
        _ => Ending::TimeIsUp,
    }
}

/// Makes the cluster as it is supposed to be. Returns the nodes on which new pods crash.
fn suppose(cluster: &mut Cluster, scenario: &Scenario) -> BTreeSet<Str> {
    let now = cluster.now();
    let mut wanted: Vec<Node> = cluster.snapshot(|snapshot| {
        let nodes = snapshot.nodes.iter();
        let wanted = nodes.filter(|(id, _)| snapshot.verdicts.get(*id).should_run());
        wanted.map(|(_, node)| node.clone()).collect()
    });
    wanted.sort_by(|a, b| a.name.cmp(&b.name));
    let up: Vec<&Node> = wanted.iter().filter(|node| !node.is_unready()).collect();
    let down = pick(&up, scenario.not_ready, scenario.seed.rotate_left(1));
    for node in up.iter().filter(|node| down.contains(&node.name)) {
        go_down(cluster, node, now);
    }
    let like: Vec<&Node> = up
        .iter()
        .filter(|node| !down.contains(&node.name))
        .copied()
        .collect();
    for number in 1..=scenario.join {
        let chosen = pick(&like, 1, scenario.seed.wrapping_add(number as u64));
        let model = like.iter().find(|node| chosen.contains(&node.name));
        if let Some(model) = model {
            joins(cluster, model, number, now + scenario.join_after);
        }
    }
    let nodes: Vec<&Node> = wanted.iter().collect();
    let fails = scenario.fail.iter();
    fails
        .flat_map(|which| which.choose(&nodes, scenario.seed))
        .collect()
}

/// The node's kubelet is heard of no more, and its pods count as not ready.
fn go_down(cluster: &mut Cluster, node: &Node, now: Time) {
    let unready = |status| {
        Some(ConditionState {
            status,
            since: Some(now),
        })
    };
    let detail = node.detail.as_deref().cloned().unwrap_or_default();
    cluster.put_node(Node {
        detail: Some(Arc::new(NodeDetail {
            unready: unready(ConditionStatus::Unknown),
            ..detail
        })),
        ..node.clone()
    });
    let here: Vec<(Str, Uid)> = cluster
        .pods_on(&node.name)
        .map(|pod| (pod.name.clone(), pod.uid.clone()))
        .collect();
    for (name, uid) in here {
        cluster.change_pod(&name, &uid, |pod| {
            pod.readiness = Readiness::NotReady;
            let detail = pod.detail.as_deref().cloned().unwrap_or_default();
            pod.detail = Some(Arc::new(PodDetail {
                unready: unready(ConditionStatus::False),
                ..detail
            }));
        });
    }
}

/// A node like this one will join.
fn joins(cluster: &mut Cluster, model: &Node, number: usize, at: Time) {
    let name: Str = format!("joins-{number}").into();
    let label = |(key, value): (&str, &str)| match key {
        HOSTNAME => (key.to_owned(), name.to_string()),
        _ => (key.to_owned(), value.to_owned()),
    };
    let labels: Labels = model.labels.iter().map(label).collect();
    let uid = cluster.next_uid();
    let node = Node {
        name: name.clone(),
        uid: uid.clone(),
        created: Some(at),
        labels,
        boot: None,
        ..model.clone()
    };
    let what = What::Joins(Box::new(node));
    cluster.expect(
        at,
        Happening {
            pod: name,
            uid,
            what,
        },
    );
}
