//! Lists one resource and then watches it, for ever. What the API server holds goes to a [`Sink`],
//! in order.
//!
//! kube's watcher is not used, for two reasons. The cache must see when a list begins, its
//! resourceVersion, when it is complete and when it failed, because a relist is a diff and never
//! clears first. And objects that cannot be decoded must get through.
//!
//! The contract: a list is consistent and read in pages, and the watch goes on from the list's
//! resourceVersion. Whatever ends a watch, the next one goes on from the last resourceVersion that
//! was seen; only 410, or a watch that keeps failing, leads to another list. A request that failed
//! is followed by a pause ([`retries`]). An error is logged once.

mod event;
mod framing;
mod page;
mod retries;
mod sink;
mod source;

#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod protobuf_tests;
#[cfg(test)]
mod settle_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use kube::{Client, Error};
use rand::rngs::StdRng;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};

pub use page::Page;
pub use sink::{Resource, Sink};
pub use source::{ApiSource, ApiStream, Read, Source, Stream};

use event::{WatchEvent, decode_event, decode_frame};
use retries::{Next, Retries};

use crate::apply::client::verbs::Verb;
use crate::runtime::read_error::ReadError;

/// A watch that has lived this long is in order: backoff starts anew and errors are over.
const SETTLED: Duration = Duration::from_secs(5);

/// The time between two steps of settling what a list lacked.
const SETTLE_PAUSE: Duration = Duration::from_millis(1);

/// How long after its timeout a watch that has not ended counts as dead.
const IDLE_LIMIT: Duration = Duration::from_secs(15);

/// Where the loop stands.
#[derive(Debug)]
enum LoopState<W> {
    /// Nothing is known, or what is known is too old: list from the first page.
    Unlisted,
    /// In the middle of a list.
    Paging {
        /// The continue token of the next page.
        next: String,
    },
    /// Everything up to `version` is known, and no watch is open.
    Listed {
        /// The resourceVersion from which the next watch goes on.
        version: String,
    },
    /// A watch is open.
    Watching(Watching<W>),
}

/// An open watch.
#[derive(Debug)]
struct Watching<W> {
    /// The resourceVersion from which the next watch goes on.
    version: String,
    stream: W,
    opened: Instant,
    /// When it counts as dead.
    dead: Instant,
    /// Whether it has lived for [`SETTLED`].
    settled: bool,
    /// Whether it brought anything later than where it began.
    has_news: bool,
}

impl<W> Watching<W> {
    /// Ends the watch, so that no pause is spent with an open connection. Returns where the next
    /// one goes on.
    fn close(self) -> String {
        self.version
    }
}

/// The loop for one resource.
pub struct ListWatch<S: Source, K> {
    source: S,
    sink: K,
    retries: Retries,
    /// Whether a list has begun and not ended.
    listing: bool,
    /// The line or the frame that is being read.
    line: Vec<u8>,
}

/// Lists and watches `resource` until `shutdown` is true or its sender is gone; then drops
/// everything at once. Each permit of `again` makes it drop what it does and list again.
///
/// `server` is the URL that `client` connects to, for messages. `rng` makes the jitter and the
/// timeouts of watches.
pub async fn run<K: Sink>(
    client: Client,
    server: &str,
    resource: Resource,
    sink: K,
    rng: StdRng,
    again: Arc<Notify>,
    shutdown: watch::Receiver<bool>,
) {
    let kind = resource.kind;
    let source = ApiSource::new(client, server.to_owned(), resource);
    ListWatch::new(source, kind, sink, rng)
        .run(again, shutdown)
        .await;
}

impl<S: Source, K: Sink> ListWatch<S, K> {
    /// A loop that has not begun. `kind` is for logs.
    pub fn new(source: S, kind: &'static str, sink: K, rng: StdRng) -> Self {
        Self {
            source,
            sink,
            retries: Retries::new(kind, rng),
            listing: false,
            line: Vec::new(),
        }
    }

    /// Runs until `shutdown` is true or its sender is gone, and lists again for each permit of
    /// `again`.
    pub async fn run(mut self, again: Arc<Notify>, mut shutdown: watch::Receiver<bool>) {
        let mut state = LoopState::Unlisted;
        loop {
            state = tokio::select! {
                biased;
                () = stopped(&mut shutdown) => return,
                () = again.notified() => {
                    if std::mem::take(&mut self.listing) {
                        self.sink.list_failed();
                    }
                    LoopState::Unlisted
                }
                state = self.step(state) => state,
            };
        }
    }

    /// One request, or one event of a watch, and the pause that follows from it.
    async fn step(&mut self, state: LoopState<S::Stream>) -> LoopState<S::Stream> {
        if !matches!(state, LoopState::Watching(_)) {
            self.sink.watching(false);
        }
        match state {
            LoopState::Unlisted => {
                self.listing = true;
                self.sink.list_began();
                self.read_page(None).await
            }
            LoopState::Paging { next } => self.read_page(Some(&next)).await,
            LoopState::Listed { version } => self.open(version).await,
            LoopState::Watching(watching) => self.read_line(watching).await,
        }
    }

