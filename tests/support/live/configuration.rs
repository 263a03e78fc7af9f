//! Users of the API server, their kubeconfigs, and the audit policy.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

/// Users of the API server: name, which is also the token, and group. Kubelets and admin may do
/// everything.
const USERS: &[(&str, &str)] = &[
    ("admin", "system:masters"),
    ("kubelets", "system:masters"),
    ("controller", "controllers-under-test"),
    ("controller-b", "controllers-under-test"),
    ("nobody", "nobodies"),
    ("partial", "nobodies"),
    ("system:kube-scheduler", "components"),
    ("system:kube-controller-manager", "components"),
    // For tests/nodes: the static pod, and real kubelets, which the node authorizer knows by user
    // and group.
    ("daemonset-controller", "static-pods"),
    ("system:node:n1", "system:nodes"),
    ("system:node:n2", "system:nodes"),
    ("system:node:n3", "system:nodes"),
];
/// The group of the users `rules-0`, `rules-1`... for whom `rules.rs` makes roles.
pub const RULES_GROUP: &str = "under-rules";
/// How many of these there are.
const RULES_USERS: usize = 40;
/// Writes of controllers are kept with their bodies.
const WITH_BODIES: &str = r#"
- level: Request
  users: [controller, controller-b, "system:serviceaccount:kube-system:daemon-set-controller"]
  verbs: [create, update, patch, delete, deletecollection]"#;
const AUDIT_POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: [controller, controller-b, nobody, "system:serviceaccount:kube-system:daemon-set-controller"]
- level: Metadata
  users: [admin]
  verbs: [patch]
- level: Metadata
  verbs: [delete, deletecollection]
  resources: [{group: "", resources: [pods]}]
- level: Metadata
  userGroups: [under-rules]
- level: None
"#;

/// All users with their groups.
fn users() -> impl Iterator<Item = (String, &'static str)> {
    let named = USERS
        .iter()
        .map(|(user, group)| ((*user).to_owned(), *group));
    let numbered = (0..RULES_USERS).map(|number| (format!("rules-{number}"), RULES_GROUP));
    named.chain(numbered)
}

/// Whether there is a user of this name.
pub fn is_user(name: &str) -> bool {
    users().any(|(user, _)| user == name)
}

/// Where a user's kubeconfig is.
pub fn kubeconfig_path(dir: &Path, user: &str) -> PathBuf {
    dir.join(format!("{}.kubeconfig", user.replace(':', "-")))
}

/// Writes a kubeconfig for this user, with the user's name as the token, and says where it is.
pub fn write_kubeconfig(dir: &Path, api: SocketAddrV4, user: &str) -> PathBuf {
    let path = kubeconfig_path(dir, user);
    let authority = dir.join("apiserver.crt");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: live\n\
         clusters:\n- name: live\n  cluster:\n    server: https://{api}\n    certificate-authority: {}\n\
         contexts:\n- name: live\n  context: {{cluster: live, user: live}}\n\
         users:\n- name: live\n  user: {{token: \"{user}\"}}\n",
        authority.display(),
    );
    std::fs::write(&path, text).expect("a kubeconfig can be written");
    path
}

/// Writes the users' tokens and kubeconfigs, and what is audited: what controllers write with its
/// body, where that is wanted.
pub fn write_configuration(dir: &Path, api: SocketAddrV4, bodies: bool) {
    let tokens: String = users()
        .map(|(user, group)| format!("\"{user}\",\"{user}\",\"{user}\",\"{group}\"\n"))
        .collect();
    std::fs::write(dir.join("tokens.csv"), tokens).expect("tokens can be written");
    let rules = if bodies { WITH_BODIES } else { "" };
    let policy = AUDIT_POLICY.replace("\nrules:", &format!("\nrules:{rules}"));
    std::fs::write(dir.join("audit-policy.yaml"), policy).expect("the audit policy can be written");
    for (user, _) in users() {
        write_kubeconfig(dir, api, &user);
    }
}
