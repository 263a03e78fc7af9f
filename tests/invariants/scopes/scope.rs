//! A small scope: what there is at first, what may happen, and what must hold.

use daemonset_controller::plan;
use serde_json::json;

use super::controller::{Ask, Controllers, Planner};
use super::server::{Phase, Pod, Revision, Server, Texts};
use super::state::{Left, Request, Runner, State};
use crate::support::*;

/// Bounds of an exploration.
#[derive(Clone)]
pub struct Scope {
    pub name: &'static str,
    pub nodes: u8,
    pub controllers: usize,
    /// Whether each node has a pod of the first template at the beginning.
    pub covered: bool,
    /// Whether new pods come before old ones go, instead of `maxUnavailable: 1`.
    pub surges: bool,
    /// Whether controllers begin with lists, and not with all that there is known.
    pub starts: bool,
    /// The templates that somebody changes to, one after another.
    pub edits: Vec<u8>,
    /// How often a pod fails, somebody deletes one, a controller dies, an answer is lost.
    pub fails: u8,
    pub deletes: u8,
    pub crashes: u8,
    pub losses: u8,
    /// How many steps of time there are.
    pub clock: u8,
    /// How many writes to the pods of its node a request may have missed when it takes effect:
    /// those that its plan did not know of, and those since. Then no time passes while a request
    /// or an event is under way. None: any number, and time passes at any moment.
    pub late: Option<u8>,
    /// Whether an answer arrives at once when its request takes effect.
    pub prompt: bool,
    pub planner: Planner,
}

impl Scope {
    /// Nothing happens in it, with a node that is covered and one controller.
    pub fn named(name: &'static str) -> Scope {
        Scope {
            name,
            nodes: 1,
            controllers: 1,
            covered: true,
            surges: false,
            starts: false,
            edits: Vec::new(),
            fails: 0,
            deletes: 0,
            crashes: 0,
            losses: 0,
            clock: 3,
            late: Some(3),
            prompt: false,
            planner: |snapshot, now, _| plan::plan(snapshot, now),
        }
    }

