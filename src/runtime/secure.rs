//! The endpoints as Kubernetes' components serve them: over TLS, to whom the API server allows it.

pub mod access;
pub mod always_allowed;
pub mod bearer;
pub mod certificate;
pub mod expiry;
mod flights;
pub mod refusal;
pub mod remembered;
pub mod reviews;
pub mod self_signed;

use std::{io, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, server::NoServerSessionStorage},
    server::TlsStream,
};

use self::{access::Access, certificate::Certificate};

/// The first byte of a connection over TLS.
const HANDSHAKE: u8 = 22;

/// The answer to who speaks plain HTTP to the port of TLS. Servers in Go say the same.
const PLAIN: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// TLS, and who may ask.
#[derive(Clone)]
pub struct Secure {
    acceptor: TlsAcceptor,
    /// The certificate that is shown.
    pub certificate: Arc<Certificate>,
    /// Who may ask.
    pub access: Arc<Access>,
}

impl Secure {
    /// Shows this certificate, and asks who may ask.
    pub fn new(certificate: Arc<Certificate>, access: Access) -> Secure {
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(certificate.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Each connection is one request, seconds after the last one, and is to see the certificate
        // of today: nothing is kept to resume.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Secure {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate,
            access: Arc::new(access),
        }
    }

    /// Shakes hands; None where the other side speaks plain HTTP, and was told so.
    pub async fn accept(&self, mut stream: TcpStream) -> io::Result<Option<TlsStream<TcpStream>>> {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE && first[0].is_ascii() {
            // What is not read would make the other side lose the answer.
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await?;
            stream.write_all(PLAIN).await?;
            stream.shutdown().await?;
            return Ok(None);
        }
        self.acceptor.accept(stream).await.map(Some)
    }
}
