//! Carries out the part of a plan that concerns ControllerRevisions.

use serde_json::json;

use crate::{
    model::{
        Kind, Version,
        control::{APPROVED, CLOCK, COMPLETED, RELEASED, STARTED, VERDICT},
    },
    plan::revisions::{self, HASH_LABEL, RevisionRef},
    wire::{
        body, protobuf,
        revision::{approved_text, clock_text, verdict_text},
    },
};

use super::{
    action::{Action, Patch},
    carry_out::{CarryOut, Job},
    client::{ApiError, PatchType, paths},
    outcome::{Failure, Outcome, Stop},
    pods::identity_of,
};

impl CarryOut {
    /// All but the history limit. The order is such that every stop in the middle leaves a history
    /// that the next plan, or upstream, understands. At the end the current revision exists, and no
    /// other revision is equal to it.
    pub(super) async fn revisions(&self, job: &Job<'_>, outcome: &mut Outcome) -> Result<(), Stop> {
        let ops = &job.plan.revision_ops;
        if !ops.read_data.is_empty() {
            return Err(self.read_data(job).await);
        }
        if let Some(count) = ops.collision_count {
            return Err(self.raise_collision_count(job, count).await);
        }
        for r in &ops.release {
            let patch = Patch {
                action: Action::ReleaseRevision,
                kind: PatchType::StrategicMerge,
                body: body::release(job.ds, &r.uid, r.version),
            };
            self.patch_revision(job, r, patch, outcome).await?;
        }
        for r in &ops.adopt {
            let patch = Patch {
                action: Action::AdoptRevision,
                kind: PatchType::StrategicMerge,
                body: body::adopt(job.ds, &r.uid, r.version),
            };
            self.patch_revision(job, r, patch, outcome).await?;
        }
        for (r, hash) in &ops.set_label {
            let patch = Patch {
                action: Action::LabelRevision,
                kind: PatchType::Merge,
                body: body::label(&r.uid, HASH_LABEL, hash),
            };
            self.patch_revision(job, r, patch, outcome).await?;
        }
        self.create_current(job).await?;
        self.relabel(job).await?;
        // Before the number: with the number the rollout begins, and its stages with it.
        if let Some((r, stages)) = &ops.release_stages {
            let touched = ops.adopt.contains(r) || ops.set_label.iter().any(|(l, _)| l == r);
            let version = (!touched).then_some(r.version);
            let stages: Vec<&str> = stages.iter().map(|stage| &**stage).collect();
            let patch = Patch {
                action: Action::ReleaseStage,
                kind: PatchType::Merge,
                body: body::annotation(&r.uid, version, RELEASED, &json!(stages).to_string()),
            };
            self.patch_revision(job, r, patch, outcome).await?;
        }
        if let Some((r, number)) = &ops.set_number {
            // An adoption or a label of this plan has changed its version: then only the UID
            // counts.
            let released = ops.release_stages.as_ref().is_some_and(|(l, _)| l == r);
            let labelled = ops.set_label.iter().any(|(l, _)| l == r);
            let touched = ops.adopt.contains(r) || labelled || released;
            let version = if touched { None } else { Some(r.version) };
            let patch = Patch {
                action: Action::RenumberRevision,
                kind: PatchType::Merge,
                body: body::revision_number(&r.uid, version, *number),
            };
            self.patch_revision(job, r, patch, outcome).await?;
        }
        // As above: after another patch of this plan only the UID counts.
        let mut touched: Vec<&RevisionRef> = ops.adopt.iter().collect();
        touched.extend(ops.set_label.iter().map(|(r, _)| r));
        touched.extend(ops.set_number.iter().map(|(r, _)| r));
        touched.extend(ops.release_stages.iter().map(|(r, _)| r));
        if let Some((Some(r), at)) = &ops.set_started {
            let version = (!touched.contains(&r)).then_some(r.version);
            let patch = Patch {
                action: Action::RecordStart,
                kind: PatchType::Merge,
                body: body::annotation(&r.uid, version, STARTED, &at.to_string()),
            };
            self.patch_revision(job, r, patch, outcome).await?;
            touched.push(r);
        }
        if let Some((r, approved)) = &ops.set_approved {
            let version = (!touched.contains(&r)).then_some(r.version);
            let patch = Patch {
                action: Action::RecordApproval,
                kind: PatchType::Merge,
                body: body::annotation(&r.uid, version, APPROVED, &approved_text(approved)),
            };
            self.patch_revision(job, r, patch, outcome).await?;
            touched.push(r);
        }
        if let Some((r, failed)) = &ops.set_failed {
            let version = (!touched.contains(&r)).then_some(r.version);
            let patch = Patch {
                action: Action::RecordFailure,
                kind: PatchType::Merge,
                body: body::annotation(&r.uid, version, VERDICT, &verdict_text(failed)),
            };
            self.patch_revision(job, r, patch, outcome).await?;
            touched.push(r);
        }
        if let Some((r, clock)) = &ops.set_clock {
            let version = (!touched.contains(&r)).then_some(r.version);
            let patch = Patch {
                action: Action::RecordClock,
                kind: PatchType::Merge,
                body: body::annotation(&r.uid, version, CLOCK, &clock_text(*clock)),
            };
            self.patch_revision(job, r, patch, outcome).await?;
            touched.push(r);
        }
        if let Some((r, at)) = &ops.set_completed {
            let version = (!touched.contains(&r)).then_some(r.version);
            let patch = Patch {
                action: Action::RecordCompletion,
                kind: PatchType::Merge,
                body: body::annotation(&r.uid, version, COMPLETED, &at.to_string()),
            };
            self.patch_revision(job, r, patch, outcome).await?;
        }
        for r in &ops.delete_duplicates {
            let version = (!touched.contains(&r)).then_some(r.version);
            let action = Action::DeleteDuplicateRevision;
            self.delete_revision(job, action, (r, version), outcome)
                .await?;
        }
        Ok(())
    }

