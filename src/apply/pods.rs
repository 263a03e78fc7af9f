//! Creates and deletes of one plan, together, through one window.
//!
//! The first create that is refused ends the creates of its kind, because the others would meet the
//! same quota or webhook; the first delete that is refused ends the deletes, and the first eviction
//! the evictions. Kinds are revisions and classes of nodes: what is wrong with one of them keeps no
//! other from its pods. A successor and the
//! pod that it replaces are one task: the old pod is deleted only when the new one exists or was
//! denied.

use std::collections::BTreeSet;

use futures::{StreamExt, stream::FuturesUnordered};
use serde_json::value::RawValue;

use crate::{
    model::{Key, Kind, Uid, Version},
    plan::{ActionPhase, Create, Delete, DeleteBy, EventType},
    wire::{Identity, body, identity, raw},
};

use super::{
    action::Action,
    carry_out::{CarryOut, Job},
    client::{ApiError, paths},
    manifests::Manifests,
    observer::Presence,
    outcome::{Failure, Outcome},
    tasks::{Batch, Kind as PodKind, Task, kind},
    window::Window,
};

/// Why a pod was not created.
enum NotCreated {
    /// The plan does not fit what is there, or the request was not sent: plan again.
    PlanAgain,
    /// Another pod has its name, and that pod could not be read.
    HolderUnknown(Failure),
    /// The namespace is terminating and takes no new pods.
    NamespaceTerminating,
    /// The API server refused it, for a reason other than its name.
    Denied(Failure),
    /// The API server was throttling, or what became of the request is not known.
    Failed(Failure),
}

/// Why a pod was not deleted.
pub(super) enum NotDeleted {
    /// The pod is in another state than the plan supposed, or the request was not sent: plan again.
    PlanAgain,
    /// A disruption budget does not allow it: the next plan passes this pod by.
    Unallowed,
    /// The delete was refused, or what became of it is not known.
    Failed(Failure),
    /// The same of an eviction. Deletes may be granted all the same, and upkeep waits for none.
    NotEvicted(Failure),
}

/// The parts of a task that did not happen, with the reason.
#[derive(Default)]
struct Undone {
    create: Option<NotCreated>,
    /// What the pod of `create` is made from.
    kind: Option<PodKind>,
    deletes: Vec<NotDeleted>,
    /// A pod was created with our scheduling gate.
    gated: bool,
}

impl Undone {
    fn is_empty(&self) -> bool {
        self.create.is_none() && self.deletes.is_empty()
    }

    /// Whether a create was refused for a reason other than its name.
    fn creates_refused(&self) -> bool {
        match &self.create {
            None | Some(NotCreated::PlanAgain | NotCreated::HolderUnknown(_)) => false,
            Some(NotCreated::NamespaceTerminating) => true,
            Some(NotCreated::Denied(_) | NotCreated::Failed(_)) => true,
        }
    }

    /// Ends the creates of the plan that would meet the same refusal.
    fn end_creates(&self, batch: &mut Batch<'_>) {
        match (&self.create, &self.kind) {
            (Some(NotCreated::Denied(_)), Some(kind)) => batch.end_creates_of(kind.clone()),
            _ if self.creates_refused() => batch.end_creates(),
            _ => {}
        }
    }

    /// The API server's words where it denied the create.
    fn denial(&self) -> Option<String> {
        match &self.create {
            Some(NotCreated::Denied(failure)) => Some(failure.error.words()),
            _ => None,
        }
    }

    /// Whether the other deletes of the plan would meet the same refusal.
    fn ends_deletes(&self) -> bool {
        let failed = |d: &NotDeleted| matches!(d, NotDeleted::Failed(_));
        self.deletes.iter().any(failed)
    }

    /// The same of evictions.
    fn ends_evictions(&self) -> bool {
        let failed = |d: &NotDeleted| matches!(d, NotDeleted::NotEvicted(_));
        self.deletes.iter().any(failed)
    }

    /// Whether a disruption budget did not allow a delete.
    fn is_unallowed(&self) -> bool {
        let unallowed = |d: &NotDeleted| matches!(d, NotDeleted::Unallowed);
        self.deletes.iter().any(unallowed)
    }

    fn asks_for_another_plan(&self) -> bool {
        let again = |d: &NotDeleted| matches!(d, NotDeleted::PlanAgain);
        matches!(
            self.create,
            Some(NotCreated::PlanAgain | NotCreated::HolderUnknown(_))
        ) || self.deletes.iter().any(again)
    }

