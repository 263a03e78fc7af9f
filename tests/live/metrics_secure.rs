//! Metrics over TLS, with tokens of service accounts that a real API server reviews, and scraped by
//! a real Prometheus. The roles are those that the chart makes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use daemonset_controller::runtime::secure::self_signed::SelfSigned;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cluster::{Lab, SOON, same};
use crate::control_plane::free_port;
use crate::controller::{Controller, Launch, built_in};
use crate::openmetrics::parse;
use crate::process::Process;
use crate::replicas::{USERS, until_holder_is, until_standing_by};
use crate::tls::{self, pem};

/// The name in the certificates.
const NAME: &str = "metrics.test";

/// A controller whose metrics are served over TLS, with a certificate from files.
struct Secured {
    port: u16,
    certificate: PathBuf,
    key: PathBuf,
}

impl Secured {
    /// Files for a controller of this name.
    fn new(lab: &Lab, name: &str) -> Secured {
        let file = |end: &str| {
            lab.plane
                .dir()
                .join(format!("{}-{name}.{end}", lab.namespace))
        };
        Secured {
            port: free_port(),
            certificate: file("crt"),
            key: file("key"),
        }
    }

    /// Writes a new pair.
    fn write(&self) -> SelfSigned {
        let pair = SelfSigned::new(&[NAME.to_owned()], &[], Timestamp::now().into());
        std::fs::write(&self.certificate, pem("CERTIFICATE", &pair.certificate)).expect("written");
        std::fs::write(&self.key, pem("PRIVATE KEY", &pair.key)).expect("written");
        pair
    }

    fn flags<'a>(&self, launch: Launch<'a>) -> Launch<'a> {
        launch
            .arg("--bind-address=127.0.0.1")
            .arg(&format!("--http-port={}", self.port))
            .arg("--metrics-secure")
            .arg(&format!("--tls-cert-file={}", self.certificate.display()))
            .arg(&format!("--tls-private-key-file={}", self.key.display()))
    }

    /// The code and the body; None while nobody answers with this certificate.
    async fn ask(
        &self,
        pair: &SelfSigned,
        path: &str,
        token: Option<&str>,
    ) -> Option<(u16, String)> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let stream = tls::connect(address, &pair.certificate, NAME, tls::ALL).await;
        let answer = tls::ask(stream.ok()?, "GET", path, token).await;
        answer.ok().map(|(code, _, body)| (code, body))
    }

    /// Waits for this code.
    async fn until(&self, lab: &Lab, pair: &SelfSigned, token: &str, code: u16) {
        lab.until(
            &format!("/metrics is answered with {code}"),
            SOON,
            async || {
                let answer = self.ask(pair, "/metrics", Some(token)).await;
                same(answer.map(|(code, _)| code), Some(code))
            },
        )
        .await;
    }
}

/// The path of a tool that `charts/tool.sh` finds or fetches.
fn tool(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/tool.sh");
    let found = Command::new(script).arg(name).output();
    let found = found.expect("charts/tool.sh can be run");
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success(), "no {name}: {said}");
    PathBuf::from(String::from_utf8_lossy(&found.stdout).trim())
}

