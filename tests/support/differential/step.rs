//! Requests, with references to answers that came before.
//!
//! Anywhere in a request may stand: `<ns>` and `<ns2>`, the namespaces of this run, and
//! `<name.what>`, where an earlier step was saved as `name` and `what` is `uid`, `rv`, `name` or
//! `continue`. With `@n` it is that of the n-th answer saved under the name (0 is the first) and
//! not of the last; a version may be raised: `<a.rv+1000>`. What was never saved has a UID that no
//! object has, and the version of the namespace, which is older than all others.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Pods of the sequence's namespace.
pub const PODS: &str = "/api/v1/namespaces/<ns>/pods";
/// Pods of all namespaces.
pub const ALL_PODS: &str = "/api/v1/pods";
pub const NODES: &str = "/api/v1/nodes";
pub const NAMESPACES: &str = "/api/v1/namespaces";
/// Events of the core group.
pub const EVENTS: &str = "/api/v1/namespaces/<ns>/events";
/// Events of `events.k8s.io`.
pub const NEW_EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/<ns>/events";
pub const DAEMON_SETS: &str = "/apis/apps/v1/namespaces/<ns>/daemonsets";
/// ControllerRevisions.
pub const REVISIONS: &str = "/apis/apps/v1/namespaces/<ns>/controllerrevisions";
pub const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/<ns>/leases";

/// One request.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// HTTP method and path: `GET /api/v1/nodes`.
    #[serde(rename = "do")]
    pub request: String,
    /// Parameters, in their order, not encoded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, String)>,
    /// `Content-Type`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The body: an object, or text that is sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The name by which later steps refer to the answer, where it is an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub save: Option<String>,
}

/// Steps that are played in a namespace of their own.
#[derive(Clone, PartialEq, Debug)]
pub struct Sequence {
    /// The rule that it is about.
    pub name: String,
    /// The requests, in their order.
    pub steps: Vec<Step>,
}

/// A named sequence.
pub fn sequence(name: &str, steps: impl IntoIterator<Item = Step>) -> Sequence {
    Sequence {
        name: name.to_owned(),
        steps: steps.into_iter().collect(),
    }
}

/// Any request without a body.
pub fn request(method: &str, path: &str) -> Step {
    Step {
        request: format!("{method} {path}"),
        query: Vec::new(),
        content_type: None,
        body: None,
        save: None,
    }
}

/// POST to a collection.
pub fn create(collection: &str, object: Value) -> Step {
    request("POST", collection).json(object)
}

/// GET of one object.
pub fn get(collection: &str, name: &str) -> Step {
    request("GET", &format!("{collection}/{name}"))
}

/// GET of a collection.
pub fn list(collection: &str) -> Step {
    request("GET", collection)
}

/// A watch of a collection, which stays open until the end of the sequence.
pub fn watch(collection: &str) -> Step {
    list(collection).query("watch", "true")
}

/// PUT of an object.
pub fn update(collection: &str, name: &str, object: Value) -> Step {
    request("PUT", &format!("{collection}/{name}")).json(object)
}

/// A merge patch.
pub fn merge(collection: &str, name: &str, patch: Value) -> Step {
    patch_as("application/merge-patch+json", collection, name, patch)
}

/// A strategic merge patch.
pub fn strategic(collection: &str, name: &str, patch: Value) -> Step {
    patch_as(
        "application/strategic-merge-patch+json",
        collection,
        name,
        patch,
    )
}

pub fn json_patch(collection: &str, name: &str, patch: Value) -> Step {
    patch_as("application/json-patch+json", collection, name, patch)
}

fn patch_as(content_type: &str, collection: &str, name: &str, patch: Value) -> Step {
    request("PATCH", &format!("{collection}/{name}"))
        .json(patch)
        .content_type(content_type)
}

/// DELETE of one object, without options.
pub fn delete(collection: &str, name: &str) -> Step {
    request("DELETE", &format!("{collection}/{name}"))
}

/// DELETE of a collection.
pub fn delete_all(collection: &str) -> Step {
    request("DELETE", collection)
}

impl Step {
    /// The same for a subresource.
    pub fn sub(mut self, subresource: &str) -> Step {
        self.request = format!("{}/{subresource}", self.request);
        self
    }

    /// The same with a parameter.
    pub fn query(mut self, name: &str, value: &str) -> Step {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body.
    pub fn json(mut self, body: Value) -> Step {
        self.content_type = Some("application/json".to_owned());
        self.body = Some(body);
        self
    }

    /// The same with a body that is not JSON, or not nicely so.
    pub fn text(self, body: &str) -> Step {
        self.json(Value::from(body))
    }

    /// The same, called another type.
    pub fn content_type(mut self, content_type: &str) -> Step {
        self.content_type = Some(content_type.to_owned());
        self
    }

    /// The same, and later steps may refer to its answer.
    pub fn save(mut self, name: &str) -> Step {
        self.save = Some(name.to_owned());
        self
    }

    /// `GET`, `/api/v1/nodes`.
    pub fn method_and_path(&self) -> (&str, &str) {
        self.request.split_once(' ').unwrap_or((&self.request, ""))
    }

    /// Whether it asks for events.
    pub fn is_watch(&self) -> bool {
        let asks = |(name, value): &(String, String)| name == "watch" && value != "false";
        self.request.starts_with("GET ") && self.query.iter().any(asks)
    }
}
