//! A state of a small scope, and the steps that it allows.

use std::hash::{Hash, Hasher};

use daemonset_controller::model::Kind;

use super::controller::{Ask, Controllers, Known, News, PlanNumber};
use super::scope::Scope;
use super::server::{Json, Name, Phase, Pod, Server, Told};

/// An event that a watch has not delivered yet, and whose write it was.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Queued {
    pub told: Told,
    pub by: Option<usize>,
}

/// What became of a request that took effect.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Answer {
    Stored(Kind, Json),
    Exists,
    Gone,
    Conflict,
}

/// A plan that is being carried out, by the request at `call`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sync {
    pub plan: PlanNumber,
    pub call: u8,
    /// A part of it failed.
    pub failed: bool,
    /// The answer, once the request took effect.
    pub answer: Option<Answer>,
    /// For each node, how many writes to its pods the plan did not know of.
    pub late: Vec<u8>,
}

/// A controller.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Runner {
    /// None while it does not run.
    pub known: Option<Known>,
    /// By kind.
    pub queues: [Vec<Queued>; 4],
    pub sync: Option<Sync>,
    /// It has listed, and watches until this step of time before it makes a plan.
    pub plans_from: u8,
}

/// A request that has not taken effect.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Request {
    pub from: usize,
    /// Whether its sender waits for the answer.
    pub heard: bool,
    pub ask: Ask,
    pub plan: PlanNumber,
    pub call: u8,
    /// How many writes to the pods of its node its plan did not know of.
    pub late: u8,
}

/// What may still happen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Left {
    pub fails: u8,
    pub deletes: u8,
    pub crashes: u8,
    pub losses: u8,
    /// How many of the scope's edits are left.
    pub edits: u8,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct State {
    pub server: Server,
    pub runners: Vec<Runner>,
    pub net: Vec<Request>,
    pub left: Left,
}

/// Collects what is hashed.
struct Bytes(Vec<u8>);

impl Hasher for Bytes {
    fn finish(&self) -> u64 {
        unreachable!("the bytes are taken")
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Deliver(usize, Kind),
    Plan(usize),
    Effect(usize),
    Answer(usize),
    Start(usize),
    /// Whether the request under way is still on its way.
    Crash(usize, bool),
    GiveUp(usize, bool),
    Ready(Name),
    Finish(Name),
    Clock,
    Fail(Name),
    Delete(Name),
    Edit,
}

impl Step {
    /// Whether it happens even if nothing goes wrong any more, and nobody does anything.
    pub fn is_free(self) -> bool {
        !matches!(
            self,
            Step::Crash(..) | Step::GiveUp(..) | Step::Fail(_) | Step::Delete(_) | Step::Edit
        )
    }
}

impl State {
    /// The state as bytes, with the controllers in another order where `turned`.
    pub fn bytes(&self, turned: bool) -> Vec<u8> {
        let last = self.runners.len() - 1;
        let number = |i: usize| if turned { last - i } else { i } as u8;
        let mut bytes = Bytes(Vec::with_capacity(256));
        self.server.hash(&mut bytes);
        let left = &self.left;
        bytes.0.extend([
            left.fails,
            left.deletes,
            left.crashes,
            left.losses,
            left.edits,
        ]);
        for i in 0..=last {
            let runner = &self.runners[usize::from(number(i))];
            (runner.known, runner.plans_from, &runner.sync).hash(&mut bytes);
            for queue in &runner.queues {
                bytes.0.push(queue.len() as u8);
                for Queued { told, by } in queue {
                    bytes.0.extend(told.json.to_ne_bytes());
                    bytes.0.extend([u8::from(told.gone), by.map_or(9, number)]);
                }
            }
        }
        let mut net: Vec<Vec<u8>> = Vec::new();
        for request in &self.net {
            let mut one = Bytes(Vec::with_capacity(32));
            (
                request.ask,
                request.heard,
                request.plan,
                request.call,
                request.late,
            )
                .hash(&mut one);
            one.0.push(number(request.from));
            net.push(one.0);
        }
        net.sort_unstable();
        net.iter().for_each(|one| bytes.0.extend(one));
        bytes.0
    }

    fn sort(&mut self) {
        let by = |r: &Request| (r.ask, r.from, r.heard, r.plan, r.call, r.late);
        self.net.sort_unstable_by_key(by);
    }

