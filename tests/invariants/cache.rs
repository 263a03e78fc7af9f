//! The cache ends with the state that the API server holds, and never goes back to an older one, in
//! whatever order it hears of changes.
//!
//! A history of writes is told by a watch that lags, breaks off and lists again (in pages, while
//! more is written), and by answers to requests of our own that arrive at any time after they were
//! carried out, or never. The seed is fixed; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` choose
//! others.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::api::{self, Api, NAMES};
use crate::config::config;
use crate::support::*;
use daemonset_controller::{
    cache::{Cache, Ticket},
    model::{Key, Kind, Settings, Uid, Version},
};
use proptest::prelude::*;

/// One thing that happens. Numbers choose among what is there at that moment.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody writes: creates, changes or deletes the object of this name.
    Write(usize, u8),
    /// A request of ours about the object of this name begins.
    Begin(usize, Ask),
    /// The server carries a request out.
    Serve(usize),
    /// A request's answer arrives; one that was not carried out was lost on the way.
    Answer(usize),
    /// The watch (or the list under way) tells the next piece.
    Next,
    /// It tells the last piece again.
    Again,
    /// The watch or list breaks off, and a list begins.
    Relist,
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Get,
    Change,
    Delete,
}

struct Request {
    ticket: Ticket,
    key: Key,
    /// The precondition of a delete.
    uid: Option<Uid>,
    ask: Ask,
    /// Carried out, with what was found.
    answer: Option<Option<Object>>,
}

enum Feed {
    List {
        /// Set when the server reads the list.
        read: Option<(u64, Vec<Object>)>,
        told: usize,
    },
    /// The list was of this version, and it is being settled what it lacked.
    Settle { version: u64 },
    Watch {
        /// Position in the server's log.
        next: usize,
    },
}

/// The server, the cache, and what is under way between them.
struct Run {
    kind: Kind,
    api: Api,
    cache: Cache,
    feed: Feed,
    requests: Vec<Request>,
    /// Highest version seen of each UID in the cache, and whether it is there now.
    seen: HashMap<Uid, (Version, bool)>,
}

impl Run {
    fn new(kind: Kind) -> Run {
        let mut run = Run {
            kind,
            api: Api::new(kind),
            cache: Cache::default(),
            feed: Feed::Watch { next: 0 },
            requests: Vec::new(),
            seen: HashMap::new(),
        };
        run.relist();
        run
    }

    fn row(&self, key: &Key) -> Option<(Uid, Version)> {
        match self.kind {
            Kind::DaemonSet => {
                let ds = self.cache.daemon_set(key);
                ds.map(|d| (d.uid.clone(), d.version))
            }
            Kind::Node => {
                let node = self.cache.nodes().by_name(&key.name);
                node.map(|(_, n)| (n.uid.clone(), n.version))
            }
            Kind::Revision => {
                let revision = self.cache.revision(key);
                revision.map(|r| (r.uid.clone(), r.version))
            }
            Kind::Pod => self.cache.pod(key).map(|p| (p.uid.clone(), p.version)),
        }
    }

