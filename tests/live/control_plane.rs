//! A real control plane on loopback ports: etcd, kube-apiserver, kube-scheduler and kube-controller-manager
//! without its DaemonSet controller, in a temporary directory, ended with the tests.
//!
//! The binaries come from `KUBEBUILDER_ASSETS` where that is set, else from `tests/control-plane/build.sh`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::io::AsyncWriteExt;
use tokio::sync::OnceCell;

use crate::audit;
use crate::configuration::{is_user, kubeconfig_path, write_configuration, write_kubeconfig};
use crate::process::{Process, keep, scratch_dir};

/// The user as whom the built-in DaemonSet controller acts.
pub const BUILT_IN: &str = "system:serviceaccount:kube-system:daemon-set-controller";
const BINARIES: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
];
/// How long a component may take to come up on a busy machine.
const START: Duration = Duration::from_secs(90);

/// What a kubectl command answered.
pub struct Answer {
    /// Whether its exit code was zero.
    pub ok: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// How a control plane differs from the usual one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Run the node lifecycle and taint eviction controllers (kubelets then need a heartbeat):
    /// a node is unreachable after eight seconds of silence.
    pub node_lifecycle: bool,
    /// Nothing but etcd and the API server: nobody else writes.
    pub api_only: bool,
    /// What measuring needs and no more, so that what is measured shows: requests are audited without their bodies, and
    /// of the other controllers only the garbage collector and the service accounts' run.
    pub measuring: bool,
}

/// A running control plane.
pub struct ControlPlane {
    binaries: PathBuf,
    dir: PathBuf,
    api_port: u16,
    etcd_port: u16,
    peer_port: u16,
    etcd: Mutex<Process>,
    api_server: Mutex<Process>,
    scheduler: Option<Mutex<Process>>,
    controller_manager: Option<Mutex<Process>>,
}

/// A component that tests may stop, continue or restart.
#[derive(Debug, Clone, Copy)]
pub enum Component {
    /// The API server.
    ApiServer,
    /// The scheduler.
    Scheduler,
    /// The controller manager, without the DaemonSet controller.
    ControllerManager,
}

impl ControlPlane {
    /// The control plane that all tests share, started by the first that asks.
    pub async fn shared() -> Arc<Self> {
        static SHARED: OnceCell<Arc<ControlPlane>> = OnceCell::const_new();
        SHARED
            .get_or_init(|| Self::start("shared", Options::default()))
            .await
            .clone()
    }