    fn into_failures(self) -> impl Iterator<Item = Failure> {
        let create = self.create.and_then(|c| match c {
            NotCreated::PlanAgain | NotCreated::NamespaceTerminating => None,
            NotCreated::HolderUnknown(f) | NotCreated::Denied(f) | NotCreated::Failed(f) => Some(f),
        });
        let deletes = self.deletes.into_iter().filter_map(|d| match d {
            NotDeleted::PlanAgain | NotDeleted::Unallowed => None,
            NotDeleted::Failed(f) | NotDeleted::NotEvicted(f) => Some(f),
        });
        create.into_iter().chain(deletes)
    }
}

/// How far a batch was carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Completion {
    /// Every task succeeded.
    Complete,
    /// Something failed, was left out, or did not fit what is there.
    Incomplete,
}

impl CarryOut {
    /// Creates and deletes. Those of a rolling update come last, and only when all others
    /// succeeded: while pods cannot be created (quota, webhook), none is deleted for being old.
    pub(super) async fn pods(&self, job: &Job<'_>, outcome: &mut Outcome) {
        let is_rollout = |phase: ActionPhase| phase == ActionPhase::Rollout;
        let first = Batch::new(job.plan, |phase| !is_rollout(phase), self.burst);
        let left = self.burst.saturating_sub(first.calls());
        let rollout = Batch::new(job.plan, is_rollout, left);
        let is_cut = first.is_cut() || job.plan.creates_left > 0;
        outcome.again |= is_cut || rollout.is_cut();
        if first.is_empty() && rollout.is_empty() {
            return;
        }
        let manifests = match Manifests::new(job.ds, job.plan, self.settings.placement) {
            Ok(manifests) => manifests,
            Err(e) => {
                // The API server's template is always an object of objects; decoding has checked
                // it.
                tracing::error!(daemonset = %job.key, "the template cannot be made into a pod: {e}");
                return;
            }
        };
        let mut window = Window::new(self.max_in_flight);
        let completion = self.batch(job, first, &manifests, &mut window, outcome);
        if completion.await == Completion::Complete && !is_cut {
            self.batch(job, rollout, &manifests, &mut window, outcome)
                .await;
        }
    }

    async fn batch(
        &self,
        job: &Job<'_>,
        mut batch: Batch<'_>,
        manifests: &Manifests,
        window: &mut Window,
        outcome: &mut Outcome,
    ) -> Completion {
        let mut under_way = FuturesUnordered::new();
        let mut completion = Completion::Complete;
        loop {
            while under_way.len() < window.limit() {
                let old = job.is_old() || self.observer.interrupted_since(job.begun);
                if old && !batch.is_empty() {
                    tracing::debug!(daemonset = %job.key, left = batch.len(), "the plan has become old");
                    batch.clear();
                    outcome.again = true;
                    completion = Completion::Incomplete;
                }
                let Some(task) = batch.next() else {
                    break;
                };
                under_way.push(self.task(job, task, manifests));
            }
            let Some(undone) = under_way.next().await else {
                return completion;
            };
            undone.end_creates(&mut batch);
            outcome.creates_refused |= undone.creates_refused();
            if let Some(words) = undone.denial() {
                outcome.denial = Some(words);
            }
            if undone.ends_deletes() {
                batch.end_deletes();
            }
            if undone.ends_evictions() {
                batch.end_evictions();
            }
            if !undone.is_empty() {
                completion = Completion::Incomplete;
            }
            outcome.gated |= undone.gated;
            outcome.again |= undone.asks_for_another_plan();
            outcome.evictions_refused |= undone.is_unallowed();
            let failed = outcome.failures.len();
            outcome.failures.extend(undone.into_failures());
            if outcome.failures.len() == failed {
                window.succeeded();
            } else {
                window.failed();
            }
        }
    }

    async fn task(&self, job: &Job<'_>, task: Task<'_>, manifests: &Manifests) -> Undone {
        let mut undone = Undone::default();
        let successor = task.is_successor();
        let node = task.node();
        // Attempts and events of the decision are about pods that are deleted, or that stay beside
        // the one that is created now.
        let upkeep = |create: &Create| create.phase == ActionPhase::Manage;
        if successor || !task.deletes.is_empty() || task.create.is_some_and(upkeep) {
            for change in job.plan.backoff.iter().filter(|k| Some(&k.node) == node) {
                self.observer.attempt(change);
            }
            for event in job
                .plan
                .events
                .iter()
                .filter(|e| e.node.is_some() && e.node.as_ref() == node)
            {
                self.publish(job.ds, event);
            }
        }
        if let Some(create) = task.create {
            undone.create = self.create(job, create, manifests).await.err();
            undone.kind = undone.create.is_some().then(|| kind(create));
            undone.gated = create.gated && undone.create.is_none();
            let may_delete = matches!(undone.create, None | Some(NotCreated::Denied(_)));
            if successor && !may_delete {
                return undone;
            }
        }
        for delete in task.deletes {
            undone.deletes.extend(self.delete(job, delete).await.err());
        }
        undone
    }