    /// All steps that may be next.
    pub fn steps(&self, scope: &Scope, all: &mut Controllers) -> Vec<Step> {
        let mut steps = Vec::new();
        for (i, runner) in self.runners.iter().enumerate() {
            let Some(known) = runner.known else {
                steps.push(Step::Start(i));
                continue;
            };
            for kind in Kind::ALL {
                if !runner.queues[kind as usize].is_empty() {
                    steps.push(Step::Deliver(i, kind));
                }
            }
            match &runner.sync {
                Some(sync) => {
                    let answered = sync.answer.is_some();
                    if answered {
                        steps.push(Step::Answer(i));
                    }
                    if self.left.losses > 0 {
                        steps.push(Step::GiveUp(i, true));
                        steps.extend((!answered).then_some(Step::GiveUp(i, false)));
                    }
                }
                None if runner.plans_from <= self.server.clock && self.plans(i, known, all) => {
                    steps.push(Step::Plan(i));
                }
                None => {}
            }
            if self.left.crashes > 0 {
                steps.push(Step::Crash(i, true));
                let sent = runner.sync.as_ref().is_some_and(|s| s.answer.is_none());
                steps.extend(sent.then_some(Step::Crash(i, false)));
            }
        }
        let in_time = |r: &Request| scope.late.is_none_or(|most| r.late <= most);
        let effects = (0..self.net.len()).filter(|r| in_time(&self.net[*r]));
        steps.extend(effects.map(Step::Effect));
        for pod in self.server.pods.values() {
            let name = pod.name;
            if pod.asked.is_some() {
                steps.push(Step::Finish(name));
                continue;
            }
            if pod.phase == Phase::Pending {
                steps.push(Step::Ready(name));
            }
            if pod.phase != Phase::Failed && self.left.fails > 0 {
                steps.push(Step::Fail(name));
            }
            if self.left.deletes > 0 {
                steps.push(Step::Delete(name));
            }
        }
        if self.left.edits > 0 {
            steps.push(Step::Edit);
        }
        if self.may_wait(scope) {
            steps.push(Step::Clock);
        }
        steps
    }

    /// Whether this controller has something to do.
    fn plans(&self, i: usize, known: Known, all: &mut Controllers) -> bool {
        let (due, pending) = all.must_read(known);
        if *due || !pending.is_empty() {
            return true;
        }
        let plan = all.plan(known, i);
        !all.planned(plan).calls.is_empty()
    }

    /// Whether time may pass: no request and no event is so late, unless the scope says so.
    fn may_wait(&self, scope: &Scope) -> bool {
        let told = |r: &Runner| r.queues.iter().all(Vec::is_empty) && r.sync.is_none();
        let in_time = self.net.is_empty() && self.runners.iter().all(told);
        self.server.clock < scope.clock && (in_time || scope.late.is_none())
    }

    /// Whether a controller waits for time to pass.
    pub fn awaits_time(&self, all: &mut Controllers) -> bool {
        self.runners.iter().enumerate().any(|(i, runner)| {
            let mut rests = |known| {
                let plan = all.plan(known, i);
                all.planned(plan).rests
            };
            runner.plans_from > self.server.clock || runner.known.is_some_and(|k| !rests(k))
        })
    }

    /// The state after a step, and what it breaks.
    pub fn after(
        &self,
        step: Step,
        scope: &Scope,
        all: &mut Controllers,
    ) -> (State, Option<String>) {
        let mut next = self.clone();
        let broken = next.take(step, scope, all);
        next.pass_by(all);
        next.sort();
        (next, broken)
    }