    /// The revisions are not as the plan wants them, so no pod is created or replaced: an event
    /// says why, and the status goes on telling the counts.
    pub(super) fn tell_of_revisions(&self, job: &Job<'_>, stop: &Stop, outcome: &mut Outcome) {
        match stop {
            Stop::Failed(Failure { what, error }) => {
                outcome.revisions_refused = true;
                if *error != ApiError::Dropped {
                    let message =
                        format!("Error writing revisions: cannot {what}: {}", error.words());
                    self.warn(job.ds, "FailedRevision", message);
                }
            }
            Stop::NamespaceTerminating => outcome.revisions_refused = true,
            Stop::Changed | Stop::DaemonSetGone => {}
        }
    }

    /// Deletes the revisions beyond the history limit.
    pub(super) async fn delete_old_revisions(
        &self,
        job: &Job<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        for r in &job.plan.revision_ops.delete_old {
            let action = Action::DeleteOldRevision;
            self.delete_revision(job, action, (r, Some(r.version)), outcome)
                .await?;
        }
        Ok(())
    }

    /// Reads the stored bytes of revisions. Always a stop: which of them stays is planned when they
    /// are known.
    async fn read_data(&self, job: &Job<'_>) -> Stop {
        for r in &job.plan.revision_ops.read_data {
            let key = job.sibling(&r.name);
            match self.api.get_binary(&paths::revision(&key)).await {
                Ok(answer) => match protobuf::revision(&answer) {
                    Some(stored) if stored.uid == r.uid.as_str() => {
                        self.observer.stored_data(&key, &r.uid, Some(stored.data));
                    }
                    // Another one of its name: the watch tells of it.
                    Some(_) => {}
                    None => self.observer.stored_data(&key, &r.uid, None),
                },
                Err(e) if e.is_not_found() => self.observer.gone(Kind::Revision, &key, &r.uid),
                Err(e) if e.is_not_acceptable() => self.observer.stored_data(&key, &r.uid, None),
                Err(error) => {
                    return Stop::failed(format!("read controllerrevision {key}"), error);
                }
            }
        }
        Stop::Changed
    }

