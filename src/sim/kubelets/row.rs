//! A pod as kubelets keep it, with what they saw of it and of its node.

use tokio::time::Instant;

use super::lifecycle::{Seen, Step};
use super::node::Node;
use super::pod::{Containers, Pod};

/// One pod.
pub(super) struct Row {
    /// As last seen.
    pub pod: Pod,
    /// When things were first seen.
    pub seen: Seen,
    /// When its next step is due; `None` while it waits for a change or a request is under way.
    pub due: Option<Instant>,
    /// Whether a request is under way.
    pub busy: bool,
    /// Its removal was carried out; finalizers may hold it, but the kubelet has finished.
    pub settled: bool,
    /// Whether the kubelet has decided to admit it, or not to.
    pub judged: bool,
    /// The boot of its node that it was last looked at in.
    pub boot: Option<String>,
}

impl Row {
    /// A pod that is seen for the first time.
    pub fn new(now: Instant) -> Self {
        Row {
            pod: Pod::default(),
            seen: Seen::at(now),
            due: None,
            busy: false,
            settled: false,
            judged: false,
            boot: None,
        }
    }

    /// Takes what the node's annotations say about the pod's node: that it shuts down, or that it
    /// was booted.
    pub fn look_at(&mut self, node: &Node, now: Instant) {
        let since = self.seen.shutdown.unwrap_or(now);
        self.seen.shutdown = node.shuts_down().then_some(since);
        let reported = || node.reported_boot().to_owned();
        if *self.boot.get_or_insert_with(reported) == node.boot() {
            return;
        }
        // A pod that has not been started has nothing to lose, and of one that has ended nothing
        // is left to say, unless nothing was ever said.
        let untold = self.pod.containers() == Containers::Unknown;
        match self.pod.waits() || self.pod.is_terminal() && !untold {
            true => self.boot = Some(node.boot().to_owned()),
            false => _ = self.seen.rebooted.get_or_insert(now),
        }
    }

    /// Keeps what a step that was carried out changes.
    pub fn took(&mut self, step: Step) {
        let now = Instant::now();
        match step {
            Step::Ready(ready) => self.seen.lost_readiness |= !ready,
            Step::PullFails => {
                self.seen.pulls += 1;
                self.seen.turned = Some(now);
            }
            Step::Lost | Step::Recall => {
                (self.seen.rebooted, self.boot) = (None, None);
                self.seen.turned = Some(now);
            }
            Step::Crash { .. } | Step::BackOff | Step::Restart { .. } | Step::PullBackOff => {
                self.seen.turned = Some(now);
            }
            _ => {}
        }
    }
}
