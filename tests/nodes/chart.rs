//! The product as the chart installs it, on nodes that run it for real.

use crate::agent::agent;
use crate::harness::lab::same;
use crate::installation::Way;
use crate::place::{Place, SOON};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_run_as_the_chart_says_and_cover_all_nodes() {
    let place = Place::new("chart", Way::Chart).await;
    let pods = place
        .cluster
        .kubectl(&[
            "get",
            "pods",
            "-n",
            "kube-system",
            "-l",
            "app.kubernetes.io/name=daemonset-controller",
            "-o",
            "jsonpath={range .items[*]}{.spec.nodeName} {.status.containerStatuses[0].ready} \
             {.status.containerStatuses[0].restartCount}{'\\n'}{end}",
        ])
        .await;
    let mut pods: Vec<&str> = pods.lines().collect();
    pods.sort_unstable();
    assert_eq!(pods.len(), 2, "{pods:?}");
    assert!(
        pods.iter().all(|pod| pod.ends_with(" true 0")),
        "ready by their probes, and never restarted: {pods:?}"
    );
    let nodes: Vec<&str> = pods
        .iter()
        .filter_map(|pod| pod.split(' ').next())
        .collect();
    assert_ne!(nodes[0], nodes[1], "each on a node of its own");

    // What the kernel says of the process, not what the manifest asked for.
    let leader = place.cluster.leader(None).await;
    let node = place.cluster.node_named(&leader.node);
    let process = node
        .run(
            "pid=$(pgrep -x daemonset-contr); grep -E '^(Uid|Gid|CapEff|NoNewPrivs|Seccomp):' /proc/$pid/status; \
             awk '$5 == \"/\" { print \"root\", $6 }' /proc/$pid/mountinfo",
        )
        .await;
    let words: Vec<Vec<&str>> = process
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let has = |wanted: &[&str]| words.iter().any(|line| line.starts_with(wanted));
    assert!(has(&["Uid:", "65532", "65532"]), "{process}");
    assert!(has(&["Gid:", "65532", "65532"]), "{process}");
    assert!(has(&["CapEff:", "0000000000000000"]), "{process}");
    assert!(has(&["NoNewPrivs:", "1"]), "{process}");
    assert!(has(&["Seccomp:", "2"]), "a filter: {process}");
    let root = words.iter().find(|line| line[0] == "root").expect("a root");
    assert!(root[1].split(',').any(|option| option == "ro"), "{process}");

    // Its Service leads to both, and each answers there. (The controller itself reaches the API
    // server by a Service's address that kube-proxy serves.)
    place
        .until("both answer where the Service leads to", SOON, async || {
            let addresses = place
                .cluster
                .kubectl(&[
                    "get",
                    "endpointslices",
                    "-n",
                    "kube-system",
                    "-l",
                    "kubernetes.io/service-name=daemonset-controller",
                    "-o",
                    "jsonpath={range .items[*].endpoints[?(@.conditions.ready==true)]}{.addresses[0]}{'\\n'}{end}",
                ])
                .await;
            let mut answers = Vec::new();
            for address in addresses.lines() {
                let ask = format!(
                    "exec 3<>/dev/tcp/{address}/8080 && printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3"
                );
                answers.push(node.run(&ask).await);
            }
            let has_metrics = |answer: &&String| answer.contains("daemonset_controller_");
            same(answers.iter().filter(has_metrics).count(), 2)
        })
        .await;

    let referee = place.referee().await;
    place.cover(&agent(&[])).await;
    place.end(referee, 3).await;
}

/// The kubelet's probes speak TLS and have no token; everybody else needs one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_probes_pass_and_metrics_need_a_token() {
    let place = Place::new("chart-secure", Way::SecureChart).await;
    let leader = place.cluster.leader(None).await;
    // By way of the API server, which does not hand on who asks.
    let ask = async |path: &str| {
        let pod = format!("https:{}:8080", leader.pod);
        let path = format!("/api/v1/namespaces/kube-system/pods/{pod}/proxy/{path}");
        place.cluster.plane.kubectl(&["get", "--raw", &path]).await
    };
    assert_eq!(ask("readyz").await.stdout, "ok");
    let refused = ask("metrics").await;
    assert!(!refused.ok, "{}", refused.stdout);
    assert!(
        refused.stderr.contains("Unauthorized"),
        "{}",
        refused.stderr
    );
    place.cover(&agent(&[])).await;
    place.leave().await;
}
