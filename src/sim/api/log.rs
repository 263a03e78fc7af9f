//! The log of all requests: for tests to ask, and to compare byte for byte.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::path::{Query, Target};

/// A request and what became of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log.
    pub number: usize,
    /// Who sent it.
    pub client: Arc<str>,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, as sent.
    pub query: String,
    /// The body, as sent.
    pub body: Bytes,
    /// What it is for; None where the path means nothing.
    pub target: Option<Target>,
    /// When it came, since the start.
    pub at: Duration,
    /// When it was answered.
    pub ended: Option<Duration>,
    /// The answer's code; 0 while there is none, or when it was lost.
    pub code: u16,
}

impl Entry {
    /// A request of this method for a path that ends so.
    pub fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path.ends_with(path)
    }

    /// A request of this method for objects of this resource (one or all, or a subresource).
    pub fn is_for(&self, method: &str, plural: &str) -> bool {
        let target = self.target.as_ref();
        self.method == method && target.is_some_and(|t| t.resource.plural == plural)
    }

    /// Whether it opens a watch.
    pub fn is_watch(&self) -> bool {
        self.method == "GET" && Query::parse(&self.query).is("watch")
    }

    /// Whether it only keeps something alive: a watch that is opened, or anything about a lease.
    pub fn is_upkeep(&self) -> bool {
        let target = self.target.as_ref();
        self.is_watch() || target.is_some_and(|t| t.resource.plural == "leases")
    }

    /// Whether it may change something.
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// One line: everything but the answer's time.
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
