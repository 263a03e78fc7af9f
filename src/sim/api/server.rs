//! The API server with time, a log and faults. Clones share its state.
//!
//! Every request takes at least a millisecond of tokio's time, or paused time would stand still.
//! The time of day is a fixed moment plus tokio's time, so nothing depends on the machine's clock.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;
use rand::Rng;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::core::{Body, Moment};
use super::dispatch::{self, Request};
use super::faults::{Act, Gate, Matches};
pub use super::incoming::Incoming;
use super::late::{Late, LateWrites, Told};
use super::log::Entry;
use super::path::{self, Query};
use super::resource::{self, Resource};
use super::state::{Shared, State};
use super::status::ApiStatus;
use super::store::Store;
use super::watch::{Start, Watch};

/// How long a request takes.
const LATENCY: Duration = Duration::from_millis(1);

/// The options of a server.
#[derive(Clone, Copy, Debug)]
pub struct ServerOptions {
    /// The seed of names, UIDs and everything else that is random.
    pub seed: u64,
    /// The time of day when it starts.
    pub epoch: Timestamp,
}

impl Default for ServerOptions {
    /// Seed 1, and a fixed moment in 2026.
    fn default() -> Self {
        ServerOptions {
            seed: 1,
            epoch: Timestamp::constant(1_780_000_000, 0),
        }
    }
}

/// The server, with everything that its clients share.
#[derive(Clone)]
pub struct ApiServer {
    shared: Shared,
    /// Notified of each request once the log has it.
    logged: Arc<Notify>,
    epoch: Timestamp,
}

/// The answer to a request.
pub enum Reply {
    /// A code, a body, and `Retry-After` in seconds.
    Object(u16, Body, Option<u64>),
    /// The media type and the events of a watch, which ends with them.
    Watch(&'static str, BoxStream<'static, Bytes>),
    /// The connection fails without an answer.
    Broken,
}

impl ApiServer {
    /// An empty server, except for the namespaces that every cluster has.
    pub fn new(options: ServerOptions) -> ApiServer {
        let server = ApiServer {
            shared: Shared::new(options.seed),
            logged: Arc::default(),
            epoch: options.epoch,
        };
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            server.shared.with(|state| {
                let target = path::target("/api/v1/namespaces").expect("a path");
                let body = format!(r#"{{"metadata":{{"name":"{name}"}}}}"#);
                let request = Request {
                    method: "POST",
                    target: &target,
                    query: &Query::default(),
                    content_type: "application/json",
                    in_protobuf: false,
                    body: body.as_bytes(),
                };
                let moment = server.moment(usize::MAX);
                let made = dispatch::answer(&mut state.core, &request, &moment);
                made.unwrap_or_else(|status| panic!("namespace {name}: {status}"));
            });
        }
        server
    }

