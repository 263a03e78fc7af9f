//! An API server that does not listen, refuses the token or denies a verb: the controller logs it
//! once, clearly, and tries again.

use crate::cluster::{Lab, SOON, same};
use crate::controller::{Controller, Launch, built_in};

/// Waits until the log has a warning or error that holds one of `words`, and gives these lines.
async fn until_said(lab: &Lab, controller: &mut Controller, words: &[&str]) -> Vec<String> {
    let lines = lab
        .until(&format!("the log speaks of {words:?}"), SOON, async || {
            let mut lines: Vec<String> = words
                .iter()
                .flat_map(|word| controller.lines_with(word))
                .collect();
            lines.retain(|line| line.contains("WARN") || line.contains("ERROR"));
            lines.sort();
            lines.dedup();
            if lines.is_empty() {
                Err(controller.log())
            } else {
                Ok(lines)
            }
        })
        .await;
    controller.expect_running();
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_said_clearly_and_the_process_goes_on() {
    if built_in() {
        return; // it takes users of its own
    }
    let lab = Lab::shared("refused").await;
    let mut controller = Launch::new(&lab)
        .kubeconfig(&lab.plane.refused_kubeconfig())
        .start();
    let lines = until_said(
        &lab,
        &mut controller,
        &["unauthorized", "401", "credential", "token"],
    )
    .await;
    assert!(
        lines.len() <= 5,
        "once for a kind, not for every attempt: {lines:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_is_not_there_is_said_with_its_address() {
    if built_in() {
        return;
    }
    let lab = Lab::shared("unreachable").await;
    let mut controller = Launch::new(&lab)
        .kubeconfig(&lab.plane.unreachable_kubeconfig())
        .start();
    let lines = until_said(&lab, &mut controller, &["127.0.0.1"]).await;
    assert!(
        lines.len() <= 5,
        "once for a kind, not for every attempt: {lines:#?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_permission_is_said_once_with_verb_and_resource_and_retried_until_granted() {
    if built_in() {
        return;
    }
    let mut lab = Lab::shared("forbidden").await;
    lab.add_nodes(1..=3).await;
    lab.create(&lab.daemon_set("agent")).await;
    let mut controller = Launch::new(&lab).user("nobody").start();
    let said = until_said(&lab, &mut controller, &["forbidden", "cannot list", "403"]).await;
    assert!(
        said.iter().any(|line| line.contains("list")),
        "which verb? {said:#?}"
    );
    let resources = ["daemonsets", "nodes", "pods", "controllerrevisions"];
    assert!(
        said.iter()
            .any(|line| resources.iter().any(|r| line.contains(r))),
        "which resource? {said:#?}"
    );

    // It tries again and again, without saying so again and again.
    lab.until("it is retried", SOON, async || {
        let denied = lab
            .plane
            .audit("nobody")
            .iter()
            .filter(|entry| entry.response_status.code == 403)
            .count();
        if denied >= 8 {
            Ok(())
        } else {
            Err(format!("{denied} denied requests"))
        }
    })
    .await;
    let said = until_said(&lab, &mut controller, &["forbidden", "cannot list", "403"]).await;
    assert!(
        said.len() <= resources.len(),
        "once for a kind, not for every attempt: {said:#?}"
    );

    let role = "--clusterrole=daemonset-controller";
    lab.plane
        .kubectl(&[
            "create",
            "clusterrolebinding",
            "grant",
            role,
            "--user=nobody",
        ])
        .await
        .expect_ok("grant");
    lab.until_covered("agent", 3, 2 * SOON).await;
    lab.plane
        .kubectl(&["delete", "clusterrolebinding", "grant"])
        .await
        .expect_ok("revoke");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verb_that_is_denied_for_pods_reaches_the_daemon_sets_events() {
    if built_in() {
        return;
    }
    let mut lab = Lab::shared("no-create").await;
    lab.add_nodes(1..=2).await;
    // Everything but creating pods.
    let rules = "{\"apiVersion\": \"rbac.authorization.k8s.io/v1\", \"kind\": \"Role\", \"metadata\": {\"name\": \"some\"}, \
                 \"rules\": [{\"apiGroups\": [\"\", \"apps\", \"events.k8s.io\"], \"resources\": [\"daemonsets\", \
                 \"daemonsets/status\", \"controllerrevisions\", \"events\"], \"verbs\": [\"*\"]}, \
                 {\"apiGroups\": [\"\"], \"resources\": [\"pods\"], \"verbs\": [\"get\", \"list\", \"watch\"]}]}";
    lab.apply(rules).await;
    lab.kubectl_ok(&[
        "create",
        "rolebinding",
        "some",
        "--role=some",
        "--user=partial",
    ])
    .await;
    let view = "--verb=get,list,watch";
    lab.plane
        .kubectl(&[
            "create",
            "clusterrole",
            "see-nodes",
            view,
            "--resource=nodes",
        ])
        .await
        .expect_ok("role");
    let binding = [
        "create",
        "clusterrolebinding",
        "see-nodes",
        "--clusterrole=see-nodes",
        "--user=partial",
    ];
    lab.plane.kubectl(&binding).await.expect_ok("binding");
    lab.create(&lab.daemon_set("agent")).await;
    let mut controller = Launch::new(&lab).user("partial").start();
    lab.until("an event says what is missing", SOON, async || {
        let events = lab.events("FailedCreate").await;
        let told = |event: &k8s_openapi::api::core::v1::Event| {
            event
                .message
                .as_deref()
                .is_some_and(|text| text.contains("cannot create resource \"pods\""))
        };
        same(events.iter().any(told), true)
    })
    .await;
    controller.expect_running();
}
