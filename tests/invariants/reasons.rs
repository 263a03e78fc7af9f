//! Holds a plan against the rule that every inaction has a reason: a node on which something could
//! be expected has an action, a hold or a verdict.

use std::collections::{BTreeMap, BTreeSet};

use daemonset_controller::{
    model::{Pod, Snapshot, Verdict},
    plan::{
        DetailedPlan,
        claim::{Claim, claim},
        revisions::HASH_LABEL,
    },
};

/// What is missing or contradicts itself; empty where every inaction has a reason.
pub fn missing_reasons(snapshot: &Snapshot<'_>, detailed: &DetailedPlan) -> Vec<String> {
    let plan = &detailed.plan;
    let mut missing = Vec::new();
    if plan.left_alone.is_some() {
        if plan.holds.len() != 1 || plan.holds[0].nodes.is_some() {
            missing.push(format!("left alone, but held by {:?}", plan.holds));
        }
        return missing;
    }
    let created: BTreeSet<&str> = plan.creates.iter().map(|c| &*c.node).collect();
    let deleted: BTreeSet<&str> = plan.deletes.iter().map(|d| &*d.pod.name).collect();
    let deleted_on: BTreeSet<&str> = plan.deletes.iter().map(|d| &*d.node).collect();
    let held: BTreeSet<&str> = detailed.holds.iter().map(|h| &*h.node).collect();
    let held_pods: BTreeSet<&str> = detailed
        .holds
        .iter()
        .filter_map(|h| h.pod.as_deref())
        .collect();
    let on_daemon_set = plan.holds.iter().any(|h| h.nodes.is_none());
    let hash = plan.revision.as_ref().map_or("", |r| &r.hash);
    let ds = snapshot.daemon_set;
    let selector = ds.selector.as_ref().expect("it is not left alone");
    let relabelled: BTreeSet<&str> = plan.relabels.iter().map(|r| &*r.pod.name).collect();
    let generation = ds.template_generation.map(|g| g.to_string());
    let is_updated = |p: &Pod| {
        p.labels.get(HASH_LABEL) == Some(hash)
            || relabelled.contains(&*p.name)
            || generation.is_some()
                && p.labels.get("pod-template-generation") == generation.as_deref()
    };
    let claimed = snapshot.pods.iter().filter(|p| {
        let whose = claim(&ds.uid, selector, &p.controller, &p.labels, p.terminating);
        !p.readable || matches!(whose, Claim::Keep | Claim::Adopt)
    });
    let mut on_node: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    for pod in claimed {
        if let Some(id) = pod.node {
            on_node
                .entry(snapshot.nodes.name(id))
                .or_default()
                .push(pod);
        }
    }

    for (id, node) in snapshot.nodes.iter() {
        let name = &*node.name;
        let (verdict, _) = detailed.placement(snapshot, id);
        let pods = on_node.remove(name).unwrap_or_default();
        let mut expect = |reason: bool, what: &str| {
            if !reason {
                missing.push(format!(
                    "{name} ({verdict:?}): {what}; holds {:?}",
                    detailed.holds
                ));
            }
        };
        let held_here = held.contains(name);
        let live: Vec<&&Pod> = pods.iter().filter(|p| p.is_live()).collect();
        if verdict.should_run() && live.is_empty() {
            expect(created.contains(name) || held_here, "no pod");
        }
        for pod in &pods {
            let acted = deleted.contains(&*pod.name);
            let has_reason = acted || held_pods.contains(&*pod.name) || held_here;
            if pod.phase.is_terminal() && !pod.terminating {
                let stays = verdict == Verdict::Unreadable;
                expect(
                    has_reason || stays,
                    &format!("{} is terminal and stays", pod.name),
                );
            }
            if !pod.is_live() || !pod.readable || verdict == Verdict::Unreadable {
                continue;
            }
            if !verdict.should_continue_running() {
                expect(has_reason, &format!("{} is misplaced and stays", pod.name));
            } else if live.len() > 1 {
                let someone_goes = live.iter().any(|p| deleted.contains(&*p.name));
                expect(someone_goes || held_here, "several pods");
            } else if !is_updated(pod) && !verdict.keeps_excluded() {
                // Another pod of the node may go first.
                let acted = acted || created.contains(name) || deleted_on.contains(name);
                let held = held_here || on_daemon_set;
                expect(acted || held, &format!("{} is old and stays", pod.name));
            }
        }
    }
    for (node, pods) in on_node {
        for pod in pods.iter().filter(|p| !p.is_terminal_and_terminating()) {
            if !deleted.contains(&*pod.name) && !held_pods.contains(&*pod.name) {
                missing.push(format!(
                    "{} on {node}, which is gone, has no reason",
                    pod.name
                ));
            }
        }
    }
    missing.extend(disagreements(detailed));
    missing
}

/// Numbers that say the same and differ.
fn disagreements(detailed: &DetailedPlan) -> Vec<String> {
    let plan = &detailed.plan;
    let mut wrong = Vec::new();
    for hold in &plan.holds {
        let Some(nodes) = &hold.nodes else { continue };
        let each = detailed
            .holds
            .iter()
            .filter(|h| h.rule == hold.rule)
            .count();
        if each != nodes.count || nodes.first.is_empty() {
            wrong.push(format!("{hold:?} has {each} nodes in detail"));
        }
    }
    let Some(rollout) = &plan.rollout else {
        return wrong;
    };
    let blocked: usize = rollout.blocked_by.iter().map(|b| b.nodes.count).sum();
    let surging = rollout.max_surge > 0;
    let own = if surging {
        let creates = plan.creates.iter();
        creates.filter(|c| c.phase.as_str() == "rollout").count()
    } else {
        let deletes = plan.deletes.iter();
        deletes.filter(|d| d.cause.as_str() == "Outdated").count()
    };
    let counted = if surging {
        rollout.surging
    } else {
        rollout.unavailable
    };
    if blocked + own != counted {
        wrong.push(format!(
            "{counted} nodes count, {blocked} are blocked and {own} are this plan's own"
        ));
    }
    if detailed.blocks.len() != blocked {
        wrong.push(format!(
            "{blocked} blocked nodes, {} in detail",
            detailed.blocks.len()
        ));
    }
    wrong
}
