//! The API server without time, network and faults: a request and the moment in, an answer out.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::{RngCore, SeedableRng, rngs::StdRng};
use serde_json::Value;

use super::path::{Query, Target};
use super::resource::{self, Resource};
use super::status::{Result, Status};
use super::store::Store;
use super::{binding, delete, read, write};

/// When a request is done, and which it is.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Since the start.
    pub at: Duration,
    /// By the wall clock.
    pub now: Timestamp,
    /// Its number in the log.
    pub request: usize,
}

impl Moment {
    /// The time as objects have it.
    pub fn seconds(&self) -> String {
        self.format(self.now.as_second())
    }

    /// The time so many seconds from now.
    pub fn after(&self, seconds: i64) -> String {
        self.format(self.now.as_second() + seconds)
    }

    /// Seconds since the epoch as objects have them.
    pub fn format(&self, second: i64) -> String {
        let time = Timestamp::from_second(second).unwrap_or(self.now);
        format!("{time:.0}")
    }

    /// Seconds since the epoch of an object's time; now where it makes no sense.
    pub fn parse(&self, text: &str) -> i64 {
        let time: Timestamp = text.parse().unwrap_or(self.now);
        time.as_second()
    }
}

/// An answer that is no error.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP code.
    pub code: u16,
    /// The object.
    pub object: Value,
}

impl Answer {
    /// 200.
    pub fn ok(object: Value) -> Answer {
        Answer { code: 200, object }
    }

    /// 201.
    pub fn created(object: Value) -> Answer {
        Answer { code: 201, object }
    }
}

/// The server.
pub struct Core {
    /// What it holds.
    pub store: Store,
    /// For names, UIDs and the lengths of watches.
    pub rng: StdRng,
}

/// One request.
pub struct Request<'a> {
    /// `GET`, …
    pub method: &'a str,
    /// What it is for.
    pub target: &'a Target,
    /// Its parameters.
    pub query: &'a Query,
    /// `Content-Type`.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

impl Core {
    /// An empty one.
    pub fn new(seed: u64) -> Core {
        Core {
            store: Store::default(),
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// Does what a request asks for, but for watches.
    pub fn answer(&mut self, request: &Request<'_>, moment: &Moment) -> Result<Answer> {
        let Request {
            target,
            query,
            body,
            ..
        } = *request;
        let is_one = !target.name.is_empty();
        if matches!(request.method, "POST" | "PUT") {
            super::body::check_type(request.content_type)?;
        }
        match (request.method, target.subresource) {
            ("POST", "binding") => binding::bind(self, target, body, moment),
            (_, "binding") => Err(Status::not_allowed()),
            ("GET", "" | "status") if is_one => {
                read::get(&self.store, target, query).map(Answer::ok)
            }
            ("GET", "") => read::list(&self.store, target, query).map(Answer::ok),
            ("POST", "")
                if !is_one && target.namespace.is_empty() == target.resource.namespaced =>
            {
                Err(Status::not_allowed())
            }
            ("POST", "") if !is_one => write::create(self, target, query, body, moment),
            ("PUT", _) if is_one => write::update(self, target, query, body, moment),
            ("PATCH", "" | "status") if is_one => {
                write::patch(self, target, query, request.content_type, body, moment)
            }
            ("DELETE", "") if is_one => delete::delete(self, target, query, body, moment),
            ("DELETE", "")
                if target.namespace.is_empty() == target.resource.namespaced
                    || *target.resource == resource::NAMESPACES =>
            {
                Err(Status::not_allowed())
            }
            ("DELETE", "") => delete::delete_collection(self, target, query, body, moment),
            _ => Err(Status::not_allowed()),
        }
    }

    /// A new UID.
    pub fn uid(&mut self) -> String {
        let mut bytes = [0_u8; 16];
        self.rng.fill_bytes(&mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }

    /// Keeps an object.
    pub fn put(&mut self, resource: &'static Resource, object: Value, m: &Moment) -> Arc<Value> {
        self.store.put(resource, object, m.at, m.request)
    }

    /// Takes an object out.
    pub fn remove(&mut self, resource: &'static Resource, object: Value, m: &Moment) -> Arc<Value> {
        self.store.remove(resource, object, m.at, m.request)
    }
}