    /// Lends the state, locked.
    pub fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        self.shared.with(f)
    }

    /// Reads the store.
    pub fn read<R>(&self, f: impl FnOnce(&Store) -> R) -> R {
        f(&self.shared.lock().core.store)
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.shared.elapsed()
    }

    /// The time of day at the start.
    pub fn epoch(&self) -> Timestamp {
        self.epoch
    }

    /// The time of day now.
    pub fn now(&self) -> Timestamp {
        let elapsed = jiff::SignedDuration::try_from(self.elapsed()).unwrap_or_default();
        self.epoch.checked_add(elapsed).unwrap_or(self.epoch)
    }

    /// A clock that shows the server's time of day.
    pub fn clock(&self) -> crate::sim::Clock {
        let server = self.clone();
        Arc::new(move || server.now())
    }

    fn moment(&self, request: usize) -> Moment {
        Moment {
            at: self.elapsed(),
            now: self.now(),
            request,
        }
    }

    /// All requests so far.
    pub fn log(&self) -> Vec<Entry> {
        self.shared.lock().log.clone()
    }

    /// The requests so far that meet a condition.
    pub fn requests(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let state = self.shared.lock();
        state.log.iter().filter(|e| wanted(e)).cloned().collect()
    }

    /// All requests so far as text, one line each.
    pub fn log_text(&self) -> String {
        let state = self.shared.lock();
        state.log.iter().map(|e| e.line() + "\n").collect()
    }

    /// The next `times` requests that match meet this fault. Later rules take precedence.
    pub fn rule(&self, times: usize, matches: impl Fn(&Entry) -> bool + Send + 'static, act: Act) {
        let matches: Matches = Box::new(matches);
        self.shared
            .with(|state| state.faults.rule(times, matches, act));
    }

    /// Ends all rules.
    pub fn clear_rules(&self) {
        self.shared.with(|state| state.faults.clear_rules());
    }

    /// From now on a share of the writes that match takes effect late, whatever becomes of their
    /// senders. Rules take precedence.
    pub fn late_writes(
        &self,
        options: LateWrites,
        matches: impl Fn(&Entry) -> bool + Send + 'static,
    ) {
        let matches: Matches = Box::new(matches);
        self.shared
            .with(|state| state.faults.late_writes(options, matches));
    }

    /// No further write is late. Those that are under way still take effect.
    pub fn end_late_writes(&self) {
        self.shared.with(|state| state.faults.end_late_writes());
    }

    /// Holds up the client's watches of this resource, or (None) no longer.
    pub fn gate(&self, client: &str, resource: &Resource, gate: Option<Gate>) {
        let at = self.elapsed();
        self.shared.with(|state| {
            state.faults.gate(client, resource, gate);
            state.deliveries.gate(client, resource, gate, at);
        });
        self.shared.notify();
    }

    /// How the client's watches of this resource are held up.
    pub fn gate_of(&self, client: &str, resource: &Resource) -> Option<Gate> {
        let client = Arc::from(client);
        let state = self.shared.lock();
        state.faults.gate_of(&client, resource)
    }

    /// Ends all open watches of this resource.
    pub fn end_watches(&self, resource: &Resource) {
        self.shared.with(|state| state.faults.cut(resource, false));
        self.shared.notify();
    }

    /// Cuts the history: open watches of this resource end with 410, and no watch can begin before
    /// now.
    pub fn expire(&self, resource: &Resource) {
        self.shared.with(|state| {
            state.faults.cut(resource, true);
            state.core.store.cut(resource);
        });
        self.shared.notify();
    }

    /// Waits for the next request that is wanted, after the one numbered `after`; None if none
    /// comes within the horizon.
    pub async fn next_request(
        &self,
        after: usize,
        horizon: Duration,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Option<Entry> {
        let deadline = Instant::now() + horizon;
        let mut seen = after;
        loop {
            let mut logged = pin!(self.logged.notified());
            logged.as_mut().enable();
            {
                let state = self.shared.lock();
                if let Some(found) = state.log[seen..].iter().find(|e| wanted(e)) {
                    return Some(found.clone());
                }
                seen = state.log.len();
            }
            timeout_at(deadline, logged).await.ok()?;
        }
    }

    /// How many requests came in so far.
    pub fn requests_so_far(&self) -> usize {
        self.shared.lock().log.len()
    }

    /// Answers a request of a client.
    pub async fn serve(&self, client: Arc<str>, incoming: Incoming) -> Reply {
        let (number, act) = self.note(client.clone(), &incoming);
        let late = match &act {
            Some(Act::Strand(time)) => Some(Late::on_the_way(*time)),
            Some(Act::TakeEffectLate(late)) => Some(*late),
            _ => None,
        };
        if let Some(late) = late {
            return self.answer_late(client, incoming, number, late).await;
        }
        sleep(LATENCY).await;
        let mut late = Duration::ZERO;
        let mut lost = false;
        match act {
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Fail) => return Reply::Broken,
            Some(Act::Refuse(status)) => return self.refuse(number, &incoming, &status, None),
            Some(Act::RefuseFor(status, seconds)) => {
                return self.refuse(number, &incoming, &status, Some(seconds));
            }
            Some(Act::Delay(time)) => sleep(time).await,
            Some(Act::Late(time)) => late = time,
            Some(Act::Lose) => lost = true,
            Some(Act::Strand(_) | Act::TakeEffectLate(_)) | None => {}
        }
        let reply = self.answer(client, incoming, number);
        sleep(late).await;
        if lost {
            return Reply::Broken;
        }
        let code = match &reply {
            Reply::Object(code, ..) => *code,
            Reply::Watch(..) => 200,
            Reply::Broken => 0,
        };
        self.ended(number, code);
        reply
    }

    /// The request is on its own from the moment at which it was sent, so that it outlives a sender
    /// that dies at once.
    async fn answer_late(
        &self,
        client: Arc<str>,
        incoming: Incoming,
        number: usize,
        late: Late,
    ) -> Reply {
        if let Some(after) = late.effect(&Query::parse(&incoming.query)) {
            let (server, incoming) = (self.clone(), incoming.clone());
            tokio::spawn(async move {
                sleep(LATENCY + after).await;
                server.answer(client, incoming, number);
            });
        }
        match late.told {
            Told::Nothing => std::future::pending().await,
            Told::Cut(after) => {
                sleep(LATENCY + after).await;
                Reply::Broken
            }
            Told::TimedOut(after) => {
                sleep(LATENCY + after).await;
                let text = "request did not complete within requested timeout";
                let status = ApiStatus::new(504, "Timeout", text);
                self.refuse(number, &incoming, &status, None)
            }
        }
    }

    fn refuse(
        &self,
        number: usize,
        incoming: &Incoming,
        status: &ApiStatus,
        retry_after: Option<u64>,
    ) -> Reply {
        self.ended(number, status.code);
        let mut object = status.to_json();
        if let Some(seconds) = retry_after {
            object["details"]["retryAfterSeconds"] = seconds.into();
        }
        Reply::Object(status.code, incoming.status(object), retry_after)
    }

    fn note(&self, client: Arc<str>, incoming: &Incoming) -> (usize, Option<Act>) {
        let mut state = self.shared.lock();
        let entry = Entry {
            number: state.log.len(),
            client,
            method: incoming.method.clone(),
            path: incoming.path.clone(),
            query: incoming.query.clone(),
            body: incoming.body.clone(),
            target: path::target(&incoming.path).ok(),
            at: self.elapsed(),
            ended: None,
            code: 0,
        };
        let act = state.faults.act(&entry);
        let number = entry.number;
        state.log.push(entry);
        drop(state);
        self.logged.notify_waiters();
        (number, act)
    }

    fn ended(&self, number: usize, code: u16) {
        let elapsed = self.elapsed();
        let entry = &mut self.shared.lock().log[number];
        (entry.ended, entry.code) = (Some(elapsed), code);
    }

    fn answer(&self, client: Arc<str>, incoming: Incoming, number: usize) -> Reply {
        match self.try_answer(client, &incoming, number) {
            Ok(reply) => reply,
            Err(status) => {
                let retry_after = status.details["retryAfterSeconds"].as_u64();
                let body = incoming.status(status.to_json());
                Reply::Object(status.code, body, retry_after)
            }
        }
    }

    fn try_answer(
        &self,
        client: Arc<str>,
        incoming: &Incoming,
        number: usize,
    ) -> Result<Reply, ApiStatus> {
        let target = path::target(&incoming.path)?;
        let in_protobuf = incoming.wants_protobuf(&target);
        let query = Query::parse(&incoming.query);
        if incoming.method == "GET"
            && target.subresource.is_empty()
            && query.is("watch")
            && target.name.is_empty()
        {
            let (start, length) = self.shared.with(|state| {
                let start = Start::new(&state.core.store, &target, &query)?;
                let random = state.core.rng.random_range(1_800..3_600);
                let seconds = query.number("timeoutSeconds").filter(|s| *s > 0);
                let seconds = seconds.map_or(random, i64::unsigned_abs);
                Ok::<_, ApiStatus>((start, Duration::from_secs(seconds)))
            })?;
            let start = (start, length, in_protobuf);
            let watch = Watch::new(self.shared.clone(), client, target, &query, start);
            return Ok(Reply::Watch(watch.media_type(), watch.events()));
        }
        let request = Request {
            method: &incoming.method,
            target: &target,
            query: &query,
            content_type: &incoming.content_type,
            in_protobuf,
            body: &incoming.body,
        };
        let moment = self.moment(number);
        let answer = self
            .shared
            .with(|state| dispatch::answer(&mut state.core, &request, &moment));
        self.shared.notify_of_writes();
        let answer = answer?;
        Ok(Reply::Object(answer.code, answer.body, None))
    }

    /// Carries out a request at once, by all rules. No client sent it, and the log does not have
    /// it. Tests prepare clusters with it. Patches are JSON merge patches.
    pub fn perform(&self, method: &str, path: &str, body: &Value) -> Result<Value, ApiStatus> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let target = path::target(path)?;
        let body = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        let content_type = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = Request {
            method,
            target: &target,
            query: &Query::parse(query),
            content_type,
            in_protobuf: false,
            body: &body,
        };
        let moment = self.moment(usize::MAX);
        let answer = self
            .shared
            .with(|state| dispatch::answer(&mut state.core, &request, &moment));
        self.shared.notify_of_writes();
        answer.map(|answer| answer.body.into_value())
    }

    /// Changes an object without any rule, for tests; `None` removes it.
    pub fn meddle(
        &self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        change: impl FnOnce(Value) -> Option<Value>,
    ) {
        let moment = self.moment(usize::MAX);
        self.shared.with(|state| {
            let old = state.core.store.get(resource, namespace, name);
            let old = old.map(|o| (**o).clone()).unwrap_or_default();
            match change(old.clone()) {
                Some(new) => state.core.put(resource, new, &moment),
                None => state.core.remove(resource, old, &moment),
            };
        });
        self.shared.notify_of_writes();
    }

    /// The objects of a resource, by namespace and name.
    pub fn all(&self, resource: &Resource) -> Vec<Value> {
        self.read(|store| {
            store
                .all(resource)
                .values()
                .map(|o| (**o).clone())
                .collect()
        })
    }

    /// One object; None if it does not exist.
    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Value> {
        self.read(|store| store.get(resource, namespace, name).map(|o| (**o).clone()))
    }

    /// All pods, by namespace and name.
    pub fn pods(&self) -> Vec<Value> {
        self.all(&resource::PODS)
    }
}
