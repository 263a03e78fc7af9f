//! Creates and deletes of one plan, together, through one window.
//!
//! The first create that is refused ends the creates of the plan (the rest would meet the same quota or
//! webhook), the first delete that is refused ends the deletes. A node's successor and the pod that it
//! succeeds are one task: the old pod goes only when the new one is there, or was denied.

use std::collections::{BTreeMap, VecDeque};

use futures::{StreamExt, stream::FuturesUnordered};
use serde_json::value::RawValue;

use crate::{
    model::{Key, Kind, Uid},
    plan::{ActionPhase, Create, Delete, Plan, tolerations},
    wire::{body, manifest::PodManifest, raw},
};

use super::{
    action::Action,
    carry_out::{CarryOut, Job, Outcome},
    client::{ApiError, paths},
    events::EventKind,
    window::Window,
};

/// What is to be done on one node.
#[derive(Default)]
struct Task<'p> {
    create: Option<&'p Create>,
    deletes: Vec<&'p Delete>,
}

impl Task<'_> {
    /// What it counts against the burst.
    fn calls(&self) -> usize {
        self.deletes.len().max(usize::from(self.create.is_some()))
    }

    /// The create comes before a failed or finished pod that it succeeds.
    fn is_successor(&self) -> bool {
        self.create
            .is_some_and(|c| c.phase == ActionPhase::Successor)
    }
}

/// What became of a task.
#[derive(Default)]
struct Done {
    outcome: Outcome,
    create_refused: bool,
    delete_refused: bool,
}

/// What became of a create.
enum Created {
    /// The pod is there.
    Yes,
    /// The API server said no, for a reason that is not the name.
    Denied,
    /// It is not known, or the plan did not fit what is there.
    No,
}

