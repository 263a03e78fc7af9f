//! The record of the list and watch of one kind.

use tokio::time::Instant;

/// Signs of life and counts of the list and watch of one kind.
#[derive(Debug)]
pub struct Watched {
    /// When the loop last made progress: it sent a request, whatever became of it, or got
    /// something. None before it began.
    turned: Option<Instant>,
    /// When the API server last answered or sent something. Before it did, when the process began.
    told: Instant,
    /// Whether a list has completed.
    pub listed: bool,
    /// Lists that began after the first complete one.
    pub relists: u64,
    /// Objects that could not be decoded.
    pub undecodable: u64,
}

impl Watched {
    /// The record before the loop begins. `begun` is when the process began.
    pub fn new(begun: Instant) -> Watched {
        Watched {
            turned: None,
            told: begun,
            listed: false,
            relists: 0,
            undecodable: 0,
        }
    }

    /// A list begins.
    pub fn list_began(&mut self, now: Instant) {
        self.turned = Some(now);
        self.relists += u64::from(self.listed);
    }

    /// A request was sent. `answered` says that it succeeded.
    pub fn asked(&mut self, answered: bool, now: Instant) {
        self.turned = Some(now);
        if answered {
            self.told = now;
        }
    }

    /// An event, a bookmark or an object of a list came.
    pub fn told(&mut self, now: Instant) {
        self.asked(true, now);
    }

    /// When the loop last made progress; None before it began.
    pub fn last_turn(&self) -> Option<Instant> {
        self.turned
    }

    /// When the API server last answered or sent something.
    pub fn last_told(&self) -> Instant {
        self.told
    }
}