    fn rows(&self) -> BTreeMap<Key, (Uid, Version)> {
        let keys = (0..NAMES).map(|i| self.api.key(i));
        keys.filter_map(|k| self.row(&k).map(|r| (k, r))).collect()
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Write(name, how) => self.api.write(name, how),
            Step::Begin(name, ask) => {
                let key = self.api.key(name);
                let uid = self.row(&key).map(|(uid, _)| uid);
                if let (Ask::Delete, Some(uid)) = (ask, &uid) {
                    self.cache.delete_pending(&key, uid);
                }
                if uid.is_some() || !matches!(ask, Ask::Delete) {
                    self.requests.push(Request {
                        ticket: self.cache.request_began(),
                        key,
                        uid,
                        ask,
                        answer: None,
                    });
                }
            }
            Step::Serve(i) => {
                let waiting = self.requests.iter_mut().filter(|r| r.answer.is_none());
                let waiting: Vec<&mut Request> = waiting.collect();
                let n = waiting.len().max(1);
                if let Some(request) = waiting.into_iter().nth(i % n) {
                    let answer = match request.ask {
                        Ask::Get => self.api.get(&request.key),
                        Ask::Change => self.api.change(&request.key),
                        Ask::Delete => self.api.delete(&request.key, request.uid.as_ref()),
                    };
                    request.answer = Some(answer);
                }
            }
            Step::Answer(i) if !self.requests.is_empty() => {
                let request = self.requests.swap_remove(i % self.requests.len());
                self.answer(request);
            }
            Step::Answer(_) => {}
            Step::Next => self.next()?,
            Step::Again => self.again(),
            Step::Relist => self.relist(),
        }
        self.check()
    }

    fn answer(&mut self, request: Request) {
        let Request {
            ticket,
            key,
            uid,
            ask,
            answer,
        } = request;
        match (answer, uid) {
            (Some(Some(object)), _) => self.observe(&object),
            // 404, or another UID: what was meant is gone.
            (Some(None), Some(uid)) => self.cache.gone(self.kind, &key, &uid),
            (None, Some(uid)) if matches!(ask, Ask::Delete) => {
                self.cache.delete_settled(&key, &uid);
            }
            _ => {}
        }
        self.cache.request_ended(ticket);
    }

    fn observe(&mut self, object: &Object) {
        self.cache
            .observe(self.kind, &object.raw())
            .expect("it decodes");
    }

    fn relist(&mut self) {
        if let Feed::List { .. } = self.feed {
            self.cache.list_failed(self.kind);
        }
        self.cache.list_began(self.kind);
        self.feed = Feed::List {
            read: None,
            told: 0,
        };
    }

    fn next(&mut self) -> Result<(), TestCaseError> {
        let completed = match &mut self.feed {
            Feed::Watch { next } => {
                if let Some(event) = self.api.log.get(*next) {
                    *next += 1;
                    api::tell(&mut self.cache, self.kind, event);
                }
                return Ok(());
            }
            Feed::List { read, told } => {
                let (version, objects) = read.get_or_insert_with(|| self.api.list());
                if let Some(object) = objects.get(*told) {
                    *told += 1;
                    self.cache
                        .listed(self.kind, &object.raw())
                        .expect("it decodes");
                    return Ok(());
                }
                let version = *version;
                self.cache.list_ended(self.kind, Version(version));
                version
            }
            Feed::Settle { version } => *version,
        };
        let before = self.rows();
        let is_settled = self.cache.settle(self.kind, 1);
        let after = self.rows();
        for (key, (uid, version)) in before {
            prop_assert!(
                version.0 <= completed || after.get(&key) == Some(&(uid, version)),
                "a list of version {completed} took {key} of version {version}"
            );
        }
        if !is_settled {
            self.feed = Feed::Settle { version: completed };
            return Ok(());
        }
        let next = self.api.log.iter().position(|e| e.version > completed);
        self.feed = Feed::Watch {
            next: next.unwrap_or(self.api.log.len()),
        };
        Ok(())
    }

    fn again(&mut self) {
        match &self.feed {
            Feed::Watch { next } if *next > 0 => {
                api::tell(&mut self.cache, self.kind, &self.api.log[*next - 1]);
            }
            Feed::List {
                read: Some((_, objects)),
                told,
            } if *told > 0 => {
                let raw = objects[*told - 1].raw();
                self.cache.listed(self.kind, &raw).expect("it decodes");
            }
            _ => {}
        }
    }

    /// No object goes back to an older version, and none that was gone comes back.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let rows = self.rows();
        for (key, (uid, version)) in &rows {
            let (had, there) = self.seen.entry(uid.clone()).or_insert((*version, true));
            prop_assert!(*there, "{key} ({uid}) comes back from the dead");
            prop_assert!(
                version >= had,
                "{key} ({uid}) went back from {had} to {version}"
            );
            *had = *version;
        }
        let present: HashSet<&Uid> = rows.values().map(|(uid, _)| uid).collect();
        for (uid, (_, there)) in &mut self.seen {
            *there = present.contains(uid);
        }
        Ok(())
    }

    /// Everything under way arrives.
    fn drain(&mut self) -> Result<(), TestCaseError> {
        while let Some(request) = self.requests.pop() {
            self.answer(request);
            self.check()?;
        }
        while !matches!(self.feed, Feed::Watch { .. }) {
            self.next()?;
            self.check()?;
        }
        for _ in 0..=self.api.log.len() {
            self.next()?;
            self.check()?;
        }
        Ok(())
    }
}

fn step() -> impl Strategy<Value = Step> {
    let ask = prop_oneof![Just(Ask::Get), Just(Ask::Change), Just(Ask::Delete)];
    prop_oneof![
        6 => (0..NAMES, any::<u8>()).prop_map(|(n, how)| Step::Write(n, how)),
        3 => (0..NAMES, ask).prop_map(|(n, ask)| Step::Begin(n, ask)),
        4 => any::<usize>().prop_map(Step::Serve),
        3 => any::<usize>().prop_map(Step::Answer),
        8 => Just(Step::Next),
        1 => Just(Step::Again),
        1 => Just(Step::Relist),
    ]
}

