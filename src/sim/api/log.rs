//! The log of all requests, which tests query and compare byte for byte.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::path::{Query, Target};

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log, from 0.
    pub number: usize,
    /// The name of the client that sent it.
    pub client: Arc<str>,
    /// The HTTP method.
    pub method: String,
    /// The path of the URL.
    pub path: String,
    /// The query of the URL, as sent.
    pub query: String,
    /// The body, as sent.
    pub body: Bytes,
    /// The resource and object of the path; None if nothing is served there.
    pub target: Option<Target>,
    /// When it came in, since the start.
    pub at: Duration,
    /// When it was answered, since the start; None while it is not.
    pub ended: Option<Duration>,
    /// The code of the answer; 0 without an answer, or if the answer was lost.
    pub code: u16,
}

impl Entry {
    /// Whether it has this method and its path has this end.
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.ends_with(path)
    }

    /// Whether it has this method and is for objects of this resource (one, all, or a subresource).
    pub fn is_for(&self, method: &str, plural: &str) -> bool {
        let target = self.target.as_ref();
        self.method == method && target.is_some_and(|t| t.resource.plural == plural)
    }

    /// Whether it asks for an object to go: a delete, or an eviction.
    pub fn is_delete(&self) -> bool {
        self.method == "DELETE" || self.is("POST", "/eviction")
    }

    /// Whether it opens a watch.
    pub fn is_watch(&self) -> bool {
        self.method == "GET" && Query::parse(&self.query).is("watch")
    }

    /// Whether it only keeps something alive: a watch, or a request for a lease.
    pub fn is_upkeep(&self) -> bool {
        let target = self.target.as_ref();
        self.is_watch() || target.is_some_and(|t| t.resource.plural == "leases")
    }

    /// Whether its method may change something.
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The request in one line, with everything but the time of its answer.
    pub fn line(&self) -> String {
        let mut line = format!(
            "{:.6} {} {} {}",
            self.at.as_secs_f64(),
            self.client,
            self.method,
            self.path
        );
        if !self.query.is_empty() {
            let _ = write!(line, "?{}", self.query);
        }
        let _ = write!(line, " {}", self.code);
        if !self.body.is_empty() {
            let _ = write!(line, " {}", String::from_utf8_lossy(&self.body));
        }
        line
    }
}
