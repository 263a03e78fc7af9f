//! News: the events of the story, read from single writes.

use std::time::Duration;

use serde_json::Value;

use crate::apply::event_correlator::tells_of_rollout;
use crate::sim::api::store::{Change, Write};

use super::objects::{target, text};

/// One event of the story.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// The controller wrote a revision, or raised the number of an old one.
    Revision {
        name: String,
        number: i64,
        is_new: bool,
    },
    Created {
        pod: String,
        node: String,
        cause: String,
    },
    /// The controller asked for the deletion of a pod.
    Deleted {
        pod: String,
        node: String,
        cause: String,
    },
    Failed {
        pod: String,
        node: String,
    },
    /// The containers of a pod crashed for the first time.
    Crashed {
        pod: String,
        node: String,
    },
    /// The controller waits before it replaces a failed pod.
    Waits {
        node: String,
        time: Duration,
    },
    /// A node is not eligible, and no action follows from it.
    NotEligible {
        node: String,
        message: String,
    },
    /// The controller wrote a Kubernetes event.
    Event {
        kind: String,
        reason: String,
        message: String,
    },
}

impl News {
    /// Whether it is an event that tells of the rollout as a whole.
    pub fn tells_of_rollout(&self) -> bool {
        matches!(self, News::Event { reason, .. } if tells_of_rollout(reason))
    }
}

/// A Kubernetes event that the controller wrote.
pub fn event(event: &Value) -> News {
    News::Event {
        kind: text(event, "/type"),
        reason: text(event, "/reason"),
        message: text(event, "/message"),
    }
}

/// A revision that the controller wrote; None if its number has not changed.
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

/// A pod that this write marked as failed, or as one whose containers crashed for the first time.
/// What becomes of a pod that is being deleted is no news.
pub fn failure(write: &Write) -> Option<News> {
    let failed = |pod: &Value| pod["status"]["phase"] == "Failed";
    let crashed = |pod: &Value| {
        let all = pod["status"]["containerStatuses"].as_array();
        let mut all = all.into_iter().flatten();
        all.any(|c| c["state"]["terminated"].is_object() && c["restartCount"] == 0)
    };
    let (before, now) = (write.before.as_deref()?, &*write.object);
    if now["metadata"]["deletionTimestamp"].is_string() {
        return None;
    }
    let (pod, node) = (text(now, "/metadata/name"), target(now));
    if failed(now) && !failed(before) {
        return Some(News::Failed { pod, node });
    }
    let is_new = crashed(now) && !crashed(before) && now["status"]["phase"] == "Running";
    is_new.then_some(News::Crashed { pod, node })
}
