//! The gate before the workers: whether DaemonSets may be synced now.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Open while this process is the leader and is not held back by a conflict.
#[derive(Default)]
pub struct Gate {
    leads: AtomicBool,
    held: AtomicBool,
    changed: Notify,
}

impl Gate {
    /// Whether DaemonSets may be synced.
    pub fn is_open(&self) -> bool {
        self.leads() && !self.held.load(Ordering::Acquire)
    }

    /// Whether this process is the leader, held back or not.
    pub fn leads(&self) -> bool {
        self.leads.load(Ordering::Acquire)
    }

    /// Returns when the gate is open.
    pub async fn opened(&self) {
        self.until(true).await;
    }

    /// Returns when the gate is closed.
    pub async fn closed(&self) {
        self.until(false).await;
    }

    async fn until(&self, open: bool) {
        loop {
            let changed = self.changed.notified();
            if self.is_open() == open {
                return;
            }
            changed.await;
        }
    }

    /// This process became the leader, or stopped leading.
    pub fn lead(&self, leads: bool) {
        self.leads.store(leads, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// A conflict holds this process back, or no longer does.
    pub fn hold(&self, held: bool) {
        self.held.store(held, Ordering::Release);
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_open_while_we_lead_and_are_not_held_back() {
        let gate = Arc::new(Gate::default());
        let opened = tokio::spawn({
            let gate = gate.clone();
            async move { gate.opened().await }
        });
        gate.hold(true);
        gate.lead(true);
        tokio::task::yield_now().await;
        assert!(!gate.is_open() && gate.leads() && !opened.is_finished());
        gate.hold(false);
        opened.await.expect("no panic");
        let closed = tokio::spawn({
            let gate = gate.clone();
            async move { gate.closed().await }
        });
        tokio::task::yield_now().await;
        assert!(gate.is_open() && !closed.is_finished());
        gate.lead(false);
        closed.await.expect("no panic");
    }
}
