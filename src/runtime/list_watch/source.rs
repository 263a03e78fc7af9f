//! The source of lists and watches: the API server, through kube's client, or a script in tests.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::io::{AsyncBufRead, AsyncBufReadExt};
use futures::poll;
use kube::core::params::{ListParams, WatchParams};
use kube::core::{Request, Status};
use kube::{Client, Error};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::Resource;
use crate::apply::client::response::status_of;
use crate::runtime::read_error::{Attempt, ReadError};
use crate::wire::raw;

/// The timeout of a page of a list, with its body.
const PAGE_PATIENCE: Duration = Duration::from_secs(60);

/// The timeout of the headers of a watch.
const HEADERS_PATIENCE: Duration = Duration::from_secs(30);

/// The time for which a watch that has been read to its end is left alone. In a burst, events are
/// then taken many at a time, which saves a third of the CPU time of covering a thousand nodes. The
/// first event after a quiet time is taken at once.
const GATHER: Duration = Duration::from_millis(20);

/// The longest line of a watch. The API server stores no object of more than a few MiB, which JSON
/// makes a few times as long.
pub const LONGEST_LINE: usize = 64 << 20;

/// What was read of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// A whole line is in the buffer.
    Line,
    /// The line in the buffer goes on beyond [`LONGEST_LINE`].
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
    /// Appends to `line` up to the end of the current line. May be dropped and called again with
    /// the same buffer without losing anything.
    fn read(&mut self, line: &mut Vec<u8>) -> impl Future<Output = Result<Read, ReadError>> + Send;
}

