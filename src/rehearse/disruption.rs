//! PodDisruptionBudgets, as the eviction API asks them for pods of a DaemonSet.

use crate::model::{Pod, Selector, Str, Unallowed};

use super::cluster::Cluster;

/// A PodDisruptionBudget of the DaemonSet's namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Budget {
    /// Its name.
    pub name: Str,
    /// The pods that it is about.
    pub selector: Selector,
    /// `minAvailable`, where that is a number. No other form works for a DaemonSet: it has no
    /// scale, so the disruption controller does not know of how many pods a share is.
    pub min_available: Option<usize>,
}

/// All of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Budgets(pub Vec<Budget>);

impl Budgets {
    /// Why the eviction of this pod is refused; None where it is not.
    pub(super) fn refuse(&self, cluster: &Cluster, pod: &Pod) -> Option<Unallowed> {
        let mut about = self.0.iter().filter(|b| b.selector.matches(&pod.labels));
        let budget = about.next()?;
        if about.next().is_some() {
            let words = "more than one PodDisruptionBudget selects the pod";
            return Some(Unallowed::Ever(words.into()));
        }
        let name = &budget.name;
        let Some(needed) = budget.min_available else {
            let words = format!("the disruption budget {name} is no number of pods that stay");
            return Some(Unallowed::Ever(words.into()));
        };
        let healthy = cluster.pods().filter(|(_, other)| {
            other.is_live() && other.is_ready() && budget.selector.matches(&other.labels)
        });
        let healthy = healthy.count();
        // A pod that is not ready takes nothing away, as long as enough others are.
        let stay = healthy.saturating_sub(usize::from(pod.is_ready()));
        (stay < needed).then(|| {
            let words = format!(
                "The disruption budget {name} needs {needed} healthy pods and has {healthy} currently"
            );
            Unallowed::Now(words.into())
        })
    }
}
