//! Takes our scheduling gate from pods: by one read of the DaemonSet's pods, which is later than
//! the creates, then node by node the requests of [`Settling`].
//!
//! The read names no resourceVersion, so the API server answers with all that was written before
//! it. What is read also goes to the [`Observer`](super::Observer), so the next plan knows it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream::FuturesUnordered};
use serde_json::value::RawValue;

use crate::{
    model::{Controller, EXCLUSIVE_GATE, Interner, Kind, Pod, Str},
    plan::{
        ActionPhase, Delete, DeleteBy, DeleteCause, PodRef,
        exclusive::{Answer, Settling, Step},
    },
    wire::{body, pod},
};

use super::{
    action::Action,
    carry_out::{CarryOut, Job},
    client::{ApiError, PatchType, paths},
    outcome::{Failure, Outcome},
    pods::NotDeleted,
    window::Window,
};

/// The pods of one DaemonSet by node.
type PodsByNode = BTreeMap<Str, Vec<Pod>>;

/// Why the pods of a node are not settled.
enum NotSettled {
    /// They are in another state than the plan supposed: the next plan knows which.
    PlanAgain,
    /// A request failed, or what became of it is not known.
    Failed(Failure),
}

impl CarryOut {
    /// Takes the gate from the pods that the plan names and from those that were created for it.
    pub(super) async fn gates(&self, job: &Job<'_>, outcome: &mut Outcome) {
        let mut nodes: BTreeSet<&Str> = job.plan.ungates.iter().map(|u| &u.node).collect();
        if outcome.gated {
            let created = job.plan.creates.iter().filter(|create| create.gated);
            nodes.extend(created.map(|create| &create.node));
        }
        if nodes.is_empty() {
            return;
        }
        if job.is_old() || self.observer.interrupted_since(job.begun) {
            outcome.again = true;
            return;
        }
        let mut pods = match self.read_all(job).await {
            Ok(pods) => pods,
            Err(ApiError::Dropped) => return outcome.again = true,
            Err(error) => {
                let what = format!("read the pods of daemonset {}", job.key);
                return outcome.failures.push(Failure::new(what, error));
            }
        };
        // What is on no node known to us may be on any.
        let strays = pods.remove("").unwrap_or_default();
        let mut left = nodes.into_iter().filter_map(|node| {
            let here = pods.get(node)?;
            let settling = Settling::new(here.iter().chain(&strays));
            Some((node, settling))
        });
        let mut window = Window::new(self.max_in_flight);
        let mut under_way = FuturesUnordered::new();
        let mut has_ended = false;
        loop {
            while under_way.len() < window.limit() && !has_ended {
                let Some((node, settling)) = left.next() else {
                    break;
                };
                if job.is_old() || self.observer.interrupted_since(job.begun) {
                    outcome.again = true;
                    has_ended = true;
                    break;
                }
                under_way.push(self.settle(job, node, settling));
            }
            match under_way.next().await {
                None => return,
                Some(Ok(())) => window.succeeded(),
                Some(Err(why)) => {
                    window.failed();
                    match why {
                        NotSettled::PlanAgain => outcome.again = true,
                        NotSettled::Failed(failure) => {
                            outcome.failures.push(failure);
                            has_ended = true;
                        }
                    }
                }
            }
        }
    }

    /// Carries out what a read calls for on one node.
    async fn settle(
        &self,
        job: &Job<'_>,
        node: &Str,
        mut settling: Settling,
    ) -> Result<(), NotSettled> {
        if let Some(pod) = settling.blocked_by() {
            tracing::debug!(daemonset = %job.key, node = &**node, pod = &*pod.name, "may still run; no pod beside it is started");
            return Err(NotSettled::PlanAgain);
        }
        while let Some(step) = settling.next() {
            match step {
                Step::Delete(pod) => self.delete_rival(job, node, pod).await?,
                // It was to be deleted by the plan, which did not come to it.
                Step::Ungate(pod) if job.plan.deletes.iter().any(|d| d.pod.uid == pod.uid) => {
                    return Err(NotSettled::PlanAgain);
                }
                Step::Ungate(pod) => self.ungate(job, node, pod).await?,
            }
            settling.answered(Answer::Done);
        }
        Ok(())
    }

