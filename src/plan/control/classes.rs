//! `resources`: which class a node is of, and what its pods are made with.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::model::{
    ContainerResources, DaemonSet, Node, ResourceClass, ResourceRule, Revision, Snapshot, Str,
    Template, TemplateContainer, resources,
};

use crate::plan::revisions::History;

/// At most so many containers are named that a template does not have.
const NAMED: usize = 5;

/// The classes of nodes that a DaemonSet's rules make.
#[derive(Debug, Default)]
pub struct Classes<'s> {
    pub(super) rules: &'s [Arc<ResourceRule>],
    /// By the hash of their pods.
    pub(super) templates: BTreeMap<&'s Str, &'s Template>,
    /// Rules, by number, that do not go with the template of a revision.
    pub(super) unusable: BTreeSet<(usize, &'s Str)>,
}

impl<'s> Classes<'s> {
    /// Sorts out the rules. `old` are the revisions but the current one.
    pub fn find<'a: 's>(
        snapshot: &Snapshot<'a>,
        history: &'s History,
        old: &'s [(&Revision, Str)],
    ) -> Classes<'s> {
        let ds = snapshot.daemon_set;
        let rules = rules(ds);
        if rules.is_empty() {
            return Classes::default();
        }
        let placed = |(revision, hash): &'s (&Revision, Str)| {
            Some((hash, &**snapshot.placed(revision)?.template))
        };
        let mut templates: BTreeMap<&Str, &Template> = old.iter().filter_map(placed).collect();
        templates.insert(&history.current.hash, &ds.template);
        let mut unusable = BTreeSet::new();
        for (hash, template) in &templates {
            let clash = rules
                .iter()
                .filter(|rule| conflict(rule, template).is_some());
            unusable.extend(clash.map(|rule| (rule.number, *hash)));
        }
        Classes {
            rules,
            templates,
            unusable,
        }
    }

    /// The first rule that matches the node.
    pub(super) fn of(&self, node: &Node) -> Option<&'s Arc<ResourceRule>> {
        self.rules.iter().find(|rule| rule.matches(&node.labels))
    }

    /// The rule by which a new pod of the revision with this hash is made; None where that is the
    /// template alone.
    pub fn of_new(&self, node: &Node, hash: &Str) -> Option<&'s Arc<ResourceRule>> {
        let rule = self.of(node)?;
        let applies = rule.mark.is_some() && !self.unusable.contains(&(rule.number, hash));
        applies.then_some(rule)
    }
}

fn rules(ds: &DaemonSet) -> &[Arc<ResourceRule>] {
    let control = ds.control.as_deref();
    control.map_or(&[], |control| &control.resources)
}

/// What a container has by its template and what its class gives to it.
pub(super) fn with(container: &TemplateContainer, class: &ResourceClass) -> ContainerResources {
    let own = &container.resources;
    match class.containers.get(&container.name) {
        Some(of_class) => of_class.over(own).completed(),
        None => own.clone().completed(),
    }
}

/// Why the rule does not go with the template.
fn conflict(rule: &ResourceRule, template: &Template) -> Option<String> {
    let given = template
        .containers
        .iter()
        .filter(|c| rule.class.containers.contains_key(&c.name));
    let mut clash = given.filter_map(|container| {
        let excess = with(container, &rule.class).excess()?;
        Some(format!("the container {} {excess}", container.name))
    });
    clash.next()
}

/// The rules that do not go with the DaemonSet's own template, in words.
pub fn conflicts(ds: &DaemonSet) -> impl Iterator<Item = String> {
    rules(ds).iter().filter_map(|rule| {
        let why = conflict(rule, &ds.template)?;
        Some(format!(
            "annotation {}: by {rule} and the template {why}",
            resources::MARK
        ))
    })
}

/// The containers that rules name and the template does not have, in words.
pub(super) fn without_container(
    rules: &[Arc<ResourceRule>],
    template: &Template,
) -> Option<String> {
    let has = |name: &Str| template.containers.iter().any(|c| c.name == *name);
    let mut missing = Vec::new();
    for rule in rules {
        let names = rule.class.containers.keys().filter(|name| !has(name));
        missing.extend(names.map(|name| format!("{name} of {rule}")));
    }
    if missing.is_empty() {
        return None;
    }
    let more = missing.len().saturating_sub(NAMED);
    missing.truncate(NAMED);
    let words = missing.join(", ");
    Some(match more {
        0 => words,
        more => format!("{words}, and {more} more"),
    })
}
