//! The kinds of faults and events, each a switch with a rate.

use std::fmt;

macro_rules! faults {
    ($($name:ident $text:literal $rate:literal $about:literal),* $(,)?) => {
        /// A kind of what may happen.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Fault {
            $(#[doc = $about] $name,)*
        }

        impl Fault {
            /// All kinds.
            pub const ALL: &[Fault] = &[$(Fault::$name,)*];

            /// Its name on the command line and in reports.
            pub fn name(self) -> &'static str {
                match self { $(Fault::$name => $text,)* }
            }

            /// How often it is drawn by default, against the others.
            fn usual(self) -> u32 {
                match self { $(Fault::$name => $rate,)* }
            }
        }
    };
}

faults! {
    // Requests of a controller.
    RequestLost "request-lost" 10 "The connection fails before the request took effect.",
    AnswerLost "answer-lost" 10 "The connection fails after the request took effect.",
    RequestSlow "request-slow" 6 "It takes effect a moment later, if its sender still waits.",
    AnswerSlow "answer-slow" 6 "It takes effect, and is answered a moment later.",
    RequestHangs "request-hangs" 4 "It is never answered, and takes no effect.",
    Conflict "409" 6 "Answered with 409 Conflict.",
    TooMany "429" 5 "Answered with 429.",
    RetryAfter "429-retry-after" 5 "Answered with 429 and Retry-After.",
    InternalError "500" 6 "Answered with 500.",
    Unavailable "503" 5 "Answered with 503.",
    TimedOut "504" 5 "Answered with 504, without effect.",
    Forbidden "403" 4 "Answered with 403.",
    // The process of a controller.
    KilledBefore "killed-before-effect" 12 "Killed at one of its next calls, which takes no effect.",
    KilledAfter "killed-after-effect" 12 "Killed at one of its next calls, which takes effect.",
    Stopped "stopped" 5 "Asked to end, and started again.",
    Partitioned "partitioned" 6 "For a while no request is answered, and no watch delivers.",
    // Its watches.
    Lag "lag" 10 "Its watches of all kinds are late.",
    LagOfKind "lag-of-kind" 8 "Its watches of one kind are late.",
    Silent "watch-silent" 6 "Its watches of one kind deliver nothing for a while.",
    Cut "watch-cut" 6 "All watches of a kind end.",
    Expired "watch-410" 6 "All watches of a kind end with 410, and history is cut.",
    // Nodes.
    NodeAdded "node-added" 8 "A node is added.",
    NodeRemoved "node-removed" 8 "A node is removed, and added again later.",
    NodeRecreated "node-recreated" 6 "A node of the same name takes its place at once.",
    NodeRelabelled "node-relabelled" 8 "A node changes its pool.",
    NodeTainted "node-tainted" 14 "A node is tainted for a while.",
    NodeNotReady "node-not-ready" 8 "A node is not ready for a while, or for long.",
    // What pods of a node do.
    PodsCrash "pods-crash" 6 "Its pods crash again and again.",
    PodsPullFails "pods-pull-fails" 4 "Its pods get no image.",
    PodsNeverReady "pods-never-ready" 5 "Its pods never become ready.",
    PodsFail "pods-fail" 5 "Its pods fail.",
    PodsFinish "pods-finish" 4 "Its pods finish.",
    PodsStay "pods-stuck-terminating" 5 "Its pods stay when they are deleted.",
    // One pod.
    PodFails "pod-fails" 16 "Its phase becomes Failed.",
    PodRejected "pod-rejected" 10 "The kubelet rejects it: OutOfcpu, NodeAffinity or NodeShutdown.",
    PodDeleted "pod-deleted" 14 "Somebody deletes it.",
    PodFailedAndDeleted "pod-failed-and-deleted" 8 "It fails, and is gone at once.",
    PodEvicted "pod-evicted" 6 "Somebody evicts it.",
    LabelStolen "label-stolen" 4 "Somebody takes away the label that it is selected by.",
    Disowned "disowned" 4 "Somebody takes away its owner.",
    // People and DaemonSets.
    Template "template" 24 "The template changes, or changes back.",
    BadTemplate "template-bad" 8 "The template changes to one whose pods are bad.",
    Strategy "strategy" 10 "Another strategy, or another budget.",
    MinReady "min-ready" 5 "Another `minReadySeconds`.",
    HistoryLimit "history-limit" 3 "Another `revisionHistoryLimit`.",
    Key "key" 24 "A key of rollout control is set or removed.",
    KeyInvalid "key-invalid" 4 "A key of rollout control gets a value that is wrong.",
    StateEdited "state-edited" 3 "Somebody removes a state annotation from a revision.",
    SetDeleted "set-deleted" 4 "A DaemonSet is deleted, by any cascade, and made again.",
    Disruption "disruption-budget" 4 "A PodDisruptionBudget is there for a while.",
    // The cluster.
    Denied "admission-denies" 5 "Admission denies creates or deletes of pods for a while.",
    AdmissionHangs "admission-hangs" 4 "Admission does not answer for a while.",
    Quota "quota" 4 "The quota of pods is used up for a while.",
    GarbageLags "garbage-collector-lags" 4 "The garbage collector is not there for a while.",
    PodGarbageLags "pod-gc-lags" 3 "The pod garbage collector is not there for a while.",
    SchedulerGone "scheduler-gone" 4 "The scheduler is not there for a while.",
    KubeletsGone "kubelets-gone" 3 "No kubelet is there for a while.",
    // Of the search's own tests.
    Planted "planted" 0 "Somebody with a controller's name makes a second pod: breaks S1.",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        let mut all = Fault::ALL.iter().copied();
        all.find(|fault| fault.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
            format!("no such fault; there are {}", names.join(", "))
        })
    }
}

