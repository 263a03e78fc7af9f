//! A client of the endpoints over TLS, and PEM files.

use std::{net::SocketAddr, sync::Arc};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio_rustls::{TlsConnector, rustls};

/// The versions of TLS that a client offers.
pub type Versions = [&'static SupportedProtocolVersion];

/// Both.
pub const ALL: &Versions = rustls::ALL_VERSIONS;

/// A section of a PEM file.
pub fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let bits = three
            .iter()
            .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize] as char;
            text.push(if place > three.len() { '=' } else { digit });
        }
    }
    let lines = text.as_bytes().chunks(64);
    let lines: String = lines
        .map(|line| format!("{}\n", String::from_utf8_lossy(line)))
        .collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

/// Connects as a client that trusts this certificate and no other, and expects this name.
pub async fn connect(
    address: SocketAddr,
    trusted: &[u8],
    name: &str,
    versions: &Versions,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let anchor = CertificateDer::from(trusted.to_vec());
    roots.add(anchor).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await
}

/// Sends a request, with this token where there is one: the answer's code, head and body.
pub async fn ask(
    mut stream: TlsStream<TcpStream>,
    method: &str,
    path: &str,
    token: Option<&str>,
) -> std::io::Result<(u16, String, String)> {
    let token = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{token}Content-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // What was written may still be in the buffer of TLS.
    stream.flush().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let broken = || std::io::Error::other("no answer");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(broken)?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok((
        code.ok_or_else(broken)?,
        head.to_lowercase(),
        body.to_owned(),
    ))
}
