//! A request as it comes in, and the form that its answer has.

use bytes::Bytes;
use serde_json::Value;

use super::core::Body;
use super::path::{self, Target};
use super::protobuf;

/// A request as it comes in.
#[derive(Clone)]
pub struct Incoming {
    /// The HTTP method.
    pub method: String,
    /// The path of the URL.
    pub path: String,
    /// The query of the URL.
    pub query: String,
    /// The header `Content-Type`.
    pub content_type: String,
    /// The header `Accept`.
    pub accept: String,
    /// The body, as sent.
    pub body: Bytes,
}

impl Incoming {
    /// Whether it is answered in protobuf.
    pub fn wants_protobuf(&self, target: &Target) -> bool {
        let is_plain = target.subresource.is_empty();
        is_plain && protobuf::is_asked_for(&self.accept, &self.method, target.resource.kind)
    }

    /// A `Status` in the form that the answer would have had.
    pub fn status(&self, status: Value) -> Body {
        let target = path::target(&self.path);
        match target.is_ok_and(|target| self.wants_protobuf(&target)) {
            true => Body::Protobuf(protobuf::status(&status).into()),
            false => status.into(),
        }
    }
}
