//! Which state of an object is the newer one, whether it comes from a list, a watch, or the answer
//! to a write of ours. No object goes back in time.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::model::{Key, Uid, Version};

/// A request (or a list) in flight. Its answer may be as old as its beginning.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
pub struct Ticket(u64);

/// The requests in flight.
#[derive(Clone, Default, Debug)]
pub struct Requests {
    next: u64,
    under_way: BTreeSet<Ticket>,
}

impl Requests {
    /// A request begins.
    pub fn begin(&mut self) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.under_way.insert(ticket);
        ticket
    }

    /// The request ended, and its answer has been taken in.
    pub fn end(&mut self, ticket: Ticket) {
        self.under_way.remove(&ticket);
    }

    fn oldest(&self) -> Ticket {
        self.under_way.first().copied().unwrap_or(Ticket(self.next))
    }

    fn now(&self) -> Ticket {
        Ticket(self.next)
    }
}

#[derive(Clone, Debug)]
struct Tombstone {
    born: Ticket,
    /// Whether lists and watches have caught up with the deletion.
    confirmed: bool,
}

/// What is known of the versions of one kind, besides the objects themselves.
#[derive(Clone, Default, Debug)]
pub struct Ledger {
    tombstones: HashMap<Uid, Tombstone>,
    /// Set while a list is being read.
    list: Option<Listing>,
    /// The last list that completed.
    last_list: Option<Completed>,
}

#[derive(Clone, Debug)]
struct Completed {
    version: Version,
    /// Requests that begin later are answered with nothing older than the list.
    ticket: Ticket,
}

#[derive(Clone, Debug)]
struct Listing {
    ticket: Ticket,
    seen: HashSet<Key>,
}

/// What to do with a state of an object.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is newer than the known state.
    Take,
    /// It is another object of the same name: the known one is gone.
    Replace,
    /// The known state is as new or newer, or the object is known to be gone.
    Stale,
}

impl Ledger {
    /// Compares a state with the known object of its name. A state of version 0 is always taken.
    pub fn admit(&self, known: Option<(&Uid, Version)>, uid: &Uid, version: Version) -> Admission {
        if self.tombstones.contains_key(uid) {
            return Admission::Stale;
        }
        match known {
            None => Admission::Take,
            Some((old, had)) if old == uid => {
                if version > had || version == Version::default() {
                    Admission::Take
                } else {
                    Admission::Stale
                }
            }
            Some((_, had)) if version >= had || version == Version::default() => Admission::Replace,
            Some(_) => Admission::Stale,
        }
    }

    /// Whether a state of an object that is not known may be from before the last list. That list
    /// did not have the object, so it is gone, and nothing would tell so again. Only an answer to a
    /// request that began before the list was complete can be that late.
    pub fn predates_list(&self, version: Version, requests: &Requests) -> bool {
        self.last_list.as_ref().is_some_and(|list| {
            version <= list.version
                && version != Version::default()
                && requests.oldest() < list.ticket
        })
    }

    /// The object is gone. `confirmed` says that a list or a watch told so, which will not tell of
    /// the object again.
    pub fn bury(&mut self, uid: Uid, confirmed: bool, requests: &Requests) {
        if uid.as_str().is_empty() {
            return; // Its UID could not be read: it stands for any other such object too.
        }
        let tombstone = self.tombstones.entry(uid).or_insert(Tombstone {
            born: requests.now(),
            confirmed,
        });
        tombstone.confirmed |= confirmed;
    }

    /// A list begins. A list that is being read is dropped.
    pub fn list_began(&mut self, requests: &mut Requests) {
        self.list_dropped(requests);
        self.list = Some(Listing {
            ticket: requests.begin(),
            seen: HashSet::new(),
        });
    }

    /// The list holds this object.
    pub fn listed(&mut self, key: Key) {
        if let Some(list) = &mut self.list {
            list.seen.insert(key);
        }
    }

    /// The list failed.
    pub fn list_dropped(&mut self, requests: &mut Requests) {
        if let Some(list) = self.list.take() {
            requests.end(list.ticket);
        }
    }

    /// The list is complete. Of `rows`, returns those that it does not hold and that are not newer.
    pub fn list_completed<'a>(
        &mut self,
        version: Version,
        rows: impl Iterator<Item = (&'a Key, Version)>,
        requests: &mut Requests,
    ) -> Vec<Key> {
        let Some(list) = self.list.take() else {
            return Vec::new();
        };
        requests.end(list.ticket);
        self.last_list = Some(Completed {
            version,
            ticket: requests.now(),
        });
        for tombstone in self
            .tombstones
            .values_mut()
            .filter(|t| t.born <= list.ticket)
        {
            tombstone.confirmed = true;
        }
        let mut gone: Vec<Key> = rows
            .filter(|(key, had)| *had <= version && !list.seen.contains(key))
            .map(|(key, _)| key.clone())
            .collect();
        gone.sort();
        gone
    }