    async fn create_current(&self, job: &Job<'_>) -> Result<(), Stop> {
        let Some(current) = job.plan.revision.as_ref().filter(|r| r.create) else {
            return Ok(());
        };
        let key = job.sibling(&current.name);
        let started = job.plan.revision_ops.set_started.as_ref();
        let started = started.map(|(_, at)| *at);
        let labels = revisions::labels(&job.ds.template.labels, &current.hash);
        let body = body::revision(job.ds, &current.name, &labels, current.number, started);
        match self.api.post(&paths::revisions(&key.namespace), body).await {
            Ok(answer) => {
                self.observer.acted(Action::CreateRevision);
                self.observe(Kind::Revision, &answer);
                tracing::info!(daemonset = %job.key, revision = &*current.name, number = current.number, "created a revision");
                Ok(())
            }
            Err(e) if e.is_already_exists() => {
                // Ours from a request whose answer was lost, another controller's of the same
                // template, or a collision: the next plan sees it and knows which.
                match self.api.get(&paths::revision(&key)).await {
                    Ok(answer) => self.observe(Kind::Revision, &answer),
                    Err(e) if e.is_not_found() => {}
                    Err(error) => {
                        return Err(Stop::failed(
                            format!("read controllerrevision {key}"),
                            error,
                        ));
                    }
                }
                Err(Stop::Changed)
            }
            Err(e) if e.is_namespace_terminating() => Err(Stop::NamespaceTerminating),
            Err(error) => Err(Stop::failed(
                format!("create controllerrevision {key}"),
                error,
            )),
        }
    }

    /// Always a stop, because the rest is planned from the count as it is stored.
    async fn raise_collision_count(&self, job: &Job<'_>, count: i32) -> Stop {
        let path = paths::daemon_set_status(job.key);
        let body = body::collision_count(job.ds, count);
        match self.api.patch(&path, PatchType::Merge, body).await {
            Ok(answer) => {
                self.observe(Kind::DaemonSet, &answer);
                tracing::info!(daemonset = %job.key, collision_count = count, "a revision's name was taken");
                Stop::Changed
            }
            Err(e) if e.is_conflict() || e.is_invalid() || e.is_not_found() => Stop::Changed,
            Err(error) => Stop::failed(
                format!("raise the collision count of daemonset {}", job.key),
                error,
            ),
        }
    }

    async fn patch_revision(
        &self,
        job: &Job<'_>,
        r: &RevisionRef,
        Patch { action, kind, body }: Patch,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let path = paths::revision(&job.sibling(&r.name));
        match self.api.patch(&path, kind, body).await {
            Ok(answer) => {
                self.observer.acted(action);
                self.observe(Kind::Revision, &answer);
                Ok(())
            }
            Err(error) => self.revision_refused(job, action, r, error, outcome).await,
        }
    }

    /// Deletes a revision as it was seen: otherwise one that somebody orphaned meanwhile
    /// (`--cascade=orphan`) would go too. No version where this plan wrote to it a moment ago.
    async fn delete_revision(
        &self,
        job: &Job<'_>,
        action: Action,
        (r, version): (&RevisionRef, Option<Version>),
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let key = job.sibling(&r.name);
        let body = body::delete(&r.uid, version);
        match self.api.delete(&paths::revision(&key), body).await {
            Ok(_) => {
                self.observer.acted(action);
                self.observer.gone(Kind::Revision, &key, &r.uid);
                Ok(())
            }
            Err(error) => self.revision_refused(job, action, r, error, outcome).await,
        }
    }

    /// Handles the error of a patch or delete of a revision. A revision that is gone stops nothing,
    /// but another plan is needed.
    async fn revision_refused(
        &self,
        job: &Job<'_>,
        action: Action,
        r: &RevisionRef,
        error: ApiError,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let key = job.sibling(&r.name);
        if error.is_not_found() {
            self.observer.gone(Kind::Revision, &key, &r.uid);
            outcome.again = true;
            return Ok(());
        }
        if error.is_conflict() || error.is_invalid() {
            let Ok(answer) = self.api.get(&paths::revision(&key)).await else {
                return Err(Stop::Changed);
            };
            self.observe(Kind::Revision, &answer);
            // 422 is also the word of a policy, which will say the same again.
            let is_as_seen =
                identity_of(&answer).is_some_and(|i| i.uid == r.uid && i.version == r.version);
            if !(error.is_invalid() && is_as_seen) {
                return Err(Stop::Changed);
            }
        }
        let verb = action.as_str().trim_end_matches("_revision");
        Err(Stop::failed(
            format!("{verb} controllerrevision {key}"),
            error,
        ))
    }
}