impl CarryOut {
    /// Creates and deletes. Those of a rolling update come last, and only when all others succeeded: while pods cannot be
    /// created (quota, webhook), none is deleted for being old.
    pub(super) async fn pods(&self, job: &Job<'_>, outcome: &mut Outcome) {
        let is_rollout = |phase: ActionPhase| phase == ActionPhase::Rollout;
        let (first, cut) = tasks(job.plan, |phase| !is_rollout(phase), self.burst);
        let used = first.iter().map(Task::calls).sum::<usize>();
        let left = self.burst.saturating_sub(used);
        let (rollout, rollout_cut) = tasks(job.plan, is_rollout, left);
        outcome.again |= cut || rollout_cut;
        if first.is_empty() && rollout.is_empty() {
            return;
        }
        let hash = job.plan.revision.as_ref().map_or("", |r| &r.hash);
        let template = &job.ds.template;
        let manifest = PodManifest::new(
            job.ds,
            hash,
            &tolerations::merged(template),
            self.settings.placement,
        );
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(e) => {
                // The API server's template is always an object of objects; decoding has checked it.
                tracing::error!(daemonset = %job.key, "its template cannot be made into a pod: {e}");
                return;
            }
        };
        let mut window = Window::new(self.max_in_flight);
        if self
            .stage(job, first, &manifest, &mut window, outcome)
            .await
            && !cut
        {
            self.stage(job, rollout, &manifest, &mut window, outcome)
                .await;
        }
    }

    /// Carries out tasks. True when every one of them succeeded.
    async fn stage(
        &self,
        job: &Job<'_>,
        mut tasks: VecDeque<Task<'_>>,
        manifest: &PodManifest,
        window: &mut Window,
        outcome: &mut Outcome,
    ) -> bool {
        let (mut creating, mut deleting) = (true, true);
        let mut under_way = FuturesUnordered::new();
        let mut complete = true;
        loop {
            while under_way.len() < window.limit() {
                let stale = job.is_old() || self.known.interrupted_since(job.begun);
                if stale && !tasks.is_empty() {
                    tracing::debug!(daemonset = %job.key, left = tasks.len(), "the plan has become old");
                    tasks.clear();
                    outcome.again = true;
                    complete = false;
                }
                let Some(task) = next(&mut tasks, creating, deleting) else {
                    break;
                };
                under_way.push(self.task(job, task, manifest));
            }
            let Some(done) = under_way.next().await else {
                break;
            };
            let Done {
                outcome: one,
                create_refused,
                delete_refused,
            } = done;
            if one.failures.is_empty() {
                window.succeeded();
            } else {
                window.failed();
            }
            creating &= !create_refused;
            outcome.creates_refused |= create_refused;
            deleting &= !delete_refused;
            complete &= creating && deleting && !one.again && one.failures.is_empty();
            outcome.again |= one.again;
            outcome.failures.extend(one.failures);
        }
        complete
    }

    async fn task(&self, job: &Job<'_>, task: Task<'_>, manifest: &PodManifest) -> Done {
        let mut done = Done::default();
        let successor = task.is_successor();
        let node = task
            .create
            .map(|c| &c.node)
            .or(task.deletes.first().map(|d| &d.node));
        // Attempts and events of the decision are about pods that go.
        if !task.deletes.is_empty() {
            for change in job.plan.backoff.iter().filter(|k| Some(&k.node) == node) {
                self.known.attempt(change);
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
            let created = self.create(job, create, manifest, &mut done).await;
            if successor && matches!(created, Created::No) {
                return done;
            }
        }
        for delete in task.deletes {
            self.delete(job, delete, &mut done).await;
        }
        done
    }

    async fn create(
        &self,
        job: &Job<'_>,
        create: &Create,
        manifest: &PodManifest,
        done: &mut Done,
    ) -> Created {
        let key = job.sibling(&create.pod_name);
        // The calls of a plan go out one after another, and the world goes on meanwhile.
        if self.known.interrupted_since(job.begun)
            || self
                .known
                .has_other_pod(job.key, &create.node, &create.seen)
        {
            done.outcome.again = true;
            return Created::No;
        }
        let body = manifest.body(&create.pod_name, &create.node);
        match self.api.post(&paths::pods(&key.namespace), body).await {
            Ok(answer) => {
                self.observe(Kind::Pod, &answer);
                tracing::debug!(pod = %key, node = &*create.node, cause = create.cause.as_str(), "created");
                self.known.acted(Action::Create(create.cause));
                self.say(
                    job.ds,
                    EventKind::Normal,
                    "SuccessfulCreate",
                    format!("Created pod: {}", key.name),
                );
                Created::Yes
            }
            Err(e) if e.is_already_exists() => {
                // The name says that it is the pod we want, from a request whose answer was lost or from
                // another controller; or somebody else holds it. Read which, and plan again.
                match self.api.get(&paths::pod(&key)).await {
                    Ok(answer) => match serde_json::from_slice::<&RawValue>(&answer) {
                        Ok(raw) => self.known.holder(raw),
                        Err(e) => tracing::warn!(pod = %key, "its answer is no JSON: {e}"),
                    },
                    Err(e) if e.is_not_found() => {}
                    Err(error) => done
                        .outcome
                        .fail(format!("read pod {key}, which holds a name we want"), error),
                }
                done.outcome.again = true;
                Created::No
            }
            Err(e) if e.is_namespace_terminating() => {
                done.create_refused = true;
                Created::No
            }
            Err(ApiError::Dropped) => Created::No,
            Err(error) => {
                let created = if error.outcome_unknown() || error.is_throttled() {
                    Created::No
                } else {
                    Created::Denied
                };
                self.say(
                    job.ds,
                    EventKind::Warning,
                    "FailedCreate",
                    format!("Error creating: {}", words(&error)),
                );
                done.create_refused = true;
                done.outcome
                    .fail(format!("create pod {key} on node {}", create.node), error);
                created
            }
        }
    }

    async fn delete(&self, job: &Job<'_>, delete: &Delete, done: &mut Done) {
        let key = job.sibling(&delete.pod.name);
        let uid = &delete.pod.uid;
        if !self.known.delete_pending(&key, uid) {
            return;
        }
        match self
            .api
            .delete(
                &paths::pod(&key),
                body::delete(uid, Some(delete.pod.version)),
            )
            .await
        {
            Ok(answer) => {
                tracing::debug!(pod = %key, node = &*delete.node, cause = delete.cause.as_str(), "deleted");
                self.known.acted(Action::Delete(delete.cause));
                self.say(
                    job.ds,
                    EventKind::Normal,
                    "SuccessfulDelete",
                    format!("Deleted pod: {}", key.name),
                );
                // A pod that goes on for its grace period comes back with a deletionTimestamp; anything else
                // (a Status, or the last state of a pod without grace) means that it is gone.
                if is_terminating_pod(&answer) {
                    self.observe(Kind::Pod, &answer);
                } else {
                    self.known.gone(Kind::Pod, &key, uid);
                }
            }
            Err(e) if e.is_not_found() => self.known.gone(Kind::Pod, &key, uid),
            Err(e) if e.is_conflict() => {
                // By UID: it is gone. By resourceVersion: it is in another state, which the next plan judges.
                self.read_pod_back(&key, uid).await;
                done.outcome.again = true;
            }
            Err(ApiError::Dropped) => {
                self.known.delete_settled(&key, uid);
                done.outcome.again = true;
            }
            Err(error) => {
                if error.outcome_unknown() {
                    self.read_pod_back(&key, uid).await;
                } else {
                    self.known.delete_settled(&key, uid);
                }
                self.say(
                    job.ds,
                    EventKind::Warning,
                    "FailedDelete",
                    format!("Error deleting: {}", words(&error)),
                );
                done.delete_refused = true;
                done.outcome
                    .fail(format!("delete pod {key} on node {}", delete.node), error);
            }
        }
    }

    /// Reads a pod to see what became of it. A delete that is still pending afterwards did not happen; where
    /// the read fails too, it stays pending, and the pod counts as terminating.
    pub async fn read_pod_back(&self, key: &Key, uid: &Uid) {
        match self.api.get(&paths::pod(key)).await {
            Ok(answer) => {
                if uid_of(&answer).is_some_and(|u| u != uid.as_str()) {
                    self.known.gone(Kind::Pod, key, uid);
                }
                self.observe(Kind::Pod, &answer);
                self.known.delete_settled(key, uid);
            }
            Err(e) if e.is_not_found() => self.known.gone(Kind::Pod, key, uid),
            Err(error) => tracing::debug!(pod = %key, %error, "cannot be read back"),
        }
    }
}

