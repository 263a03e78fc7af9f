//! What the verbs work on: the store, the source of all that is random, and the moment of a request.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rand::{RngCore, SeedableRng, rngs::StdRng};
use serde_json::Value;

use super::resource::Resource;
use super::store::Store;

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

impl Core {
    /// An empty one.
    pub fn new(seed: u64) -> Core {
        Core {
            store: Store::default(),
            rng: StdRng::seed_from_u64(seed),
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
