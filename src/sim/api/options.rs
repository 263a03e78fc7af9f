//! The rules for the parameters of requests: `CreateOptions`, `ListOptions` and so on.

use serde_json::{Value, json};

use super::path::Query;
use super::status::{ApiStatus, ErrorType, FieldError, Result};

/// The most bytes in the name of a field manager.
const MAX_MANAGER: usize = 128;

/// The rules that were broken.
#[derive(Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn add(&mut self, error_type: ErrorType, field: &str, value: Value, detail: &str) {
        self.0.push(FieldError {
            error_type,
            field: field.into(),
            value,
            detail: detail.into(),
        });
    }

    fn forbid(&mut self, field: &str, detail: &str) {
        self.add(ErrorType::Forbidden, field, Value::Null, detail);
    }

    fn done(self, kind: &'static str) -> Result<()> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiStatus::invalid_options(kind, &self.0))
        }
    }
}

/// Checks the parameters of a POST, PUT or PATCH. `kind` is `CreateOptions`, `UpdateOptions` or
/// `PatchOptions`.
pub fn check_write(kind: &'static str, query: &Query) -> Result<()> {
    let mut errors = Errors::default();
    if kind == "PatchOptions" && query.has("force") {
        errors.forbid("force", "may not be specified for non-apply patch");
    }
    if query.get("fieldManager").len() > MAX_MANAGER {
        let detail = format!("may not be more than {MAX_MANAGER} bytes");
        errors.add(ErrorType::TooLong, "fieldManager", Value::Null, &detail);
    }
    if query.has("dryRun") && !query.is_dry_run() {
        let value = json!([query.get("dryRun")]);
        errors.add(
            ErrorType::NotSupported,
            "dryRun",
            value,
            "supported values: \"All\"",
        );
    }
    let validation = query.get("fieldValidation");
    if !matches!(validation, "" | "Ignore" | "Strict" | "Warn") {
        let detail = "supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"";
        errors.add(
            ErrorType::NotSupported,
            "fieldValidation",
            validation.into(),
            detail,
        );
    }
    errors.done(kind)
}

/// Checks the parameters of a list or watch. A text that should be a number is refused first.
pub fn check_list(query: &Query, is_watch: bool) -> Result<()> {
    query.whole("limit")?;
    query.whole("timeoutSeconds")?;
    let how = query.get("resourceVersionMatch");
    let version = query.get("resourceVersion");
    let sends = query.has("sendInitialEvents");
    let mut errors = Errors::default();
    let field = "resourceVersionMatch";
    if is_watch {
        if sends && how != "NotOlderThan" {
            errors.forbid(
                field,
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            );
        }
        if !sends && !how.is_empty() {
            errors.forbid(
                field,
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            );
        }
        if !matches!(how, "" | "NotOlderThan") {
            errors.add(
                ErrorType::NotSupported,
                field,
                how.into(),
                "supported values: \"NotOlderThan\"",
            );
        }
        if query.has("continue") {
            errors.forbid(
                field,
                "resourceVersionMatch is forbidden when continue is provided",
            );
        }
        return errors.done("ListOptions");
    }
    if !how.is_empty() {
        if version.is_empty() {
            errors.forbid(
                field,
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            );
        }
        if query.has("continue") {
            errors.forbid(
                field,
                "resourceVersionMatch is forbidden when continue is provided",
            );
        }
        if !matches!(how, "Exact" | "NotOlderThan") {
            let detail = "supported values: \"Exact\", \"NotOlderThan\", \"\"";
            errors.add(ErrorType::NotSupported, field, how.into(), detail);
        }
        if how == "Exact" && version == "0" {
            errors.forbid(
                field,
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            );
        }
    }
    if sends {
        errors.forbid(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for list",
        );
    }
    errors.done("ListOptions")
}
