//! `plan -f` and `explain -f` refuse what an API server refuses, in its words as kubectl prints
//! them, and plan from what a server would store.

use serde_json::Value;

use crate::plan_run::{Answer, NOW, plan_of, run, run_command};

/// A manifest with something in its spec, in the spec of its pods and in its container.
fn manifest(name: &str, spec: &str, pods: &str, container: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: {name}, namespace: ops}}
spec:
  selector: {{matchLabels: {{app: a}}}}
  {spec}
  template:
    metadata: {{labels: {{app: a}}}}
    spec:
      {pods}
      containers:
      - name: c
        image: registry.example/c:1
        {container}
---
{{apiVersion: v1, kind: Node, metadata: {{name: n-{name}}}}}
"
    )
}

/// `plan` of standard input, with further arguments.
fn plan(input: &str, args: &[&str]) -> Answer {
    plan_of(input, &[&["-f", "-", "--now", NOW], args].concat())
}

fn json_of(input: &str, args: &[&str]) -> Value {
    let answer = plan(input, &[&["-o", "json"], args].concat());
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    serde_json::from_str(&answer.stdout).expect("JSON")
}

/// Standard error without the places in the files, of which there must be one at least.
fn words(answer: &Answer) -> String {
    let is_place = |line: &&str| line.starts_with("  standard input: document ");
    let (places, words): (Vec<&str>, Vec<&str>) =
        answer.stderr.split_inclusive('\n').partition(is_place);
    assert!(!places.is_empty(), "{}", answer.stderr);
    words.concat()
}

/// Case, manifest, and the words of kubectl about it.
fn invalid() -> Vec<(&'static str, String, &'static str)> {
    let of = |spec, pods, container| manifest("a", spec, pods, container);
    vec![
        (
            "surge beside the default maxUnavailable",
            of("updateStrategy: {rollingUpdate: {maxSurge: 1}}", "", ""),
            "The DaemonSet \"a\" is invalid: spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be \
             set when maxUnavailable is non-zero\n",
        ),
        (
            "both budgets 0",
            of(
                "updateStrategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 0%}}",
                "",
                "",
            ),
            "The DaemonSet \"a\" is invalid: spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot \
             be 0 when maxSurge is 0\n",
        ),
        (
            "another restart policy",
            of("", "restartPolicy: OnFailure", ""),
            "The DaemonSet \"a\" is invalid: spec.template.spec.restartPolicy: Unsupported value: \"OnFailure\": \
             supported values: \"Always\"\n",
        ),
        (
            "a selector that does not match",
            of("", "", "").replace("matchLabels: {app: a}", "matchLabels: {app: b}"),
            "The DaemonSet \"a\" is invalid: spec.template.metadata.labels: Invalid value: {\"app\":\"a\"}: `selector` \
             does not match template `labels`\n",
        ),
        (
            "a number where a text is needed, before all else",
            of("minReadySeconds: -1", "", "env: [{name: LEVEL, value: 3}]"),
            "Error from server (BadRequest): error when creating \"STDIN\": DaemonSet in version \"v1\" cannot be \
             handled as a DaemonSet: json: cannot unmarshal number into Go struct field \
             EnvVar.spec.template.spec.containers.env.value of type string\n",
        ),
        (
            "several errors of one object",
            of("minReadySeconds: -1", "dnsPolicy: Any", ""),
            "The DaemonSet \"a\" is invalid: \n* spec.template.spec.dnsPolicy: Unsupported value: \"Any\": supported \
             values: \"ClusterFirstWithHostNet\", \"ClusterFirst\", \"Default\", \"None\"\n* spec.minReadySeconds: \
             Invalid value: -1: must be greater than or equal to 0\n",
        ),
        (
            "a name that is none",
            of("", "", "").replace("name: a, ", "name: A_b, "),
            "The DaemonSet \"A_b\" is invalid: metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain \
             must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an \
             alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')\n",
        ),
    ]
}

#[test]
fn predict_invalid() {
    for (case, input, expected) in invalid() {
        for command in ["plan", "explain"] {
            let answer = run_command(command, &input, &["-f", "-"], &[]);
            assert_eq!((answer.code, &*answer.stdout), (2, ""), "{case}");
            assert_eq!(words(&answer), format!("error: {expected}"), "{case}");
        }
        // Only fields that do not exist can be ignored.
        let answer = plan(&input, &["--validate=ignore"]);
        assert_eq!(answer.code, 2, "{case}: {}", answer.stdout);
    }
}

