//! A real API server accepts all manifests that people apply: `deploy/`, the static pod, and every
//! rendering of the chart that `charts/daemonset-controller/ci` asks for. The test uses a
//! server-side dry run, so that defaults, validation and admission judge the manifests and nothing
//! is left behind.
//!
//! ServiceMonitor and PrometheusRule are left out: their CRDs are not Kubernetes' own. promtool
//! judges the rules (`.ci/chart`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::control_plane::{ControlPlane, Options};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

async fn api_server(name: &str) -> Arc<ControlPlane> {
    let options = Options {
        api_only: true,
        ..Options::default()
    };
    ControlPlane::start(name, options).await
}

/// Applies it as a server-side dry run, and gives the names of what was taken.
async fn taken(plane: &ControlPlane, args: &[&str], input: &str) -> Vec<String> {
    let apply = ["apply", "--dry-run=server", "--validate=strict", "-o=name"];
    let answer = plane.kubectl_in(&[&apply, args].concat(), input).await;
    assert!(answer.ok, "{args:?} is refused:\n{}{input}", answer.stderr);
    assert!(
        !answer.stderr.contains("Warning:"),
        "{args:?}: {}",
        answer.stderr
    );
    answer.stdout.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deploy_is_taken_by_the_api_server() {
    let plane = api_server("deploy").await;
    let directory = file("deploy");
    let names = taken(&plane, &["-k", &directory.display().to_string()], "").await;
    for kind in [
        "serviceaccount",
        "clusterrole.rbac",
        "deployment.apps",
        "poddisruptionbudget.policy",
        "service/",
        "networkpolicy.networking",
        "rolebinding.rbac",
    ] {
        assert!(
            names.iter().any(|name| name.starts_with(kind)),
            "no {kind} among {names:?}"
        );
    }
    for path in [
        "deploy/static-pod/daemonset-controller.yaml",
        "deploy/static-pod/rbac.yaml",
        "deploy/monitoring/dashboard.yaml",
    ] {
        let names = taken(&plane, &["-f", &file(path).display().to_string()], "").await;
        assert!(!names.is_empty(), "{path} is empty");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kustomization_in_the_documents_is_taken_by_the_api_server() {
    let install = std::fs::read_to_string(file("docs/install.md")).expect("docs/install.md");
    let shown = install
        .split("```yaml\n")
        .filter_map(|rest| rest.split("```").next())
        .find(|block| block.contains("kind: Kustomization"))
        .expect("a kustomization in docs/install.md");
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let mine = scratch.path().join("mine");
    std::fs::create_dir_all(&mine).expect("a directory");
    std::fs::write(mine.join("kustomization.yaml"), shown).expect("it can be written");
    let copied = Command::new("cp")
        .arg("-r")
        .args([file("deploy"), scratch.path().to_owned()])
        .status();
    assert!(copied.expect("cp can be run").success());
    let plane = api_server("kustomization").await;
    let built = plane
        .kubectl(&["kustomize", &mine.display().to_string()])
        .await;
    let built = built.expect_ok("kustomize");
    for text in [
        "hostNetwork: true",
        "value: api.cluster.example",
        "image: registry.example/daemonset-controller:0.1.0",
        "key: node.kubernetes.io/network-unavailable",
    ] {
        assert!(built.contains(text), "no {text} in {built}");
    }
    taken(&plane, &["-f", "-"], &built).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rendering_of_the_chart_is_taken_by_the_api_server() {
    let tool = Command::new(file("charts/tool.sh")).arg("helm").output();
    let tool = tool.expect("charts/tool.sh can be run");
    assert!(
        tool.status.success(),
        "no helm: {}",
        String::from_utf8_lossy(&tool.stderr)
    );
    let helm = PathBuf::from(String::from_utf8_lossy(&tool.stdout).trim());
    let plane = api_server("chart").await;
    for namespace in ["agents", "leases"] {
        plane
            .kubectl(&["create", "namespace", namespace])
            .await
            .expect_ok("create namespace");
    }
    let chart = file("charts/daemonset-controller");
    let mut values: Vec<PathBuf> = std::fs::read_dir(chart.join("ci"))
        .expect("ci can be read")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    values.push(file("deploy/kind/values.yaml"));
    assert!(values.len() > 5, "no values to render with");
    for values in values {
        let rendered = Command::new(&helm)
            .args(["template", "some", "--namespace=agents"])
            .arg(&chart)
            .arg("--values")
            .arg(&values)
            .arg("--set=serviceMonitor.enabled=false,prometheusRule.enabled=false")
            .output()
            .expect("helm can be run");
        assert!(
            rendered.status.success(),
            "{}: {}",
            values.display(),
            String::from_utf8_lossy(&rendered.stderr)
        );
        let text = String::from_utf8_lossy(&rendered.stdout);
        let names = taken(&plane, &["-f", "-"], &text).await;
        assert!(
            names.iter().any(|name| name.starts_with("deployment.apps")),
            "{}: no Deployment among {names:?}",
            values.display()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pods_pass_the_restricted_pod_security_standard() {
    let plane = api_server("restricted").await;
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": "restricted", "labels": { "pod-security.kubernetes.io/enforce": "restricted" } } });
    plane
        .kubectl_in(&["apply", "-f", "-"], &namespace.to_string())
        .await
        .expect_ok("apply");
    let deployment = file("deploy/deployment.yaml").display().to_string();
    let args = ["create", "--dry-run=client", "-o=json", "-f", &deployment];
    let deployment = plane.kubectl(&args).await.expect_ok("read the Deployment");
    let deployment: Value = serde_json::from_str(&deployment).expect("JSON");
    let pod = |spec: &Value| {
        json!({ "apiVersion": "v1", "kind": "Pod",
                "metadata": { "name": "one", "namespace": "restricted" }, "spec": spec })
    };
    let mut spec = deployment["spec"]["template"]["spec"].clone();
    // This class may be used anywhere; the standard is what is asked about.
    let names = taken(&plane, &["-f", "-"], &pod(&spec).to_string()).await;
    assert_eq!(names, ["pod/one"]);

    spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    let args = ["apply", "--dry-run=server", "-f", "-"];
    let refused = plane.kubectl_in(&args, &pod(&spec).to_string()).await;
    assert!(
        refused.stderr.contains("violates PodSecurity"),
        "the standard is not enforced here: {}",
        refused.stderr
    );
}
