//! The endpoints over real sockets: their answers, and clients that must not hold up others.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use daemonset_controller::runtime::endpoints::Endpoints;
use daemonset_controller::runtime::monitor::{Monitor, Weight};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::openmetrics;

const SOON: Duration = Duration::from_secs(20);

/// Endpoints that are served until this is dropped.
struct Served {
    address: SocketAddr,
    monitor: Arc<Monitor>,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

async fn serve() -> Served {
    let endpoints = Endpoints::bind(Ipv4Addr::LOCALHOST.into(), 0).await;
    let endpoints = endpoints.expect("a port");
    let (end, ended) = oneshot::channel::<()>();
    let monitor = Monitor::new();
    Served {
        address: endpoints.address(),
        monitor: monitor.clone(),
        end: Some(end),
        task: tokio::spawn(endpoints.serve(monitor, async {
            let _ = ended.await;
        })),
    }
}

/// Sends this and reads until the other side ends the connection.
async fn exchange(address: SocketAddr, text: &str) -> std::io::Result<String> {
    let whole = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(text.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8(answer).expect("UTF-8"))
    };
    timeout(SOON, whole).await.expect("an answer in time")
}

/// The answer's code, head and body.
async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String, String) {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    let answer = exchange(address, &request).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let code = head.split(' ').nth(1).expect("a code");
    (
        code.parse().expect("a number"),
        head.to_lowercase(),
        body.to_owned(),
    )
}

#[tokio::test]
async fn each_path_has_its_answer_and_nothing_else_has_one() {
    let served = serve().await;
    let address = served.address;
    for (method, path, code, begins) in [
        ("GET", "/healthz", 200, "ok"),
        ("GET", "/livez", 200, "ok"),
        ("GET", "/healthz?verbose", 200, "[+]watch-DaemonSet ok\n"),
        (
            "GET",
            "/readyz",
            500,
            "[-]cache-DaemonSet failed: not synced yet",
        ),
        (
            "GET",
            "/metrics",
            200,
            "# HELP daemonset_controller_build What runs.\n",
        ),
        ("GET", "/metrics?x=y", 200, "# HELP"),
        ("GET", "/", 404, "there are /metrics"),
        ("GET", "/metrics/", 404, "there are /metrics"),
        ("GET", "/METRICS", 404, "there are /metrics"),
        ("GET", "/healthz/ping", 404, "there are /metrics"),
        ("POST", "/unknown", 404, "there are /metrics"),
        ("POST", "/metrics", 405, "only GET and HEAD"),
        ("PUT", "/healthz", 405, "only GET and HEAD"),
        ("DELETE", "/readyz", 405, "only GET and HEAD"),
        ("OPTIONS", "/livez", 405, "only GET and HEAD"),
    ] {
        let (got, head, body) = ask(address, method, path).await;
        assert_eq!(got, code, "{method} {path}: {body}");
        assert!(body.starts_with(begins), "{method} {path}: {body}");
        assert_eq!(head.contains("allow: get, head"), code == 405, "{head}");
        let openmetrics =
            "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8";
        assert_eq!(
            head.contains(openmetrics),
            begins.starts_with("# HELP"),
            "{head}"
        );
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        let (code, _, _) = ask(address, "GET", path).await;
        let (head_code, head, body) = ask(address, "HEAD", path).await;
        assert_eq!((head_code, &*body), (code, ""), "{head}");
    }
    let (_, _, body) = ask(address, "GET", "/metrics").await;
    openmetrics::parse(&body).expect("before anything runs, too");
}

#[tokio::test]
async fn a_verbose_answer_has_a_line_a_check_whether_it_passes_or_not() {
    let served = serve().await;
    let mood = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let asked = mood.clone();
    served.monitor.add_check("mood", Weight::Informs, move || {
        match asked.load(std::sync::atomic::Ordering::Relaxed) {
            true => Ok(String::new()),
            false => Err("bad".to_owned()),
        }
    });
    let (code, _, body) = ask(served.address, "GET", "/readyz?verbose=true").await;
    assert_eq!(code, 500);
    assert!(
        body.ends_with("[+]mood ok\nreadyz check failed\n"),
        "{body}"
    );
    mood.store(false, std::sync::atomic::Ordering::Relaxed);
    let (_, _, body) = ask(served.address, "GET", "/readyz").await;
    assert!(body.contains("\n[-]mood failed: bad\n"), "{body}");
}

