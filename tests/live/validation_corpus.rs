//! The corpus of DaemonSets that are wrong in one place (`tests/support/corpus`) against a real API
//! server: it must say what was recorded.
//!
//! With `RECORD_VALIDATION=1` the file is written anew from the changes that `mutations.rs` makes
//! now; for an older version than the newest, its own file of the cases in which it differs
//! (`recording.rs`). All cases are asked, as dry runs, which takes about half a minute.

use std::io::Write as _;

use futures::StreamExt as _;
use http::Method;
use serde_json::{Value, json};

use crate::control_plane::{ControlPlane, Options};
use crate::corpus::{self, Bases, Case, Mutation, Verdict};
use crate::kubernetes::NEWEST;
use crate::mutations;
use crate::recording::Recording;
use crate::validation::call;

const PATH: &str = "/apis/apps/v1/namespaces/default/daemonsets?dryRun=All";
/// How many requests are under way at once.
const AT_ONCE: usize = 8;

async fn ask(client: &kube::Client, bases: &Bases, mutation: &Mutation) -> Verdict {
    let object = mutation.apply(bases);
    let (code, body) = call(client, Method::POST, PATH, &object).await;
    if code < 300 {
        return Verdict::stored(&without_null_timestamp(body));
    }
    let message = body["message"].as_str().unwrap_or_default();
    Verdict::refused(code, message, &body["details"])
}

/// API servers up to 1.33 store `creationTimestamp: null` in every template.
fn without_null_timestamp(mut object: Value) -> Value {
    let metadata = object.pointer_mut("/spec/template/metadata");
    if let Some(metadata) = metadata.and_then(Value::as_object_mut) {
        metadata.retain(|key, value| key != "creationTimestamp" || !value.is_null());
    }
    object
}

async fn ask_all(client: &kube::Client, bases: &Bases, all: Vec<Mutation>) -> Vec<Case> {
    let asked = futures::stream::iter(all).map(|mutation| async {
        let verdict = ask(client, bases, &mutation).await;
        Case { mutation, verdict }
    });
    asked.buffered(AT_ONCE).collect().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_says_what_was_recorded() {
    let options = Options {
        api_only: true,
        ..Options::default()
    };
    let plane = ControlPlane::start("validation-corpus", options).await;
    let client = plane.client("admin").await;
    let bases = corpus::bases();
    let kubernetes = plane.kubernetes();
    // What an older server says to the bases themselves is recorded too. Where it refuses one,
    // nothing can be learned from changes of it, and they are not asked.
    let mut verdicts = Vec::new();
    for (name, base) in &bases {
        let (code, answer) = call(&client, Method::POST, PATH, base).await;
        let message = answer["message"].as_str().unwrap_or_default().to_owned();
        assert!(
            code == 201 || kubernetes < NEWEST,
            "{name} is no valid base: {message}"
        );
        if code != 201 {
            plane.not_run(&format!("changes of {name}, which is refused: {message}"));
        }
        verdicts.push((name, message));
    }
    let refused = |base: &str| {
        verdicts
            .iter()
            .any(|(name, said)| *name == base && !said.is_empty())
    };
    let mut asked = mutations::all(&bases);
    asked.retain(|mutation| !refused(&mutation.base));
    let now = ask_all(&client, &bases, asked).await;
    let record = std::env::var_os("RECORD_VALIDATION").is_some();
    let recording = Recording {
        kubernetes,
        file: "validation-corpus.jsonl.gz".to_owned(),
        key: |case| format!("{} {} {:?}", case["base"], case["path"], case.get("value")),
    };
    if record && recording.kubernetes == NEWEST {
        let lines: Vec<u8> = now
            .iter()
            .flat_map(|case| format!("{}\n", case.to_json()).into_bytes())
            .collect();
        let file = std::fs::File::create(corpus::file()).expect("the file can be written");
        let mut gzip = flate2::GzBuilder::new().write(file, flate2::Compression::best());
        gzip.write_all(&lines).expect("the file can be written");
        gzip.finish().expect("the file can be written");
        return;
    }
    let base = |(name, said): &(&String, String)| json!({"base": name, "refused": said});
    let valid = |(name, _): &(&String, String)| json!({"base": name, "refused": ""});
    let mut recorded = corpus::cases();
    recorded.retain(|case| !refused(&case.mutation.base));
    let mut then: Vec<Value> = verdicts.iter().map(valid).collect();
    then.extend(recorded.iter().map(Case::to_json));
    let mut said: Vec<Value> = verdicts.iter().map(base).collect();
    said.extend(now.iter().map(Case::to_json));
    let wrong = recording.differences(&then, &said, record);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
