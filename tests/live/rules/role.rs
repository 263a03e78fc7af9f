//! The rules of a role: which verbs they grant, and the same without one of them.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::Api;

use crate::cluster::Lab;

/// The verbs of a role with their resources: `get pods`.
pub fn granted(rules: &[PolicyRule]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for rule in rules {
        for resource in rule.resources.iter().flatten() {
            all.extend(rule.verbs.iter().map(|verb| format!("{verb} {resource}")));
        }
    }
    all
}

/// The same without one of them.
pub fn without(rules: &[PolicyRule], left_out: &str) -> Vec<PolicyRule> {
    let mut kept = Vec::new();
    for rule in rules {
        for resource in rule.resources.iter().flatten() {
            let verbs = rule.verbs.iter();
            kept.push(PolicyRule {
                resources: Some(vec![resource.clone()]),
                verbs: verbs
                    .filter(|verb| format!("{verb} {resource}") != left_out)
                    .cloned()
                    .collect(),
                ..rule.clone()
            });
        }
    }
    kept.retain(|rule| !rule.verbs.is_empty());
    kept
}

/// The role that people are given.
pub async fn role(lab: &Lab) -> Vec<PolicyRule> {
    let roles: Api<ClusterRole> = Api::all(lab.api.clone());
    let role = roles.get("daemonset-controller").await;
    let rules = role.expect("deploy/rbac.yaml was applied").rules;
    rules.expect("the role has rules")
}
