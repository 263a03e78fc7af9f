//! The failures of patches, as the API server reports them.

use serde_json::json;

use super::super::status::ApiStatus;

/// Gives a failure details, which are empty.
pub fn detailed(status: ApiStatus) -> ApiStatus {
    ApiStatus {
        details: json!({}),
        ..status
    }
}

/// The failure of a patch that is well-formed but cannot be applied. Clients are not told the
/// reason.
pub fn rejected() -> ApiStatus {
    const SAID: &str = "the server rejected our request due to an error in our request";
    detailed(ApiStatus::new(422, "Invalid", SAID))
}

/// An error that upstream does not translate for clients: an error of the server, without a reason.
pub fn internal(message: impl Into<String>) -> ApiStatus {
    ApiStatus::new(500, "", message)
}
