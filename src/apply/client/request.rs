//! A request before it is sent: method, path, content type and body.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use kube::client::Body;

use super::error::ApiError;
use super::verbs::{self, Resource, Verb};

const JSON: &str = "application/json";

/// The API server's binary form.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// The format of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// JSON merge patch (RFC 7386).
    Merge,
    /// Kubernetes' strategic merge patch, which merges lists by the key of their items.
    StrategicMerge,
    /// JSON patch (RFC 6902): a list of operations, which may include tests.
    Json,
}

impl PatchType {
    /// The content type by which the API server recognises the format.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Merge => "application/merge-patch+json",
            Self::StrategicMerge => "application/strategic-merge-patch+json",
            Self::Json => "application/json-patch+json",
        }
    }
}

/// A request that has not been sent.
#[derive(Clone, Debug)]
pub struct ApiRequest<'a> {
    method: Method,
    /// The path with its query, without the server.
    path: &'a str,
    /// The format that the answer is to have.
    accept: &'static str,
    /// None for a request without a body.
    content_type: Option<&'static str>,
    body: Bytes,
}

impl<'a> ApiRequest<'a> {
    /// Reads `path`, which may have a query.
    pub fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            accept: JSON,
            content_type: None,
            body: Bytes::new(),
        }
    }

    /// Reads the object at `path` in the API server's binary form. An API server that does not have
    /// it answers in JSON, or with 406.
    pub fn get_binary(path: &'a str) -> Self {
        Self {
            accept: PROTOBUF,
            ..Self::get(path)
        }
    }

    /// Creates the object `body` in the collection at `path`.
    pub fn post(path: &'a str, body: impl Into<Bytes>) -> Self {
        Self::with_body(Method::POST, path, JSON, body.into())
    }

    /// Replaces the object at `path` by the object `body`.
    pub fn put(path: &'a str, body: impl Into<Bytes>) -> Self {
        Self::with_body(Method::PUT, path, JSON, body.into())
    }

    /// Patches the object at `path`.
    pub fn patch(path: &'a str, patch: PatchType, body: impl Into<Bytes>) -> Self {
        Self::with_body(Method::PATCH, path, patch.content_type(), body.into())
    }

    /// Deletes the object at `path`; `body` holds the DeleteOptions.
    pub fn delete(path: &'a str, body: impl Into<Bytes>) -> Self {
        Self::with_body(Method::DELETE, path, JSON, body.into())
    }

    fn with_body(method: Method, path: &'a str, content_type: &'static str, body: Bytes) -> Self {
        Self {
            method,
            path,
            accept: JSON,
            content_type: Some(content_type),
            body,
        }
    }

    /// The verb and the resource, as RBAC names them.
    pub fn asks_for(&self) -> (Verb, Resource) {
        verbs::of(&self.method, self.path)
    }

    /// The HTTP request; [`ApiError::Dropped`] where the path is no URI.
    pub fn build(self) -> Result<Request<Body>, ApiError> {
        let mut request = Request::builder().method(self.method).uri(self.path);
        request = request.header(ACCEPT, self.accept);
        if let Some(content_type) = self.content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        request.body(self.body.into()).map_err(|error| {
            // Paths are made by this program, so this is a bug in it. Nothing has been sent.
            tracing::error!(path = self.path, %error, "a request cannot be built");
            ApiError::Dropped
        })
    }
}
