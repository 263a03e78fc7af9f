//! Pure decisions: [`plan`] turns a snapshot and the time into a [`Plan`], which is a value.
//!
//! Nothing here does IO, reads a clock, is async or random; the same snapshot and time give the
//! same plan, in a stated order. The live controller, `plan`, and the simulation all run this one
//! function. The reference is Kubernetes 1.37 `pkg/controller/daemon`; where upstream is left, it
//! says so.

mod action;
pub mod by_node;
pub mod claim;
pub mod claims;
pub mod control;
pub mod draft;
pub mod eligibility;
mod eviction;
pub mod exclusive;
pub mod explain;
pub mod facts;
pub mod hold;
pub mod holds;
pub mod late_creates;
mod later;
pub mod leaving;
pub mod left_alone;
pub mod names;
pub mod node_group;
pub mod obstacles;
pub mod pod_state;
pub mod revisions;
pub mod rollout;
pub mod short_lived;
pub mod status;
pub mod target;
pub mod tolerations;
mod ungates;
pub mod unwatched;
pub mod upkeep;
pub mod whole;

pub use action::{
    ActionPhase, Claims, Create, CreateCause, Delete, DeleteBy, DeleteCause, Event, EventType,
    PodRef, Relabel, Resize, Ungate,
};
pub use control::{
    failure::{Failure, NodeFailure},
    standing::{Progress, Standing},
};
pub use hold::HoldRule;
pub use holds::{Hold, NodeHold};
pub use left_alone::LeftAlone;
pub use node_group::NodeGroup;
pub use rollout::{
    blocked::{BlockReason, BlockedBy, NodeBlock},
    counts::Rollout,
};
pub use whole::{DetailedPlan, OlderRevision, Plan};

use crate::model::{Snapshot, Time};

use by_node::ByNode;
use control::{
    Gate, Known, LastBake, Rules,
    classes::Classes,
    conditions::{self, Missing, Said},
    exempt::Exempt,
    resize,
    standing::Progressed,
    transitions,
};
use draft::Draft;
use facts::Facts;
use holds::Holds;
use rollout::blocked::Blockers;

/// What is to be done for one DaemonSet at `now`.
///
/// The plan covers all that is known to be needed: whoever carries it out applies `--burst`.
pub fn plan(snapshot: &Snapshot<'_>, now: Time) -> Plan {
    make(snapshot, now, Holds::default(), Blockers::default(), None).plan
}

/// The plan that [`plan`] makes, for one sync that carries out at most `burst` creates: it counts
/// those that the sync does not reach, and names the next few of the nodes that wait for their
/// turn. Nothing else is different.
pub fn for_sync(snapshot: &Snapshot<'_>, now: Time, burst: usize) -> Plan {
    let (holds, blockers) = (Holds::default(), Blockers::default());
    make(snapshot, now, holds, blockers, Some(burst)).plan
}

/// The plan that [`plan`] makes, by the same rules, with one value a node where a plan has one
/// value a rule.
pub fn in_detail(snapshot: &Snapshot<'_>, now: Time) -> DetailedPlan {
    let (holds, blockers) = (Holds::in_detail(), Blockers::in_detail());
    make(snapshot, now, holds, blockers, None)
}

