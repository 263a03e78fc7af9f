//! What `demo` takes: several files, nodes, priority classes, one DaemonSet of several; and what it
//! does about a DaemonSet for no node.

use std::fs;

use super::{assert_has, daemon_set, flat, run, shown};

/// A file with this text, in a directory that goes with what is returned.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("objects.yaml");
    fs::write(&path, text).expect("it can be written");
    (directory, path.display().to_string())
}

const CLASS: &str = "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: agents}, value: 1000000}\n";

/// A ready node with this in its metadata, and no label that is not there.
fn node(metadata: &str, spec: &str) -> String {
    format!("{{apiVersion: v1, kind: Node, metadata: {{{metadata}}}, spec: {{{spec}}}}}\n")
}

#[test]
fn a_priority_class_of_the_files_exists() {
    let agent = daemon_set("name: agent", ", priorityClassName: agents");
    let both = format!("{agent}---\n{CLASS}");
    let told = shown(&["-f", "-"], &both);
    assert_has(
        &told,
        &["create PriorityClass agents", "Ready", " pods created"],
    );
    assert!(!told.contains("FailedCreate"), "{told}");
}

#[test]
fn a_priority_class_that_is_nowhere_is_said_in_one_line_and_nothing_is_shown() {
    let agent = daemon_set("name: class", ", priorityClassName: very-high");
    let answer = run(&["-f", "-"], &agent);
    assert_eq!((answer.code, &*answer.stdout), (Some(2), ""));
    assert_eq!(
        answer.stderr,
        "error: standard input: every pod of DaemonSet default/class would be forbidden: no \
         PriorityClass with name very-high was found; give its file too, with another -f\n"
    );
    // Those of the system are always there.
    let agent = daemon_set("name: class", ", priorityClassName: system-node-critical");
    assert!(!shown(&["-f", "-"], &agent).contains("FailedCreate"));
}

#[test]
fn a_namespace_of_the_files_is_created_from_them() {
    let agent = daemon_set("name: agent, namespace: ops", "");
    let space = "{apiVersion: v1, kind: Namespace, metadata: {name: ops}}\n";
    let told = shown(&["-f", "-"], &format!("{agent}---\n{space}"));
    assert_has(
        &told,
        &["you create Namespace ops", "create DaemonSet ops/agent"],
    );
    assert!(!told.contains("does not exist yet"), "{told}");
}

#[test]
fn several_files_are_one_input() {
    let (_kept, class) = file(CLASS);
    let agent = daemon_set("name: agent", ", priorityClassName: agents");
    let (_also, agent) = file(&agent);
    let apart = shown(&["-f", &class, "-f", &agent], "");
    assert_has(&apart, &["create PriorityClass agents", "none was broken"]);
    let by_comma = shown(&["-f", &format!("{class},{agent}")], "");
    assert_eq!(apart, by_comma);
}

#[test]
fn what_is_not_served_is_noted_by_what_it_means() {
    let agent = daemon_set("name: agent", "");
    let other = |version: &str, kind: &str| {
        format!("---\n{{apiVersion: {version}, kind: {kind}, metadata: {{name: x}}}}\n")
    };
    let all = [
        agent,
        other("v1", "Service"),
        other("v1", "ServiceAccount"),
        other("v1", "ResourceQuota"),
        other("apps/v1", "ControllerRevision"),
    ];
    let answer = run(&["-f", "-"], &all.concat());
    let notes: Vec<&str> = answer.stderr.lines().collect();
    assert_eq!(
        notes,
        [
            "note: left out, although a cluster would heed them: 1 ResourceQuota",
            "note: left out, as the demo begins without the pods and revisions of DaemonSets: 1 ControllerRevision",
            "note: left out, as they do not matter for the demo: 1 Service, 1 ServiceAccount",
        ]
    );
}

#[test]
fn nodes_of_the_files_are_the_cluster() {
    let (_kept, nodes) = file(
        &[
            node("name: red, labels: {disk: fast}", ""),
            "---\n".to_owned(),
            node("name: blue, labels: {disk: slow}", ""),
            "---\n".to_owned(),
            node(
                "name: green, labels: {disk: fast}",
                "taints: [{key: k, effect: NoSchedule}]",
            ),
        ]
        .concat(),
    );
    let agent = daemon_set("name: agent", ", nodeSelector: {disk: fast}");
    let told = shown(&["-f", "-", "-f", &nodes], &agent);
    assert_has(
        &told,
        &[
            "A simulated cluster of 3 nodes",
            "1 of 3 nodes are to have a pod",
            "none for blue: the template's nodeSelector asks for disk=fast, the node has disk=slow",
            "none for green: the taint k:NoSchedule is not tolerated",
            "add node red-copy, which is like red",
            "none was broken",
        ],
    );
    let answer = run(&["-f", "-", "-f", &nodes, "--nodes=5"], &agent);
    assert_eq!(
        answer.stderr,
        "note: --nodes does not count: the cluster has the nodes of the files\n"
    );
    assert_eq!(answer.stdout, told);
}

