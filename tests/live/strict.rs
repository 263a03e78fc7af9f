//! The DaemonSets of `tests/data/strict.jsonl` against a real API server, under strict validation:
//! it must say what the file says. And the other way round: every field that the server's own
//! schema has is known to us.
//!
//! With `RECORD_STRICT=1` the file is written anew from what it answers; for an older version than
//! the newest, its own file of the rows in which it differs (`recording.rs`). A new row is a line
//! of `case` and `sent`. `tests/server/strict.rs` holds our code against the file.

use std::path::Path;

use daemonset_controller::sim::api::{resource::DAEMON_SETS, validate::unknown};
use http::Method;
use serde_json::{Map, Value, json};

use crate::control_plane::{ControlPlane, Options};
use crate::kubernetes::NEWEST;
use crate::recording::Recording;
use crate::validation::call;

const FILE: &str = "tests/data/strict.jsonl";
const POST_TO: &str =
    "/apis/apps/v1/namespaces/default/daemonsets?fieldValidation=Strict&dryRun=All";

/// A value of this schema with every field.
fn full(schema: &Value, all: &Value) -> Value {
    if let Some(reference) = schema["$ref"]
        .as_str()
        .or(schema["allOf"][0]["$ref"].as_str())
    {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return full(&all[name], all);
    }
    if let Some(fields) = schema["properties"].as_object() {
        let fields = fields
            .iter()
            .map(|(key, field)| (key.clone(), full(field, all)));
        return Value::Object(fields.collect::<Map<_, _>>());
    }
    match schema["type"].as_str().unwrap_or_default() {
        "array" => json!([full(&schema["items"], all)]),
        "object" if schema["additionalProperties"].is_object() => {
            json!({"key": full(&schema["additionalProperties"], all)})
        }
        "object" => json!({}),
        "integer" | "number" => json!(1),
        "boolean" => json!(true),
        _ if schema["format"] == "date-time" => json!("2026-01-02T03:04:05Z"),
        _ => json!("1"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_fields_are_those_of_the_real_server() {
    let options = Options {
        api_only: true,
        ..Options::default()
    };
    let plane = ControlPlane::start("strict", options).await;
    let client = plane.client("admin").await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let lines = std::fs::read_to_string(&path).expect("the file can be read");
    let rows = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"));
    let rows: Vec<Value> = rows.collect();
    let mut answers = Vec::new();
    for row in &rows {
        let (code, body) = call(&client, Method::POST, POST_TO, &row["sent"]).await;
        let mut answer = row.clone();
        answer["message"] = match code {
            ..300 => json!(""),
            _ => body["message"].clone(),
        };
        answers.push(answer);
    }

    let (_, api) = call(
        &client,
        Method::GET,
        "/openapi/v3/apis/apps/v1",
        &Value::Null,
    )
    .await;
    let all = &api["components"]["schemas"];
    let mut object = full(&all["io.k8s.api.apps.v1.DaemonSet"], all);
    object["apiVersion"] = json!("apps/v1");
    object["kind"] = json!("DaemonSet");
    let fields = object.to_string().matches(':').count();
    assert!(fields > 1000, "the schema has {fields} fields");
    object["status"]["zeta"] = json!(0); // the last one, to see that all are read
    let found = unknown::find(&DAEMON_SETS, &object);
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let kubernetes = plane.kubernetes();
    assert_eq!(found, [kubernetes.withdrawn(), &["status.zeta"]].concat());

    let record = std::env::var_os("RECORD_STRICT").is_some();
    let recording = Recording {
        kubernetes,
        file: "strict.jsonl.gz".to_owned(),
        key: |row| row["case"].to_string(),
    };
    if record && recording.kubernetes == NEWEST {
        let lines: String = answers.iter().map(|answer| format!("{answer}\n")).collect();
        std::fs::write(&path, lines).expect("the file can be written");
    } else {
        let wrong = recording.differences(&rows, &answers, record);
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    }
}
