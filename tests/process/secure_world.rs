//! Endpoints over TLS, an API server that reviews, and a clock.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemonset_controller::model::Time;
use daemonset_controller::runtime::endpoints::Endpoints;
use daemonset_controller::runtime::monitor::Monitor;
use daemonset_controller::runtime::secure::Secure;
use daemonset_controller::runtime::secure::access::Access;
use daemonset_controller::runtime::secure::certificate::{Certificate, Source};
use daemonset_controller::runtime::secure::self_signed::SelfSigned;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

use crate::tls::{self, pem};

/// The time at which a world begins.
pub const BEGIN: &str = "2026-11-30T12:00:00Z";

/// How the API server answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mood {
    Well,
    /// Not at all.
    Silent,
    /// Nobody is there.
    Gone,
    /// The controller may not ask.
    Refuses,
    /// The controller may ask who it is, and not what they may.
    RefusesAccess,
    Nonsense,
    /// With a user who has no name.
    Nameless,
    /// It is too busy.
    Busy,
}

/// An API server that knows some tokens.
pub struct Reviewer {
    pub mood: Mutex<Mood>,
    /// How long a review takes.
    pub takes: Mutex<Duration>,
    /// The bodies of the reviews that it got.
    pub asked: Mutex<Vec<Value>>,
    in_flight: AtomicUsize,
    /// The most reviews in flight at a time.
    pub most: AtomicUsize,
}

impl Reviewer {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            mood: Mutex::new(Mood::Well),
            takes: Mutex::default(),
            asked: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// How many reviews of this kind it got.
    pub fn count(&self, kind: &str) -> usize {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|body| body["kind"] == kind).count()
    }

    fn client(self: &Arc<Self>) -> Client {
        let reviewer = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let reviewer = reviewer.clone();
            async move { reviewer.answer(request).await }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect_bytes().await.expect("a body");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        self.asked.lock().unwrap().push(body.clone());
        let takes = *self.takes.lock().unwrap();
        {
            let _flight = Flight::begin(self);
            sleep(takes).await;
        }
        let mood = *self.mood.lock().unwrap();
        let (code, status) = match (mood, &*path) {
            (Mood::Silent, _) => std::future::pending().await,
            (Mood::Gone, _) => return Err(std::io::Error::other("connection refused")),
            (Mood::Refuses, _) => (403, Value::Null),
            (Mood::RefusesAccess, path) if path.ends_with("accessreviews") => (403, Value::Null),
            (Mood::Busy, _) => (429, Value::Null),
            (Mood::Nonsense, _) => (201, json!("perhaps")),
            (Mood::Nameless, path) if path.ends_with("tokenreviews") => (
                201,
                json!({"authenticated": true, "user": {"groups": ["system:masters"]}}),
            ),
            (_, "/apis/authentication.k8s.io/v1/tokenreviews") => (201, whose(&body)),
            (_, "/apis/authorization.k8s.io/v1/subjectaccessreviews") => (201, may(&body)),
            (_, path) => panic!("{path} is no review"),
        };
        let body = match code {
            201 => json!({"kind": body["kind"], "status": status}),
            code => json!({"kind": "Status", "code": code, "reason": "Because", "message": "no"}),
        };
        let body = Body::from(body.to_string().into_bytes());
        let answer = Response::builder().status(code).body(body);
        Ok(answer.expect("an answer"))
    }
}

/// A review in flight, however it ends.
struct Flight<'a>(&'a Reviewer);

impl Flight<'_> {
    fn begin(reviewer: &Reviewer) -> Flight<'_> {
        let now = reviewer.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        reviewer.most.fetch_max(now, Ordering::SeqCst);
        Flight(reviewer)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// `reader` and `other` are users, and so is every token that begins with `reader-`.
fn whose(review: &Value) -> Value {
    let token = review["spec"]["token"].as_str().expect("a token");
    if token != "other" && !token.starts_with("reader") {
        return json!({"error": "invalid bearer token"});
    }
    json!({"authenticated": true, "user": {
        "username": token, "uid": "u-1", "groups": ["g", "system:authenticated"],
        "extra": {"example.com/pod": ["p"]},
    }})
}

/// Readers may get `/metrics`, and one has a reason to be refused.
fn may(review: &Value) -> Value {
    let spec = &review["spec"];
    assert_eq!(spec["uid"], "u-1");
    assert_eq!(spec["groups"], json!(["g", "system:authenticated"]));
    assert_eq!(spec["extra"], json!({"example.com/pod": ["p"]}));
    let attributes = &spec["nonResourceAttributes"];
    let reader = spec["user"].as_str().expect("a user").starts_with("reader");
    match attributes == &json!({"path": "/metrics", "verb": "get"}) && reader {
        true => json!({"allowed": true, "reason": "RBAC: allowed"}),
        false if reader => json!({"allowed": false, "reason": "no rule"}),
        false => json!({"allowed": false}),
    }
}

