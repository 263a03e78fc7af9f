//! Decides which events are written, and how: client-go's event correlator, as it behaves.
//!
//! The correlator is pure: an event and the time go in, and at most one write comes out. These
//! rules apply in turn:
//!  1. Similar events differ in nothing but their message. When there are many of them, they become
//!     one event, "combined from similar events", for as long as they keep coming.
//!  2. An event that was written before (the combined one, or one with the same message) is counted
//!     up instead of written anew.
//!  3. Each object has a budget of writes, because a broken DaemonSet must not fill etcd. What
//!     tells of its rollout has a budget of its own, or the pods that a rollout creates and deletes
//!     would use it up.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::plan::EventType;

use super::lru::Lru;

/// `source.component` and `reportingComponent` of every event, as the built-in controller has it.
pub const COMPONENT: &str = "daemonset-controller";

/// Similar events are combined once they have this many different messages.
const COMBINE_AT: usize = 10;

/// After this much silence, similar events are no longer combined.
const COMBINE_WITHIN: SignedDuration = SignedDuration::from_secs(600);

/// The words before the message of a combined event.
const COMBINED: &str = "(combined from similar events): ";

/// The most writes that an object can have saved up.
const BURST: f64 = 25.0;

/// The seconds in which an object earns one more write.
const REFILL_SECONDS: f64 = 300.0;

/// How many objects, and how many events, are remembered.
const REMEMBERED: usize = 4096;

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventText {
    /// `type`.
    pub kind: EventType,
    /// `reason`: one word in camel case, for programs.
    pub reason: &'static str,
    /// `message`: a sentence, for people.
    pub message: String,
}

/// The DaemonSet that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// `metadata.namespace`, where the event is created too.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion` of the state that the event is about.
    pub resource_version: String,
}

/// An event as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// `involvedObject`.
    pub object: ObjectRef,
    /// `type`.
    pub kind: EventType,
    /// `reason`.
    pub reason: &'static str,
    /// `message`. That of a combined event begins with words that say so.
    pub message: String,
    /// `metadata.name`: the DaemonSet's name and a time in hexadecimal nanoseconds, unique.
    pub name: String,
    /// `firstTimestamp`.
    pub first: Timestamp,
    /// `lastTimestamp`.
    pub last: Timestamp,
    /// `count`. An event with count 1 is created; a higher count is a patch of the event that
    /// exists.
    pub count: u32,
    /// Whether it stands for several events with different messages.
    pub combined: bool,
}

/// Whether events of this reason tell of a rollout as a whole. The built-in controller has none of
/// them.
pub fn tells_of_rollout(reason: &str) -> bool {
    const REASONS: [&str; 10] = [
        "CanaryReady",
        "EvictionRefused",
        "InvalidAnnotation",
        "RollbackStarted",
        "RolloutComplete",
        "RolloutFailed",
        "RolloutPaused",
        "RolloutResumed",
        "RolloutStarted",
        "StageReleased",
    ];
    REASONS.contains(&reason)
}

/// An object without its version, so that events of all its versions belong together.
type Subject = (String, String, String);

/// What similar events have in common: the object, the type and the reason.
type Similar = (Subject, &'static str, &'static str);

/// The events of the recent past.
#[derive(Debug)]
pub struct Correlator {
    similar: Lru<Similar, Messages>,
    /// By message; the combined event has no message here.
    written: Lru<(Similar, Option<String>), Written>,
    /// By object, and whether they are for events that [tell of its rollout](tells_of_rollout).
    budgets: Lru<(Subject, bool), Budget>,
    /// The time in the last name that was given. The next one is later even if the clock stands
    /// still.
    last_name: i128,
}

#[derive(Debug)]
struct Messages {
    different: BTreeSet<String>,
    last: Timestamp,
}

#[derive(Debug)]
struct Written {
    name: String,
    first: Timestamp,
    count: u32,
}

#[derive(Debug)]
struct Budget {
    writes: f64,
    at: Timestamp,
}

/// How an event is written.
enum Wording {
    /// With its own message.
    Own,
    /// As one of many similar events.
    Combined,
}