    /// Whether a first list has completed.
    pub fn is_synced(&self) -> bool {
        self.last_list.is_some()
    }

    /// Whether a first list has begun: it may lack an object that is created from now on.
    pub fn has_begun(&self) -> bool {
        self.is_synced() || self.list.is_some()
    }

    /// Forgets deletions that nothing in flight can contradict any more.
    pub fn sweep(&mut self, requests: &Requests) {
        let oldest = requests.oldest();
        self.tombstones
            .retain(|_, t| !t.confirmed || t.born > oldest);
    }

    #[cfg(test)]
    fn tombstones(&self) -> usize {
        self.tombstones.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(text: &str) -> Uid {
        Uid::from(text)
    }

    #[test]
    fn the_higher_version_wins_and_a_deletion_is_final() {
        let mut ledger = Ledger::default();
        let known = uid("a");
        let seven = Some((&known, Version(7)));
        assert_eq!(ledger.admit(None, &uid("a"), Version(1)), Admission::Take);
        assert_eq!(ledger.admit(seven, &uid("a"), Version(8)), Admission::Take);
        assert_eq!(ledger.admit(seven, &uid("a"), Version(7)), Admission::Stale);
        assert_eq!(ledger.admit(seven, &uid("a"), Version(6)), Admission::Stale);
        assert_eq!(
            ledger.admit(seven, &uid("b"), Version(9)),
            Admission::Replace
        );
        assert_eq!(
            ledger.admit(seven, &uid("b"), Version(5)),
            Admission::Stale,
            "an older life of the name"
        );
        ledger.bury(uid("a"), true, &Requests::default());
        assert_eq!(ledger.admit(None, &uid("a"), Version(99)), Admission::Stale);
    }

    #[test]
    fn a_deletion_is_remembered_while_an_older_request_is_under_way() {
        let mut requests = Requests::default();
        let mut ledger = Ledger::default();
        let get = requests.begin();
        ledger.bury(uid("a"), true, &requests);
        let later = requests.begin();
        ledger.sweep(&requests);
        assert_eq!(ledger.tombstones(), 1);
        requests.end(get);
        ledger.sweep(&requests);
        assert_eq!(
            ledger.tombstones(),
            0,
            "a request begun later cannot tell of it"
        );
        requests.end(later);
    }

    #[test]
    fn an_answer_from_before_a_list_tells_nothing_new_of_what_the_list_did_not_have() {
        let mut requests = Requests::default();
        let mut ledger = Ledger::default();
        let early = requests.begin();
        assert!(!ledger.predates_list(Version(5), &requests), "no list yet");
        ledger.list_began(&mut requests);
        ledger.list_completed(Version(9), std::iter::empty(), &mut requests);
        let late = requests.begin();
        assert!(ledger.predates_list(Version(9), &requests));
        assert!(!ledger.predates_list(Version(10), &requests));
        assert!(!ledger.predates_list(Version(0), &requests));
        requests.end(early);
        assert!(
            !ledger.predates_list(Version(5), &requests),
            "what is under way now was asked after the list"
        );
        requests.end(late);
    }

    #[test]
    fn our_own_deletion_is_remembered_until_the_watch_or_a_later_list_has_it() {
        let mut requests = Requests::default();
        let mut ledger = Ledger::default();
        ledger.bury(uid("a"), false, &requests);
        ledger.sweep(&requests);
        assert_eq!(
            ledger.tombstones(),
            1,
            "the watch may lag and tell of it again"
        );
        ledger.list_began(&mut requests);
        ledger.list_completed(Version(9), std::iter::empty(), &mut requests);
        ledger.sweep(&requests);
        assert_eq!(ledger.tombstones(), 0);
    }

    #[test]
    fn a_list_takes_only_what_is_not_newer_than_it() {
        let mut requests = Requests::default();
        let mut ledger = Ledger::default();
        let (a, b, c) = (Key::new("n", "a"), Key::new("n", "b"), Key::new("n", "c"));
        ledger.list_began(&mut requests);
        ledger.listed(a.clone());
        let rows = [(&a, Version(1)), (&b, Version(10)), (&c, Version(11))];
        assert_eq!(
            ledger.list_completed(Version(10), rows.into_iter(), &mut requests),
            [b]
        );
        assert!(ledger.is_synced());
    }
}
