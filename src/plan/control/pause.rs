//! What is told when the rollout of a DaemonSet begins to be held, and when it goes on.

use crate::model::{DaemonSet, HoldScope};

use crate::plan::{
    action::{Event, EventType},
    hold::HoldRule,
    whole::Plan,
};

use super::{conditions::first_upper, hold};

/// The rule that holds most of what this DaemonSet's annotations hold; None where they hold
/// nothing.
pub fn rule(ds: &DaemonSet) -> Option<HoldRule> {
    let rule = hold::rule(ds)?;
    let scope = ds.control.as_deref().and_then(|control| control.hold);
    let all = rule == HoldRule::HeldByAnnotation && scope == Some(HoldScope::All);
    Some(if all {
        HoldRule::AllHeldByAnnotation
    } else {
        rule
    })
}

/// The events of a transition from the rule `before` to that of the present plan: each rule that
/// begins to hold is told, and the end of the last one. Without a transition there are none.
pub fn events(before: Option<&HoldRule>, ds: &DaemonSet, plan: &Plan) -> Vec<Event> {
    let now = rule(ds);
    if now.as_ref() == before {
        return Vec::new();
    }
    // A plan that leaves the DaemonSet alone has neither, and is no transition.
    let (Some(revision), Some(status)) = (&plan.revision, &plan.status) else {
        return Vec::new();
    };
    let name = &revision.name;
    let (updated, desired) = (
        status.updated_number_scheduled,
        status.desired_number_scheduled,
    );
    let (reason, message) = match &now {
        Some(rule) => (
            "RolloutPaused",
            format!(
                "{}. Revision {name} is on {updated} of {desired} nodes",
                first_upper(&rule.message())
            ),
        ),
        None => (
            "RolloutResumed",
            format!(
                "The rollout is no longer held. Revision {name} is on {updated} of {desired} nodes"
            ),
        ),
    };
    let mut events = vec![Event {
        kind: EventType::Normal,
        reason,
        message,
        node: None,
    }];
    events.extend(warning(ds, plan));
    events
}

/// The events of the first plan of a process, which is no transition. What cannot be read is told
/// all the same: whoever wrote it may have done so while nobody looked.
pub fn first(ds: &DaemonSet, plan: &Plan) -> Option<Event> {
    warning(ds, plan)
}

/// The warning about annotations that cannot be read. A plan that is carried out has its own sent
/// with it. A settled one is not carried out.
fn warning(ds: &DaemonSet, plan: &Plan) -> Option<Event> {
    hold::event(ds).filter(|_| plan.is_settled())
}