/// Whether an object's budget allows one more write.
enum Charge {
    /// The budget allows it, and the write is taken from the budget.
    Paid,
    /// The budget is used up.
    Refused,
}

impl Default for Correlator {
    fn default() -> Self {
        Self::new()
    }
}

impl Correlator {
    /// A correlator that has seen no event.
    pub fn new() -> Self {
        Self {
            similar: Lru::new(REMEMBERED),
            written: Lru::new(REMEMBERED),
            budgets: Lru::new(REMEMBERED),
            last_name: 0,
        }
    }

    /// The write for an event; None where the object has used up its budget.
    pub fn correlate(
        &mut self,
        object: ObjectRef,
        event: EventText,
        now: Timestamp,
    ) -> Option<Write> {
        let EventText {
            kind,
            reason,
            message,
        } = event;
        let subject = (
            object.namespace.clone(),
            object.name.clone(),
            object.uid.clone(),
        );
        let similar = (subject.clone(), kind.as_str(), reason);
        let combined = match self.wording(similar.clone(), &message, now) {
            Wording::Own => false,
            Wording::Combined => true,
        };
        let message = if combined {
            format!("{COMBINED}{message}")
        } else {
            message
        };

        let key = (!combined).then(|| message.clone());
        let last_name = &mut self.last_name;
        let written = self.written.entry((similar, key), || {
            *last_name = now.as_nanosecond().max(*last_name + 1);
            Written {
                name: format!("{}.{:x}", object.name, *last_name),
                first: now,
                count: 0,
            }
        });
        // Events that are not written count too, so that the next write has the right number.
        written.count = written.count.saturating_add(1);
        let write = Write {
            object,
            kind,
            reason,
            message,
            name: written.name.clone(),
            first: written.first,
            last: now,
            count: written.count,
            combined,
        };
        match self.charge((subject, tells_of_rollout(reason)), now) {
            Charge::Paid => Some(write),
            Charge::Refused => None,
        }
    }

    /// Counts the message among those of similar events, and decides how it is written.
    fn wording(&mut self, similar: Similar, message: &str, now: Timestamp) -> Wording {
        let messages = self.similar.entry(similar, || Messages {
            different: BTreeSet::new(),
            last: now,
        });
        if now.duration_since(messages.last) > COMBINE_WITHIN {
            messages.different.clear();
        }
        messages.last = now;
        messages.different.insert(message.to_owned());
        if messages.different.len() < COMBINE_AT {
            return Wording::Own;
        }
        // It does not matter which one is removed; the set must not grow.
        messages.different.pop_first();
        Wording::Combined
    }