    fn daemon_set(&self) -> Object {
        let (surge, unavailable) = if self.surges { (1, 0) } else { (0, 1) };
        daemon_set().with(json!({"spec": {"updateStrategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
        }}}))
    }

    /// The first state.
    pub fn begin(&self) -> (State, Controllers) {
        let mut texts = Texts::default();
        texts.daemon_set = Some(self.daemon_set());
        for number in 0..3 {
            let ds = self
                .daemon_set()
                .with(json!({"spec": {"template": template(number)}}));
            let plan = Cluster::bare(ds, []).plan();
            texts
                .hashes
                .push(plan.revision.expect("a revision").hash.to_string());
        }
        let mut server = Server {
            pods: Default::default(),
            used: Default::default(),
            revisions: vec![Revision {
                template: 0,
                number: 1,
                version: 1,
            }],
            template: 0,
            changes: 0,
            clock: 0,
        };
        let mut all = Controllers::new(texts, self.nodes, self.planner);
        if self.covered {
            let known = all.listed(&server);
            let plan = all.plan(known, 0);
            for call in &all.planned(plan).calls {
                let Ask::Create {
                    name,
                    node,
                    template,
                } = call.ask
                else {
                    continue;
                };
                let (life, version, created) = (0, 0, 0);
                let (phase, asked) = (Phase::Ready, None);
                let pod = Pod {
                    name,
                    life,
                    version,
                    node,
                    template,
                    phase,
                    created,
                    asked,
                };
                server.put(pod, &mut all.texts);
            }
        }
        let known = all.listed(&server);
        let runner = Runner {
            known: (!self.starts).then_some(known),
            queues: Default::default(),
            sync: None,
            plans_from: 0,
        };
        let left = Left {
            fails: self.fails,
            deletes: self.deletes,
            crashes: self.crashes,
            losses: self.losses,
            edits: u8::try_from(self.edits.len()).expect("few edits"),
        };
        let runners = vec![runner; self.controllers];
        let net = Vec::new();
        (
            State {
                server,
                runners,
                net,
                left,
            },
            all,
        )
    }

    /// What a request breaks that takes effect now.
    pub fn judge(&self, server: &Server, request: &Request, all: &Controllers) -> Option<String> {
        let planned = all.planned(request.plan);
        let texts = &all.texts;
        match request.ask {
            Ask::MakeRevision(template) => {
                let was =
                    template == 0 || self.edits[..usize::from(server.changes)].contains(&template);
                (!was).then(|| format!("S4: no template has the revision {template}"))
            }
            Ask::Renumber { .. } => None,
            Ask::Create {
                name,
                node,
                template,
            } => {
                if server.pods.contains_key(&name) {
                    return None;
                }
                let live: Vec<&Pod> = server.on(node).filter(|p| p.is_live()).collect();
                let same = live.iter().any(|p| p.template == template);
                let most = usize::from(self.surges);
                (live.len() > most || same).then(|| {
                    let names = live.iter().map(|p| texts.name_of(p.name));
                    let names: Vec<&str> = names.collect();
                    format!(
                        "S1: {} joins {} on n{node}",
                        texts.name_of(name),
                        names.join(", ")
                    )
                })
            }
            Ask::Delete {
                name,
                life,
                version,
                node,
            } => {
                let pod = server.pods.get(&name).copied()?;
                let is_meant = pod.life == life && pod.version == version;
                if !is_meant || !pod.is_available() {
                    return None;
                }
                // Others that are available on the node, or were as far as the plan knew.
                let here = &planned.available[usize::from(node)];
                let others = server
                    .on(node)
                    .filter(|p| p.name != name && p.is_available());
                let others: Vec<&Pod> = others.collect();
                let of = |t: u8| t == planned.template;
                let as_good = others.iter().any(|p| of(p.template));
                let other_was_known = here.iter().any(|n| *n != name);
                if of(pod.template) {
                    let only = !as_good && !other_was_known;
                    let said = texts.name_of(name);
                    return only.then(|| format!("S3: {said} was the only good pod of n{node}"));
                }
                if !others.is_empty() || other_was_known {
                    return None;
                }
                let call = &planned.calls[usize::from(request.call)];
                if !call.of_rollout {
                    return None;
                }
                let before = &planned.calls[..usize::from(request.call)];
                let own = |n: u8| {
                    before
                        .iter()
                        .any(|c| matches!(c.ask, Ask::Delete { node, .. } if node == n))
                };
                let empty = |n: &u8| !server.on(*n).any(Pod::is_available);
                let was_known = |n: &u8| planned.available[usize::from(*n)].is_empty() || own(*n);
                let down: Vec<u8> = (0..self.nodes)
                    .filter(|n| *n != node && empty(n) && was_known(n))
                    .collect();
                let budget = usize::from(!self.surges);
                (down.len() >= budget).then(|| {
                    format!(
                        "S2: {} goes while nodes {down:?} have no available pod",
                        texts.name_of(name)
                    )
                })
            }
        }
    }

    /// What is wrong once nothing happens any more.
    pub fn at_rest(&self, state: &State, all: &Controllers) -> Option<String> {
        let server = &state.server;
        for node in 0..self.nodes {
            let pods: Vec<&Pod> = server.on(node).collect();
            let good = |p: &Pod| p.is_available() && p.template == server.template;
            if pods.len() != 1 || !good(pods[0]) {
                let name = |p: &&Pod| format!("{} {:?}", all.texts.name_of(p.name), p.phase);
                let said: Vec<String> = pods.iter().map(name).collect();
                return Some(format!("L1: n{node} rests with {said:?}"));
            }
        }
        let newest = server.revisions.iter().max_by_key(|r| r.number);
        let is_current = newest.is_some_and(|r| r.template == server.template);
        (!is_current).then(|| "L1: the newest revision is not the current one".into())
    }
}
