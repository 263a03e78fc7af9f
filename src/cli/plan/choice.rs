//! The DaemonSets that a plan is asked for, and the errors for none and for too many.

use crate::{
    cli::args::{Asked, Target},
    model::{Key, LabelSelector},
};

use super::error::PlanError;

/// The number of objects that an error names; the others are counted.
const NAMED: usize = 5;

/// The choice that the arguments make.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    asked: Asked,
    namespace: Option<&'a str>,
    selector: Option<&'a LabelSelector>,
}

impl<'a> Choice<'a> {
    /// What is asked for, in this namespace, where one is given, and with these labels.
    pub fn new(
        asked: Asked,
        namespace: Option<&'a str>,
        selector: Option<&'a LabelSelector>,
    ) -> Choice<'a> {
        Choice {
            asked,
            namespace,
            selector,
        }
    }

    /// Whether there is to be a line for each DaemonSet, instead of the whole plan of one.
    pub fn is_each(&self) -> bool {
        self.asked == Asked::Each
    }

    fn target(&self) -> Option<&Target> {
        match &self.asked {
            Asked::One(target) => Some(target),
            Asked::TheOnlyOne | Asked::Each => None,
        }
    }

    /// The one namespace that it must be in, where that is known.
    pub fn only_namespace(&self) -> Option<&str> {
        let of_target = self.target().and_then(|t| t.namespace.as_deref());
        of_target.or(self.namespace)
    }

    /// Whether labels are looked at.
    pub fn selects_by_labels(&self) -> bool {
        self.selector.is_some()
    }

    /// Whether the labels (`metadata.labels`) are those that are selected.
    pub fn selects(&self, labels: &serde_json::Value) -> bool {
        let value = |key: &str| labels.get(key).and_then(serde_json::Value::as_str);
        self.selector.is_none_or(|s| s.matches(value))
    }

    /// Whether the DaemonSet of this name may be meant, its labels aside.
    pub fn is(&self, key: &Key) -> bool {
        self.target()
            .is_none_or(|t| t.is(&key.namespace, &key.name))
            && self.namespace.is_none_or(|n| n == &*key.namespace)
    }

    /// An error text for no match; it lacks where was looked.
    pub fn none(&self) -> String {
        let labels = match self.selector {
            Some(_) => " with such labels",
            None => "",
        };
        match (self.target(), self.namespace) {
            (Some(target), Some(namespace)) if target.namespace.is_none() => {
                format!("there is no DaemonSet {namespace}/{target}")
            }
            (Some(target), _) => format!("there is no DaemonSet {target}"),
            (None, Some(namespace)) => {
                format!("there is no DaemonSet{labels} in namespace {namespace}")
            }
            (None, None) => format!("there is no DaemonSet{labels}"),
        }
    }
}

/// The error for several matches where one is needed; `of` names them.
pub fn several(of: &str) -> PlanError {
    PlanError::Input(format!(
        "there are several DaemonSets, say which one with -d NAMESPACE/NAME, or have a line for each with -A: {of}"
    ))
}

/// The first few items as a text, and the number of the others.
pub fn some(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(NAMED);
    let mut text = items.take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}
