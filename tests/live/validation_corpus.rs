//! The corpus of DaemonSets that are wrong in one place (`tests/support/corpus`) against a real API
//! server: it must say what was recorded.
//!
//! With `RECORD_VALIDATION=1` the file is written anew from the changes that `mutations.rs` makes
//! now; for an older version than the newest, its own file of the cases in which it differs
//! (`recording.rs`). All cases are asked, as dry runs, which takes about half a minute.

use std::io::Write as _;

use futures::StreamExt as _;
use http::Method;

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
        return Verdict::stored(&body);
    }
    let message = body["message"].as_str().unwrap_or_default();
    Verdict::refused(code, message, &body["details"])
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
    for (name, base) in &bases {
        let (code, answer) = call(&client, Method::POST, PATH, base).await;
        assert_eq!(code, 201, "{name} is no valid base: {answer}");
    }
    let now = ask_all(&client, &bases, mutations::all(&bases)).await;
    let record = std::env::var_os("RECORD_VALIDATION").is_some();
    let recording = Recording {
        kubernetes: plane.kubernetes(),
        file: "validation-corpus.jsonl".to_owned(),
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
    let rows = |cases: &[Case]| cases.iter().map(Case::to_json).collect::<Vec<_>>();
    let wrong = recording.differences(&rows(&corpus::cases()), &rows(&now), record);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
