//! `/metrics`, `/healthz` (or `/livez`) and `/readyz`, over HTTP, or over TLS to whom the API
//! server allows it ([`super::secure`]).
//!
//! Anybody can reach the port, so little can be asked and little can be blocked: one request a
//! connection, without a body, done within [`PATIENCE`]. When there are too many connections the
//! oldest is closed, so that a probe gets its answer however many clients send nothing.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use http_body_util::Full;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep, timeout},
};

use super::{
    error::StartError,
    monitor::{self, Monitor, Report, Weight},
    secure::Secure,
};

/// The limit of a connection, from its beginning to its end.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time of a connection after which nothing is waited for any more: whoever is still there
/// gets an answer, whatever it is.
const ANSWER_BY: Duration = Duration::from_secs(9);

/// The most connections at a time.
const CONNECTIONS: usize = 64;

/// The time that requests in flight have to finish at the end.
const GRACE: Duration = Duration::from_secs(1);

/// The time for which nothing is accepted after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 8192;

const TEXT: &str = "text/plain; charset=utf-8";

/// A port that is bound.
pub struct Endpoints {
    listener: TcpListener,
    address: SocketAddr,
    /// None for plain HTTP, where anybody may ask.
    secure: Option<Secure>,
}

impl Endpoints {
    /// Binds the port. Connections are accepted from now on, and answered by [`Endpoints::serve`].
    pub async fn bind(address: IpAddr, port: u16) -> Result<Endpoints, StartError> {
        let address = SocketAddr::new(address, port);
        let failed = |why: io::Error| StartError::Bind {
            address,
            why: why.to_string(),
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Endpoints {
            listener,
            address,
            secure: None,
        })
    }

    /// The same over TLS, to who may ask.
    pub fn secured(self, secure: Secure) -> Endpoints {
        Endpoints {
            secure: Some(secure),
            ..self
        }
    }

    /// The address and port that are bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it is asked: `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        match &self.secure {
            None => "http",
            Some(_) => "https",
        }
    }

    /// Answers requests until `end`.
    pub async fn serve(self, monitor: Arc<Monitor>, end: impl Future<Output = ()>) {
        let mut end = std::pin::pin!(end);
        let mut connections = JoinSet::new();
        let mut oldest = VecDeque::new();
        let mut upkeep = JoinSet::new();
        if let Some(secure) = &self.secure {
            let (certificate, checked) = (secure.certificate.clone(), secure.certificate.clone());
            monitor.set_certificate(certificate.shown());
            monitor.add_check("certificate", Weight::Informs, move || checked.check());
            let monitor = monitor.clone();
            upkeep.spawn(async move {
                certificate
                    .follow(|shown| monitor.set_certificate(shown))
                    .await;
            });
        }
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut end => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    make_room(&mut oldest);
                    while connections.try_join_next().is_some() {}
                    oldest.push_back(connections.spawn(answer(
                        stream,
                        monitor.clone(),
                        self.secure.clone(),
                    )));
                }
                Err(why) => {
                    // Mostly the limit of open files is reached, and some of them will be closed.
                    tracing::debug!(%why, "a connection to the endpoints could not be accepted");
                    sleep(PAUSE).await;
                }
            }
        }
        drop(self.listener);
        let rest = async { while connections.join_next().await.is_some() {} };
        // Connections that are still open are dropped with the set.
        let _ = timeout(GRACE, rest).await;
    }
}

/// Closes the oldest connections until there is room for one.
fn make_room(oldest: &mut VecDeque<AbortHandle>) {
    oldest.retain(|connection| !connection.is_finished());
    while oldest.len() >= CONNECTIONS {
        if let Some(connection) = oldest.pop_front() {
            connection.abort();
        }
    }
}

/// Answers the one request of a connection.
async fn answer(stream: TcpStream, monitor: Arc<Monitor>, secure: Option<Secure>) {
    let deadline = Instant::now() + ANSWER_BY;
    let whole = async {
        let Some(secure) = secure else {
            return exchange(stream, monitor, None, deadline).await;
        };
        match secure.accept(stream).await {
            Ok(Some(stream)) => exchange(stream, monitor, Some(secure), deadline).await,
            Ok(None) => tracing::debug!("a connection to the endpoints was without TLS"),
            Err(why) => tracing::debug!(%why, "a connection to the endpoints made no handshake"),
        }
    };
    if timeout(PATIENCE, whole).await.is_err() {
        tracing::debug!("a connection to the endpoints took too long");
    }
}

/// Reads the request and writes the answer.
async fn exchange<S>(stream: S, monitor: Arc<Monitor>, secure: Option<Secure>, deadline: Instant)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (monitor, secure) = (&monitor, &secure);
    let service = service_fn(move |request: Request<_>| async move {
        Ok::<_, Infallible>(respond(&request, monitor, secure.as_ref(), deadline).await)
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        // The whole connection has a limit; its head needs none of its own.
        .header_read_timeout(None)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(why) = connection.await {
        tracing::debug!(%why, "a connection to the endpoints broke");
    }
}

async fn respond<B>(
    request: &Request<B>,
    monitor: &Arc<Monitor>,
    secure: Option<&Secure>,
    deadline: Instant,
) -> Response<Full<Bytes>> {
    type Ask = fn(&Arc<Monitor>, bool) -> Response<Full<Bytes>>;
    let (method, uri) = (request.method(), request.uri());
    let ask: Ask = match uri.path() {
        "/metrics" => {
            |monitor, _| response(StatusCode::OK, monitor::CONTENT_TYPE, monitor.exposition())
        }
        "/healthz" | "/livez" => |monitor, verbose| report(monitor.healthz(), verbose),
        "/readyz" => |monitor, verbose| report(monitor.readyz(), verbose),
        _ => {
            return text(
                StatusCode::NOT_FOUND,
                "there are /metrics, /healthz, /livez and /readyz\n",
            );
        }
    };
    if *method != Method::GET && *method != Method::HEAD {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        refusal.headers_mut().insert(ALLOW, allowed);
        return refusal;
    }
    if let Some(secure) = secure {
        // The answers above are the same for everybody: the API server need not be asked for them.
        let verb = method.as_str().to_ascii_lowercase();
        let access = &secure.access;
        let allowed = access.check(request.headers(), &verb, uri.path(), deadline);
        if let Err(refusal) = allowed.await {
            return refusal.response();
        }
    }
    let parameters = uri.query().unwrap_or("").split('&');
    let mut names = parameters.map(|p| p.split('=').next().unwrap_or(""));
    ask(monitor, names.any(|name| name == "verbose"))
}

/// Answers as Kubernetes' components do: `ok` when all checks passed, and a line for each check
/// when one failed or `?verbose` is given.
fn report(report: Report, verbose: bool) -> Response<Full<Bytes>> {
    if !report.passed {
        return text(StatusCode::INTERNAL_SERVER_ERROR, report.verbose);
    }
    text(
        StatusCode::OK,
        if verbose {
            report.verbose
        } else {
            "ok".to_owned()
        },
    )
}

fn text(code: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    response(code, TEXT, body)
}

fn response(
    code: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = code;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
