//! The options of a DELETE.

use serde_json::{Value, json};

use super::fields::{remove, text};
use super::finalizers::{FOREGROUND, ORPHAN};
use super::path::Query;
use super::resource::{self, Resource};
use super::status::{ApiStatus, ErrorType, FieldError, Result};

/// The options: from the body, or from the query if there is no body.
#[derive(Default)]
pub struct DeleteOptions {
    /// The grace period in seconds; a negative number was replaced by one.
    pub grace: Option<i64>,
    /// The precondition on the UID; empty for none.
    pub uid: String,
    /// The precondition on the resourceVersion; empty for none.
    pub version: String,
    /// Whether the delete is only tried, and nothing is written.
    pub dry_run: bool,
    policy: String,
    orphan: Option<bool>,
}

impl DeleteOptions {
    /// Reads and checks the options.
    pub fn read(query: &Query, body: &[u8]) -> Result<DeleteOptions> {
        let mut dry_run: Vec<Value> = Vec::new();
        let mut options = DeleteOptions::default();
        if body.is_empty() {
            options.grace = query.whole("gracePeriodSeconds")?;
            options.policy = query.get("propagationPolicy").into();
            options.orphan = query
                .has("orphanDependents")
                .then(|| query.is("orphanDependents"));
            dry_run.extend(query.has("dryRun").then(|| query.get("dryRun").into()));
        } else {
            let body = parse(body)?;
            options.grace = body["gracePeriodSeconds"].as_i64();
            options.policy = text(&body, "propagationPolicy");
            options.orphan = body["orphanDependents"].as_bool();
            options.uid = text(&body["preconditions"], "uid");
            options.version = text(&body["preconditions"], "resourceVersion");
            dry_run.extend(body["dryRun"].as_array().cloned().unwrap_or_default());
        }
        options.grace = options.grace.map(|grace| if grace < 0 { 1 } else { grace });
        options.check(&dry_run)?;
        options.dry_run = !dry_run.is_empty();
        Ok(options)
    }

    fn check(&self, dry_run: &[Value]) -> Result<()> {
        let mut errors = Vec::new();
        let mut error = |error_type, field: &str, value: Value, detail: &str| {
            let (field, detail) = (field.to_owned(), detail.to_owned());
            errors.push(FieldError {
                error_type,
                field,
                value,
                detail,
            });
        };
        let policy = &*self.policy;
        if self.orphan.is_some() && !policy.is_empty() {
            let why = "orphanDependents and deletionPropagation cannot be both set";
            error(ErrorType::Invalid, "propagationPolicy", policy.into(), why);
        }
        if !matches!(policy, "" | "Foreground" | "Background" | "Orphan") {
            let why = "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"";
            error(
                ErrorType::NotSupported,
                "propagationPolicy",
                policy.into(),
                why,
            );
        }
        if dry_run.iter().any(|what| what != "All") {
            let why = "supported values: \"All\"";
            error(ErrorType::NotSupported, "dryRun", json!(dry_run), why);
        }
        match errors.is_empty() {
            true => Ok(()),
            false => Err(ApiStatus::invalid_options("DeleteOptions", &errors)),
        }
    }

    /// Sets the finalizer that the propagation policy asks for, and removes the others; without a
    /// policy they stay. Events have no dependents.
    pub fn set_finalizers(&self, resource: &Resource, object: &mut Value) {
        if [&resource::EVENTS, &resource::NEW_EVENTS].contains(&resource) {
            return;
        }
        let wanted = match (self.orphan, &*self.policy) {
            (Some(true), _) | (None, "Orphan") => Some(ORPHAN),
            (None, "Foreground") => Some(FOREGROUND),
            (Some(false), _) | (None, "Background") => None,
            _ => return,
        };
        let old = object["metadata"]["finalizers"].as_array();
        let old = old.cloned().unwrap_or_default();
        let mut list = old.clone();
        list.retain(|f| f != ORPHAN && f != FOREGROUND);
        list.extend(wanted.map(Value::from));
        if list.len() == old.len() && list.iter().all(|f| old.contains(f)) {
            return;
        }
        if list.is_empty() {
            remove(&mut object["metadata"], "finalizers");
        } else {
            object["metadata"]["finalizers"] = list.into();
        }
    }
}

fn parse(body: &[u8]) -> Result<Value> {
    let body: Value = serde_json::from_slice(body).map_err(|why| {
        let why = if why.is_eof() {
            "unexpected end of JSON input".to_owned()
        } else {
            why.to_string()
        };
        ApiStatus::bad_request(format!(
            "couldn't get version/kind; json parse error: {why}"
        ))
    })?;
    let kind = text(&body, "kind");
    if !kind.is_empty() && kind != "DeleteOptions" {
        return Err(ApiStatus::bad_request(format!(
            "no kind \"{kind}\" is registered for version \"{}\" in scheme \"pkg/runtime/scheme.go:111\"",
            text(&body, "apiVersion")
        )));
    }
    let grace = &body["gracePeriodSeconds"];
    if grace.is_string() {
        return Err(ApiStatus::bad_request(
            "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
        ));
    }
    Ok(body)
}
