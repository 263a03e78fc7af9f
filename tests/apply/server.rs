//! A scripted API server in memory, for the calls that the controller makes and no others.
//!
//! Each call takes a millisecond of virtual time and is logged. A test can say what becomes of calls (rules), and what
//! a client's watches tell (frozen, cut, expired). Each client has a name, so that of two only one can be blind.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use daemonset_controller::model::Time;
use http::{Request, Response};
use http_body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::store::{Id, Refusal, Store, id};

/// When virtual time begins.
const EPOCH: i64 = 1_780_000_000;

/// How long a call takes.
const CALL: Duration = Duration::from_millis(1);

/// A request and what became of it.
#[derive(Clone, Debug)]
pub struct Call {
    pub client: &'static str,
    pub verb: String,
    pub path: String,
    pub query: String,
    pub body: Value,
    /// When it came.
    pub at: Duration,
    /// When it was answered.
    pub ended: Option<Duration>,
    /// The answer's code; 0 while there is none, or when it was lost.
    pub code: u16,
}

impl Call {
    /// A request of this verb for a path that ends so.
    pub fn is(&self, verb: &str, path: &str) -> bool {
        self.verb == verb && self.path.ends_with(path)
    }

    /// A request of this verb for one pod, or all.
    pub fn is_pod(&self, verb: &str) -> bool {
        self.verb == verb && self.path.contains("/pods")
    }
}

/// What becomes of a call.
#[derive(Clone)]
pub enum Act {
    /// This answer, and nothing is done: a code and a `Status`.
    Answer(u16, Value),
    /// Nothing is done, and no answer comes.
    Hang,
    /// It is done, and the connection fails before the answer.
    Lose,
    /// Nothing is done, and the connection fails.
    Fail,
    /// It is done after this time.
    Delay(Duration),
    /// It is done, and the answer comes after this time.
    Late(Duration),
}

struct Rule {
    matches: Box<dyn Fn(&Call) -> bool + Send>,
    act: Act,
    left: usize,
}

#[derive(Default)]
struct Inner {
    store: Store,
    calls: Vec<Call>,
    rules: Vec<Rule>,
    /// Client and plural of watches that tell nothing.
    frozen: BTreeSet<(&'static str, String)>,
    /// Raised for each cut; watches opened before end. True: with 410.
    cuts: Vec<(String, bool)>,
}

/// The server; clones share it.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Mutex<Inner>>,
    changed: watch::Sender<()>,
    start: Instant,
}

