//! The same sequences of requests, played to two API servers, get the same answers.
//!
//! [`step`] says what a request is, [`sequences`] and [`generate`] make sequences of them, [`play`]
//! sends them, [`normal`] takes out of the answers what is random, [`exceptions`] what is left out
//! on purpose, [`compare`] finds the first difference, and [`recording`] keeps what the real API
//! server answered, and [`simulated`] asks the simulated one.

pub mod causes;
pub mod compare;
pub mod exceptions;
pub mod generate;
pub mod normal;
pub mod objects;
pub mod play;
pub mod recording;
pub mod sequences;
pub mod simulated;
pub mod step;
