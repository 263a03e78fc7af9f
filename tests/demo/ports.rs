//! Host ports: two pods with the same one are never on one node.

use super::{assert_has, daemon_set, flat, shown};

/// A DaemonSet with this host port and update strategy.
fn with_port(port: &str, strategy: &str) -> String {
    let agent = daemon_set("name: gate", "").replace(
        "image: a}",
        &format!("image: a, ports: [{{containerPort: 8080, {port}}}]}}"),
    );
    agent.replace(
        "spec: {selector",
        &format!("spec: {{updateStrategy: {strategy}, selector"),
    )
}

const SURGE: &str = "{rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}";

#[test]
fn a_surging_update_with_a_host_port_does_not_move_and_says_what_its_pods_wait_for() {
    let told = shown(
        &["--update", "-f", "-"],
        &with_port("hostPort: 8080", SURGE),
    );
    assert_has(
        &told,
        &[
            // In advance, from the advice that `plan` gives.
            "maxSurge is set and the pods hold port 8080 of their node: a new pod stays Pending",
            "the rollout does not move: 18 old",
            "2 pods wait, for ",
            "0/20 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, 19 node(s) \
             didn't satisfy plugin(s) [NodeAffinity]. preemption: 0/20 nodes are available: 1 No preemption victims \
             found for incoming pod, 19 Preemption is not helpful for scheduling.",
            "nothing more is replaced: 2 of 2 surging",
            "New pods on 0 of 18 nodes, and 18 old ones.",
            "none was broken",
        ],
    );
    // A template with other faults would teach nothing.
    assert!(!told.contains(":bad"), "{told}");
    let pending = told.lines().filter(|line| line.contains("Pending"));
    let pending = pending.filter(|line| !line.contains("stays Pending"));
    assert_eq!(pending.count(), 2, "{told}");
}

#[test]
fn an_update_that_deletes_first_frees_the_port_and_moves() {
    let strategy = "{rollingUpdate: {maxUnavailable: 4}}";
    let told = shown(
        &["--update", "-f", "-"],
        &with_port("hostPort: 8080", strategy),
    );
    assert!(flat(&told).contains("and no old ones"), "{told}");
    assert!(!told.contains("free ports"), "{told}");
}

#[test]
fn a_container_port_alone_is_not_the_nodes() {
    let told = shown(&["--update", "-f", "-"], &with_port("name: web", SURGE));
    assert!(flat(&told).contains("and no old ones"), "{told}");
    let on_host = with_port("name: web", SURGE)
        .replace("spec: {containers", "spec: {hostNetwork: true, containers");
    let told = shown(&["--update", "-f", "-"], &on_host);
    assert_has(&told, &["the rollout does not move", "free ports"]);
}
