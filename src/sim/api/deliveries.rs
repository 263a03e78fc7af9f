//! What clients were told by their watches, and when: for whoever asks what a client can have known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::faults::Gate;
use super::resource::Resource;

/// What happened to the watches of a client.
#[derive(Clone, Copy, Debug)]
enum Mark {
    Opened,
    Closed,
    Gate(Option<Gate>),
}

/// A client, and the plural of what it watches.
type Watcher = (Arc<str>, &'static str);

/// When watches were opened and ended, and how they were held up.
#[derive(Clone, Default, Debug)]
pub struct Deliveries {
    marks: BTreeMap<Watcher, Vec<(Duration, Mark)>>,
}

impl Deliveries {
    /// A watch of the client was opened; it is told at once of all that came after its version.
    pub fn opened(&mut self, client: &Arc<str>, resource: &Resource, at: Duration) {
        self.mark(client, resource, at, Mark::Opened);
    }

    /// One ended, or its client went away.
    pub fn closed(&mut self, client: &Arc<str>, resource: &Resource, at: Duration) {
        self.mark(client, resource, at, Mark::Closed);
    }

    /// From now on its watches tell less, or all again.
    pub fn gate(&mut self, client: &str, resource: &Resource, gate: Option<Gate>, at: Duration) {
        self.mark(&Arc::from(client), resource, at, Mark::Gate(gate));
    }

    fn mark(&mut self, client: &Arc<str>, resource: &Resource, at: Duration, mark: Mark) {
        let key = (client.clone(), resource.plural);
        self.marks.entry(key).or_default().push((at, mark));
    }

    /// The moment up to which the client knew at `at` of everything that had happened to this resource. Where it never
    /// watched it, that is `at` itself: such a client reads before it acts.
    pub fn known(&self, client: &Arc<str>, resource: &Resource, at: Duration) -> Duration {
        let Some(marks) = self.marks.get(&(client.clone(), resource.plural)) else {
            return at;
        };
        let mut state = State::default();
        for (then, mark) in marks.iter().take_while(|(then, _)| *then <= at) {
            state.pass(*then);
            match mark {
                Mark::Opened => state.open += 1,
                Mark::Closed => state.open = state.open.saturating_sub(1),
                Mark::Gate(gate) => state.gate = *gate,
            }
        }
        state.pass(at);
        state.known
    }
}

#[derive(Default)]
struct State {
    open: usize,
    gate: Option<Gate>,
    known: Duration,
}

impl State {
    /// Time passes.
    fn pass(&mut self, now: Duration) {
        let told = match self.gate {
            _ if self.open == 0 => return,
            Some(Gate::Shut) => return,
            Some(Gate::Lag(lag)) => now.saturating_sub(lag),
            None => now,
        };
        self.known = self.known.max(told);
    }
}

#[cfg(test)]
mod tests {
    use super::super::resource::{NODES, PODS};
    use super::*;

    #[test]
    fn what_was_known_follows_from_open_watches_and_from_what_held_them_up() {
        let seconds = Duration::from_secs;
        let a: Arc<str> = Arc::from("a");
        let mut deliveries = Deliveries::default();
        deliveries.opened(&a, &PODS, seconds(1));
        deliveries.gate("a", &PODS, Some(Gate::Lag(seconds(3))), seconds(10));
        deliveries.gate("a", &PODS, Some(Gate::Shut), seconds(20));
        deliveries.gate("a", &PODS, None, seconds(30));
        deliveries.closed(&a, &PODS, seconds(40));
        deliveries.opened(&a, &PODS, seconds(50));
        let known = |at| deliveries.known(&a, &PODS, seconds(at)).as_secs();
        for (at, expected) in [
            (0, 0),
            (5, 5),
            (11, 10),
            (15, 12),
            (25, 17),
            (30, 30),
            (45, 40),
            (60, 60),
        ] {
            assert_eq!(known(at), expected, "at {at}");
        }
        assert_eq!(deliveries.known(&a, &NODES, seconds(7)), seconds(7));
    }
}
