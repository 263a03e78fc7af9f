//! Order of requests: the requests that reach the API server, their order and their bodies.
//!
//! Tests that judge the whole history of a cluster by the promises are in `tests/sim`.

mod order;
mod same_seed;
mod socket;
