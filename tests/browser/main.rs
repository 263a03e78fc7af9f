//! Browser: the page of a rehearsal, looked at in a real one.
//!
//! `tests/browser/run.sh` (or `just browser`) runs them; they need `chromium` and `chromedriver`.

#[path = "../process/binary.rs"]
#[allow(dead_code, reason = "the tests of the process use the rest of it")]
mod binary;

mod driver;
mod look;
mod rehearsal;

mod alone;
mod cells;
mod hostile;
mod many;
mod picture;
mod time;
