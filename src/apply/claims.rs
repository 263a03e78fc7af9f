//! Adoption, release and relabelling of pods. One that fails stops the sync: a pod that may or may not
//! be ours must not be doubled.

use crate::{
    model::Kind,
    plan::{PodRef, revisions::HASH_LABEL},
    wire::body,
};

use super::{
    action::Action,
    carry_out::{CarryOut, Job, Outcome},
    client::{PatchType, paths},
};

/// A patch of a pod, and what it is for.
struct PodPatch {
    action: Action,
    kind: PatchType,
    body: String,
}

impl CarryOut {
    /// Releases, then adopts. True when all succeeded.
    pub(super) async fn claims(&self, job: &Job<'_>, outcome: &mut Outcome) -> bool {
        let kind = PatchType::StrategicMerge;
        for pod in &job.plan.claims.release {
            let body = body::release(job.ds, &pod.uid, pod.version);
            let patch = PodPatch {
                action: Action::Release,
                kind,
                body,
            };
            if !self.patch_pod(job, pod, patch, outcome).await {
                return false;
            }
        }
        for pod in &job.plan.claims.adopt {
            let body = body::adopt(job.ds, &pod.uid, pod.version);
            let patch = PodPatch {
                action: Action::Adopt,
                kind,
                body,
            };
            if !self.patch_pod(job, pod, patch, outcome).await {
                return false;
            }
        }
        true
    }

    /// Gives the pods of a duplicate revision the hash of the one that stays. True when all succeeded.
    pub(super) async fn relabel(&self, job: &Job<'_>, outcome: &mut Outcome) -> bool {
        for relabel in &job.plan.relabels {
            let body = body::label(&relabel.pod.uid, HASH_LABEL, &relabel.hash);
            let patch = PodPatch {
                action: Action::Relabel,
                kind: PatchType::Merge,
                body,
            };
            if !self.patch_pod(job, &relabel.pod, patch, outcome).await {
                return false;
            }
        }
        true
    }

    async fn patch_pod(
        &self,
        job: &Job<'_>,
        pod: &PodRef,
        patch: PodPatch,
        outcome: &mut Outcome,
    ) -> bool {
        let key = job.sibling(&pod.name);
        match self
            .api
            .patch(&paths::pod(&key), patch.kind, patch.body)
            .await
        {
            Ok(answer) => {
                self.known.acted(patch.action);
                self.observe(Kind::Pod, &answer);
            }
            Err(e) if e.is_not_found() => self.known.gone(Kind::Pod, &key, &pod.uid),
            Err(e) if e.is_conflict() || e.is_invalid() => {
                // Another state of it, or another pod of its name: see which, and plan again.
                self.read_pod_back(&key, &pod.uid).await;
                outcome.again = true;
                return false;
            }
            Err(error) => {
                outcome.fail(format!("{} pod {key}", patch.action.as_str()), error);
                return false;
            }
        }
        true
    }
}