impl Server {
    pub fn new() -> Server {
        Server {
            inner: Arc::default(),
            changed: watch::Sender::new(()),
            start: Instant::now(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while it was held")
    }

    /// Virtual time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The wall clock.
    pub fn time(&self) -> Time {
        Time::from_secs(EPOCH) + self.elapsed()
    }

    /// The wall clock as the API writes it.
    pub fn now(&self) -> String {
        Time::from_secs(EPOCH + self.elapsed().as_secs().cast_signed()).to_string()
    }

    /// Changes or reads what is there.
    pub fn store<R>(&self, f: impl FnOnce(&mut Store, &str) -> R) -> R {
        let result = f(&mut self.lock().store, &self.now());
        self.changed.send_replace(());
        result
    }

    /// Changes, for whoever waits for them.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The next `times` matching calls go so. Later rules go before earlier ones.
    pub fn rule(&self, times: usize, matches: impl Fn(&Call) -> bool + Send + 'static, act: Act) {
        let matches = Box::new(matches);
        let left = times;
        self.lock().rules.push(Rule { matches, act, left });
    }

    /// No rules any more.
    pub fn clear_rules(&self) {
        self.lock().rules.clear();
    }

    /// The client's watches of this kind tell nothing, or go on.
    pub fn freeze(&self, client: &'static str, plural: &str, frozen: bool) {
        let what = (client, plural.to_owned());
        let mut inner = self.lock();
        if frozen {
            inner.frozen.insert(what);
        } else {
            inner.frozen.remove(&what);
        }
        drop(inner);
        self.changed.send_replace(());
    }

    /// All watches of this kind end, with a 410 or just so.
    pub fn cut(&self, plural: &str, expired: bool) {
        self.lock().cuts.push((plural.to_owned(), expired));
        self.changed.send_replace(());
    }

    /// The calls so far that are so.
    pub fn calls(&self, wanted: impl Fn(&Call) -> bool) -> Vec<Call> {
        let inner = self.lock();
        inner.calls.iter().filter(|c| wanted(c)).cloned().collect()
    }

    /// A client of it, by this name.
    pub fn client(&self, name: &'static str) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request| server.clone().serve(name, request));
        Client::new(service, "default")
    }

    async fn serve(
        self,
        client: &'static str,
        request: Request<Body>,
    ) -> io::Result<Response<Pieces>> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.map_err(io::Error::other)?;
        let call = Call {
            client,
            verb: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or("").to_owned(),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            at: self.elapsed(),
            ended: None,
            code: 0,
        };
        let (number, act) = self.note(call.clone());
        sleep(CALL).await;
        match act {
            Some(Act::Hang) => std::future::pending::<()>().await,
            Some(Act::Fail) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Act::Delay(time)) => sleep(time).await,
            _ => {}
        }
        let (code, answer) = match act {
            Some(Act::Answer(code, ref answer)) => (code, answer.clone()),
            _ if call.query.contains("watch=") => return Ok(self.watch(&call, number)),
            _ => {
                let result = self.store(|store, now| answer(store, &call, now));
                result.unwrap_or_else(|(code, reason, message)| {
                    (code, status(code, reason, &message))
                })
            }
        };
        match act {
            Some(Act::Lose) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Act::Late(time)) => sleep(time).await,
            _ => {}
        }
        self.ended(number, code);
        let (sender, body) = unbounded_channel();
        let _ = sender.send(Bytes::from(answer.to_string()));
        let mut response = Response::builder().status(code);
        if let Some(seconds) = answer["details"]["retryAfterSeconds"].as_u64() {
            response = response.header("retry-after", seconds);
        }
        response.body(Pieces(body)).map_err(io::Error::other)
    }

    fn note(&self, call: Call) -> (usize, Option<Act>) {
        let mut inner = self.lock();
        let rule = inner
            .rules
            .iter_mut()
            .rev()
            .find(|r| r.left > 0 && (r.matches)(&call));
        let act = rule.map(|rule| {
            rule.left -= 1;
            rule.act.clone()
        });
        inner.calls.push(call);
        (inner.calls.len() - 1, act)
    }

    fn ended(&self, number: usize, code: u16) {
        let at = self.elapsed();
        let call = &mut self.lock().calls[number];
        (call.ended, call.code) = (Some(at), code);
    }

    fn watch(self, call: &Call, number: usize) -> Response<Pieces> {
        self.ended(number, 200);
        let (sender, body) = unbounded_channel();
        let parameter = |name: &str| {
            let pairs = call.query.split('&').filter_map(|p| p.split_once('='));
            pairs
                .filter(|(k, _)| *k == name)
                .find_map(|(_, v)| v.parse::<u64>().ok())
        };
        let from = parameter("resourceVersion").expect("a version");
        let seconds = parameter("timeoutSeconds").expect("a timeout");
        let until = Instant::now() + Duration::from_secs(seconds);
        let plural = call.path.rsplit('/').next().expect("a plural").to_owned();
        tokio::spawn(self.tell((call.client, plural), from, until, sender));
        Response::new(Pieces(body))
    }

    async fn tell(
        self,
        what: (&'static str, String),
        mut from: u64,
        until: Instant,
        sender: UnboundedSender<Bytes>,
    ) {
        let mut changes = self.changes();
        let cuts = self.lock().cuts.len();
        loop {
            {
                let inner = self.lock();
                if let Some((_, expired)) = inner.cuts[cuts..].iter().find(|c| c.0 == what.1) {
                    if *expired {
                        let gone = status(410, "Expired", "too old resource version");
                        let _ = sender.send(line("ERROR", &gone));
                    }
                    return;
                }
                if !inner.frozen.contains(&what) {
                    let first = inner.store.events.partition_point(|e| e.version <= from);
                    for event in &inner.store.events[first..] {
                        from = event.version;
                        if event.plural == what.1 {
                            let _ = sender.send(line(event.what, &event.object));
                        }
                    }
                }
            }
            tokio::select! {
                biased;
                () = sender.closed() => return,
                () = sleep_until(until) => return,
                _ = changes.changed() => {}
            }
        }
    }
}

fn line(what: &str, object: &Value) -> Bytes {
    // `type` must come before `object`.
    Bytes::from(format!("{{\"type\":\"{what}\",\"object\":{object}}}\n"))
}

/// A `Status` of failure.
pub fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    })
}

/// Does what a call asks for.
fn answer(store: &mut Store, call: &Call, now: &str) -> Result<(u16, Value), Refusal> {
    let segments: Vec<&str> = call.path.trim_matches('/').split('/').collect();
    let rest = &segments[if segments[0] == "api" { 2 } else { 3 }..];
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let plural = rest[0];
    if plural == "events" {
        return Ok((201, call.body.clone()));
    }
    let one = |name: &str| -> Id { (plural.into(), namespace.into(), name.into()) };
    match (&*call.verb, &rest[1..]) {
        ("GET", []) => {
            let labels = call
                .query
                .split('&')
                .find_map(|p| p.strip_prefix("labelSelector="));
            let labels = labels.unwrap_or("").replace("%3D", "=").replace("%2C", ",");
            Ok((200, store.list(plural, namespace, &labels)))
        }
        ("GET", [name]) => match store.objects.get(&one(name)) {
            Some(object) => Ok((200, object.clone())),
            None => Err((404, "NotFound", format!("{plural} \"{name}\" not found"))),
        },
        ("POST", []) => {
            let mut object = call.body.clone();
            object["metadata"]["namespace"] = json!(namespace);
            assert!(!id(plural, &object).2.is_empty(), "a name is always given");
            Ok((201, store.create(plural, object, now)?))
        }
        ("PATCH", [name]) => Ok((200, store.patch(&one(name), call.body.clone(), false)?)),
        ("PATCH", [name, "status"]) => Ok((200, store.patch(&one(name), call.body.clone(), true)?)),
        ("DELETE", [name]) => Ok((200, store.delete(&one(name), &call.body, now)?)),
        _ => panic!("not a call of ours: {} {}", call.verb, call.path),
    }
}

/// A body in pieces, which ends when its sender is dropped.
pub struct Pieces(UnboundedReceiver<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_recv(cx);
        piece.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