/// Gives the user `controller` the chart's role to ask, and the service account `reader` the
/// chart's role to read. `other` has none. Answers with their tokens.
async fn roles(lab: &Lab) -> [String; 2] {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/daemonset-controller");
    let release = &lab.namespace;
    let rendered = Command::new(tool("helm"))
        .args(["template", release, "--namespace", release])
        .arg(chart)
        .args(["--show-only=templates/secure.yaml", "--set"])
        .arg(format!(
            "fullnameOverride={release},server.secure.enabled=true,\
             server.secure.readers[0].namespace={release},server.secure.readers[0].name=reader"
        ))
        .output()
        .expect("helm can be run");
    let said = String::from_utf8_lossy(&rendered.stderr);
    assert!(rendered.status.success(), "{said}");
    let manifests = String::from_utf8(rendered.stdout).expect("text");
    let apply = lab
        .plane
        .kubectl_in(&["apply", "-f", "-"], &manifests)
        .await;
    apply.expect_ok("apply");
    let role = format!("--clusterrole={release}-metrics-auth");
    let name = format!("{release}-under-test");
    let bind = [
        "create",
        "clusterrolebinding",
        &name,
        &role,
        "--user=controller",
    ];
    lab.kubectl_ok(&bind).await;
    let mut tokens = [const { String::new() }; 2];
    for (token, account) in tokens.iter_mut().zip(["reader", "other"]) {
        lab.kubectl_ok(&["create", "serviceaccount", account]).await;
        let made = lab.kubectl_ok(&["create", "token", account]).await;
        *token = made.trim().to_owned();
    }
    tokens
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_api_server_says_who_may_read_metrics_over_tls() {
    if built_in() {
        return; // it has its own
    }
    let lab = Lab::alone("tls").await;
    let [reader, other] = roles(&lab).await;
    let secured = Secured::new(&lab, "first");
    let pair = secured.write();
    let _controller = secured.flags(Launch::new(&lab)).start();
    secured.until(&lab, &pair, &reader, 200).await;
    let ask = async |path: &str, token: Option<&str>| {
        secured.ask(&pair, path, token).await.expect("an answer")
    };
    let (_, text) = ask("/metrics", Some(&reader)).await;
    parse(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
    assert_eq!(ask("/metrics", None).await.0, 401);
    assert_eq!(ask("/metrics", Some("made-up")).await.0, 401);
    assert_eq!(ask("/metrics", Some(&format!("{reader}x"))).await.0, 401);
    let (code, text) = ask("/metrics", Some(&other)).await;
    assert_eq!(code, 403, "{text}");
    let account = format!("system:serviceaccount:{}:other", lab.namespace);
    assert!(
        text.contains(&format!("User \\\"{account}\\\" cannot get path")),
        "{text}"
    );
    // Whoever may do everything may do this.
    assert_eq!(ask("/metrics", Some("admin")).await.0, 200);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask(path, None).await.0, 200, "{path}");
    }

    // Without the role to ask, nobody is let in, and the log says what is missing.
    let without = Secured::new(&lab, "without");
    let pair_without = without.write();
    let controller = without
        .flags(Launch::new(&lab).user("controller-b"))
        .start();
    without.until(&lab, &pair_without, &reader, 500).await;
    let said = controller.lines_with("nobody can be let in");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("create on tokenreviews"), "{said:?}");

    // The certificate is changed while it runs.
    let second = secured.write();
    secured.until(&lab, &second, &reader, 200).await;
    assert_eq!(
        secured.ask(&pair, "/healthz", None).await,
        None,
        "not the first one"
    );

    // While the API server is away nobody is let in, once its last answers are old.
    lab.plane.kill_api_server();
    secured.until(&lab, &second, &reader, 503).await;
    let health = secured.ask(&second, "/healthz", None).await;
    assert_eq!(health.expect("an answer").0, 200);
    lab.plane.start_api_server().await;
    secured.until(&lab, &second, &reader, 200).await;

    // Who loses the role loses it here too.
    let binding = format!("{}-metrics-reader", lab.namespace);
    lab.kubectl_ok(&["delete", "clusterrolebinding", &binding])
        .await;
    secured.until(&lab, &second, &reader, 403).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_serves_its_metrics_over_tls_too() {
    if built_in() {
        return;
    }
    let lab = Lab::alone("tls-standby").await;
    let [reader, _] = roles(&lab).await;
    let leader = Launch::new(&lab).user(USERS[1]).replica().start();
    until_holder_is(&lab, |holder| !holder.is_empty()).await;
    let secured = Secured::new(&lab, "standby");
    let pair = secured.write();
    let mut standby: Controller = secured.flags(Launch::new(&lab).replica()).start();
    until_standing_by(&lab, &mut standby, "standing by").await;
    let (code, text) = secured
        .ask(&pair, "/metrics", Some(&reader))
        .await
        .expect("an answer");
    assert_eq!(code, 200, "{text}");
    let metrics = parse(&text).expect("metrics");
    assert_eq!(metrics.get("daemonset_controller_leader", &[]), Some(0.0));
    drop(leader);
}

/// A Prometheus that scrapes one controller in several ways.
struct Prometheus {
    port: u16,
    _process: Process,
}

