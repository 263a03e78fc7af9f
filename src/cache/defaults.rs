//! The cluster defaults of rollout control, laid under the annotations of the DaemonSets.

use std::collections::BTreeMap;

use crate::{
    model::{Control, DaemonSet, FeatureGates, RolloutDefaults, Verdicts},
    plan::eligibility::Eligibility,
};

use super::Cache;

impl Cache {
    /// From now on these are the cluster defaults. DaemonSets for which that changes something
    /// become dirty; returns how many they are.
    pub fn set_rollout_defaults(&mut self, defaults: RolloutDefaults) -> usize {
        self.rollout_defaults = defaults;
        let mut changed = 0;
        for (key, entry) in &mut self.daemon_sets {
            let control = entry.daemon_set.control.clone();
            let exclusions = entry.daemon_set.exclusions();
            lay_under(&self.rollout_defaults, &mut entry.daemon_set);
            if entry.daemon_set.control == control {
                continue;
            }
            if entry.daemon_set.exclusions() != exclusions {
                entry.eligibility = eligibility(&entry.daemon_set, self.settings.gates);
                entry.verdicts = Verdicts::default();
                entry.placed = BTreeMap::new();
            }
            self.dirty.insert(key.clone());
            changed += 1;
        }
        changed
    }

    /// Lays the defaults under the annotations of a DaemonSet that was just decoded.
    pub(super) fn apply_defaults(&self, daemon_set: &mut DaemonSet) {
        // Without defaults the decoder has read all that there is.
        if !self.rollout_defaults.is_empty() {
            lay_under(&self.rollout_defaults, daemon_set);
        }
    }
}

fn lay_under(defaults: &RolloutDefaults, daemon_set: &mut DaemonSet) {
    let of = defaults.of(&daemon_set.namespace, &daemon_set.name);
    daemon_set.control = Control::read(&daemon_set.annotations, &of);
}

/// Which nodes the pods of a DaemonSet's template belong on.
pub(super) fn eligibility(daemon_set: &DaemonSet, gates: FeatureGates) -> Eligibility {
    Eligibility::new(daemon_set.template.clone(), gates).excluding(daemon_set.exclusions())
}
