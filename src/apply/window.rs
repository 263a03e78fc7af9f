//! The number of calls of one plan that may be in flight: it grows while calls succeed and falls to
//! one on an error.
//!
//! This is upstream's slow start without its pauses between batches. A plan whose creates are all
//! denied (quota, webhook) costs one call; a plan whose creates succeed has 32 calls in flight
//! after five round trips.

/// A limit of calls in flight that follows their success.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    limit: usize,
    max: usize,
}

impl Window {
    /// Starts with one call and never allows more than `max`.
    pub fn new(max: usize) -> Window {
        Window {
            limit: 1,
            max: max.max(1),
        }
    }

    /// How many calls may be in flight now.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// A call succeeded, and one more may be in flight: the window doubles with each round trip.
    pub fn succeeded(&mut self) {
        self.limit = (self.limit + 1).min(self.max);
    }

    /// A call failed, and only one call may be in flight again.
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
