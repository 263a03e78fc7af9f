//! Errors in the API server's words: objects of the kind `Status` (`metav1.Status`).

use std::fmt;

use serde_json::{Value, json};

use super::resource::{self, Resource};

/// The failure of a request.
#[derive(Clone, PartialEq, Debug)]
pub struct ApiStatus {
    /// HTTP code.
    pub code: u16,
    /// `reason`, such as `NotFound`; empty for errors without one.
    pub reason: &'static str,
    /// `message`, for people.
    pub message: String,
    /// `details`, null without any.
    pub details: Value,
}

/// A result of the API.
pub type Result<T, E = ApiStatus> = std::result::Result<T, E>;

impl ApiStatus {
    /// An error without details.
    pub fn new(code: u16, reason: &'static str, message: impl Into<String>) -> ApiStatus {
        ApiStatus {
            code,
            reason,
            message: message.into(),
            details: Value::Null,
        }
    }

    fn about(mut self, resource: &Resource, name: &str) -> ApiStatus {
        self.details = details(name, resource.group, resource.plural);
        self
    }

    /// 404: there is no such object.
    pub fn not_found(resource: &Resource, name: &str) -> ApiStatus {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        ApiStatus::new(404, "NotFound", message).about(resource, name)
    }

    /// 404: the path names no resource that is served.
    pub fn no_such_path() -> ApiStatus {
        let message = "the server could not find the requested resource";
        ApiStatus {
            details: json!({}),
            ..ApiStatus::new(404, "NotFound", message)
        }
    }

    /// 404 in plain text: nothing is served under the path.
    pub fn no_page() -> ApiStatus {
        ApiStatus::new(404, "", "404 page not found\n")
    }

    /// 409: an object has the name already.
    pub fn already_exists(resource: &Resource, name: &str) -> ApiStatus {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        ApiStatus::new(409, "AlreadyExists", message).about(resource, name)
    }

    /// 409: the write is for another state of the object, or for another object.
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> ApiStatus {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.qualified()
        );
        ApiStatus::new(409, "Conflict", message).about(resource, name)
    }

    /// As [`ApiStatus::conflict`], for a delete, where the message names the kind.
    pub fn conflict_of_kind(resource: &Resource, name: &str, why: &str) -> ApiStatus {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.qualified_kind()
        );
        let mut status = ApiStatus::new(409, "Conflict", message);
        status.details = details(name, resource.group, resource.kind);
        status
    }

    /// 409: the write is for an older state of the object.
    pub fn modified(resource: &Resource, name: &str) -> ApiStatus {
        const WHY: &str = "the object has been modified; please apply your changes to the latest version and try again";
        ApiStatus::conflict(resource, name, WHY)
    }

    /// 403: admission or a rule forbids it.
    pub fn forbidden(resource: &Resource, name: &str, why: &str) -> ApiStatus {
        let message = format!("{} \"{name}\" is forbidden: {why}", resource.qualified());
        ApiStatus::new(403, "Forbidden", message).about(resource, name)
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> ApiStatus {
        ApiStatus::new(400, "BadRequest", message)
    }

    /// 405: the verb is not served under this path.
    pub fn not_allowed() -> ApiStatus {
        let message = "the server does not allow this method on the requested resource";
        ApiStatus {
            details: json!({}),
            ..ApiStatus::new(405, "MethodNotAllowed", message)
        }
    }

    /// 410: history does not go back so far.
    pub fn expired(message: impl Into<String>) -> ApiStatus {
        ApiStatus::new(410, "Expired", message)
    }

    /// 422: the object breaks rules of its kind.
    pub fn invalid(resource: &Resource, name: &str, errors: &[FieldError]) -> ApiStatus {
        let said: Vec<String> = errors.iter().map(FieldError::to_string).collect();
        let said = match &said[..] {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        // For the server both forms of an event are of one kind, that of the core group.
        let newer = *resource == resource::NEW_EVENTS;
        let kind = if newer {
            resource::EVENTS.qualified_kind()
        } else {
            resource.qualified_kind()
        };
        let group = if newer { "" } else { resource.group };
        let message = format!("{kind} \"{name}\" is invalid: {said}");
        let causes: Vec<Value> = errors.iter().map(FieldError::cause).collect();
        let mut status = ApiStatus::new(422, "Invalid", message);
        // Unlike the details of other errors, these name the kind.
        status.details = details(name, group, resource.kind);
        if !causes.is_empty() {
            status.details["causes"] = causes.into();
        }
        status
    }

    /// 422: the parameters of a request break rules. `kind` is that of its options: `ListOptions`
    /// and so on.
    pub fn invalid_options(kind: &'static str, errors: &[FieldError]) -> ApiStatus {
        let options = Resource {
            group: "meta.k8s.io",
            version: "v1",
            plural: "",
            kind,
            namespaced: false,
            status: false,
            generation: false,
        };
        ApiStatus::invalid(&options, "", errors)
    }

    /// The object that is sent to the client.
    pub fn to_json(&self) -> Value {
        if *self == ApiStatus::no_page() {
            return self.message.clone().into();
        }
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if !self.details.is_null() {
            status["details"] = self.details.clone();
        }
        status["code"] = json!(self.code);
        status
    }
}

impl fmt::Display for ApiStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.reason, self.message)
    }
}

