//! A controller of a small scope: the real cache and the real plan, and in between what `apply`
//! does with them, one request after another.
//!
//! Caches are kept by number. Two that know the same have the same number, and what becomes of one
//! when it is told something is computed once. So a state of a scope is a few small numbers.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use daemonset_controller::cache::{Cache, Ticket};
use daemonset_controller::model::{
    BackoffChange, FeatureGates, Key, Kind, Settings, Snapshot, Time, Uid, Version,
};
use daemonset_controller::plan::{ActionPhase, Plan};

use super::server::{Json, Name, Server, Texts, Told, node_name, time};
use crate::support::key;

/// A number for what a controller knows.
pub type Known = u32;

/// A number for a plan.
pub type PlanNumber = u32;

/// What makes the plans: the real function, or a mutant. It is told which controller plans.
pub type Planner = fn(&Snapshot<'_>, Time, usize) -> Plan;

/// A request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Ask {
    MakeRevision(u8),
    Renumber {
        template: u8,
        number: u8,
        version: u8,
    },
    Create {
        name: Name,
        node: u8,
        template: u8,
    },
    Delete {
        name: Name,
        life: u8,
        version: u8,
        node: u8,
    },
}

impl Ask {
    pub fn node(self) -> Option<u8> {
        match self {
            Ask::Create { node, .. } | Ask::Delete { node, .. } => Some(node),
            _ => None,
        }
    }
}

/// A request of a plan, and what it depends on.
pub struct Call {
    pub ask: Ask,
    /// Of the rolling update: only when all before it succeeded.
    pub of_rollout: bool,
    /// A delete that waits for the create before it.
    pub after_create: bool,
    /// The pods on the node that the plan knows.
    pub seen: Vec<Uid>,
    /// Attempts that are recorded when it is sent.
    pub attempts: Vec<BackoffChange>,
}

/// A plan as it is carried out.
pub struct Planned {
    pub calls: Vec<Call>,
    /// Nothing else is to be done later either.
    pub rests: bool,
    /// The number of the template that it takes for the current one.
    pub template: u8,
    /// The names of the pods that it took for available, by node.
    pub available: Vec<Vec<Name>>,
}

/// What a cache is told.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum News {
    Watch(Told),
    Answer(Kind, Json),
    Holder(Json),
    Gone(Name, u8),
    Pending(Name, u8),
    Settled(Name, u8),
    /// A create of this name for this node whose outcome is not known.
    Unsettled(Name, u8),
    Attempt(PlanNumber, u8),
    PodsRead,
    Begin,
    End,
    Clock(u8),
}

struct Memory {
    cache: Rc<Cache>,
    clock: u8,
    ticket: Option<Ticket>,
    /// Pods that are known to be gone, and whether a watch said so, as long as that is remembered.
    buried: BTreeMap<Uid, bool>,
    /// Whether pods must be read before a plan is made, and the deletes that are not settled.
    must_read: (bool, Vec<Name>),
}

/// All that controllers ever knew and planned.
pub struct Controllers {
    pub texts: Texts,
    pub nodes: u8,
    planner: Planner,
    known: Vec<Memory>,
    numbers: HashMap<String, Known>,
    told: HashMap<(Known, News), Known>,
    planned: HashMap<(Known, usize), PlanNumber>,
    plans: Vec<Rc<Planned>>,
}

impl Controllers {
    pub fn new(texts: Texts, nodes: u8, planner: Planner) -> Controllers {
        Controllers {
            texts,
            nodes,
            planner,
            known: Vec::new(),
            numbers: HashMap::new(),
            told: HashMap::new(),
            planned: HashMap::new(),
            plans: Vec::new(),
        }
    }

    pub fn knowledge(&self) -> usize {
        self.known.len()
    }

    /// What a controller knows that lists everything now.
    pub fn listed(&mut self, server: &Server) -> Known {
        let mut cache = Cache::new(FeatureGates::default());
        cache.tick(time(server.clock));
        let texts = &mut self.texts;
        let nodes: Vec<Json> = (0..self.nodes).map(|n| texts.node(n)).collect();
        let revisions = server.revisions.iter().map(|r| texts.revision(r)).collect();
        let pods = server.pods.values().map(|p| texts.pod(p)).collect();
        let daemon_set = vec![texts.daemon_set(server.template, server.changes)];
        let lists: [(Kind, Vec<Json>); 4] = [
            (Kind::DaemonSet, daemon_set),
            (Kind::Node, nodes),
            (Kind::Revision, revisions),
            (Kind::Pod, pods),
        ];
        for (kind, items) in lists {
            cache.list_began(kind);
            for json in items {
                cache.listed(kind, self.texts.json(json)).expect("decodes");
            }
            cache.list_completed(kind, Version(1_000_000));
        }
        self.number(Memory {
            cache: Rc::new(cache),
            clock: server.clock,
            ticket: None,
            buried: BTreeMap::new(),
            must_read: Default::default(),
        })
    }

