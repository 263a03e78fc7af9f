//! The simulated kubelets: which writes they make to pods and nodes, in which order, and when.
//! `kubelet_recordings` holds the same against real ones.

use std::time::Duration;

use daemonset_controller::sim::api::resource::{NODES, PODS};
use daemonset_controller::sim::api::store::Change;
use daemonset_controller::sim::cluster::{Cluster, Part};
use daemonset_controller::sim::kubelets::script::PREFIX;
use daemonset_controller::sim::kubelets::{Detail, Linger};
use serde_json::{Value, json};

const BOTH: [Detail; 2] = [Detail::Short, Detail::Full];

/// A node with its kubelet.
fn cluster(detail: Detail) -> Cluster {
    let mut cluster = Cluster::new(1);
    cluster.detail = detail;
    let mut cluster = cluster.with(&[Part::Kubelets]);
    cluster.add_nodes(1);
    cluster
}

/// A pod on the node, with these annotations.
fn create(cluster: &Cluster, name: &str, script: &[(&str, &str)]) {
    let mut pod = json!({
        "metadata": { "name": name, "namespace": "default" },
        "spec": { "nodeName": "n0", "containers": [{ "name": "a", "image": "a" }] },
    });
    for (key, value) in script {
        pod["metadata"]["annotations"][format!("{PREFIX}{key}")] = json!(value);
    }
    cluster.create(&PODS, &pod).expect("it is created");
}

fn delete(cluster: &Cluster, name: &str) {
    let deleted = cluster.delete(&PODS, "default", name, &Value::Null);
    deleted.expect("it is there");
}

fn annotate(cluster: &Cluster, key: &str, value: Value) {
    let patch = json!({ "metadata": { "annotations": { (format!("{PREFIX}{key}")): value } } });
    cluster.patch(&NODES, "", "n0", &patch).expect("a node");
}

