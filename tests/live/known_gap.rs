//! The known gap of promise S1 (`docs/design.md`, "Known gap"), told from everything else that
//! makes two pods: a late create posts a name that became free again, and the pod that follows the
//! former holder of that name is there.

use std::collections::{BTreeMap, BTreeSet};

use daemonset_controller::plan::names::digest;

use crate::referee::Fact;

/// The UIDs of the pods that ever had a name.
#[derive(Debug, Default)]
pub struct Holders(BTreeMap<String, BTreeSet<String>>);

impl Holders {
    /// A pod has its name.
    pub fn see(&mut self, fact: &Fact) {
        let uids = self.0.entry(fact.name.clone()).or_default();
        uids.insert(fact.uid.clone());
    }

    /// The pod whose create was late, among the live pods of one owner on one node: another pod
    /// had its name before, and one of the others bears the name that comes after that pod.
    pub fn late_create(&self, there: &[&Fact]) -> Option<String> {
        let late = there.iter().find(|pod| {
            let uids = self.0.get(&pod.name).into_iter().flatten();
            let mut former = uids.filter(|uid| **uid != pod.uid);
            former.any(|uid| there.iter().any(|other| follows(other, uid)))
        });
        late.map(|pod| pod.name.clone())
    }
}

/// Whether a pod's name is the one after the pod with this UID.
fn follows(pod: &Fact, uid: &str) -> bool {
    let (Some(owner), Some(node)) = (&pod.owner, &pod.node) else {
        return false;
    };
    pod.name.ends_with(&digest(&[owner, node, uid]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, name: &str) -> Fact {
        Fact {
            uid: uid.to_owned(),
            name: name.to_owned(),
            owner: Some("ds".to_owned()),
            node: Some("n".to_owned()),
            live: true,
            revision: None,
        }
    }

    #[test]
    fn a_name_that_was_free_again_beside_the_pod_after_its_former_holder_is_a_late_create() {
        let next = format!("agent-{}", digest(&["ds", "n", "former"]));
        let (former, late) = (pod("former", "agent-b"), pod("late", "agent-b"));
        let successor = pod("successor", &next);
        let mut holders = Holders::default();
        for pod in [&former, &successor, &late] {
            holders.see(pod);
        }
        let found = holders.late_create(&[&late, &successor]);
        assert_eq!(found.as_deref(), Some("agent-b"));
    }

    #[test]
    fn other_second_pods_are_no_late_creates() {
        let next = format!("agent-{}", digest(&["ds", "n", "former"]));
        let (former, second) = (pod("former", "agent-b"), pod("second", "agent-c"));
        let mut holders = Holders::default();
        for pod in [&former, &second] {
            holders.see(pod);
        }
        assert_eq!(holders.late_create(&[&former, &second]), None, "new names");
        let again = pod("again", "agent-b");
        holders.see(&again);
        let found = holders.late_create(&[&again, &second]);
        assert_eq!(found, None, "nothing follows the former holder");
        let successor = pod("successor", &next);
        holders.see(&successor);
        let found = holders.late_create(&[&former, &successor]);
        assert_eq!(found, None, "the name was never free");
    }
}
