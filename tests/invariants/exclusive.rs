//! `exclusive` in small scopes, exhausted: two controllers, up to four pods of a node or two nodes,
//! every interleaving of their requests, every delay and every crash. What they do about a read is
//! the product's own [`Settling`]. `docs/exclusive.md` has the proof for any scope.
//!
//! - A create may take effect at any time: whoever sent it may have known nothing at all.
//! - A controller reads all pods at once, and begins the requests that follow; each may take effect
//!   at any later time, or never, and its answer may be lost. Giving up, failing and dying are the
//!   same: nothing is remembered, and the request is still under way.
//! - Anybody else deletes pods, schedules and ends those that have no gate, and changes those that
//!   have one.

use std::collections::{HashSet, VecDeque};

use daemonset_controller::model::{Interner, Pod, PodPhase, Version};
use daemonset_controller::plan::exclusive::{Answer, Settling, Step};
use daemonset_controller::wire;
use serde_json::{json, value::to_raw_value};

/// At most so many pods.
const MOST: usize = 4;
const CONTROLLERS: usize = 2;

/// Where a pod is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Life {
    Future,
    Gated,
    /// Deleted with its gate; a finalizer keeps it.
    GatedDying,
    /// Without a gate, and not scheduled yet.
    Ungated,
    Running,
    /// Deleted, and it runs on.
    Stopping,
    /// It has ended.
    Over,
    Gone,
}

impl Life {
    fn could_run(self) -> bool {
        matches!(self, Life::Ungated | Life::Running | Life::Stopping)
    }

    fn exists(self) -> bool {
        !matches!(self, Life::Future | Life::Gone)
    }
}

/// A pod and its resourceVersion.
type Known = (Life, u8);

/// A request for a pod in the version that was read.
type Ask = Step<(u8, u8)>;

/// What a controller does on a node: what is left of it. Its first request may be under way.
type Job = Option<Settling<(u8, u8)>>;

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    pods: [Known; MOST],
    /// By controller and node. Controllers are alike, so these are sorted.
    jobs: [[Job; 2]; CONTROLLERS],
    /// What nobody waits for any more, and may take effect yet; sorted.
    late: Vec<Ask>,
}

/// What is wrong with a protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flaw {
    None,
    /// The read may miss pods: it is older than the create.
    OldRead,
    /// Deletes name no version.
    AnyVersion,
    /// What was not done counts as done.
    Unconfirmed,
    /// The gate goes first.
    UngateFirst,
    /// A pod that terminates does not count as one that may run.
    IgnoresStopping,
}

#[derive(Clone, Debug)]
struct Scope {
    nodes: usize,
    pods: usize,
    late: usize,
    /// The order of the pods' names.
    order: Vec<usize>,
    finalizers: bool,
    flaw: Flaw,
}

/// What was found.
#[derive(Default)]
struct Found {
    states: usize,
    /// A state in which two pods of a node could run.
    broken: Option<String>,
    /// The most pods that had run, or could, in one state.
    started: usize,
}

struct Model {
    scope: Scope,
    pod: Pod,
}

impl Model {
    fn new(scope: Scope) -> Model {
        let raw = json!({
            "metadata": { "name": "p", "namespace": "x", "uid": "u", "resourceVersion": "1",
                          "creationTimestamp": "2026-01-01T00:00:00Z" },
            "spec": {},
        });
        let raw = to_raw_value(&raw).expect("JSON");
        let decoded = wire::pod::decode(&raw, &mut Interner::default());
        Model {
            scope,
            pod: decoded.expect("a pod").pod,
        }
    }

    fn node_of(&self, pod: usize) -> usize {
        pod % self.scope.nodes
    }

    /// A pod as the API server answers with it.
    fn seen(&self, pod: usize, (life, version): Known) -> Pod {
        let is_over = life == Life::Over;
        Pod {
            name: format!("p{}", self.scope.order[pod]).into(),
            uid: format!("{pod}").as_str().into(),
            version: Version(u64::from(version)),
            gated: matches!(life, Life::Gated | Life::GatedDying),
            terminating: matches!(life, Life::GatedDying | Life::Stopping),
            scheduled: matches!(life, Life::Running | Life::Stopping | Life::Over),
            phase: if is_over {
                PodPhase::Failed
            } else {
                PodPhase::Active
            },
            ..self.pod.clone()
        }
    }

    /// What a controller does after a read of these pods.
    fn settling(&self, pods: &[Known; MOST], node: usize, missed: usize) -> Settling<(u8, u8)> {
        let here = (0..self.scope.pods).filter(|pod| self.node_of(*pod) == node);
        let read = here.filter(|pod| pods[*pod].0.exists() && missed & (1 << pod) == 0);
        let ignores = self.scope.flaw == Flaw::IgnoresStopping;
        let read = read.filter(|pod| !(ignores && pods[*pod].0 == Life::Stopping));
        let read: Vec<Pod> = read.map(|pod| self.seen(pod, pods[pod])).collect();
        Settling::new(&read).map(|pod| {
            let number = pod.uid.as_str().parse().expect("a number");
            (number, u8::try_from(pod.version.0).expect("a small number"))
        })
    }

