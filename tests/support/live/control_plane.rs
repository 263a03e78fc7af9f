//! A real control plane on loopback ports: etcd, kube-apiserver, kube-scheduler and
//! kube-controller-manager without its DaemonSet controller, in a temporary directory, ended with
//! the tests.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncWriteExt;

use super::audit;
pub use super::components::Options;
use super::components::{Site, client};
use super::configuration::{is_user, kubeconfig_path, write_configuration};
use super::process::{Process, keep};

/// The user as whom the built-in DaemonSet controller acts.
pub const BUILT_IN: &str = "system:serviceaccount:kube-system:daemon-set-controller";

/// The outcome of a kubectl command.
pub struct Answer {
    /// Whether its exit code was zero.
    pub ok: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A running control plane.
pub struct ControlPlane {
    /// Its binaries, files and ports.
    pub site: Site,
    pub etcd: Mutex<Process>,
    pub api_server: Mutex<Process>,
    /// The scheduler, where there is one.
    pub scheduler: Option<Mutex<Process>>,
    /// The controller manager, where there is one.
    pub controller_manager: Option<Mutex<Process>>,
}

impl ControlPlane {
    /// Starts one; ready for use when this returns. Panics with the logs' ends when it does not
    /// come up.
    pub async fn start(name: &str, options: Options) -> Arc<Self> {
        let site = Site::new(name, options);
        write_configuration(&site.dir, site.api, !options.measuring);
        let etcd = site.spawn_etcd();
        let api_server = site.spawn_api_server();
        site.wait_ready(&[&etcd, &api_server]).await;
        let others = !options.api_only;
        let scheduler = others.then(|| site.spawn_scheduler());
        let controller_manager = others.then(|| site.spawn_controller_manager(options));
        let plane = Self {
            site,
            etcd: Mutex::new(etcd),
            api_server: Mutex::new(api_server),
            scheduler: scheduler.map(Mutex::new),
            controller_manager: controller_manager.map(Mutex::new),
        };
        if options.api_only {
            return Arc::new(plane);
        }
        // On real nodes the controller is installed, with its roles.
        let roles: &[&str] = match options.real_nodes {
            None => &[
                include_str!("../../../deploy/rbac.yaml"),
                include_str!("rbac.yaml"),
            ],
            Some(_) => &[],
        };
        for rbac in roles {
            plane
                .kubectl_in(&["apply", "-f", "-"], rbac)
                .await
                .expect_ok("apply rbac.yaml");
        }
        // A service account in `default` is the controller manager's sign of life.
        let wait = [
            "wait",
            "--for=create",
            "serviceaccount/default",
            "-n",
            "default",
            "--timeout=90s",
        ];
        let answer = plane.kubectl(&wait).await;
        assert!(
            answer.ok,
            "the controller manager does not work: {}\n{}",
            answer.stderr,
            plane.logs(40)
        );
        Arc::new(plane)
    }

    /// The directory of its files: logs, kubeconfigs, audit log.
    pub fn dir(&self) -> &Path {
        &self.site.dir
    }

    /// The kubeconfig of one of the users.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        assert!(is_user(user), "there is no user {user}; see USERS");
        kubeconfig_path(&self.site.dir, user)
    }

    /// A client of the API as one of the users.
    pub async fn client(&self, user: &str) -> kube::Client {
        client(&self.kubeconfig(user)).await
    }

    /// Runs kubectl as admin.
    pub async fn kubectl(&self, args: &[&str]) -> Answer {
        self.kubectl_in(args, "").await
    }

    /// Runs kubectl as admin with `input` as its standard input.
    pub async fn kubectl_in(&self, args: &[&str], input: &str) -> Answer {
        let mut child = tokio::process::Command::new(self.site.binary("kubectl"))
            .args(args)
            .env("KUBECONFIG", self.kubeconfig("admin"))
            .env("HOME", &self.site.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("kubectl can be started");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let write = async move {
            let _ = stdin.write_all(input.as_bytes()).await; // it may not want any
        };
        let (output, ()) = tokio::join!(child.wait_with_output(), write);
        let output = output.expect("kubectl can be waited for");
        Answer {
            ok: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts a second controller manager that runs nothing but the built-in DaemonSet controller.
    pub fn start_built_in(&self) -> Process {
        self.site.spawn_built_in()
    }

    /// The answered requests of `user`, so far.
    pub fn audit(&self, user: &str) -> Vec<audit::Entry> {
        audit::read(&self.audit_log(), user)
    }

    /// The file to which the API server writes its audit log.
    pub fn audit_log(&self) -> PathBuf {
        self.site.dir.join("audit.log")
    }

    /// The last lines of every component's log. The directory is kept for a closer look.
    pub fn logs(&self, lines: usize) -> String {
        keep(&self.site.dir);
        let etcd = self
            .etcd
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tail(lines);
        [
            Some(&self.api_server),
            self.scheduler.as_ref(),
            self.controller_manager.as_ref(),
        ]
        .into_iter()
        .flatten()
        .map(|process| {
            let process = process.lock().unwrap_or_else(PoisonError::into_inner);
            process.tail(lines)
        })
        .fold(etcd, |all, one| all + &one)
    }
}

impl Answer {
    /// The standard output; panics when the command failed.
    pub fn expect_ok(self, what: &str) -> String {
        assert!(
            self.ok,
            "kubectl {what} failed:\n{}{}",
            self.stdout, self.stderr
        );
        self.stdout
    }
}
