//! Evictions: deletes of pods that a PodDisruptionBudget may refuse.
//!
//! As in the real server only the status of the budget counts, which somebody else keeps: there is
//! no disruption controller here. `disruptedPods` is left out, which that controller reads.

use serde_json::{Value, json};

use super::core::{Answer, Core, Moment};
use super::delete;
use super::delete_options::DeleteOptions;
use super::fields::{name, text};
use super::path::{Query, Target};
use super::resource::{DISRUPTION_BUDGETS, PODS};
use super::status::{ApiStatus, Result};

/// POST to `eviction`.
pub fn evict(
    core: &mut Core,
    target: &Target,
    query: &Query,
    body: &[u8],
    moment: &Moment,
) -> Result<Answer> {
    let eviction: Value =
        serde_json::from_slice(body).map_err(|why| ApiStatus::bad_request(why.to_string()))?;
    if name(&eviction) != target.name {
        let message = "name in URL does not match name in Eviction object";
        return Err(ApiStatus::bad_request(message));
    }
    let options = match &eviction["deleteOptions"] {
        Value::Null => DeleteOptions::read(query, b"")?,
        options => DeleteOptions::read(query, options.to_string().as_bytes())?,
    };
    let Some(pod) = core.store.get(&PODS, &target.namespace, &target.name) else {
        return Err(ApiStatus::not_found(&PODS, &target.name));
    };
    if let Some(budget) = budget_for(core, &target.namespace, pod)? {
        core.put(&DISRUPTION_BUDGETS, take_one(budget)?, moment);
    }
    let (namespace, name) = (&target.namespace, &target.name);
    delete::delete_one(core, &PODS, namespace, name, &options, moment)?;
    Ok(Answer::created(json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201,
    })))
}

/// The budget that has a say about the pod.
fn budget_for(core: &Core, namespace: &str, pod: &Value) -> Result<Option<Value>> {
    let budgets = core.store.all(&DISRUPTION_BUDGETS).iter();
    let budgets = budgets.filter(|((of, _), budget)| of == namespace && selects(budget, pod));
    let budgets: Vec<&Value> = budgets.map(|(_, budget)| &**budget).collect();
    of_pod(pod, &budgets)
}

/// Which of the budgets that select the pod has a say.
fn of_pod(pod: &Value, budgets: &[&Value]) -> Result<Option<Value>> {
    let phase = text(&pod["status"], "phase");
    let is_over = pod["metadata"]["deletionTimestamp"].is_string();
    if is_over || matches!(&*phase, "Pending" | "Succeeded" | "Failed") {
        return Ok(None);
    }
    let budget = match budgets {
        [] => return Ok(None),
        [budget] => *budget,
        _ => {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction \
                           subresource does not support.";
            return Err(ApiStatus::new(500, "", message));
        }
    };
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|c| c["type"] == "Ready");
    if ready.any(|c| c["status"] == "True") {
        return Ok(Some(budget.clone()));
    }
    let count = |field: &str| budget["status"][field].as_i64().unwrap_or(0);
    let is_met = count("currentHealthy") >= count("desiredHealthy") && count("desiredHealthy") > 0;
    let always = budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow";
    Ok((!is_met && !always).then(|| budget.clone()))
}

fn selects(budget: &Value, pod: &Value) -> bool {
    let labels = &pod["metadata"]["labels"];
    let wanted = budget["spec"]["selector"]["matchLabels"].as_object();
    wanted.is_some_and(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value))
}

/// The budget with one disruption less, or its refusal.
fn take_one(mut budget: Value) -> Result<Value> {
    let name = name(&budget).to_owned();
    let status = &budget["status"];
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let generation = budget["metadata"]["generation"].as_i64().unwrap_or(0);
    if count("observedGeneration") < generation {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        let mut status = refused(&why);
        status.details["retryAfterSeconds"] = 10.into();
        return Err(status);
    }
    let allowed = count("disruptionsAllowed");
    if allowed <= 0 {
        return Err(refused(&format!(
            "The disruption budget {name} needs {} healthy pods and has {} currently",
            count("desiredHealthy"),
            count("currentHealthy")
        )));
    }
    budget["status"]["disruptionsAllowed"] = (allowed - 1).into();
    Ok(budget)
}

fn refused(why: &str) -> ApiStatus {
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    let mut status = ApiStatus::new(429, "TooManyRequests", message);
    status.details = json!({"causes": [{"reason": "DisruptionBudget", "message": why}]});
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(phase: &str, ready: &str) -> Value {
        json!({"metadata": {"labels": {"app": "a"}}, "status": {
            "phase": phase, "conditions": [{"type": "Ready", "status": ready}],
        }})
    }

    fn budget(status: Value) -> Value {
        json!({"metadata": {"name": "p", "namespace": "d", "generation": 1}, "status": status,
               "spec": {"selector": {"matchLabels": {"app": "a"}}}})
    }

    /// What becomes of an eviction of this pod with budgets of this status.
    fn outcome(pod: Value, budgets: &[Value]) -> Result<()> {
        let selecting: Vec<&Value> = budgets.iter().filter(|b| selects(b, &pod)).collect();
        match of_pod(&pod, &selecting)? {
            Some(budget) => take_one(budget).map(drop),
            None => Ok(()),
        }
    }

    fn said(status: ApiStatus) -> (u16, String, Value) {
        let cause = status.details["causes"][0]["message"].as_str();
        let words = cause.unwrap_or(&status.message).to_owned();
        (
            status.code,
            words,
            status.details["retryAfterSeconds"].clone(),
        )
    }

    /// Seen of kube-apiserver 1.37.1 with its disruption controller.
    #[test]
    fn answers_are_those_of_the_real_server() {
        let met = json!({"observedGeneration": 1, "disruptionsAllowed": 0, "desiredHealthy": 3,
                         "currentHealthy": 3});
        let short = json!({"observedGeneration": 1, "disruptionsAllowed": 0, "desiredHealthy": 2,
                           "currentHealthy": 1});
        let failed = json!({"disruptionsAllowed": 0, "desiredHealthy": 0, "currentHealthy": 0});
        let free = json!({"observedGeneration": 1, "disruptionsAllowed": 1});
        let ready = || pod("Running", "True");
        let processed = "The disruption budget p is still being processed by the server.";
        for (pod, budgets, answer) in [
            (ready(), vec![], None),
            (ready(), vec![budget(free.clone())], None),
            (
                ready(),
                vec![budget(met)],
                Some((
                    429,
                    "The disruption budget p needs 3 healthy pods and has 3 currently",
                    Value::Null,
                )),
            ),
            (
                ready(),
                vec![budget(short.clone())],
                Some((
                    429,
                    "The disruption budget p needs 2 healthy pods and has 1 currently",
                    Value::Null,
                )),
            ),
            (pod("Pending", "False"), vec![budget(short)], None),
            (
                ready(),
                vec![budget(failed.clone())],
                Some((429, processed, json!(10))),
            ),
            (
                pod("Running", "False"),
                vec![budget(failed.clone())],
                Some((429, processed, json!(10))),
            ),
            (pod("Pending", "False"), vec![budget(failed)], None),
            (
                ready(),
                vec![budget(free.clone()), budget(free)],
                Some((
                    500,
                    "This pod has more than one PodDisruptionBudget, which the eviction subresource \
                     does not support.",
                    Value::Null,
                )),
            ),
        ] {
            let got = outcome(pod.clone(), &budgets).err().map(said);
            let answer = answer.map(|(code, words, wait)| (code, words.to_owned(), wait));
            assert_eq!(got, answer, "{pod} {budgets:?}");
        }
    }
}
