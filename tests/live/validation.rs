//! The requests of `tests/data/validation.jsonl` against a real API server: it must answer as the
//! file says.
//!
//! With `RECORD_VALIDATION=1` the file is written anew from what it answers; for an older version
//! than the newest, its own file of the cases in which it differs (`recording.rs`). A new case is a
//! line of `case`, `group`, `resource`, `verb` (`create` or `update`), `subresource` where there is
//! one, `sent`, and for updates `old`: the object as it is first created, and `deleted` where it is
//! to be deleted then. `tests/server/validation.rs` holds the simulated server against the file.

use std::path::Path;

use http::{Method, Request};
use serde_json::{Value, json};

use crate::control_plane::{Component, ControlPlane, Options};
use crate::kubernetes::NEWEST;
use crate::recording::Recording;

const FILE: &str = "tests/data/validation.jsonl";
/// Fields that the server sets, with values that no test can know.
const RANDOM: [&str; 4] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "managedFields",
];

/// Sends a request: the answer's code and body.
pub async fn call(client: &kube::Client, method: Method, path: &str, body: &Value) -> (u16, Value) {
    send(client, method, path, "application/json", body).await
}

/// The same with a body of another type.
pub async fn send(
    client: &kube::Client,
    method: Method,
    path: &str,
    content_type: &str,
    body: &Value,
) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content_type)
        .body(kube::client::Body::from(body.to_string().into_bytes()))
        .expect("the request is valid");
    let answer = client.send(request).await.expect("the server answers");
    let code = answer.status().as_u16();
    let body = answer.into_body().collect_bytes().await;
    let body = body.expect("the answer has a body");
    (code, serde_json::from_slice(&body).expect("it is JSON"))
}

fn without_what_is_random(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, _| !RANDOM.contains(&key.as_str()));
        if let Some(deleted) = metadata.get_mut("deletionTimestamp") {
            *deleted = json!("2026-01-02T03:04:05Z");
        }
    }
    // The server says itself that a pod with scheduling gates is not scheduled.
    let conditions = object.pointer_mut("/status/conditions");
    for condition in conditions
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let since = condition.get_mut("lastTransitionTime");
        if let Some(since) = since.filter(|since| since.is_string()) {
            *since = json!("2026-01-02T03:04:05Z");
        }
    }
    object
}

/// The case as the server answers it now. What an update updates is made first, and all is deleted
/// afterwards.
async fn ask(client: &kube::Client, case: &Value) -> Value {
    let text = |key: &str| case[key].as_str().unwrap_or_default();
    let root = match text("group") {
        "" => "/api/v1".to_owned(),
        group => format!("/apis/{group}/v1"),
    };
    let within = match text("resource") {
        "nodes" | "namespaces" => "",
        _ => "/namespaces/default",
    };
    let collection = format!("{root}{within}/{}", text("resource"));
    let mut sent = case["sent"].clone();
    let name = sent["metadata"]["name"].as_str().unwrap_or_default();
    let path = format!("{collection}/{name}");
    let mut asked = case.clone();
    let fields = asked.as_object_mut().expect("a case is an object");
    for key in ["code", "reason", "message", "details", "stored"] {
        fields.remove(key);
    }
    let (code, body) = if text("verb") == "create" {
        call(client, Method::POST, &collection, &sent).await
    } else {
        let (code, old) = call(client, Method::POST, &collection, &case["old"]).await;
        assert_eq!(code, 201, "{}: {old}", text("case"));
        let old = if case["deleted"] == true {
            call(client, Method::DELETE, &path, &Value::Null).await;
            call(client, Method::GET, &path, &Value::Null).await.1
        } else {
            old
        };
        sent["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
        fields.insert("old".to_owned(), without_what_is_random(old));
        let path = match text("subresource") {
            "" => path.clone(),
            subresource => format!("{path}/{subresource}"),
        };
        call(client, Method::PUT, &path, &sent).await
    };
    fields.insert("code".to_owned(), json!(code));
    if code < 300 {
        fields.insert("stored".to_owned(), without_what_is_random(body));
    } else {
        for key in ["reason", "message", "details"] {
            fields.insert(key.to_owned(), body[key].clone());
        }
    }
    let now = json!({"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0});
    call(client, Method::DELETE, &path, &now).await;
    asked
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_answers_as_recorded() {
    let plane = ControlPlane::start("validation", Options::default()).await;
    // Nobody else writes to what is created here.
    plane.pause(Component::Scheduler);
    plane.pause(Component::ControllerManager);
    let client = plane.client("admin").await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let lines = std::fs::read_to_string(&path).expect("the file can be read");
    let cases = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"));
    let cases: Vec<Value> = cases.collect();
    let mut answers = Vec::new();
    for case in &cases {
        answers.push(ask(&client, case).await);
    }
    plane.resume(Component::Scheduler);
    plane.resume(Component::ControllerManager);
    let record = std::env::var_os("RECORD_VALIDATION").is_some();
    let recording = Recording {
        kubernetes: plane.kubernetes(),
        file: "validation.jsonl.gz".to_owned(),
        key: |case| format!("{} {} {}", case["case"], case["resource"], case["sent"]),
    };
    if record && recording.kubernetes == NEWEST {
        let lines: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
        std::fs::write(&path, lines).expect("the file can be written");
    } else {
        let wrong = recording.differences(&cases, &answers, record);
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }
}