    /// The request that a controller sends next.
    fn asks(&self, job: &Settling<(u8, u8)>) -> Option<Ask> {
        let steps = job.steps();
        match self.scope.flaw {
            Flaw::UngateFirst => steps.back().cloned(),
            _ => job.next().cloned(),
        }
    }

    /// What the API server does about a request.
    fn serve(&self, pods: &mut [Known; MOST], ask: &Ask) -> Answer {
        let (Step::Delete((number, version)) | Step::Ungate((number, version))) = ask;
        let pod = &mut pods[usize::from(*number)];
        let is_delete = matches!(ask, Step::Delete(_));
        if pod.0 == Life::Gone {
            return if is_delete {
                Answer::Done
            } else {
                Answer::NotDone
            };
        }
        let any = is_delete && self.scope.flaw == Flaw::AnyVersion;
        if pod.1 != *version && !any {
            return Answer::NotDone;
        }
        if is_delete {
            self.delete(pod);
        } else {
            assert_eq!(pod.0, Life::Gated, "only such pods are chosen");
            *pod = (Life::Ungated, pod.1 + 1);
        }
        Answer::Done
    }

    fn delete(&self, pod: &mut Known) {
        let next = match pod.0 {
            Life::Gated if self.scope.finalizers => Life::GatedDying,
            Life::Running => Life::Stopping,
            Life::GatedDying | Life::Stopping => return,
            _ => Life::Gone,
        };
        *pod = (next, pod.1 + 1);
    }

    fn next(&self, state: &State) -> Vec<State> {
        let mut all = Vec::new();
        self.others(state, &mut all);
        for who in 0..CONTROLLERS {
            self.reads(state, who, &mut all);
            for node in 0..self.scope.nodes {
                self.works(state, who, node, &mut all);
            }
        }
        for at in 0..state.late.len() {
            let mut after = state.clone();
            let ask = after.late.remove(at);
            self.serve(&mut after.pods, &ask);
            all.push(after);
        }
        all
    }

    /// What others do to pods.
    fn others(&self, state: &State, all: &mut Vec<State>) {
        let mut push = |pod: usize, life: Life| {
            let mut after = state.clone();
            after.pods[pod] = (life, state.pods[pod].1 + 1);
            all.push(after);
        };
        for pod in 0..self.scope.pods {
            match state.pods[pod] {
                (Life::Future, _) => {
                    // The names decide the order, so the numbers need not.
                    let here = (0..pod).filter(|other| self.node_of(*other) == self.node_of(pod));
                    if here
                        .clone()
                        .all(|other| state.pods[other].0 != Life::Future)
                    {
                        push(pod, Life::Gated);
                    }
                }
                (Life::Gated, version) => {
                    // Somebody writes to it once, or deletes it.
                    if version == 1 {
                        push(pod, Life::Gated);
                    }
                    let dies = if self.scope.finalizers {
                        Life::GatedDying
                    } else {
                        Life::Gone
                    };
                    push(pod, dies);
                }
                (Life::Ungated, _) => {
                    push(pod, Life::Running);
                    push(pod, Life::Gone);
                }
                (Life::Running, _) => {
                    push(pod, Life::Stopping);
                    push(pod, Life::Over);
                }
                (Life::Stopping | Life::Over | Life::GatedDying, _) => push(pod, Life::Gone),
                (Life::Gone, _) => {}
            }
        }
    }

    /// A controller without work reads all pods.
    fn reads(&self, state: &State, who: usize, all: &mut Vec<State>) {
        if state.jobs[who].iter().any(Option::is_some) {
            return;
        }
        let misses = match self.scope.flaw {
            Flaw::OldRead => 1 << self.scope.pods,
            _ => 1,
        };
        for missed in 0..misses {
            let mut after = state.clone();
            for node in 0..self.scope.nodes {
                let settling = self.settling(&state.pods, node, missed);
                after.jobs[who][node] = settling.next().is_some().then_some(settling);
            }
            if after.jobs[who] != state.jobs[who] {
                all.push(after);
            }
        }
    }

