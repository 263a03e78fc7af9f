//! The digest of a DaemonSet's keys. Annotations do not raise `metadata.generation`, so it is by
//! this digest that the condition `Progressing` says which keys it follows from.

use crate::model::{Labels, Str, control::PREFIX};

use crate::plan::names;

/// The digest of the annotations with our prefix, keys and values. None where there is none.
pub fn of_keys(annotations: &Labels) -> Option<Str> {
    let ours = annotations
        .iter()
        .filter(|(key, _)| key.starts_with(PREFIX));
    let parts: Vec<&str> = ours.flat_map(|(key, value)| [key, value]).collect();
    (!parts.is_empty()).then(|| names::digest(&parts).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(annotations: &[(&str, &str)]) -> Option<Str> {
        of_keys(&annotations.iter().copied().collect())
    }

    #[test]
    fn it_changes_with_each_key_and_value_of_ours_only() {
        let hold = ("daemonset-controller.io/hold", "all");
        let others = [("a", "b"), ("state.daemonset-controller.io/x", "y")];
        assert_eq!(digest(&others), None);
        let ours = digest(&[hold]);
        assert!(ours.is_some());
        assert_eq!(ours, digest(&[others[0], hold, others[1]]));
        let all = [
            digest(&[("daemonset-controller.io/hold", "rollout")]),
            digest(&[("daemonset-controller.io/holdall", "")]),
            digest(&[hold, ("daemonset-controller.io/bake", "1m")]),
        ];
        assert!(!all.contains(&ours) && !all.contains(&None));
    }
}
