//! HTTP: a tower service for kube's client, connected by function calls.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response};
use http_body::Frame;
use kube::Client;
use kube::client::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::incoming::Incoming;
use super::server::{ApiServer, Reply};
use crate::apply::client::fence::Fence;

impl ApiServer {
    /// A client of this server. The log has its name, and faults can apply to it alone.
    pub fn client(&self, name: &str) -> Client {
        Client::new(self.connection(name), "default")
    }

    /// A client whose writes are held back by a fence while that is closed.
    pub fn fenced_client(&self, name: &str, fence: &Fence) -> Client {
        Client::new(fence.layer(self.connection(name)), "default")
    }

    fn connection(&self, name: &str) -> Connection {
        Connection {
            server: self.clone(),
            client: name.into(),
        }
    }
}

/// The connection of one client.
#[derive(Clone)]
struct Connection {
    server: ApiServer,
    client: Arc<str>,
}

impl Service<Request<Body>> for Connection {
    type Response = Response<Pieces>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Response<Pieces>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let connection = self.clone();
        Box::pin(async move { connection.serve(request).await })
    }
}

impl Connection {
    async fn serve(self, request: Request<Body>) -> io::Result<Response<Pieces>> {
        let (parts, body) = request.into_parts();
        let header = |name| {
            let value = parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let incoming = Incoming {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or("").to_owned(),
            content_type: header(CONTENT_TYPE),
            accept: header(ACCEPT),
            body: body.collect_bytes().await.map_err(io::Error::other)?,
        };
        let mut response = Response::builder();
        let body = match self.server.serve(self.client, incoming).await {
            Reply::Broken => return Err(io::ErrorKind::ConnectionReset.into()),
            Reply::Watch(media_type, events) => {
                response = response.header(CONTENT_TYPE, media_type);
                events
            }
            Reply::Object(code, object, retry_after) => {
                response = response
                    .status(code)
                    .header(CONTENT_TYPE, object.media_type());
                if let Some(seconds) = retry_after {
                    response = response.header("retry-after", seconds);
                }
                let bytes = object.into_bytes();
                stream::once(async move { bytes }).boxed()
            }
        };
        response.body(Pieces(body)).map_err(io::Error::other)
    }
}

/// A body that is sent in pieces.
struct Pieces(BoxStream<'static, Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.0.poll_next_unpin(cx);
        piece.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
