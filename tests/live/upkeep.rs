//! Terminal pods, and pods whose labels are changed by hand.

use std::collections::BTreeSet;

use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::cluster::{Lab, SOON, controller_of, name_of, node_of, same};
use crate::controller::Controller;
use crate::referee::Referee;

/// Ends the pod as a kubelet would, once.
async fn end(lab: &Lab, name: &str, phase: &str) {
    let patch = json!({ "status": { "phase": phase } });
    let patched = lab
        .pod_api()
        .patch_status(name, &PatchParams::default(), &Patch::Merge(patch))
        .await;
    patched.unwrap_or_else(|error| panic!("cannot set the phase of {name}: {error}"));
}

async fn a_pod_that_ended_is_replaced(namespace: &str, phase: &str, reason: &str, message: &str) {
    let mut lab = Lab::shared(namespace).await;
    lab.add_nodes(1..=3).await;
    let _controller = Controller::start(&lab);
    let referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 3, SOON).await;
    let old = lab.pods().await.remove(0);
    end(&lab, name_of(&old), phase).await;
    let new = lab
        .until("a new pod in its place", SOON, async || {
            let pods = lab.pods().await;
            let there: Vec<_> = pods
                .into_iter()
                .filter(|pod| node_of(pod) == node_of(&old))
                .collect();
            same(there.len(), 1)?;
            let new = there.into_iter().next().expect("there is one");
            if new.metadata.uid == old.metadata.uid {
                Err("still the old one".to_owned())
            } else {
                Ok(new)
            }
        })
        .await;
    assert_ne!(name_of(&new), name_of(&old), "the successor has a new name");
    lab.until_covered("agent", 3, SOON).await;
    lab.until(&format!("event {reason}"), SOON, async || {
        let events = lab.events(reason).await;
        let messages: Vec<String> = events
            .iter()
            .filter_map(|event| event.message.clone())
            .collect();
        let wanted = message.replace("POD", &format!("{}/{}", lab.namespace, name_of(&old)));
        let wanted = wanted.replace("NODE", &node_of(&old));
        same(messages, vec![wanted])
    })
    .await;
    let events = lab.events(reason).await;
    let component = events[0]
        .source
        .as_ref()
        .and_then(|source| source.component.as_deref());
    assert_eq!(component, Some("daemonset-controller"));
    referee.finish().await.expect_clean(3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_pod_is_replaced_under_a_new_name() {
    let message = "Found failed daemon pod POD on node NODE, will try to kill it";
    a_pod_that_ended_is_replaced("failed", "Failed", "FailedDaemonPod", message).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_pod_is_replaced_under_a_new_name() {
    let message = "Found succeeded daemon pod POD on node NODE, will try to delete it";
    a_pod_that_ended_is_replaced("finished", "Succeeded", "SucceededDaemonPod", message).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_that_fail_at_once_are_replaced_ever_more_slowly() {
    let mut lab = Lab::shared("backoff").await;
    lab.add_nodes(1..=1).await;
    let _controller = Controller::start(&lab);
    let referee = Referee::start(lab.api.clone(), &lab.namespace).await;
    let mut set = lab.daemon_set("agent");
    set["spec"]["template"]["metadata"]["annotations"] =
        json!({ "sim.daemonset-controller.io/fail-after": "0s" });
    lab.create(&set).await;
    let started = std::time::Instant::now();
    // Pods 1 to 4 need waits of about 1, 2 and 4 seconds between them; without backoff it would be
    // a moment.
    let mut seen = BTreeSet::new();
    lab.until("four pods, one after another", SOON, async || {
        seen.extend(
            lab.pods()
                .await
                .iter()
                .filter_map(|pod| pod.metadata.uid.clone()),
        );
        if seen.len() < 4 {
            Err(format!("{} pods", seen.len()))
        } else {
            Ok(())
        }
    })
    .await;
    let took = started.elapsed().as_secs_f64();
    assert!(took > 2.5, "four pods within {took} s: that is no backoff");
    assert!(seen.len() < 6, "{} pods", seen.len());
    referee.finish().await.expect_clean(4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_relabelled_by_hand_is_released_and_replaced() {
    let mut lab = Lab::shared("release").await;
    lab.add_nodes(1..=3).await;
    let _controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 3, SOON).await;
    // Ages are compared by the second.
    let pods = lab.pods().await;
    let created = pods
        .iter()
        .filter_map(|pod| pod.metadata.creation_timestamp.as_ref())
        .map(|time| time.0.as_second());
    let newest = created.max().expect("pods have a creation time");
    lab.until("the next second", SOON, async || {
        same(jiff::Timestamp::now().as_second() > newest, true)
    })
    .await;

    let stolen = lab.pods().await.remove(1);
    let name = name_of(&stolen);
    lab.kubectl_ok(&["label", "pod", name, "app=debugging", "--overwrite"])
        .await;
    lab.until("it has no owner any more", SOON, async || {
        let pod = lab
            .pod_api()
            .get(name)
            .await
            .map_err(|error| error.to_string())?;
        same(controller_of(&pod), None)
    })
    .await;
    lab.until_covered("agent", 3, SOON).await;
    let pods = lab.until_pods(4, SOON).await;
    let there = pods
        .iter()
        .filter(|pod| node_of(pod) == node_of(&stolen))
        .count();
    assert_eq!(there, 2, "the released pod runs on beside its successor");

    // Labelled back, it is adopted again, and of the two on its node the older stays.
    lab.kubectl_ok(&["label", "pod", name, "app=agent", "--overwrite"])
        .await;
    lab.until_pods(3, SOON).await;
    lab.until_covered("agent", 3, SOON).await;
    let kept = lab
        .pod_api()
        .get(name)
        .await
        .expect("the older pod is kept");
    assert!(controller_of(&kept).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_of_another_owner_is_never_touched() {
    let mut lab = Lab::shared("foreign").await;
    lab.add_nodes(1..=2).await;
    // It matches the selector and sits on our node, but another kind of controller owns it.
    lab.apply(&format!(
        r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "owner", "namespace": "{}"}}}}"#,
        lab.namespace
    ))
    .await;
    let owner = lab
        .kubectl_ok(&[
            "get",
            "configmap",
            "owner",
            "-o",
            "jsonpath={.metadata.uid}",
        ])
        .await;
    let foreign = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "foreign", "namespace": lab.namespace, "labels": { "app": "agent" },
            "ownerReferences": [{ "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner, "controller": true }] },
        "spec": { "nodeName": lab.node_name(1), "containers": [{ "name": "c", "image": "none" }] },
    });
    lab.apply(&foreign.to_string()).await;
    let _controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 2, SOON).await;
    let pods = lab.until_pods(3, SOON).await;
    let foreign = pods
        .iter()
        .find(|pod| name_of(pod) == "foreign")
        .expect("the foreign pod is there");
    assert_eq!(controller_of(foreign), Some(owner.as_str()));
}
