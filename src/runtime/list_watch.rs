//! Lists one resource and then watches it, for ever: what the API server holds goes to a [`Sink`], in order.
//!
//! kube's watcher is not used because the cache must see when a list begins, its version, when it is complete and when
//! it failed (a relist is a diff, never a "clear first"), and because objects that cannot be decoded must get through.
//!
//! The contract: a list is consistent and in pages; the watch goes on from the list's version; whatever ends a watch, the
//! next one goes on from the last version seen; only 410, or a watch that keeps failing, leads to another list. No
//! request follows another without a pause where the first one failed. Troubles are said once.

mod source;

#[cfg(test)]
mod http_tests;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use kube::{Client, Error};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::value::RawValue;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};

pub use source::{ApiSource, ApiStream, Failure, Page, PageMetadata, Read, Source, Stream};
use source::{Event, decode_event, failed, outcome, version_of};

use crate::apply::client::verbs::Verb;
use crate::runtime::trouble::{Kind, Trouble, undecodable};

/// A watch that has lived this long is in order: backoff starts anew and troubles are over.
const SETTLED: Duration = Duration::from_secs(5);

/// How long after its timeout a watch that has not ended is taken for dead.
const IDLE_LIMIT: Duration = Duration::from_secs(15);

/// Watches that the API server refused or ended at once, in a row, after which the list is read again.
const RELIST_AFTER: u32 = 5;

/// The first pause after a failure, before jitter; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The first pause after a watch that told something and was ended early, before jitter. A busy API server does that to
/// watches that it cannot keep up with, and every moment without one is a moment in which nothing is known.
const FIRST_PAUSE_AFTER_NEWS: Duration = Duration::from_millis(20);

/// No such pause is longer.
const LONGEST_PAUSE_AFTER_NEWS: Duration = Duration::from_secs(1);

/// Watches that were ended early after they told something, in a row, of which it is said that something is wrong.
const TOO_MANY_CUT_SHORT: u32 = 5;

/// What is listed and watched.
#[derive(Clone, Debug)]
pub struct Resource {
    /// The kind, for logs: `Pod`.
    pub kind: &'static str,
    /// The path, e.g. `/api/v1/pods` or `/apis/apps/v1/namespaces/x/daemonsets`.
    pub path: String,
    /// Only these, e.g. `metadata.name=x`.
    pub field_selector: Option<String>,
    /// Objects a page of a list; 0 reads the list in one piece.
    pub page_size: u32,
}

