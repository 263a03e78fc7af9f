//! The deliveries of watches to each client, with their times. They decide what a client can know.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::faults::Gate;
use super::resource::Resource;

/// An event in the life of a client's watches.
#[derive(Clone, Copy, Debug)]
enum Mark {
    Opened,
    Closed,
    Gate(Option<Gate>),
}

/// A client, and the plural of the resource that it watches.
type Watcher = (Arc<str>, &'static str);

/// When watches were opened and closed, and how they were held up.
#[derive(Clone, Default, Debug)]
pub struct Deliveries {
    marks: BTreeMap<Watcher, Vec<(Duration, Mark)>>,
}

impl Deliveries {
    /// A watch of the client was opened; it is at once brought up to date.
    pub fn opened(&mut self, client: &Arc<str>, resource: &Resource, at: Duration) {
        self.mark(client, resource, at, Mark::Opened);
    }

    /// A watch was closed, or its client went away.
    pub fn closed(&mut self, client: &Arc<str>, resource: &Resource, at: Duration) {
        self.mark(client, resource, at, Mark::Closed);
    }

    /// From now on the client's watches of this resource lag, deliver nothing, or (None) deliver
    /// everything.
    pub fn gate(&mut self, client: &str, resource: &Resource, gate: Option<Gate>, at: Duration) {
        self.mark(&Arc::from(client), resource, at, Mark::Gate(gate));
    }

    fn mark(&mut self, client: &Arc<str>, resource: &Resource, at: Duration, mark: Mark) {
        let key = (client.clone(), resource.plural);
        self.marks.entry(key).or_default().push((at, mark));
    }

    /// The moment up to which the client knew at `at` of every write to this resource. It is `at`
    /// itself if the client never watched the resource: such a client reads before it acts.
    pub fn known(&self, client: &Arc<str>, resource: &Resource, at: Duration) -> Duration {
        let Some(marks) = self.marks.get(&(client.clone(), resource.plural)) else {
            return at;
        };
        let mut state = Replay::default();
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
struct Replay {
    open: usize,
    gate: Option<Gate>,
    known: Duration,
}

impl Replay {
    /// Lets time pass until `now`.
    fn pass(&mut self, now: Duration) {
        let told = match self.gate {
            _ if self.open == 0 => return,
            Some(Gate::Shut) => return,
            Some(Gate::Lag(lag)) => now.saturating_sub(lag),
            // It is shut, and marked so, at the first write that it does not deliver.
            Some(Gate::After(_)) | None => now,
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
