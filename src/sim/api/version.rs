//! resourceVersions in requests.

use serde_json::json;

use super::status::{ApiStatus, Result};
use super::store::Store;

/// Reads a version in a request; an empty one is 0. The error is in Go's words.
pub fn version(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse()
        .map_err(|_| format!("strconv.ParseUint: parsing \"{text}\": invalid syntax"))
}

/// The answer to a version that is no number. The server does not translate this error.
pub fn invalid_version(text: &str, why: &str) -> ApiStatus {
    let message = format!("resourceVersion: Invalid value: \"{text}\": {why}");
    ApiStatus::new(500, "", message)
}

/// Refuses a version that no write has reached. The real server waits for it first.
pub fn check_not_future(store: &Store, version: &str) -> Result<()> {
    match version.parse::<u64>() {
        Ok(asked) if asked > store.version() => {
            let message = format!(
                "Timeout: Too large resource version: {asked}, current: {}",
                store.version()
            );
            let mut status = ApiStatus::new(504, "Timeout", message);
            status.details = json!({
                "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
                "retryAfterSeconds": 1,
            });
            Err(status)
        }
        _ => Ok(()),
    }
}
