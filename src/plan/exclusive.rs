//! `exclusive`: a node never has two pods of a DaemonSet that could run, whatever is late.
//!
//! A pod is created with a scheduling gate, and nobody starts a pod that has one. [`Settling`] says
//! by a read of the node's pods, which is later than the create, which gated pods are deleted and
//! which one loses its gate. `docs/exclusive.md` has the proof that no two can.

use std::collections::VecDeque;

use crate::model::{DaemonSet, Pod};

use super::action::PodRef;

/// What is wrong with the key beside the update strategy, in words; None where nothing is.
pub fn contradiction(ds: &DaemonSet) -> Option<&'static str> {
    let is_wrong = ds.is_exclusive() && ds.update_strategy.allows_surge();
    is_wrong.then_some(
        "annotation daemonset-controller.io/exclusive: a node would have two pods while maxSurge is \
         over 0, maxSurge: 0 is needed, or the value off",
    )
}

/// A request for one pod of a node. Each names the UID and the resourceVersion that were read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step<P = PodRef> {
    /// The pod is deleted: it has our gate, and another one is chosen.
    Delete(P),
    /// Our gate is removed from the pod.
    Ungate(P),
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The API server did it, or the pod is gone.
    Done,
    /// Anything else, such as no answer, or a pod in another version.
    NotDone,
}

/// The requests for the pods of one node that follow from one read, one after another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Settling<P = PodRef> {
    blocked_by: Option<P>,
    steps: VecDeque<Step<P>>,
}

impl Settling {
    /// From the pods of one DaemonSet on one node, as one consistent read has them: those that it
    /// controls, and those that it may adopt.
    pub fn new<'p>(pods: impl IntoIterator<Item = &'p Pod>) -> Settling {
        let mut waiting: Vec<&Pod> = Vec::new();
        let mut blocked_by = None;
        for pod in pods {
            if pod.may_run() {
                blocked_by = Some(PodRef::from(pod));
            } else if pod.gated && pod.is_live() {
                waiting.push(pod);
            }
        }
        let mut steps = VecDeque::new();
        if blocked_by.is_none() {
            waiting.sort_by(|a, b| a.oldest_first(b));
            let mut waiting = waiting.into_iter().map(PodRef::from);
            let chosen = waiting.next();
            steps.extend(waiting.map(Step::Delete));
            steps.extend(chosen.map(Step::Ungate));
        }
        Settling { blocked_by, steps }
    }
}

impl Settling {
    /// All pods that have our gate go. Whoever gives up the DaemonSet asks for it, where another
    /// pod may still run.
    pub fn give_way<'p>(pods: impl IntoIterator<Item = &'p Pod>) -> Settling {
        let gated = pods.into_iter().filter(|pod| pod.gated && pod.is_live());
        Settling {
            blocked_by: None,
            steps: gated.map(|pod| Step::Delete(pod.into())).collect(),
        }
    }
}

impl<P> Settling<P> {
    /// A pod that may run, because of which all others wait.
    pub fn blocked_by(&self) -> Option<&P> {
        self.blocked_by.as_ref()
    }

    /// The requests that are left, in their order.
    pub fn steps(&self) -> &VecDeque<Step<P>> {
        &self.steps
    }

    /// The same with other words for pods.
    pub fn map<Q>(self, word: impl Fn(P) -> Q) -> Settling<Q> {
        let step = |step| match step {
            Step::Delete(pod) => Step::Delete(word(pod)),
            Step::Ungate(pod) => Step::Ungate(word(pod)),
        };
        Settling {
            steps: self.steps.into_iter().map(step).collect(),
            blocked_by: self.blocked_by.map(&word),
        }
    }

    /// The next request; None where there is none.
    pub fn next(&self) -> Option<&Step<P>> {
        self.steps.front()
    }

    /// Takes in what became of that request. What follows it is only sent where it was done.
    pub fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Done => drop(self.steps.pop_front()),
            Answer::NotDone => self.steps.clear(),
        }
    }
}