impl Prometheus {
    fn start(lab: &Lab, secured: &Secured, jobs: &[(&str, String)]) -> Prometheus {
        let dir = lab
            .plane
            .dir()
            .join(format!("{}-prometheus", lab.namespace));
        std::fs::create_dir_all(&dir).expect("a directory");
        let mut config =
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
        for (job, how) in jobs {
            config += &format!(
                "- job_name: {job}\n  scheme: https\n  honor_labels: true\n  static_configs: \
                 [{{targets: ['127.0.0.1:{}']}}]\n{how}",
                secured.port
            );
        }
        let file = dir.join("prometheus.yml");
        std::fs::write(&file, config).expect("written");
        let port = free_port();
        let mut command = Command::new(tool("prometheus"));
        command.args([
            format!("--config.file={}", file.display()),
            format!("--storage.tsdb.path={}", dir.join("data").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
        ]);
        Prometheus {
            port,
            _process: Process::spawn("prometheus", &mut command, &dir.join("log")),
        }
    }

    /// The `data` of an answer of its API; null while there is none.
    async fn get(&self, path: &str) -> Value {
        let whole = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            let request = format!("GET /api/v1/{path} HTTP/1.0\r\nHost: x\r\n\r\n");
            stream.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = whole.await.unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let answer: Value = serde_json::from_str(body).unwrap_or_default();
        answer["data"].clone()
    }

    /// The value of an expression with one result.
    async fn value(&self, expression: &str) -> Option<String> {
        let data = self.get(&format!("query?query={expression}")).await;
        let value = data["result"][0]["value"][1].as_str();
        value.map(str::to_owned)
    }

    /// Why the last scrape of a job failed; empty where it did not.
    async fn error(&self, job: &str) -> String {
        let data = self.get("targets").await;
        let targets = data["activeTargets"].as_array().cloned();
        let targets = targets.unwrap_or_default();
        let target = targets.iter().find(|target| target["scrapePool"] == job);
        let error = target.map(|target| target["lastError"].to_string());
        error.unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_scrapes_over_tls_with_a_token_that_may_and_with_no_other() {
    if built_in() {
        return;
    }
    let mut lab = Lab::shared("scraped").await;
    let [reader, other] = roles(&lab).await;
    let secured = Secured::new(&lab, "scraped");
    secured.write();
    let _controller = secured.flags(Launch::new(&lab)).start();
    let verified = format!(
        "  tls_config: {{ca_file: '{}', server_name: {NAME}}}\n",
        secured.certificate.display()
    );
    let unverified = "  tls_config: {insecure_skip_verify: true}\n".to_owned();
    let with =
        |token: &str, tls: &str| format!("  authorization: {{credentials: '{token}'}}\n{tls}");
    let jobs = [
        ("verified", with(&reader, &verified)),
        ("skipped", with(&reader, &unverified)),
        ("made-up", with("made-up", &unverified)),
        ("other", with(&other, &unverified)),
        ("none", unverified.clone()),
        (
            "distrusted",
            with(&reader, &format!("  tls_config: {{server_name: {NAME}}}\n")),
        ),
    ];
    let prometheus = Prometheus::start(&lab, &secured, &jobs);
    lab.add_nodes(1..=3).await;
    lab.create(&lab.daemon_set("agent")).await;
    lab.until_covered("agent", 3, SOON).await;
    for (job, up, error) in [
        ("verified", "1", ""),
        ("skipped", "1", ""),
        ("made-up", "0", "401 Unauthorized"),
        ("other", "0", "403 Forbidden"),
        ("none", "0", "401 Unauthorized"),
        // The client refuses this one.
        (
            "distrusted",
            "0",
            "x509: certificate signed by unknown authority",
        ),
    ] {
        lab.until(&format!("{job} is up: {up}"), SOON, async || {
            let seen = prometheus.value(&format!("up{{job=\"{job}\"}}")).await;
            same(seen.as_deref(), Some(up))?;
            let why = prometheus.error(job).await;
            same((why.contains(error), why != "\"\""), (true, up == "0"))
        })
        .await;
    }
    lab.until("its samples are the controller's", SOON, async || {
        let namespace = &lab.namespace;
        let labels = format!("{{job=\"verified\",namespace=\"{namespace}\",daemonset=\"agent\"}}");
        let query = format!("daemonset_controller_ready_pods{labels}");
        same(prometheus.value(&query).await.as_deref(), Some("3"))
    })
    .await;
    let kept = prometheus
        .value("daemonset_controller_ready_pods{job=\"other\"}")
        .await;
    assert_eq!(kept, None);

    // The certificate that Prometheus trusts is no longer the one that is shown, and then it is:
    // it reads its file again.
    let before = prometheus
        .value("daemonset_controller_certificate_valid{job=\"skipped\"}")
        .await;
    assert_eq!(before.as_deref(), Some("1"));
    let expiry = "daemonset_controller_certificate_expiry_timestamp_seconds{job=\"skipped\"}";
    let first = prometheus.value(expiry).await;
    secured.write();
    lab.until("the new certificate is scraped", SOON, async || {
        let now = prometheus.value(expiry).await;
        same(now.is_some() && now != first, true)
    })
    .await;
    let up = prometheus
        .value("min_over_time(up{job=\"skipped\"}[10s])")
        .await;
    assert_eq!(up.as_deref(), Some("1"), "no scrape failed");
}
