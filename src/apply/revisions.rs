//! Carries out what a plan asks of ControllerRevisions.

use bytes::Bytes;

use crate::{
    model::Kind,
    plan::revisions::{self, HASH_LABEL, RevisionRef},
    wire::body,
};

use super::{
    action::Action,
    carry_out::{CarryOut, Job, Outcome},
    client::{ApiError, PatchType, paths},
};

impl CarryOut {
    /// All but the history limit, in an order in which every stop in the middle leaves a history that the
    /// next plan, or upstream, understands. True when the current revision exists and is the only one of its kind.
    pub(super) async fn revisions(&self, job: &Job<'_>, outcome: &mut Outcome) -> bool {
        let ops = &job.plan.revision_ops;
        if let Some(count) = ops.collision_count
            && !self.raise_collision_count(job, count, outcome).await
        {
            return false;
        }
        for r in &ops.release {
            let body = body::release(job.ds, &r.uid, r.version);
            if !self
                .patch_revision(
                    job,
                    Action::ReleaseRevision,
                    r,
                    PatchType::StrategicMerge,
                    body,
                    outcome,
                )
                .await
            {
                return false;
            }
        }
        for r in &ops.adopt {
            let body = body::adopt(job.ds, &r.uid, r.version);
            if !self
                .patch_revision(
                    job,
                    Action::AdoptRevision,
                    r,
                    PatchType::StrategicMerge,
                    body,
                    outcome,
                )
                .await
            {
                return false;
            }
        }
        for (r, hash) in &ops.set_label {
            let body = body::label(&r.uid, HASH_LABEL, hash);
            if !self
                .patch_revision(
                    job,
                    Action::LabelRevision,
                    r,
                    PatchType::Merge,
                    body,
                    outcome,
                )
                .await
            {
                return false;
            }
        }
        if !self.create_current(job, outcome).await || !self.relabel(job, outcome).await {
            return false;
        }
        if let Some((r, number)) = &ops.set_number {
            // An adoption or label of this plan has moved its version on: only the UID is asked for then.
            let touched = ops.adopt.contains(r) || ops.set_label.iter().any(|(l, _)| l == r);
            let version = if touched { None } else { Some(r.version) };
            let body = body::revision_number(&r.uid, version, *number);
            if !self
                .patch_revision(
                    job,
                    Action::RenumberRevision,
                    r,
                    PatchType::Merge,
                    body,
                    outcome,
                )
                .await
            {
                return false;
            }
        }
        for r in &ops.delete_duplicates {
            let action = Action::DeleteDuplicateRevision;
            if !self.delete_revision(job, action, r, outcome).await {
                return false;
            }
        }
        true
    }

    /// Deletes what is beyond the history limit.
    pub(super) async fn delete_old_revisions(&self, job: &Job<'_>, outcome: &mut Outcome) {
        for r in &job.plan.revision_ops.delete_old {
            let action = Action::DeleteOldRevision;
            if !self.delete_revision(job, action, r, outcome).await {
                return;
            }
        }
    }

    async fn create_current(&self, job: &Job<'_>, outcome: &mut Outcome) -> bool {
        let Some(current) = job.plan.revision.as_ref().filter(|r| r.create) else {
            return true;
        };
        let key = job.sibling(&current.name);
        let labels = revisions::labels(&job.ds.template.labels, &current.hash);
        let body = body::revision(job.ds, &current.name, &labels, current.number);
        match self.api.post(&paths::revisions(&key.namespace), body).await {
            Ok(answer) => {
                self.known.acted(Action::CreateRevision);
                self.observe(Kind::Revision, &answer);
                tracing::info!(daemonset = %job.key, revision = &*current.name, number = current.number, "created a revision");
                true
            }
            Err(e) if e.is_already_exists() => {
                // Ours from a request whose answer was lost, another controller's of the same template, or a
                // collision: the next plan sees it and knows which.
                match self.api.get(&paths::revision(&key)).await {
                    Ok(answer) => self.observe(Kind::Revision, &answer),
                    Err(e) if e.is_not_found() => {}
                    Err(error) => outcome.fail(format!("read controllerrevision {key}"), error),
                }
                outcome.again = true;
                false
            }
            Err(e) if e.is_namespace_terminating() => false,
            Err(error) => {
                outcome.fail(format!("create controllerrevision {key}"), error);
                false
            }
        }
    }

    async fn raise_collision_count(
        &self,
        job: &Job<'_>,
        count: i32,
        outcome: &mut Outcome,
    ) -> bool {
        let path = paths::daemon_set_status(job.key);
        let result = self
            .api
            .patch(
                &path,
                PatchType::Merge,
                body::collision_count(job.ds, count),
            )
            .await;
        match result {
            Ok(answer) => {
                self.observe(Kind::DaemonSet, &answer);
                tracing::info!(daemonset = %job.key, collision_count = count, "a revision's name was taken");
                // Everything after is planned from the count as it is stored.
                outcome.again = true;
            }
            Err(e) if e.is_conflict() || e.is_invalid() || e.is_not_found() => outcome.again = true,
            Err(error) => outcome.fail(
                format!("raise the collision count of daemonset {}", job.key),
                error,
            ),
        }
        false
    }

    async fn patch_revision(
        &self,
        job: &Job<'_>,
        action: Action,
        r: &RevisionRef,
        patch: PatchType,
        body: String,
        outcome: &mut Outcome,
    ) -> bool {
        let key = job.sibling(&r.name);
        let result = self.api.patch(&paths::revision(&key), patch, body).await;
        self.revision_result(job, action, r, result, outcome).await
    }

    async fn delete_revision(
        &self,
        job: &Job<'_>,
        action: Action,
        r: &RevisionRef,
        outcome: &mut Outcome,
    ) -> bool {
        let key = job.sibling(&r.name);
        match self
            .api
            .delete(&paths::revision(&key), body::delete(&r.uid, None))
            .await
        {
            Ok(_) => {
                self.known.acted(action);
                self.known.gone(Kind::Revision, &key, &r.uid);
                true
            }
            result => self.revision_result(job, action, r, result, outcome).await,
        }
    }

    async fn revision_result(
        &self,
        job: &Job<'_>,
        action: Action,
        r: &RevisionRef,
        result: Result<Bytes, ApiError>,
        outcome: &mut Outcome,
    ) -> bool {
        let key = job.sibling(&r.name);
        match result {
            Ok(answer) => {
                self.known.acted(action);
                self.observe(Kind::Revision, &answer);
            }
            Err(e) if e.is_not_found() => {
                self.known.gone(Kind::Revision, &key, &r.uid);
                outcome.again = true;
            }
            Err(e) if e.is_conflict() || e.is_invalid() => {
                if let Ok(answer) = self.api.get(&paths::revision(&key)).await {
                    self.observe(Kind::Revision, &answer);
                }
                outcome.again = true;
                return false;
            }
            Err(error) => {
                let verb = action.as_str().trim_end_matches("_revision");
                outcome.fail(format!("{verb} controllerrevision {key}"), error);
                return false;
            }
        }
        true
    }
}