impl std::error::Error for ApiStatus {}

fn details(name: &str, group: &str, kind: &str) -> Value {
    let mut details = json!({});
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details[key] = json!(value);
        }
    }
    details
}

/// The types of field errors, as in `k8s.io/apimachinery/pkg/util/validation/field`, as far as they
/// are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorType {
    /// `FieldValueRequired`.
    Required,
    /// `FieldValueInvalid`.
    Invalid,
    /// `FieldValueNotSupported`.
    NotSupported,
    /// `FieldValueDuplicate`.
    Duplicate,
    /// `FieldValueForbidden`.
    Forbidden,
    /// `FieldValueTooLong`.
    TooLong,
    /// `FieldValueTooMany`.
    TooMany,
    /// `FieldValueNotFound`.
    NotFound,
}

/// One rule that an object breaks.
#[derive(Clone, PartialEq, Debug)]
pub struct FieldError {
    /// The type, which decides the reason and the beginning of the message.
    pub error_type: ErrorType,
    /// The path of the field, such as `spec.template.spec.containers[0].name`.
    pub field: String,
    /// The value, which the message of some types shows.
    pub value: Value,
    /// The end of the message, empty for none.
    pub detail: String,
}

impl FieldError {
    /// The error as an entry of `details.causes`.
    pub fn cause(&self) -> Value {
        let reason = match self.error_type {
            ErrorType::Required => "FieldValueRequired",
            ErrorType::Invalid => "FieldValueInvalid",
            ErrorType::NotSupported => "FieldValueNotSupported",
            ErrorType::Duplicate => "FieldValueDuplicate",
            ErrorType::Forbidden => "FieldValueForbidden",
            ErrorType::TooLong => "FieldValueTooLong",
            ErrorType::TooMany => "FieldValueTooMany",
            ErrorType::NotFound => "FieldValueNotFound",
        };
        json!({"reason": reason, "message": self.body(), "field": self.field})
    }

    /// The message without the field.
    fn body(&self) -> String {
        let what = match self.error_type {
            ErrorType::Required => "Required value",
            ErrorType::Invalid => "Invalid value",
            ErrorType::NotSupported => "Unsupported value",
            ErrorType::Duplicate => "Duplicate value",
            ErrorType::Forbidden => "Forbidden",
            ErrorType::TooLong => "Too long",
            ErrorType::TooMany => "Too many",
            ErrorType::NotFound => "Not found",
        };
        let value = match self.error_type {
            ErrorType::Required | ErrorType::Forbidden | ErrorType::TooLong => String::new(),
            _ => format!(": {}", go_json(&self.value)),
        };
        let detail = if self.detail.is_empty() {
            String::new()
        } else {
            format!(": {}", self.detail)
        };
        format!("{what}{value}{detail}")
    }
}

/// JSON as Go writes its types: fields in the order of their declaration. A map, which has only
/// texts, is in the order of its keys.
fn go_json(value: &Value) -> String {
    /// Fields that precede all others, which are in alphabetical order.
    const FIRST: [&str; 33] = [
        "apiVersion",
        "kind",
        "name",
        "uid",
        "matchLabels",
        "Key",
        "Value",
        "Effect",
        "Capabilities",
        "Privileged",
        "SELinuxOptions",
        "WindowsOptions",
        "RunAsUser",
        "RunAsGroup",
        "RunAsNonRoot",
        "ReadOnlyRootFilesystem",
        "AllowPrivilegeEscalation",
        "ProcMount",
        "SeccompProfile",
        "AppArmorProfile",
        "Name",
        "SignerName",
        "LabelSelector",
        "Optional",
        "Path",
        "User",
        "Role",
        "Type",
        "Level",
        "RollingUpdate",
        "MaxUnavailable",
        "MaxSurge",
        "controller",
    ];
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(go_json).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            let internal = |key: &str| FIRST.contains(&key) && key.starts_with(char::is_uppercase);
            if fields
                .iter()
                .any(|(key, value)| !value.is_string() || internal(key))
            {
                let rank = |key: &str| FIRST.iter().position(|f| *f == key);
                fields.sort_by_key(|(key, _)| (rank(key).unwrap_or(FIRST.len()), key.as_str()));
            }
            let shown =
                |(key, value): (&String, &Value)| format!("{}:{}", json!(key), go_json(value));
            let fields: Vec<_> = fields.into_iter().map(shown).collect();
            format!("{{{}}}", fields.join(","))
        }
        plain => plain.to_string(),
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}
