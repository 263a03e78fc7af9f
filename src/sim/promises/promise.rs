//! The interface of a promise: it sees every write, and says what is wrong with it.

use super::past::Past;
use super::step::Step;

/// A promise that is checked over the whole history.
pub trait Promise {
    /// `S1` to `S5`, `S8`, or `C1`.
    fn name(&self) -> &'static str;

    /// Takes in the next write. `past` includes it. Returns what is wrong with it, in words.
    fn see(&mut self, step: &Step<'_>, past: &Past) -> Vec<String>;
}
