//! The simulated API server behind a real socket, with a DaemonSet in the middle of a rollout, for
//! commands that run as processes.

use std::{
    convert::Infallible,
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use bytes::Bytes;
use daemonset_controller::sim::api::{
    ApiServer, Entry, ServerOptions,
    server::{Incoming, Reply},
};
use futures::stream::{self, BoxStream, StreamExt};
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{BodyExt, StreamBody};
use hyper::{
    body::{Frame, Incoming as Body},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Runtime};

use crate::plan_run::Answer;

/// The nodes of the cluster.
pub const NODES: [&str; 4] = ["node-a", "node-b", "node-c", "node-d"];

/// When a revision completed that did.
pub const COMPLETED: &str = "2026-05-01T06:00:00Z";

/// How long a request is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster with a server.
pub struct Cluster {
    /// The server.
    pub server: ApiServer,
    runtime: Runtime,
    directory: tempfile::TempDir,
}

impl Cluster {
    /// An empty cluster.
    pub fn start() -> Cluster {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = ApiServer::new(ServerOptions::default());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(listen(listener, server.clone()));
        let directory = tempfile::tempdir().unwrap();
        let cluster = Cluster {
            server,
            runtime,
            directory,
        };
        cluster.kubeconfig(&address, "");
        cluster
    }

    /// The same, in which the DaemonSet `logging/agent` has these annotations and is in the middle
    /// of a rollout: one of four nodes has the new template, which is of revision `bbbb`, and all
    /// pods are available. Revision `aaaa` completed.
    pub fn updating(annotations: Value) -> Cluster {
        let cluster = Cluster::start();
        let namespace = json!({ "metadata": { "name": "logging" } });
        cluster.post("/api/v1/namespaces", namespace);
        for node in NODES {
            let ready = json!([{ "type": "Ready", "status": "True" }]);
            let node = json!({ "metadata": { "name": node }, "status": { "conditions": ready } });
            cluster.post("/api/v1/nodes", node);
        }
        let set = cluster.post(SETS, daemon_set("agent", &annotations));
        let new = set["spec"]["template"].clone();
        let mut old = new.clone();
        old["spec"]["containers"][0]["image"] = "registry.example/agent:1".into();
        cluster.revision(&set, "aaaa", 1, old, true);
        cluster.revision(&set, "bbbb", 2, new, false);
        for (node, hash) in NODES.into_iter().zip(["bbbb", "aaaa", "aaaa", "aaaa"]) {
            cluster.pod(&set, node, hash);
        }
        cluster.observed("agent", json!([]));
        cluster
    }

    fn kubeconfig(&self, address: &str, namespace: &str) {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: \"{address}\"}}}}]\n\
             users: [{{name: c, user: {{}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: c{namespace}}}}}]\n"
        );
        std::fs::write(self.config(), text).unwrap();
    }

    /// The context of the kubeconfig names this namespace from now on.
    pub fn in_namespace(&self, namespace: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        let named = format!("user: c, namespace: {namespace}}}}}]\n");
        std::fs::write(self.config(), text.replace("user: c}}]\n", &named)).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("config")
    }

    /// Sends a request; the code and the body of the answer.
    pub fn send(&self, method: &str, path: &str, kind: &str, body: &Value) -> (u16, Value) {
        let incoming = Incoming {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            content_type: kind.to_owned(),
            accept: String::new(),
            body: Bytes::from(body.to_string()),
        };
        let answer = self.server.serve("test".into(), incoming);
        match self.runtime.block_on(answer) {
            Reply::Object(code, object, _) => (code, object.into_value()),
            _ => panic!("{method} {path}: no object"),
        }
    }

    /// Waits for a request.
    pub fn wait_for(&self, wanted: impl Fn(&Entry) -> bool) {
        let found = self.server.next_request(0, PATIENCE, wanted);
        assert!(self.runtime.block_on(found).is_some(), "no such request");
    }

    /// Creates an object.
    pub fn post(&self, path: &str, object: Value) -> Value {
        let (code, made) = self.send("POST", path, "application/json", &object);
        assert_eq!(code, 201, "{path}: {made}");
        made
    }

    /// Merges a patch into an object.
    pub fn patch(&self, path: &str, patch: Value) -> Value {
        let kind = "application/merge-patch+json";
        let (code, patched) = self.send("PATCH", path, kind, &patch);
        assert_eq!(code, 200, "{path}: {patched}");
        patched
    }

    /// Reads an object.
    pub fn get(&self, path: &str) -> Value {
        let (code, object) = self.send("GET", path, "", &Value::Null);
        assert_eq!(code, 200, "{path}: {object}");
        object
    }

    /// The DaemonSet `logging/agent`.
    pub fn agent(&self) -> Value {
        self.get(AGENT)
    }

    /// An annotation of the DaemonSet with our prefix.
    pub fn key(&self, key: &str) -> Value {
        let annotation = format!("daemonset-controller.io/{key}");
        self.agent()["metadata"]["annotations"][annotation].clone()
    }

    /// The status of a DaemonSet is of its present generation, with these conditions.
    pub fn observed(&self, name: &str, conditions: Value) {
        let set = self.get(&format!("{SETS}/{name}"));
        let mut status = json!({ "observedGeneration": set["metadata"]["generation"] });
        status["conditions"] = conditions;
        let patch = json!({ "status": status });
        self.patch(&format!("{SETS}/{name}/status"), patch);
    }

    /// A revision of the DaemonSet with this template.
    pub fn revision(&self, set: &Value, hash: &str, number: i64, template: Value, done: bool) {
        let mut template = template;
        template["$patch"] = "replace".into();
        let mut metadata = owned(set, &format!("agent-{hash}"), hash);
        if done {
            metadata["annotations"] =
                json!({ "state.daemonset-controller.io/completed": COMPLETED, "other": "stays" });
        }
        let data = json!({ "spec": { "template": template } });
        let revision = json!({ "metadata": metadata, "revision": number, "data": data });
        self.post(REVISIONS, revision);
    }

    /// An available pod of the DaemonSet on this node.
    pub fn pod(&self, set: &Value, node: &str, hash: &str) {
        let name = format!("agent-{}", node.trim_start_matches("node-"));
        let mut spec = set["spec"]["template"]["spec"].clone();
        spec["nodeName"] = node.into();
        let pod = json!({ "metadata": owned(set, &name, hash), "spec": spec });
        self.post(PODS, pod);
        let ready = json!([{ "type": "Ready", "status": "True", "lastTransitionTime": COMPLETED }]);
        let status = json!({ "phase": "Running", "conditions": ready });
        self.patch(
            &format!("{PODS}/{name}/status"),
            json!({ "status": status }),
        );
    }

    /// Every node has a pod of the new template.
    pub fn complete(&self) {
        let set = self.agent();
        for node in &NODES[1..] {
            let name = format!("agent-{}", node.trim_start_matches("node-"));
            let (code, _) = self.send(
                "DELETE",
                &format!("{PODS}/{name}"),
                "",
                &json!({
                    "gracePeriodSeconds": 0
                }),
            );
            assert_eq!(code, 200);
            self.pod(&set, node, "bbbb");
        }
    }

    /// A command of the binary, under this path, with the cluster's kubeconfig.
    pub fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = crate::binary::of(program);
        command
            .env("KUBECONFIG", self.config())
            .env("NO_PROXY", "*")
            .stdin(Stdio::null())
            .args(args);
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, args: &[&str]) -> Answer {
        ended(&mut self.command(BINARY, args))
    }
}

