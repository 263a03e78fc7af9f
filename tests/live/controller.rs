//! The controller under test as a process of its own: our binary, or the built-in one.
//!
//! `LIVE_CONTROLLER=built-in` runs the tests with the built-in controller instead, on a control plane for each
//! test, to see which of them hold for it too: a test that fails for both is likely to be wrong itself.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::cluster::Lab;
use crate::process::{Process, Usage};

/// Whether the tests run with the built-in controller.
pub fn built_in() -> bool {
    std::env::var_os("LIVE_CONTROLLER").is_some_and(|value| value == "built-in")
}

/// How to start a controller.
pub struct Launch<'a> {
    lab: &'a Lab,
    kubeconfig: PathBuf,
    args: Vec<String>,
}

impl<'a> Launch<'a> {
    /// As usual: user `controller`, and this namespace only where others use the control plane too.
    pub fn new(lab: &'a Lab) -> Self {
        let mut args = Vec::new();
        if !lab.alone {
            args.push(format!("--namespace={}", lab.namespace));
        }
        Self {
            lab,
            kubeconfig: lab.plane.kubeconfig("controller"),
            args,
        }
    }

    /// As another user.
    pub fn user(mut self, user: &str) -> Self {
        self.kubeconfig = self.lab.plane.kubeconfig(user);
        self
    }

    /// As a replica that works only while it leads, by the Lease of the role in `deploy/`. Its times are a fifth of the usual.
    pub fn replica(self) -> Self {
        self.arg("--leader-elect=true")
            .arg("--leader-elect-lease-duration=3s")
            .arg("--leader-elect-renew-deadline=2s")
            .arg("--leader-elect-retry-period=400ms")
    }

    /// With another kubeconfig.
    pub fn kubeconfig(mut self, path: &Path) -> Self {
        self.kubeconfig = path.to_owned();
        self
    }

    /// With one more argument to `run`.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// Starts it.
    pub fn start(self) -> Controller {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        if built_in() {
            return Controller {
                process: self.lab.plane.start_built_in(),
            };
        }
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let log = self
            .lab
            .plane
            .dir()
            .join(format!("controller-{}-{number}.log", self.lab.namespace));
        let mut command = Command::new(env!("CARGO_BIN_EXE_daemonset-controller"));
        command
            .arg("run")
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(&self.args)
            // Many run at once; who wants to ask one gives it a port, and the command line counts.
            .env("DAEMONSET_CONTROLLER_HTTP_PORT", "0")
            // Each test has one controller, or two that know nothing of each other.
            .env("DAEMONSET_CONTROLLER_LEADER_ELECT", "false")
            .env_remove("RUST_LOG");
        Controller {
            process: Process::spawn("daemonset-controller", &mut command, &log),
        }
    }
}

/// A running controller; dropping it kills it.
pub struct Controller {
    process: Process,
}

impl Controller {
    /// Starts it as usual.
    pub fn start(lab: &Lab) -> Self {
        Launch::new(lab).start()
    }

    /// Asks it to end (SIGTERM) and waits; `None` when it did not end within `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.process.signal("TERM");
        self.process.wait(limit).await
    }

    /// Ends it without warning (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Halts it (SIGSTOP) until [`Controller::resume`].
    pub fn pause(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.process.signal("CONT");
    }

    /// What it has cost so far.
    pub fn usage(&self) -> Usage {
        self.process.usage()
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// The lines of its log that hold `word`, whatever the case.
    pub fn lines_with(&self, word: &str) -> Vec<String> {
        let word = word.to_lowercase();
        self.log()
            .lines()
            .filter(|line| line.to_lowercase().contains(&word))
            .map(str::to_owned)
            .collect()
    }

    /// Panics when it has ended.
    pub fn expect_running(&mut self) {
        let exited = self.process.exited();
        assert!(
            exited.is_none(),
            "the controller ended ({exited:?})\n{}",
            self.process.tail(40)
        );
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.process.tail(60));
        }
    }
}
