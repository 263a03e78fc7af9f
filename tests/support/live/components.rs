//! The processes of a control plane: their flags and ports.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};

use super::binaries;
use super::configuration::kubeconfig_path;
use super::process::{Process, scratch_dir};

/// How long a component may take to come up on a busy machine.
const START: Duration = Duration::from_secs(180);

/// How a control plane differs from the usual one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Run the node lifecycle and taint eviction controllers (kubelets then need a heartbeat):
    /// a node is unreachable after eight seconds of silence.
    pub node_lifecycle: bool,
    /// Nothing but etcd and the API server: nobody else writes.
    pub api_only: bool,
    /// As few other costs as possible, for measurements: requests are audited
    /// without their bodies, and of the other controllers only the garbage collector and the
    /// service accounts' run.
    pub measuring: bool,
    /// For real kubelets, which reach the API server at this address: they are users of their own,
    /// pods get service accounts, the Service `kubernetes` leads to the API server, and the node
    /// lifecycle controller waits 15 seconds.
    pub real_nodes: Option<Ipv4Addr>,
    /// One request over HTTP/2 in fifty, of all users, ends its connection: the most there can be.
    pub goaway: bool,
}

/// Where the processes of one control plane have their binaries, files and ports.
pub struct Site {
    /// Directory of the binaries; an upgrade changes it.
    pub binaries: RwLock<PathBuf>,
    /// Directory of logs, kubeconfigs, certificates and data.
    pub dir: PathBuf,
    /// Address and port of the API server.
    pub api: SocketAddrV4,
    real_nodes: Option<Ipv4Addr>,
    goaway: bool,
    etcd_port: u16,
    etcd_peer_port: u16,
}

impl Site {
    /// A new directory and free ports. Panics when the binaries are missing, and says how to build
    /// them.
    pub fn new(name: &str, options: Options) -> Self {
        Self {
            real_nodes: options.real_nodes,
            goaway: options.goaway,
            binaries: RwLock::new(binaries::find(binaries::asked().as_deref())),
            dir: scratch_dir(name),
            api: SocketAddrV4::new(
                options.real_nodes.unwrap_or(Ipv4Addr::LOCALHOST),
                free_port(),
            ),
            etcd_port: free_port(),
            etcd_peer_port: free_port(),
        }
    }

    /// The path of a binary.
    pub fn binary(&self, name: &str) -> PathBuf {
        let binaries = self.binaries.read().unwrap_or_else(PoisonError::into_inner);
        binaries.join(name)
    }