    async fn create(
        &self,
        job: &Job<'_>,
        create: &Create,
        manifests: &Manifests,
    ) -> Result<(), NotCreated> {
        let key = job.sibling(&create.pod_name);
        // The calls of a plan are sent one after another, and the cluster may have changed
        // meanwhile.
        if self.observer.interrupted_since(job.begun)
            || self
                .observer
                .has_other_pod(job.key, &create.node, &create.seen)
        {
            return Err(NotCreated::PlanAgain);
        }
        let Some(manifest) = manifests.of(create) else {
            // Plans create pods of the revisions that they assign, and no others.
            tracing::error!(pod = %key, revision = &*create.revision, "no manifest for this revision");
            return Err(NotCreated::PlanAgain);
        };
        let body = manifest.body(&create.pod_name, &create.node);
        match self.api.post(&paths::pods(&key.namespace), body).await {
            Ok(answer) => {
                self.observe(Kind::Pod, &answer);
                tracing::debug!(pod = %key, node = &*create.node, cause = create.cause.as_str(), "created");
                self.observer.acted(Action::Create(create.cause));
                self.say(
                    job.ds,
                    EventType::Normal,
                    "SuccessfulCreate",
                    format!("Created pod: {}", key.name),
                );
                Ok(())
            }
            Err(e) if e.is_already_exists() => Err(self.read_holder(&key).await),
            Err(e) if e.is_namespace_terminating() => Err(NotCreated::NamespaceTerminating),
            Err(ApiError::Dropped) => Err(NotCreated::PlanAgain),
            Err(error) => {
                if error.outcome_unknown() {
                    let (node, name) = (&create.node, &create.pod_name);
                    self.observer.create_unsettled(job.key, node, name);
                }
                self.say(
                    job.ds,
                    EventType::Warning,
                    "FailedCreate",
                    format!("Error creating: {}", error.words()),
                );
                let denied = !error.outcome_unknown() && !error.is_throttled();
                let what = format!("create pod {key} on node {}", create.node);
                let failure = Failure::new(what, error);
                Err(if denied {
                    NotCreated::Denied(failure)
                } else {
                    NotCreated::Failed(failure)
                })
            }
        }
    }

    /// Reads the pod that holds a name we wanted. It may be the pod that we want, from a request
    /// whose answer was lost or from another controller, or a pod of any other owner. The next plan
    /// knows which.
    async fn read_holder(&self, key: &Key) -> NotCreated {
        match self.api.get(&paths::pod(key)).await {
            Ok(answer) => match serde_json::from_slice::<&RawValue>(&answer) {
                Ok(raw) => self.observer.observe_holder(raw),
                Err(e) => tracing::warn!(pod = %key, "the API server's answer is not JSON: {e}"),
            },
            Err(e) if e.is_not_found() => {}
            Err(error) => {
                let what = format!("read pod {key}, which holds a name we want");
                return NotCreated::HolderUnknown(Failure::new(what, error));
            }
        }
        NotCreated::PlanAgain
    }

    pub(super) async fn delete(&self, job: &Job<'_>, delete: &Delete) -> Result<(), NotDeleted> {
        let key = job.sibling(&delete.pod.name);
        let uid = &delete.pod.uid;
        if self.observer.delete_pending(&key, uid) == Presence::Gone {
            return Ok(());
        }
        if delete.by.evicts() {
            return self.evict(job, delete, &key).await;
        }
        let body = body::delete(uid, Some(delete.pod.version));
        match self.api.delete(&paths::pod(&key), body).await {
            Ok(answer) => {
                tracing::debug!(pod = %key, node = &*delete.node, cause = delete.cause.as_str(), "deleted");
                self.observer.acted(Action::Delete(delete.cause));
                self.say(
                    job.ds,
                    EventType::Normal,
                    "SuccessfulDelete",
                    format!("Deleted pod: {}", key.name),
                );
                // A pod that runs on for its grace period comes back with a deletionTimestamp. Any
                // other answer (a Status, or the last state of a pod without grace) means that it
                // is gone.
                if is_terminating_pod(&answer) {
                    self.observe(Kind::Pod, &answer);
                } else {
                    self.observer.gone(Kind::Pod, &key, uid);
                }
                Ok(())
            }
            Err(error) => self.not_deleted(job, delete, &key, error).await,
        }
    }