    /// Starts one; ready for use when this returns. Panics with the logs' ends when it does not come up.
    pub async fn start(name: &str, options: Options) -> Arc<Self> {
        let binaries = find_binaries();
        let dir = scratch_dir(name);
        let (api_port, etcd_port, peer_port) = (free_port(), free_port(), free_port());
        write_configuration(&dir, api_port, !options.measuring);
        let etcd = spawn_etcd(&binaries, &dir, etcd_port, peer_port);
        let api_server = spawn_api_server(&binaries, &dir, api_port, etcd_port);
        wait_ready(&dir, &[&etcd, &api_server]).await;
        let others = !options.api_only;
        let scheduler = others.then(|| spawn_scheduler(&binaries, &dir));
        let controller_manager = others.then(|| spawn_controller_manager(&binaries, &dir, options));
        let plane = Self {
            binaries,
            dir,
            api_port,
            etcd_port,
            peer_port,
            etcd: Mutex::new(etcd),
            api_server: Mutex::new(api_server),
            scheduler: scheduler.map(Mutex::new),
            controller_manager: controller_manager.map(Mutex::new),
        };
        if options.api_only {
            return Arc::new(plane);
        }
        for rbac in [
            include_str!("../../deploy/rbac.yaml"),
            include_str!("rbac.yaml"),
        ] {
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

    /// Where its files are: logs, kubeconfigs, audit log.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The kubeconfig of one of the users.
    pub fn kubeconfig(&self, user: &str) -> PathBuf {
        assert!(is_user(user), "there is no user {user}; see USERS");
        kubeconfig_path(&self.dir, user)
    }

    /// A kubeconfig whose token the API server does not know.
    pub fn refused_kubeconfig(&self) -> PathBuf {
        write_kubeconfig(&self.dir, self.api_port, "stranger")
    }

    /// A kubeconfig for `user` that points at a port where nobody listens.
    pub fn unreachable_kubeconfig(&self) -> PathBuf {
        let dir = self.dir.join("unreachable");
        std::fs::create_dir_all(&dir).expect("a directory can be created");
        std::fs::copy(self.dir.join("apiserver.crt"), dir.join("apiserver.crt"))
            .expect("a file can be copied");
        write_kubeconfig(&dir, free_port(), "controller")
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
        let mut child = tokio::process::Command::new(self.binaries.join("kubectl"))
            .args(args)
            .env("KUBECONFIG", self.kubeconfig("admin"))
            .env("HOME", &self.dir)
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

    /// Stops (SIGSTOP) a component.
    pub fn pause(&self, component: Component) {
        self.component(component).signal("STOP");
    }

    /// Continues (SIGCONT) a component that was paused.
    pub fn resume(&self, component: Component) {
        self.component(component).signal("CONT");
    }

    /// Kills the API server.
    pub fn kill_api_server(&self) {
        self.component(Component::ApiServer).kill();
    }

    /// Starts the API server again, on the same port with the same data, and waits until it is ready. Then the scheduler
    /// starts anew: it may end itself when the answer to a binding is lost, and in a cluster its kubelet starts it again.
    pub async fn start_api_server(&self) {
        let fresh = spawn_api_server(&self.binaries, &self.dir, self.api_port, self.etcd_port);
        wait_ready(&self.dir, &[&fresh]).await;
        *self.component(Component::ApiServer) = fresh;
        if let Some(scheduler) = &self.scheduler {
            let mut scheduler = scheduler.lock().unwrap_or_else(PoisonError::into_inner);
            scheduler.kill();
            *scheduler = spawn_scheduler(&self.binaries, &self.dir);
        }
    }

    /// Kills etcd and starts it again with the same data, and waits until the API server is ready again.
    pub async fn restart_etcd(&self) {
        let spawn = || spawn_etcd(&self.binaries, &self.dir, self.etcd_port, self.peer_port);
        {
            let mut etcd = self.etcd.lock().unwrap_or_else(PoisonError::into_inner);
            etcd.kill();
            *etcd = spawn();
        }
        wait_ready(&self.dir, &[]).await;
    }

    /// Starts a second controller manager that runs nothing but the built-in DaemonSet controller.
    pub fn start_built_in(&self) -> Process {
        let log = self.dir.join("built-in.log");
        let mut command = controller_manager_command(&self.binaries, &self.dir);
        Process::spawn(
            "built-in",
            command.arg("--controllers=daemonset-controller"),
            &log,
        )
    }

    /// What `user` asked the API server for, so far.
    pub fn audit(&self, user: &str) -> Vec<audit::Entry> {
        audit::read(&self.audit_log(), user)
    }

    /// Where the API server writes it.
    pub fn audit_log(&self) -> PathBuf {
        self.dir.join("audit.log")
    }

    /// The last lines of every component's log. The directory is kept for a closer look.
    pub fn logs(&self, lines: usize) -> String {
        keep(&self.dir);
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

    /// Processor time that etcd and the API server have used, in seconds.
    #[allow(dead_code, reason = "only the benchmark asks")]
    pub fn cpu_seconds(&self) -> f64 {
        [&self.etcd, &self.api_server]
            .map(|process| {
                let process = process.lock().unwrap_or_else(PoisonError::into_inner);
                process.usage().cpu_seconds
            })
            .iter()
            .sum()
    }

    fn component(&self, component: Component) -> MutexGuard<'_, Process> {
        let process = match component {
            Component::ApiServer => Some(&self.api_server),
            Component::Scheduler => self.scheduler.as_ref(),
            Component::ControllerManager => self.controller_manager.as_ref(),
        };
        let process = process.expect("this component was started");
        process.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A client from a kubeconfig; it does not retry by itself.
pub async fn client(kubeconfig: &Path) -> kube::Client {
    let config = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig can be read");
    let mut config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
        .await
        .expect("the kubeconfig is complete");
    config.default_retry = false;
    kube::Client::try_from(config).expect("a client can be made")
}

fn find_binaries() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane/build.sh");
    let dir = match std::env::var_os("KUBEBUILDER_ASSETS") {
        Some(dir) => PathBuf::from(dir),
        None => {
            let output = Command::new(&script).arg("--where").output();
            let output =
                output.unwrap_or_else(|error| panic!("cannot run {}: {error}", script.display()));
            PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
        }
    };
    let missing: Vec<_> = BINARIES
        .iter()
        .filter(|name| !dir.join(name).exists())
        .collect();
    assert!(
        missing.is_empty(),
        "\n\nNo control plane to test against: {missing:?} not in {}.\nBuild it with `just control-plane` (or {}), \
         which needs Go and takes some minutes,\nor set KUBEBUILDER_ASSETS to a directory that holds {BINARIES:?}.\n\n",
        dir.display(),
        script.display(),
    );
    dir
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

fn spawn_etcd(binaries: &Path, dir: &Path, port: u16, peer_port: u16) -> Process {
    Process::spawn(
        "etcd",
        Command::new(binaries.join("etcd")).args([
            format!("--data-dir={}", dir.join("etcd").display()),
            format!("--listen-client-urls=http://127.0.0.1:{port}"),
            format!("--advertise-client-urls=http://127.0.0.1:{port}"),
            format!("--listen-peer-urls=http://127.0.0.1:{peer_port}"),
            format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}"),
            format!("--initial-cluster=default=http://127.0.0.1:{peer_port}"),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ]),
        &dir.join("etcd.log"),
    )
}

fn spawn_api_server(binaries: &Path, dir: &Path, port: u16, etcd_port: u16) -> Process {
    let file = |name: &str| dir.join(name).display().to_string();
    Process::spawn(
        "kube-apiserver",
        Command::new(binaries.join("kube-apiserver")).args([
            format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--secure-port={port}"),
            // The API server makes its own authority and certificate here, and signs service accounts with it.
            format!("--cert-dir={}", dir.display()),
            format!("--service-account-key-file={}", file("apiserver.key")),
            format!(
                "--service-account-signing-key-file={}",
                file("apiserver.key")
            ),
            "--service-account-issuer=https://live.test".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            format!("--token-auth-file={}", file("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
            // New nodes would keep the not-ready taint that only the node lifecycle controller takes off, and
            // pods would wait for their service account.
            "--disable-admission-plugins=TaintNodesByCondition,ServiceAccount".to_owned(),
            format!("--audit-policy-file={}", file("audit-policy.yaml")),
            format!("--audit-log-path={}", file("audit.log")),
            "--audit-log-maxsize=10000".to_owned(),
            "--profiling=false".to_owned(),
        ]),
        &dir.join("kube-apiserver.log"),
    )
}

fn spawn_scheduler(binaries: &Path, dir: &Path) -> Process {
    Process::spawn(
        "kube-scheduler",
        Command::new(binaries.join("kube-scheduler")).args([
            format!(
                "--kubeconfig={}",
                kubeconfig_path(dir, "system:kube-scheduler").display()
            ),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            "--kube-api-qps=5000".to_owned(),
            "--kube-api-burst=5000".to_owned(),
        ]),
        &dir.join("kube-scheduler.log"),
    )
}

fn controller_manager_command(binaries: &Path, dir: &Path) -> Command {
    let mut command = Command::new(binaries.join("kube-controller-manager"));
    command.args([
        format!(
            "--kubeconfig={}",
            kubeconfig_path(dir, "system:kube-controller-manager").display()
        ),
        format!(
            "--service-account-private-key-file={}",
            dir.join("apiserver.key").display()
        ),
        "--use-service-account-credentials=true".to_owned(), // each controller is a user of its own
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
        "--kube-api-qps=5000".to_owned(),
        "--kube-api-burst=5000".to_owned(),
    ]);
    command
}

fn spawn_controller_manager(binaries: &Path, dir: &Path, options: Options) -> Process {
    let mut controllers = if options.measuring {
        "--controllers=garbage-collector-controller,serviceaccount-controller".to_owned()
    } else {
        "--controllers=*,-daemonset-controller".to_owned()
    };
    let mut command = controller_manager_command(binaries, dir);
    if options.node_lifecycle {
        command.args(["--node-monitor-period=1s", "--node-monitor-grace-period=8s"]);
    } else if !options.measuring {
        controllers += ",-node-lifecycle-controller,-taint-eviction-controller";
    }
    Process::spawn(
        "kube-controller-manager",
        command.arg(controllers),
        &dir.join("kube-controller-manager.log"),
    )
}

/// Waits until the API server of this directory says that it is ready.
async fn wait_ready(dir: &Path, started: &[&Process]) {
    let deadline = Instant::now() + START;
    let logs = || {
        started
            .iter()
            .map(|process| process.tail(30))
            .collect::<String>()
    };
    // The certificate comes first: a client needs it.
    while !std::fs::read_to_string(dir.join("apiserver.crt"))
        .is_ok_and(|text| text.ends_with("-----\n"))
    {
        assert!(
            Instant::now() < deadline,
            "the API server made no certificate\n{}",
            logs()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let client = client(&kubeconfig_path(dir, "admin")).await;
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