    /// Starts etcd, on the data that it left when it ran before.
    pub fn spawn_etcd(&self) -> Process {
        let (port, peer_port) = (self.etcd_port, self.etcd_peer_port);
        Process::spawn(
            "etcd",
            Command::new(self.binary("etcd")).args([
                format!("--data-dir={}", self.dir.join("etcd").display()),
                format!("--listen-client-urls=http://127.0.0.1:{port}"),
                format!("--advertise-client-urls=http://127.0.0.1:{port}"),
                format!("--listen-peer-urls=http://127.0.0.1:{peer_port}"),
                format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}"),
                format!("--initial-cluster=default=http://127.0.0.1:{peer_port}"),
                "--unsafe-no-fsync".to_owned(),
                "--log-level=warn".to_owned(),
            ]),
            &self.dir.join("etcd.log"),
        )
    }

    /// Starts the API server, on the same port each time.
    pub fn spawn_api_server(&self) -> Process {
        let (port, etcd_port) = (self.api.port(), self.etcd_port);
        let file = |name: &str| self.dir.join(name).display().to_string();
        let mut command = Command::new(self.binary("kube-apiserver"));
        if let Some(address) = self.real_nodes {
            command.args([
                "--bind-address=0.0.0.0".to_owned(),
                format!("--advertise-address={address}"),
                "--endpoint-reconciler-type=lease".to_owned(),
                "--authorization-mode=Node,RBAC".to_owned(),
                "--enable-admission-plugins=NodeRestriction".to_owned(),
                "--kubelet-preferred-address-types=InternalIP".to_owned(),
            ]);
        } else {
            command.args([
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                "--authorization-mode=RBAC",
                // New nodes would keep the not-ready taint that only the node lifecycle controller
                // takes off, and pods would wait for their service account.
                "--disable-admission-plugins=TaintNodesByCondition,ServiceAccount",
            ]);
        }
        if self.goaway {
            command.arg("--goaway-chance=0.02");
        }
        Process::spawn(
            "kube-apiserver",
            command.args([
                format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
                format!("--secure-port={port}"),
                // The API server makes its own authority and certificate here, and signs service
                // accounts with it.
                format!("--cert-dir={}", self.dir.display()),
                format!("--service-account-key-file={}", file("apiserver.key")),
                format!(
                    "--service-account-signing-key-file={}",
                    file("apiserver.key")
                ),
                "--service-account-issuer=https://live.test".to_owned(),
                "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
                format!("--token-auth-file={}", file("tokens.csv")),
                "--allow-privileged=true".to_owned(),
                format!("--audit-policy-file={}", file("audit-policy.yaml")),
                format!("--audit-log-path={}", file("audit.log")),
                "--audit-log-maxsize=10000".to_owned(),
                "--profiling=false".to_owned(),
            ]),
            &self.dir.join("kube-apiserver.log"),
        )
    }

    /// Starts the scheduler.
    pub fn spawn_scheduler(&self) -> Process {
        Process::spawn(
            "kube-scheduler",
            Command::new(self.binary("kube-scheduler")).args([
                format!(
                    "--kubeconfig={}",
                    kubeconfig_path(&self.dir, "system:kube-scheduler").display()
                ),
                "--leader-elect=false".to_owned(),
                "--secure-port=0".to_owned(),
                "--kube-api-qps=5000".to_owned(),
                "--kube-api-burst=5000".to_owned(),
            ]),
            &self.dir.join("kube-scheduler.log"),
        )
    }

    /// Starts the controller manager without its DaemonSet controller.
    pub fn spawn_controller_manager(&self, options: Options) -> Process {
        let mut controllers = if options.measuring {
            "--controllers=garbage-collector-controller,serviceaccount-controller".to_owned()
        } else {
            "--controllers=*,-daemonset-controller".to_owned()
        };
        let mut command = self.controller_manager_command();
        if self.real_nodes.is_some() {
            let authority = self.dir.join("apiserver.crt");
            command.args([
                "--node-monitor-period=1s".to_owned(),
                "--node-monitor-grace-period=15s".to_owned(),
                format!("--root-ca-file={}", authority.display()),
            ]);
        } else if options.node_lifecycle {
            command.args(["--node-monitor-period=1s", "--node-monitor-grace-period=8s"]);
        } else if !options.measuring {
            controllers += ",-node-lifecycle-controller,-taint-eviction-controller";
        }
        Process::spawn(
            "kube-controller-manager",
            command.arg(controllers),
            &self.dir.join("kube-controller-manager.log"),
        )
    }

    /// Starts a controller manager that runs nothing but the built-in DaemonSet controller.
    pub fn spawn_built_in(&self) -> Process {
        let mut command = self.controller_manager_command();
        Process::spawn(
            "built-in",
            command.arg("--controllers=daemonset-controller"),
            &self.dir.join("built-in.log"),
        )
    }

    fn controller_manager_command(&self) -> Command {
        let mut command = Command::new(self.binary("kube-controller-manager"));
        command.args([
            format!(
                "--kubeconfig={}",
                kubeconfig_path(&self.dir, "system:kube-controller-manager").display()
            ),
            format!(
                "--service-account-private-key-file={}",
                self.dir.join("apiserver.key").display()
            ),
            "--use-service-account-credentials=true".to_owned(), // each controller is a user of its own
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            "--kube-api-qps=5000".to_owned(),
            "--kube-api-burst=5000".to_owned(),
        ]);
        command
    }

    /// Waits until the API server says that it is ready.
    pub async fn wait_ready(&self, started: &[&Process]) {
        let deadline = Instant::now() + START;
        let logs = || {
            started
                .iter()
                .map(|process| process.tail(30))
                .collect::<String>()
        };
        // The certificate comes first: a client needs it.
        while !std::fs::read_to_string(self.dir.join("apiserver.crt"))
            .is_ok_and(|text| text.ends_with("-----\n"))
        {
            assert!(
                Instant::now() < deadline,
                "the API server made no certificate\n{}",
                logs()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let client = client(&kubeconfig_path(&self.dir, "admin")).await;
        loop {
            let request = http::Request::get("/readyz")
                .body(Vec::new())
                .expect("the request is valid");
            let error = match client.request_text(request).await {
                Ok(_) => return,
                Err(error) => error,
            };
            assert!(
                Instant::now() < deadline,
                "the API server is not ready: {error}\n{}",
                logs()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A client from a kubeconfig; it does not retry by itself.
pub async fn client(kubeconfig: &Path) -> kube::Client {
    let config = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig can be read");
    let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
        .await
        .expect("the kubeconfig is complete");
    config.default_retry = false;
    kube::Client::try_from(config).expect("a client can be made")
}

/// A port on which nobody listens, below those that the system gives to outgoing connections.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 1_000) as u16 * 11;
    loop {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
