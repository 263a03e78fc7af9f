//! Holds: what is not done although a rule would want it, which rule holds it, and until when.
//!
//! A plan names every inaction. A hold of one rule on many nodes is one value with a count and the
//! first few names, so that a plan over 65,000 nodes stays small; [`Holds::in_detail`] keeps one
//! value a node as well, which is what `explain` reads.

use crate::model::{Node, Str, Time};

use super::{hold::HoldRule, leaving::Leaving, node_group::NodeGroup};

/// What one rule holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hold {
    /// The rule.
    pub rule: HoldRule,
    /// The nodes on which it holds something; None where it holds the whole DaemonSet.
    pub nodes: Option<NodeGroup>,
    /// Since when, where that is known: the earliest of all nodes.
    pub since: Option<Time>,
    /// Until when, where a time ends it: the earliest of all nodes. Else see
    /// [`HoldRule::until_what`].
    pub until: Option<Time>,
}

/// What a rule holds on one node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeHold {
    /// The node's name.
    pub node: Str,
    /// The rule.
    pub rule: HoldRule,
    /// The pod that is held, or that holds the node, where it is one pod.
    pub pod: Option<Str>,
    /// Since when, where that is known.
    pub since: Option<Time>,
    /// Until when, where a time ends it. Else see [`HoldRule::until_what`].
    pub until: Option<Time>,
}

impl NodeHold {
    /// A hold on a node that is leaving, with no pod to name.
    pub fn leaving(node: &Node, why: Leaving) -> Self {
        NodeHold {
            since: why.since(node),
            ..NodeHold::new(&node.name, HoldRule::NodeLeaving(why))
        }
    }

    /// A hold on a node with no pod or time to name.
    pub fn new(node: &Str, rule: HoldRule) -> Self {
        NodeHold {
            node: node.clone(),
            rule,
            pod: None,
            since: None,
            until: None,
        }
    }
}

/// The holds of one plan.
#[derive(Default, Debug)]
pub struct Holds {
    by_rule: Vec<Hold>,
    each: Option<Vec<NodeHold>>,
}

impl Holds {
    /// Keeps one hold a node besides.
    pub fn in_detail() -> Self {
        Holds {
            by_rule: Vec::new(),
            each: Some(Vec::new()),
        }
    }

    /// A rule holds the whole DaemonSet.
    pub fn on_daemon_set(&mut self, rule: HoldRule) {
        self.by_rule.push(Hold {
            rule,
            nodes: None,
            since: None,
            until: None,
        });
    }

    /// A rule holds something on a node. The first few nodes are named by name.
    pub fn on_node(&mut self, hold: NodeHold) {
        let known = self
            .by_rule
            .iter_mut()
            .find(|h| h.nodes.is_some() && h.rule == hold.rule);
        match known {
            Some(Hold {
                nodes: Some(nodes),
                since,
                until,
                ..
            }) => {
                nodes.add(&hold.node);
                *since = Time::earliest(*since, hold.since);
                *until = Time::earliest(*until, hold.until);
            }
            _ => self.by_rule.push(Hold {
                rule: hold.rule.clone(),
                nodes: Some(NodeGroup::of(&hold.node)),
                since: hold.since,
                until: hold.until,
            }),
        }
        if let Some(each) = &mut self.each {
            each.push(hold);
        }
    }

    /// A rule holds something on so many nodes, which wait for their turn: these are the next.
    pub fn in_turn(&mut self, rule: HoldRule, nodes: &[Str], count: usize) {
        if count == 0 {
            return;
        }
        self.by_rule.push(Hold {
            rule: rule.clone(),
            nodes: Some(NodeGroup::in_turn(nodes, count)),
            since: None,
            until: None,
        });
        if let Some(each) = &mut self.each {
            each.extend(nodes.iter().map(|n| NodeHold::new(n, rule.clone())));
        }
    }

    /// The holds by rule, in the order of the rules, and one a node where they were kept, as they
    /// were met.
    pub fn finish(mut self) -> (Vec<Hold>, Vec<NodeHold>) {
        self.by_rule.sort_by(|a, b| a.rule.cmp(&b.rule));
        (self.by_rule, self.each.unwrap_or_default())
    }
}