fn make(
    snapshot: &Snapshot<'_>,
    now: Time,
    holds: Holds,
    mut blockers: Blockers,
    most: Option<usize>,
) -> DetailedPlan {
    let ds = snapshot.daemon_set;
    let selector = match left_alone::check(snapshot) {
        Ok(selector) => selector,
        Err(why) => return DetailedPlan::leave_alone(why),
    };

    let (claims, pods) = claims::claim_pods(snapshot, selector);
    let (mut history, old) =
        revisions::history(ds, selector, &snapshot.revisions, snapshot.revision_exists);
    let relabels = claims::relabels(&pods, &history);
    let by_node = ByNode::new(snapshot.nodes, &pods);
    let rules = Rules::new(snapshot, &history, &old, &pods, &by_node, now);
    let bad = Exempt::find(snapshot, &history, &history.current.hash, &by_node);
    let known = Known {
        snapshot,
        history: &history,
        old: &old,
        by_node: &by_node,
        exempt: &bad,
        now,
    };
    let failing = rules.failing(&known);
    let (assignment, gate) = rules.assignment(&known, &failing).unzip();

    let mut facts = Facts::new(
        snapshot,
        &history,
        &by_node,
        &pods,
        assignment.as_ref(),
        bad.clone(),
        now,
    );
    if let Some(Gate::Back(_)) = gate {
        facts.back = Some(failing.ids().collect());
    }
    facts.classes = Classes::find(snapshot, &history, &old);
    let mut draft = Draft::new(holds, facts.evicts(), most);
    upkeep::plan(&facts, &mut draft);
    let counted = status::plan(&facts);
    let rollout = rollout::plan(&facts, &counted.status, &mut blockers, &mut draft);
    let mut release_stages = None;
    if let Some(gate) = &gate {
        rules.hold(gate, &facts, &mut draft);
        release_stages = rules.release_stages(gate, &history);
    }
    resize::plan(&facts, rules.is_held(), &mut draft);
    ungates::plan(&facts, &mut draft);
    draft.sort();
    draft.hold_denied(snapshot.nodes, snapshot.creates_denied);
    eviction::hold_tried(&facts, &mut draft);
    let last_bake = rules.last_bake(&facts, counted.complete);
    let (holds, each_hold) = draft.holds.finish();
    let progressed = Progressed {
        gate: gate.as_ref(),
        last_bake,
        completed: rules.is_rolled_out(now),
        complete: counted.complete,
        status: &counted.status,
        holds: &holds,
    };
    let standing = progressed.standing(&facts);
    let missing = match &ds.control {
        Some(_) if counted.status.number_unavailable > 0 => {
            Missing::count(&facts, |id| facts.exempt.is(id))
        }
        _ => Missing::default(),
    };
    let older = rules.older(snapshot, &old, assignment.as_ref());
    let older_templates = control::older_templates(&older, &draft.creates);
    if let Some(released) = release_stages {
        history.ops.release_stages = Some(released.stages);
        draft.events.extend(released.event);
    }
    let baking = last_bake != LastBake::Over || matches!(gate, Some(Gate::Stage(_)));
    let complete = counted.complete && !baking && !failing.pauses();
    history.ops.set_clock = rules.clock(&history, &failing, now);
    history.ops.set_failed = rules.verdict(&failing, now);
    history.ops.set_approved = rules.approval(&history, &failing, now);
    history.ops.set_started = rules.started(&history, &standing, now);
    history.ops.set_completed = rules.completed(complete, now);
    let said = ds.control.as_ref().map(|_| Said {
        exempts: ds.minds_bad_nodes(),
        revision: &history.current.name,
        standing: &standing,
        status: &counted.status,
        missing: &missing,
    });
    let conditions = conditions::list(ds, said.as_ref(), now);
    let started = transitions::started(ds, &history, gate.as_ref(), &pods);
    let completed = transitions::completed(ds, &history, &standing);
    let failed = transitions::failed(ds, &history, &standing);
    let told = started.into_iter().chain(completed).chain(failed);
    draft.events.extend(told);
    let stable = rules.stable_name();
    let verdict = failing.verdict.as_ref();
    let back = transitions::rolling_back(ds, &history, &standing, verdict, stable);
    let taken_back = transitions::taken_back(&history, &standing);
    draft.events.extend(taken_back.into_iter().chain(back));

    let stable = rules.stable_hash();
    history.ops.delete_old =
        revisions::delete_old(&old, ds.revision_history_limit, stable, &pods, &history);
    let wake_at = Time::earliest(draft.wake_at, counted.wake_at);
    let wake_at = Time::earliest(wake_at, last_bake.until());
    let wake_at = Time::earliest(wake_at, failing.wake_at);
    let mut status = counted.status;
    status.collision_count = history.ops.collision_count.or(ds.status.collision_count);
    let plan = Plan {
        left_alone: None,
        revision: Some(history.current),
        revision_ops: history.ops,
        relabels,
        claims,
        creates: draft.creates,
        creates_left: draft.later.len(),
        older_templates,
        deletes: draft.deletes,
        resizes: draft.resizes,
        ungates: draft.ungates,
        status: Some(status),
        conditions,
        rollout,
        standing: Some(standing),
        stable_number: rules.stable_number(),
        holds,
        events: draft.events,
        backoff: draft.backoff,
        wake_at,
    };
    DetailedPlan {
        plan,
        holds: each_hold,
        blocks: blockers.each(),
        failing: failing.each(snapshot),
        failed: failing.rule(now),
        older,
    }
}
