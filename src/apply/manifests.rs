//! The manifests that the pods of a plan are made from, one for each revision that nodes are
//! assigned.

use std::collections::BTreeMap;

use crate::{
    model::{Placement, Str},
    plan::tolerations,
    wire::manifest::PodManifest,
};

use super::carry_out::Job;

/// Hash of a revision to the manifest of its pods.
pub(super) struct Manifests(BTreeMap<Str, PodManifest>);

impl Manifests {
    /// Prepares the manifests of the plan's current revision and of the older ones that its creates
    /// are of. Fails where a template is no JSON object of objects.
    pub fn new(job: &Job<'_>, placement: Placement) -> serde_json::Result<Manifests> {
        let mut manifests = BTreeMap::new();
        if let Some(revision) = &job.plan.revision {
            let merged = tolerations::merged(&job.ds.template);
            let manifest = PodManifest::new(job.ds, &revision.hash, &merged, placement)?;
            manifests.insert(revision.hash.clone(), manifest);
        }
        for (hash, template) in &job.plan.older_templates {
            let merged = tolerations::merged(template);
            let manifest = PodManifest::of_older(job.ds, template, hash, &merged, placement)?;
            manifests.insert(hash.clone(), manifest);
        }
        Ok(Manifests(manifests))
    }

    /// The manifest of the pods of the revision with this hash.
    pub fn of(&self, revision: &str) -> Option<&PodManifest> {
        self.0.get(revision)
    }
}
