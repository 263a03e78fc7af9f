//! Pods: what is filled in, what is refused, binding.

use serde_json::{Value, json};

use crate::differential::objects::{binding, node, options, pod, pod_on, with, without};
use crate::differential::step::*;

fn bind(name: &str, binding: Value) -> Step {
    create(&format!("{PODS}/{name}/binding"), binding)
}

pub fn all() -> Vec<Sequence> {
    let spec = |name: &str, pointer: &str, value: Value| {
        create(PODS, with(pod(name), &format!("/spec{pointer}"), value))
    };
    vec![
        sequence("binding", [
            create(PODS, pod("a")).save("a"),
            bind("a", binding("a", "n")),
            get(PODS, "a"),
            bind("a", binding("a", "n")),
            bind("a", binding("a", "m")),
            bind("b", binding("b", "n")),
            create(PODS, pod("c")).save("c"),
            bind("c", binding("other", "n")),
            bind("c", binding("c", "")),
            bind("c", with(binding("c", "n"), "/target/kind", json!("Pod"))),
            bind("c", without(binding("c", "n"), "/target/kind")),
            get(PODS, "c"),
            create(PODS, pod("d")).save("d"),
            bind("d", without(binding("d", "n"), "/target")),
            bind("d", with(binding("d", "n"), "/metadata/uid", json!("<a.uid>"))),
            bind("d", with(binding("d", "n"), "/metadata/resourceVersion", json!("1"))),
            bind("d", with(binding("d", "n"), "/metadata/uid", json!("<d.uid>"))),
            get(PODS, "d"),
        ]),
        sequence("binding brings annotations and conditions", [
            create(NODES, with(node("<ns>-n"), "/metadata/labels", json!({
                "topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r", "kubernetes.io/hostname": "h", "x": "y",
            }))),
            create(PODS, pod("a")),
            strategic(PODS, "a", json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}})).sub("status"),
            bind("a", with(with(binding("a", "<ns>-n"), "/metadata/annotations", json!({"by": "binding"})), "/metadata/labels", json!({"lab": "el"}))),
            get(PODS, "a"),
            create("/api/v1/namespaces/<ns>/bindings", binding("b", "n")),
            create(PODS, pod("b")),
            create("/api/v1/namespaces/<ns>/bindings", binding("b", "n")),
            get(PODS, "b"),
            get(PODS, "b").sub("binding"),
            request("PUT", &format!("{PODS}/b/binding")).json(binding("b", "n")),
        ]),
        sequence("binding what goes or waits", [
            create(PODS, with(pod("a"), "/metadata/finalizers", json!(["x.y/hold"]))),
            delete(PODS, "a"),
            bind("a", binding("a", "n")),
            create(PODS, with(pod("b"), "/spec/schedulingGates", json!([{"name": "x.y/gate"}]))),
            bind("b", binding("b", "n")),
            merge(PODS, "b", json!({"spec": {"schedulingGates": null}})),
            bind("b", binding("b", "n")),
            create(PODS, pod("c")),
            strategic(PODS, "c", json!({"status": {"phase": "Failed"}})).sub("status"),
            bind("c", binding("c", "n")),
            merge(PODS, "a", json!({"metadata": {"finalizers": null}})),
        ]),
        sequence("what is filled into a pod", [
            create(PODS, json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
                "spec": {
                    "initContainers": [{"name": "init", "image": "i", "restartPolicy": "Always"}],
                    "containers": [{
                        "name": "main", "image": "registry/image@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
                        "ports": [{"containerPort": 80}],
                        "env": [{"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
                        "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
                        "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
                        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                    }],
                    "volumes": [{"name": "v", "hostPath": {"path": "/v"}}, {"name": "w", "configMap": {"name": "c"}}, {"name": "e", "emptyDir": {}}],
                },
            })),
            spec("b", "/containers/0/image", json!("image")),
            spec("c", "/hostNetwork", json!(true)),
            create(PODS, with(with(pod("d"), "/spec/hostNetwork", json!(true)), "/spec/containers/0/ports", json!([{"containerPort": 81}]))),
            spec("e", "/tolerations", json!([{"operator": "Exists"}])),
            spec("f", "/tolerations", json!([{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}])),
            spec("g", "/priorityClassName", json!("system-node-critical")),
            spec("h", "/priorityClassName", json!("none-such")),
            spec("i", "/priority", json!(5)),
            spec("j", "/containers/0/resources", json!({"requests": {"cpu": "100m"}})),
            spec("k", "/containers/0/resources", json!({"requests": {"cpu": "0.5", "memory": "1048576Ki"}, "limits": {"cpu": "500m", "memory": "1Gi"}})),
            spec("l", "/restartPolicy", json!("OnFailure")),
            spec("m", "/overhead", json!({"cpu": "1"})),
            spec("n", "/serviceAccountName", json!("robot")),
            spec("o", "/serviceAccount", json!("robot")),
        ]),
        sequence("pods that are refused", [
            create(PODS, without(pod("a"), "/spec")),
            spec("a", "/containers", json!([])),
            spec("a", "/containers", json!([{"name": "main"}])),
            spec("a", "/containers", json!([{"image": "i"}])),
            spec("a", "/containers", json!([{"name": "A", "image": "i"}])),
            spec("a", "/containers", json!([{"name": "a", "image": "i"}, {"name": "a", "image": "j"}])),
            spec("a", "/restartPolicy", json!("Sometimes")),
            spec("a", "/dnsPolicy", json!("Odd")),
            spec("a", "/nodeName", json!("Bad Name")),
            spec("a", "/nodeSelector", json!({"a b": "c"})),
            spec("a", "/tolerations", json!([{"key": "k", "operator": "Odd"}])),
            spec("a", "/tolerations", json!([{"operator": "Equal"}])),
            spec("a", "/tolerations", json!([{"key": "k", "operator": "Exists", "value": "v"}])),
            spec("a", "/tolerations", json!([{"key": "k", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 5}])),
            spec("a", "/terminationGracePeriodSeconds", json!(-5)),
            spec("a", "/activeDeadlineSeconds", json!(0)),
            spec("a", "/containers/0/imagePullPolicy", json!("Odd")),
            spec("a", "/containers/0/resources", json!({"limits": {"cpu": "-1"}})),
            spec("a", "/containers/0/resources", json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})),
            spec("a", "/containers/0/resources", json!({"limits": {"cpu": "much"}})),
            spec("a", "/containers/0/volumeMounts", json!([{"name": "nothing", "mountPath": "/x"}])),
            spec("a", "/containers/0/ports", json!([{"containerPort": 0}])),
            spec("a", "/containers/0/ports", json!([{"containerPort": 70000, "protocol": "ODD"}])),
            spec("a", "/affinity", json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}})),
            spec("a", "/affinity", json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "k", "operator": "In"}]}]}}})),
            create(PODS, with(with(pod("Bad"), "/spec/restartPolicy", json!("Odd")), "/spec/containers/0/name", json!("_"))),
            spec("a", "/containers", json!("text")),
            spec("a", "/containers/0/image", json!(5)),
        ]),
        sequence("pods that end", [
            create(PODS, pod_on("n", "a")),
            strategic(PODS, "a", json!({"status": {"phase": "Succeeded"}})).sub("status"),
            strategic(PODS, "a", json!({"status": {"phase": "Running"}})).sub("status"),
            get(PODS, "a"),
            create(PODS, pod_on("n", "b")),
            strategic(PODS, "b", json!({"status": {"phase": "Failed", "reason": "Evicted"}})).sub("status"),
            list(PODS).query("fieldSelector", "status.phase=Failed"),
            strategic(PODS, "b", json!({"metadata": {"labels": {"l": "1"}}})),
        ]),
        sequence("a pod's end as a kubelet reports it", [
            create(PODS, pod_on("n", "a")).save("a"),
            delete(PODS, "a"),
            strategic(PODS, "a", json!({"metadata": {"uid": "<a.uid>"}, "status": {
                "phase": "Succeeded", "conditions": [{"type": "Ready", "status": "False", "reason": "PodCompleted"}],
            }})).sub("status"),
            delete(PODS, "a").json(options(json!({"gracePeriodSeconds": 0, "preconditions": {"uid": "<a.uid>"}}))),
            get(PODS, "a"),
            strategic(PODS, "a", json!({"metadata": {"uid": "<a.uid>"}, "status": {"phase": "Succeeded"}})).sub("status"),
        ]),
        sequence("a pod's tolerations, labels and owners change", [
            create(PODS, with(pod_on("n", "a"), "/spec/tolerations", json!([{"key": "k", "operator": "Exists"}]))).save("a"),
            strategic(PODS, "a", json!({"spec": {"tolerations": []}})),
            merge(PODS, "a", json!({"spec": {"tolerations": [{"operator": "Exists"}]}})),
            merge(PODS, "a", json!({"metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "<a.uid>", "controller": true}]}})),
            strategic(PODS, "a", json!({"metadata": {"ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "e", "uid": "u2", "controller": true}]}})),
            strategic(PODS, "a", json!({"metadata": {"uid": "<a.uid>", "ownerReferences": [{"$patch": "delete", "uid": "<a.uid>"}]}})),
            merge(PODS, "a", json!({"spec": {"restartPolicy": "Never"}})),
            merge(PODS, "a", json!({"spec": {"containers": [{"name": "main", "image": ""}]}})),
        ]),
    ]
}
