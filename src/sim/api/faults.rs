//! What a test can do to a client: answers that fail, hang, come late or are lost, and watches that lag or end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::log::Entry;
use super::resource::Resource;
use super::status::ApiStatus;

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// This answer, and nothing is done.
    Refuse(ApiStatus),
    /// As [`Act::Refuse`], with `Retry-After` in seconds.
    RefuseFor(ApiStatus, u64),
    /// Nothing is done, and no answer comes.
    Hang,
    /// It is done, and the connection fails before the answer.
    Lose,
    /// Nothing is done, and the connection fails.
    Fail,
    /// It is done after this time, where the client still waits.
    Delay(Duration),
    /// It is done after this time, whoever still waits or has died meanwhile, and no answer comes: the request was stuck
    /// on its way.
    Strand(Duration),
    /// It is done, and the answer comes after this time.
    Late(Duration),
}

/// Which requests a rule is for.
pub type Matches = Box<dyn Fn(&Entry) -> bool + Send>;

struct Rule {
    matches: Matches,
    act: Act,
    left: usize,
}

/// What a client's watches of a resource tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// What happened so long ago.
    Lag(Duration),
    /// Nothing.
    Shut,
}

/// All that goes wrong at present.
#[derive(Default)]
pub struct Faults {
    rules: Vec<Rule>,
    gates: BTreeMap<(Arc<str>, &'static str), Gate>,
    /// For each cut: the plural, and whether the watch ends with a 410. A watch ends at the first that is newer than itself.
    cuts: Vec<(&'static str, bool)>,
}

impl Faults {
    /// The next `times` requests that match go so. Later rules go before earlier ones.
    pub fn rule(&mut self, times: usize, matches: Matches, act: Act) {
        self.rules.push(Rule {
            matches,
            act,
            left: times,
        });
    }

    /// No rules any more.
    pub fn clear_rules(&mut self) {
        self.rules.clear();
    }

    /// What becomes of this request: the rule that it uses up.
    pub fn act(&mut self, entry: &Entry) -> Option<Act> {
        let mut rules = self.rules.iter_mut().rev();
        let rule = rules.find(|r| r.left > 0 && (r.matches)(entry))?;
        rule.left -= 1;
        Some(rule.act.clone())
    }

    /// The client's watches of this resource tell less, or all again.
    pub fn gate(&mut self, client: &str, resource: &Resource, gate: Option<Gate>) {
        let key = (Arc::from(client), resource.plural);
        match gate {
            Some(gate) => self.gates.insert(key, gate),
            None => self.gates.remove(&key),
        };
    }

    /// What the client's watches of this resource tell.
    pub fn gate_of(&self, client: &Arc<str>, resource: &Resource) -> Option<Gate> {
        self.gates.get(&(client.clone(), resource.plural)).copied()
    }

    /// All watches of this resource that are open end.
    pub fn cut(&mut self, resource: &Resource, expired: bool) {
        self.cuts.push((resource.plural, expired));
    }

    /// How many cuts there were.
    pub fn cuts(&self) -> usize {
        self.cuts.len()
    }

    /// Whether a watch of this resource that saw so many cuts is cut by a later one, and if so whether with a 410.
    pub fn cut_since(&self, cuts: usize, resource: &Resource) -> Option<bool> {
        let mut later = self.cuts[cuts..].iter();
        later
            .find(|(plural, _)| *plural == resource.plural)
            .map(|(_, expired)| *expired)
    }
}
