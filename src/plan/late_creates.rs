//! Names of which a create may still be under way: a pod that bears one stays, and where one is
//! free the next pod has it.

use crate::model::{Node, Pod, Str, Time, unsettled::LATEST};

use super::{facts::Facts, names};

/// Until when an ended pod stays, so that no create of its name that is under way finds the name
/// free. The time may be over. None where there was no such create.
///
/// A create is under way where this process never heard what became of it. A former leader that did
/// not release its Lease may have left some as well: it sent them before it was followed, and
/// before the pod of that name was seen.
pub fn stays_until(facts: &Facts<'_, '_>, node: &Node, pod: &Pod) -> Option<Time> {
    let snapshot = facts.snapshot;
    let own = snapshot.unsettled.until(&node.name, &pod.name);
    let seized = snapshot.tenure.seized;
    let of_former = seized
        .filter(|_| names::has_our_form(facts.ds(), &pod.name))
        .map(|at| at.min(pod.created) + LATEST)
        .filter(|end| *end > pod.created);
    own.max(of_former)
}

/// The free name for the next pod on this node of which a create of this process may be under way:
/// of the two creates one fails. Only where no other process makes pods, because others do not know
/// of it.
pub fn free_name(facts: &Facts<'_, '_>, node: &Node) -> Option<Str> {
    let snapshot = facts.snapshot;
    let mut names = snapshot.unsettled.names(&node.name, facts.now);
    let name = names.find(|name| (snapshot.find_pod)(name).is_none());
    name.filter(|_| snapshot.tenure.elected).cloned()
}