/// A command that runs on and prints lines.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Running {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines() {
                // Nobody listens any more when a test has failed.
                let _ = told.send(line.unwrap());
            }
        });
        Running { child, lines }
    }

    /// The next line that is wanted.
    pub fn until(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut seen = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            if wanted(&line) {
                return line;
            }
            seen.push(line);
        }
        panic!("no such line: {seen:#?}");
    }

    /// Whether it has not ended yet.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its exit code, after all its lines.
    pub fn code(mut self) -> Option<i32> {
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.child.kill();
    }
}

/// Runs a command to its end.
pub fn ended(command: &mut Command) -> Answer {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Answer {
        code: output.status.code().unwrap(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The binary.
pub const BINARY: &str = env!("CARGO_BIN_EXE_daemonset-controller");

/// The path of the DaemonSets.
pub const SETS: &str = "/apis/apps/v1/namespaces/logging/daemonsets";

/// The path of the DaemonSet.
pub const AGENT: &str = "/apis/apps/v1/namespaces/logging/daemonsets/agent";

/// The path of the revisions.
pub const REVISIONS: &str = "/apis/apps/v1/namespaces/logging/controllerrevisions";

const PODS: &str = "/api/v1/namespaces/logging/pods";

/// A DaemonSet of this name.
pub fn daemon_set(name: &str, annotations: &Value) -> Value {
    json!({
        "metadata": { "name": name, "namespace": "logging", "annotations": annotations },
        "spec": {
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": { "containers": [{ "name": "c", "image": "registry.example/agent:2" }] },
            },
        },
    })
}

fn owned(set: &Value, name: &str, hash: &str) -> Value {
    json!({
        "name": name, "namespace": "logging",
        "labels": { "app": set["metadata"]["name"], "controller-revision-hash": hash },
        "ownerReferences": [{
            "apiVersion": "apps/v1", "kind": "DaemonSet", "name": set["metadata"]["name"],
            "uid": set["metadata"]["uid"], "controller": true,
        }],
    })
}

async fn listen(listener: TcpListener, server: ApiServer) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let server = server.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| answer(server.clone(), request));
            let io = TokioIo::new(stream);
            // The side that breaks off the connection notices.
            let _ = http1::Builder::new().serve_connection(io, service).await;
        });
    }
}

type Pieces = BoxStream<'static, Result<Frame<Bytes>, Infallible>>;

async fn answer(
    server: ApiServer,
    request: Request<Body>,
) -> std::io::Result<Response<StreamBody<Pieces>>> {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let incoming = Incoming {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        content_type: kind.to_owned(),
        accept: String::new(),
        body: body
            .collect()
            .await
            .map_err(std::io::Error::other)?
            .to_bytes(),
    };
    let response = Response::builder().header(CONTENT_TYPE, "application/json");
    let (code, pieces) = match server.serve("command".into(), incoming).await {
        Reply::Broken => return Err(std::io::ErrorKind::ConnectionReset.into()),
        Reply::Watch(_, lines) => (200, lines),
        Reply::Object(code, object, _) => {
            let text = object.into_bytes();
            (code, stream::once(async move { text }).boxed())
        }
    };
    let pieces = pieces.map(|piece| Ok(Frame::data(piece))).boxed();
    let response = response.status(code).body(StreamBody::new(pieces));
    response.map_err(std::io::Error::other)
}
