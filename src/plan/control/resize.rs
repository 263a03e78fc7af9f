//! `resources`: which pods are resized in place, because their node's class has other resources.
//!
//! A resize is no replacement: the pod, its containers and its revision stay. What the API server
//! or the kubelet could do only by restarting a container, or not at all, waits until the pod is
//! replaced for another reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use crate::model::{
    Amounts, BackoffKey, BackoffKind, ContainerKind, Node, NodeId, Pod, Resized, ResourceClass,
    ResourceRule, Str, Template, TemplateContainer, resources,
};

use crate::plan::{
    action::Resize, draft::Draft, facts::Facts, hold::HoldRule, holds::NodeHold, revisions,
};

use super::{
    classes::{Classes, with, without_container},
    resize_held::ResizeHeld,
};

/// The resources that a resize may change, by the rules of the API server.
const IN_PLACE: [&str; 2] = ["cpu", "memory"];

/// Adds the resizes, and what is said of the rules, to the draft, which has all else already. Where
/// the rollout is `held` nothing is resized.
pub fn plan(facts: &Facts<'_, '_>, held: bool, draft: &mut Draft) {
    let classes = &facts.classes;
    if classes.rules.is_empty() {
        return;
    }
    if let Some(words) = without_container(classes.rules, &facts.ds().template) {
        draft
            .holds
            .on_daemon_set(HoldRule::NoSuchContainer(words.into()));
    }
    let leave: BTreeSet<Str> = draft.deletes.iter().map(|d| d.pod.uid.0.clone()).collect();
    let mut changes = Changes::default();
    let nodes = facts.snapshot.nodes;
    for id in (0..).map(NodeId).take(nodes.slots()) {
        let Some(node) = nodes.get(id) else {
            continue;
        };
        if !facts.verdict(id).should_continue_running() {
            continue;
        }
        let rule = classes.of(node);
        for pod in facts.visible(id).filter(|p| p.is_live() && p.readable) {
            let wanted = rule.and_then(|rule| rule.mark.as_ref());
            if pod.resources.as_ref() != wanted && !leave.contains(&pod.uid.0) {
                one(facts, held, (id, node, pod, rule), &mut changes, draft);
            }
        }
    }
}

