//! Which objects a list or watch is about: the parameters `labelSelector` and `fieldSelector`.
//!
//! The model has label selectors too, compiled from a workload's `matchLabels` and `matchExpressions`; the text here
//! has another grammar and the API server's messages.

mod field;
mod label;
#[cfg(test)]
mod tests;

pub use field::FieldSelector;
pub use label::LabelSelector;
