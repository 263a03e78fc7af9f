//! The parts of the server that verbs work on: the store, the source of randomness, and the moment
//! of a request.

use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::{RngCore, SeedableRng, rngs::StdRng};
use serde_json::Value;

use super::priority::PriorityClasses;
use super::protobuf;
use super::resource::Resource;
use super::store::{Store, encoded};

/// The time and the number of a request.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time since the start.
    pub at: Duration,
    /// The time of day.
    pub now: Timestamp,
    /// The number of the request in the log.
    pub request: usize,
}

impl Moment {
    /// The time of day as objects have it: RFC 3339, whole seconds.
    pub fn seconds(&self) -> String {
        self.format(self.now.as_second())
    }

    /// The time so many seconds later, as objects have it.
    pub fn after(&self, seconds: i64) -> String {
        self.format(self.now.as_second() + seconds)
    }

    /// A time in seconds since the epoch, as objects have it.
    pub fn format(&self, second: i64) -> String {
        let time = Timestamp::from_second(second).unwrap_or(self.now);
        format!("{time:.0}")
    }

    /// The time of an object in seconds since the epoch; the present time if the text is no time.
    pub fn parse(&self, text: &str) -> i64 {
        let time: Timestamp = text.parse().unwrap_or(self.now);
        time.as_second()
    }
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub enum Body {
    /// An object that was made for this answer.
    Made(Value),
    /// JSON: stored objects, whose texts are kept.
    Text(String),
    /// Protobuf, for who asks for it.
    Protobuf(Bytes),
}

impl Body {
    /// The body as it is sent. A plain text is no JSON.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Body::Made(Value::String(plain)) => plain.into(),
            Body::Made(object) => encoded(&object).into(),
            Body::Text(text) => text.into(),
            Body::Protobuf(bytes) => bytes,
        }
    }

    /// The media type, by which the form is told.
    pub fn media_type(&self) -> &'static str {
        match self {
            Body::Made(_) | Body::Text(_) => "application/json",
            Body::Protobuf(_) => protobuf::MEDIA_TYPE,
        }
    }

    /// The object, of an answer that nobody asked for as protobuf.
    pub fn into_value(self) -> Value {
        match self {
            Body::Made(object) => object,
            Body::Text(text) => serde_json::from_str(&text).expect("it was written by this server"),
            Body::Protobuf(_) => unreachable!("it was asked for as JSON"),
        }
    }
}

impl From<Value> for Body {
    fn from(object: Value) -> Body {
        Body::Made(object)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::Text(text)
    }
}

/// A successful answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP code.
    pub code: u16,
    /// The body.
    pub body: Body,
}

impl Answer {
    /// An answer with code 200.
    pub fn ok(body: impl Into<Body>) -> Answer {
        Answer {
            code: 200,
            body: body.into(),
        }
    }

    /// An answer with code 201.
    pub fn created(body: impl Into<Body>) -> Answer {
        Answer {
            code: 201,
            body: body.into(),
        }
    }
}

/// The server without time, network and faults.
pub struct Core {
    /// All objects, and their history.
    pub store: Store,
    /// Decides names, UIDs and the lengths of watches.
    pub rng: StdRng,
    /// The priority classes besides those of the system.
    pub priority_classes: PriorityClasses,
}

impl Core {
    /// An empty server. Everything random follows from the seed.
    pub fn new(seed: u64) -> Core {
        Core {
            store: Store::default(),
            rng: StdRng::seed_from_u64(seed),
            priority_classes: PriorityClasses::default(),
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

    /// Writes an object. Returns it with its new resourceVersion.
    pub fn put(&mut self, resource: &'static Resource, object: Value, m: &Moment) -> Arc<Value> {
        self.store.put(resource, object, m.at, m.request)
    }

    /// Removes an object, whose last state is given. Returns it with the version of the removal.
    pub fn remove(&mut self, resource: &'static Resource, object: Value, m: &Moment) -> Arc<Value> {
        self.store.remove(resource, object, m.at, m.request)
    }
}
