//! Watches: streams of lines or frames, one for each event after a version.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::defaults;
use super::deliveries::Deliveries;
use super::faults::Gate;
use super::form::{named_text, shown};
use super::options::check_list;
use super::path::{Query, Target};
use super::protobuf;
use super::resource::{self, Resource};
use super::selection::Selection;
use super::state::Shared;
use super::status::{ApiStatus, Result};
use super::store::{Change, Store, Write};
use super::version::{invalid_version, version};

/// How often a watch with bookmarks gets one.
const BOOKMARKS: Duration = Duration::from_secs(60);
/// How long before its end a watch with bookmarks gets the last one.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);
/// The annotation of the bookmark that ends the initial events.
const INITIAL_EVENTS_END: &str = "k8s.io/initial-events-end";

/// An open watch.
pub struct Watch {
    shared: Shared,
    client: Arc<str>,
    target: Target,
    selection: Selection,
    /// The version of the last event that was delivered.
    version: u64,
    /// Whether events are frames of protobuf, or lines of JSON.
    in_protobuf: bool,
    /// Events to be sent, the last one first.
    ready: Vec<Bytes>,
    bookmarks: bool,
    next_bookmark: Instant,
    end: Instant,
    /// How many cuts there were when it began.
    cuts: usize,
    ended: bool,
    /// Whether its version was too old when it began, so that it delivered nothing.
    was_expired: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.was_expired {
            self.tell_when(Deliveries::closed);
        }
    }
}

/// The parameters of a watch, and the events that it begins with.
pub struct Start {
    selection: Selection,
    version: u64,
    /// The objects that exist already, as events.
    initial: Vec<Value>,
    /// Whether the version is too old.
    expired: bool,
}

impl Start {
    /// Reads the parameters, and the store for the initial events.
    pub fn new(store: &Store, target: &Target, query: &Query) -> Result<Start> {
        let selection = Selection::new(target, query)?;
        check_list(query, true)?;
        let asked = query.get("resourceVersion");
        let from = version(asked).map_err(|why| invalid_version(asked, &why))?;
        let streams = query.is("sendInitialEvents");
        let wants_initial = streams || from == 0 && !query.has("sendInitialEvents");
        if !wants_initial {
            let version = if from == 0 { store.version() } else { from };
            return Ok(Start {
                expired: version < store.oldest(target.resource),
                selection,
                version,
                initial: Vec::new(),
            });
        }
        let rows = store.all(target.resource).values();
        let mut initial: Vec<Value> = rows
            .filter(|object| selection.has(object))
            .map(|object| json!({"type": "ADDED", "object": shown(target.resource, object)}))
            .collect();
        if streams && query.is("allowWatchBookmarks") {
            initial.push(bookmark(target, store.version(), true));
        }
        Ok(Start {
            selection,
            version: store.version(),
            initial,
            expired: false,
        })
    }
}

fn bookmark(target: &Target, version: u64, ends_initial: bool) -> Value {
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if ends_initial {
        metadata["annotations"] = json!({INITIAL_EVENTS_END: "true"});
    }
    let mut object = empty(target.resource);
    object["kind"] = target.resource.kind.into();
    object["apiVersion"] = target.resource.api_version().into();
    for (key, value) in metadata.as_object().into_iter().flatten() {
        // The object may have annotations already.
        match value.as_object() {
            Some(fields) => fields
                .iter()
                .for_each(|(k, v)| object["metadata"][key][k] = v.clone()),
            None => object["metadata"][key] = value.clone(),
        }
    }
    json!({"type": "BOOKMARK", "object": object})
}

