//! Names of which a create may still be under way: an ended pod that bears one stays, and where one
//! is free the next pod has it.

use crate::model::{GonePod, Node, Pod, Str, Time, unsettled::LATEST};

use super::{facts::Facts, names};

/// Until when a create of a pod's name may be under way, and find the name free once the pod is
/// gone. The time may be over. None where there was no such create.
///
/// A create is under way where this process never heard what became of it. A former leader that did
/// not release its Lease may have left some as well: it sent them before it was followed, and
/// before the pod of that name was seen.
fn until(facts: &Facts<'_, '_>, node: &str, name: &str, created: Time) -> Option<Time> {
    let snapshot = facts.snapshot;
    let own = snapshot.unsettled.until(node, name);
    let seized = snapshot.tenure.seized;
    let of_former = seized
        .filter(|_| names::has_our_form(facts.ds(), name))
        .map(|at| at.min(created) + LATEST)
        .filter(|end| *end > created);
    own.max(of_former)
}

/// Until when an ended pod stays, so that its name is not free for a create that is under way. The
/// time may be over. None where there was no such create.
pub fn stays_until(facts: &Facts<'_, '_>, node: &Node, pod: &Pod) -> Option<Time> {
    until(facts, &node.name, &pod.name, pod.created)
}

/// The pod on its way out whose name the next one will have, because a create of that name may be
/// under way until the time that is returned. `here` are all pods of the DaemonSet on the node.
pub fn in_use<'a>(facts: &Facts<'_, '_>, node: &Node, here: &[&'a Pod]) -> Option<(&'a Pod, Time)> {
    let leaving = here.iter().filter(|p| p.is_terminal_and_terminating());
    let late = leaving.filter_map(|p| Some((*p, stays_until(facts, node, p)?)));
    late.filter(|(_, end)| *end > facts.now && facts.snapshot.tenure.elected)
        .max_by_key(|(_, end)| *end)
}

/// Until when a create by this process may be under way that has another name than `next`: the name
/// that follows from the pods of this node where none of them is forgotten. Another process that
/// has forgotten them makes a pod of the name `next`, and knows of no create.
pub fn begun_until(
    facts: &Facts<'_, '_>,
    node: &Node,
    here: &[&Pod],
    gone_pods: &[GonePod],
    next: &names::Next,
) -> Option<Time> {
    let name = names::of_all(facts.ds(), &node.name, here, gone_pods, facts.now);
    let until = facts.snapshot.unsettled.until(&node.name, &name);
    let until = until.filter(|until| *until > facts.now);
    until.filter(|_| *next != names::Next::Name(name))
}

/// The free name for the next pod on this node of which a create may be under way: of the two
/// creates one fails. Only where no other process makes pods, because others do not know of it.
/// `gone_pods` are the last ones of the node.
pub fn free_name(facts: &Facts<'_, '_>, node: &Node, gone_pods: &[GonePod]) -> Option<Str> {
    let snapshot = facts.snapshot;
    let own = snapshot.unsettled.names(&node.name, facts.now);
    let of_former = gone_pods.iter().rev().filter(|p| {
        let end = until(facts, &node.name, &p.name, p.created);
        end.is_some_and(|end| end > facts.now)
    });
    let mut names = own.chain(of_former.map(|p| &p.name));
    let name = names.find(|name| (snapshot.find_pod)(name).is_none());
    name.filter(|_| snapshot.tenure.elected).cloned()
}
