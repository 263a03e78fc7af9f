//! Failures of patches, as the API server passes them on.

use serde_json::json;

use super::super::status::ApiStatus;

/// A failure whose details are there, but empty.
pub fn detailed(status: ApiStatus) -> ApiStatus {
    ApiStatus {
        details: json!({}),
        ..status
    }
}

/// A patch that is well formed, but does not apply. The reason is not passed on to clients.
pub fn rejected() -> ApiStatus {
    const SAID: &str = "the server rejected our request due to an error in our request";
    detailed(ApiStatus::new(422, "Invalid", SAID))
}

/// Upstream has errors that it does not translate for clients: those are the server's own, without a reason.
pub fn internal(message: impl Into<String>) -> ApiStatus {
    ApiStatus::new(500, "", message)
}
