//! A deleted DaemonSet: the garbage collector deletes its pods, and the controller must not create
//! them again.

use std::collections::BTreeSet;

use serde_json::json;

use crate::cluster::{Lab, SOON, controller_of, name_of, same};
use crate::controller::{Controller, built_in};

async fn covered(name: &str) -> (Lab, Controller) {
    let mut lab = Lab::shared(name).await;
    lab.add_nodes(1..=5).await;
    let controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 5, SOON).await;
    (lab, controller)
}

async fn until_nothing_is_left(lab: &Lab) {
    lab.until("set, pods and revisions are gone", SOON, async || {
        let sets = lab
            .kubectl_ok(&["get", "daemonsets,pods,controllerrevisions", "-o", "name"])
            .await;
        same(sets.as_str(), "")
    })
    .await;
}

/// How many pods were ever created here, by the audit log.
fn created(lab: &Lab) -> usize {
    let user = if built_in() {
        crate::control_plane::BUILT_IN
    } else {
        "controller"
    };
    let entries = lab.plane.audit(user);
    let ours = |e: &&crate::audit::Entry| {
        e.kind() == "create pods" && e.object_ref.namespace == lab.namespace
    };
    entries.iter().filter(ours).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cascade_background_leaves_nothing() {
    let (lab, mut controller) = covered("cascade-background").await;
    lab.kubectl_ok(&["delete", "daemonset", "agent", "--cascade=background"])
        .await;
    until_nothing_is_left(&lab).await;
    assert_eq!(
        created(&lab),
        5,
        "no pod was made for a DaemonSet on its way out"
    );
    controller.expect_running();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cascade_foreground_leaves_nothing_and_nothing_comes_back_meanwhile() {
    let (lab, mut controller) = covered("cascade-foreground").await;
    lab.kubectl_ok(&[
        "delete",
        "daemonset",
        "agent",
        "--cascade=foreground",
        "--timeout=60s",
    ])
    .await;
    until_nothing_is_left(&lab).await;
    assert_eq!(
        created(&lab),
        5,
        "no pod was made for a DaemonSet on its way out"
    );
    controller.expect_running();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orphans_are_adopted_by_a_new_daemon_set_of_the_same_selector() {
    let (lab, _controller) = covered("cascade-orphan").await;
    let old = lab.pods().await;
    let revision = lab.revisions().await.remove(0);
    lab.kubectl_ok(&["delete", "daemonset", "agent", "--cascade=orphan"])
        .await;
    lab.until("the pods are orphans", SOON, async || {
        let owned = lab
            .pods()
            .await
            .iter()
            .filter(|pod| controller_of(pod).is_some())
            .count();
        same(owned, 0)
    })
    .await;
    let new = lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 5, SOON).await;
    let pods = lab.pods().await;
    let names = |pods: &[_]| {
        pods.iter()
            .map(|pod| name_of(pod).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(names(&pods), names(&old), "the same pods run on");
    for pod in &pods {
        assert_eq!(
            controller_of(pod),
            new.metadata.uid.as_deref(),
            "{} has the new owner",
            name_of(pod)
        );
    }
    let revisions = lab.revisions().await;
    assert_eq!(
        revisions.len(),
        1,
        "the revision is adopted too, not made anew"
    );
    assert_eq!(revisions[0].metadata.uid, revision.metadata.uid);
    let owner = &revisions[0]
        .metadata
        .owner_references
        .as_deref()
        .unwrap_or_default()[0];
    assert_eq!(Some(&owner.uid), new.metadata.uid.as_ref());
    assert_eq!(created(&lab), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_terminates_is_no_error() {
    let (lab, mut controller) = covered("terminating").await;
    // A pod that lingers keeps the namespace terminating while other pods go and must not be
    // replaced.
    let pods = lab.pods().await;
    lab.kubectl_ok(&[
        "annotate",
        "pod",
        name_of(&pods[0]),
        "sim.daemonset-controller.io/terminate-after=3s",
    ])
    .await;
    let finalizer = json!({ "metadata": { "finalizers": ["live.test/hold"] } });
    lab.patch("agent", &finalizer).await;
    lab.kubectl_ok(&["delete", "namespace", &lab.namespace, "--wait=false"])
        .await;
    lab.until("all pods are gone", SOON, async || {
        same(lab.pods().await.len(), 0)
    })
    .await;
    lab.patch("agent", &json!({ "metadata": { "finalizers": null } }))
        .await;
    lab.until("the namespace is gone", SOON, async || {
        same(
            lab.plane
                .kubectl(&["get", "namespace", &lab.namespace])
                .await
                .ok,
            false,
        )
    })
    .await;
    controller.expect_running();
    if !built_in() {
        let errors = controller.lines_with("ERROR");
        assert!(errors.is_empty(), "{errors:#?}");
    }
}