    async fn read_line(&mut self, mut watching: Watching<S::Stream>) -> LoopState<S::Stream> {
        let settled_at = watching.opened + SETTLED;
        let until = if watching.settled {
            watching.dead
        } else {
            settled_at
        };
        let read = timeout_at(until, watching.stream.read(&mut self.line)).await;
        if !watching.settled && Instant::now() >= settled_at {
            watching.settled = true;
            self.retries.watch_settled();
        }
        let error = match read {
            Err(_) if until < watching.dead => return LoopState::Watching(watching),
            Err(_) => {
                let seconds = watching.opened.elapsed().as_secs();
                let error = self.source.attempt("watch").silent(seconds);
                self.retries.report(&error);
                return LoopState::Listed {
                    version: watching.version,
                };
            }
            Ok(Ok(read @ (Read::Line | Read::Frame))) => {
                match self.take(read, &mut watching.version) {
                    Ok(is_news) => {
                        watching.has_news |= is_news;
                        return LoopState::Watching(watching);
                    }
                    Err(error) => error,
                }
            }
            Ok(Ok(Read::TooLong)) => {
                self.line = Vec::new();
                self.lost("an event of a watch of more than 64 MiB")
            }
            Ok(Ok(Read::End)) if watching.settled => {
                return LoopState::Listed {
                    version: watching.version,
                };
            }
            Ok(Ok(Read::End)) => {
                let error = self.source.attempt("watch").short_lived();
                if watching.has_news {
                    let version = watching.close();
                    let time = self.retries.watch_cut_short(&error);
                    self.pause(time).await;
                    return LoopState::Listed { version };
                }
                error
            }
            Ok(Err(error)) => error,
        };
        self.watch_failed(watching.close(), error).await
    }

    async fn read_page(&mut self, next: Option<&str>) -> LoopState<S::Stream> {
        let result = self.source.page(next).await;
        self.sink.asked(Verb::List, outcome(&result));
        let error = match result.as_deref().map(|body| self.take_page(body)) {
            Ok(Ok(state)) => {
                if !self.listing {
                    self.settle().await;
                }
                return state;
            }
            Ok(Err(what)) => self.source.attempt("list").unreadable(&what),
            Err(error) => error.clone(),
        };
        self.listing = false;
        self.sink.list_failed();
        let time = self.retries.list_failed(&error);
        self.pause(time).await;
        LoopState::Unlisted
    }

    fn take_page(&mut self, body: &[u8]) -> Result<LoopState<S::Stream>, String> {
        let Page {
            version,
            next,
            items,
        } = Page::read(body)?;
        if next.is_none() && (version.is_empty() || version == "0") {
            return Err("a list without a resourceVersion".to_owned());
        }
        for item in items {
            self.sink.listed(item);
        }
        Ok(match next {
            Some(next) => LoopState::Paging { next },
            None => {
                self.retries.list_completed();
                self.listing = false;
                self.sink.list_completed(&version);
                LoopState::Listed { version }
            }
        })
    }

    /// Lets the sink settle what the list lacked, with time in between for all others.
    async fn settle(&mut self) {
        while !self.sink.settle() {
            sleep(SETTLE_PAUSE).await;
        }
    }

    async fn open(&mut self, version: String) -> LoopState<S::Stream> {
        let seconds = self.retries.watch_seconds();
        let result = self.source.watch(&version, seconds).await;
        self.sink.asked(Verb::Watch, outcome(&result));
        match result {
            Ok(stream) => {
                self.retries.watch_opened();
                self.sink.watching(true);
                self.line.clear();
                let opened = Instant::now();
                LoopState::Watching(Watching {
                    version,
                    stream,
                    opened,
                    dead: opened + Duration::from_secs(seconds.into()) + IDLE_LIMIT,
                    settled: false,
                    has_news: false,
                })
            }
            Err(error) => self.watch_failed(version, error).await,
        }
    }

    /// Hands what was read to the sink and empties the buffer. True when it changes `version`.
    fn take(&mut self, read: Read, version: &mut String) -> Result<bool, ReadError> {
        let line = std::mem::take(&mut self.line);
        let result = match read {
            Read::Frame => self.take_event(decode_frame(&line), version),
            // Blank lines are no events; some proxies send them to keep a connection open.
            _ if line.trim_ascii().is_empty() => Ok(false),
            _ => self.take_event(decode_event(&line), version),
        };
        self.line = line;
        self.line.clear();
        result
    }

    fn take_event(
        &mut self,
        event: Result<WatchEvent<'_>, &'static str>,
        version: &mut String,
    ) -> Result<bool, ReadError> {
        let object = match event {
            Ok(WatchEvent::Changed(object)) => {
                self.sink.changed(object);
                object
            }
            Ok(WatchEvent::Deleted(object)) => {
                self.sink.deleted(object);
                object
            }
            Ok(WatchEvent::Bookmark(object)) => {
                if let Some(version) = object.version() {
                    self.sink.bookmark(version);
                }
                object
            }
            Ok(WatchEvent::Error(status)) => {
                return Err(self.source.attempt("watch").failed(&Error::Api(status)));
            }
            Err(what) => return Err(self.lost(what)),
        };
        let Some(later) = object.version() else {
            return Ok(false);
        };
        let is_news = version != later;
        version.clear();
        version.push_str(later);
        self.sink.seen(later);
        Ok(is_news)
    }

    /// An event cannot be read. Its content is lost, and another watch may bring the same: only a
    /// list helps.
    fn lost(&mut self, what: &str) -> ReadError {
        let attempt = self.source.attempt("watch");
        self.retries.report(&attempt.unreadable(what));
        attempt.expired()
    }

    async fn watch_failed(&mut self, version: String, error: ReadError) -> LoopState<S::Stream> {
        let (time, next) = self.retries.watch_failed(&error);
        self.pause(time).await;
        match next {
            Next::Watch => LoopState::Listed { version },
            Next::List => LoopState::Unlisted,
        }
    }

    /// Waits that long without a watch, and for no time does not even yield.
    async fn pause(&mut self, time: Duration) {
        self.sink.watching(false);
        if !time.is_zero() {
            sleep(time).await;
        }
    }
}

/// What became of a request, as a value of the metrics' label `outcome`.
fn outcome<T>(result: &Result<T, ReadError>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(error) => error.outcome(),
    }
}

/// Returns when it is time to stop.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone: nobody can ask for a stop any more, which is one too.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
