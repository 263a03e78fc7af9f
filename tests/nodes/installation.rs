//! Which controller the cluster has, and how it was installed. A test says what it wants; what an
//! earlier one left goes first.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::cluster::Cluster;
use crate::harness::process::Process;
use crate::node::{rig, rig_directory};

/// Ways to have a DaemonSet controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Ours by the chart: two replicas.
    Chart,
    /// The same, with its endpoints over TLS.
    SecureChart,
    /// Ours by `kubectl apply -k deploy/`.
    Deploy,
    /// Ours as a static pod of the first node.
    StaticPod,
    /// The one of kube-controller-manager.
    BuiltIn,
}

/// What is there.
#[derive(Default)]
pub struct Present {
    way: Option<Way>,
    built_in: Option<Process>,
}

const NAMESPACE: &str = "kube-system";
const IMAGE: &str = "localhost/daemonset-controller";

/// How long an installation may take: the images are there, so only a busy machine needs it.
const PATIENCE: &str = "120s";

impl Cluster {
    /// Makes sure that this controller is there and no other.
    pub async fn install(&self, way: Way) {
        let mut present = self.present().await;
        if present.way == Some(way) {
            return;
        }
        if let Some(former) = present.way.take() {
            self.remove(former, &mut present).await;
        }
        match way {
            Way::Chart => self.install_chart(false).await,
            Way::SecureChart => self.install_chart(true).await,
            Way::Deploy => self.install_manifests().await,
            Way::StaticPod => self.install_static_pod().await,
            Way::BuiltIn => present.built_in = Some(self.plane.start_built_in()),
        }
        present.way = Some(way);
    }

    async fn remove(&self, way: Way, present: &mut Present) {
        match way {
            Way::Chart | Way::SecureChart => {
                self.helm(&[
                    "uninstall",
                    "daemonset-controller",
                    "--wait",
                    "-n",
                    NAMESPACE,
                ])
                .await;
            }
            Way::Deploy => {
                let directory = file("deploy");
                self.kubectl(&["delete", "--wait", "-k", &directory.display().to_string()])
                    .await;
            }
            Way::StaticPod => {
                let node = self.node(1);
                std::fs::remove_file(node.file(STATIC_POD)).expect("the manifest can be removed");
                let pod = "pod/daemonset-controller-n1";
                let limit = format!("--timeout={PATIENCE}");
                self.kubectl(&["wait", "--for=delete", pod, "-n", NAMESPACE, &limit])
                    .await;
                for name in ["deploy/static-pod/rbac.yaml", "deploy/rbac.yaml"] {
                    self.kubectl(&["delete", "-f", &file(name).display().to_string()])
                        .await;
                }
            }
            Way::BuiltIn => present.built_in = None,
        }
        self.until_no_controller().await;
        // Nobody should have to wait for the end of a Lease that was left.
        self.kubectl(&[
            "delete",
            "lease",
            "daemonset-controller",
            "-n",
            NAMESPACE,
            "--ignore-not-found",
        ])
        .await;
    }

    async fn install_chart(&self, secure: bool) {
        let chart = file("charts/daemonset-controller").display().to_string();
        let image = format!("image.repository={IMAGE},server.secure.enabled={secure}");
        self.helm(&[
            "install",
            "daemonset-controller",
            &chart,
            "-n",
            NAMESPACE,
            "--set",
            &image,
            // A third of the usual: a test waits for the end of the Lease of a leader that crashed.
            "--set",
            "leaderElection.leaseDuration=5s,leaderElection.renewDeadline=3s,leaderElection.retryPeriod=1s",
            "--wait",
            "--timeout",
            PATIENCE,
        ])
        .await;
    }