/// Takes what lists and watches bring. Called synchronously and in order; must not block.
///
/// A list is `list_began`, any number of `listed`, and then `list_completed` or `list_failed`. Between lists come
/// `changed`, `deleted` and `bookmark`. On shutdown nothing is called any more, even in the middle of a list.
pub trait Sink: Send {
    /// A page or a watch was asked for: `ok`, or a word for why it was not had.
    fn asked(&mut self, _verb: Verb, _outcome: &'static str) {}
    /// A list begins. What was known stays valid.
    fn list_began(&mut self);
    /// An object of the list, undecoded.
    fn listed(&mut self, item: &RawValue);
    /// The list is complete, and as of this version.
    fn list_completed(&mut self, version: &str);
    /// The list was not finished: what was listed since `list_began` is to be dropped.
    fn list_failed(&mut self);
    /// An object was added or modified.
    fn changed(&mut self, item: &RawValue);
    /// An object was deleted; this is its last state, with the version of the deletion.
    fn deleted(&mut self, item: &RawValue);
    /// Everything up to this version has been seen.
    fn bookmark(&mut self, version: &str);
    /// The event of this version, and with it all before it, has been handed over.
    fn seen(&mut self, _version: &str) {}
}

/// Where the loop stands.
#[derive(Debug)]
enum State<W> {
    /// Nothing is known, or what was known is too old: list from the first page.
    Unlisted,
    /// In the middle of a list.
    Paging {
        /// Stands for the next page.
        next: String,
    },
    /// Everything up to `version` is known, and no watch is open.
    Listed {
        /// Where to go on from.
        version: String,
    },
    /// A watch is open.
    Watching(Watching<W>),
}

/// An open watch.
#[derive(Debug)]
struct Watching<W> {
    /// Where the next watch goes on from.
    version: String,
    /// The watch.
    stream: W,
    /// When it was opened.
    opened: Instant,
    /// When it is taken for dead.
    dead: Instant,
    /// Whether it has lived for [`SETTLED`].
    settled: bool,
    /// Whether it has told of anything later than where it began.
    told: bool,
}

/// The loop for one resource.
pub struct ListWatch<S: Source, K> {
    source: S,
    sink: K,
    kind: &'static str,
    rng: StdRng,
    /// Lists that failed in a row; a completed list sets it back.
    failed_lists: u32,
    /// Watches that failed, ended at once or were gone, in a row; only a settled watch sets it back, so that a list
    /// that works does not speed up a watch that does not.
    failed_watches: u32,
    /// Those of them that speak against this version; at [`RELIST_AFTER`] the list is read again.
    refused_watches: u32,
    /// Watches that told something and were ended early, in a row; only a settled watch sets it back.
    cut_short: u32,
    /// What was last said.
    trouble: Option<(Kind, &'static str)>,
    /// Whether a list has begun and not ended.
    listing: bool,
    /// The line that is being read.
    line: Vec<u8>,
}

/// Lists and watches `resource` until `shutdown` is true or its sender is gone; then drops everything at once. Each
/// permit of `again` makes it drop what it does and list anew.
///
/// `server` is where `client` connects to, for messages. `rng` decides on jitter and on how long watches are.
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
    /// A loop that has not begun.
    pub fn new(source: S, kind: &'static str, sink: K, rng: StdRng) -> Self {
        Self {
            source,
            sink,
            kind,
            rng,
            failed_lists: 0,
            failed_watches: 0,
            refused_watches: 0,
            cut_short: 0,
            trouble: None,
            listing: false,
            line: Vec::new(),
        }
    }

    /// Runs until `shutdown` is true or its sender is gone, and lists anew for each permit of `again`.
    pub async fn run(mut self, again: Arc<Notify>, mut shutdown: watch::Receiver<bool>) {
        let mut state = State::Unlisted;
        loop {
            state = tokio::select! {
                biased;
                () = stopped(&mut shutdown) => return,
                () = again.notified() => {
                    if std::mem::take(&mut self.listing) {
                        self.sink.list_failed();
                    }
                    State::Unlisted
                }
                state = self.step(state) => state,
            };
        }
    }

    /// One request, or one line of a watch, and any pause that it calls for.
    async fn step(&mut self, state: State<S::Stream>) -> State<S::Stream> {
        match state {
            State::Unlisted => {
                self.listing = true;
                self.sink.list_began();
                self.read_page(None).await
            }
            State::Paging { next } => self.read_page(Some(&next)).await,
            State::Listed { version } => self.open(version).await,
            State::Watching(watching) => self.read_line(watching).await,
        }
    }

    async fn read_line(&mut self, mut watching: Watching<S::Stream>) -> State<S::Stream> {
        let settled_at = watching.opened + SETTLED;
        let until = if watching.settled {
            watching.dead
        } else {
            settled_at
        };
        let read = timeout_at(until, watching.stream.read(&mut self.line)).await;
        if !watching.settled && Instant::now() >= settled_at {
            watching.settled = true;
            self.settle();
        }
        let failure = match read {
            Err(_) if until < watching.dead => return State::Watching(watching),
            Err(_) => {
                let seconds = watching.opened.elapsed().as_secs();
                self.say(self.source.attempt("watch").silent(seconds));
                return State::Listed {
                    version: watching.version,
                };
            }
            Ok(Ok(Read::Line)) => match self.take_line(&mut watching.version) {
                Ok(news) => {
                    watching.told |= news;
                    return State::Watching(watching);
                }
                Err(failure) => failure,
            },
            Ok(Ok(Read::End)) if watching.settled => {
                return State::Listed {
                    version: watching.version,
                };
            }
            Ok(Ok(Read::End)) if watching.told => {
                let Watching { version, .. } = watching;
                self.watch_cut_short().await;
                return State::Listed { version };
            }
            Ok(Ok(Read::End)) => Failure::Trouble {
                trouble: self.source.attempt("watch").short_lived(),
                answered: true,
                retry_after: None,
            },
            Ok(Err(failure)) => failure,
        };
        // The pause after a failure is not spent with an open connection.
        let Watching { version, .. } = watching;
        self.watch_failed(version, failure).await
    }

