//! The API server without time, network and faults: a request and the moment in, an answer out.

use super::core::{Answer, Core, Moment};
use super::path::{Query, Target};
use super::resource;
use super::status::{ApiStatus, Result};
use super::{binding, body, delete, eviction, read, write};

/// One request, taken apart.
pub struct Request<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The resource, object and subresource of the path.
    pub target: &'a Target,
    /// The parameters of the query string.
    pub query: &'a Query,
    /// The header `Content-Type`.
    pub content_type: &'a str,
    /// Whether the answer is to be in protobuf ([`protobuf::is_asked_for`](super::protobuf)).
    pub in_protobuf: bool,
    /// The body, as sent.
    pub body: &'a [u8],
}

/// Carries out a request. Watches are not requests of this kind.
pub fn answer(core: &mut Core, request: &Request<'_>, moment: &Moment) -> Result<Answer> {
    let Request {
        target,
        query,
        body: sent,
        ..
    } = *request;
    let is_one = !target.name.is_empty();
    if matches!(request.method, "POST" | "PUT") {
        body::check_type(request.content_type)?;
    }
    match (request.method, target.subresource) {
        ("POST", "binding") => binding::bind(core, target, sent, moment),
        ("POST", "eviction") => eviction::evict(core, target, query, sent, moment),
        // Tests put them there.
        ("POST" | "PUT" | "PATCH", _) if *target.resource == resource::DISRUPTION_BUDGETS => {
            Err(ApiStatus::not_allowed())
        }
        (_, "binding" | "eviction") => Err(ApiStatus::not_allowed()),
        ("GET", "" | "status" | "resize") if is_one => {
            read::get(&core.store, target, query, request.in_protobuf).map(Answer::ok)
        }
        ("GET", "") => read::list(&core.store, target, query, request.in_protobuf).map(Answer::ok),
        ("POST", "") if !is_one && target.namespace.is_empty() == target.resource.namespaced => {
            Err(ApiStatus::not_allowed())
        }
        ("POST", "") if !is_one => write::create(core, target, query, sent, moment),
        ("PUT", _) if is_one => write::update(core, target, query, sent, moment),
        ("PATCH", "" | "status" | "resize") if is_one => {
            write::patch(core, target, query, request.content_type, sent, moment)
        }
        ("DELETE", "") if is_one => delete::delete(core, target, query, sent, moment),
        ("DELETE", "")
            if target.namespace.is_empty() == target.resource.namespaced
                || *target.resource == resource::NAMESPACES =>
        {
            Err(ApiStatus::not_allowed())
        }
        ("DELETE", "") => delete::delete_collection(core, target, query, sent, moment),
        _ => Err(ApiStatus::not_allowed()),
    }
}
