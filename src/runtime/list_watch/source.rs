//! The source of lists and watches: the API server, through kube's client, or a script in tests.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::io::{AsyncBufRead, AsyncBufReadExt};
use futures::{TryStreamExt, poll};
use http::header::ACCEPT;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::core::Request;
use kube::core::params::{ListParams, WatchParams};
use kube::{Client, Error};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::Resource;
use super::framing::Framing;
use crate::apply::client::response::status_of;
use crate::runtime::read_error::{Attempt, ReadError};
use crate::wire::Encoding;

/// The timeout of a page of a list, with its body.
const PAGE_PATIENCE: Duration = Duration::from_secs(60);

/// The timeout of the headers of a watch.
const HEADERS_PATIENCE: Duration = Duration::from_secs(30);

/// The time for which a watch that has been read to its end is left alone. In a burst, events are
/// then taken many at a time, which saves a third of the CPU time of covering a thousand nodes. The
/// first event after a quiet time is taken at once.
const GATHER: Duration = Duration::from_millis(20);

/// The longest line and the longest frame of a watch. The API server stores no object of more than
/// a few MiB, which JSON makes a few times as long.
pub const LONGEST_EVENT: usize = 64 << 20;

/// What is accepted where protobuf is asked for. The answer's Content-Type, or its first bytes,
/// tell which of the two it is.
const PROTOBUF_OR_JSON: &str = "application/vnd.kubernetes.protobuf,application/json";

/// What was read of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// A whole line is in the buffer.
    Line,
    /// A whole frame is in the buffer, with its length.
    Frame,
    /// What is in the buffer goes on beyond [`LONGEST_EVENT`].
    TooLong,
    /// The stream has ended.
    End,
}

/// Sends the requests for one resource.
pub trait Source: Send {
    /// An open watch.
    type Stream: Stream;

    /// Reads one page: the first, or that of a continue token. Has a timeout of its own.
    fn page(&mut self, next: Option<&str>)
    -> impl Future<Output = Result<Bytes, ReadError>> + Send;

    /// Opens a watch from `version` on, which the server ends after `seconds`. Has a timeout of its
    /// own.
    fn watch(
        &mut self,
        version: &str,
        seconds: u32,
    ) -> impl Future<Output = Result<Self::Stream, ReadError>> + Send;

    /// The request with this verb, for errors.
    fn attempt(&self, verb: &'static str) -> Attempt;
}

/// An open watch.
pub trait Stream: Send {
    /// Appends to `line` up to the end of the current line or frame. May be dropped and called
    /// again with the same buffer without losing anything.
    fn read(&mut self, line: &mut Vec<u8>) -> impl Future<Output = Result<Read, ReadError>> + Send;
}

/// A [`Source`] that asks the API server.
pub struct ApiSource {
    client: Client,
    request: Request,
    field_selector: Option<String>,
    page_size: u32,
    encoding: Encoding,
    server: String,
}

impl ApiSource {
    /// Asks for this resource. `server` is the URL that the client connects to, for messages.
    pub fn new(client: Client, server: String, resource: Resource) -> Self {
        Self {
            client,
            request: Request::new(resource.path),
            field_selector: resource.field_selector,
            page_size: resource.page_size,
            encoding: resource.encoding,
            server,
        }
    }

    /// Sends a request. An answer that is an error becomes one.
    async fn send(&mut self, request: http::Request<Vec<u8>>) -> Result<Response<Body>, Error> {
        let mut response = self.send_once(&request).await?;
        if self.encoding == Encoding::Protobuf && response.status() == StatusCode::NOT_ACCEPTABLE {
            tracing::debug!(
                server = self.server,
                "protobuf is not served; JSON is asked for"
            );
            self.encoding = Encoding::Json;
            response = self.send_once(&request).await?;
        }
        let code = response.status();
        if code.is_success() {
            return Ok(response);
        }
        let body = response.into_body().collect_bytes().await?;
        Err(Error::Api(status_of(code, &body).boxed()))
    }

    async fn send_once(&self, request: &http::Request<Vec<u8>>) -> Result<Response<Body>, Error> {
        let mut request = request.clone().map(Body::from);
        if self.encoding == Encoding::Protobuf {
            let accept = HeaderValue::from_static(PROTOBUF_OR_JSON);
            request.headers_mut().insert(ACCEPT, accept);
        }
        self.client.send(request).await
    }
}

impl Source for ApiSource {
    type Stream = ApiStream;