#[test]
fn all_broken_manifests_of_the_input_are_reported_and_not_only_the_one_that_is_meant() {
    let input = [
        manifest("first", "minReadySeconds: -1", "", ""),
        manifest("good", "", "", ""),
        manifest("third", "", "", "imagePullPolcy: Always"),
        manifest("fourth", "revisionHistoryLimit: -1", "", ""),
    ]
    .concat();
    for chosen in ["-A", "-dgood", "-dfirst"] {
        let answer = plan(&input, &[chosen]);
        assert_eq!((answer.code, &*answer.stdout), (2, ""), "{chosen}");
        let said = words(&answer);
        let errors: Vec<&str> = said.lines().collect();
        let begin = |with: &str| errors.iter().any(|line| line.starts_with(with));
        assert!(begin(
            "error: The DaemonSet \"first\" is invalid: spec.minReadySeconds"
        ));
        assert!(begin(
            "error: Error from server (BadRequest): error when creating \"STDIN\""
        ));
        assert!(begin(
            "error: The DaemonSet \"fourth\" is invalid: spec.revisionHistoryLimit"
        ));
        assert!(!answer.stderr.contains("good"), "{}", answer.stderr);
        assert_eq!(errors.len(), 3, "{}", answer.stderr);
    }
}

#[test]
fn objects_of_a_cluster_may_break_rules_that_are_newer_than_they_are() {
    for stored in ["uid: u-1", "resourceVersion: \"1\"", "generation: 1"] {
        for (case, input, _) in invalid() {
            if case.starts_with("a number") {
                continue; // no server has ever stored that
            }
            let input =
                input.replacen("namespace: ops}", &format!("namespace: ops, {stored}}}"), 1);
            let answer = plan(&input, &[]);
            assert_eq!(answer.code, 0, "{case}, {stored}: {}", answer.stderr);
        }
    }
    let generated = "namespace: ops, creationTimestamp: null, uid: \"\"}"; // by kubectl create --dry-run
    let (_, input, _) = &invalid()[0];
    let answer = plan(&input.replacen("namespace: ops}", generated, 1), &[]);
    assert_eq!(answer.code, 2, "{}", answer.stdout);
}

#[test]
fn predict_misindented_field() {
    let affinity = "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: , nodeSelectorTerms: \
                    [{matchExpressions: [{key: logs, operator: In, values: [\"yes\"]}]}]}}";
    let input = manifest("a", "", affinity, "imagePullPolcy: Always");
    let answer = plan(&input, &[]);
    assert_eq!((answer.code, &*answer.stdout), (2, ""));
    assert_eq!(
        words(&answer),
        "error: Error from server (BadRequest): error when creating \"STDIN\": DaemonSet in version \"v1\" cannot be \
         handled as a DaemonSet: strict decoding error: unknown field \
         \"spec.template.spec.affinity.nodeAffinity.nodeSelectorTerms\", unknown field \
         \"spec.template.spec.containers[0].imagePullPolcy\"\n"
    );
    let warned = plan(&input, &["--validate=warn"]);
    assert_eq!(warned.code, 0);
    assert_eq!(
        warned.stderr,
        "Warning: unknown field \"spec.template.spec.affinity.nodeAffinity.nodeSelectorTerms\"\n\
         Warning: unknown field \"spec.template.spec.containers[0].imagePullPolcy\"\n"
    );
    let ignored = plan(&input, &["--validate=ignore"]);
    assert_eq!((ignored.code, &*ignored.stderr), (0, ""));
    assert_eq!(ignored.stdout, warned.stdout);
    let clean = manifest(
        "a",
        "",
        "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: }}",
        "",
    );
    assert_eq!(ignored.stdout, plan(&clean, &[]).stdout);
}