/// A [`Source`] that asks the API server.
pub struct ApiSource {
    client: Client,
    request: Request,
    field_selector: Option<String>,
    page_size: u32,
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
            server,
        }
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
            let response = self.client.send(request.map(Into::into)).await?;
            let code = response.status();
            let body = response.into_body().collect_bytes().await?;
            if code.is_success() {
                Ok(body)
            } else {
                Err(Error::Api(status_of(code, &body).boxed()))
            }
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
        match timeout(HEADERS_PATIENCE, self.client.request_stream(request)).await {
            Ok(Ok(reader)) => Ok(ApiStream {
                reader: Box::new(reader),
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
    attempt: Attempt,
}

impl Stream for ApiStream {
    async fn read(&mut self, line: &mut Vec<u8>) -> Result<Read, ReadError> {
        // A part of a line that was read stays in `line`. The first poll that finds nothing makes
        // the connection read, and the second sees whether there was more.
        let mut begun = poll!(pin!(read_line(&mut *self.reader, line)));
        if begun.is_pending() {
            yield_now().await;
            begun = poll!(pin!(read_line(&mut *self.reader, line)));
        }
        let result = match begun {
            Poll::Ready(result) => result,
            Poll::Pending => {
                sleep(GATHER).await;
                read_line(&mut *self.reader, line).await
            }
        };
        match result {
            // A rest without an end of line was cut off and means nothing.
            Ok(()) if line.last() == Some(&b'\n') => Ok(Read::Line),
            Ok(()) if line.len() > LONGEST_LINE => Ok(Read::TooLong),
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

/// Appends to `line` up to the end of the line or of the stream, or until it is too long. What has
/// been taken from the reader is in `line`, so that nothing is lost when this is dropped.
async fn read_line(
    reader: &mut (dyn AsyncBufRead + Send + Unpin),
    line: &mut Vec<u8>,
) -> io::Result<()> {
    loop {
        let piece = reader.fill_buf().await?;
        if piece.is_empty() {
            return Ok(());
        }
        let end = piece.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(piece.len(), |at| at + 1);
        line.extend_from_slice(&piece[..taken]);
        reader.consume_unpin(taken);
        if end.is_some() || line.len() > LONGEST_LINE {
            return Ok(());
        }
    }
}

/// A page of a list, items undecoded and borrowed from the body.
#[derive(Debug, Deserialize)]
pub struct Page<'a> {
    /// `metadata` of the list.
    pub metadata: PageMetadata,
    /// `items`; absent or null where the page is empty.
    #[serde(borrow, default)]
    pub items: Option<Vec<&'a RawValue>>,
}

/// The fields of a list's metadata that are read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageMetadata {
    /// `metadata.resourceVersion`: the version of the whole list.
    #[serde(default)]
    pub resource_version: String,
    /// `metadata.continue`: the token of the next page; empty on the last page.
    #[serde(default, rename = "continue")]
    pub next: Option<String>,
}

/// A line of a watch, its object undecoded and borrowed from the line.
#[derive(Debug)]
pub(super) enum WatchEvent<'a> {
    /// ADDED or MODIFIED.
    Changed(&'a RawValue),
    /// DELETED.
    Deleted(&'a RawValue),
    /// BOOKMARK.
    Bookmark(&'a RawValue),
    /// ERROR, or a bare `Status`.
    Error(Box<Status>),
}

/// Decodes a line of a watch. The error says what is wrong with it, without quoting it.
pub(super) fn decode_event(line: &[u8]) -> Result<WatchEvent<'_>, &'static str> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(rename = "type", borrow)]
        event: &'a str,
        #[serde(borrow)]
        object: &'a RawValue,
    }
    let status = |text: &[u8]| {
        let status: Status =
            serde_json::from_slice(text).map_err(|_| "an error that is no Status")?;
        Ok(WatchEvent::Error(status.boxed()))
    };
    match serde_json::from_slice::<Line<'_>>(line) {
        Ok(Line { event, object }) => match event {
            "ADDED" | "MODIFIED" => Ok(WatchEvent::Changed(object)),
            "DELETED" => Ok(WatchEvent::Deleted(object)),
            "BOOKMARK" => Ok(WatchEvent::Bookmark(object)),
            "ERROR" => status(object.get().as_bytes()),
            _ => Err("a watch event of an unknown type"),
        },
        Err(_) => {
            #[derive(Deserialize)]
            struct Kind {
                kind: String,
            }
            match serde_json::from_slice::<Kind>(line) {
                Ok(Kind { kind }) if kind == "Status" => status(line),
                _ => Err("a line that is no watch event"),
            }
        }
    }
}

/// The resourceVersion of an object, which need not be readable otherwise.
pub(super) fn version_of(object: &RawValue) -> Option<&str> {
    let version = raw::find(object, &["metadata", "resourceVersion"])?;
    let version = version.get().trim_matches('"');
    // Also keeps out a version that would mean "any", or would need escaping in a URL.
    (version != "0" && !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()))
        .then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> &RawValue {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn a_version_is_read_from_objects_that_nothing_else_can_be_read_from() {
        assert_eq!(
            version_of(raw(
                r#"{"spec":7,"metadata":{"name":[],"resourceVersion":"12"}}"#
            )),
            Some("12")
        );
        assert_eq!(
            version_of(raw(r#"{"metadata":{"resourceVersion":12}}"#)),
            Some("12")
        );
        for none in [
            r#"{}"#,
            "7",
            r#"{"metadata":7}"#,
            r#"{"metadata":{"resourceVersion":""}}"#,
        ] {
            assert_eq!(version_of(raw(none)), None);
        }
        assert_eq!(
            version_of(raw(r#"{"metadata":{"resourceVersion":"0"}}"#)),
            None
        );
        assert_eq!(
            version_of(raw(r#"{"metadata":{"resourceVersion":"1&x"}}"#)),
            None
        );
    }

    #[test]
    fn a_line_is_read_in_either_order() {
        assert!(matches!(
            decode_event(br#"{"type":"ADDED","object":{}}"#),
            Ok(WatchEvent::Changed(_))
        ));
        assert!(matches!(
            decode_event(br#"{"object":{},"type":"DELETED"}"#),
            Ok(WatchEvent::Deleted(_))
        ));
        assert!(
            matches!(decode_event(br#"{"kind":"Status","code":410}"#), Ok(WatchEvent::Error(s)) if s.code == 410)
        );
        for bad in [
            "",
            "{",
            "<html>",
            r#"{"type":"NEW","object":{}}"#,
            r#"{"type":"ERROR","object":7}"#,
        ] {
            assert!(decode_event(bad.as_bytes()).is_err(), "{bad}");
        }
    }

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
            attempt,
        };
        let mut line = Vec::new();
        assert_eq!(stream.read(&mut line).await, Ok(Read::TooLong));
        assert!(line.len() <= LONGEST_LINE + (1 << 20));
    }
}