/// The object of a bookmark: the fields that are never left out, and an old annotation.
fn empty(resource: &Resource) -> Value {
    match resource {
        r if *r == resource::CONTROLLER_REVISIONS => json!({"revision": 0}),
        r if *r == resource::DAEMON_SETS => json!({
            "metadata": {"annotations": {"deprecated.daemonset.template.generation": "0"}},
            "spec": {
                "selector": null,
                "template": {"metadata": {}, "spec": {"containers": null}},
                "updateStrategy": {},
            },
            "status": {
                "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
            },
        }),
        r if *r == resource::NODES => {
            let mut node = json!({"metadata": {}});
            defaults::complete(resource, &mut node);
            node
        }
        r if *r == resource::EVENTS => json!({
            "involvedObject": {}, "source": {}, "firstTimestamp": null, "lastTimestamp": null, "eventTime": null,
            "reportingComponent": "", "reportingInstance": "",
        }),
        _ => json!({}),
    }
}

/// An event as it is sent. `kind` is that of its object.
fn encode(event: &Value, kind: &str, in_protobuf: bool) -> Bytes {
    if in_protobuf {
        let object = match event["type"].as_str() {
            Some("ERROR") => protobuf::status(&event["object"]),
            _ => protobuf::enveloped(kind, &event["object"]),
        };
        return protobuf::frame(event["type"].as_str().unwrap_or_default(), &object).into();
    }
    // Decoders that read an event as a stream need `type` before `object`.
    Bytes::from(format!(
        "{{\"type\":{},\"object\":{}}}\n",
        event["type"], event["object"]
    ))
}

impl Watch {
    /// Opens a watch, which lasts for `length`, and is in protobuf or not.
    pub fn new(
        shared: Shared,
        client: Arc<str>,
        target: Target,
        query: &Query,
        (start, length, in_protobuf): (Start, Duration, bool),
    ) -> Watch {
        let now = Instant::now();
        let encode = |event| encode(event, target.resource.kind, in_protobuf);
        let mut ready: Vec<Bytes> = start.initial.iter().map(encode).collect();
        ready.reverse();
        let mut watch = Watch {
            cuts: shared.with(|state| state.faults.cuts()),
            shared,
            client,
            target,
            selection: start.selection,
            version: start.version,
            in_protobuf,
            ready,
            bookmarks: query.is("allowWatchBookmarks"),
            next_bookmark: now + BOOKMARKS,
            end: now + length,
            ended: false,
            was_expired: start.expired,
        };
        if start.expired {
            watch.expire();
        } else {
            watch.tell_when(Deliveries::opened);
        }
        watch
    }

    /// Notes that the watch was opened or closed.
    fn tell_when(&self, what: impl FnOnce(&mut Deliveries, &Arc<str>, &Resource, Duration)) {
        let at = self.shared.elapsed();
        let (client, resource) = (&self.client, self.target.resource);
        self.shared
            .with(|state| what(&mut state.deliveries, client, resource, at));
    }