    /// The next request of a controller takes effect and is answered, or it gives up.
    fn works(&self, state: &State, who: usize, node: usize, all: &mut Vec<State>) {
        let Some(settling) = &state.jobs[who][node] else {
            return;
        };
        let Some(ask) = self.asks(settling) else {
            return;
        };
        let goes_on = |answer| {
            let mut left = settling.clone();
            left.answered(answer);
            left.next().is_some().then_some(left)
        };
        let mut served = state.clone();
        let answer = self.serve(&mut served.pods, &ask);
        served.jobs[who][node] = goes_on(match self.scope.flaw {
            Flaw::Unconfirmed => Answer::Done,
            Flaw::UngateFirst => Answer::NotDone,
            _ => answer,
        });
        all.push(served);
        // The request never takes effect, or later.
        let mut given_up = state.clone();
        given_up.jobs[who][node] = match self.scope.flaw {
            Flaw::Unconfirmed => goes_on(Answer::Done),
            _ => None,
        };
        all.push(given_up.clone());
        if given_up.late.len() < self.scope.late {
            given_up.late.push(ask);
            given_up.late.sort();
            all.push(given_up);
        }
    }

    fn is_broken(&self, state: &State) -> bool {
        (0..self.scope.nodes).any(|node| {
            let here = (0..self.scope.pods).filter(|pod| self.node_of(*pod) == node);
            here.filter(|pod| state.pods[*pod].0.could_run()).count() > 1
        })
    }

    /// Every state that can be reached.
    fn exhaust(&self) -> Found {
        let start = State {
            pods: [(Life::Future, 0); MOST],
            jobs: [const { [const { None }; 2] }; CONTROLLERS],
            late: Vec::new(),
        };
        let mut found = Found::default();
        let mut known: HashSet<State> = [start.clone()].into();
        let mut left: VecDeque<State> = [start].into();
        while let Some(state) = left.pop_front() {
            if self.is_broken(&state) {
                found.broken = Some(format!("{:?}", state.pods));
                break;
            }
            let ran = |(life, _): &&Known| life.could_run() || *life == Life::Over;
            found.started = found.started.max(state.pods.iter().filter(ran).count());
            for mut after in self.next(&state) {
                after.jobs.sort();
                if known.insert(after.clone()) {
                    left.push_back(after);
                }
            }
        }
        found.states = known.len();
        found
    }
}

fn scope(nodes: usize, pods: usize, late: usize) -> Scope {
    Scope {
        nodes,
        pods,
        late,
        order: (0..MOST).collect(),
        finalizers: false,
        flaw: Flaw::None,
    }
}

/// Every order of so many names.
fn orders(pods: usize) -> Vec<Vec<usize>> {
    let mut all = vec![vec![]];
    for pod in 0..pods {
        let longer = all.iter().flat_map(|order: &Vec<usize>| {
            (0..=order.len()).map(move |at| {
                let mut longer = order.clone();
                longer.insert(at, pod);
                longer
            })
        });
        all = longer.collect();
    }
    all.into_iter()
        .map(|order| order.into_iter().chain(pods..MOST).collect())
        .collect()
}

fn assert_holds(scope: Scope) -> usize {
    let said = format!("{scope:?}");
    let found = Model::new(scope).exhaust();
    assert_eq!(found.broken, None, "{said}");
    assert!(found.started >= 2, "{said}: pods start one after another");
    println!("{} states: {said}", found.states);
    found.states
}

/// Pods with a finalizer do all that others do, and more.
fn kept(order: Vec<usize>, scope: Scope) -> Scope {
    Scope {
        order,
        finalizers: true,
        ..scope
    }
}

#[test]
fn no_two_pods_of_a_node_could_run_in_any_order_of_requests() {
    let mut states = 0;
    for order in orders(2) {
        states += assert_holds(kept(order, scope(1, 2, 2)));
    }
    states += assert_holds(kept(vec![2, 1, 0, 3], scope(1, 3, 0)));
    println!("{states} states, and no two pods of a node could run in any");
}

#[test]
#[ignore = "takes minutes"]
fn the_same_in_larger_scopes() {
    let mut states = 0;
    for order in orders(3) {
        states += assert_holds(kept(order, scope(1, 3, 1)));
    }
    states += assert_holds(kept(vec![1, 0, 2, 3], scope(1, 2, 4)));
    println!("{states} states, and no two pods of a node could run in any");
}

/// Nodes have nothing in common but the read.
#[test]
fn the_same_on_two_nodes() {
    let states = assert_holds(scope(2, 3, 0));
    println!("{states} states, and no two pods of a node could run in any");
}

#[test]
fn the_search_finds_each_flaw() {
    for flaw in [
        Flaw::OldRead,
        Flaw::AnyVersion,
        Flaw::Unconfirmed,
        Flaw::UngateFirst,
        Flaw::IgnoresStopping,
    ] {
        let mut finds = orders(2).into_iter().map(|order| {
            let scope = Scope {
                order,
                flaw,
                ..scope(1, 2, 1)
            };
            Model::new(scope).exhaust()
        });
        let broken = finds.find_map(|found| Some((found.broken?, found.states)));
        let (pods, states) = broken.unwrap_or_else(|| panic!("{flaw:?} is not found"));
        println!("{flaw:?}: after {states} states: {pods}");
    }
}
