//! A server in memory that closes connections, goes silent, or has no HTTP/2, as it is told. It
//! knows as much of HTTP/2 as that takes: a library's server never says of a stream that it has
//! received that it did not process it.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use kube::Config;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio_rustls::server::TlsStream;
use tower::service_fn;

const NAME: &str = "server.test";

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It answers all requests.
    Lives,
    /// After so many answers it tells that it goes away, and processes nothing more.
    GoesAway(u32),
    /// After so many answers it neither answers nor reads on.
    Silent(u32),
    /// The same, and then a last request gets the head of an answer.
    SilentAfterHead(u32),
    /// It closes after so many answers, when nothing is under way.
    Closes(u32),
    /// It has HTTP/1.1 only.
    Http1,
}

/// The server.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    certificate: Vec<u8>,
    key: Vec<u8>,
    /// What becomes of the next connections; later ones live.
    fates: Mutex<VecDeque<Fate>>,
    seen: Mutex<Seen>,
    /// Called when a connection goes away.
    going: Box<dyn Fn() + Send + Sync>,
}

/// What the server saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// How many connections were made.
    pub connections: usize,
    /// The bodies of the requests that were processed.
    pub bodies: Vec<String>,
}

impl Server {
    pub fn new(fates: impl IntoIterator<Item = Fate>) -> Server {
        Server::telling(fates, || ())
    }

    /// The same, calling `going` when a connection goes away.
    pub fn telling(
        fates: impl IntoIterator<Item = Fate>,
        going: impl Fn() + Send + Sync + 'static,
    ) -> Server {
        let made = generate_simple_self_signed([NAME.to_owned()]);
        let CertifiedKey { cert, signing_key } = made.expect("a certificate");
        Server(Arc::new(Inner {
            certificate: cert.der().to_vec(),
            key: signing_key.serialize_der(),
            fates: Mutex::new(fates.into_iter().collect()),
            seen: Mutex::default(),
            going: Box::new(going),
        }))
    }

    /// What a client of it is configured with.
    pub fn config(&self) -> Config {
        let url = format!("https://{NAME}/").parse().expect("a URL");
        let mut config = Config::new(url);
        config.root_cert = Some(vec![self.0.certificate.clone()]);
        config
    }

    /// Connects clients with it.
    pub fn connector(
        &self,
    ) -> impl tower::Service<http::Uri, Response = Pipe, Error = io::Error, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static {
        let server = self.clone();
        service_fn(move |_| {
            let (client, end) = duplex(1 << 20);
            let fate = server.0.fates.lock().expect("a lock").pop_front();
            server.0.seen.lock().expect("a lock").connections += 1;
            let server = server.clone();
            tokio::spawn(async move {
                // A client may drop its end.
                let _ = server.serve(end, fate.unwrap_or(Fate::Lives)).await;
            });
            async { Ok(Pipe(TokioIo::new(client))) }
        })
    }

    pub fn seen(&self) -> Seen {
        self.0.seen.lock().expect("a lock").clone()
    }

    fn processed(&self, body: String) {
        self.0.seen.lock().expect("a lock").bodies.push(body);
    }

    async fn serve(&self, end: DuplexStream, fate: Fate) -> io::Result<()> {
        let protocol: &[u8] = if fate == Fate::Http1 {
            b"http/1.1"
        } else {
            b"h2"
        };
        let key = PrivateKeyDer::try_from(self.0.key.clone()).expect("a key");
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![self.0.certificate.clone().into()], key);
        let mut config = config.expect("a server");
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = TlsAcceptor::from(Arc::new(config)).accept(end).await?;
        if fate == Fate::Http1 {
            self.serve_http1(stream).await
        } else {
            Http2 {
                stream,
                server: self,
                fate,
                answers: 0,
            }
            .serve()
            .await
        }
    }

    /// Answers requests that have no body.
    async fn serve_http1(&self, mut stream: TlsStream<DuplexStream>) -> io::Result<()> {
        let mut request = Vec::new();
        loop {
            request.push(stream.read_u8().await?);
            if request.ends_with(b"\r\n\r\n") {
                self.processed(String::new());
                request.clear();
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    .await?;
                stream.flush().await?;
            }
        }
    }
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200`, an entry of HPACK's own table.
const STATUS_200: &[u8] = &[0x88];
const PREFACE: usize = 24;

/// A connection over HTTP/2.
struct Http2<'s> {
    stream: TlsStream<DuplexStream>,
    server: &'s Server,
    fate: Fate,
    /// Those to requests with a body; a probe does not count.
    answers: u32,
}

impl Http2<'_> {
    async fn serve(mut self) -> io::Result<()> {
        self.stream.read_exact(&mut [0; PREFACE]).await?;
        self.write(SETTINGS, 0, 0, &[]).await?;
        let mut bodies: Vec<(u32, Vec<u8>)> = Vec::new();
        loop {
            let (kind, flags, id, payload) = self.read().await?;
            match kind {
                SETTINGS if flags & ACK == 0 => self.write(SETTINGS, ACK, 0, &[]).await?,
                PING if flags & ACK == 0 => self.write(PING, ACK, 0, &payload).await?,
                HEADERS => bodies.push((id, Vec::new())),
                DATA => {
                    let body = bodies.iter_mut().find(|(of, _)| *of == id);
                    body.expect("a stream").1.extend(&payload);
                }
                _ => {}
            }
            if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                let at = bodies.iter().position(|(of, _)| *of == id);
                let (_, body) = bodies.swap_remove(at.expect("a stream"));
                if self.answer(id, body).await? {
                    return Ok(());
                }
            }
        }
    }

    /// Returns true when the connection is over.
    async fn answer(&mut self, id: u32, body: Vec<u8>) -> io::Result<bool> {
        let flags = END_HEADERS | END_STREAM;
        if body.is_empty() {
            self.write(HEADERS, flags, id, STATUS_200).await?;
            return Ok(false);
        }
        if let Fate::SilentAfterHead(after) = self.fate
            && self.answers == after
        {
            self.write(HEADERS, END_HEADERS, id, STATUS_200).await?;
            return std::future::pending().await;
        }
        if self.fate == Fate::Silent(self.answers) {
            return std::future::pending().await;
        }
        let body = String::from_utf8(body).expect("text");
        self.server.processed(body);
        self.write(HEADERS, flags, id, STATUS_200).await?;
        self.answers += 1;
        if self.fate == Fate::GoesAway(self.answers) {
            (self.server.0.going)();
            let mut last = id.to_be_bytes().to_vec();
            last.extend(0_u32.to_be_bytes());
            self.write(GOAWAY, 0, 0, &last).await?;
            // What comes on is read, and not looked at.
            while self.read().await.is_ok() {}
            return Ok(true);
        }
        Ok(self.fate == Fate::Closes(self.answers))
    }

    async fn read(&mut self) -> io::Result<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload).await?;
        Ok((kind, flags, u32::from_be_bytes(id), payload))
    }

    async fn write(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(id.to_be_bytes());
        frame.extend(payload);
        self.stream.write_all(&frame).await?;
        self.stream.flush().await
    }
}

/// The client's end of a connection.
pub struct Pipe(TokioIo<DuplexStream>);

impl Connection for Pipe {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