    async fn page(&mut self, next: Option<&str>) -> Result<Bytes, ReadError> {
        let attempt = self.attempt("list");
        // Without a resourceVersion, so that the read is consistent. Any other could go back in
        // time.
        let params = ListParams {
            limit: (self.page_size > 0).then_some(self.page_size),
            continue_token: next.map(str::to_owned),
            field_selector: self.field_selector.clone(),
            ..ListParams::default()
        };
        let request = self.request.list(&params);
        let request = request.map_err(|error| attempt.failed(&Error::BuildRequest(error)))?;
        let whole = async {
            let response = self.send(request).await?;
            response.into_body().collect_bytes().await
        };
        match timeout(PAGE_PATIENCE, whole).await {
            Ok(result) => result.map_err(|error| attempt.failed(&error)),
            Err(_) => Err(attempt.timed_out("list within a minute")),
        }
    }

    async fn watch(&mut self, version: &str, seconds: u32) -> Result<ApiStream, ReadError> {
        let attempt = self.attempt("watch");
        // `WatchParams` asks for bookmarks by default, and not for initial events.
        let params = WatchParams {
            field_selector: self.field_selector.clone(),
            ..WatchParams::default().timeout(seconds)
        };
        let request = self.request.watch(&params, version);
        let request = request.map_err(|error| attempt.failed(&Error::BuildRequest(error)))?;
        match timeout(HEADERS_PATIENCE, self.send(request)).await {
            Ok(Ok(response)) => Ok(ApiStream {
                framing: Framing::of(response.headers()),
                reader: Box::new(reader(response.into_body())),
                attempt,
            }),
            Ok(Err(error)) => Err(attempt.failed(&error)),
            Err(_) => Err(attempt.timed_out("answer to a watch within half a minute")),
        }
    }

    fn attempt(&self, verb: &'static str) -> Attempt {
        Attempt {
            verb,
            server: self.server.clone(),
            path: self.request.url_path.clone(),
        }
    }
}

/// The open watch of an [`ApiSource`].
pub struct ApiStream {
    reader: Box<dyn AsyncBufRead + Send + Unpin>,
    framing: Framing,
    attempt: Attempt,
}

fn reader(body: Body) -> impl AsyncBufRead + Send + Unpin {
    let pieces = body.into_data_stream().map_err(io::Error::other);
    pieces.into_async_read()
}

impl Stream for ApiStream {
    async fn read(&mut self, line: &mut Vec<u8>) -> Result<Read, ReadError> {
        // A part of a line that was read stays in `line`. The first poll that finds nothing makes
        // the connection read, and the second sees whether there was more.
        let mut begun = poll!(pin!(read_event(&mut *self.reader, self.framing, line)));
        if begun.is_pending() {
            yield_now().await;
            begun = poll!(pin!(read_event(&mut *self.reader, self.framing, line)));
        }
        let result = match begun {
            Poll::Ready(result) => result,
            Poll::Pending => {
                sleep(GATHER).await;
                read_event(&mut *self.reader, self.framing, line).await
            }
        };
        match result {
            // A rest without an end was cut off and means nothing.
            Ok(()) if self.framing.is_whole(line) => Ok(match self.framing {
                Framing::Lines => Read::Line,
                Framing::Frames => Read::Frame,
            }),
            Ok(()) if self.framing.is_too_long(line) => Ok(Read::TooLong),
            Ok(()) => Ok(Read::End),
            // A connection that is cut is an ordinary end of a watch. The next request shows
            // whether more is wrong.
            Err(error) => {
                let error = Error::ReadEvents(error);
                tracing::debug!(error = %self.attempt.failed(&error), "a watch was cut off");
                Ok(Read::End)
            }
        }
    }
}

/// Appends to `event` up to the end of the event or of the stream, or until it is too long. What
/// has been taken from the reader is in `event`, so that nothing is lost when this is dropped.
async fn read_event(
    reader: &mut (dyn AsyncBufRead + Send + Unpin),
    framing: Framing,
    event: &mut Vec<u8>,
) -> io::Result<()> {
    while !framing.is_whole(event) && !framing.is_too_long(event) {
        let piece = reader.fill_buf().await?;
        if piece.is_empty() {
            return Ok(());
        }
        let taken = framing.takes(event, piece);
        event.extend_from_slice(&piece[..taken]);
        reader.consume_unpin(taken);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_without_an_end_is_given_up() {
        let attempt = Attempt {
            verb: "watch",
            server: "test".into(),
            path: "/api/v1/pods".into(),
        };
        let endless = futures::io::repeat(b' ');
        let mut stream = ApiStream {
            reader: Box::new(futures::io::BufReader::with_capacity(1 << 20, endless)),
            framing: Framing::Lines,
            attempt,
        };
        let mut line = Vec::new();
        assert_eq!(stream.read(&mut line).await, Ok(Read::TooLong));
        assert!(line.len() <= LONGEST_EVENT + (1 << 20));
        // A frame says how long it is, and nothing of one that is too long is kept.
        stream.framing = Framing::Frames;
        let mut frame = Vec::new();
        assert_eq!(stream.read(&mut frame).await, Ok(Read::TooLong));
        assert_eq!(frame, b"    ");
    }
}