    fn take(&mut self, step: Step, scope: &Scope, all: &mut Controllers) -> Option<String> {
        match step {
            Step::Deliver(i, kind) => {
                let queued = self.runners[i].queues[kind as usize].remove(0);
                self.tell(i, News::Watch(queued.told), all);
            }
            Step::Plan(i) => self.plan(i, all),
            Step::Answer(i) => self.hear(i, all),
            Step::Start(i) => {
                let runner = &mut self.runners[i];
                runner.known = Some(all.listed(&self.server));
                runner.plans_from = self.server.clock + 1;
            }
            Step::Crash(i, keep) => {
                self.left.crashes -= 1;
                self.let_go(i, keep);
                let runner = &mut self.runners[i];
                runner.known = None;
                runner.sync = None;
                runner.queues = Default::default();
                // Nobody asks when a dead one would have planned.
                runner.plans_from = 0;
            }
            Step::GiveUp(i, keep) => {
                self.left.losses -= 1;
                self.let_go(i, keep);
                self.give_up(i, all);
            }
            Step::Effect(at) => return self.effect(at, scope, all),
            Step::Ready(name) | Step::Fail(name) => {
                let fails = step == Step::Fail(name);
                self.left.fails -= u8::from(fails);
                let phase = if fails { Phase::Failed } else { Phase::Ready };
                let pod = self.server.pods[&name];
                let told = self.server.put(Pod { phase, ..pod }, &mut all.texts);
                self.spread(told, None, scope);
            }
            Step::Finish(name) => {
                let told = self.server.remove(name, &mut all.texts);
                self.spread(told, None, scope);
            }
            Step::Delete(name) => {
                self.left.deletes -= 1;
                let told = self.server.ask_to_go(name, &mut all.texts);
                self.spread(told, None, scope);
            }
            Step::Edit => {
                let at = scope.edits.len() - usize::from(self.left.edits);
                self.left.edits -= 1;
                let server = &mut self.server;
                server.template = scope.edits[at];
                server.changes += 1;
                let json = all.texts.daemon_set(server.template, server.changes);
                let (kind, gone, node) = (Kind::DaemonSet, false, None);
                let told = Told {
                    kind,
                    gone,
                    json,
                    node,
                };
                self.spread(told, None, scope);
            }
            Step::Clock => {
                self.server.clock += 1;
                for i in 0..self.runners.len() {
                    self.tell(i, News::Clock(self.server.clock), all);
                }
            }
        }
        self.expire(scope, all);
        None
    }

    /// The controller is told something.
    pub(super) fn tell(&mut self, i: usize, news: News, all: &mut Controllers) {
        let runner = &mut self.runners[i];
        runner.known = runner.known.map(|known| all.tell(known, news));
    }

    /// Watches deliver what tells a controller nothing, such as its own writes once they were
    /// answered. Nothing can tell whether that was sooner or later.
    fn pass_by(&mut self, all: &mut Controllers) {
        for runner in &mut self.runners {
            let Some(known) = runner.known else { continue };
            for queue in &mut runner.queues {
                while let Some(queued) = queue.first()
                    && all.tell(known, News::Watch(queued.told)) == known
                {
                    queue.remove(0);
                }
            }
        }
    }

    /// A write goes to all watches.
    pub(super) fn spread(&mut self, told: Told, by: Option<usize>, scope: &Scope) {
        for (i, runner) in self.runners.iter_mut().enumerate() {
            if runner.known.is_some() {
                runner.queues[told.kind as usize].push(Queued { told, by });
            }
            if let (Some(most), Some(node), Some(sync)) = (scope.late, told.node, &mut runner.sync)
                && by != Some(i)
            {
                let late = &mut sync.late[usize::from(node)];
                *late = (*late + 1).min(most + 1);
            }
        }
        for request in &mut self.net {
            let own = request.heard && by == Some(request.from);
            if let Some(most) = scope.late
                && request.ask.node() == told.node
                && !own
            {
                request.late = (request.late + 1).min(most + 1);
            }
        }
    }

    /// Nobody waits for the request of this controller any more; it may still be on its way.
    fn let_go(&mut self, i: usize, keep: bool) {
        let own = |r: &Request| r.from == i && r.heard;
        if keep {
            for request in self.net.iter_mut().filter(|r| own(r)) {
                request.heard = false;
            }
        } else {
            self.net.retain(|r| !own(r));
        }
    }

    /// Requests that are too late are lost.
    pub(super) fn expire(&mut self, scope: &Scope, all: &mut Controllers) {
        let Some(most) = scope.late else { return };
        let is_late = |r: &Request| r.late > most;
        let waiting: Vec<usize> = self
            .net
            .iter()
            .filter(|r| is_late(r) && r.heard)
            .map(|r| r.from)
            .collect();
        self.net.retain(|r| !is_late(r));
        for i in waiting {
            self.give_up(i, all);
        }
    }
}
