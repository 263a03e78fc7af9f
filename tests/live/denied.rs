//! Creates that are denied: the controller still writes the status, tells people by events, and
//! creates the pods once it may.

use serde_json::json;

use crate::cluster::{Lab, SOON, same};
use crate::controller::{Controller, built_in};
use crate::webhook::Webhook;

async fn until_counts(lab: &Lab, desired: i32, current: i32) {
    lab.until(
        &format!("{current} of {desired} nodes have a pod"),
        SOON,
        async || {
            let status = lab.status("agent").await?;
            same(
                (
                    status.desired_number_scheduled,
                    status.current_number_scheduled,
                ),
                (desired, current),
            )
        },
    )
    .await;
}

async fn until_told(lab: &Lab, why: &str) {
    lab.until(
        &format!("a FailedCreate event about {why}"),
        SOON,
        async || {
            let events = lab.events("FailedCreate").await;
            let messages: Vec<&str> = events
                .iter()
                .filter_map(|event| event.message.as_deref())
                .collect();
            let told = messages
                .iter()
                .any(|message| message.contains("Error creating: ") && message.contains(why));
            if told {
                Ok(())
            } else {
                Err(format!("{messages:?}"))
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_is_respected_and_coverage_goes_on_when_it_is_lifted() {
    let mut lab = Lab::shared("quota").await;
    lab.add_nodes(1..=8).await;
    lab.kubectl_ok(&["create", "quota", "few", "--hard=pods=3"])
        .await;
    lab.until("the quota is in force", SOON, async || {
        let used = lab
            .kubectl_ok(&["get", "quota", "few", "-o", "jsonpath={.status.used.pods}"])
            .await;
        same(used.as_str(), "0")
    })
    .await;
    let mut controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    until_counts(&lab, 8, 3).await;
    until_told(&lab, "exceeded quota").await;
    lab.kubectl_ok(&["delete", "quota", "few"]).await;
    lab.until_covered("agent", 8, SOON).await;
    controller.expect_running();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_admission_policy_that_denies_pods_does_not_hide_the_status() {
    let mut lab = Lab::shared("admission").await;
    lab.add_nodes(1..=5).await;
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": "live-no-pods" },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": { "resourceRules": [
                { "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] }] },
            "validations": [{ "expression": "false", "message": "no pods today" }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": "live-no-pods" },
        "spec": {
            "policyName": "live-no-pods", "validationActions": ["Deny"],
            "matchResources": { "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": lab.namespace } } },
        },
    });
    for manifest in [policy, binding] {
        lab.plane
            .kubectl_in(&["apply", "-f", "-"], &manifest.to_string())
            .await
            .expect_ok("apply");
    }
    let probe = ["run", "probe", "--image=none", "--dry-run=server"];
    lab.until("the policy is in force", SOON, async || {
        same(lab.kubectl(&probe).await.ok, false)
    })
    .await;
    let mut controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    until_counts(&lab, 5, 0).await;
    until_told(&lab, "no pods today").await;
    assert_eq!(lab.pods().await.len(), 0);
    lab.plane
        .kubectl(&["delete", "validatingadmissionpolicybinding", "live-no-pods"])
        .await
        .expect_ok("delete");
    lab.until_covered("agent", 5, SOON).await;
    controller.expect_running();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_denies_pods_costs_few_calls_and_coverage_goes_on_when_it_is_gone() {
    let mut lab = Lab::shared("webhook").await;
    lab.add_nodes(1..=40).await;
    let webhook = Webhook::deny(lab.plane.dir(), "the webhook says no").await;
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "live-no-pods" },
        "webhooks": [{
            "name": "pods.live.test", "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
            "clientConfig": { "url": webhook.url, "caBundle": webhook.authority },
            "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] }],
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": lab.namespace } },
        }],
    });
    lab.plane
        .kubectl_in(&["apply", "-f", "-"], &configuration.to_string())
        .await
        .expect_ok("apply");
    let probe = ["run", "probe", "--image=none", "--dry-run=server"];
    lab.until("the webhook is asked", SOON, async || {
        let answer = lab.kubectl(&probe).await;
        same(answer.stderr.contains("the webhook says no"), true)
    })
    .await;
    let mut controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    until_counts(&lab, 40, 0).await;
    until_told(&lab, "the webhook says no").await;
    assert_eq!(lab.pods().await.len(), 0);
    if !built_in() {
        // One call an attempt, not one a node: a first attempt at all forty would be more than
        // this.
        let entries = lab.plane.audit("controller");
        let creates = entries
            .iter()
            .filter(|e| e.kind() == "create pods" && e.object_ref.namespace == lab.namespace);
        let creates = creates.count();
        assert!((1..20).contains(&creates), "{creates} calls");
    }
    lab.plane
        .kubectl(&["delete", "validatingwebhookconfiguration", "live-no-pods"])
        .await
        .expect_ok("delete");
    lab.until_covered("agent", 40, SOON).await;
    controller.expect_running();
}
