//! Faults that a test can cause: answers that fail, hang, are late or lost, and watches that lag or
//! end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::late::{self, Late, LateWrites};
use super::log::Entry;
use super::resource::Resource;
use super::status::ApiStatus;

/// The fault that a request meets.
#[derive(Clone, Debug)]
pub enum Act {
    /// It is answered with this error, and not carried out.
    Refuse(ApiStatus),
    /// As [`Act::Refuse`], with `Retry-After` in seconds.
    RefuseFor(ApiStatus, u64),
    /// It is not carried out, and never answered.
    Hang,
    /// It is carried out, and the connection fails before the answer.
    Lose,
    /// It is not carried out, and the connection fails.
    Fail,
    /// It is carried out after this time, if the client still waits.
    Delay(Duration),
    /// It is carried out after this time, even if its client is gone, and never answered: the
    /// request was held up in the network.
    Strand(Duration),
    /// It takes effect late, even if its client is gone.
    TakeEffectLate(Late),
    /// It is carried out at once, and answered after this time.
    Late(Duration),
}

/// The requests that a rule applies to.
pub type Matches = Box<dyn Fn(&Entry) -> bool + Send>;

struct Rule {
    matches: Matches,
    act: Act,
    left: usize,
}

/// How a client's watches of a resource are held up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// They deliver each write this much later.
    Lag(Duration),
    /// They deliver nothing.
    Shut,
}

/// All faults that are in force.
#[derive(Default)]
pub struct Faults {
    rules: Vec<Rule>,
    late: Option<(late::Dice, Matches)>,
    gates: BTreeMap<(Arc<str>, &'static str), Gate>,
    /// For each cut: the plural, and whether watches end with 410. A watch ends at the first cut
    /// after its beginning.
    cuts: Vec<(&'static str, bool)>,
}

impl Faults {
    /// The next `times` requests that match meet this fault. Later rules take precedence.
    pub fn rule(&mut self, times: usize, matches: Matches, act: Act) {
        self.rules.push(Rule {
            matches,
            act,
            left: times,
        });
    }

    /// Ends all rules.
    pub fn clear_rules(&mut self) {
        self.rules.clear();
    }

    /// The fault of this request, whose rule it uses up; None if it meets none.
    pub fn act(&mut self, entry: &Entry) -> Option<Act> {
        let mut rules = self.rules.iter_mut().rev();
        if let Some(rule) = rules.find(|r| r.left > 0 && (r.matches)(entry)) {
            rule.left -= 1;
            return Some(rule.act.clone());
        }
        let (dice, matches) = self.late.as_mut()?;
        let is_meant = entry.is_write() && matches(entry);
        is_meant
            .then(|| dice.throw())
            .flatten()
            .map(Act::TakeEffectLate)
    }

    /// From now on a share of the writes that match, and meet no rule, takes effect late.
    pub fn late_writes(&mut self, options: LateWrites, matches: Matches) {
        self.late = Some((late::Dice::new(options), matches));
    }

    /// No further write is late. Those that are under way still take effect.
    pub fn end_late_writes(&mut self) {
        self.late = None;
    }

    /// Holds up the client's watches of this resource, or (None) no longer.
    pub fn gate(&mut self, client: &str, resource: &Resource, gate: Option<Gate>) {
        let key = (Arc::from(client), resource.plural);
        match gate {
            Some(gate) => self.gates.insert(key, gate),
            None => self.gates.remove(&key),
        };
    }

    /// How the client's watches of this resource are held up.
    pub fn gate_of(&self, client: &Arc<str>, resource: &Resource) -> Option<Gate> {
        self.gates.get(&(client.clone(), resource.plural)).copied()
    }

    /// Ends all open watches of this resource, with 410 if `expired`.
    pub fn cut(&mut self, resource: &Resource, expired: bool) {
        self.cuts.push((resource.plural, expired));
    }

    /// How many cuts there were.
    pub fn cuts(&self) -> usize {
        self.cuts.len()
    }

    /// For a watch that began after so many cuts: whether it was cut since, and if so whether
    /// with 410.
    pub fn cut_since(&self, cuts: usize, resource: &Resource) -> Option<bool> {
        let mut later = self.cuts[cuts..].iter();
        later
            .find(|(plural, _)| *plural == resource.plural)
            .map(|(_, expired)| *expired)
    }
}
