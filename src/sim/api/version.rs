//! resourceVersions in requests.

use serde_json::json;

use super::status::{ApiStatus, Result};
use super::store::Store;

/// A version as a request names it: none is 0. The error is Go's.
pub fn version(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse()
        .map_err(|_| format!("strconv.ParseUint: parsing \"{text}\": invalid syntax"))
}

/// A version that is none: the error is not one for people.
pub fn invalid_version(text: &str, why: &str) -> ApiStatus {
    let message = format!("resourceVersion: Invalid value: \"{text}\": {why}");
    ApiStatus::new(500, "", message)
}

/// A version that is not there yet is not waited for.
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