#[test]
fn unknown_fields_are_found_in_the_whole_object() {
    for (input, field) in [
        (manifest("a", "replicas: 3", "", ""), "spec.replicas"),
        (
            manifest("a", "", "Containers: ", ""),
            "spec.template.spec.Containers",
        ),
        (
            manifest("a", "", "", "").replace("namespace: ops}", "namespace: ops, lables: {}}"),
            "metadata.lables",
        ),
        (
            manifest("a", "", "", "").replacen("spec:", "status: {ready: 1}\nspec:", 1),
            "status.ready",
        ),
        (
            manifest("a", "", "", "").replacen("spec:", "data: \nspec:", 1),
            "data",
        ),
    ] {
        let answer = plan(&input, &[]);
        let end = format!("strict decoding error: unknown field \"{field}\"\n");
        assert!(words(&answer).ends_with(&end), "{}", answer.stderr);
        assert_eq!(answer.code, 2);
    }
}

#[test]
fn validate_takes_what_kubectl_takes() {
    let input = manifest("a", "replicas: 3", "", "");
    let code = |arg: &str| plan(&input, &[arg]).code;
    for strict in [
        "--validate",
        "--validate=strict",
        "--validate=true",
        "--validate=1",
    ] {
        assert_eq!(code(strict), 2, "{strict}");
    }
    for loose in [
        "--validate=warn",
        "--validate=ignore",
        "--validate=false",
        "--validate=F",
    ] {
        assert_eq!(code(loose), 0, "{loose}");
    }
    let answer = plan(&input, &["--validate=Warn"]);
    assert_eq!(answer.code, 2);
    let known = "[possible values: strict, warn, ignore]";
    assert!(answer.stderr.contains(known), "{}", answer.stderr);
    let variable = [("DAEMONSET_CONTROLLER_VALIDATE", "ignore")];
    assert_eq!(run(&input, &["-f", "-"], &variable).code, 0);
    let explained = run_command("explain", &input, &["-f", "-", "--validate=warn"], &[]);
    assert_eq!(explained.code, 0, "{}", explained.stderr);
    assert_eq!(
        explained.stderr,
        "Warning: unknown field \"spec.replicas\"\n"
    );
}

#[test]
fn a_warning_is_given_once() {
    let one = manifest("one", "replicas: 3", "", "");
    let input = one + &manifest("other", "replicas: 3", "", "");
    let answer = plan(&input, &["-A", "--validate=warn"]);
    assert_eq!(answer.code, 0);
    let warning = "Warning: unknown field \"spec.replicas\"\n";
    assert_eq!(answer.stderr, warning);
    // Beside errors, too.
    let input = input + &manifest("third", "minReadySeconds: -1", "", "");
    let answer = plan(&input, &["-A", "--validate=warn"]);
    let both = format!("{warning}error: The DaemonSet \"third\" is invalid: ");
    assert!(answer.stderr.starts_with(&both), "{}", answer.stderr);
}

