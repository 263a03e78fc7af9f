//! The parameters `labelSelector` and `fieldSelector`.
//!
//! The model has label selectors too, compiled from a workload's `matchLabels` and
//! `matchExpressions`. The parameters have a grammar of their own, and the API server's messages.

mod field;
mod label;
#[cfg(test)]
mod tests;

pub use field::FieldSelector;
pub use label::LabelSelector;
