//! Adoption, release and relabelling of pods.
//!
//! A claim that fails stops the sync: a pod that may or may not be ours must not be doubled.

use crate::{
    model::Kind,
    plan::{PodRef, revisions::HASH_LABEL},
    wire::body,
};

use super::{
    action::{Action, Patch},
    carry_out::{CarryOut, Job},
    client::{PatchType, paths},
    outcome::Stop,
};

impl CarryOut {
    /// Releases, then adopts.
    pub(super) async fn claims(&self, job: &Job<'_>) -> Result<(), Stop> {
        let kind = PatchType::StrategicMerge;
        for pod in &job.plan.claims.release {
            let patch = Patch {
                action: Action::Release,
                kind,
                body: body::release(job.ds, &pod.uid, pod.version),
            };
            self.patch_pod(job, pod, patch).await?;
        }
        for pod in &job.plan.claims.adopt {
            let patch = Patch {
                action: Action::Adopt,
                kind,
                body: body::adopt(job.ds, &pod.uid, pod.version),
            };
            self.patch_pod(job, pod, patch).await?;
        }
        Ok(())
    }

    /// Gives the pods of a duplicate revision the hash of the revision that stays.
    pub(super) async fn relabel(&self, job: &Job<'_>) -> Result<(), Stop> {
        for relabel in &job.plan.relabels {
            let patch = Patch {
                action: Action::Relabel,
                kind: PatchType::Merge,
                body: body::label(&relabel.pod.uid, HASH_LABEL, &relabel.hash),
            };
            self.patch_pod(job, &relabel.pod, patch).await?;
        }
        Ok(())
    }

    /// Patches a pod. One that is gone needs no patch, and stops nothing.
    async fn patch_pod(&self, job: &Job<'_>, pod: &PodRef, patch: Patch) -> Result<(), Stop> {
        let key = job.sibling(&pod.name);
        let path = paths::pod(&key);
        let refused = |error| Stop::failed(format!("{} pod {key}", patch.action.as_str()), error);
        match self.api.patch(&path, patch.kind, patch.body).await {
            Ok(answer) => {
                self.observer.acted(patch.action);
                self.observe(Kind::Pod, &answer);
                Ok(())
            }
            Err(e) if e.is_not_found() => {
                self.observer.gone(Kind::Pod, &key, &pod.uid);
                Ok(())
            }
            Err(e) if e.is_conflict() || e.is_invalid() => {
                // Another state of it, or another pod of its name: the next plan must see which. Or
                // else 422 is the word of a policy, which will say the same again.
                let now = self.read_pod_back(&key, &pod.uid).await;
                if e.is_invalid() && now == Some(pod.version) {
                    return Err(refused(e));
                }
                Err(Stop::Changed)
            }
            Err(error) => Err(refused(error)),
        }
    }
}
