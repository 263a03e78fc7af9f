//! Adoption, release and relabelling of pods. One that fails stops the sync: a pod that may or may not
//! be ours must not be doubled.

use crate::{
    model::{Kind, Str, Uid},
    plan::revisions::HASH_LABEL,
    wire::body,
};

use super::{
    carry_out::{CarryOut, Job, Outcome},
    paths,
    request::PatchType,
};

impl CarryOut {
    /// Releases, then adopts. True when all succeeded.
    pub(super) async fn claims(&self, job: &Job<'_>, outcome: &mut Outcome) -> bool {
        for pod in &job.plan.claims.release {
            let body = body::release(job.ds, &pod.uid, pod.version);
            if !self
                .patch_pod(
                    job,
                    "release",
                    &pod.name,
                    &pod.uid,
                    PatchType::StrategicMerge,
                    body,
                    outcome,
                )
                .await
            {
                return false;
            }
        }
        for pod in &job.plan.claims.adopt {
            let body = body::adopt(job.ds, &pod.uid, pod.version);
            if !self
                .patch_pod(
                    job,
                    "adopt",
                    &pod.name,
                    &pod.uid,
                    PatchType::StrategicMerge,
                    body,
                    outcome,
                )
                .await
            {
                return false;
            }
        }
        true
    }

    /// Gives the pods of a duplicate revision the hash of the one that stays. True when all succeeded.
    pub(super) async fn relabel(&self, job: &Job<'_>, outcome: &mut Outcome) -> bool {
        for relabel in &job.plan.relabels {
            let pod = &relabel.pod;
            let body = body::label(&pod.uid, HASH_LABEL, &relabel.hash);
            if !self
                .patch_pod(
                    job,
                    "relabel",
                    &pod.name,
                    &pod.uid,
                    PatchType::Merge,
                    body,
                    outcome,
                )
                .await
            {
                return false;
            }
        }
        true
    }

    #[allow(clippy::too_many_arguments)]
    async fn patch_pod(
        &self,
        job: &Job<'_>,
        verb: &str,
        name: &Str,
        uid: &Uid,
        patch: PatchType,
        body: String,
        outcome: &mut Outcome,
    ) -> bool {
        let key = job.sibling(name);
        match self.api.patch(&paths::pod(&key), patch, body).await {
            Ok(answer) => self.observe(Kind::Pod, &answer),
            Err(e) if e.is_not_found() => self.known.gone(Kind::Pod, &key, uid),
            Err(e) if e.is_conflict() || e.is_invalid() => {
                // Another state of it, or another pod of its name: see which, and plan again.
                self.read_pod_back(&key, uid).await;
                outcome.again = true;
                return false;
            }
            Err(error) => {
                outcome.fail(format!("{verb} pod {key}"), error);
                return false;
            }
        }
        true
    }
}