    /// The media type of the answer.
    pub fn media_type(&self) -> &'static str {
        if self.in_protobuf {
            protobuf::WATCH_MEDIA_TYPE
        } else {
            "application/json"
        }
    }

    /// The events of the watch; the stream ends with it.
    pub fn events(self) -> BoxStream<'static, Bytes> {
        stream::unfold(self, |mut watch| async move {
            let event = watch.next().await?;
            Some((event, watch))
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Bytes> {
        let shared = self.shared.clone();
        let changes = shared.changes(self.target.resource);
        loop {
            if let Some(event) = self.ready.pop() {
                return Some(event);
            }
            if self.ended {
                return None;
            }
            let mut changed = pin!(changes.notified());
            changed.as_mut().enable();
            let later = self.look();
            if !self.ready.is_empty() || self.ended {
                continue;
            }
            let now = Instant::now();
            if now >= self.end {
                return None;
            }
            if self.bookmarks && now >= self.next_bookmark {
                let last = self.end - LAST_BOOKMARK;
                self.next_bookmark = if now < last {
                    last.min(now + BOOKMARKS)
                } else {
                    self.end + BOOKMARKS
                };
                return Some(self.encode(&bookmark(&self.target, self.version, false)));
            }
            let mut wake = self.end;
            if self.bookmarks {
                wake = wake.min(self.next_bookmark);
            }
            if let Some(later) = later {
                wake = wake.min(later);
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Takes the events that may be delivered now. Returns when more may be, because a lag ends.
    fn look(&mut self) -> Option<Instant> {
        let shared = self.shared.clone();
        shared.with(|state| {
            if let Some(expired) = state.faults.cut_since(self.cuts, self.target.resource) {
                if expired {
                    self.expire();
                }
                self.ended = true;
                return None;
            }
            let gate = state.faults.gate_of(&self.client, self.target.resource);
            if gate == Some(Gate::Shut) {
                return None;
            }
            let lag = match gate {
                Some(Gate::Lag(lag)) => lag,
                _ => Duration::ZERO,
            };
            let elapsed = shared.elapsed();
            let Some(writes) = state.core.store.since(self.target.resource, self.version) else {
                self.expire();
                return None;
            };
            let mut later = None;
            let mut left = match gate {
                Some(Gate::After(left)) => left,
                _ => usize::MAX,
            };
            for write in writes {
                if left == 0 {
                    let at = write.at.saturating_sub(Duration::from_nanos(1));
                    let (client, resource) = (&self.client, self.target.resource);
                    let shut = Some(Gate::Shut);
                    state.faults.gate(client, resource, shut);
                    state.deliveries.gate(client, resource, shut, at);
                    break;
                }
                left -= 1;
                if write.at + lag > elapsed {
                    later = Some(Instant::now() + (write.at + lag - elapsed));
                    break;
                }
                self.version = write.version;
                if let Some(event) = self.event(write) {
                    self.ready.push(event);
                }
            }
            if matches!(gate, Some(Gate::After(_))) && left > 0 {
                let gate = Some(Gate::After(left));
                state.faults.gate(&self.client, self.target.resource, gate);
            }
            if writes.is_empty() && gate.is_none() {
                // The version of a bookmark is that of the whole store.
                self.version = self.version.max(state.core.store.version());
            }
            self.ready.reverse();
            later
        })
    }

    /// A write as this watch delivers it: an object is added and deleted as it begins and ceases to
    /// be selected.
    fn event(&self, write: &Write) -> Option<Bytes> {
        let was = write.before.as_ref().is_some_and(|o| self.selection.has(o));
        let is = write.change != Change::Deleted && self.selection.has(&write.object);
        let told = match (was, is) {
            (false, false) => return None,
            (false, true) => Change::Added,
            (true, true) => Change::Modified,
            (true, false) if write.change == Change::Deleted => Change::Deleted,
            (true, false) => {
                // The last state that was selected, with the version of this write.
                let mut last = write.before.as_deref().cloned().unwrap_or_default();
                last["metadata"]["resourceVersion"] = write.version.to_string().into();
                let last = shown(self.target.resource, &last);
                return Some(self.encode(&json!({"type": "DELETED", "object": last})));
            }
        };
        // Events of the newer group are stored in the older form.
        let kind = self.target.resource.kind;
        Some(if *self.target.resource == resource::NEW_EVENTS {
            let object = shown(self.target.resource, &write.object);
            self.encode(&json!({"type": told.as_str(), "object": object}))
        } else if self.in_protobuf {
            write.frame(told, || {
                let object = protobuf::envelope(kind, &write.message());
                protobuf::frame(told.as_str(), &object).into()
            })
        } else {
            write.line(told, || {
                let text = named_text(self.target.resource, &write.text());
                Self::told(told, &text)
            })
        })
    }

    fn encode(&self, event: &Value) -> Bytes {
        encode(event, self.target.resource.kind, self.in_protobuf)
    }

    fn told(change: Change, object: &str) -> Bytes {
        let what = change.as_str();
        Bytes::from(format!("{{\"type\":\"{what}\",\"object\":{object}}}\n"))
    }

    fn expire(&mut self) {
        let oldest = self
            .shared
            .try_oldest(self.target.resource)
            .unwrap_or(self.version + 1);
        let why = format!("too old resource version: {} ({oldest})", self.version);
        let status = ApiStatus::expired(why);
        let event = json!({"type": "ERROR", "object": status.to_json()});
        self.ready = vec![self.encode(&event)];
        self.ended = true;
    }
}
