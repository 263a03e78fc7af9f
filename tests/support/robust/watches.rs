//! Lists and watches, with the loop that reads them for the controller.

use daemonset_controller::wire::Encoded;
use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use daemonset_controller::runtime::{
    list_watch::{ListWatch, Read, Sink, Source, Stream},
    read_error::{Attempt, ReadError},
};
use rand::{SeedableRng, rngs::StdRng};
use tokio::sync::{Notify, watch};

/// What is listed where the bytes are no list, or a line of the watch cannot be read.
const GOOD: &str =
    r#"{"metadata":{"resourceVersion":"99"},"items":[{"metadata":{"name":"good"}}]}"#;

/// What the loop handed over.
#[derive(Default)]
struct Seen {
    /// By call.
    calls: BTreeMap<&'static str, usize>,
    has_good: bool,
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Seen>>);

impl Recorder {
    fn count(&self, call: &'static str) {
        *self.0.lock().expect("seen").calls.entry(call).or_default() += 1;
    }
}

impl Sink for Recorder {
    fn list_began(&mut self) {
        self.count("began");
    }
    fn listed(&mut self, item: Encoded<'_>) {
        self.count("listed");
        let is_good = item
            .as_json()
            .is_some_and(|json| json.get() == r#"{"metadata":{"name":"good"}}"#);
        self.0.lock().expect("seen").has_good |= is_good;
    }
    fn list_completed(&mut self, version: &str) {
        assert!(!version.is_empty() && version != "0");
        self.count("completed");
    }
    fn list_failed(&mut self) {
        self.count("failed");
    }
    fn changed(&mut self, _: Encoded<'_>) {
        self.count("changed");
    }
    fn deleted(&mut self, _: Encoded<'_>) {
        self.count("deleted");
    }
    fn bookmark(&mut self, version: &str) {
        assert!(version.bytes().all(|byte| byte.is_ascii_digit()));
        self.count("bookmark");
    }
}

/// Answers the first list and the first watch with the bytes; later lists with [`GOOD`], and later
/// watches with silence.
struct Bytewise {
    list: Option<Bytes>,
    lines: Option<Vec<Vec<u8>>>,
}

struct Lines(std::vec::IntoIter<Vec<u8>>, bool);

impl Source for Bytewise {
    type Stream = Lines;

    async fn page(&mut self, _: Option<&str>) -> Result<Bytes, ReadError> {
        Ok(self
            .list
            .take()
            .unwrap_or(Bytes::from_static(GOOD.as_bytes())))
    }

    async fn watch(&mut self, _: &str, _: u32) -> Result<Lines, ReadError> {
        let is_first = self.lines.is_some();
        Ok(Lines(
            self.lines.take().unwrap_or_default().into_iter(),
            is_first,
        ))
    }

    fn attempt(&self, verb: &'static str) -> Attempt {
        Attempt {
            verb,
            server: "test".into(),
            path: "/api/v1/pods".into(),
        }
    }
}

impl Stream for Lines {
    async fn read(&mut self, line: &mut Vec<u8>) -> Result<Read, ReadError> {
        match self.0.next() {
            Some(next) => {
                line.extend_from_slice(&next);
                Ok(Read::Line)
            }
            None if self.1 => Ok(Read::End),
            None => pending().await,
        }
    }
}

/// Any bytes: the first line is the answer to a list, and the others are those of a watch.
pub fn watch(data: &[u8]) {
    let mut lines = data
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec);
    let list = Bytes::from(lines.next().unwrap_or_default());
    let source = Bytewise {
        list: Some(list),
        lines: Some(lines.collect()),
    };
    let seen = Recorder::default();
    let list_watch = ListWatch::new(source, "Pod", seen.clone(), StdRng::seed_from_u64(1));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let (_stop, stopped) = watch::channel(false);
    runtime.block_on(async {
        let run = list_watch.run(Arc::new(Notify::new()), stopped);
        let ended = tokio::time::timeout(Duration::from_secs(600), run).await;
        assert!(ended.is_err(), "the loop goes on for ever");
    });
    let seen = seen.0.lock().expect("seen");
    let count = |call: &str| seen.calls.get(call).copied().unwrap_or(0);
    assert!(
        count("completed") > 0,
        "a list that can be read follows: {:?}",
        seen.calls
    );
    assert_eq!(count("began"), count("completed") + count("failed"));
    // The first list, and what can go wrong after it once.
    assert!(count("began") == 1 || seen.has_good);
}
