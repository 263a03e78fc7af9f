//! Metrics and health of the running binary agree with the state of the cluster.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::DaemonSet;
use kube::api::DeleteParams;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cluster::{Lab, SOON, same};
use crate::control_plane::free_port;
use crate::controller::{Controller, Launch, built_in};
use crate::openmetrics::{Exposition, parse};

/// The endpoints of a controller.
pub struct Endpoints(u16);

impl Endpoints {
    /// The code and the body; None while nobody answers.
    pub async fn ask(&self, path: &str) -> Option<(u16, String)> {
        let whole = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.0)).await.ok()?;
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            stream.write_all(request.as_bytes()).await.ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.ok()?;
            let (head, body) = answer.split_once("\r\n\r\n")?;
            let code = head.split(' ').nth(1)?.parse().ok()?;
            Some((code, body.to_owned()))
        };
        timeout(SOON, whole).await.expect("an answer in time")
    }

    pub async fn metrics(&self) -> Exposition {
        let (code, text) = self.ask("/metrics").await.expect("an answer");
        assert_eq!(code, 200, "{text}");
        parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
    }

    async fn code(&self, path: &str) -> Option<u16> {
        self.ask(path).await.map(|(code, _)| code)
    }
}

/// A controller with endpoints of its own.
pub fn start(lab: &Lab) -> (Controller, Endpoints) {
    let port = free_port();
    let launch = Launch::new(lab).arg("--bind-address=127.0.0.1");
    let controller = launch.arg(&format!("--http-port={port}")).start();
    (controller, Endpoints(port))
}

/// The counts in a DaemonSet's status, in the order of [`NAMES`].
fn counts(daemon_set: &DaemonSet) -> Vec<f64> {
    let status = daemon_set.status.clone().unwrap_or_default();
    let counts = [
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.number_available.unwrap_or(0),
        status.updated_number_scheduled.unwrap_or(0),
        status.number_misscheduled,
    ];
    counts.map(f64::from).to_vec()
}

const NAMES: [&str; 6] = [
    "desired",
    "current",
    "ready",
    "available",
    "updated",
    "misscheduled",
];

