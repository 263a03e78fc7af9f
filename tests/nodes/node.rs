//! A node of the rig, and what can befall it: `rig/node.sh` does it.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A real node: kubelet, containerd and pods in namespaces of their own.
#[derive(Debug, Clone)]
pub struct Node {
    number: usize,
    /// The address and port of the API server.
    api: SocketAddrV4,
    /// The file of the API server's authority.
    authority: PathBuf,
}

impl Node {
    /// The node of this number, from 1; it is off.
    pub fn new(number: usize, api: SocketAddrV4, authority: PathBuf) -> Self {
        Self {
            number,
            api,
            authority,
        }
    }

    /// Its name in the cluster.
    pub fn name(&self) -> String {
        format!("n{}", self.number)
    }

    /// A file on its disk, as this machine names it.
    pub fn file(&self, path: &str) -> PathBuf {
        rig_directory().join(self.name()).join(path)
    }

    /// Switches it on. It is the same node as before, with a new boot ID.
    pub async fn power_on(&self) {
        self.rig("start", &[]).await;
    }

    /// Cuts its power.
    pub async fn power_off(&self) {
        self.rig("stop", &[]).await;
    }

    /// Announces a shutdown, and comes back when the kubelet has ended its pods.
    pub async fn shut_down(&self) {
        self.rig("shutdown", &[]).await;
    }

    /// Stops the kubelet; the containers live on.
    pub async fn stop_kubelet(&self) {
        self.rig("kubelet-stop", &[]).await;
    }

    /// Starts the kubelet.
    pub async fn start_kubelet(&self) {
        self.rig("kubelet-start", &[]).await;
    }

    /// Runs a shell command in its namespaces, and gives its output. Panics where it fails.
    pub async fn run(&self, command: &str) -> String {
        self.rig("in", &["bash", "-c", command]).await
    }

    /// Kills the controller there (SIGKILL), as a crash would end it. Deleting its pod is no crash,
    /// not even by force: the kubelet sends SIGTERM, and the leader gives its Lease back.
    pub async fn kill_controller(&self) {
        // The kernel keeps 15 characters of a process's name.
        self.run("kill -KILL $(pgrep -x daemonset-contr)").await;
    }

    async fn rig(&self, what: &str, args: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nodes/rig/node.sh");
        let output = tokio::process::Command::new(script)
            .arg(what)
            .arg(self.number.to_string())
            .args(args)
            .env("RIG_API", self.api.to_string())
            .env("RIG_CA", &self.authority)
            .stdin(Stdio::null())
            .output()
            .await
            .expect("node.sh can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "node.sh {what} {} {args:?} failed:\n{text}{}",
            self.number,
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }
}

/// Where the nodes keep their files.
pub fn rig_directory() -> PathBuf {
    PathBuf::from(rig("RIG_DIR"))
}

/// A variable that `rig/run.sh` sets.
pub fn rig(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: tests/nodes/rig/run.sh makes the place for these tests")
    })
}