    /// Takes one write from a budget.
    fn charge(&mut self, whose: (Subject, bool), now: Timestamp) -> Charge {
        let budget = self.budgets.entry(whose, || Budget {
            writes: BURST,
            at: now,
        });
        let earned = now.duration_since(budget.at).as_secs_f64().max(0.0) / REFILL_SECONDS;
        budget.writes = (budget.writes + earned).min(BURST);
        budget.at = budget.at.max(now);
        if budget.writes < 1.0 {
            return Charge::Refused;
        }
        budget.writes -= 1.0;
        Charge::Paid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> ObjectRef {
        ObjectRef {
            namespace: "default".into(),
            name: name.into(),
            uid: format!("uid-{name}"),
            resource_version: "1".into(),
        }
    }

    fn event(reason: &'static str, message: impl Into<String>) -> EventText {
        EventText {
            kind: EventType::Normal,
            reason,
            message: message.into(),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("in range")
    }

    #[test]
    fn what_tells_of_the_rollout_is_written_however_many_pods_it_creates() {
        let mut correlator = Correlator::new();
        let mut send = |reason, message: String| {
            correlator.correlate(object("web"), event(reason, message), at(0))
        };
        for n in 0..1000 {
            send("SuccessfulCreate", format!("pod {n}"));
        }
        assert_eq!(send("SuccessfulDelete", "pod".to_owned()), None);
        assert!(send("RolloutComplete", "revision 2".to_owned()).is_some());
        assert!(send("InvalidAnnotation", "holt".to_owned()).is_some());
    }

    #[test]
    fn a_thousand_creates_leave_nine_events_a_combined_one_and_25_writes() {
        let mut correlator = Correlator::new();
        let writes: Vec<_> = (0..1000)
            .filter_map(|n| {
                correlator.correlate(
                    object("web"),
                    event("SuccessfulCreate", format!("pod {n}")),
                    at(n / 500),
                )
            })
            .collect();
        assert_eq!(writes.len(), 25);
        assert!(
            writes[..9]
                .iter()
                .all(|write| write.count == 1 && !write.combined)
        );
        assert_eq!(writes[9].message, "(combined from similar events): pod 9");
        let counts: Vec<_> = writes[9..].iter().map(|write| write.count).collect();
        assert_eq!(counts, (1..=16).collect::<Vec<_>>());
        assert!(
            writes[9..]
                .iter()
                .all(|write| write.combined && write.name == writes[9].name)
        );
        let names: BTreeSet<_> = writes.iter().map(|write| &write.name).collect();
        assert_eq!(
            names.len(),
            10,
            "names are unique though the clock stands still"
        );
        assert_eq!(writes[0].name, format!("web.{:x}", at(0).as_nanosecond()));
    }

    #[test]
    fn what_is_not_written_is_counted_all_the_same() {
        let mut correlator = Correlator::new();
        for n in 0..1000 {
            correlator.correlate(
                object("web"),
                event("SuccessfulCreate", format!("pod {n}")),
                at(0),
            );
        }
        let write =
            correlator.correlate(object("web"), event("SuccessfulCreate", "pod x"), at(301));
        let write = write.expect("one more is earned");
        assert_eq!(
            (write.count, write.first, write.last),
            (992, at(0), at(301))
        );
        assert!(
            correlator
                .correlate(object("web"), event("SuccessfulCreate", "pod y"), at(301))
                .is_none()
        );
    }

    #[test]
    fn the_same_event_again_is_counted_up() {
        let mut correlator = Correlator::new();
        let denied = || event("FailedCreate", "Error creating: denied");
        let first = correlator
            .correlate(object("web"), denied(), at(0))
            .expect("written");
        let mut later = object("web");
        later.resource_version = "99".into();
        let second = correlator
            .correlate(later, denied(), at(5))
            .expect("written");
        assert_eq!((first.count, second.count), (1, 2));
        assert_eq!((&first.name, first.first), (&second.name, second.first));
        let other = correlator.correlate(
            object("web"),
            event("FailedDelete", "Error creating: denied"),
            at(5),
        );
        assert_eq!(other.expect("written").count, 1);
    }

    #[test]
    fn an_object_has_a_budget_for_all_its_reasons_and_others_have_theirs() {
        let mut correlator = Correlator::new();
        let mut write = |name: &str, reason, second| {
            correlator
                .correlate(object(name), event(reason, "same"), at(second))
                .is_some()
        };
        assert_eq!((0..40).filter(|_| write("web", "A", 0)).count(), 25);
        assert!(!write("web", "B", 299));
        assert!(write("other", "A", 299));
        assert!(write("web", "B", 302));
        assert!(!write("web", "A", 302));
        assert_eq!((0..40).filter(|_| write("web", "A", 1_000_000)).count(), 25);
    }

    #[test]
    fn after_ten_minutes_of_silence_events_stand_for_themselves_again() {
        let mut correlator = Correlator::new();
        for n in 0..15 {
            correlator.correlate(object("web"), event("A", format!("{n}")), at(0));
        }
        let combined = correlator
            .correlate(object("web"), event("A", "x"), at(600))
            .expect("written");
        assert!(combined.combined);
        let alone = correlator
            .correlate(object("web"), event("A", "y"), at(1201))
            .expect("written");
        assert!(!alone.combined);
    }

    #[test]
    fn a_clock_that_goes_back_does_no_harm() {
        let mut correlator = Correlator::new();
        let first = correlator
            .correlate(object("web"), event("A", "1"), at(100))
            .expect("written");
        let second = correlator
            .correlate(object("web"), event("A", "2"), at(0))
            .expect("written");
        assert!(second.name > first.name);
    }
}
