//! Resizes of pods that run: first their containers through the subresource `resize`, then the
//! annotation that says by which rule.
//!
//! In this order a controller that ends in between does both again, and the first changes nothing
//! then. In the other order nobody would know that the pod still has its old resources. One patch
//! cannot do both, because the API server ignores annotations in a resize.

use futures::{StreamExt, stream::FuturesUnordered};

use crate::{
    model::{Key, Kind, Version, resources::MARK},
    plan::{EventType, Resize},
    wire::body,
};

use super::{
    action::Action,
    carry_out::{CarryOut, Job},
    client::{ApiError, PatchType, paths},
    outcome::{Failure, Outcome},
    pods::identity_of,
    window::Window,
};

/// Why a pod was not resized.
enum NotResized {
    /// The pod is in another state than the plan supposed, the request was not sent, or it was
    /// refused: the next plan knows which.
    PlanAgain,
    /// The same, and the others would be refused too.
    RefusedForAll,
    /// The API server was throttling, or what became of the request is not known.
    Failed(Failure),
}

impl CarryOut {
    /// Resizes pods, a few at a time. A resize that is refused is no failure of the sync: nothing
    /// else waits for it.
    pub(super) async fn resizes(&self, job: &Job<'_>, outcome: &mut Outcome) {
        let all = &job.plan.resizes;
        outcome.again |= all.len() > self.burst;
        let mut left = all.iter().take(self.burst);
        let mut window = Window::new(self.max_in_flight);
        let mut under_way = FuturesUnordered::new();
        let mut has_ended = false;
        loop {
            while under_way.len() < window.limit() && !has_ended {
                let Some(resize) = left.next() else {
                    break;
                };
                if job.is_old() || self.observer.interrupted_since(job.begun) {
                    outcome.again = true;
                    has_ended = true;
                    break;
                }
                under_way.push(self.resize(job, resize));
            }
            match under_way.next().await {
                None => return,
                Some(Ok(())) => window.succeeded(),
                Some(Err(why)) => {
                    window.failed();
                    match why {
                        NotResized::PlanAgain => outcome.again = true,
                        NotResized::RefusedForAll => {
                            outcome.again = true;
                            has_ended = true;
                        }
                        NotResized::Failed(failure) => {
                            outcome.failures.push(failure);
                            has_ended = true;
                        }
                    }
                }
            }
        }
    }

    async fn resize(&self, job: &Job<'_>, resize: &Resize) -> Result<(), NotResized> {
        let key = job.sibling(&resize.pod.name);
        let uid = &resize.pod.uid;
        let mut version = resize.pod.version;
        if !resize.containers.is_empty() {
            let body = body::resize(uid, version, &resize.containers);
            let path = paths::pod_resize(&key);
            let Some(resized) = self
                .patch_resized(job, resize, &path, PatchType::StrategicMerge, body)
                .await?
            else {
                return Ok(());
            };
            version = resized;
        }
        let mark = resize.rule.as_ref().and_then(|rule| rule.mark.as_deref());
        let body = body::optional_annotation(uid, version, MARK, mark);
        let path = paths::pod(&key);
        let marked = self.patch_resized(job, resize, &path, PatchType::Merge, body);
        if marked.await?.is_some() {
            tracing::debug!(pod = %key, node = &*resize.node, "resized");
            self.observer.acted(Action::Resize);
        }
        Ok(())
    }

    /// Sends one of the two patches. Returns the version that it made; None where the pod is gone.
    async fn patch_resized(
        &self,
        job: &Job<'_>,
        resize: &Resize,
        path: &str,
        kind: PatchType,
        body: String,
    ) -> Result<Option<Version>, NotResized> {
        let key = job.sibling(&resize.pod.name);
        match self.api.patch(path, kind, body).await {
            Ok(answer) => {
                self.observe(Kind::Pod, &answer);
                let version = identity_of(&answer).map(|pod| pod.version);
                version.map(Some).ok_or(NotResized::PlanAgain)
            }
            Err(e) if e.is_not_found() && !is_not_served(&e) => {
                self.observer.gone(Kind::Pod, &key, &resize.pod.uid);
                Ok(None)
            }
            Err(e) if e.is_conflict() => {
                self.read_pod_back(&key, &resize.pod.uid).await;
                Err(NotResized::PlanAgain)
            }
            Err(ApiError::Dropped) => Err(NotResized::PlanAgain),
            Err(e) if e.outcome_unknown() || e.is_throttled() => {
                let what = format!("resize pod {key} on node {}", resize.node);
                Err(NotResized::Failed(Failure::new(what, e)))
            }
            Err(e) => Err(self.refused(job, resize, &key, &e).await),
        }
    }

    /// Remembers a refusal, and says it.
    async fn refused(
        &self,
        job: &Job<'_>,
        resize: &Resize,
        key: &Key,
        error: &ApiError,
    ) -> NotResized {
        // 422 is also the answer to a patch of another pod of the name.
        let now = self.read_pod_back(key, &resize.pod.uid).await;
        if error.is_invalid() && now.is_none() {
            return NotResized::PlanAgain;
        }
        tracing::debug!(daemonset = %job.key, pod = %key, node = &*resize.node, "cannot resize: {error}; the pod keeps its resources for now");
        self.say(
            job.ds,
            EventType::Warning,
            "FailedResize",
            format!("Error resizing: {}", error.words()),
        );
        if is_not_served(error) || is_not_granted(error) {
            self.observer.attempt(&resize.refusal_of_all);
            return NotResized::RefusedForAll;
        }
        self.observer.attempt(&resize.refusal);
        NotResized::PlanAgain
    }
}

/// The API server does not know the subresource: it is older than Kubernetes 1.33.
fn is_not_served(error: &ApiError) -> bool {
    const WORDS: &str = "the server could not find the requested resource";
    matches!(error.code(), Some(404 | 405))
        && (error.code() == Some(405) || error.words().contains(WORDS))
}

/// The role does not grant it, which the API server says of a resource and not of a pod.
fn is_not_granted(error: &ApiError) -> bool {
    error.code() == Some(403) && error.words().contains("cannot patch resource")
}
