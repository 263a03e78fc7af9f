//! The actors of the simulated cluster, on the simulated API server, in virtual time.

use std::time::Duration;

use daemonset_controller::sim::actors::actor::{self, ActorOptions};
use daemonset_controller::sim::actors::{
    garbage, namespace, node_lifecycle, pod_garbage, scheduler, taint_eviction,
};
use daemonset_controller::sim::api::resource::{
    CONTROLLER_REVISIONS, DAEMON_SETS, NAMESPACES, NODES, PODS,
};

use daemonset_controller::sim::api::{ApiServer, Gate, Resource};
use daemonset_controller::sim::kubelets::{self as kubelet, KubeletOptions, Kubelets, NodeSpec};
use kube::api::DeleteParams;
use kube::core::Request;
use serde_json::{Value, json};

struct Cluster {
    server: ApiServer,
    user: kube::Client,
    /// Where all that is created goes.
    namespace: &'static str,
}

impl Cluster {
    fn new() -> Self {
        let server = ApiServer::new(Default::default());
        let user = server.client("user");
        Cluster {
            server,
            user,
            namespace: "default",
        }
    }

    fn options(&self) -> ActorOptions {
        ActorOptions {
            in_flight: 16,
            clock: self.server.clock(),
        }
    }

    fn kubelets(&self, heartbeat: Option<u64>) -> KubeletOptions {
        KubeletOptions {
            clock: self.server.clock(),
            heartbeat: heartbeat.map(Duration::from_secs),
            ..KubeletOptions::new("test")
        }
    }

    /// Nodes and their kubelets.
    async fn nodes(&self, names: &[&str], heartbeat: Option<u64>) -> Kubelets {
        let options = self.kubelets(heartbeat);
        let mut kubelets = Kubelets::start(self.server.client("kubelet"), options);
        let specs = names.iter().map(|name| NodeSpec::new(*name));
        kubelets.register(specs).await.unwrap();
        kubelets
    }

    async fn create(&self, resource: &Resource, body: Value) -> Value {
        let namespace = if resource.namespaced {
            self.namespace
        } else {
            ""
        };
        let body = body.to_string().into_bytes();
        let request = Request::new(resource.path(namespace));
        let request = request.create(&Default::default(), body).unwrap();
        self.user.request(request).await.unwrap()
    }

