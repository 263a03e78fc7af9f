//! All states of a scope, breadth first: the first violation has the shortest history.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher};

use super::controller::{Ask, Controllers};
use super::scope::Scope;
use super::server::Name;
use super::state::{Answer, State, Step};

/// What an exploration found.
pub struct Found {
    pub states: usize,
    pub steps: usize,
    /// States in which nothing happens any more.
    pub at_rest: usize,
    /// States whose controllers wait for more time than the scope has.
    pub cut: usize,
    /// How many different caches there were.
    pub knowledge: usize,
    /// Whether there was more than the states that were allowed.
    pub is_part: bool,
    pub violation: Option<Violation>,
}

/// What was broken first, and the shortest history that ends so.
pub struct Violation {
    pub what: String,
    pub history: Vec<String>,
}

impl Violation {
    pub fn told(&self) -> String {
        let lines = self.history.iter().enumerate();
        let lines: Vec<String> = lines
            .map(|(n, line)| format!("{:3}. {line}", n + 1))
            .collect();
        format!("{}\n{}", self.what, lines.join("\n"))
    }
}

/// 128 bits that stand for a state. They are the same for two states that differ only in which
/// controller is which.
fn mark(state: &State) -> u128 {
    let mut bytes = state.bytes(false);
    if state.runners.len() > 1 {
        bytes = bytes.min(state.bytes(true));
    }
    let with = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write(&[salt]);
        hasher.write(&bytes);
        u128::from(hasher.finish())
    };
    with(1) << 64 | with(2)
}

/// Explores a scope; at most so many states.
pub fn explore(scope: &Scope, most: usize) -> Found {
    let (first, mut all) = scope.begin();
    let mut numbers: HashMap<u128, u32> = HashMap::from([(mark(&first), 0)]);
    let mut parents: Vec<Option<(u32, Step)>> = vec![None];
    // By state: the states from which it is reached without a fault.
    let mut free: Vec<(u32, u32)> = Vec::new();
    let mut ends: Vec<u32> = Vec::new();
    let mut queue = VecDeque::from([(0_u32, first)]);
    let mut found = Found {
        states: 0,
        steps: 0,
        at_rest: 0,
        cut: 0,
        knowledge: 0,
        is_part: false,
        violation: None,
    };
    let mut broken: Option<(u32, Option<Step>, String)> = None;
    'search: while let Some((number, state)) = queue.pop_front() {
        let steps = state.steps(scope, &mut all);
        let waits = state.awaits_time(&mut all);
        let goes_on = |s: &Step| s.is_free() && (*s != Step::Clock || waits);
        if !steps.iter().any(goes_on) {
            ends.push(number);
            if waits {
                found.cut += 1;
            } else {
                found.at_rest += 1;
                if let Some(what) = scope.at_rest(&state, &all) {
                    broken = Some((number, None, what));
                    break 'search;
                }
            }
        }
        for step in steps {
            found.steps += 1;
            let (next, wrong) = state.after(step, scope, &mut all);
            if let Some(what) = wrong {
                broken = Some((number, Some(step), what));
                break 'search;
            }
            let fresh = u32::try_from(parents.len()).expect("fewer than 2^32 states");
            let to = *numbers.entry(mark(&next)).or_insert(fresh);
            if goes_on(&step) {
                free.push((to, number));
            }
            if to == fresh {
                parents.push(Some((number, step)));
                queue.push_back((fresh, next));
            }
        }
        if parents.len() > most {
            found.is_part = true;
            break;
        }
    }
    found.states = parents.len();
    found.knowledge = all.knowledge();
    if broken.is_none() && !found.is_part {
        let what = "L1: from here nothing leads to rest".to_owned();
        broken = stuck(parents.len(), &mut free, &ends).map(|state| (state, None, what));
    }
    found.violation = broken.map(|(number, last, what)| Violation {
        what,
        history: history(scope, &parents, number, last),
    });
    found
}

/// The first state from which no state at rest can be reached without another fault.
fn stuck(states: usize, free: &mut [(u32, u32)], ends: &[u32]) -> Option<u32> {
    free.sort_unstable();
    let mut reaches = vec![false; states];
    let mut open: Vec<u32> = ends.to_vec();
    while let Some(to) = open.pop() {
        if std::mem::replace(&mut reaches[to as usize], true) {
            continue;
        }
        let first = free.partition_point(|(at, _)| *at < to);
        let before = free[first..].iter().take_while(|(at, _)| *at == to);
        open.extend(before.map(|(_, from)| *from));
    }
    let first = reaches.iter().position(|reaches| !reaches)?;
    u32::try_from(first).ok()
}

