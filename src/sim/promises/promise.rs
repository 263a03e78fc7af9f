//! What a promise is: something that sees every write and says what is wrong with it.

use super::past::Past;
use super::step::Step;

/// A promise over the history.
pub trait Promise {
    /// `S1` and so on.
    fn name(&self) -> &'static str;

    /// Sees the next write, and what was up to it; says what is wrong with it.
    fn see(&mut self, step: &Step<'_>, past: &Past) -> Vec<String>;
}
