//! Refusals of the API server, in kubectl's words.

use serde_json::Value;

use crate::cli::files::STDIN;
use crate::sim::api::ApiStatus;

/// The words of kubectl when `create -f FILE` is refused.
pub fn words(status: &ApiStatus, file: &str) -> String {
    let details = &status.details;
    if status.reason == "Invalid" {
        let text = |field: &str| details[field].as_str().unwrap_or_default();
        let head = format!("The {} {:?} is invalid: ", text("kind"), text("name"));
        let causes = details["causes"].as_array();
        let said: Vec<String> = causes.into_iter().flatten().map(cause).collect();
        return match &said[..] {
            [] => head.trim_end_matches(": ").to_owned(),
            [one] => format!("{head}{one}"),
            many => many.iter().fold(head, |all, one| format!("{all}\n* {one}")),
        };
    }
    let file = if file == STDIN { "STDIN" } else { file };
    format!(
        "Error from server ({}): error when creating {file:?}: {}",
        status.reason, status.message
    )
}

fn cause(cause: &Value) -> String {
    let text = |field: &str| cause[field].as_str().unwrap_or_default();
    match text("field") {
        "" => text("message").to_owned(),
        field => format!("{field}: {}", text("message")),
    }
}