/// One task a node, by node name, for the plan's actions of some phases: at most `burst` creates and as many deletes in
/// all; true when there are more.
fn tasks(
    plan: &Plan,
    wanted: impl Fn(ActionPhase) -> bool,
    burst: usize,
) -> (VecDeque<Task<'_>>, bool) {
    let mut by_node: BTreeMap<&str, Task<'_>> = BTreeMap::new();
    for create in plan.creates.iter().filter(|c| wanted(c.phase)) {
        by_node.entry(&create.node).or_default().create = Some(create);
    }
    for delete in plan.deletes.iter().filter(|d| wanted(d.phase)) {
        by_node
            .entry(&delete.node)
            .or_default()
            .deletes
            .push(delete);
    }
    let all = by_node.len();
    let (mut creates, mut deletes) = (0, 0);
    let tasks: VecDeque<Task<'_>> = by_node
        .into_values()
        .take_while(|task| {
            creates += usize::from(task.create.is_some());
            deletes += task.deletes.len();
            // The first task is always taken, however many pods are on that node.
            creates.max(deletes) <= burst
                || burst > 0
                    && creates + deletes == usize::from(task.create.is_some()) + task.deletes.len()
        })
        .collect();
    let cut = tasks.len() < all;
    (tasks, cut)
}

/// The next task, less what has ended: a successor's pair is left whole, deletes that stand by themselves go on.
fn next<'p>(tasks: &mut VecDeque<Task<'p>>, creating: bool, deleting: bool) -> Option<Task<'p>> {
    loop {
        let mut task = tasks.pop_front()?;
        if task.is_successor() && !(creating && deleting) {
            continue;
        }
        if !creating {
            task.create = None;
        }
        if !deleting {
            task.deletes.clear();
        }
        if task.create.is_some() || !task.deletes.is_empty() {
            return Some(task);
        }
    }
}

/// What an event says of an error: the API server's own words where there are any.
fn words(error: &ApiError) -> String {
    match error {
        ApiError::Status { message, .. } if !message.is_empty() => message.clone(),
        other => other.to_string(),
    }
}

fn is_terminating_pod(answer: &[u8]) -> bool {
    let raw = serde_json::from_slice::<&RawValue>(answer).ok();
    let timestamp = raw.and_then(|raw| raw::find(raw, &["metadata", "deletionTimestamp"]));
    timestamp.is_some_and(|t| !raw::is_null(t))
}

fn uid_of(answer: &[u8]) -> Option<String> {
    let raw = serde_json::from_slice::<&RawValue>(answer).ok()?;
    serde_json::from_str(raw::find(raw, &["metadata", "uid"])?.get()).ok()
}
