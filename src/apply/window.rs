//! How many calls of one plan may be under way: opens while calls succeed, closes on errors.
//!
//! Upstream's slow start, without its pauses between batches: a plan whose every create is denied
//! (quota, webhook) costs one call, one that succeeds has thirty-two under way after five round trips.

/// The window.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    limit: usize,
    max: usize,
}

impl Window {
    /// Starts with one call; never more than `max`.
    pub fn new(max: usize) -> Window {
        Window {
            limit: 1,
            max: max.max(1),
        }
    }

    /// How many calls may be under way now.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// A call succeeded: one more may be under way, so the window doubles with each round trip.
    pub fn succeeded(&mut self) {
        self.limit = (self.limit + 1).min(self.max);
    }

    /// A call failed: back to one at a time.
    pub fn failed(&mut self) {
        self.limit = 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_with_each_round_trip_and_closes_at_once() {
        let mut w = Window::new(32);
        for round in 0..5 {
            assert_eq!(w.limit(), 1 << round);
            (0..w.limit()).for_each(|_| w.succeeded());
        }
        assert_eq!(w.limit(), 32);
        w.succeeded();
        assert_eq!(w.limit(), 32);
        w.failed();
        assert_eq!(w.limit(), 1);
    }
}
