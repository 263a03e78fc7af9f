//! Order of requests: which requests reach the API server, in which order, and what each of them
//! holds.
//!
//! Tests that judge the whole history of a cluster by the promises are in `tests/sim`.

mod order;
mod same_seed;
mod socket;
