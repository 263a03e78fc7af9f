//! The role for the Lease is as small as it can be: without any one of its verbs in
//! `deploy/rbac.yaml` the API server denies just that, and with all of them nothing. `rules.rs`
//! does the same for all else.

use futures::StreamExt;
use k8s_openapi::api::rbac::v1::{PolicyRule, Role};
use kube::Api;
use serde_json::json;

use crate::cluster::{Lab, SOON, same};
use crate::controller::{Launch, built_in};

/// Each verb, and what the log says once it is missed.
const VERBS: [(&str, &str); 5] = [
    ("get", "cannot get lease"),
    ("create", "cannot create lease"),
    ("update", "cannot update lease"),
    ("list", "list leases"),
    ("watch", "watch leases"),
];

/// A replica under the rules of the Lease's role but for `left_out`; number 30 and on of the users
/// with roles of their own.
async fn replica(number: usize, left_out: Option<(&str, &str)>) {
    let user = format!("rules-{number}");
    let lab = Lab::shared(&user).await;
    let roles: Api<Role> = Api::namespaced(lab.api.clone(), "kube-system");
    let role = roles.get("daemonset-controller-lease").await;
    let rules = role.expect("deploy/rbac.yaml was applied").rules;
    let mut rules: Vec<PolicyRule> = rules.expect("the role has rules");
    let count = |rules: &[PolicyRule]| rules.iter().map(|r| r.verbs.len()).sum::<usize>();
    assert_eq!(count(&rules), VERBS.len());
    for rule in &mut rules {
        rule.verbs
            .retain(|verb| left_out.is_none_or(|(left_out, _)| left_out != verb));
    }
    rules.retain(|rule| !rule.verbs.is_empty());
    let group = "rbac.authorization.k8s.io";
    let subjects = json!([{ "apiGroup": group, "kind": "User", "name": user }]);
    let version = format!("{group}/v1");
    let manifest = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": version, "kind": "Role", "metadata": { "name": "lease" }, "rules": rules },
        { "apiVersion": version, "kind": "RoleBinding", "metadata": { "name": "lease" }, "subjects": subjects,
          "roleRef": { "apiGroup": group, "kind": "Role", "name": "lease" } },
        { "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": { "name": user }, "subjects": subjects,
          "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": "daemonset-controller" } },
    ]});
    lab.apply(&manifest.to_string()).await;
    // The API server learns of roles by watches of its own; the last thing bound is in force last.
    let may = ["auth", "can-i", "list", "nodes", "--as", &user];
    lab.until("the role is in force", SOON, async || {
        same(lab.kubectl(&may).await.ok, true)
    })
    .await;

    let namespace = format!("--leader-elect-resource-namespace={}", lab.namespace);
    let mut controller = Launch::new(&lab)
        .user(&user)
        .replica()
        .arg(&namespace)
        .start();
    let said = left_out.map_or("started syncing", |(_, said)| said);
    lab.until(said, SOON, async || {
        let log = controller.log();
        if log.contains(said) { Ok(()) } else { Err(log) }
    })
    .await;
    controller.expect_running();
    let wanted = left_out.map(|(verb, _)| format!("{verb} leases"));
    lab.until("only what was left out is denied", SOON, async || {
        let entries = lab.plane.audit(&user);
        let mut denied: Vec<_> = entries
            .iter()
            .filter(|e| e.response_status.code == 403)
            .map(|e| e.kind())
            .collect();
        denied.sort();
        denied.dedup();
        same(denied, wanted.clone().into_iter().collect())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_verb_of_the_lease_can_be_left_out() {
    if built_in() {
        return;
    }
    let cases = std::iter::once(None).chain(VERBS.map(Some));
    let cases = cases
        .enumerate()
        .map(|(n, left_out)| replica(30 + n, left_out));
    futures::stream::iter(cases)
        .buffer_unordered(2)
        .collect::<Vec<()>>()
        .await;
}
