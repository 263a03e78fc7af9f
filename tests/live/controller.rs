//! The part of a controller that tests use and the benchmark does not: its user and flags, its end,
//! its log.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

pub use crate::harness::controller::{Controller, Launch, built_in};

impl Launch<'_> {
    /// As another user.
    pub fn user(mut self, user: &str) -> Self {
        self.kubeconfig = self.lab.plane.kubeconfig(user);
        self
    }

    /// As a replica that works only while it leads, by the Lease of the role in `deploy/`. Its
    /// times are a fifth of the usual.
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
}

impl Controller {
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
