//! Cluster defaults of rollout control: keys for DaemonSets whose manifests belong to somebody
//! else, and nodes that none of their pods shall run on.
//!
//! The rules are read from a file (`--rollout-defaults`). Later rules win, key by key, and an
//! annotation of the DaemonSet wins over all of them.

use std::{collections::BTreeMap, sync::Arc};

use super::{Exclusion, Existing, LabelSelector, Str};

/// All rules, in their order. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RolloutDefaults(Arc<[DefaultRule]>);

/// One rule.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct DefaultRule {
    /// The namespaces of its DaemonSets; empty for all.
    pub namespaces: Vec<NamePattern>,
    /// The names of its DaemonSets; empty for all.
    pub names: Vec<NamePattern>,
    /// Keys, without their prefix, to values that can be read.
    pub set: BTreeMap<Str, Str>,
    /// `excludeNodes`, where it is there.
    pub exclude_nodes: Option<ExcludeNodes>,
}

/// The values of `excludeNodes`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExcludeNodes {
    /// `off`: what earlier rules exclude is not excluded.
    Off,
    /// Nodes with such labels are excluded, besides those of earlier rules.
    Nodes {
        /// The labels.
        selector: LabelSelector,
        /// The selector as it was written.
        text: Str,
        /// What becomes of pods that run there.
        existing: Existing,
    },
}

/// A name, in which each `*` stands for any text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamePattern(Str);

/// What the rules say about one DaemonSet.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct DefaultsOf {
    /// Key to value and number of the rule, from 1. `off` is a value.
    pub set: BTreeMap<Str, (Str, usize)>,
    /// The nodes that are excluded, in the order of the rules.
    pub exclusions: Vec<Exclusion>,
}

impl RolloutDefaults {
    /// The rules, the first one first.
    pub fn new(rules: Vec<DefaultRule>) -> RolloutDefaults {
        RolloutDefaults(rules.into())
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they say about the DaemonSet of this namespace and name.
    pub fn of(&self, namespace: &str, name: &str) -> DefaultsOf {
        let mut all = DefaultsOf::default();
        for (at, rule) in self.0.iter().enumerate() {
            if !rule.is_for(namespace, name) {
                continue;
            }
            let number = at + 1;
            for (key, value) in &rule.set {
                all.set.insert(key.clone(), (value.clone(), number));
            }
            match &rule.exclude_nodes {
                None => {}
                Some(ExcludeNodes::Off) => all.exclusions.clear(),
                Some(ExcludeNodes::Nodes {
                    selector,
                    text,
                    existing,
                }) => all.exclusions.push(Exclusion {
                    selector: selector.clone(),
                    text: text.clone(),
                    existing: *existing,
                    rule: number,
                }),
            }
        }
        all
    }
}

impl DefaultRule {
    fn is_for(&self, namespace: &str, name: &str) -> bool {
        let one_of = |patterns: &[NamePattern], name: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(name))
        };
        one_of(&self.namespaces, namespace) && one_of(&self.names, name)
    }
}

impl NamePattern {
    /// Reads a name, with `*` or without. None where no name of an object is like that.
    pub fn parse(text: &str) -> Option<NamePattern> {
        let can_be = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.*".contains(&b);
        (!text.is_empty() && text.bytes().all(can_be)).then(|| NamePattern(text.into()))
    }

    /// Whether the name is like that.
    pub fn matches(&self, name: &str) -> bool {
        let Some((begin, rest)) = self.0.split_once('*') else {
            return *self.0 == *name;
        };
        let Some(mut name) = name.strip_prefix(begin) else {
            return false;
        };
        let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
        for part in middle.split('*') {
            match name.find(part) {
                Some(at) => name = &name[at + part.len()..],
                None => return false,
            }
        }
        name.ends_with(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, right, wrong) in [
            ("web", &["web"][..], &["web2", "we", ""][..]),
            ("*", &["", "web"], &[]),
            (
                "kube-*",
                &["kube-", "kube-system"],
                &["kube", "my-kube-system"],
            ),
            ("*-node", &["csi-node", "-node"], &["csi-node-2", "node"]),
            (
                "a*b*c",
                &["abc", "axbxc", "abbc", "abcbc"],
                &["ac", "acb", "abcd"],
            ),
            ("a*a", &["aa", "aba"], &["a", "ab"]),
            ("a**a", &["aa", "aba"], &["a"]),
        ] {
            let pattern = NamePattern::parse(pattern).expect("a pattern");
            for name in right {
                assert!(pattern.matches(name), "{pattern:?} {name}");
            }
            for name in wrong {
                assert!(!pattern.matches(name), "{pattern:?} {name}");
            }
        }
        for none in ["", "Kube-system", "a b", "[ab]", "a?", "a/b"] {
            assert_eq!(NamePattern::parse(none), None, "{none}");
        }
    }
}
