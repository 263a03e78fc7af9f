//! What there is to tell, as it is read from single writes.

use std::time::Duration;

use serde_json::Value;

use crate::sim::api::store::{Change, Write};

use super::objects::{target, text};

/// Something to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The controller wrote a revision, or raised the number of one that was there.
    Revision {
        name: String,
        number: i64,
        is_new: bool,
    },
    /// The controller created a pod.
    Created {
        pod: String,
        node: String,
        cause: String,
    },
    /// The controller asked for a pod to be deleted.
    Deleted {
        pod: String,
        node: String,
        cause: String,
    },
    /// A pod failed.
    Failed { pod: String, node: String },
    /// The controller waits before it replaces a failed pod.
    Waits { node: String, time: Duration },
    /// A node is not eligible, and nothing follows from it.
    NotEligible { node: String, message: String },
    /// The controller wrote an event.
    Event {
        kind: String,
        reason: String,
        message: String,
    },
}

/// An event that the controller wrote.
pub fn event(event: &Value) -> News {
    News::Event {
        kind: text(event, "/type"),
        reason: text(event, "/reason"),
        message: text(event, "/message"),
    }
}

/// A revision that the controller wrote; None where its number is as before.
pub fn revision(write: &Write) -> Option<News> {
    let number = |revision: &Value| revision["revision"].as_i64().unwrap_or(0);
    let before = write.before.as_deref().map(number);
    let now = number(&write.object);
    (write.change != Change::Deleted && before != Some(now)).then(|| News::Revision {
        name: text(&write.object, "/metadata/name"),
        number: now,
        is_new: before.is_none(),
    })
}

/// A pod that failed just now.
pub fn failure(write: &Write) -> Option<News> {
    let failed = |pod: &Value| pod["status"]["phase"] == "Failed";
    let before = write.before.as_deref()?;
    (failed(&write.object) && !failed(before)).then(|| News::Failed {
        pod: text(&write.object, "/metadata/name"),
        node: target(&write.object),
    })
}