    async fn read_page(&mut self, next: Option<&str>) -> State<S::Stream> {
        let result = self.source.page(next).await;
        self.sink.asked(Verb::List, outcome(&result));
        let failure = match result.as_deref().map(|body| self.take_page(body)) {
            Ok(Ok(state)) => return state,
            Ok(Err(what)) => Failure::Trouble {
                trouble: self.source.attempt("list").unreadable(&what),
                answered: true,
                retry_after: None,
            },
            Err(failure) => failure.clone(),
        };
        self.listing = false;
        self.sink.list_failed();
        self.failed_lists += 1;
        match failure {
            // The continue token is too old: an ordinary thing in a long list, once.
            Failure::Gone => {
                tracing::debug!(
                    kind = self.kind,
                    "the list became too old while it was read: again"
                );
                self.pause(self.failed_lists - 1, None).await;
            }
            Failure::Trouble {
                trouble,
                retry_after,
                ..
            } => {
                self.say(trouble);
                self.pause(self.failed_lists, retry_after).await;
            }
        }
        State::Unlisted
    }

    fn take_page(&mut self, body: &[u8]) -> Result<State<S::Stream>, String> {
        let page: Page<'_> = serde_json::from_slice(body).map_err(|error| undecodable(&error))?;
        let next = page.metadata.next.filter(|next| !next.is_empty());
        let version = page.metadata.resource_version;
        if next.is_none() && (version.is_empty() || version == "0") {
            return Err("a list without a version".to_owned());
        }
        for item in page.items.unwrap_or_default() {
            self.sink.listed(item);
        }
        Ok(match next {
            Some(next) => State::Paging { next },
            None => {
                self.failed_lists = 0;
                self.listing = false;
                self.sink.list_completed(&version);
                State::Listed { version }
            }
        })
    }

    async fn open(&mut self, version: String) -> State<S::Stream> {
        // Of different lengths, so that the watches of many kinds and copies do not end together.
        let seconds = self.rng.random_range(60..=80);
        let result = self.source.watch(&version, seconds).await;
        self.sink.asked(Verb::Watch, outcome(&result));
        match result {
            Ok(stream) => {
                self.line.clear();
                let opened = Instant::now();
                State::Watching(Watching {
                    version,
                    stream,
                    opened,
                    dead: opened + Duration::from_secs(seconds.into()) + IDLE_LIMIT,
                    settled: false,
                    told: false,
                })
            }
            Err(failure) => self.watch_failed(version, failure).await,
        }
    }

    /// Hands the line in the buffer to the sink and empties the buffer. True when `version` is another after it.
    fn take_line(&mut self, version: &mut String) -> Result<bool, Failure> {
        let line = std::mem::take(&mut self.line);
        let result = self.take_event(&line, version);
        self.line = line;
        self.line.clear();
        result
    }

