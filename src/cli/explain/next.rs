//! What happens next on a node, and when, in a sentence.

use crate::{
    model::Verdict,
    plan::{
        BlockReason, DeleteCause, HoldRule, NodeHold,
        explain::{Cause, NodeExplanation},
        pod_state::PodState,
    },
};

/// The sentence. The plan is what is carried out now; what follows from it is what the rules say.
pub fn of(e: &NodeExplanation) -> String {
    match &e.cause {
        Cause::Create(_) => match &e.create {
            Some(create) => format!("pod {} is created now", create.pod_name),
            None => String::new(),
        },
        Cause::Delete(_) => deleted(e),
        Cause::Resize => {
            let names: Vec<&str> = e.resizes.iter().map(|r| &*r.pod.name).collect();
            format!("the pod stays and is resized now: {}", names.join(", "))
        }
        Cause::Ungate => {
            let names: Vec<&str> = e.ungates.iter().map(|u| &*u.pod.name).collect();
            format!(
                "the pod loses its scheduling gate now: {}",
                names.join(", ")
            )
        }
        Cause::Held(_) => e.holds.first().map(held).unwrap_or_default(),
        Cause::NotAvailable(reason) => match (reason, e.block.as_ref().and_then(|b| b.until)) {
            (BlockReason::Pod(PodState::Terminating), _) => {
                "nothing is done until the pod is gone".to_owned()
            }
            (BlockReason::Pod(_), Some(until)) => {
                format!("nothing is done; the pod is looked at again at {until}")
            }
            (BlockReason::Pod(_), None) => {
                "nothing is done until the pod is available, fails, or is deleted".to_owned()
            }
            _ => "nothing is done".to_owned(),
        },
        Cause::NotEligible(_) if e.pods.is_empty() && is_excluded(e) => {
            "nothing is done until the node's labels or the cluster defaults change".to_owned()
        }
        Cause::NotEligible(_) if e.pods.is_empty() => {
            "nothing is done until the template or the node changes".to_owned()
        }
        Cause::NotEligible(_) => {
            "the pod that runs there stays; it is not replaced when it goes".to_owned()
        }
        Cause::UpToDate | Cause::Nothing => "nothing is done".to_owned(),
    }
}

fn is_excluded(e: &NodeExplanation) -> bool {
    matches!(e.verdict, Some(Verdict::NodeExcluded { .. }))
}

fn deleted(e: &NodeExplanation) -> String {
    let names: Vec<&str> = e.deletes.iter().map(|d| &*d.pod.name).collect();
    let (pods, are) = if names.len() == 1 {
        ("pod", "is")
    } else {
        ("pods", "are")
    };
    let verb = match e.deletes.iter().all(|d| d.by.evicts()) {
        true => "evicted",
        false => "deleted",
    };
    let what = format!("{pods} {} {are} {verb} now", names.join(", "));
    let is_eligible = e.verdict.is_some_and(|v| v.should_run());
    let leaves_one = e.deletes.iter().all(|d| {
        matches!(
            d.cause,
            DeleteCause::Duplicate | DeleteCause::Replaced | DeleteCause::OldNotReady
        )
    });
    if !is_eligible {
        format!("{what}, and not replaced")
    } else if leaves_one {
        format!("{what}; the other pod stays")
    } else if let Some(rule) = leaving(e) {
        format!("{what}; no other is created until {}", rule.until_what())
    } else {
        format!("{what}; the next pod is created when the node is free")
    }
}

/// The rule by which the node is leaving, and nothing follows a pod that goes.
fn leaving(e: &NodeExplanation) -> Option<&HoldRule> {
    let mut rules = e.holds.iter().map(|hold| &hold.rule);
    rules.find(|rule| matches!(rule, HoldRule::NodeLeaving(_)))
}

fn held(hold: &NodeHold) -> String {
    match hold.until {
        Some(until) => format!("nothing more is done until {until}"),
        None => format!("nothing more is done until {}", hold.rule.until_what()),
    }
}
