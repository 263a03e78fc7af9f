//! The knowledge that a controller must have had when it sent a request.
//!
//! A request belongs to a plan, and a plan is made at one moment from everything that watches
//! delivered until then. Between that moment and the request other requests of the plan are under
//! way without a pause. So the plan is no older than the unbroken sequence of requests before this
//! one, and never older than plans may become.

use std::time::Duration;

use crate::apply::carry_out::MAX_PLAN_AGE;
use crate::sim::api::resource::{
    CONTROLLER_REVISIONS, DAEMON_SETS, LEASES, NAMESPACES, NODES, PODS,
};
use crate::sim::api::{Entry, Resource, deliveries::Deliveries};

/// The resources that promises look at. Events are none of them: no decision rests on events.
pub static RESOURCES: [&Resource; 6] = [
    &PODS,
    &NODES,
    &DAEMON_SETS,
    &CONTROLLER_REVISIONS,
    &NAMESPACES,
    &LEASES,
];

/// Two requests with at most this long between them may belong to one plan.
const PAUSE: Duration = Duration::from_millis(2);

/// How long a controller waits at most for the answer to a request.
const PATIENCE: Duration = Duration::from_secs(35);

/// The longest time between the delivery of an event by a watch and its use in a plan.
const DELIVERY: Duration = Duration::from_millis(3);

/// Whether a request may be one of those that carry out a plan.
pub fn is_of_a_plan(entry: &Entry) -> bool {
    !entry.is_upkeep() && !entry.is_for(&entry.method, "events")
}

/// The plan that this request belongs to was made no earlier than this. `log` has the requests that
/// may be [of a plan](is_of_a_plan).
pub fn planned(log: &[&Entry], request: &Entry) -> Duration {
    let oldest = request.at.saturating_sub(MAX_PLAN_AGE);
    let mut begun = request.at;
    let before = log.partition_point(|e| e.number < request.number);
    let before = log[..before].iter().rev();
    for earlier in before.take_while(|e| e.at + PATIENCE >= oldest) {
        let ended = earlier.ended.unwrap_or(earlier.at + PATIENCE);
        if earlier.client == request.client && ended + PAUSE >= begun {
            begun = earlier.at;
        }
    }
    begun.max(oldest)
}

/// The moment up to which the sender knew everything when it made its plan at `planned`.
pub fn known(deliveries: &Deliveries, request: &Entry, planned: Duration) -> Duration {
    let known = RESOURCES
        .iter()
        .map(|resource| deliveries.known(&request.client, resource, planned));
    known.min().unwrap_or(planned).saturating_sub(DELIVERY)
}