    /// What follows from the error of a delete, or of an eviction that no disruption budget
    /// refused.
    pub(super) async fn not_deleted(
        &self,
        job: &Job<'_>,
        delete: &Delete,
        key: &Key,
        error: ApiError,
    ) -> Result<(), NotDeleted> {
        let uid = &delete.pod.uid;
        match error {
            e if e.is_not_found() => {
                self.observer.gone(Kind::Pod, key, uid);
                Ok(())
            }
            e if e.is_conflict() => {
                // By UID: it is gone. By resourceVersion: it is in another state, which the next
                // plan judges.
                self.read_pod_back(key, uid).await;
                Err(NotDeleted::PlanAgain)
            }
            ApiError::Dropped => {
                self.observer.delete_settled(key, uid);
                Err(NotDeleted::PlanAgain)
            }
            error => {
                if error.outcome_unknown() {
                    self.read_pod_back(key, uid).await;
                } else {
                    self.observer.delete_settled(key, uid);
                }
                let message = match delete.by {
                    DeleteBy::Delete => format!("Error deleting: {}", error.words()),
                    DeleteBy::Eviction => format!("Error evicting: {}", error.words()),
                };
                self.say(job.ds, EventType::Warning, "FailedDelete", message);
                let verb = delete.by.as_str();
                let what = format!("{verb} pod {key} on node {}", delete.node);
                let failure = Failure::new(what, error);
                Err(match delete.by {
                    DeleteBy::Delete => NotDeleted::Failed(failure),
                    DeleteBy::Eviction => NotDeleted::NotEvicted(failure),
                })
            }
        }
    }

    /// Reads a pod back after a write whose outcome is unclear. A delete that is still pending
    /// afterwards did not happen. Where the read fails too, it stays pending, and the pod counts as
    /// terminating. Returns the version of the pod, where it was read and is there.
    pub async fn read_pod_back(&self, key: &Key, uid: &Uid) -> Option<Version> {
        let gone = || self.observer.gone(Kind::Pod, key, uid);
        match self.read_pod(key, uid, gone).await {
            Ok(version) => {
                self.observer.delete_settled(key, uid);
                version
            }
            Err(error) => {
                tracing::debug!(pod = %key, %error, "the pod cannot be read back");
                None
            }
        }
    }

    /// Reads a pod and hands on what is there; `gone` is called where that is not this pod. Returns
    /// the version of the pod, where it is there.
    async fn read_pod(
        &self,
        key: &Key,
        uid: &Uid,
        gone: impl FnOnce(),
    ) -> Result<Option<Version>, ApiError> {
        match self.api.get(&paths::pod(key)).await {
            Ok(answer) => {
                let read = identity_of(&answer);
                if read.as_ref().is_some_and(|i| i.uid != *uid) {
                    gone();
                }
                self.observe(Kind::Pod, &answer);
                Ok(read.filter(|i| i.uid == *uid).map(|i| i.version))
            }
            Err(e) if e.is_not_found() => {
                gone();
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Reads one by one the pods of a DaemonSet that a list of its pods did not hold: the list says
    /// nothing of a pod that lost its label a moment before. Fails with the first read that does.
    pub async fn read_missing_pods(
        &self,
        daemon_set: &Key,
        uid: &Uid,
        version: Version,
        listed: &BTreeSet<Uid>,
    ) -> Result<(), ApiError> {
        let missing = self.observer.missing_pods(daemon_set, uid, version, listed);
        for pod in missing {
            let gone = || self.observer.missing_pod_gone(&pod);
            self.read_pod(&pod.key, &pod.uid, gone).await?;
        }
        Ok(())
    }
}

fn is_terminating_pod(answer: &[u8]) -> bool {
    let raw = serde_json::from_slice::<&RawValue>(answer).ok();
    let timestamp = raw.and_then(|raw| raw::find(raw, &["metadata", "deletionTimestamp"]));
    timestamp.is_some_and(|t| !raw::is_null(t))
}

/// Which object an answer holds, and in which version.
pub(super) fn identity_of(answer: &[u8]) -> Option<Identity> {
    identity(serde_json::from_slice::<&RawValue>(answer).ok()?)
}