    async fn delete_rival(
        &self,
        job: &Job<'_>,
        node: &Str,
        pod: &PodRef,
    ) -> Result<(), NotSettled> {
        let delete = Delete {
            pod: pod.clone(),
            node: node.clone(),
            phase: ActionPhase::Manage,
            cause: DeleteCause::Duplicate,
            by: DeleteBy::Delete,
        };
        self.delete(job, &delete).await.map_err(|why| match why {
            NotDeleted::PlanAgain | NotDeleted::Unallowed => NotSettled::PlanAgain,
            NotDeleted::Failed(failure) | NotDeleted::NotEvicted(failure) => {
                NotSettled::Failed(failure)
            }
        })
    }

    async fn ungate(&self, job: &Job<'_>, node: &Str, pod: &PodRef) -> Result<(), NotSettled> {
        let key = job.sibling(&pod.name);
        let body = body::without_gate(&pod.uid, pod.version, EXCLUSIVE_GATE);
        let path = paths::pod(&key);
        match self.api.patch(&path, PatchType::StrategicMerge, body).await {
            Ok(answer) => {
                self.observe(Kind::Pod, &answer);
                tracing::debug!(pod = %key, node = &**node, "its gate is removed");
                self.observer.acted(Action::Ungate);
                Ok(())
            }
            Err(e) if e.is_not_found() => {
                self.observer.gone(Kind::Pod, &key, &pod.uid);
                Err(NotSettled::PlanAgain)
            }
            Err(e) if e.is_conflict() => {
                self.read_pod_back(&key, &pod.uid).await;
                Err(NotSettled::PlanAgain)
            }
            Err(ApiError::Dropped) => Err(NotSettled::PlanAgain),
            Err(error) => {
                // 422 is also the answer to a patch of another pod of the name.
                let now = self.read_pod_back(&key, &pod.uid).await;
                if error.is_invalid() && now.is_none() {
                    return Err(NotSettled::PlanAgain);
                }
                let what = format!("remove the scheduling gate of pod {key} on node {node}");
                Err(NotSettled::Failed(Failure::new(what, error)))
            }
        }
    }

    /// All pods that are the DaemonSet's or may become so, by node; those without a node under the
    /// empty name. Fails where a pod cannot be told: it may run on any node.
    async fn read_all(&self, job: &Job<'_>) -> Result<PodsByNode, ApiError> {
        let selector = job.ds.selector.as_ref().map(ToString::to_string);
        let selector = selector.unwrap_or_default();
        let mut pods = PodsByNode::new();
        let collection = paths::pods(&job.key.namespace);
        let take = |items: Vec<&RawValue>| self.take_page(job, items, &mut pods);
        let version = self.api.list_pages(&collection, &selector, take).await?;
        let listed = pods.values().flatten().map(|pod| pod.uid.clone()).collect();
        let uid = &job.ds.uid;
        self.read_missing_pods(job.key, uid, version, &listed)
            .await?;
        Ok(pods)
    }

    /// Takes the pods of a page in.
    fn take_page(
        &self,
        job: &Job<'_>,
        items: Vec<&RawValue>,
        pods: &mut PodsByNode,
    ) -> Result<(), String> {
        let mut interner = Interner::default();
        for item in items {
            self.observer.observe(Kind::Pod, item);
            let decoded = pod::decode(item, &mut interner);
            let read = decoded.or_else(|e| pod::from_error(&e).ok_or_else(|| e.to_string()))?;
            let is_of_others =
                matches!(&read.pod.controller, Controller::Uid(uid) if *uid != job.ds.uid);
            if !is_of_others {
                let node = read.node.unwrap_or_else(|| "".into());
                pods.entry(node).or_default().push(read.pod);
            }
        }
        Ok(())
    }
}