    async fn pod(&self, name: &str, spec: Value, owners: Value) -> Value {
        let mut spec = spec;
        spec["schedulerName"] = json!("default-scheduler");
        if spec["containers"].is_null() {
            spec["containers"] = json!([{ "name": "a", "image": "a" }]);
        }
        let metadata =
            json!({ "name": name, "namespace": self.namespace, "ownerReferences": owners });
        let body = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec });
        self.create(&PODS, body).await
    }

    /// A DaemonSet and the reference of what it owns.
    async fn daemon_set(&self, name: &str) -> Value {
        let labels = json!({ "app": name });
        let made = self
            .create(
                &DAEMON_SETS,
                json!({
                    "apiVersion": "apps/v1", "kind": "DaemonSet",
                    "metadata": { "name": name, "namespace": self.namespace },
                    "spec": {
                        "selector": { "matchLabels": labels },
                        "template": {
                            "metadata": { "labels": labels },
                            "spec": { "containers": [{ "name": "a", "image": "a" }] },
                        },
                    },
                }),
            )
            .await;
        json!([{
            "apiVersion": "apps/v1", "kind": "DaemonSet", "name": name, "uid": made["metadata"]["uid"],
            "controller": true, "blockOwnerDeletion": true,
        }])
    }

    async fn revision(&self, name: &str, owners: &Value) {
        let metadata =
            json!({ "name": name, "namespace": self.namespace, "ownerReferences": owners });
        let body = json!({
            "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata,
            "revision": 1, "data": {},
        });
        self.create(&CONTROLLER_REVISIONS, body).await;
    }

    async fn delete(&self, resource: &Resource, name: &str, params: DeleteParams) {
        let namespace = if resource.namespaced {
            self.namespace
        } else {
            ""
        };
        let request = Request::new(resource.path(namespace))
            .delete(name, &params)
            .unwrap();
        self.user.request_text(request).await.unwrap();
    }

    fn get_pod(&self, name: &str) -> Option<Value> {
        self.server.get(&PODS, self.namespace, name)
    }

    fn count(&self, resource: &Resource) -> usize {
        self.server.all(resource).len()
    }

    /// Gives the actors this much time; it costs none.
    async fn after(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn taints(&self, node: &str) -> Vec<String> {
        let node = self.server.get(&NODES, "", node).unwrap();
        let taints = node["spec"]["taints"].as_array().cloned();
        let said = |t: &Value| {
            let key = t["key"].as_str().unwrap().to_owned();
            let key = key.replace("node.kubernetes.io/", "");
            format!("{key}:{}", t["effect"].as_str().unwrap())
        };
        taints.iter().flatten().map(said).collect()
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let all = object["status"]["conditions"].as_array();
    all.and_then(|all| all.iter().find(|c| c["type"] == kind))
        .unwrap_or(&Value::Null)
}

#[tokio::test(start_paused = true)]
async fn pods_are_scheduled_run_or_wait_until_there_is_room() {
    let cluster = Cluster::new();
    let _scheduler = scheduler::start(cluster.server.client("scheduler"), cluster.options());
    let _kubelets = cluster.nodes(&["n0"], None).await;
    let cpu = |cpu: &str| {
        json!({ "containers": [{
            "name": "a", "image": "a", "resources": { "requests": { "cpu": cpu } },
        }] })
    };
    cluster.pod("first", cpu("20"), json!([])).await;
    cluster.pod("second", cpu("20"), json!([])).await;
    cluster.after(2).await;
    assert_eq!(
        cluster.get_pod("first").unwrap()["status"]["phase"],
        "Running"
    );
    let waiting = cluster.get_pod("second").unwrap();
    let why = condition(&waiting, "PodScheduled");
    assert_eq!(
        (&why["status"], &why["reason"]),
        (&json!("False"), &json!("Unschedulable"))
    );
    let message = why["message"].as_str().unwrap();
    assert!(
        message.starts_with("0/1 nodes are available: 1 Insufficient cpu."),
        "{message}"
    );
    let writes = cluster.server.requests(|entry| entry.is_write()).len();
    cluster.after(60).await;
    let later = cluster.server.requests(|entry| entry.is_write()).len();
    assert_eq!(later, writes, "it is said once");
    cluster
        .delete(&PODS, "first", DeleteParams::default())
        .await;
    cluster.after(2).await;
    assert_eq!(cluster.get_pod("first"), None);
    assert_eq!(
        cluster.get_pod("second").unwrap()["status"]["phase"],
        "Running"
    );
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_that_is_switched_off_binds_nothing_and_a_new_one_does() {
    let cluster = Cluster::new();
    let _kubelets = cluster.nodes(&["n0"], None).await;
    let running = scheduler::start(cluster.server.client("scheduler"), cluster.options());
    cluster.after(1).await;
    drop(running);
    cluster.pod("p", json!({}), json!([])).await;
    cluster.after(10).await;
    assert!(cluster.get_pod("p").unwrap()["spec"]["nodeName"].is_null());
    let _running = scheduler::start(cluster.server.client("scheduler"), cluster.options());
    cluster.after(1).await;
    assert_eq!(cluster.get_pod("p").unwrap()["spec"]["nodeName"], "n0");
}

#[tokio::test(start_paused = true)]
async fn three_ways_to_delete_an_owner() {
    for (params, left, gone_at_once) in [
        (DeleteParams::background(), 0, true),
        (DeleteParams::foreground(), 0, false),
        (DeleteParams::orphan(), 3, false),
    ] {
        let cluster = Cluster::new();
        let owner = cluster.daemon_set("d").await;
        for pod in ["p", "q"] {
            cluster.pod(pod, json!({}), owner.clone()).await;
        }
        cluster.revision("r", &owner).await;
        let why = format!("{params:?}");
        let _garbage = garbage::start(cluster.server.client("garbage"), cluster.options());
        cluster.after(5).await;
        assert_eq!(cluster.count(&PODS), 2, "{why}: nothing to do yet");
        cluster.delete(&DAEMON_SETS, "d", params).await;
        assert_eq!(cluster.count(&DAEMON_SETS) == 0, gone_at_once, "{why}");
        cluster.after(5).await;
        assert_eq!(cluster.count(&DAEMON_SETS), 0, "{why}");
        let dependents = cluster.count(&PODS) + cluster.count(&CONTROLLER_REVISIONS);
        assert_eq!(dependents, left, "{why}");
        for pod in cluster.server.pods() {
            let owners = pod["metadata"]["ownerReferences"].as_array();
            assert!(owners.is_none_or(Vec::is_empty), "{pod}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_node_is_tainted_its_pods_go_in_time_and_it_comes_back() {
    let cluster = Cluster::new();
    let lifecycle = node_lifecycle::NodeLifecycleOptions::new(cluster.options());
    let _lifecycle = node_lifecycle::start(cluster.server.client("lifecycle"), lifecycle);
    let _eviction = taint_eviction::start(cluster.server.client("eviction"), cluster.options());
    let _kubelets = cluster.nodes(&["n0"], Some(10)).await;
    let bound = |tolerations: Value| json!({ "nodeName": "n0", "tolerations": tolerations });
    let exists = |seconds: Value| {
        bound(
            json!([{ "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds }]),
        )
    };
    cluster.pod("stays", exists(json!(null)), json!([])).await;
    cluster.pod("later", exists(json!(30)), json!([])).await;
    cluster.pod("goes", exists(json!(0)), json!([])).await;
    cluster.after(300).await;
    assert_eq!(cluster.taints("n0"), [""; 0], "leases are renewed");
    let silence = |value: Value| {
        let key = "sim.daemonset-controller.io/silent";
        cluster.server.meddle(&NODES, "", "n0", move |mut node| {
            node["metadata"]["annotations"][key] = value;
            Some(node)
        });
    };
    silence(json!("true"));
    cluster.after(35).await;
    assert_eq!(cluster.taints("n0"), [""; 0], "within the grace period");
    cluster.after(30).await;
    assert_eq!(
        cluster.taints("n0"),
        ["unreachable:NoSchedule", "unreachable:NoExecute"]
    );
    let deleting = |name| {
        let pod = cluster.get_pod(name).unwrap();
        assert_eq!(condition(&pod, "Ready")["status"], "False", "{pod}");
        pod["metadata"]["deletionTimestamp"].is_string()
    };
    assert_eq!(
        ["stays", "later", "goes"].map(deleting),
        [false, false, true]
    );
    cluster.after(30).await;
    assert_eq!(
        ["stays", "later", "goes"].map(deleting),
        [false, true, true]
    );
    silence(json!("false"));
    cluster.after(15).await;
    assert_eq!(cluster.taints("n0"), [""; 0]);
    assert_eq!(cluster.count(&PODS), 1);
    let pod = cluster.get_pod("stays").unwrap();
    assert_eq!(condition(&pod, "Ready")["status"], "True");
}

/// Somebody says Failed while the pod's kubelet, which has not heard of it, is about to say Ready.
#[tokio::test(start_paused = true)]
async fn a_kubelet_does_not_bring_a_failed_pod_back_to_life() {
    let cluster = Cluster::new();
    let _kubelets = cluster.nodes(&["n0"], None).await;
    let annotation = "sim.daemonset-controller.io/ready-after";
    cluster.server.meddle(&NODES, "", "n0", |mut node| {
        node["metadata"]["annotations"][annotation] = json!("5s");
        Some(node)
    });
    let here = json!({ "nodeName": "n0" });
    cluster.pod("a", here, json!([])).await;
    cluster.after(2).await;
    let phase = || cluster.get_pod("a").unwrap()["status"]["phase"].clone();
    assert_eq!(phase(), "Running");
    cluster.server.gate("kubelet", &PODS, Some(Gate::Shut));
    cluster.server.meddle(&PODS, "default", "a", |mut pod| {
        pod["status"]["phase"] = json!("Failed");
        Some(pod)
    });
    cluster.after(20).await;
    assert_eq!(phase(), "Failed");
    let tries = || cluster.server.requests(|e| e.is_for("PATCH", "pods")).len();
    let tried = tries();
    cluster.server.gate("kubelet", &PODS, None);
    cluster.after(20).await;
    assert_eq!((phase(), tries()), (json!("Failed"), tried));
}

#[tokio::test(start_paused = true)]
async fn pods_of_a_node_that_is_gone_are_removed_after_the_quarantine() {
    let cluster = Cluster::new();
    let _garbage = pod_garbage::start(cluster.server.client("pod-garbage"), cluster.options());
    let _kubelets = cluster.nodes(&["n0"], None).await;
    cluster
        .pod("p", json!({ "nodeName": "n0" }), json!([]))
        .await;
    cluster.after(60).await;
    assert_eq!(cluster.count(&PODS), 1);
    cluster.delete(&NODES, "n0", DeleteParams::default()).await;
    cluster.after(38).await;
    assert_eq!(cluster.count(&PODS), 1);
    cluster.after(5).await;
    assert_eq!(cluster.count(&PODS), 0);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_terminates() {
    let mut cluster = Cluster::new();
    cluster.namespace = "team";
    let body = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "team" },
        "spec": { "finalizers": ["kubernetes"] },
    });
    cluster.create(&NAMESPACES, body).await;
    let _controller = namespace::start(cluster.server.client("namespace"), cluster.options());
    let _kubelets = cluster.nodes(&["n0"], None).await;
    let owner = cluster.daemon_set("d").await;
    cluster.revision("r", &owner).await;
    cluster.pod("p", json!({ "nodeName": "n0" }), owner).await;
    cluster.after(5).await;
    cluster
        .delete(&NAMESPACES, "team", DeleteParams::default())
        .await;
    cluster.after(10).await;
    for resource in [&PODS, &DAEMON_SETS, &CONTROLLER_REVISIONS] {
        assert_eq!(cluster.count(resource), 0, "{}", resource.plural);
    }
    assert_eq!(cluster.server.get(&NAMESPACES, "", "team"), None);
    assert!(cluster.server.get(&NAMESPACES, "", "kube-system").is_some());
}

#[tokio::test(start_paused = true)]
async fn step_by_step() {
    let cluster = Cluster::new();
    // The kubelets that register the node are dropped: steps take their place.
    drop(cluster.nodes(&["n0"], None).await);
    let clock = cluster.server.clock();
    let kubelets = cluster.kubelets(None);
    let mut scheduler = scheduler::Scheduler::default();
    for pod in ["p", "q"] {
        cluster.pod(pod, json!({}), json!([])).await;
    }
    let mut said = Vec::new();
    for _ in 0..3 {
        said.push(
            actor::step(&cluster.user, &mut scheduler, &clock)
                .await
                .unwrap(),
        );
    }
    for _ in 0..3 {
        said.push(kubelet::step(&cluster.user, &kubelets).await.unwrap());
    }
    cluster.delete(&PODS, "p", DeleteParams::default()).await;
    for _ in 0..3 {
        said.push(kubelet::step(&cluster.user, &kubelets).await.unwrap());
    }
    let expected = [
        Some("bind Pod default/p to n0"),
        Some("bind Pod default/q to n0"),
        None,
        Some("Pod default/p on n0 runs and is ready"),
        Some("Pod default/q on n0 runs and is ready"),
        None,
        Some("Pod default/p on n0 has ended"),
        Some("Pod default/p on n0 is removed"),
        None,
    ];
    assert_eq!(said, expected.map(|line| line.map(str::to_owned)));
}

/// Everything at once: pods come, are bound, run; their owner goes, and they do.
async fn a_busy_minute() -> String {
    let cluster = Cluster::new();
    let _scheduler = scheduler::start(cluster.server.client("scheduler"), cluster.options());
    let _garbage = garbage::start(cluster.server.client("garbage"), cluster.options());
    let _kubelets = cluster.nodes(&["n0", "n1", "n2"], Some(10)).await;
    let owner = cluster.daemon_set("d").await;
    for number in 0..60 {
        let name = format!("p{number:02}");
        cluster.pod(&name, json!({}), owner.clone()).await;
    }
    cluster.after(10).await;
    let running = cluster.server.pods();
    assert!(
        running
            .iter()
            .all(|pod| pod["status"]["phase"] == "Running")
    );
    let background = DeleteParams::background();
    cluster.delete(&DAEMON_SETS, "d", background).await;
    cluster.after(50).await;
    assert_eq!(cluster.count(&PODS), 0);
    let owner_reads = cluster
        .server
        .requests(|entry| entry.method == "GET" && entry.path.ends_with("/daemonsets/d"));
    assert_eq!(owner_reads.len(), 1, "an owner that is gone is read once");
    cluster.server.log_text()
}

#[test]
fn the_same_events_lead_to_the_same_requests_in_the_same_order() {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(a_busy_minute())
    };
    let first = run();
    for (one, other) in first.lines().zip(run().lines()) {
        assert_eq!(one, other);
    }
    assert_eq!(first, run());
}