    fn take_event(&mut self, line: &[u8], version: &mut String) -> Result<bool, Failure> {
        // Blank lines are no events; some proxies send them to keep a connection open.
        if line.trim_ascii().is_empty() {
            return Ok(false);
        }
        let object = match decode_event(line) {
            Ok(Event::Changed(object)) => {
                self.sink.changed(object);
                object
            }
            Ok(Event::Deleted(object)) => {
                self.sink.deleted(object);
                object
            }
            Ok(Event::Bookmark(object)) => {
                if let Some(version) = version_of(object) {
                    self.sink.bookmark(version);
                }
                object
            }
            Ok(Event::Error(status)) => {
                return Err(failed(Error::Api(status), &self.source.attempt("watch")));
            }
            Err(what) => {
                // What the line would have said is lost, and the same line may come again: only a list helps.
                self.say(self.source.attempt("watch").unreadable(what));
                return Err(Failure::Gone);
            }
        };
        let Some(later) = version_of(object) else {
            return Ok(false);
        };
        let news = version != later;
        version.clear();
        version.push_str(later);
        self.sink.seen(later);
        Ok(news)
    }

    /// A watch told something, so that the API server accepts what we ask for, and was ended early: the next one follows
    /// soon, however often others failed before.
    async fn watch_cut_short(&mut self) {
        self.refused_watches = 0;
        self.cut_short += 1;
        if self.cut_short >= TOO_MANY_CUT_SHORT {
            self.say(self.source.attempt("watch").short_lived());
        } else {
            tracing::debug!(kind = self.kind, "a watch was ended early");
        }
        let (first, longest) = (FIRST_PAUSE_AFTER_NEWS, LONGEST_PAUSE_AFTER_NEWS);
        sleep(self.backoff(self.cut_short, first, longest)).await;
    }

    /// A watch could not be opened, or was ended by an error or too soon: says so, pauses, decides what comes next.
    async fn watch_failed(&mut self, version: String, failure: Failure) -> State<S::Stream> {
        self.failed_watches += 1;
        match failure {
            Failure::Gone => {
                // At once the first time; a watch that is gone after each list has a pause like any other failure.
                tracing::debug!(
                    kind = self.kind,
                    version,
                    "the watch cannot go on: listing again"
                );
                self.refused_watches = 0;
                self.pause(self.failed_watches - 1, None).await;
                State::Unlisted
            }
            Failure::Trouble {
                trouble,
                answered,
                retry_after,
            } => {
                self.say(trouble);
                self.refused_watches += u32::from(answered);
                self.pause(self.failed_watches, retry_after).await;
                if self.refused_watches >= RELIST_AFTER {
                    self.refused_watches = 0;
                    State::Unlisted
                } else {
                    State::Listed { version }
                }
            }
        }
    }

    /// The watch is in order.
    fn settle(&mut self) {
        self.failed_watches = 0;
        self.refused_watches = 0;
        self.cut_short = 0;
        if self.trouble.take().is_some() {
            tracing::info!(kind = self.kind, "listing and watching works again");
        }
    }

    /// Says a trouble where it is another than the last.
    fn say(&mut self, trouble: Trouble) {
        let what = Some((trouble.kind, trouble.verb));
        if self.trouble == what {
            tracing::debug!(kind = self.kind, "still: {trouble}");
            return;
        }
        tracing::warn!(
            kind = self.kind,
            "{trouble}; trying again, at intervals of up to half a minute"
        );
        self.trouble = what;
    }

    /// Waits after the `failures`th failure in a row; not at all at 0.
    async fn pause(&mut self, failures: u32, retry_after: Option<Duration>) {
        if failures == 0 {
            return;
        }
        let pause = self.backoff(failures, FIRST_PAUSE, LONGEST_PAUSE);
        sleep(
            pause
                .max(retry_after.unwrap_or_default())
                .min(LONGEST_PAUSE),
        )
        .await;
    }

    /// The pause after the `count`th time in a row, from 1 on: doubles from `first` up to `longest`, less jitter.
    fn backoff(&mut self, count: u32, first: Duration, longest: Duration) -> Duration {
        let full = first.saturating_mul(1 << (count - 1).min(10)).min(longest);
        full.mul_f64(self.rng.random_range(0.5..=1.0))
    }
}

/// Resolves when it is time to stop.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it whoever could have said stop.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