/// The metrics say of these DaemonSets what the API server does, and of no others anything.
async fn until_the_same(lab: &Lab, endpoints: &Endpoints, names: &[&str]) {
    lab.until("metrics and status are the same", SOON, async || {
        let metrics = endpoints.metrics().await;
        let rows = metrics.samples("daemonset_controller_desired_pods").count();
        same(rows, names.len())?;
        for name in names {
            let labels = [("namespace", &*lab.namespace), ("daemonset", name)];
            let seen: Vec<f64> = NAMES
                .map(|count| format!("daemonset_controller_{count}_pods"))
                .iter()
                .filter_map(|metric| metrics.get(metric, &labels))
                .collect();
            same((name, seen), (name, counts(&lab.get(name).await)))?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_say_what_the_api_server_says_through_creation_a_roll_and_deletion() {
    if built_in() {
        return; // its metrics are others
    }
    let mut lab = Lab::shared("metrics").await;
    lab.add_nodes(1..=8).await;
    let (_controller, endpoints) = start(&lab);
    let mut agent = lab.daemon_set("agent");
    agent["spec"]["updateStrategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2}});
    lab.create(&agent).await;
    let mut nowhere = lab.daemon_set("nowhere");
    nowhere["spec"]["template"]["spec"]["nodeSelector"] = json!({"no": "node"});
    lab.create(&nowhere).await;
    lab.until_covered("agent", 8, SOON).await;
    until_the_same(&lab, &endpoints, &["agent", "nowhere"]).await;

    // A node's pods are kept and no longer wanted.
    let taint = json!({"spec": {"taints": [{"key": "no-more", "effect": "NoSchedule"}]}});
    lab.patch_node(&lab.node_name(1), &taint).await;
    lab.until("one pod is misscheduled", SOON, async || {
        let status = lab.status("agent").await?;
        same(status.number_misscheduled, 1)?;
        same(status.desired_number_scheduled, 7)
    })
    .await;
    until_the_same(&lab, &endpoints, &["agent", "nowhere"]).await;

    let labels = [("namespace", &*lab.namespace), ("daemonset", "agent")];
    let stalls = json!({"spec": {"template": {"metadata": {"annotations": {
        "sim.daemonset-controller.io/ready-after": "never"}}}}});
    lab.patch("agent", &stalls).await;
    lab.until("the rollout is stuck", SOON, async || {
        let age = endpoints.metrics().await;
        let age = age.get("daemonset_controller_rollout_age_seconds", &labels);
        same(age > Some(2.0), true)
    })
    .await;
    until_the_same(&lab, &endpoints, &["agent", "nowhere"]).await;
    let metrics = endpoints.metrics().await;
    let stuck = metrics.get("daemonset_controller_rollout_stuck", &labels);
    assert_eq!(stuck, Some(0.0), "not for so short a time");
    let mends = json!({"spec": {"template": {"metadata": {"annotations": {
        "sim.daemonset-controller.io/ready-after": null}}}}});
    lab.patch("agent", &mends).await;
    lab.until("the rollout has ended", SOON, async || {
        let age = endpoints.metrics().await;
        let age = age.get("daemonset_controller_rollout_age_seconds", &labels);
        same(age, Some(0.0))
    })
    .await;
    until_the_same(&lab, &endpoints, &["agent", "nowhere"]).await;

    // As many pods were created and deleted as the audit log says, and as many requests answered.
    let metrics = endpoints.metrics().await;
    let entries = lab.plane.audit("controller");
    let audited = |kind: &str, code: u16| {
        let ours = |e: &&crate::audit::Entry| {
            e.kind() == kind
                && e.object_ref.namespace == lab.namespace
                && e.response_status.code == code
        };
        entries.iter().filter(ours).count() as f64
    };
    let requests = |verb: &str| {
        let labels = [("verb", verb), ("resource", "pods"), ("outcome", "ok")];
        metrics.sum("daemonset_controller_api_requests_total", &labels)
    };
    let actions =
        |action: &str| metrics.sum("daemonset_controller_actions_total", &[("action", action)]);
    // Two of eight were replaced before it stood still, and again when the first template was the
    // current one again.
    assert!(audited("create pods", 201) >= 8.0 + 2.0 + 2.0);
    assert_eq!(requests("create"), audited("create pods", 201));
    assert_eq!(actions("create"), audited("create pods", 201));
    assert_eq!(requests("delete"), audited("delete pods", 200));
    assert_eq!(actions("delete"), audited("delete pods", 200));

    let daemon_sets = lab.daemon_sets();
    let gone = daemon_sets.delete("agent", &DeleteParams::default()).await;
    gone.expect("it goes");
    until_the_same(&lab, &endpoints, &["nowhere"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_server_that_is_away_makes_the_process_unready_at_the_start_and_never_dead() {
    if built_in() {
        return;
    }
    let mut lab = Lab::alone("away").await;
    lab.add_nodes(1..=3).await;
    lab.create(&lab.daemon_set("agent")).await;
    lab.plane.kill_api_server();
    let (mut controller, endpoints) = start(&lab);
    lab.until("it says that nobody listens", SOON, async || {
        same(
            controller.lines_with("connection refused").is_empty(),
            false,
        )
    })
    .await;
    assert_eq!(endpoints.code("/healthz").await, Some(200));
    let (code, body) = endpoints.ask("/readyz").await.expect("an answer");
    assert_eq!(code, 500);
    assert!(body.starts_with("[-]cache-DaemonSet failed: "), "{body}");

    lab.plane.start_api_server().await;
    lab.until("it is ready", SOON, async || {
        same(endpoints.code("/readyz").await, Some(200))
    })
    .await;
    let (_, body) = endpoints.ask("/readyz?verbose").await.expect("an answer");
    for kind in ["DaemonSet", "Node", "ControllerRevision", "Pod"] {
        assert!(body.contains(&format!("[+]cache-{kind} ok\n")), "{body}");
    }
    lab.until_covered("agent", 3, SOON).await;
    until_the_same(&lab, &endpoints, &["agent"]).await;

    lab.plane.kill_api_server();
    let ages = "daemonset_controller_watch_age_seconds";
    lab.until("all watches are old", SOON, async || {
        assert_eq!(endpoints.code("/healthz").await, Some(200));
        assert_eq!(endpoints.code("/readyz").await, Some(200));
        let metrics = endpoints.metrics().await;
        same(metrics.samples(ages).all(|s| s.value > 10.0), true)
    })
    .await;
    let back = Instant::now();
    lab.plane.start_api_server().await;
    lab.until("all watches are younger than that", SOON, async || {
        let metrics = endpoints.metrics().await;
        let since = back.elapsed().as_secs_f64();
        same(metrics.samples(ages).all(|s| s.value < since), true)
    })
    .await;
    // At the end the endpoints go with the process, and not before.
    assert_eq!(endpoints.code("/healthz").await, Some(200));
    let ended = controller.terminate(Duration::from_secs(12)).await;
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
    assert_eq!(endpoints.code("/healthz").await, None);
}
