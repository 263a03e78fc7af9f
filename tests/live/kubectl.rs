//! kubectl's own commands on a DaemonSet of ours show the right things.

use crate::cluster::{LAB, Lab, SOON};
use crate::controller::Controller;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kubectl_get_describe_and_rollout_status_show_what_they_always_showed() {
    let mut lab = Lab::shared("kubectl").await;
    lab.add_nodes(1..=3).await;
    let _controller = Controller::start(&lab);
    lab.create(&lab.daemon_set("agent")).await;
    let rollout = lab
        .kubectl_ok(&["rollout", "status", "daemonset/agent", "--timeout=60s"])
        .await;
    assert!(
        rollout.ends_with("daemon set \"agent\" successfully rolled out\n"),
        "{rollout}"
    );
    lab.until_covered("agent", 3, SOON).await;

    let table = lab.kubectl_ok(&["get", "ds"]).await;
    let rows: Vec<Vec<&str>> = table
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0][..6],
        [
            "NAME",
            "DESIRED",
            "CURRENT",
            "READY",
            "UP-TO-DATE",
            "AVAILABLE"
        ]
    );
    assert_eq!(rows[1][..6], ["agent", "3", "3", "3", "3", "3"]);
    assert_eq!(rows[1][6], format!("{LAB}={}", lab.namespace));

    let text = lab
        .until("describe shows the events", SOON, async || {
            let text = lab.kubectl_ok(&["describe", "daemonset", "agent"]).await;
            if text.matches("SuccessfulCreate").count() == 3 {
                Ok(text)
            } else {
                Err(text)
            }
        })
        .await;
    for line in [
        "Desired Number of Nodes Scheduled: 3",
        "Current Number of Nodes Scheduled: 3",
        "Number of Nodes Scheduled with Up-to-date Pods: 3",
        "Number of Nodes Scheduled with Available Pods: 3",
        "Number of Nodes Misscheduled: 0",
        "Pods Status:  3 Running / 0 Waiting / 0 Succeeded / 0 Failed",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    for pod in lab.pods().await {
        let name = crate::cluster::name_of(&pod);
        assert!(
            text.contains(&format!("Created pod: {name}")),
            "{name} is not in\n{text}"
        );
    }
    assert!(
        text.contains("daemonset-controller"),
        "the events' source is not in\n{text}"
    );

    let history = lab
        .kubectl_ok(&["rollout", "history", "daemonset/agent"])
        .await;
    let rows: Vec<&str> = history
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(rows.len(), 1, "{history}");
    assert!(rows[0].starts_with('1'), "{history}");
    let owned = lab.kubectl_ok(&["describe", "pods"]).await;
    assert_eq!(owned.matches("Controlled By:").count(), 3);
    assert_eq!(owned.matches("DaemonSet/agent").count(), 3);
}
