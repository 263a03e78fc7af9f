//! What a controller knew at the least when it asked for something.
//!
//! It acts on a plan, and a plan is made at one moment from all that its watches told until then. Between that moment
//! and a request of the plan other requests of it are under way, without a pause. So the plan is not older than the
//! unbroken row of requests before this one, and never older than plans may become.

use std::time::Duration;

use crate::apply::carry_out::MAX_PLAN_AGE;
use crate::sim::api::resource::{
    CONTROLLER_REVISIONS, DAEMON_SETS, LEASES, NAMESPACES, NODES, PODS,
};
use crate::sim::api::{Entry, Resource, deliveries::Deliveries};

/// What is checked. Events are not part of it: nothing rests on them.
pub static RESOURCES: [&Resource; 6] = [
    &PODS,
    &NODES,
    &DAEMON_SETS,
    &CONTROLLER_REVISIONS,
    &NAMESPACES,
    &LEASES,
];

/// Where so little is between the end of one request and the next one, both may be of one plan.
const PAUSE: Duration = Duration::from_millis(2);

/// For how long a request that was never answered was waited for at most.
const PATIENCE: Duration = Duration::from_secs(35);

/// How long it takes until what a watch told is known.
const DELIVERY: Duration = Duration::from_millis(3);

/// The moment before which the plan that led to this request was not made.
pub fn planned(log: &[Entry], request: &Entry) -> Duration {
    let oldest = request.at.saturating_sub(MAX_PLAN_AGE);
    let mut begun = request.at;
    let before = log[..request.number].iter().rev();
    for earlier in before.take_while(|e| e.at + PATIENCE >= oldest) {
        let is_of_a_plan = earlier.client == request.client
            && !earlier.is_upkeep()
            && !earlier.is_for(&earlier.method, "events");
        let ended = earlier.ended.unwrap_or(earlier.at + PATIENCE);
        if is_of_a_plan && ended + PAUSE >= begun {
            begun = earlier.at;
        }
    }
    begun.max(oldest)
}

/// The moment up to which everything was known to whoever made a plan then.
pub fn known(deliveries: &Deliveries, request: &Entry, planned: Duration) -> Duration {
    let known = RESOURCES
        .iter()
        .map(|resource| deliveries.known(&request.client, resource, planned));
    known.min().unwrap_or(planned).saturating_sub(DELIVERY)
}