    async fn install_manifests(&self) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let version = env!("CARGO_PKG_VERSION");
        let kustomization = format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [deploy]\n\
             images:\n- name: daemonset-controller\n  newName: {IMAGE}\n  newTag: {version}\n"
        );
        // Kustomize reads nothing outside of its directory.
        copy(&file("deploy"), &directory.path().join("deploy"));
        std::fs::write(directory.path().join("kustomization.yaml"), kustomization)
            .expect("a file can be written");
        self.kubectl(&["apply", "-k", &directory.path().display().to_string()])
            .await;
        let limit = format!("--timeout={PATIENCE}");
        let deployment = "deployment/daemonset-controller";
        self.kubectl(&["rollout", "status", deployment, "-n", NAMESPACE, &limit])
            .await;
    }

    /// As docs/install.md says: a kubeconfig that user 65532 can read, the roles, the manifest.
    async fn install_static_pod(&self) {
        for name in ["deploy/rbac.yaml", "deploy/static-pod/rbac.yaml"] {
            self.kubectl(&["apply", "-f", &file(name).display().to_string()])
                .await;
        }
        let node = self.node(1);
        let mine = self.plane.kubeconfig(STATIC_POD_USER).display().to_string();
        let kubeconfig = self
            .kubectl(&[
                "--kubeconfig",
                &mine,
                "config",
                "view",
                "--flatten",
                "--raw",
            ])
            .await;
        let path = node.file("etc-kubernetes/daemonset-controller.conf");
        std::fs::write(&path, kubeconfig).expect("a file can be written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o400))
            .and_then(|()| chown(&path, Some(65532), Some(65532)))
            .expect("the kubeconfig can be given to the user of the image");
        let version = env!("CARGO_PKG_VERSION");
        let manifest = std::fs::read_to_string(file("deploy/static-pod/daemonset-controller.yaml"))
            .expect("the manifest can be read")
            .replace(
                &format!("image: daemonset-controller:{version}"),
                &format!("image: {IMAGE}:{version}"),
            );
        assert!(manifest.contains(IMAGE), "the image was not replaced");
        std::fs::write(node.file(STATIC_POD), manifest).expect("a file can be written");
        let pod = "pod/daemonset-controller-n1";
        let limit = format!("--timeout={PATIENCE}");
        for wait in ["--for=create", "--for=condition=Ready"] {
            self.kubectl(&["wait", wait, pod, "-n", NAMESPACE, &limit])
                .await;
        }
    }

    /// Waits until no pod of a controller is left.
    async fn until_no_controller(&self) {
        let limit = format!("--timeout={PATIENCE}");
        for label in [
            "app.kubernetes.io/name=daemonset-controller",
            "component=daemonset-controller",
        ] {
            self.kubectl(&[
                "wait",
                "--for=delete",
                "pod",
                "-l",
                label,
                "-n",
                NAMESPACE,
                &limit,
            ])
            .await;
        }
    }

    /// The pod that leads, and its node, once there is one and it is not `former`.
    pub async fn leader(&self, former: Option<&str>) -> Leader {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let holder = self
                .kubectl(&[
                    "get",
                    "lease",
                    "daemonset-controller",
                    "-n",
                    NAMESPACE,
                    "--ignore-not-found",
                    "-o",
                    "jsonpath={.spec.holderIdentity}",
                ])
                .await;
            if !holder.is_empty() && former != Some(holder.as_str()) {
                let pod = holder.rsplit_once('_').map_or(&*holder, |(pod, _)| pod);
                let path = "jsonpath={.spec.nodeName}";
                // A static pod has the node's name for a host name, and no pod is called that.
                let node = self
                    .kubectl(&[
                        "get",
                        "pod",
                        pod,
                        "-n",
                        NAMESPACE,
                        "--ignore-not-found",
                        "-o",
                        path,
                    ])
                    .await;
                return Leader {
                    pod: pod.to_owned(),
                    node,
                    holder,
                };
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "nobody leads after {former:?}, the Lease says {holder:?}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Runs kubectl; panics where it fails.
    pub async fn kubectl(&self, args: &[&str]) -> String {
        self.plane.kubectl(args).await.expect_ok(&args.join(" "))
    }

    async fn helm(&self, args: &[&str]) {
        let output = Command::new(rig("NODES_HELM"))
            .args(args)
            .env("KUBECONFIG", self.plane.kubeconfig("admin"))
            .env("HOME", rig_directory())
            .output()
            .await
            .expect("helm can be started");
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let pods = self.kubectl(&["describe", "pods", "-n", NAMESPACE]).await;
            panic!("helm {args:?} failed: {text}\n{pods}");
        }
    }
}

/// Who holds the Lease.
#[derive(Debug, Clone)]
pub struct Leader {
    /// Its identity in the Lease.
    pub holder: String,
    /// The name of its pod.
    pub pod: String,
    /// The name of the node that it runs on.
    pub node: String,
}

/// The user of the static pod's kubeconfig, see deploy/static-pod/rbac.yaml.
const STATIC_POD_USER: &str = "daemonset-controller";
const STATIC_POD: &str = "etc-kubernetes/manifests/daemonset-controller.yaml";

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory can be made");
    for entry in std::fs::read_dir(from).expect("the directory can be read") {
        let entry = entry.expect("the directory can be read");
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            std::fs::copy(&path, &to).expect("a file can be copied");
        }
    }
}
