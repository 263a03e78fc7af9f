//! The controller under test as a process of its own: our binary, or the built-in one.
//!
//! `LIVE_CONTROLLER=built-in` runs the tests with the built-in controller instead, on a control
//! plane for each test, to see which of them hold for it too: a test that fails for both is likely
//! to be wrong itself.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::lab::Lab;
use super::process::{Process, Usage};

/// Whether the tests run with the built-in controller.
pub fn built_in() -> bool {
    std::env::var_os("LIVE_CONTROLLER").is_some_and(|value| value == "built-in")
}

/// How to start a controller.
pub struct Launch<'a> {
    /// The cluster that it serves.
    pub lab: &'a Lab,
    /// The kubeconfig of its user.
    pub kubeconfig: PathBuf,
    /// Arguments to `run`.
    pub args: Vec<String>,
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
    pub process: Process,
}

impl Controller {
    /// Starts it as usual.
    pub fn start(lab: &Lab) -> Self {
        Launch::new(lab).start()
    }

    /// Its processor time and memory so far.
    pub fn usage(&self) -> Usage {
        self.process.usage()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.process.tail(60));
        }
    }
}
