//! The creates and deletes of a plan by node: which of them are carried out, and in which order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    model::Str,
    plan::{ActionPhase, Create, Delete, Plan},
};

/// What a pod is made from: the revision's hash, and the number of the rule of its node's class.
pub(super) type Kind = (Str, Option<usize>);

/// The kind of this pod.
pub(super) fn kind(create: &Create) -> Kind {
    let rule = create.resources.as_ref().map(|rule| rule.number);
    (create.revision.clone(), rule)
}

/// The create and the deletes of one node.
#[derive(Default)]
pub(super) struct Task<'p> {
    pub create: Option<&'p Create>,
    pub deletes: Vec<&'p Delete>,
}

impl<'p> Task<'p> {
    /// The share of the burst that it takes.
    fn calls(&self) -> usize {
        self.deletes.len().max(usize::from(self.create.is_some()))
    }

    /// Whether it creates the successor of a failed or finished pod, which must be there before
    /// that pod is deleted.
    pub fn is_successor(&self) -> bool {
        self.create
            .is_some_and(|c| c.phase == ActionPhase::Successor)
    }

    /// The node; None for an empty task.
    pub fn node(&self) -> Option<&'p Str> {
        let create = self.create.map(|c| &c.node);
        create.or(self.deletes.first().map(|d| &d.node))
    }
}

/// The tasks of some phases of a plan, one a node, by node name.
pub(super) struct Batch<'p> {
    tasks: VecDeque<Task<'p>>,
    /// What the burst left out.
    rest: VecDeque<Task<'p>>,
    is_cut: bool,
    creating: bool,
    /// Of these nothing more is created.
    denied: BTreeSet<Kind>,
    deleting: bool,
    evicting: bool,
}

impl<'p> Batch<'p> {
    /// At most `burst` creates, and as many deletes, of the phases that are wanted.
    pub fn new(plan: &'p Plan, wanted: impl Fn(ActionPhase) -> bool, burst: usize) -> Batch<'p> {
        let mut by_node: BTreeMap<&str, Task<'_>> = BTreeMap::new();
        for create in plan.creates.iter().filter(|c| wanted(c.phase)) {
            by_node.entry(&create.node).or_default().create = Some(create);
        }
        for delete in plan.deletes.iter().filter(|d| wanted(d.phase)) {
            by_node
                .entry(&delete.node)
                .or_default()
                .deletes
                .push(delete);
        }
        let mut tasks: VecDeque<Task<'_>> = by_node.into_values().collect();
        let (mut creates, mut deletes) = (0, 0);
        let fits = |task: &Task<'_>| {
            creates += usize::from(task.create.is_some());
            deletes += task.deletes.len();
            // The first task is always taken, however many pods are on that node.
            creates.max(deletes) <= burst
                || burst > 0
                    && creates + deletes == usize::from(task.create.is_some()) + task.deletes.len()
        };
        let count = tasks.iter().map(fits).take_while(|fits| *fits).count();
        let rest = tasks.split_off(count);
        Batch {
            is_cut: !rest.is_empty(),
            tasks,
            rest,
            creating: true,
            denied: BTreeSet::new(),
            deleting: true,
            evicting: true,
        }
    }

    /// Whether the burst left some out.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether no task is left.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many tasks are left.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// The share of the burst that the tasks take.
    pub fn calls(&self) -> usize {
        self.tasks.iter().map(Task::calls).sum()
    }

    /// Nothing more is created.
    pub fn end_creates(&mut self) {
        self.creating = false;
    }

    /// Nothing more of this kind is created. Pods of another revision or class may be accepted.
    pub fn end_creates_of(&mut self, kind: Kind) {
        self.denied.insert(kind);
    }

    fn creates(&self, create: &Create) -> bool {
        self.creating && (self.denied.is_empty() || !self.denied.contains(&kind(create)))
    }

    /// Nothing more is evicted.
    pub fn end_evictions(&mut self) {
        self.evicting = false;
    }

    /// Nothing more is deleted.
    pub fn end_deletes(&mut self) {
        self.deleting = false;
    }

    /// Nothing more is done.
    pub fn clear(&mut self) {
        self.tasks.clear();
        self.rest.clear();
    }

    /// A task is left out because its kind is denied: one of another kind takes its place, so that
    /// many nodes of one class use up no burst that others need.
    fn take_another(&mut self) {
        while let Some(task) = self.rest.pop_front() {
            if task.create.is_some_and(|create| self.creates(create)) {
                return self.tasks.push_back(task);
            }
        }
    }

    /// The next task, without what has ended. A successor and the delete of its predecessor stay
    /// together; other deletes go on after the creates have ended.
    pub fn next(&mut self) -> Option<Task<'p>> {
        loop {
            let mut task = self.tasks.pop_front()?;
            let creates = task.create.is_some_and(|create| self.creates(create));
            if task.create.is_some() && !creates && self.creating {
                self.take_another();
            }
            if task.is_successor() && !(creates && self.deleting) {
                continue;
            }
            if !creates {
                task.create = None;
            }
            if !self.deleting {
                task.deletes.clear();
            }
            if !self.evicting {
                task.deletes.retain(|delete| !delete.by.evicts());
            }
            if task.create.is_some() || !task.deletes.is_empty() {
                return Some(task);
            }
        }
    }
}
