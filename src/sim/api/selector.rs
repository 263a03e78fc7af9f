//! The parameters `labelSelector` and `fieldSelector`.
//!
//! The grammar of label selectors is the model's. That of field selectors is only here.

mod field;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub use field::FieldSelector;

use super::status::{ApiStatus, Result};
use crate::model::LabelSelector;

/// Parses the parameter `labelSelector`. A malformed one is a `BadRequest`.
pub fn labels(text: &str) -> Result<LabelSelector> {
    LabelSelector::parse(text).map_err(ApiStatus::bad_request)
}

/// Whether an object's labels match.
pub fn matches(selector: &LabelSelector, object: &Value) -> bool {
    let labels = &object["metadata"]["labels"];
    selector.matches(|key| labels.get(key).and_then(Value::as_str))
}
