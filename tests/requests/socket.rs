//! Lists and watches over a real socket, with kube's own client below them.

use daemonset_controller::wire::{Encoded, Encoding};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use daemonset_controller::runtime::client::{Access, clients};
use daemonset_controller::runtime::list_watch::{Resource, Sink, run};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Says what it is given.
struct Tell(mpsc::UnboundedSender<String>);

impl Tell {
    fn say(&self, what: String) {
        self.0.send(what).expect("somebody listens");
    }
}

impl Sink for Tell {
    fn list_began(&mut self) {}
    fn listed(&mut self, item: Encoded<'_>) {
        self.say(format!("listed {}", item.as_json().expect("JSON")));
    }
    fn list_completed(&mut self, version: &str) {
        self.say(format!("completed {version}"));
    }
    fn list_failed(&mut self) {}
    fn changed(&mut self, item: Encoded<'_>) {
        self.say(format!("changed {}", item.as_json().expect("JSON")));
    }
    fn deleted(&mut self, _: Encoded<'_>) {}
    fn bookmark(&mut self, _: &str) {}
}

/// Reads the head of a request.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
    String::from_utf8(head).expect("ASCII").to_lowercase()
}

async fn say(stream: &mut TcpStream, text: &str) {
    stream
        .write_all(text.as_bytes())
        .await
        .expect("still there");
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

#[tokio::test]
async fn a_connection_that_is_cut_in_the_middle_of_a_line_is_taken_up_from_the_last_version() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let directory = tempfile::tempdir().expect("directory");
    let file = directory.path().join("config");
    let server = format!("http://{}", listener.local_addr().expect("address"));
    let kubeconfig = format!(
        r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "a",
            "clusters": [{{"name": "c", "cluster": {{"server": "{server}"}}}}],
            "users": [{{"name": "u", "user": {{"token": "secret"}}}}],
            "contexts": [{{"name": "a", "context": {{"cluster": "c", "user": "u"}}}}]}}"#
    );
    std::fs::write(&file, kubeconfig).expect("write");
    let access = Access {
        kubeconfig: Some(file),
        context: None,
    };
    let clients = clients(&access, None).await.expect("clients");

    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let list = head(&mut stream).await;
        let body = r#"{"kind":"PodList","metadata":{"resourceVersion":"10"},"items":[{"a": 1.0}]}"#;
        say(
            &mut stream,
            &format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ),
        )
        .await;
        let watch = head(&mut stream).await;
        seen.lock().expect("heads").extend([list, watch]);
        say(
            &mut stream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .await;
        let event = r#"{"type":"ADDED","object":{"metadata":{"resourceVersion":"11"}}}"#;
        say(&mut stream, &chunk(&format!("{event}\n{{\"type\":\"ADD"))).await;
        // Half a chunk, and then nobody is there any more.
        say(&mut stream, "ff\r\nED").await;
        drop(stream);
        let (mut stream, _) = listener.accept().await.expect("another connection");
        let again = head(&mut stream).await;
        seen.lock().expect("heads").push(again);
        say(
            &mut stream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .await;
        let event = r#"{"type":"MODIFIED","object":{"metadata":{"resourceVersion":"12"}}}"#;
        say(&mut stream, &chunk(&format!("{event}\n"))).await;
        std::future::pending::<()>().await;
    });

    let (sender, mut told) = mpsc::unbounded_channel();
    let (stop, stopped) = watch::channel(false);
    let resource = Resource {
        field_selector: None,
        kind: "Pod",
        path: "/api/v1/pods".into(),
        page_size: 100,
        encoding: Encoding::Protobuf,
    };
    let rng = StdRng::seed_from_u64(1);
    let running = tokio::spawn(async move {
        run(
            clients.watches,
            &clients.server,
            resource,
            Tell(sender),
            rng,
            Arc::default(),
            stopped,
        )
        .await;
    });
    let expected = [
        r#"listed {"a": 1.0}"#,
        "completed 10",
        r#"changed {"metadata":{"resourceVersion":"11"}}"#,
        r#"changed {"metadata":{"resourceVersion":"12"}}"#,
    ];
    for expected in expected {
        let told = timeout(Duration::from_secs(10), told.recv())
            .await
            .expect("in time");
        assert_eq!(told.as_deref(), Some(expected));
    }
    stop.send(true).expect("still running");
    running.await.expect("no panic");

    let heads = heads.lock().expect("heads");
    assert!(
        heads[0].starts_with("get /api/v1/pods?&limit=100 http/1.1"),
        "{}",
        heads[0]
    );
    let agent = format!(
        "user-agent: daemonset-controller/{}",
        env!("CARGO_PKG_VERSION")
    );
    assert!(
        heads
            .iter()
            .all(|head| head.contains(&agent) && head.contains("bearer secret"))
    );
    assert!(heads[1].contains("resourceversion=10"), "{}", heads[1]);
    assert!(heads[2].contains("resourceversion=11"), "{}", heads[2]);
}
