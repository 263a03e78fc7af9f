//! Plays a sequence to an API server: raw requests, raw answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::poll_fn;
use http_body::Body as _;
use kube::client::Body;
use serde_json::{Value, json};

use super::step::{NODES, PODS, Step};

/// A watch with a time limit ends by itself before this.
const END: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The HTTP code.
    pub code: u16,
    /// The object or text of the answer; the events where it was a watch.
    pub body: Value,
}

/// How patient the player is.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Before what may be answered from a cache of the server.
    pub settle: Duration,
    /// A watch that is silent for so long after the last step has said everything.
    pub idle: Duration,
}

/// A client and the namespaces of one run.
pub struct Player<'a> {
    client: &'a kube::Client,
    pace: Pace,
    names: [(&'static str, String); 2],
    saved: BTreeMap<String, Vec<Value>>,
}

/// The events of a watch so far, and the task that reads it.
struct Open {
    text: Arc<Mutex<Vec<u8>>>,
    reader: tokio::task::JoinHandle<()>,
}

impl<'a> Player<'a> {
    /// A player for one sequence. `run` tells its namespaces from those of all others of this
    /// server.
    pub fn new(client: &'a kube::Client, pace: Pace, run: &str) -> Self {
        Player {
            client,
            pace,
            names: [
                ("<ns>", format!("{run}-one")),
                ("<ns2>", format!("{run}-two")),
            ],
            saved: BTreeMap::new(),
        }
    }

    /// The placeholders of namespaces in steps and normalised answers, and their names in this run.
    pub fn names(&self) -> &[(&'static str, String)] {
        &self.names
    }

    /// Plays all steps, after the namespace was created, and leaves nothing behind that others may
    /// see.
    pub async fn play(&mut self, steps: &[Step]) -> Vec<Answer> {
        let (_, namespace) = &self.names[0];
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let made = self.send(
            "POST",
            "/api/v1/namespaces",
            Some("application/json"),
            object.to_string(),
        );
        let (made, _) = made.await;
        assert_eq!(
            made.code, 201,
            "the namespace cannot be created: {}",
            made.body
        );
        self.saved.insert("ns".to_owned(), vec![made.body]);
        let mut answers = Vec::new();
        let mut watches = BTreeMap::new();
        for (index, step) in steps.iter().enumerate() {
            let (answer, open) = self.step(step).await;
            if let Some(name) = &step.save
                && answer.body["metadata"].is_object()
                && answer.code < 300
            {
                self.saved
                    .entry(name.clone())
                    .or_default()
                    .push(answer.body.clone());
            }
            answers.push(answer);
            watches.extend(open.map(|open| (index, open)));
        }
        if !watches.is_empty() {
            self.until_silent(&watches).await;
        }
        for (index, mut open) in watches {
            let limited = steps[index]
                .query
                .iter()
                .any(|(name, _)| name == "timeoutSeconds");
            let ended = limited && tokio::time::timeout(END, &mut open.reader).await.is_ok();
            open.reader.abort();
            let text = open.text.lock().unwrap_or_else(PoisonError::into_inner);
            let lines = text
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty());
            answers[index].body = lines
                .map(parse)
                .chain(ended.then(|| Value::from("end")))
                .collect();
        }
        self.clean_up().await;
        answers
    }

    async fn step(&self, step: &Step) -> (Answer, Option<Open>) {
        let (method, path) = step.method_and_path();
        let query: Vec<String> = step
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(&self.resolve(value))))
            .collect();
        let mut path = self.resolve(path);
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let body = match &step.body {
            None => String::new(),
            Some(Value::String(text)) => self.resolve(text),
            Some(object) => self.resolve(&object.to_string()),
        };
        if step.is_watch() || step.query.iter().any(|(name, _)| name == "resourceVersion") {
            tokio::time::sleep(self.pace.settle).await;
        }
        self.send(method, &path, step.content_type.as_deref(), body)
            .await
    }

    /// Puts names, UIDs and versions where the text refers to them.
    fn resolve(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            out += before;
            let known = after
                .split_once('>')
                .and_then(|(inside, after)| Some((self.lookup(inside)?, after)));
            match known {
                Some((value, after)) => (out, rest) = (out + &value, after),
                None => (out, rest) = (out + "<", after),
            }
        }
        out + rest
    }

    fn lookup(&self, reference: &str) -> Option<String> {
        if let Some((_, name)) = self
            .names
            .iter()
            .find(|(symbol, _)| symbol[1..symbol.len() - 1] == *reference)
        {
            return Some(name.clone());
        }
        let (object, field) = reference.split_once('.')?;
        let (field, more) = field.split_once('+').unwrap_or((field, "0"));
        let (field, index) = match field.split_once('@') {
            Some((field, index)) => (field, Some(index.parse::<usize>().ok()?)),
            None => (field, None),
        };
        let history = self
            .saved
            .get(object)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let object = match index {
            Some(index) => history.get(index),
            None => history.last(),
        };
        let string = |name: &str| object.and_then(|o| o["metadata"][name].as_str());
        Some(match field {
            "uid" => string("uid")
                .unwrap_or("00000000-0000-0000-0000-000000000000")
                .to_owned(),
            "name" => string("name").unwrap_or("nobody").to_owned(),
            "continue" => string("continue").unwrap_or_default().to_owned(),
            "rv" => {
                let first = self.saved["ns"][0]["metadata"]["resourceVersion"].as_str();
                let version = string("resourceVersion").or(first).unwrap_or("1");
                let version: u64 = version.parse().ok()?;
                (version + more.parse::<u64>().ok()?).to_string()
            }
            _ => return None,
        })
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: String,
    ) -> (Answer, Option<Open>) {
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("Accept", "application/json");
        if let Some(kind) = kind {
            request = request.header("Content-Type", kind);
        }
        let request = request
            .body(Body::from(body.into_bytes()))
            .expect("the request is valid");
        let answer = self.client.send(request).await;
        let answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let code = answer.status().as_u16();
        let body = answer.into_body();
        if code == 200
            && path.contains("watch=")
            && !path.contains("watch=false")
            && method == "GET"
        {
            return (
                Answer {
                    code,
                    body: Value::Null,
                },
                Some(read(body)),
            );
        }
        let bytes = body.collect_bytes().await;
        let bytes = bytes.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        (
            Answer {
                code,
                body: parse(&bytes),
            },
            None,
        )
    }

    async fn until_silent(&self, watches: &BTreeMap<usize, Open>) {
        let said = || -> usize {
            let each = |open: &Open| {
                open.text
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .len()
            };
            watches.values().map(each).sum()
        };
        loop {
            let before = said();
            tokio::time::sleep(self.pace.idle).await;
            if said() == before {
                return;
            }
        }
    }

    /// Takes away what other sequences could see: nodes, and namespaces, which no controller would
    /// end.
    async fn clean_up(&self) {
        let ours = format!("{}-", self.names[0].1);
        let (nodes, _) = self.send("GET", NODES, None, String::new()).await;
        for node in nodes.body["items"].as_array().into_iter().flatten() {
            let name = node["metadata"]["name"].as_str().unwrap_or_default();
            if name.starts_with(&ours) {
                let path = format!("{NODES}/{name}");
                let free = r#"{"metadata": {"finalizers": null}}"#.to_owned();
                self.send("PATCH", &path, Some("application/merge-patch+json"), free)
                    .await;
                self.send("DELETE", &path, None, String::new()).await;
            }
        }

        for (_, namespace) in &self.names {
            let pods = PODS.replace("<ns>", namespace);
            let at_once =
                json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0});
            self.send(
                "DELETE",
                &pods,
                Some("application/json"),
                at_once.to_string(),
            )
            .await;
            let path = format!("/api/v1/namespaces/{namespace}");
            self.send("DELETE", &path, None, String::new()).await;
            let free = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}, "spec": {}});
            self.send(
                "PUT",
                &format!("{path}/finalize"),
                Some("application/json"),
                free.to_string(),
            )
            .await;
        }
    }
}

fn read(mut body: Body) -> Open {
    let text = Arc::new(Mutex::new(Vec::new()));
    let into = text.clone();
    let reader = tokio::spawn(async move {
        while let Some(Ok(frame)) =
            poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context)).await
        {
            if let Some(data) = frame.data_ref() {
                into.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(data);
            }
        }
    });
    Open { text, reader }
}

/// JSON, or else the text.
fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(bytes).into_owned()))
}

fn encode(value: &str) -> String {
    let mut out = String::new();
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte as char)
            }
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}
