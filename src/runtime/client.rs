//! Makes the clients: the address of the API server, the credentials, and the timeouts.
//!
//! Watches, writes, the Lease and reviews have a client each, with connections of its own, so that
//! none waits behind another: a watch that is not read takes room on its connection only.

mod connection;
mod opening;
mod unprocessed;

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use hyper_util::client::legacy::connect::HttpConnector;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::BoxError;
use tower::util::option_layer;

use crate::apply::client::{error::chain, fence::Fence};

use super::error::StartError;
use connection::{PING, Protocol};

/// The User-Agent of every request.
pub const AGENT: &str = concat!("daemonset-controller/", env!("CARGO_PKG_VERSION"));

/// The timeout of making a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout of reading from a connection, a backstop: requests and watches have their own,
/// shorter limits, and a watch ends after 80 s at the latest.
const READ_TIMEOUT: Duration = Duration::from_secs(90);

/// How to find the API server. With neither field set the order is kubectl's: `$KUBECONFIG`,
/// `~/.kube/config`, then the service account of the pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// `--kubeconfig`.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`; None for the current context of the kubeconfig.
    pub context: Option<String>,
}

/// The clients, and what is known of the cluster that they connect to.
#[derive(Clone)]
pub struct Clients {
    /// For lists and watches.
    pub watches: Client,
    /// For reads and writes of single objects.
    pub writes: Client,
    /// For the Lease.
    pub lease: Client,
    /// For reviews of who may ask the endpoints. A standby makes them too, so no fence is before
    /// them.
    pub reviews: Client,
    /// The URL of the API server, for messages.
    pub server: String,
    /// The namespace of the pod that the process runs in; None where a kubeconfig is used.
    pub pod_namespace: Option<String>,
    /// The namespace that the context of the kubeconfig names, unless it is `default`.
    pub context_namespace: Option<String>,
}

/// Makes the clients, the one for writes behind `fence`. Sends nothing yet, but an exec plugin of
/// the kubeconfig may run.
pub async fn clients(access: &Access, fence: Option<&Fence>) -> Result<Clients, StartError> {
    let config = with_our_rules(config(access).await?);
    let server = config
        .cluster_url
        .to_string()
        .trim_end_matches('/')
        .to_owned();
    let client = |protocol, fence: Option<&Fence>| {
        client(&config, protocol, fence).map_err(|error| StartError::Configuration {
            server: server.clone(),
            why: chain(&*error),
        })
    };
    let in_pod = kubeconfig_file(access).is_none();
    Ok(Clients {
        watches: client(Protocol::Http1, None)?,
        writes: client(Protocol::Http2, fence)?,
        lease: client(Protocol::Http2, None)?,
        reviews: client(Protocol::Http2, None)?,
        pod_namespace: in_pod.then(|| config.default_namespace.clone()),
        context_namespace: Some(config.default_namespace.clone())
            .filter(|namespace| !in_pod && namespace != "default"),
        server,
    })
}

/// A client with connections of its own.
fn client(config: &Config, protocol: Protocol, fence: Option<&Fence>) -> Result<Client, BoxError> {
    if !connection::is_for(config) {
        let builder = ClientBuilder::try_from(config.clone())?;
        // The client's buffer comes on top of the fence.
        return Ok(builder.with_layer(&option_layer(fence.cloned())).build());
    }
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    // The frames of a call are small, and would wait for the answer to those before them.
    connector.set_nodelay(true);
    // A connection that has gone silent is noticed by the kernel within 20 s, whoever waits on it.
    connector.set_keepalive(Some(PING));
    connector.set_keepalive_interval(Some(PING / 2));
    connector.set_keepalive_retries(Some(2));
    #[cfg(target_os = "linux")]
    connector.set_tcp_user_timeout(Some(2 * PING));
    connection::client(config, connector, protocol, fence)
}

fn with_our_rules(mut config: Config) -> Config {
    // The client would retry POSTs too, and nothing would tell what became of the first.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    // Otherwise the time that a connection was idle before a request counts as time without an
    // answer.
    config.reset_reader_on_write = true;
    config
        .headers
        .push((USER_AGENT, HeaderValue::from_static(AGENT)));
    config
}

async fn config(access: &Access) -> Result<Config, StartError> {
    let Some(file) = kubeconfig_file(access) else {
        return Config::incluster().map_err(|error| StartError::NoCluster { why: chain(&error) });
    };
    let options = KubeConfigOptions {
        context: access.context.clone(),
        ..KubeConfigOptions::default()
    };
    let result = match &access.kubeconfig {
        Some(file) => match Kubeconfig::read_from(file) {
            Ok(kubeconfig) => Config::from_custom_kubeconfig(kubeconfig, &options).await,
            Err(error) => Err(error),
        },
        None => Config::from_kubeconfig(&options).await,
    };
    // A kubeconfig that is there and broken is an error. Falling back to the pod's own identity
    // would surprise.
    result.map_err(|error| StartError::Kubeconfig {
        file,
        why: chain(&error),
    })
}

