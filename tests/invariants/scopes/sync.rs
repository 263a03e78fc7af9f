//! How a controller carries a plan out: what `runtime::sync` and `apply` do, one request at a time.

use daemonset_controller::model::Kind;

use super::controller::{Ask, Controllers, News};
use super::server::Name;
use super::state::{Answer, Request, State, Sync};

impl State {
    /// A sync begins: what is not settled is read, a plan is made, and its first request is sent.
    pub(super) fn plan(&mut self, i: usize, all: &mut Controllers) {
        self.tell(i, News::Begin, all);
        let (due, pending) = all
            .must_read(self.runners[i].known.expect("it runs"))
            .clone();
        for name in pending {
            self.read_back(i, name, all);
        }
        if due {
            for pod in self.server.pods.clone().values() {
                let json = all.texts.pod(pod);
                self.tell(i, News::Answer(Kind::Pod, json), all);
            }
            self.tell(i, News::PodsRead, all);
        }
        let runner = &mut self.runners[i];
        let plan = all.plan(runner.known.expect("it runs"), i);
        let unknown = |node: u8| {
            let events = runner.queues[Kind::Pod as usize].iter();
            let of_others = events.filter(|q| q.by != Some(i) && q.told.node == Some(node));
            u8::try_from(of_others.count()).expect("few events")
        };
        let late = (0..all.nodes).map(unknown).collect();
        runner.sync = Some(Sync {
            plan,
            call: 0,
            failed: false,
            answer: None,
            late,
        });
        self.send(i, all);
    }

    /// Sends the next request, or ends the sync.
    fn send(&mut self, i: usize, all: &mut Controllers) {
        let sync = self.runners[i].sync.clone().expect("a sync");
        let planned = all.planned(sync.plan);
        let Some(call) = planned.calls.get(usize::from(sync.call)) else {
            return self.end(i, all);
        };
        if call.of_rollout && sync.failed {
            return self.end(i, all);
        }
        let known = self.runners[i].known.expect("it runs");
        if !call.attempts.is_empty() {
            self.tell(i, News::Attempt(sync.plan, sync.call), all);
        }
        match call.ask {
            Ask::Create { node, .. } if all.has_other_pod(known, node, &call.seen) => {
                return self.skip(i, true, all);
            }
            Ask::Delete { name, life, .. } => {
                if all.life_of(known, name) != Some(life) {
                    return self.skip(i, false, all);
                }
                self.tell(i, News::Pending(name, life), all);
            }
            _ => {}
        }
        let late = call.ask.node().map_or(0, |n| sync.late[usize::from(n)]);
        self.net.push(Request {
            from: i,
            heard: true,
            ask: call.ask,
            plan: sync.plan,
            call: sync.call,
            late,
        });
    }

    /// Goes on behind a call, which failed or not. What depends on it is left out.
    fn skip(&mut self, i: usize, failed: bool, all: &mut Controllers) {
        let sync = self.runners[i].sync.as_mut().expect("a sync");
        sync.answer = None;
        sync.failed |= failed;
        sync.call += 1;
        let planned = all.planned(sync.plan);
        let depends = |at: u8| {
            planned
                .calls
                .get(usize::from(at))
                .is_some_and(|c| c.after_create)
        };
        while failed && depends(sync.call) {
            sync.call += 1;
        }
        self.send(i, all);
    }

    fn end(&mut self, i: usize, all: &mut Controllers) {
        self.runners[i].sync = None;
        self.tell(i, News::End, all);
    }

    /// The controller reads the answer to its request.
    pub(super) fn hear(&mut self, i: usize, all: &mut Controllers) {
        let sync = self.runners[i].sync.clone().expect("a sync");
        let ask = all.planned(sync.plan).calls[usize::from(sync.call)].ask;
        let mut failed = false;
        match (ask, sync.answer.expect("an answer")) {
            (_, Answer::Stored(kind, json)) => self.tell(i, News::Answer(kind, json), all),
            (Ask::Create { name, .. }, _) => {
                failed = true;
                if let Some(pod) = self.server.pods.get(&name) {
                    let json = all.texts.pod(&pod.clone());
                    self.tell(i, News::Holder(json), all);
                }
            }
            (Ask::Delete { name, life, .. }, Answer::Gone) => {
                self.tell(i, News::Gone(name, life), all);
            }
            (Ask::Delete { name, .. }, _) => {
                failed = true;
                self.read_back(i, name, all);
            }
            (Ask::MakeRevision(template) | Ask::Renumber { template, .. }, answer) => {
                let known = self
                    .server
                    .revisions
                    .iter()
                    .find(|r| r.template == template);
                if let Some(revision) = known {
                    let json = all.texts.revision(&revision.clone());
                    self.tell(i, News::Answer(Kind::Revision, json), all);
                }
                // A revision of the same template is the one that was to be made.
                if answer != Answer::Exists {
                    return self.end(i, all);
                }
            }
        }
        self.skip(i, failed, all);
    }

    /// The controller hears nothing of its request, and ends the sync.
    pub(super) fn give_up(&mut self, i: usize, all: &mut Controllers) {
        let sync = self.runners[i].sync.clone().expect("a sync");
        let ask = all.planned(sync.plan).calls[usize::from(sync.call)].ask;
        match ask {
            Ask::Delete { name, .. } => self.read_back(i, name, all),
            Ask::Create { name, node, .. } => self.tell(i, News::Unsettled(name, node), all),
            _ => {}
        }
        self.end(i, all);
    }

    /// A pod is read back after a delete whose outcome is not clear.
    fn read_back(&mut self, i: usize, name: Name, all: &mut Controllers) {
        let Some(life) = all.life_of(self.runners[i].known.expect("it runs"), name) else {
            return;
        };
        let Some(pod) = self.server.pods.get(&name).copied() else {
            return self.tell(i, News::Gone(name, life), all);
        };
        if pod.life != life {
            self.tell(i, News::Gone(name, life), all);
        }
        let json = all.texts.pod(&pod);
        self.tell(i, News::Answer(Kind::Pod, json), all);
        self.tell(i, News::Settled(name, life), all);
    }
}