type Place<'p, 'a> = (NodeId, &'p Node, &'a Pod, Option<&'p Arc<ResourceRule>>);

/// A pod that has other resources than its node's class.
fn one(
    facts: &Facts<'_, '_>,
    held: bool,
    (id, node, pod, rule): Place<'_, '_>,
    changes: &mut Changes,
    draft: &mut Draft,
) {
    if let Some(why) = facts.leaving.reason(id) {
        return draft.holds.on_node(NodeHold::leaving(node, why));
    }
    let mut hold = |why: ResizeHeld, until| {
        draft.holds.on_node(NodeHold {
            pod: Some(pod.name.clone()),
            until,
            ..NodeHold::new(&node.name, HoldRule::ResizeHeld(why))
        });
    };
    if held {
        return hold(ResizeHeld::Held, None);
    }
    let containers = match changes.of(facts, pod, rule) {
        Ok(containers) => containers,
        Err(why) => return hold(why, None),
    };
    let [of_node, of_all] = refusals(facts, node, rule);
    let backoff = facts.snapshot.backoff;
    let waits = [&of_node, &of_all].map(|key| backoff.waits_until(key, facts.now));
    if let Some(until) = waits.into_iter().flatten().max() {
        hold(ResizeHeld::Refused, Some(until));
        return draft.wake(until);
    }
    draft.resizes.push(Resize {
        pod: pod.into(),
        node: node.name.clone(),
        rule: rule.filter(|rule| rule.mark.is_some()).cloned(),
        containers,
        refusal: of_node,
        refusal_of_all: of_all,
    });
}

/// The backoffs of a resize that the API server refuses: on this node, and on all of them.
fn refusals(
    facts: &Facts<'_, '_>,
    node: &Node,
    rule: Option<&Arc<ResourceRule>>,
) -> [BackoffKey; 2] {
    let key = |node: &Str| {
        let key = facts.backoff_key(node, BackoffKind::Resize);
        // A rule changes without a change of the generation, and what is asked for then is another
        // thing.
        let mut digest = DefaultHasher::new();
        (key.generation, rule.and_then(|rule| rule.mark.as_ref())).hash(&mut digest);
        BackoffKey {
            generation: i64::from_ne_bytes(digest.finish().to_ne_bytes()),
            ..key
        }
    };
    [key(&node.name), key(&"".into())]
}

/// The hash and the annotation of a pod, and the number of its node's rule.
type Pair = (Str, Option<Str>, Option<usize>);

/// What a resize changes, or why there is none, for each revision, what its pods have, and what
/// they are to have.
#[derive(Default)]
struct Changes {
    known: BTreeMap<Pair, Result<Vec<Resized>, ResizeHeld>>,
}

impl Changes {
    fn of(
        &mut self,
        facts: &Facts<'_, '_>,
        pod: &Pod,
        rule: Option<&Arc<ResourceRule>>,
    ) -> Result<Vec<Resized>, ResizeHeld> {
        let hash = revisions::hash_of(pod, facts.history).ok_or(ResizeHeld::NotKnown)?;
        let number = rule.map(|rule| rule.number);
        let key = (hash.clone(), pod.resources.clone(), number);
        let change = || change(&facts.classes, hash, pod.resources.as_deref(), rule);
        self.known.entry(key).or_insert_with(change).clone()
    }
}

fn change(
    classes: &Classes<'_>,
    hash: &Str,
    mark: Option<&str>,
    rule: Option<&Arc<ResourceRule>>,
) -> Result<Vec<Resized>, ResizeHeld> {
    let template = *classes.templates.get(hash).ok_or(ResizeHeld::NotKnown)?;
    if rule.is_some_and(|rule| classes.unusable.contains(&(rule.number, hash))) {
        return Err(ResizeHeld::Conflict);
    }
    let had = match mark {
        Some(mark) => ResourceClass::parse(mark).ok_or(ResizeHeld::NotKnown)?,
        None => ResourceClass::default(),
    };
    let none = ResourceClass::default();
    let wanted = rule.map_or(&none, |rule| &rule.class);
    let mut resized = Vec::new();
    for container in &template.containers {
        let (before, after) = (with(container, &had), with(container, wanted));
        let requests = differing(container, &before.requests, &after.requests)?;
        let limits = differing(container, &before.limits, &after.limits)?;
        if !requests.is_empty() || !limits.is_empty() {
            resized.push(Resized {
                name: container.name.clone(),
                is_sidecar: container.kind == ContainerKind::Sidecar,
                requests,
                limits,
            });
        }
    }
    if !template.has_pod_resources && qos_class(template, &had) != qos_class(template, wanted) {
        return Err(ResizeHeld::QosClass);
    }
    Ok(resized)
}

/// The amounts that become other ones.
fn differing(
    container: &TemplateContainer,
    before: &Amounts,
    after: &Amounts,
) -> Result<Amounts, ResizeHeld> {
    if let Some(name) = before.keys().find(|name| !after.contains_key(*name)) {
        return Err(match IN_PLACE.contains(&&**name) {
            true => ResizeHeld::Removed(container.name.clone()),
            false => ResizeHeld::NotInPlace(name.clone()),
        });
    }
    let mut differing = Amounts::new();
    for (name, amount) in after {
        if before.get(name) == Some(amount) {
            continue;
        }
        if !IN_PLACE.contains(&&**name) {
            return Err(ResizeHeld::NotInPlace(name.clone()));
        }
        if container.kind == ContainerKind::Init {
            return Err(ResizeHeld::AtStart(container.name.clone()));
        }
        if container.restarts.contains(name) {
            return Err(ResizeHeld::Restarts(container.name.clone()));
        }
        differing.insert(name.clone(), amount.clone());
    }
    Ok(differing)
}

/// `status.qosClass` of such a pod.
#[derive(PartialEq, Eq)]
enum QosClass {
    BestEffort,
    Burstable,
    Guaranteed,
}

fn qos_class(template: &Template, class: &ResourceClass) -> QosClass {
    let (mut any, mut all_limited) = (false, true);
    for container in &template.containers {
        let resources = with(container, class);
        for name in IN_PLACE {
            let amount = |amounts: &Amounts| {
                let amount = amounts
                    .get(name)
                    .filter(|a| resources::compare(a, "0").is_gt());
                amount.cloned()
            };
            let (request, limit) = (amount(&resources.requests), amount(&resources.limits));
            any |= request.is_some() || limit.is_some();
            all_limited &= limit.is_some() && request == limit;
        }
    }
    match (any, all_limited) {
        (false, _) => QosClass::BestEffort,
        (true, true) => QosClass::Guaranteed,
        (true, false) => QosClass::Burstable,
    }
}