/// The kubeconfig that is used, for messages; None where the pod's service account is used.
fn kubeconfig_file(access: &Access) -> Option<PathBuf> {
    if let Some(file) = &access.kubeconfig {
        return Some(file.clone());
    }
    if let Some(files) = env::var_os("KUBECONFIG").filter(|files| !files.is_empty()) {
        return Some(files.into());
    }
    let home = env::home_dir().map(|home| home.join(".kube").join("config"));
    // A context exists in a kubeconfig only, so a missing file is then the error to report.
    home.filter(|file| access.context.is_some() || Path::exists(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = r#"
apiVersion: v1
kind: Config
current-context: a
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts:
- {name: a, context: {cluster: c, user: u}}
- {name: b, context: {cluster: c, user: u, namespace: logging}}
"#;

    fn access(text: &str, context: Option<&str>) -> (tempfile::TempDir, Access) {
        let directory = tempfile::tempdir().expect("directory");
        let file = directory.path().join("config");
        std::fs::write(&file, text).expect("write");
        let access = Access {
            kubeconfig: Some(file),
            context: context.map(str::to_owned),
        };
        (directory, access)
    }

    #[tokio::test]
    async fn the_context_says_the_server_and_what_namespace_a_pod_is_in_only_a_pod() {
        let (_directory, access) = access(KUBECONFIG, Some("b"));
        let clients = clients(&access, None).await.expect("clients");
        assert_eq!(
            (&*clients.server, clients.pod_namespace),
            ("http://127.0.0.1:1", None)
        );
        assert_eq!(clients.context_namespace.as_deref(), Some("logging"));
    }

    #[tokio::test]
    async fn our_rules_hold() {
        let (_directory, access) = access(KUBECONFIG, None);
        let config = with_our_rules(config(&access).await.expect("config"));
        assert!(!config.default_retry && config.reset_reader_on_write);
        assert_eq!(config.connect_timeout, Some(Duration::from_secs(5)));
        assert_eq!(
            config.headers,
            [(USER_AGENT, HeaderValue::from_static(AGENT))]
        );
    }

    #[tokio::test]
    async fn errors_name_the_file() {
        let missing = Access {
            kubeconfig: Some("/nowhere/config".into()),
            context: None,
        };
        let error = clients(&missing, None)
            .await
            .err()
            .expect("missing")
            .to_string();
        assert!(
            error.starts_with("cannot use kubeconfig /nowhere/config: "),
            "{error}"
        );
        let (_directory, access) = access(KUBECONFIG, Some("none"));
        let error = clients(&access, None)
            .await
            .err()
            .expect("no such context")
            .to_string();
        assert!(error.contains("none"), "{error}");
    }

    /// A standby answers who may ask its endpoints, and so does a leader that cannot renew.
    #[tokio::test]
    async fn reviews_are_not_behind_the_fence_of_the_election_and_writes_are() {
        let (_directory, access) = access(KUBECONFIG, None);
        let fence = Fence::new(std::sync::Arc::new(|| jiff::Timestamp::now().into()));
        let clients = clients(&access, Some(&fence)).await.expect("clients");
        let send = async |client: &Client| {
            let request = http::Request::post("/p").body(Vec::new()).expect("request");
            let error = client
                .request_text(request)
                .await
                .expect_err("nobody there");
            format!("{error:?}")
        };
        assert!(send(&clients.writes).await.contains("Unsent"));
        assert!(send(&clients.reviews).await.contains("refused"));
    }

    /// Over a real socket: the text of a refused connection comes from several crates, and must be
    /// recognised.
    #[tokio::test]
    async fn a_refused_connection_is_recognised() {
        use crate::runtime::read_error::{Attempt, ReadErrorKind};
        let (_directory, access) = access(KUBECONFIG, None);
        let clients = clients(&access, None).await.expect("clients");
        let request = http::Request::get("/api/v1/pods")
            .body(Vec::new())
            .expect("request");
        let error = clients
            .watches
            .request_text(request)
            .await
            .expect_err("nobody there");
        let attempt = Attempt {
            verb: "list",
            server: clients.server,
            path: "/api/v1/pods".into(),
        };
        let kind = attempt.failed(&error).kind;
        assert_eq!(kind, ReadErrorKind::ConnectionRefused, "{error:?}");
    }
}
