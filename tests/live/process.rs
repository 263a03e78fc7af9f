//! Signals to child processes, and waiting for their end.

use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

pub use crate::harness::process::Process;

impl Process {
    /// Sends a signal by name: `TERM`, `STOP`, `CONT`, `KILL`.
    pub fn signal(&self, signal: &str) {
        assert!(
            self.exited.is_none(),
            "{} has ended, it takes no {signal}",
            self.name
        );
        let pid = self.id().to_string();
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "kill", signal, &pid])
            .status();
        assert!(
            status.expect("sh can be started").success(),
            "cannot send {signal} to {} ({pid})",
            self.name
        );
    }

    /// Waits until it ends; `None` when it did not within `limit`.
    pub async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        while self.exited().is_none() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.exited
    }
}