fn run(kind: Kind, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut run = Run::new(kind);
    for step in steps {
        run.step(step)?;
    }
    run.drain()?;
    let expected: BTreeMap<Key, (Uid, Version)> = run
        .api
        .objects()
        .map(|o| (o.key(), api::identity(o)))
        .collect();
    prop_assert_eq!(run.rows(), expected);
    if kind == Kind::Pod {
        same_as_fresh(&mut run)?;
    }
    Ok(())
}

/// The indices behind the rows are as if the cache had been told of nothing but the end.
fn same_as_fresh(run: &mut Run) -> Result<(), TestCaseError> {
    let mut fresh = Cluster::empty();
    for object in run.api.objects() {
        fresh.put(object);
    }
    let around = |cache: &mut Cache| {
        let _ = cache.observe(Kind::DaemonSet, &daemon_set().raw());
        let pods = cache.snapshot(&key(), Settings::default(), |s| {
            let mut pods: Vec<String> = s
                .pods
                .iter()
                .map(|p| {
                    let node = p.node.map(|id| s.nodes.name(id).clone());
                    let slots = p.node.map(|id| s.nodes.pods_at(id));
                    let mut p = (*p).clone();
                    p.node = None;
                    format!("{p:?} {node:?} {slots:?}")
                })
                .collect();
            pods.sort();
            pods
        });
        (pods, cache.pods())
    };
    let (ours, theirs) = (around(&mut run.cache), around(&mut fresh.cache));
    prop_assert_eq!(ours, theirs);
    Ok(())
}

proptest! {
    #![proptest_config(config(500, 20_260_601))]

    #[test]
    fn pods_end_as_the_server_has_them(steps in prop::collection::vec(step(), 0..60)) {
        run(Kind::Pod, &steps)?;
    }

    #[test]
    fn nodes_end_as_the_server_has_them(steps in prop::collection::vec(step(), 0..60)) {
        run(Kind::Node, &steps)?;
    }

    #[test]
    fn revisions_end_as_the_server_has_them(steps in prop::collection::vec(step(), 0..60)) {
        run(Kind::Revision, &steps)?;
    }

    #[test]
    fn daemon_sets_end_as_the_server_has_them(steps in prop::collection::vec(step(), 0..60)) {
        run(Kind::DaemonSet, &steps)?;
    }
}

/// Found by the properties above: nothing would ever have taken the row away again.
#[test]
fn an_answer_from_before_a_list_does_not_bring_back_what_the_list_did_not_have() {
    use Step::*;
    for kind in Kind::ALL {
        let get = Begin(0, Ask::Get);
        let steps = [get, Write(0, 6), Serve(0), Write(0, 0), Next, Answer(0)];
        run(kind, &steps).unwrap_or_else(|e| panic!("{kind:?}: {e}"));
    }
}

#[test]
fn a_watch_that_lags_does_not_bring_back_the_former_life_of_a_name() {
    use Step::*;
    for kind in Kind::ALL {
        let steps = [
            Write(0, 6),
            Next,
            Next,
            // Changed, deleted and created anew: the watch is yet to tell.
            Write(0, 6),
            Write(0, 0),
            Write(0, 6),
            // The new one is read, and deleted by us: first it terminates, then it is gone.
            Begin(0, Ask::Get),
            Serve(0),
            Answer(0),
            Begin(0, Ask::Delete),
            Serve(0),
            Answer(0),
            Begin(0, Ask::Delete),
            Serve(0),
            Answer(0),
        ];
        run(kind, &steps).unwrap_or_else(|e| panic!("{kind:?}: {e}"));
    }
}

#[test]
fn an_object_whose_uid_a_list_cannot_read_is_not_gone() {
    let mut cache = Cache::default();
    let known = pod("p").on("a");
    cache.observe(Kind::Pod, &known.raw()).expect("it decodes");
    cache.list_began(Kind::Pod);
    let broken = known
        .clone()
        .with(serde_json::json!({"metadata": {"uid": 5}}));
    assert!(cache.listed(Kind::Pod, &broken.raw()).is_err());
    cache.list_completed(Kind::Pod, Version(99));
    assert!(cache.pod(&known.key()).is_some());
}
