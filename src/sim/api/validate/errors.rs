//! The errors of an object, as the rules collect them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::status::{ErrorType, FieldError};
use super::fields::present;

/// The errors so far, in order.
#[derive(Default)]
pub struct Errors {
    all: Vec<FieldError>,
    /// The types of the errors, by field, value and detail: an object may have very many.
    known: BTreeMap<[String; 3], Vec<ErrorType>>,
}

impl Errors {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The errors, in order.
    pub fn into_vec(self) -> Vec<FieldError> {
        self.all
    }

    fn push(
        &mut self,
        error_type: ErrorType,
        field: impl Into<String>,
        value: Value,
        detail: String,
    ) {
        let field = field.into();
        let known = [field.clone(), value.to_string(), detail.clone()];
        let types = self.known.entry(known).or_default();
        // Some rules are checked more than once; their errors are reported once.
        if types.contains(&error_type) {
            return;
        }
        types.push(error_type);
        self.all.push(FieldError {
            error_type,
            field,
            value,
            detail,
        });
    }

    /// Reports a field that is missing or empty.
    pub fn required(&mut self, field: impl Into<String>, detail: &str) {
        self.push(ErrorType::Required, field, Value::Null, detail.to_owned());
    }

    /// Reports a value that breaks a rule.
    pub fn invalid(&mut self, field: impl Into<String>, value: impl Into<Value>, detail: &str) {
        self.push(ErrorType::Invalid, field, value.into(), detail.to_owned());
    }

    /// Reports a text that breaks these rules.
    pub fn all_invalid(&mut self, field: &str, value: &str, details: Vec<String>) {
        for detail in details {
            self.invalid(field, value, &detail);
        }
    }

    /// Reports a field that must not be set.
    pub fn forbidden(&mut self, field: impl Into<String>, detail: &str) {
        self.push(ErrorType::Forbidden, field, Value::Null, detail.to_owned());
    }

    /// Reports a value that is not one of the supported ones.
    pub fn not_supported(
        &mut self,
        field: impl Into<String>,
        value: impl Into<Value>,
        supported: &[&str],
    ) {
        let quoted: Vec<_> = supported.iter().map(|s| format!("\"{s}\"")).collect();
        let detail = format!("supported values: {}", quoted.join(", "));
        self.push(ErrorType::NotSupported, field, value.into(), detail);
    }

    /// Checks that a text is one of these. An empty one is reported as missing.
    pub fn one_of(&mut self, field: impl Into<String>, value: &str, supported: &[&str]) {
        if value.is_empty() {
            self.required(field, "");
        } else if !supported.contains(&value) {
            self.not_supported(field, value, supported);
        }
    }

    /// Checks that a text is one of these, if there is one.
    pub fn known(&mut self, field: impl Into<String>, value: &Value, supported: &[&str]) {
        if let Some(text) = value.as_str().filter(|text| !supported.contains(text)) {
            self.not_supported(field, text, supported);
        }
    }

    /// Reports a value that occurs twice.
    pub fn duplicate(&mut self, field: impl Into<String>, value: impl Into<Value>, detail: &str) {
        self.push(ErrorType::Duplicate, field, value.into(), detail.to_owned());
    }

    /// Reports a value that names something that does not exist.
    pub fn not_found(&mut self, field: impl Into<String>, value: &str) {
        self.not_found_in(field, value, "");
    }

    /// As [`Errors::not_found`]; says where it was looked for.
    pub fn not_found_in(&mut self, field: impl Into<String>, value: &str, detail: &str) {
        let detail = detail.to_owned();
        self.push(ErrorType::NotFound, field, json!(value), detail);
    }

    /// Reports a list of more items than allowed.
    pub fn too_many(&mut self, field: impl Into<String>, count: usize, most: usize) {
        let detail = format!("must have at most {most} items");
        self.push(ErrorType::TooMany, field, json!(count), detail);
    }

    /// Reports a value of more bytes than allowed.
    pub fn too_long(&mut self, field: impl Into<String>, most: usize) {
        let detail = format!("may not be more than {most} bytes");
        self.push(ErrorType::TooLong, field, Value::Null, detail);
    }

    /// Checks that a number is not negative.
    pub fn not_negative(&mut self, field: impl Into<String>, value: Option<i64>) {
        if let Some(value) = value.filter(|v| *v < 0) {
            self.invalid(field, value, "must be greater than or equal to 0");
        }
    }

    /// Checks that a number is between these bounds, inclusive.
    pub fn between(&mut self, field: impl Into<String>, value: i64, least: i64, most: i64) {
        if value < least || value > most {
            let detail = format!("must be between {least} and {most}, inclusive");
            self.invalid(field, value, &detail);
        }
    }

    /// Checks that the field under `key` has not changed.
    pub fn immutable(&mut self, field: &str, new: &Value, old: &Value, key: &str) {
        let (new, old) = (present(new, key), present(old, key));
        let hollow = |value: Option<&Value>| match value {
            None => true,
            Some(Value::String(text)) => text.is_empty(),
            Some(_) => false,
        };
        if new != old && !(hollow(new) && hollow(old)) {
            self.invalid(
                field,
                new.cloned().unwrap_or(Value::Null),
                "field is immutable",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_very_many_errors_is_reported_once() {
        let mut errors = Errors::default();
        for _ in 0..2 {
            for port in 0..50_000 {
                errors.invalid("ports", port, "no port");
            }
        }
        errors.required("ports", "no port");
        errors.required("ports", "no port");
        errors.forbidden("ports", "no port");
        let errors = errors.into_vec();
        assert_eq!(errors.len(), 50_002);
        assert_eq!(errors[49_999].value, 49_999);
        assert_eq!(errors[50_000].error_type, ErrorType::Required);
    }
}
