//! The loop over kube's client, with a service that answers in protobuf, or does not have it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;

use super::tests::Log;
use super::{Resource, run};
use crate::sim::api::protobuf::{self, MEDIA_TYPE, WATCH_MEDIA_TYPE};
use crate::wire::Encoding;

const JSON: &str = "application/json";

/// A code, a media type and a body.
type Answer = (u16, &'static str, Vec<u8>);

fn pod(name: &str, version: &str) -> serde_json::Value {
    json!({"metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": version}})
}

fn list(items: &[&[u8]]) -> Answer {
    let metadata = json!({"resourceVersion": "7"});
    let body = protobuf::list("Pod", &metadata, items.iter().copied());
    (200, MEDIA_TYPE, body)
}

fn event(event: &str, name: &str, version: &str) -> Vec<u8> {
    protobuf::frame(event, &protobuf::enveloped("Pod", &pod(name, version)))
}

fn frames(frames: &[Vec<u8>]) -> Answer {
    (200, WATCH_MEDIA_TYPE, frames.concat())
}

/// Gives these answers, and then none. Returns what the loop handed over, and each request: whether
/// it accepts protobuf, and where a watch begins.
async fn play(answers: Vec<Answer>) -> (Vec<String>, Vec<String>) {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let next = answers.lock().expect("answers").pop_front();
        let seen = seen.clone();
        async move {
            let Some((code, media_type, body)) = next else {
                return std::future::pending().await;
            };
            let accept = request
                .headers()
                .get(ACCEPT)
                .map(|accept| accept.as_bytes());
            let form = match accept {
                Some(b"application/vnd.kubernetes.protobuf,application/json") => "protobuf",
                None => "JSON",
                Some(other) => panic!("accepts {other:?}"),
            };
            let query = request.uri().query().unwrap_or_default();
            let from = query
                .split('&')
                .find_map(|p| p.strip_prefix("resourceVersion="));
            let from = from.map_or("list".to_owned(), |from| format!("watch {from}"));
            seen.lock()
                .expect("requests")
                .push(format!("{form} {from}"));
            let response = Response::builder()
                .status(code)
                .header(CONTENT_TYPE, media_type);
            Ok::<_, std::io::Error>(response.body(Body::from(body)).expect("an answer"))
        }
    });
    let log = Log::default();
    let (_stop, stopped) = watch::channel(false);
    let resource = Resource {
        kind: "Pod",
        path: "/api/v1/pods".into(),
        field_selector: None,
        page_size: 2,
        encoding: Encoding::Protobuf,
    };
    let rng = StdRng::seed_from_u64(7);
    let client = Client::new(service, "default");
    let run = run(
        client,
        "https://test",
        resource,
        log.clone(),
        rng,
        Arc::default(),
        stopped,
    );
    // Longer than all pauses between the answers, and shorter than the patience with none.
    assert!(timeout(Duration::from_secs(25), run).await.is_err());
    let requests = requests.lock().expect("requests").clone();
    (log.take(), requests)
}

#[tokio::test(start_paused = true)]
async fn a_list_and_a_watch_in_protobuf() {
    let a = protobuf::message("Pod", &pod("a", "5"));
    let events = [
        event("ADDED", "b", "8"),
        event("DELETED", "a", "9"),
        event("BOOKMARK", "", "12"),
    ];
    // Something that is no pod spoils no other.
    let (told, requests) = play(vec![list(&[b"\xff\xff", &a]), frames(&events), frames(&[])]).await;
    let expected = [
        "began",
        "listed ?",
        "listed a",
        "completed 7",
        "changed b",
        "deleted a",
        "bookmark 12",
    ];
    assert_eq!(told, expected);
    assert_eq!(
        requests,
        ["protobuf list", "protobuf watch 7", "protobuf watch 12"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_is_cut_is_told_by_the_next_watch() {
    let whole = event("ADDED", "b", "9");
    let cut = [event("ADDED", "a", "8"), whole[..whole.len() - 1].to_vec()];
    let (told, requests) = play(vec![list(&[]), frames(&cut), frames(&[whole])]).await;
    assert_eq!(told, ["began", "completed 7", "changed a", "changed b"]);
    assert_eq!(
        requests,
        ["protobuf list", "protobuf watch 7", "protobuf watch 8"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_cannot_be_read_leads_to_a_list() {
    let too_old = json!({"reason": "Expired", "message": "too old resource version", "code": 410});
    for bad in [
        vec![0xff; 64],
        vec![0; 4],
        b"\0\0\0\x03\xff\xff\xff".to_vec(),
        event("NEW", "b", "8"),
        protobuf::frame("ADDED", b"{\"metadata\":{}}"),
        protobuf::frame("ERROR", &protobuf::status(&too_old)),
    ] {
        let watch = frames(&[bad.clone(), event("ADDED", "c", "9")]);
        let (told, requests) = play(vec![list(&[]), watch, list(&[])]).await;
        assert_eq!(
            told,
            ["began", "completed 7", "began", "completed 7"],
            "{bad:?}"
        );
        assert_eq!(
            requests,
            ["protobuf list", "protobuf watch 7", "protobuf list"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_in_protobuf_is_read() {
    let too_old = json!({"reason": "Expired", "message": "too old resource version", "code": 410});
    let gone = (410, MEDIA_TYPE, protobuf::status(&too_old));
    let (told, _) = play(vec![list(&[]), gone, list(&[])]).await;
    assert_eq!(told, ["began", "completed 7", "began", "completed 7"]);
    // What is no list is none, whatever its code.
    let (told, _) = play(vec![
        (200, MEDIA_TYPE, protobuf::status(&too_old)),
        list(&[]),
    ])
    .await;
    assert_eq!(told, ["began", "failed", "began", "completed 7"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_protobuf_is_read_as_json() {
    let list = br#"{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"}}]}"#;
    let watch = br#"{"type":"ADDED","object":{"metadata":{"name":"b","resourceVersion":"8"}}}"#;
    let list = (200, JSON, list.to_vec());
    let watch = (200, JSON, [&watch[..], b"\n"].concat());
    let expected = ["began", "listed a", "completed 7", "changed b"];
    let (told, requests) = play(vec![list.clone(), watch.clone()]).await;
    assert_eq!(told, expected);
    assert_eq!(requests, ["protobuf list", "protobuf watch 7"]);
    // One that refuses to choose is asked for JSON, and from then on for nothing else.
    let refused = (406, JSON, br#"{"kind":"Status","code":406}"#.to_vec());
    let (told, requests) = play(vec![refused, list, watch]).await;
    assert_eq!(told, expected);
    assert_eq!(requests, ["protobuf list", "JSON list", "JSON watch 7"]);
}
