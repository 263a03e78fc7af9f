//! The manifests that the pods of a plan are made from: one for each revision, and for each class
//! of nodes of it, that pods are created for.

use std::{borrow::Cow, collections::BTreeMap};

use crate::{
    model::{DaemonSet, Placement, Template},
    plan::{Create, Plan, tolerations},
    wire::{containers, gates, manifest::PodManifest},
};

use super::tasks::{Kind, kind};

/// What pods are made from.
pub struct Manifests(BTreeMap<Kind, PodManifest>);

impl Manifests {
    /// Prepares the manifests of the plan's creates. Fails where a template is no JSON object of
    /// objects.
    pub fn new(ds: &DaemonSet, plan: &Plan, placement: Placement) -> serde_json::Result<Manifests> {
        let mut manifests = BTreeMap::new();
        let gated = match plan.creates.iter().any(|create| create.gated) {
            true => Cow::Owned(DaemonSet {
                template: gates::with_gate(&ds.template)?.into(),
                ..ds.clone()
            }),
            false => Cow::Borrowed(ds),
        };
        for create in &plan.creates {
            let kind = kind(create);
            if manifests.contains_key(&kind) {
                continue;
            }
            let mut older = plan.older_templates.iter();
            let older = older.find(|(hash, _)| *hash == create.revision);
            let current = plan.revision.as_ref();
            // The API server takes no pod that has both a node and a gate: the scheduler places it.
            let placement = if create.gated {
                Placement::Scheduler
            } else {
                placement
            };
            let ds = if create.gated { &gated } else { ds };
            let manifest = match older {
                Some((_, template)) if create.gated => {
                    of_older(ds, &gates::with_gate(template)?, create, placement)?
                }
                Some((_, template)) => of_older(ds, template, create, placement)?,
                // Plans create pods of the revisions that they assign, and no others.
                None if current.is_none_or(|current| current.hash != create.revision) => continue,
                None => of_current(ds, create, placement)?,
            };
            manifests.insert(kind, manifest);
        }
        Ok(Manifests(manifests))
    }

    /// The manifest of this pod.
    pub fn of(&self, create: &Create) -> Option<&PodManifest> {
        self.0.get(&kind(create))
    }
}

fn of_current(
    ds: &DaemonSet,
    create: &Create,
    placement: Placement,
) -> serde_json::Result<PodManifest> {
    let merged = tolerations::merged(&ds.template);
    match &create.resources {
        Some(rule) => PodManifest::of_class(ds, &rule.class, &create.revision, &merged, placement),
        None => PodManifest::new(ds, &create.revision, &merged, placement),
    }
}

fn of_older(
    ds: &DaemonSet,
    template: &Template,
    create: &Create,
    placement: Placement,
) -> serde_json::Result<PodManifest> {
    let merged = tolerations::merged(template);
    match &create.resources {
        Some(rule) => {
            let template = containers::with_class(template, &rule.class)?;
            PodManifest::of_older(ds, &template, &create.revision, &merged, placement)
        }
        None => PodManifest::of_older(ds, template, &create.revision, &merged, placement),
    }
}