fn history(
    scope: &Scope,
    parents: &[Option<(u32, Step)>],
    at: u32,
    last: Option<Step>,
) -> Vec<String> {
    let mut steps: Vec<Step> = last.into_iter().collect();
    let mut number = at;
    while let Some((parent, step)) = parents[number as usize] {
        steps.push(step);
        number = parent;
    }
    steps.reverse();
    let (mut state, mut all) = scope.begin();
    let mut lines = Vec::new();
    for step in steps {
        let (next, _) = state.after(step, scope, &mut all);
        lines.push(say(&state, &next, step, &all));
        state = next;
    }
    lines
}

fn ask(ask: Ask, all: &Controllers) -> String {
    let name = |n: Name| all.texts.name_of(n);
    match ask {
        Ask::MakeRevision(template) => format!("make the revision of template {template}"),
        Ask::Renumber {
            template, number, ..
        } => format!("number the revision of template {template} {number}"),
        Ask::Create {
            name: n,
            node,
            template,
        } => format!("create {} on n{node} of template {template}", name(n)),
        Ask::Delete {
            name: n,
            life,
            version,
            node,
        } => {
            format!(
                "delete {} (life {life}, version {version}) on n{node}",
                name(n)
            )
        }
    }
}

/// A step in words.
fn say(before: &State, after: &State, step: Step, all: &Controllers) -> String {
    let who = |i: usize| ["A", "B", "C"][i];
    let name = |n: Name| all.texts.name_of(n);
    let sent = |i: usize| {
        let sync = after.runners[i]
            .sync
            .as_ref()
            .filter(|s| s.answer.is_none());
        sync.map_or("has nothing to send".to_owned(), |sync| {
            let call = &all.planned(sync.plan).calls[usize::from(sync.call)];
            format!("sends: {}", ask(call.ask, all))
        })
    };
    match step {
        Step::Deliver(i, kind) => {
            let told = before.runners[i].queues[kind as usize][0].told;
            let raw = all.texts.json(told.json);
            let identity = daemonset_controller::wire::identity(raw).expect("readable");
            let what = if told.gone {
                "is gone"
            } else {
                "is in another state"
            };
            let version = identity.version.0;
            format!(
                "{} hears that {} {} {what} (version {version})",
                who(i),
                kind.as_str(),
                identity.key.name
            )
        }
        Step::Plan(i) => format!("{} plans and {}", who(i), sent(i)),
        Step::Effect(at) => {
            let request = &before.net[at];
            let from = if request.heard {
                ""
            } else {
                ", whose sender hears no answer"
            };
            let text = ask(request.ask, all);
            let sync = after.runners[request.from].sync.as_ref();
            let answer = sync.filter(|_| request.heard).and_then(|s| s.answer);
            let answer = match answer {
                Some(Answer::Stored(..)) | None => "done".to_owned(),
                Some(other) => format!("{other:?}"),
            };
            format!(
                "the request of {} takes effect{from}: {text}: {answer}",
                who(request.from)
            )
        }
        Step::Answer(i) => format!("{} reads the answer and {}", who(i), sent(i)),
        Step::Start(i) => format!("{} starts and lists", who(i)),
        Step::Crash(i, true) => format!("{} dies; what it sent is on its way", who(i)),
        Step::Crash(i, false) => format!("{} dies, and its request is lost", who(i)),
        Step::GiveUp(i, true) => format!(
            "{} hears no answer to its request, which stays on its way",
            who(i)
        ),
        Step::GiveUp(i, false) => {
            format!("{} hears no answer to its request, which is lost", who(i))
        }
        Step::Ready(n) => format!("{} becomes ready", name(n)),
        Step::Finish(n) => format!("{} has ended and is gone", name(n)),
        Step::Clock => "three seconds pass".to_owned(),
        Step::Fail(n) => format!("{} fails", name(n)),
        Step::Delete(n) => format!("somebody deletes {}", name(n)),
        Step::Edit => format!("somebody changes the template to {}", after.server.template),
    }
}
