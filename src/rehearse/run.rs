//! The loop: a plan is made and carried out, then the time goes on to whatever comes next.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crate::{
    model::{
        ConditionState, ConditionStatus, Labels, Node, NodeDetail, PodDetail, Readiness, Str, Time,
        Uid,
    },
    plan::{DetailedPlan, Progress},
};

use super::{
    Ending, NodeState, Rehearsal, Scenario,
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

/// The label with the name of a node.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Rehearses the rollout of the DaemonSet from where it stands.
///
/// It ends when nothing happens any more, or after the scenario's horizon. The same arguments give
/// the same outcome.
pub fn rehearse(mut cluster: Cluster, budgets: &Budgets, scenario: &Scenario) -> Rehearsal {
    let began = cluster.now();
    let horizon = began + scenario.horizon;
    let first = cluster.plan();
    let target = first.revision.as_ref().map(|revision| Target {
        name: revision.name.clone(),
        hash: revision.hash.clone(),
        number: revision.number,
        is_new: revision.create,
    });
    let hash = target.as_ref().map(|t| t.hash.clone()).unwrap_or_default();
    let mut record = Record::new(&mut cluster, hash.clone());
    let fails = suppose(&mut cluster, scenario);
    let kubelets = Kubelets::new(&mut cluster, scenario, fails, hash);
    kubelets.take_over(&mut cluster);
    record.look(&mut cluster);

    let (mut plans, mut created, mut deleted) = (0, 0, 0);
    let mut ended = began;
    let mut at_once = 0;
    let is_over = loop {
        let plan = cluster.plan();
        plans += 1;
        record.planned(&plan, cluster.now());
        let carried_out = carry_out(&mut cluster, &kubelets, budgets, &plan);
        if carried_out != CarriedOut::Nothing {
            ended = cluster.now();
        }
        created += plan.creates.len();
        deleted += plan.deletes.len();
        record.look(&mut cluster);
        at_once += 1;
        if carried_out == CarriedOut::PlanAgain && at_once < AT_ONCE {
            continue;
        }
        at_once = 0;
        let soon = cluster.now() + Duration::from_secs(1);
        let soon = (carried_out != CarriedOut::Nothing).then_some(soon);
        let happens = cluster.next_happening();
        let wakes = plan
            .wake_at
            .map(|at| at.max(cluster.now() + Duration::from_secs(1)));
        let next = Time::earliest(soon, Time::earliest(happens, wakes.map(up)));
        let Some(next) = next else {
            break true;
        };
        if next > horizon {
            break false;
        }
        for happening in cluster.go_on(next) {
            ended = next;
            kubelets.happen(&mut cluster, happening);
        }
        record.look(&mut cluster);
    };
    record.end();

    let last = cluster.in_detail();
    let conditions = cluster.daemon_set().conditions().iter();
    let conditions = conditions.filter_map(|c| c.read.clone()).collect();
    let figures = figures(&record, ended.since(began), created, deleted);
    Rehearsal {
        target,
        began,
        ending: ending(&last, &figures, is_over),
        ended,
        figures,
        not_updated: not_updated(&record.nodes, &last),
        spans: record.spans,
        events: record.events,
        nodes: record.nodes,
        changes: record.changes,
        conditions,
        durations: kubelets.durations().clone(),
        plans,
    }
}

/// The end of the second that it is in.
fn up(at: Time) -> Time {
    match at.whole_seconds() {
        whole if whole == at => at,
        whole => whole + Duration::from_secs(1),
    }
}

fn figures(record: &Record, duration: Duration, created: usize, deleted: usize) -> Figures {
    let last = || record.nodes.iter().map(|node| node.last);
    let wanted = || last().filter(|state| state.is_wanted());
    Figures {
        duration,
        nodes: wanted().count(),
        updated: last().filter(|state| *state == NodeState::New).count(),
        unavailable: wanted().filter(|state| !state.is_available()).count(),
        peaks: record.peaks.clone(),
        created,
        deleted,
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