#[tokio::test]
async fn a_probe_is_answered_however_many_others_say_nothing() {
    let served = serve().await;
    let begun = Instant::now();
    let mut idle = Vec::new();
    for n in 0..300 {
        let mut stream = TcpStream::connect(served.address).await.expect("room");
        if n % 2 == 0 {
            stream.write_all(b"GET /metrics HT").await.expect("sent");
        }
        idle.push(stream);
    }
    for _ in 0..20 {
        assert_eq!(ask(served.address, "GET", "/healthz").await.0, 200);
    }
    // By its time alone it would be ended only ten seconds after it came.
    let mut byte = [0];
    let oldest = idle.first_mut().expect("many").read(&mut byte);
    let ended = timeout(SOON, oldest).await.expect("it was ended");
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Time is paused: where nobody says anything it moves to the next thing that is due.
#[tokio::test(start_paused = true)]
async fn who_does_not_finish_a_request_is_ended() {
    let served = serve().await;
    for begun in ["", "GET", "GET /metrics HTTP/1.1\r\nHost: x\r\n"] {
        let start = Instant::now();
        let mut stream = TcpStream::connect(served.address).await.expect("room");
        stream.write_all(begun.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        // However it ends.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{begun:?}");
        let took = start.elapsed();
        assert!(took >= Duration::from_secs(10), "{begun:?}: {took:?}");
        assert!(took < Duration::from_secs(30), "{begun:?}: {took:?}");
    }
}

#[tokio::test]
async fn nonsense_ends_its_own_connection_only() {
    let served = serve().await;
    let long = format!(
        "GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    let two = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    for text in ["GET\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", &long] {
        if let Ok(answer) = exchange(served.address, text).await {
            assert!(!answer.contains(" 200 "), "{answer}");
        }
        assert_eq!(ask(served.address, "GET", "/healthz").await.0, 200);
    }
    let answer = exchange(served.address, two).await.unwrap_or_default();
    assert!(
        answer.matches("HTTP/1.1 200").count() <= 1,
        "one request a connection: {answer}"
    );
}

#[tokio::test]
async fn at_the_end_nothing_is_accepted_any_more_and_who_says_nothing_is_not_waited_for() {
    let mut served = serve().await;
    let _idle = TcpStream::connect(served.address).await.expect("room");
    assert_eq!(ask(served.address, "GET", "/healthz").await.0, 200);
    drop(served.end.take());
    timeout(Duration::from_secs(8), &mut served.task)
        .await
        .expect("it ends before the idle connection would")
        .expect("no panic");
    let refused = TcpStream::connect(served.address).await;
    assert!(refused.is_err(), "{refused:?}");
}

/// A kubeconfig for an API server that is not there.
fn kubeconfig(directory: &tempfile::TempDir) -> std::path::PathBuf {
    let file = directory.path().join("config");
    let text = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "a",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}]}"#;
    std::fs::write(&file, text).expect("written");
    file
}

fn controller(directory: &tempfile::TempDir, port: u16) -> Child {
    Command::new(env!("CARGO_BIN_EXE_daemonset-controller"))
        .arg("run")
        .arg("--kubeconfig")
        .arg(kubeconfig(directory))
        .args(["--bind-address=127.0.0.1", &format!("--http-port={port}")])
        .env_remove("RUST_LOG")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts")
}

#[tokio::test]
async fn a_port_in_use_is_said_and_ends_the_process_at_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let directory = tempfile::tempdir().expect("a directory");
    let output = controller(&directory, port).wait_with_output();
    let output = timeout(SOON, output)
        .await
        .expect("it ends")
        .expect("output");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    for part in [&*format!("127.0.0.1:{port}"), "in use", "--http-port=0"] {
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test]
async fn while_the_api_server_is_away_the_process_is_alive_and_not_ready() {
    // Freed again and free a moment later, most likely; where not, the process says so and ends.
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let directory = tempfile::tempdir().expect("a directory");
    let mut child = controller(&directory, address.port());
    let log = child.stderr.take().expect("it is piped");
    let mut lines = BufReader::new(log).lines();
    let started = async {
        while let Some(line) = lines.next_line().await.expect("UTF-8") {
            // The Lease is asked for as well, and may be first.
            if line.contains("list daemonsets") && line.contains("connection refused") {
                return;
            }
        }
        panic!("it ended");
    };
    timeout(SOON, started)
        .await
        .expect("it says that nobody listens");
    assert_eq!(ask(address, "GET", "/healthz").await.0, 200);
    let (code, _, body) = ask(address, "GET", "/readyz?verbose").await;
    assert_eq!(code, 500);
    for kind in ["DaemonSet", "Node", "ControllerRevision", "Pod"] {
        assert!(
            body.contains(&format!("[-]cache-{kind} failed: ")),
            "{body}"
        );
    }
    let (_, _, text) = ask(address, "GET", "/metrics").await;
    let metrics = openmetrics::parse(&text).expect("metrics");
    let labels = [
        ("verb", "list"),
        ("resource", "daemonsets"),
        ("outcome", "transport"),
    ];
    let refused = metrics.get("daemonset_controller_api_requests_total", &labels);
    assert!(refused >= Some(1.0), "{refused:?}");
    let memory = metrics.get("process_resident_memory_bytes", &[]);
    assert!(memory.is_none_or(|bytes| bytes > 1_000_000.0), "{memory:?}");
}
