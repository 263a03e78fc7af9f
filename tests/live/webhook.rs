//! Admission webhooks, with the API server's own certificate: one denies every request, the other
//! creates the requested object first.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// The response to an AdmissionReview's request.
type Judge = Arc<dyn Fn(Value) -> BoxFuture<'static, Value> + Send + Sync>;

/// A running webhook; dropping it ends it.
pub struct Webhook {
    task: JoinHandle<()>,
    calls: Arc<AtomicUsize>,
    /// Where it listens.
    pub url: String,
    /// The certificate authority, as `caBundle` takes it.
    pub authority: ByteString,
}

impl Webhook {
    /// Denies everything with this message, on a loopback port. `dir` is the control plane's.
    pub async fn deny(dir: &Path, message: &'static str) -> Self {
        let judge = move |_: Value| -> BoxFuture<'static, Value> {
            Box::pin(async move { json!({ "allowed": false, "status": { "message": message } }) })
        };
        Self::start(dir, Arc::new(judge)).await
    }

    /// Creates what anybody but admin is about to create, as admin and before it, and then allows
    /// it: so whoever asked finds the name taken by the very object that was wanted.
    pub async fn ahead(dir: &Path, admin: kube::Client) -> Self {
        let judge = move |request: Value| -> BoxFuture<'static, Value> {
            let admin = admin.clone();
            Box::pin(async move {
                if request["userInfo"]["username"] != "admin" {
                    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                    let resource = &request["resource"];
                    let group = match text(&resource["group"]).as_str() {
                        "" => "/api".to_owned(),
                        group => format!("/apis/{group}"),
                    };
                    let path = format!(
                        "{group}/{}/namespaces/{}/{}",
                        text(&resource["version"]),
                        text(&request["namespace"]),
                        text(&resource["resource"]),
                    );
                    let create = http::Request::post(path)
                        .header("Content-Type", "application/json")
                        .body(request["object"].to_string().into_bytes())
                        .expect("the request is valid");
                    let _ = admin.request_text(create).await; // a second try finds it there
                }
                json!({ "allowed": true })
            })
        };
        Self::start(dir, Arc::new(judge)).await
    }

    /// How many requests it has judged.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    async fn start(dir: &Path, judge: Judge) -> Self {
        let certificate = dir.join("apiserver.crt");
        let chain =
            CertificateDer::pem_file_iter(&certificate).expect("the API server's certificate");
        let chain = chain.collect::<Result<Vec<_>, _>>().expect("certificates");
        let key =
            PrivateKeyDer::from_pem_file(dir.join("apiserver.key")).expect("the API server's key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the key fits the certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a loopback port");
        let port = listener.local_addr().expect("its address").port();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // The API server may give up on a connection; that is its affair.
                tokio::spawn(serve(
                    acceptor.clone(),
                    stream,
                    judge.clone(),
                    counted.clone(),
                ));
            }
        });
        let authority = ByteString(std::fs::read(certificate).expect("the certificate"));
        Self {
            task,
            calls,
            url: format!("https://127.0.0.1:{port}/"),
            authority,
        }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers each AdmissionReview of one connection: HTTP/1.1 with a Content-Length, as the API
/// server sends them.
async fn serve(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    judge: Judge,
    calls: Arc<AtomicUsize>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(acceptor.accept(stream).await?);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 && line != "\r\n" {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let review: Value = serde_json::from_slice(&body)?;
        let mut response = judge(review["request"].clone()).await;
        calls.fetch_add(1, Ordering::Relaxed);
        response["uid"] = review["request"]["uid"].clone();
        let answer = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response,
        });
        let answer = answer.to_string();
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
}
