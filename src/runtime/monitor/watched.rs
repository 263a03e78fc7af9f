//! What is known of the list and watch of one kind.

use tokio::time::Instant;

/// Its signs of life and its counts.
#[derive(Debug)]
pub struct Watched {
    /// When the loop last took a turn: asked for something, whatever became of it, or was told something. None before
    /// it began.
    turned: Option<Instant>,
    /// When the API server last told something, or answered; at first, when all began.
    told: Instant,
    /// Whether it was listed once.
    pub listed: bool,
    /// Lists begun after one was complete.
    pub relists: u64,
    /// Objects that could not be decoded.
    pub undecodable: u64,
}

impl Watched {
    /// Nothing was heard yet.
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

    /// Something was asked for; `answered` when it was had.
    pub fn asked(&mut self, answered: bool, now: Instant) {
        self.turned = Some(now);
        if answered {
            self.told = now;
        }
    }

    /// An event, a bookmark, an object of a list.
    pub fn told(&mut self, now: Instant) {
        self.asked(true, now);
    }

    /// When the loop last took a turn; None before it began.
    pub fn last_turn(&self) -> Option<Instant> {
        self.turned
    }

    /// When the API server last told something.
    pub fn last_told(&self) -> Instant {
        self.told
    }
}
