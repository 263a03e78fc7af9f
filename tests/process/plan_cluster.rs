//! `plan` without files: the binary asks a server that answers as an API server does, over a real
//! socket.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
    thread,
};

use daemonset_controller::cli::files::{self, Document};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/plan")
        .join(name)
}

fn objects(name: &str) -> Vec<Document> {
    files::parse(name, &fs::read_to_string(data(name)).unwrap()).unwrap()
}

/// A server with these objects: pages of two, of which the first list's second one has expired
/// once.
struct Server {
    objects: Vec<Document>,
    asked: Mutex<Vec<String>>,
}

impl Server {
    fn start(objects: Vec<Document>) -> (Arc<Server>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Arc::new(Server {
            objects,
            asked: Mutex::default(),
        });
        let shared = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                // The side that breaks off the connection notices.
                let _ = shared.serve(stream.unwrap());
            }
        });
        (server, address)
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let first = lines.next().unwrap_or(Ok(String::new()))?;
        while lines.next().is_some_and(|l| l.is_ok_and(|l| !l.is_empty())) {}
        let target = first.split(' ').nth(1).unwrap_or("").to_owned();
        let before = self.asked();
        self.asked.lock().unwrap().push(target.clone());
        let (code, body) = self.answer(&target, &before);
        write!(
            stream,
            "HTTP/1.1 {code} x\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn answer(&self, target: &str, before: &[String]) -> (u16, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let parts: Vec<&str> = path.split('/').collect();
        let namespace = parts
            .iter()
            .position(|p| *p == "namespaces")
            .map(|i| parts[i + 1]);
        let kind = match parts[parts.len() - 1] {
            "daemonsets" => "DaemonSet",
            "nodes" => "Node",
            "pods" => "Pod",
            "controllerrevisions" => "ControllerRevision",
            _ => return (404, status(404, "NotFound", "no such resource")),
        };
        let all: Vec<&str> = self
            .objects
            .iter()
            .filter(|o| {
                o.kind == kind && (namespace.is_none() || o.namespace.as_deref() == namespace)
            })
            .map(|o| o.json.get())
            .collect();
        let from = query
            .split('&')
            .find_map(|p| p.strip_prefix("continue=after-"))
            .map_or(0, |n| n.parse().unwrap());
        if from == 2 && kind == "Node" && !before.contains(&target.to_owned()) {
            return (410, status(410, "Expired", "the continue token is too old"));
        }
        let next = if from + 2 < all.len() {
            format!("after-{}", from + 2)
        } else {
            String::new()
        };
        let page = &all[from..all.len().min(from + 2)];
        let body = format!(
            r#"{{"kind":"{kind}List","metadata":{{"resourceVersion":"200","continue":"{next}"}},"items":[{}]}}"#,
            page.join(",")
        );
        (200, body)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn status(code: u16, reason: &str, message: &str) -> String {
    format!(
        r#"{{"kind":"Status","apiVersion":"v1","status":"Failure","code":{code},"reason":"{reason}","message":"{message}"}}"#
    )
}

fn plan(server: &str, args: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let kubeconfig = directory.path().join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: c, user: {{}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: c}}}}]\n"
    );
    fs::write(&kubeconfig, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_daemonset-controller"))
        .args(["plan", "--now", "2026-11-21T06:00:00Z"])
        .args(args)
        // As a user would have it; proxies of the machine must not come between.
        .env("KUBECONFIG", &kubeconfig)
        .env("NO_PROXY", "*")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_cluster_gives_the_same_plan_as_its_objects_in_files() {
    let (server, address) =
        Server::start([objects("cluster.yaml"), objects("nodes.yaml")].concat());
    let output = plan(&address, &[]);
    assert_eq!(text(&output.stderr), "");
    let expected = fs::read_to_string(data("cluster.golden.text")).unwrap();
    assert_eq!(text(&output.stdout), expected);
    let asked = server.asked();
    let paths: Vec<&str> = asked.iter().map(|t| t.split('?').next().unwrap()).collect();
    let ours = "/apis/apps/v1/namespaces/logging/controllerrevisions";
    let pods = "/api/v1/namespaces/logging/pods";
    assert_eq!(paths[..1], ["/apis/apps/v1/daemonsets"], "{asked:?}");
    // Two pages until one has expired, then three.
    assert_eq!(paths[1..6], ["/api/v1/nodes"; 5], "{asked:?}");
    assert_eq!(paths[6..], [ours, ours, pods, pods, pods], "{asked:?}");
    assert!(asked[1].contains("limit="), "{asked:?}");
}

#[test]
fn only_what_is_needed_is_asked_for() {
    let (server, address) = Server::start([objects("cluster.yaml"), objects("odd.yaml")].concat());
    let output = plan(&address, &["-d", "logging/odd"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(server.asked()[0].starts_with("/apis/apps/v1/namespaces/logging/daemonsets?"));
}

#[test]
fn a_line_for_each_daemon_set_asks_for_all_namespaces_at_once() {
    let all = ["cluster.yaml", "odd.yaml", "nodes.yaml"];
    let (server, address) = Server::start(all.map(objects).concat());
    let output = plan(&address, &["-A"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let names: Vec<&str> = text(&output.stdout)
        .lines()
        .filter_map(|l| l.split_whitespace().nth(1))
        .collect();
    assert_eq!(
        names[..3],
        ["NAME", "agent", "odd"],
        "{}",
        text(&output.stdout)
    );
    let asked = server.asked();
    let paths: Vec<&str> = asked.iter().map(|t| t.split('?').next().unwrap()).collect();
    assert_eq!(paths[0], "/apis/apps/v1/daemonsets", "{asked:?}");
    assert!(
        paths.iter().all(|p| !p.contains("/namespaces/other")),
        "{asked:?}"
    );
}

#[test]
fn labels_select_in_a_cluster_as_in_files() {
    let labelled = r#"{"apiVersion":"apps/v1","kind":"DaemonSet",
        "metadata":{"name":"labelled","namespace":"other","uid":"u","labels":{"app":"x","tier":"node"}},
        "spec":{"selector":{"matchLabels":{"app":"x"}},"template":{"metadata":{"labels":{"app":"x"}},"spec":{"containers":[]}}}}"#;
    let mut all = objects("cluster.yaml");
    all.extend(files::parse("labelled", labelled).unwrap());
    let (server, address) = Server::start(all);
    let output = plan(&address, &["-l", "app=x,tier in (node)"]);
    let stdout = text(&output.stdout);
    assert!(stdout.contains("other      labelled"), "{stdout}");
    assert!(!stdout.contains("agent"), "{stdout}");
    // All that is meant is in one namespace, so pods are read of that one only.
    let asked = server.asked();
    assert!(
        asked
            .iter()
            .any(|t| t.starts_with("/api/v1/namespaces/other/pods?")),
        "{asked:?}"
    );
    let output = plan(&address, &["-l", "app=y"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: there is no DaemonSet with such labels in the cluster\n"
    );
}

#[test]
fn a_daemon_set_that_is_missing_or_ambiguous_is_wrong_input() {
    let (_server, address) = Server::start([objects("cluster.yaml"), objects("odd.yaml")].concat());
    let output = plan(&address, &["-n", "logging"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: there are several DaemonSets, say which one with -d NAMESPACE/NAME, or have a line for each with -A: logging/agent, logging/odd\n"
    );
    let output = plan(&address, &["-d", "other"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: there is no DaemonSet other in the cluster\n"
    );
}

#[test]
fn an_object_that_cannot_be_decoded_is_said_and_keeps_its_place() {
    let broken =
        r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"node-a","uid":"u","labels":[]}}"#;
    let mut all = objects("cluster.yaml");
    all.extend(files::parse("broken", broken).unwrap());
    let (_server, address) = Server::start(all);
    let output = plan(&address, &[]);
    let stdout = text(&output.stdout);
    assert!(
        stdout.contains("  Node ?/node-a could not be decoded: "),
        "{stdout}"
    );
    assert!(
        stdout.contains("NodeUnreadable: the node could not be decoded"),
        "{stdout}"
    );
}

#[test]
fn a_server_that_is_not_there_is_the_clusters_fault() {
    let output = plan("http://127.0.0.1:1", &[]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("error: "), "{stderr}");
    assert!(stderr.contains("http://127.0.0.1:1"), "{stderr}");
}
