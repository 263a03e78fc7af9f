//! Pods and revisions as the API server stores them, against those that the built-in controller
//! left there (`tests/data/samples`): equal in all that is not random.

use std::path::Path;

use serde_json::{Value, json};

use crate::cluster::{Lab, SOON, same};
use crate::control_plane::Component;
use crate::controller::Controller;

fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/samples")
        .join(name);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn sample_json(name: &str) -> Value {
    serde_json::from_str(&sample(name)).expect("the sample is JSON")
}

/// Takes out what is random or the API server's own, and checks that it was there.
fn without_what_is_random(mut object: Value) -> Value {
    let hash = object["metadata"]["labels"]["controller-revision-hash"].take();
    assert!(
        hash.as_str().is_some_and(|hash| !hash.is_empty()),
        "the hash label is missing: {object}"
    );
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for field in ["name", "uid", "resourceVersion", "creationTimestamp"] {
        assert!(metadata.remove(field).is_some(), "{field} is missing");
    }
    metadata.remove("managedFields");
    for owner in metadata["ownerReferences"].as_array_mut().expect("owners") {
        owner["uid"].take();
    }
    let object_fields = object.as_object_mut().expect("an object");
    for field in ["kind", "apiVersion", "status"] {
        object_fields.remove(field); // lists leave the first two out
    }
    object
}

/// For pods also: which node, and what scheduling added.
fn pod_without_what_is_random(pod: Value) -> Value {
    let mut pod = without_what_is_random(pod);
    pod["spec"]
        .as_object_mut()
        .expect("a spec")
        .remove("nodeName");
    if let Some(labels) = pod["metadata"]["labels"].as_object_mut() {
        labels.remove("topology.kubernetes.io/zone"); // put there by the binding
    }
    let terms = &mut pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let value = terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0].take();
    assert!(value.is_string(), "the pod is not pinned to a node");
    pod
}

async fn raw(lab: &Lab, path: &str) -> String {
    lab.plane
        .kubectl(&["get", "--raw", path])
        .await
        .expect_ok(path)
}

async fn raw_items(lab: &Lab, path: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(&raw(lab, path).await).expect("a list");
    list["items"].as_array().cloned().expect("items")
}

const PODS: &str = "/api/v1/namespaces/default/pods";
const REVISIONS: &str = "/apis/apps/v1/namespaces/default/controllerrevisions";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_and_revisions_are_stored_as_the_built_in_controller_stores_them() {
    let mut lab = Lab::alone_in_default("stored").await;
    let node = lab.node(1).label("topology.kubernetes.io/zone", "zone-1");
    lab.register(vec![node]).await;
    lab.plane.pause(Component::Scheduler); // so that pods stay as they were created
    let _controller = Controller::start(&lab);
    lab.apply(&sample("ds-basic.yaml")).await;
    let until_items = async |path: &str, wanted: usize| {
        lab.until(&format!("{wanted} items at {path}"), SOON, async || {
            let items = raw_items(&lab, path).await;
            same(items.len(), wanted).map(|()| items)
        })
        .await
    };
    let pod = until_items(PODS, 1).await.remove(0);
    let wanted = pod_without_what_is_random(sample_json("pod-before-scheduling.raw.json"));
    assert_eq!(
        pod["status"],
        json!({ "phase": "Pending", "qosClass": "Burstable" })
    );
    assert!(
        pod["metadata"]["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("web-"))
    );
    assert_eq!(pod_without_what_is_random(pod), wanted);

    // The revision, in value and in the very bytes of its data.
    let check = async |file: &str| {
        let list = lab.plane.kubernetes().template_of(&sample(file));
        let list: Value = serde_json::from_str(&list).expect("the sample is JSON");
        let wanted = list["items"].as_array().cloned().expect("items");
        let strip = |items: Vec<Value>| {
            let mut all: Vec<Value> = items.into_iter().map(without_what_is_random).collect();
            all.sort_by_key(|revision| revision["revision"].as_i64());
            all
        };
        let wanted = strip(wanted);
        lab.until(&format!("revisions as in {file}"), SOON, async || {
            same(strip(raw_items(&lab, REVISIONS).await), wanted.clone())
        })
        .await;
    };
    check("controllerrevisions-1.raw.json").await;
    let stored = raw(&lab, REVISIONS).await;
    let bytes = sample("controllerrevision.data.bin");
    let bytes = lab.plane.kubernetes().template_of(&bytes);
    assert!(
        stored.contains(&format!("\"data\":{}", bytes.trim_end())),
        "not these bytes: {stored}"
    );
    lab.kubectl_ok(&["set", "image", "daemonset/web", "c=registry.example/web:2"])
        .await;
    check("controllerrevisions-2-after-set-image.raw.json").await;
    lab.kubectl_ok(&["rollout", "undo", "daemonset/web"]).await;
    check("controllerrevisions-3-after-undo.raw.json").await;
    lab.kubectl_ok(&["delete", "daemonset", "web"]).await;
    until_items(PODS, 0).await;

    // Affinity and tolerations of its own, and host networking.
    let template = |name: &str, spec: Value| {
        let mut set = lab.daemon_set(name);
        set["spec"]["template"]["spec"] = spec;
        set["spec"]["template"]["spec"]["containers"] =
            json!([{ "name": "c", "image": format!("registry.example/{name}:1") }]);
        set
    };
    let affinity = template(
        "affin",
        json!({
            "nodeSelector": { "topology.kubernetes.io/zone": "zone-1" },
            "tolerations": [{ "key": "mine", "operator": "Exists" }],
            "affinity": { "nodeAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    { "weight": 1, "preference": { "matchExpressions": [{ "key": "kubernetes.io/os", "operator": "Exists" }] } }],
                "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
                    { "matchExpressions": [{ "key": "kubernetes.io/os", "operator": "In", "values": ["linux"] }] }] },
            } },
        }),
    );
    let host_network = template("hostnet", json!({ "hostNetwork": true }));
    for (set, file) in [
        (affinity, "pod-affin.json"),
        (host_network, "pod-hostnet.json"),
    ] {
        lab.create(&set).await;
        let pod = until_items(PODS, 1).await.remove(0);
        assert_eq!(
            pod_without_what_is_random(pod),
            pod_without_what_is_random(sample_json(file)),
            "{file}"
        );
        lab.kubectl_ok(&[
            "delete",
            "daemonset",
            set["metadata"]["name"].as_str().expect("a name"),
        ])
        .await;
        until_items(PODS, 0).await;
    }
    lab.plane.resume(Component::Scheduler);
}
