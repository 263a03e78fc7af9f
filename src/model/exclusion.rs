//! Nodes that no pod of a DaemonSet shall run on, by their labels: `excludeNodes` of the cluster
//! defaults.

use super::{LabelSelector, Labels, Str};

/// Nodes that a rule of the cluster defaults excludes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exclusion {
    /// Their labels.
    pub selector: LabelSelector,
    /// The selector as it was written.
    pub text: Str,
    /// What becomes of a pod that runs there.
    pub existing: Existing,
    /// The number of the rule, from 1.
    pub rule: usize,
}

/// The values of `existing`: what becomes of pods that run on excluded nodes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub enum Existing {
    /// `keep`: they stay.
    #[default]
    Keep,
    /// `remove`: they leave, within the budget.
    Remove,
}

impl Existing {
    /// The value as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Existing::Keep => "keep",
            Existing::Remove => "remove",
        }
    }
}

impl Exclusion {
    /// Whether a node with these labels is excluded.
    pub fn applies(&self, labels: &Labels) -> bool {
        self.selector.matches(|key| labels.get(key))
    }

    /// The exclusion that decides about a node with these labels, and its place: of several that
    /// apply the last one, because later rules win.
    pub fn deciding<'e>(all: &'e [Exclusion], labels: &Labels) -> Option<(usize, &'e Exclusion)> {
        let mut all = all.iter().enumerate();
        all.rfind(|(_, exclusion)| exclusion.applies(labels))
    }
}