    /// What is known by one that knew `known` and is told this.
    pub fn tell(&mut self, known: Known, news: News) -> Known {
        if let Some(after) = self.told.get(&(known, news.clone())) {
            return *after;
        }
        let before = &self.known[known as usize];
        let mut cache = (*before.cache).clone();
        let (mut clock, mut ticket) = (before.clock, before.ticket);
        let mut buried = before.buried.clone();
        let texts = &self.texts;
        let pod_key = |name: Name| Key::new("default", texts.name_of(name));
        match &news {
            News::Watch(told) if told.gone => {
                let raw = texts.json(told.json);
                cache.deleted(told.kind, raw);
                let identity = daemonset_controller::wire::identity(raw).expect("a UID");
                buried.remove(&identity.uid);
                if ticket.is_some() {
                    buried.insert(identity.uid, true);
                }
            }
            News::Watch(Told { kind, json, .. }) | News::Answer(kind, json) => {
                cache.observe(*kind, texts.json(*json)).expect("decodes");
            }
            News::Holder(json) => cache.observe_holder(texts.json(*json)).expect("decodes"),
            News::Gone(name, life) => {
                let uid = texts.uid(*name, *life);
                cache.gone(Kind::Pod, &pod_key(*name), &uid);
                if cache.pod(&pod_key(*name)).is_none_or(|p| p.uid != uid) {
                    buried.entry(uid).or_insert(false);
                }
            }
            News::Pending(name, life) => {
                cache.delete_pending(&pod_key(*name), &texts.uid(*name, *life));
            }
            News::Settled(name, life) => {
                cache.delete_settled(&pod_key(*name), &texts.uid(*name, *life));
            }
            News::Unsettled(name, node) => {
                let name = texts.name_of(*name).into();
                cache.create_unsettled(&key(), &node_name(*node).into(), &name, time(clock));
            }
            News::Attempt(plan, call) => {
                let plan = &self.plans[*plan as usize];
                cache.attempt(&plan.calls[usize::from(*call)].attempts, time(clock));
            }
            News::PodsRead => {
                let uid = cache.daemon_set(&key()).expect("there").uid.clone();
                cache.pods_read(&key(), &uid, time(clock));
            }
            News::Begin => ticket = Some(cache.request_began()),
            News::End => {
                cache.request_ended(ticket.take().expect("it began"));
                buried.retain(|_, confirmed| !*confirmed);
            }
            News::Clock(now) => {
                clock = *now;
                cache.tick(time(clock));
            }
        }
        let after = self.number(Memory {
            cache: Rc::new(cache),
            clock,
            ticket,
            buried,
            must_read: Default::default(),
        });
        self.told.insert((known, news), after);
        after
    }

    /// The number of what this cache knows: all that plans and further news depend on.
    fn number(&mut self, mut memory: Memory) -> Known {
        let cache = Rc::get_mut(&mut memory.cache).expect("nobody else has it yet");
        let mut text = format!(
            "{} {} {:?} {:?} {:?}",
            memory.clock,
            memory.ticket.is_some(),
            memory.buried,
            cache.pod_read_due(&key()),
            cache.pending_deletes(&key()),
        );
        for name in self.texts.names() {
            if let Some(pod) = cache.pod(&Key::new("default", &**name)) {
                text += &format!("{pod:?}");
            }
        }
        let nodes = self.nodes;
        let rest = cache.snapshot(&key(), Settings::default(), |s| {
            let gone = |n| format!("{:?}", s.gone_pods.on(&node_name(n)));
            let gone: Vec<String> = (0..nodes).map(gone).collect();
            let now = time(memory.clock);
            let unsettled = |n| s.unsettled.names(&node_name(n), now).collect::<Vec<_>>();
            let unsettled: Vec<_> = (0..nodes).map(unsettled).collect();
            let revisions = s.revisions.iter().map(|r| (r.name.clone(), r.version));
            let revisions: Vec<_> = revisions.collect();
            let version = s.daemon_set.version;
            let backoff = s.backoff;
            format!("{gone:?} {unsettled:?} {backoff:?} {revisions:?} {version:?}")
        });
        text += &rest.expect("the DaemonSet is there");
        let pending = cache.pending_deletes(&key());
        let names = self.texts.names();
        let name = |key: &Key| names.iter().position(|n| **n == *key.name);
        let pending = pending.iter().filter_map(|(key, _)| name(key));
        let pending = pending.map(|at| Name::try_from(at).expect("few names"));
        let due = cache.needs_pod_read(&key(), time(memory.clock));
        memory.must_read = (due, pending.collect());
        let next = Known::try_from(self.known.len()).expect("not that many");
        let number = *self.numbers.entry(text).or_insert(next);
        if number == next {
            self.known.push(memory);
        }
        number
    }