#[test]
fn nodes_as_a_cluster_has_them_are_taken() {
    let (_kept, nodes) = file(
        "apiVersion: v1\nkind: NodeList\nitems:\n\
         - metadata: {name: up, uid: u-1, resourceVersion: \"77\", labels: {kubernetes.io/os: linux}}\n  \
           spec: {podCIDR: 10.1.0.0/24}\n  \
           status: {allocatable: {cpu: \"2\", memory: 4Gi, pods: \"20\"}, conditions: [{type: Ready, status: \"True\"}]}\n\
         - metadata: {name: down, uid: u-2, resourceVersion: \"78\", labels: {kubernetes.io/os: linux}}\n  \
           spec: {taints: [{key: node.kubernetes.io/unreachable, effect: NoExecute}]}\n  \
           status: {conditions: [{type: Ready, status: Unknown}]}\n",
    );
    let told = shown(&["-f", "-", "-f", &nodes], &daemon_set("name: agent", ""));
    // Daemon pods tolerate the taint, but nobody runs them there.
    assert_has(
        &told,
        &[
            "all 2 nodes are to have a pod",
            "not settled after 10 s: 1 not ready",
        ],
    );
    let row = told.lines().find(|line| line.starts_with("down "));
    assert!(row.is_some_and(|row| row.contains("Pending")), "{told}");
}

#[test]
fn one_of_several_daemon_sets_is_named() {
    let all = [
        daemon_set("name: one", ""),
        "---\n".to_owned(),
        daemon_set("name: two, namespace: ops", ""),
    ]
    .concat();
    let told = shown(&["-f", "-", "-d", "ops/two"], &all);
    assert_has(&told, &["create DaemonSet ops/two from standard input"]);
    assert_eq!(told, shown(&["-f", "-", "-d", "ds/two"], &all));
    let answer = run(&["-f", "-", "-d", "two"], &all);
    assert_eq!(
        answer.stderr,
        "note: left out, as one DaemonSet is shown at a time: 1 DaemonSet\n"
    );
    for (args, words) in [
        (
            vec!["-f", "-"],
            "say which one with -d NAMESPACE/NAME: default/one (standard input: document 1), ops/two",
        ),
        (
            vec!["-f", "-", "-d", "ops/one"],
            "there is no DaemonSet ops/one in the files; there is default/one",
        ),
    ] {
        let answer = run(&args, &all);
        assert_eq!((answer.code, &*answer.stdout), (Some(2), ""));
        assert_has(&answer.stderr, &[words]);
    }
}

#[test]
fn a_pod_of_the_files_holds_its_port() {
    let pod = "{apiVersion: v1, kind: Pod, metadata: {name: holder}, spec: {nodeName: worker-01, \
               containers: [{name: a, image: a, ports: [{containerPort: 9100, hostPort: 9100}]}]}}\n";
    let agent = daemon_set("name: agent", "").replace(
        "image: a}",
        "image: a, ports: [{containerPort: 9100, hostPort: 9100}]}",
    );
    let told = shown(&["-f", "-"], &format!("{agent}---\n{pod}"));
    assert_has(
        &told,
        &[
            "create Pod default/holder",
            "the pod for worker-01 waits: 0/20 nodes are available: 1 node(s) didn't have free ports",
        ],
    );
}

#[test]
fn what_is_for_few_nodes_of_a_cluster_finds_them_in_the_demos_own() {
    let operators = "[{key: node-role.kubernetes.io/control-plane, operator: Exists}]";
    for (spec, nodes) in [
        (", nodeSelector: {kubernetes.io/os: windows}", "windows-1"),
        (
            ", nodeSelector: {beta.kubernetes.io/os: windows}",
            "windows-1",
        ),
        (
            ", nodeSelector: {nvidia.com/gpu.present: \"true\"}",
            "gpu-2",
        ),
        (
            ", nodeSelector: {feature.node.kubernetes.io/pci-10de.present: \"true\"}, \
             tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]",
            "gpu-1, gpu-2",
        ),
        (
            &format!(
                ", nodeSelector: {{node-role.kubernetes.io/control-plane: \"\"}}, tolerations: {operators}"
            ),
            "control-plane-1",
        ),
        (
            &format!(
                ", nodeSelector: {{node-role.kubernetes.io/master: \"\"}}, tolerations: {operators}"
            ),
            "control-plane-1",
        ),
        (
            ", nodeSelector: {kubernetes.io/arch: arm64}",
            "batch-1, batch-2",
        ),
    ] {
        let told = shown(&["-f", "-"], &daemon_set("name: few", spec));
        let names: Vec<&str> = nodes.split(", ").collect();
        let count = names.len();
        assert_has(
            &told,
            &[
                &format!("{count} of 20 nodes are to have a pod"),
                &format!("{count} created {count} running {count} ready of {count}"),
            ],
        );
        for node in names {
            let created = format!("on {node}: the node is eligible and has no pod");
            assert_has(&told, &[&created]);
        }
    }
}

#[test]
fn a_daemon_set_for_no_node_says_all_that_is_against_each_and_ends() {
    let agent = daemon_set(
        "name: mine",
        ", nodeSelector: {disk: fast, kubernetes.io/os: linux}",
    );
    for args in [&["-f", "-"][..], &["-f", "-", "--update"]] {
        let told = shown(args, &agent);
        assert_has(
            &told,
            &[
                "none of 20 nodes is to have a pod",
                "the template's nodeSelector asks for disk=fast, the node has no label disk; the taint \
                 node-role.kubernetes.io/control-plane:NoSchedule is not tolerated",
                "none for windows-1: the template's nodeSelector asks for disk=fast, the node has no label disk; \
                 the template's nodeSelector asks for kubernetes.io/os=linux, the node has kubernetes.io/os=windows",
                "So there is nothing to show: no node is eligible.",
                "add -f nodes.yaml",
            ],
        );
        assert!(flat(&told).ends_with("add -f nodes.yaml."), "{told}");
        assert!(!told.contains("add node"), "{told}");
    }
}
