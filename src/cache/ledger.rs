//! Which state of an object is the newer one, whether it comes from a list, a watch, or the answer
//! to a write of ours. No object goes back in time.

use std::collections::{BTreeSet, HashMap};

use crate::model::{Key, Time, Uid, Version};

use super::listed::ListedKeys;

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
    /// Set while it is settled what the last list did not hold.
    settling: Option<Settling>,
    /// The last list that completed.
    last_list: Option<Completed>,
    /// Whether it was settled what a list did not hold.
    is_synced: bool,
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
    seen: ListedKeys,
}

#[derive(Clone, Debug)]
struct Settling {
    version: Version,
    seen: ListedKeys,
    /// When the list was complete.
    ended: Time,
    /// Where the next step begins; None where only `seen` is left to be forgotten.
    next: Option<usize>,
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
            seen: ListedKeys::default(),
        });
        // What it did not settle is a matter of this list.
        self.settling = None;
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

    /// The list is complete at `now`, and it is to be settled what it did not hold.
    pub fn list_ended(&mut self, version: Version, now: Time, requests: &mut Requests) {
        let Some(list) = self.list.take() else {
            return;
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
        self.settling = Some(Settling {
            version,
            seen: list.seen,
            ended: now,
            next: Some(0),
        });
    }

    /// Whether it is not settled yet what the last list did not hold.
    pub fn is_settling(&self) -> bool {
        self.settling.is_some()
    }

    /// Where the next step of settling begins in the rows; None where all rows are settled.
    pub fn settles_from(&self) -> Option<usize> {
        self.settling.as_ref()?.next
    }

    /// Whether the list did not hold this object, which is not newer: it is gone.
    pub fn is_absent(&self, key: &Key, had: Version) -> bool {
        let settling = self.settling.as_ref();
        settling.is_some_and(|list| had <= list.version && !list.seen.contains(key))
    }

    /// A step was taken, and the next one begins here; None after the last row. Forgets about
    /// `most` keys of the list then. Returns when the list was complete, once that is all.
    pub fn settled_to(&mut self, next: Option<usize>, most: usize) -> Option<Time> {
        let settling = self.settling.as_mut()?;
        settling.next = next;
        if next.is_some() || !settling.seen.forget(most) {
            return None;
        }
        self.is_synced = true;
        self.settling.take().map(|settling| settling.ended)
    }

    /// Whether a first list has completed, and what it did not hold is settled.
    pub fn is_synced(&self) -> bool {
        self.is_synced
    }

    /// Whether a first list has begun: it may lack an object that is created from now on.
    pub fn has_begun(&self) -> bool {
        self.last_list.is_some() || self.list.is_some()
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
        ledger.list_ended(Version(9), Time::default(), &mut requests);
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
        ledger.list_ended(Version(9), Time::default(), &mut requests);
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
        ledger.list_ended(Version(10), Time::default(), &mut requests);
        let rows = [(&a, Version(1)), (&b, Version(10)), (&c, Version(11))];
        let gone = rows.map(|(key, had)| ledger.is_absent(key, had));
        assert_eq!(gone, [false, true, false]);
        assert!(!ledger.is_synced(), "it is not settled yet");
        assert_eq!(ledger.settled_to(None, 10), Some(Time::default()));
        assert!(ledger.is_synced());
    }
}