    /// Whether pods must be read before a plan is made, and the deletes that are not settled.
    pub fn must_read(&self, known: Known) -> &(bool, Vec<Name>) {
        &self.known[known as usize].must_read
    }

    /// The life of the pod of this name that is known.
    pub fn life_of(&self, known: Known, name: Name) -> Option<u8> {
        let cache = &self.known[known as usize].cache;
        let pod = cache.pod(&Key::new("default", self.texts.name_of(name)))?;
        pod.uid.as_str().rsplit_once('.')?.1.parse().ok()
    }

    /// Whether the node has a pod that the plan did not know of.
    pub fn has_other_pod(&self, known: Known, node: u8, seen: &[Uid]) -> bool {
        let cache = &self.known[known as usize].cache;
        cache.has_other_pod(&key(), &node_name(node), seen)
    }

    /// The plan of this number.
    pub fn planned(&self, plan: PlanNumber) -> Rc<Planned> {
        self.plans[plan as usize].clone()
    }

    /// The plan of this controller for what is known.
    pub fn plan(&mut self, known: Known, who: usize) -> PlanNumber {
        if let Some(plan) = self.planned.get(&(known, who)) {
            return *plan;
        }
        let memory = &self.known[known as usize];
        let mut cache = (*memory.cache).clone();
        let now = time(memory.clock);
        let planner = self.planner;
        let (plan, available) = cache
            .snapshot(&key(), Settings::default(), |s| {
                let mut available = vec![Vec::new(); usize::from(self.nodes)];
                for pod in s.pods.iter().filter(|p| p.is_live() && p.is_ready()) {
                    let node = pod.node.map_or("", |id| s.nodes.name(id));
                    let node: usize = node[1..].parse().expect("a node");
                    available[node].push(self.texts.name(&pod.name));
                }
                (planner(s, now, who), available)
            })
            .expect("the DaemonSet is there");
        let planned = self.in_calls(&plan, available);
        let number = PlanNumber::try_from(self.plans.len()).expect("not that many");
        self.plans.push(Rc::new(planned));
        self.planned.insert((known, who), number);
        number
    }

    fn template_of(&self, hash: &str) -> u8 {
        let at = self.texts.hashes.iter().position(|h| h == hash);
        u8::try_from(at.expect("a template's hash")).expect("few templates")
    }

    /// The requests of a plan in their order.
    fn in_calls(&mut self, plan: &Plan, available: Vec<Vec<Name>>) -> Planned {
        let ops = &plan.revision_ops;
        let current = plan.revision.as_ref().expect("it is not left alone");
        let template = self.template_of(&current.hash);
        let call = |ask| Call {
            ask,
            of_rollout: false,
            after_create: false,
            seen: Vec::new(),
            attempts: Vec::new(),
        };
        assert!(ops.read_data.is_empty() && ops.adopt.is_empty() && ops.delete_old.is_empty());
        assert!(ops.collision_count.is_none() && plan.relabels.is_empty());
        let mut calls = Vec::new();
        if current.create {
            calls.push(call(Ask::MakeRevision(template)));
        }
        if let Some((revision, number)) = &ops.set_number {
            let version = u8::try_from(revision.version.0).expect("few writes");
            let number = u8::try_from(*number).expect("few revisions");
            calls.push(call(Ask::Renumber {
                template,
                number,
                version,
            }));
        }
        for of_rollout in [false, true] {
            let wanted = |phase| (phase == ActionPhase::Rollout) == of_rollout;
            for node in 0..self.nodes {
                let name = node_name(node);
                let create = plan
                    .creates
                    .iter()
                    .find(|c| wanted(c.phase) && *c.node == *name);
                if let Some(create) = create {
                    let ask = Ask::Create {
                        name: self.texts.name(&create.pod_name),
                        node,
                        template: self.template_of(&create.revision),
                    };
                    let seen = create.seen.clone();
                    calls.push(Call {
                        of_rollout,
                        seen,
                        ..call(ask)
                    });
                }
                let is_successor = create.is_some_and(|c| c.phase == ActionPhase::Successor);
                let deletes = plan.deletes.iter();
                let deletes = deletes.filter(|d| wanted(d.phase) && *d.node == *name);
                let first = calls.len() - usize::from(create.is_some());
                for delete in deletes {
                    let life = delete.pod.uid.as_str().rsplit_once('.').expect("a life").1;
                    let ask = Ask::Delete {
                        name: self.texts.name(&delete.pod.name),
                        life: life.parse().expect("a life"),
                        version: u8::try_from(delete.pod.version.0).expect("few writes"),
                        node,
                    };
                    calls.push(Call {
                        of_rollout,
                        after_create: is_successor,
                        ..call(ask)
                    });
                    let here = plan.backoff.iter().filter(|k| *k.node == *name);
                    calls[first].attempts = here.cloned().collect();
                }
            }
        }
        Planned {
            rests: plan.wake_at.is_none(),
            calls,
            template,
            available,
        }
    }
}