/// Endpoints that are served until this is dropped.
pub struct World {
    pub address: SocketAddr,
    pub monitor: Arc<Monitor>,
    pub reviewer: Arc<Reviewer>,
    /// The files of the certificate.
    pub files: Files,
    pub certificate: Arc<Certificate>,
    _end: oneshot::Sender<()>,
    _task: JoinHandle<()>,
    _still: std::sync::mpsc::Sender<()>,
}

/// Lets this much time go by, in steps that let everybody do what is due. Worlds hold the time
/// still otherwise: it must not run away while the kernel carries a byte from one socket to
/// another.
pub async fn pass(time: Duration) {
    const STEP: Duration = Duration::from_millis(50);
    let mut left = time;
    while !left.is_zero() {
        advance(left.min(STEP)).await;
        left = left.saturating_sub(STEP);
        for _ in 0..1000 {
            yield_now().await;
        }
    }
}

/// Waits for this while time goes by.
pub async fn meanwhile<T>(of: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        value = of => value,
        () = async { loop { pass(Duration::from_millis(50)).await } } => unreachable!("it goes on"),
    }
}

/// A directory with the files of a certificate.
pub struct Files {
    _directory: TempDir,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Files {
    pub fn new() -> Files {
        let directory = tempfile::tempdir().expect("a directory");
        Files {
            certificate: directory.path().join("tls.crt"),
            key: directory.path().join("tls.key"),
            _directory: directory,
        }
    }

    /// Writes a pair.
    pub fn write(&self, pair: &SelfSigned) {
        self.write_certificate(pair);
        self.write_key(pair);
    }

    pub fn write_certificate(&self, pair: &SelfSigned) {
        std::fs::write(&self.certificate, pem("CERTIFICATE", &pair.certificate)).expect("written");
    }

    pub fn write_key(&self, pair: &SelfSigned) {
        std::fs::write(&self.key, pem("PRIVATE KEY", &pair.key)).expect("written");
    }
}

/// A certificate for `name.test`.
pub fn pair(name: &str) -> SelfSigned {
    let begin: Time = BEGIN.parse().expect("a time");
    // The client looks at the machine's clock.
    let now = begin.max(jiff::Timestamp::now().into());
    SelfSigned::new(&[format!("{name}.test")], &[], now)
}

/// The wall clock of a world: it goes as tokio's does.
fn clock() -> Arc<dyn Fn() -> Time + Send + Sync> {
    let (begin, begun): (Time, _) = (jiff::Timestamp::now().into(), Instant::now());
    Arc::new(move || begin + begun.elapsed())
}

impl World {
    /// With a certificate for `first.test` from files.
    pub async fn new() -> (World, SelfSigned) {
        let (files, first) = (Files::new(), pair("first"));
        files.write(&first);
        let source = Source::Files {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
        };
        (Self::with(source, files).await, first)
    }

    /// With a certificate of its own.
    pub async fn self_signed() -> World {
        let host = "host-1".to_owned();
        Self::with(Source::SelfSigned { host }, Files::new()).await
    }

    async fn with(source: Source, files: Files) -> World {
        let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
        let certificate = Certificate::load(source, localhost, clock()).expect("a certificate");
        let certificate = Arc::new(certificate);
        let (monitor, reviewer) = (Monitor::new(), Reviewer::new());
        let always = ["/healthz", "/readyz", "/livez"];
        let always = always.map(|path| path.parse().expect("a path"));
        let access = Access::new(reviewer.client(), always.into(), monitor.clone());
        let endpoints = Endpoints::bind(localhost, 0).await.expect("a port");
        let endpoints = endpoints.secured(Secure::new(certificate.clone(), access));
        let (end, ended) = oneshot::channel::<()>();
        // While a thread of tokio's is at work, time that is paused does not move by itself.
        let (still, held) = std::sync::mpsc::channel();
        tokio::task::spawn_blocking(move || held.recv().is_ok());
        let world = World {
            address: endpoints.address(),
            monitor: monitor.clone(),
            reviewer,
            files,
            certificate,
            _end: end,
            _task: tokio::spawn(endpoints.serve(monitor, async {
                let _ = ended.await;
            })),
            _still: still,
        };
        while !world.monitor.exposition().contains("certificate_valid") {
            yield_now().await;
        }
        world
    }

    /// An answer's code, head and body, from a server that shows this certificate.
    pub async fn ask(
        &self,
        trusted: &SelfSigned,
        method: &str,
        path: &str,
        token: Option<&str>,
    ) -> (u16, String, String) {
        let name = "first.test";
        let stream = tls::connect(self.address, &trusted.certificate, name, tls::ALL).await;
        let answer = tls::ask(stream.expect("a handshake"), method, path, token).await;
        answer.expect("an answer")
    }

    /// The code of `/metrics` for this token.
    pub async fn code(&self, trusted: &SelfSigned, token: &str) -> u16 {
        self.ask(trusted, "GET", "/metrics", Some(token)).await.0
    }
}
