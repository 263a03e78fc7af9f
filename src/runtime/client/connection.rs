//! The connections of a client: one over HTTP/2 which all of its calls share, or over HTTP/1.1 one
//! for each call in flight. An API server spends a sixth of its work in a burst of creates on the
//! handshakes of the latter. A server that has only HTTP/1.1 gets that.
//!
//! kube's own builder speaks HTTP/1.1 only, and is used where this one cannot stand in for it.

use std::env;
use std::time::Duration;

use http::uri::Scheme;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::{self, connect::Connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use tower::util::option_layer;
use tower::{BoxError, Service, ServiceBuilder};

use super::opening::OpeningLayer;
use super::unprocessed;
use crate::apply::client::fence::Fence;

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;

/// A connection on which nothing was read for so long is asked whether it lives, and is given up
/// when no answer comes for as long again. So one that has gone silent is noticed within 20 s.
pub const PING: Duration = Duration::from_secs(10);

/// A variable that client-go obeys too: set to anything, HTTP/2 is not used.
const OFF: &str = "DISABLE_HTTP2";

/// Whether [`client`] may stand in for kube's own: over TLS, without a proxy, and without a plugin
/// whose certificate may end before the process.
pub fn is_for(config: &Config) -> bool {
    let is_off = env::var_os(OFF).is_some_and(|value| !value.is_empty());
    let is_tls = config.cluster_url.scheme() == Some(&Scheme::HTTPS);
    let is_plain = config.proxy_url.is_none() && config.auth_info.exec.is_none();
    is_tls && is_plain && !is_off
}

/// What a client speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// HTTP/1.1: what a server sends is read when somebody asks for it. A watch in a burst is then
    /// read many events at a time.
    Http1,
    /// HTTP/2 where the server has it: calls share a connection, which is read at once.
    Http2,
}

/// A client of the API server of `config`, over connections that `connector` makes. Its writes pass
/// `fence`, those too that are sent again.
pub fn client<C>(
    config: &Config,
    connector: C,
    protocol: Protocol,
    fence: Option<&Fence>,
) -> Result<Client, BoxError>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
{
    let service = service(config, connector, protocol)?;
    let builder = ClientBuilder::new(service, config.default_namespace.clone());
    let is_shared = protocol == Protocol::Http2;
    let builder = builder
        .with_layer(&option_layer(is_shared.then_some(OpeningLayer)))
        .with_layer(&option_layer(fence.cloned()))
        .with_layer(&option_layer(is_shared.then(unprocessed::layer)));
    Ok(builder.build())
}

/// Sends requests to the API server of `config`, as its user, over connections that `connector`
/// makes. It fails where the configuration has a certificate or a name that cannot be used.
fn service<C>(
    config: &Config,
    connector: C,
    protocol: Protocol,
) -> Result<
    impl Service<Request<Body>, Response = Response<Incoming>, Error = BoxError, Future: Send + 'static>
    + Clone
    + Send
    + 'static,
    BoxError,
>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
{
    let tls = HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_only();
    let tls = match &config.tls_server_name {
        Some(name) => {
            let name = name.clone().try_into()?;
            tls.with_server_name_resolver(FixedServerNameResolver::new(name))
        }
        None => tls,
    };
    let connector = match protocol {
        Protocol::Http1 => tls.enable_http1().wrap_connector(connector),
        Protocol::Http2 => tls.enable_all_versions().wrap_connector(connector),
    };
    let mut connector = TimeoutConnector::new(connector);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let client = legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(PING)
        .http2_keep_alive_timeout(PING)
        .http2_keep_alive_while_idle(true)
        .build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(client);
    Ok(service)
}