/// What a cluster holds of a DaemonSet at rest: all but the DaemonSet itself. `field` is one more
/// of the container in the revision, as a server may know it.
fn around(field: &str) -> String {
    format!(
        "---
{{apiVersion: v1, kind: Node, metadata: {{name: n-1, uid: n-1}}}}
---
apiVersion: apps/v1
kind: ControllerRevision
metadata:
  name: agent-h1
  namespace: ops
  uid: r-1
  labels: {{app: agent, controller-revision-hash: h1}}
  ownerReferences: [{{apiVersion: apps/v1, kind: DaemonSet, name: agent, uid: d-1, controller: true}}]
revision: 1
data:
  spec:
    template:
      $patch: replace
      metadata: {{labels: {{app: agent}}}}
      spec:
        containers:
        - {{name: agent, image: \"registry.example/agent:1\", imagePullPolicy: IfNotPresent, resources: {{}},
           terminationMessagePath: /dev/termination-log, terminationMessagePolicy: File{field}}}
        dnsPolicy: ClusterFirst
        restartPolicy: Always
        schedulerName: default-scheduler
        securityContext: {{}}
        terminationGracePeriodSeconds: 30
---
apiVersion: v1
kind: Pod
metadata:
  name: agent-1
  namespace: ops
  uid: p-1
  creationTimestamp: \"2026-11-01T10:00:00Z\"
  labels: {{app: agent, controller-revision-hash: h1, pod-template-generation: \"1\"}}
  ownerReferences: [{{apiVersion: apps/v1, kind: DaemonSet, name: agent, uid: d-1, controller: true}}]
spec: {{nodeName: n-1, containers: [{{name: agent, image: \"registry.example/agent:1\"}}]}}
status: {{phase: Running, conditions: [{{type: Ready, status: \"True\", lastTransitionTime: \"2026-11-01T10:01:00Z\"}}]}}
"
    )
}

/// The DaemonSet, with further metadata and one more field of its container.
fn agent(metadata: &str, field: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: DaemonSet
metadata: {{name: agent, namespace: ops{metadata}}}
spec:
  selector: {{matchLabels: {{app: agent}}}}
  template:
    metadata: {{labels: {{app: agent}}}}
    spec: {{containers: [{{name: agent, image: \"registry.example/agent:1\"{field}}}]}}
"
    )
}

const STORED: &str =
    ", uid: d-1, generation: 1, annotations: {deprecated.daemonset.template.generation: \"1\"}";
const MISSPELT: &str = ", imagePullPolcy: Always";

/// Whether neither a revision nor a pod is created or deleted.
fn is_settled(input: &str, args: &[&str]) -> bool {
    json_of(input, args)["summary"]["settled"] == true
}

#[test]
fn predict_phantom_rollout() {
    assert!(is_settled(&(agent("", "") + &around("")), &[]));
    let input = agent("", MISSPELT) + &around("");
    let answer = plan(&input, &[]);
    assert_eq!(answer.code, 2, "{}", answer.stdout);
    let field = "unknown field \"spec.template.spec.containers[0].imagePullPolcy\"";
    assert!(answer.stderr.contains(field), "{}", answer.stderr);
    for loose in ["--validate=ignore", "--validate=warn"] {
        assert!(is_settled(&input, &[loose]), "{loose}");
    }
}

#[test]
fn predict_phantom_rollout_for_an_edited_object_of_a_cluster() {
    let input = agent(STORED, MISSPELT) + &around("");
    let answer = plan(&input, &[]);
    assert_eq!((answer.code, &*answer.stdout), (2, ""));
    assert_eq!(
        words(&answer),
        "error: DaemonSet ops/agent was read from a cluster, and has what no server of Kubernetes 1.37 stores: unknown \
         field \"spec.template.spec.containers[0].imagePullPolcy\"\n  correct what is \
         misspelt; where a server of another release has such a field, --validate=warn plans without it\n"
    );
    for loose in ["--validate=ignore", "--validate=warn"] {
        assert!(is_settled(&input, &[loose]), "{loose}");
    }
    let warned = plan(&input, &["--validate=warn"]).stderr;
    let field = "Warning: unknown field \"spec.template.spec.containers[0].imagePullPolcy\"\n";
    assert_eq!(warned, field);
}

#[test]
fn a_field_that_a_stored_revision_has_is_one_of_a_newer_server_and_stays() {
    let newer = ", newerField: {of: 1.38}";
    let note = "not of Kubernetes 1.37, and kept because a stored revision has it, so that the server must know it: \
                spec.template.spec.containers[0].newerField";
    for metadata in [STORED, ""] {
        let input = agent(metadata, newer) + &around(newer);
        for mode in ["--validate=strict", "--validate=warn", "--validate=ignore"] {
            let plan = json_of(&input, &[mode]);
            assert_eq!(plan["summary"]["settled"], true, "{metadata} {mode}");
            let notes = plan["notes"].as_array().expect("notes");
            assert!(notes.iter().any(|n| n == note), "{notes:?}");
        }
        // A new value of such a field is a change like any other.
        let changed = agent(metadata, ", newerField: {of: 1.39}") + &around(newer);
        assert!(!is_settled(&changed, &[]), "{metadata}");
        // What the revision has and the template no longer has, too.
        assert!(
            !is_settled(&(agent(metadata, "") + &around(newer)), &[]),
            "{metadata}"
        );
    }
}

#[test]
fn only_a_stored_revision_shows_what_a_server_knows_and_only_of_fields() {
    let by_hand = around(MISSPELT).replace("  uid: r-1\n", "");
    assert_eq!(plan(&(agent("", MISSPELT) + &by_hand), &[]).code, 2);
    // The data of a revision are a patch, and this is a directive of it.
    let directive = agent("", "").replace("template:\n", "template:\n    $patch: replace\n");
    let answer = plan(&(directive + &around("")), &[]);
    let field = "unknown field \"spec.template.$patch\"";
    assert!(answer.stderr.contains(field), "{}", answer.stderr);
}