/// How often each kind is drawn, against the others. A kind whose rate is 0 is off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faults {
    rates: Vec<u32>,
}

impl Faults {
    /// All off.
    pub fn none() -> Faults {
        Faults {
            rates: vec![0; Fault::ALL.len()],
        }
    }

    /// All on, with their usual rates.
    pub fn usual() -> Faults {
        Faults {
            rates: Fault::ALL.iter().map(|fault| fault.usual()).collect(),
        }
    }

    /// With another rate of one kind.
    pub fn with(mut self, fault: Fault, rate: u32) -> Faults {
        self.rates[fault as usize] = rate;
        self
    }

    /// Without one kind.
    pub fn without(self, fault: Fault) -> Faults {
        self.with(fault, 0)
    }

    /// The rate of one kind.
    pub fn rate(&self, fault: Fault) -> u32 {
        self.rates[fault as usize]
    }

    /// The kind that a number from 0 to [`Faults::sum`] draws; None if all are off.
    pub fn draw(&self, number: u32) -> Option<Fault> {
        let mut left = number;
        let mut all = Fault::ALL.iter().copied();
        all.find(|fault| {
            let rate = self.rate(*fault);
            let is_it = left < rate;
            left = left.saturating_sub(rate);
            is_it
        })
    }

    /// The sum of all rates.
    pub fn sum(&self) -> u32 {
        self.rates.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_drawn_as_often_as_its_rate_says() {
        let faults = Faults::none().with(Fault::Lag, 2).with(Fault::Template, 1);
        let drawn: Vec<_> = (0..4).map(|n| faults.draw(n)).collect();
        let expected = [
            Some(Fault::Lag),
            Some(Fault::Lag),
            Some(Fault::Template),
            None,
        ];
        assert_eq!(drawn, expected);
        assert_eq!(faults.sum(), 3);
        assert_eq!(Faults::none().draw(0), None);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(*fault));
        }
        assert!("no-such".parse::<Fault>().is_err());
    }
}
