//! Evictions: deletes that a disruption budget may refuse.
//!
//! What the API server says of one that a budget refuses (1.37):
//! - 429 with the cause `DisruptionBudget`, whose message names the budget: it does not allow it
//!   now. Preconditions are looked at only after the budget.
//! - The same, and a time to wait (`Retry-After`): nobody has worked out yet what the budget
//!   allows. It is also what every budget gets that can never work for the pods of a DaemonSet,
//!   because it asks how many pods are wanted, and a DaemonSet has no scale. Only the budget tells
//!   them apart.
//! - 500: several budgets select the pod.

use serde::Deserialize;

use crate::{
    model::{Key, Str, Unallowed},
    plan::{Delete, EventType},
    wire::body,
};

use super::{
    action::Action,
    carry_out::{CarryOut, Job},
    client::{ApiError, paths},
    pods::NotDeleted,
};

/// What comes before the name of a budget in the API server's words.
const BEFORE_NAME: &str = "The disruption budget ";

impl CarryOut {
    /// Evicts a pod; a delete of it is noted as pending.
    pub(super) async fn evict(
        &self,
        job: &Job<'_>,
        delete: &Delete,
        key: &Key,
    ) -> Result<(), NotDeleted> {
        let uid = &delete.pod.uid;
        let body = body::eviction(&key.name, uid, delete.pod.version);
        let error = match self.api.post(&paths::eviction(key), body).await {
            Ok(_) => {
                tracing::debug!(pod = %key, node = &*delete.node, cause = delete.cause.as_str(), "evicted");
                self.observer.acted(Action::Evict(delete.cause));
                let message = format!("Evicted pod: {}", key.name);
                self.say(job.ds, EventType::Normal, "SuccessfulDelete", message);
                // The answer does not hold the pod.
                self.read_pod_back(key, uid).await;
                return Ok(());
            }
            Err(error) => error,
        };
        let Some(why) = self.unallowed(key, &error).await else {
            // What a disruption budget said before is no longer why the pod stays.
            self.observer.eviction_failed(job.key, uid);
            return self.not_deleted(job, delete, key, error).await;
        };
        self.observer.delete_settled(key, uid);
        let (Unallowed::Now(words) | Unallowed::Ever(words)) = &why;
        let message = format!(
            "Eviction of pod {} on node {} refused: {words}",
            key.name, delete.node
        );
        let wait = error.retry_after();
        let is_first = self.observer.eviction_refused(job.key, uid, why, wait);
        if is_first {
            tracing::info!("{message}");
            self.say(job.ds, EventType::Warning, "EvictionRefused", message);
        }
        Err(NotDeleted::Unallowed)
    }

    /// Why disruption budgets do not allow the eviction; None where the error is another one.
    async fn unallowed(&self, pod: &Key, error: &ApiError) -> Option<Unallowed> {
        if error.has_several_disruption_budgets() {
            return Some(Unallowed::Ever(error.words().into()));
        }
        let words = error.disruption_budget()?;
        if error.retry_after().is_some()
            && let Some(name) = name(words)
            && let Some(why) = self.unusable(pod, name).await
        {
            return Some(Unallowed::Ever(why));
        }
        Some(Unallowed::Now(words.into()))
    }

    /// Reads a budget, and says why it can never allow an eviction. Where it may not be read, less
    /// is said.
    async fn unusable(&self, pod: &Key, name: &str) -> Option<Str> {
        let key = Key::new(pod.namespace.clone(), name);
        match self.api.get(&paths::disruption_budget(&key)).await {
            Ok(answer) => why_unusable(name, &answer),
            Err(error) => {
                tracing::debug!(budget = %key, %error, "the disruption budget cannot be read");
                None
            }
        }
    }
}

/// The name of the budget in the API server's words.
fn name(words: &str) -> Option<&str> {
    let (name, _) = words.strip_prefix(BEFORE_NAME)?.split_once(' ')?;
    Some(name)
}

/// Why a budget can never allow that a pod of a DaemonSet is evicted: it is no number of pods that
/// stay, and the disruption controller has said that it cannot work it out.
fn why_unusable(name: &str, budget: &[u8]) -> Option<Str> {
    #[derive(Deserialize)]
    struct Budget {
        #[serde(default)]
        spec: Spec,
        #[serde(default)]
        status: Status,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase")]
    struct Spec {
        #[serde(default)]
        min_available: serde_json::Value,
    }
    #[derive(Deserialize, Default)]
    struct Status {
        #[serde(default)]
        conditions: Vec<Condition>,
    }
    #[derive(Deserialize)]
    struct Condition {
        #[serde(rename = "type")]
        kind: String,
        status: String,
        #[serde(default)]
        reason: String,
        #[serde(default)]
        message: String,
    }
    let budget: Budget = serde_json::from_slice(budget).ok()?;
    if budget.spec.min_available.is_number() {
        return None;
    }
    let failed = budget.status.conditions.into_iter().find(|c| {
        c.kind == "DisruptionAllowed" && c.status == "False" && c.reason == "SyncFailed"
    })?;
    let why = format!(
        "the disruption budget {name} has no whole number as minAvailable, and no other works for a \
         DaemonSet ({})",
        failed.message
    );
    Some(why.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NO_SCALE: &str = "daemonsets.apps does not implement the scale subresource";

    fn budget(spec: Value, reason: &str) -> Vec<u8> {
        let condition = json!({ "type": "DisruptionAllowed", "status": "False", "reason": reason,
                                "message": NO_SCALE });
        let budget = json!({ "spec": spec, "status": { "conditions": [condition] } });
        budget.to_string().into_bytes()
    }

    #[test]
    fn only_a_whole_number_of_pods_that_stay_can_work_for_a_daemon_set() {
        let unusable = |spec, reason| why_unusable("p", &budget(spec, reason));
        for spec in [
            json!({ "maxUnavailable": 1 }),
            json!({ "maxUnavailable": "10%" }),
            json!({ "minAvailable": "50%" }),
        ] {
            let why = unusable(spec.clone(), "SyncFailed").expect("it is unusable");
            assert!(
                why.contains("budget p has") && why.contains(NO_SCALE),
                "{why}"
            );
            // The disruption controller works it out: another version may.
            assert_eq!(unusable(spec, "InsufficientPods"), None);
        }
        assert_eq!(unusable(json!({ "minAvailable": 3 }), "SyncFailed"), None);
        assert_eq!(why_unusable("p", b"{}"), None, "it is new");
        assert_eq!(why_unusable("p", b"<html>"), None);
    }

    #[test]
    fn the_name_of_a_budget_is_in_the_words() {
        let words = "The disruption budget p.q-r is still being processed by the server.";
        assert_eq!(name(words), Some("p.q-r"));
        assert_eq!(name("Too many requests"), None);
    }
}