async fn after(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// What a write left: when, and of the pod what tests ask for.
struct Write {
    at: Duration,
    gone: bool,
    pod: Value,
}

impl Write {
    fn phase(&self) -> &str {
        self.pod["status"]["phase"].as_str().unwrap_or("")
    }

    fn condition(&self, kind: &str) -> &Value {
        let all = self.pod["status"]["conditions"].as_array();
        let mut all = all.into_iter().flatten();
        all.find(|c| c["type"] == kind).unwrap_or(&Value::Null)
    }

    fn is(&self, kind: &str) -> bool {
        self.condition(kind)["status"] == "True"
    }

    /// The state of its container in a few words.
    fn container(&self) -> String {
        let status = &self.pod["status"]["containerStatuses"][0];
        let state = status["state"].as_object().and_then(|s| s.iter().next());
        let Some((kind, of)) = state else {
            return "none".to_owned();
        };
        let of = of["reason"].as_str().unwrap_or(kind);
        format!("{of} {}", status["restartCount"])
    }
}

/// All that was written to a pod.
fn writes(cluster: &Cluster, name: &str) -> Vec<Write> {
    cluster.server.read(|store| {
        let all = store.history(&PODS).iter();
        let of_pod = all.filter(|w| w.object["metadata"]["name"] == name);
        let write = of_pod.map(|w| Write {
            at: w.at,
            gone: w.change == Change::Deleted,
            pod: (*w.object).clone(),
        });
        write.collect()
    })
}

/// The last write before the first that is so, and all from that one on.
fn split(writes: &[Write], is_later: impl Fn(&Write) -> bool) -> (&Write, &[Write]) {
    let first = writes.iter().position(is_later).expect("there is one");
    (&writes[first - 1], &writes[first..])
}

fn is_terminal(write: &Write) -> bool {
    ["Failed", "Succeeded"].contains(&write.phase())
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_gets_a_terminal_phase_before_it_is_removed_and_is_ready_until_then() {
    for detail in BOTH {
        let cluster = cluster(detail);
        for n in 0..30 {
            let name = format!("p{n}");
            let code = if n % 2 == 0 { "0" } else { "7" };
            create(
                &cluster,
                &name,
                &[("terminate-after", "2s"), ("exit-code", code)],
            );
        }
        after(2_000).await;
        (0..30).for_each(|n| delete(&cluster, &format!("p{n}")));
        after(6_000).await;
        let mut stayed = Vec::new();
        for n in 0..30 {
            let writes = writes(&cluster, &format!("p{n}"));
            let (before, later) = split(&writes, is_terminal);
            assert!(before.is("Ready") && before.pod["metadata"]["deletionTimestamp"].is_string());
            let (phase, reason, container) = match n % 2 {
                0 => ("Succeeded", "PodCompleted", "Completed 0"),
                _ => ("Failed", "PodFailed", "Error 0"),
            };
            assert_eq!(
                (later[0].phase(), &*later[0].container()),
                (phase, container)
            );
            for kind in ["Ready", "ContainersReady"] {
                let condition = later[0].condition(kind);
                assert_eq!(
                    (&condition["status"], &condition["reason"]),
                    (&json!("False"), &json!(reason))
                );
            }
            assert!(!later[0].is("PodReadyToStartContainers"));
            let gone = later.last().expect("a last write");
            assert!(gone.gone);
            stayed.push(gone.at - later[0].at);
        }
        let millis = |n| Duration::from_millis(n);
        let (least, most) = (stayed.iter().min().unwrap(), stayed.iter().max().unwrap());
        assert!(
            *least >= millis(200) && *most <= millis(1_510),
            "{stayed:?}"
        );
        assert!(*most - *least > millis(600), "{stayed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_test_that_says_so_has_pods_that_go_as_soon_as_they_have_ended() {
    let mut cluster = cluster(Detail::Short);
    cluster.linger = Linger::always(Duration::ZERO);
    cluster.switch(Part::Kubelets, false);
    cluster.switch(Part::Kubelets, true);
    create(&cluster, "p", &[]);
    after(1_000).await;
    delete(&cluster, "p");
    after(20).await;
    let writes = writes(&cluster, "p");
    let (_, later) = split(&writes, is_terminal);
    assert!(later.last().expect("a last write").gone);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_deleted_before_it_ran_has_failed_and_nothing_is_known_of_its_containers() {
    for detail in BOTH {
        for script in [("start-after", "never"), ("pull-fails-after", "1s")] {
            let cluster = cluster(detail);
            create(&cluster, "p", &[script]);
            after(5_000).await;
            delete(&cluster, "p");
            after(3_000).await;
            let writes = writes(&cluster, "p");
            let (before, later) = split(&writes, is_terminal);
            assert_eq!(before.phase(), "Pending");
            assert_eq!(later[0].phase(), "Failed");
            assert_eq!(later[0].container(), "ContainerStatusUnknown 0");
            let state = &later[0].pod["status"]["containerStatuses"][0]["state"];
            assert_eq!(state["terminated"]["exitCode"], 137);
            assert!(later.last().expect("a last write").gone);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_answers_the_generation_of_a_delete_with_a_write_of_nothing_else() {
    let cluster = cluster(Detail::Full);
    create(&cluster, "p", &[("terminate-after", "2s")]);
    after(2_000).await;
    delete(&cluster, "p");
    after(1_000).await;
    let writes = writes(&cluster, "p");
    let [.., before, asked, answered] = &writes[..] else {
        panic!("three writes");
    };
    assert_eq!(before.pod["status"]["observedGeneration"], 1);
    assert_eq!(asked.pod["metadata"]["generation"], 2);
    let mut expected = asked.pod.clone();
    expected["metadata"]["resourceVersion"] = answered.pod["metadata"]["resourceVersion"].clone();
    expected["status"]["observedGeneration"] = json!(2);
    let conditions = expected["status"]["conditions"].as_array_mut();
    for condition in conditions.into_iter().flatten() {
        condition["observedGeneration"] = json!(2);
    }
    assert_eq!(answered.pod, expected);
}

#[tokio::test(start_paused = true)]
async fn a_start_is_five_writes_in_the_full_form_and_one_or_two_in_the_short_one() {
    let told = |write: &Write| {
        let sandbox = write.is("PodReadyToStartContainers");
        let resources = !write.pod["status"]["resources"].is_null();
        let words = format!("{} {}", write.phase(), write.container());
        (words, sandbox, write.is("Ready"), resources)
    };
    let row =
        |words: &str, sandbox, ready, resources| (words.to_owned(), sandbox, ready, resources);
    let creating = "Pending ContainerCreating 0";
    for (ready_after, detail, expected) in [
        (
            "1s",
            Detail::Full,
            vec![
                row(creating, false, false, false),
                row(creating, true, false, false),
                row("Running running 0", true, false, false),
                row("Running running 0", true, true, false),
                row("Running running 0", true, true, true),
            ],
        ),
        (
            "1s",
            Detail::Short,
            vec![
                row("Running running 0", true, false, false),
                row("Running running 0", true, true, false),
            ],
        ),
        (
            "0s",
            Detail::Short,
            vec![row("Running running 0", true, true, false)],
        ),
    ] {
        let cluster = cluster(detail);
        create(
            &cluster,
            "p",
            &[("start-after", "1s"), ("ready-after", ready_after)],
        );
        after(10_000).await;
        let writes = writes(&cluster, "p");
        let of_kubelet: Vec<_> = writes[1..].iter().map(told).collect();
        assert_eq!(of_kubelet, expected, "{detail:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_runs_and_is_ready_at_each_restart_and_waits_longer_each_time() {
    let cluster = cluster(Detail::Full);
    create(&cluster, "p", &[("crash-after", "1s"), ("exit-code", "3")]);
    after(100_000).await;
    let writes = writes(&cluster, "p");
    let (_, later) = split(&writes, |write| write.container().starts_with("Error"));
    assert!(later.iter().all(|write| write.phase() == "Running"));
    let told: Vec<_> = later
        .iter()
        .map(|w| (w.container(), w.is("Ready")))
        .collect();
    let mut expected = vec![
        ("Error 0".to_owned(), false),
        ("running 1".to_owned(), true),
    ];
    for n in 1..4 {
        let exited = [
            (format!("Error {n}"), false),
            (format!("CrashLoopBackOff {n}"), false),
        ];
        expected.extend(exited);
        expected.push((format!("running {}", n + 1), true));
    }
    expected.push(("Error 4".to_owned(), false));
    assert_eq!(told, expected);
    // How long after the exit the word of the back-off comes.
    let word = |n: usize| {
        let at = |container: &str| {
            let found = later.iter().find(|w| w.container() == container);
            found.expect("it is there").at
        };
        (at(&format!("CrashLoopBackOff {n}")) - at(&format!("Error {n}"))).as_secs()
    };
    assert_eq!([1, 2, 3].map(word), [12, 25, 51]);
    let last = later.last().expect("a last write");
    let state = &last.pod["status"]["containerStatuses"][0];
    assert_eq!(state["state"]["terminated"]["exitCode"], 3);
    delete(&cluster, "p");
    after(4_000).await;
    let writes = self::writes(&cluster, "p");
    let (_, later) = split(&writes, is_terminal);
    assert_eq!(
        (later[0].phase(), &*later[0].container()),
        ("Failed", "Error 4")
    );
    assert!(later.last().expect("a last write").gone);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_not_there_is_pulled_again_and_again_until_it_is_there() {
    let cluster = cluster(Detail::Full);
    annotate(&cluster, "pull-fails-after", json!("1s"));
    create(&cluster, "p", &[]);
    after(60_000).await;
    let words: Vec<String> = writes(&cluster, "p")[3..]
        .iter()
        .map(Write::container)
        .collect();
    let twice = ["ErrImagePull 0", "ImagePullBackOff 0"].repeat(2);
    assert_eq!(words, [twice, vec!["ErrImagePull 0"]].concat());
    annotate(&cluster, "pull-fails-after", Value::Null);
    after(60_000).await;
    let writes = writes(&cluster, "p");
    let last = writes.last().expect("a last write");
    assert!(last.is("Ready") && last.phase() == "Running");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_pod_has_failed_at_once_without_conditions_and_containers() {
    for detail in BOTH {
        for (reason, message) in [
            ("OutOfcpu", "Node didn't have enough resource: cpu, "),
            ("OutOfmemory", "Node didn't have enough resource: memory, "),
            ("NodeAffinity", "Predicate NodeAffinity failed: "),
            ("NodePorts", "Predicate NodePorts failed: "),
            (
                "NodeShutdown",
                "Pod was rejected as the node is shutting down.",
            ),
        ] {
            let cluster = cluster(detail);
            create(&cluster, "p", &[("reject", reason)]);
            after(200).await;
            let rejected = writes(&cluster, "p");
            assert_eq!(rejected.len(), 2);
            let status = rejected[1].pod["status"].as_object().expect("a status");
            let mut fields: Vec<&str> = status.keys().map(String::as_str).collect();
            fields.sort_unstable();
            let expected = [
                "message",
                "observedGeneration",
                "phase",
                "qosClass",
                "reason",
            ];
            assert_eq!(fields, expected);
            assert_eq!(
                (&status["phase"], &status["reason"]),
                (&json!("Failed"), &json!(reason))
            );
            let said = status["message"].as_str().expect("a message");
            let expected = format!("Pod was rejected: {message}");
            assert!(said.starts_with(&expected), "{said}");
            after(60_000).await;
            assert_eq!(writes(&cluster, "p").len(), 2);
            // Once the node was booted, its kubelet looks for them.
            annotate(&cluster, "boot", json!("second"));
            after(60_000).await;
            let later = &writes(&cluster, "p")[2..];
            let told: Vec<_> = later.iter().map(|w| (w.phase(), w.container())).collect();
            let words = ["ContainerCreating 0", "ContainerStatusUnknown 0"];
            assert_eq!(told, words.map(|word| ("Failed", word.to_owned())));
            let ready = later[0].condition("Ready");
            assert_eq!(
                (&ready["status"], &ready["reason"]),
                (&json!("False"), &json!("PodFailed"))
            );
        }
    }
}

fn node_ready(cluster: &Cluster) -> (Value, Value) {
    let node = cluster.server.get(&NODES, "", "n0").expect("a node");
    let all = node["status"]["conditions"].as_array().expect("conditions");
    let ready = all.iter().find(|c| c["type"] == "Ready").expect("Ready");
    (ready["status"].clone(), ready["message"].clone())
}

#[tokio::test(start_paused = true)]
async fn a_node_that_shuts_down_is_not_ready_at_once_and_ends_its_pods_and_takes_no_more() {
    for detail in BOTH {
        let cluster = cluster(detail);
        create(&cluster, "good", &[("terminate-after", "2s")]);
        create(
            &cluster,
            "bad",
            &[("terminate-after", "2s"), ("exit-code", "9")],
        );
        create(
            &cluster,
            "slow",
            &[("start-after", "never"), ("terminate-after", "2s")],
        );
        after(2_000).await;
        annotate(&cluster, "shutdown", json!("true"));
        after(100).await;
        let not_ready = (json!("False"), json!("node is shutting down"));
        assert_eq!(node_ready(&cluster), not_ready);
        let ready = |name| writes(&cluster, name).last().is_some_and(|w| w.is("Ready"));
        assert!(ready("good") && ready("bad"));
        create(&cluster, "late", &[]);
        after(200).await;
        let late = writes(&cluster, "late");
        assert_eq!(late[1].pod["status"]["reason"], "NodeShutdown");
        after(5_000).await;
        for (name, phase) in [("good", "Succeeded"), ("bad", "Failed"), ("slow", "Failed")] {
            let writes = writes(&cluster, name);
            let last = writes.last().expect("a last write");
            assert_eq!(last.phase(), phase, "{name} {detail:?}");
            let why = last.condition("DisruptionTarget");
            let expected = (&json!("True"), &json!("TerminationByKubelet"));
            assert_eq!((&why["status"], &why["reason"]), expected);
            assert!(!last.is("Ready") && !last.gone);
        }
        annotate(&cluster, "shutdown", Value::Null);
        after(100).await;
        assert_eq!(node_ready(&cluster).0, "True");
        create(&cluster, "next", &[]);
        after(1_000).await;
        assert_eq!(
            writes(&cluster, "next").last().expect("a write").phase(),
            "Running"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_boot_pods_run_again_and_one_that_was_being_deleted_has_failed_and_goes() {
    let boot = |cluster: &Cluster| {
        let node = cluster.server.get(&NODES, "", "n0").expect("a node");
        node["status"]["nodeInfo"]["bootID"].clone()
    };
    for detail in BOTH {
        let cluster = cluster(detail);
        create(&cluster, "stays", &[]);
        create(&cluster, "goes", &[]);
        after(2_000).await;
        assert_eq!(boot(&cluster), "n0-boot-1");
        annotate(&cluster, "silent", json!("true"));
        delete(&cluster, "goes");
        after(60_000).await;
        assert!(
            writes(&cluster, "goes")
                .last()
                .is_some_and(|w| w.is("Ready"))
        );
        annotate(&cluster, "boot", json!("second"));
        after(1_000).await;
        assert_eq!(boot(&cluster), "n0-boot-1", "it is silent");
        annotate(&cluster, "silent", Value::Null);
        after(10_000).await;
        assert_eq!(boot(&cluster), "second");
        let stayed = writes(&cluster, "stays");
        let (before, later) = split(&stayed, |write| write.container() == "Unknown 0");
        assert!(before.is("Ready") && !later[0].is("Ready"));
        assert!(later.iter().all(|write| write.phase() == "Running"));
        let last = later.last().expect("a last write");
        assert!(last.is("Ready") && last.is("PodReadyToStartContainers"));
        assert_eq!(last.container(), "running 1");
        let gone = writes(&cluster, "goes");
        let (before, later) = split(&gone, is_terminal);
        assert!(before.is("Ready"));
        assert_eq!(
            (later[0].phase(), &*later[0].container()),
            ("Failed", "Unknown 0")
        );
        let state = &later[0].pod["status"]["containerStatuses"][0]["state"];
        assert_eq!(state["terminated"]["exitCode"], 255);
        assert!(later.last().expect("a last write").gone);
        // Nothing is left to do.
        let count = stayed.len();
        after(600_000).await;
        assert_eq!(writes(&cluster, "stays").len(), count);
    }
}
