//! The tolerations that the controller adds to every daemon pod, merged into those of the template
//! as upstream merges them; and whether a toleration tolerates a taint.
//!
//! <https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/#taints-and-tolerations>

use crate::model::{Effect, FeatureGates, Taint, Template, Toleration, TolerationEntry};

/// The default tolerations in upstream's order; the last one is for pods on the host network only.
fn defaults(host_network: bool) -> impl Iterator<Item = Toleration> {
    [
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
        ("network-unavailable", "NoSchedule"),
    ]
    .into_iter()
    .take(if host_network { 7 } else { 6 })
    .map(|(name, effect)| Toleration::exists(&format!("node.kubernetes.io/{name}"), effect))
}

/// The tolerations of a daemon pod: those of the template, then the defaults.
///
/// A default replaces each entry with the same key, effect, operator and value, which drops the
/// tolerationSeconds of that entry. Where an entry is identical to a default, the list stays as it
/// is.
pub fn merged(template: &Template) -> Vec<TolerationEntry> {
    let own = &template.tolerations;
    let mut list: Vec<TolerationEntry> = (0..own.len()).map(TolerationEntry::Template).collect();
    for default in defaults(template.host_network) {
        let entry = |m: &TolerationEntry| match m {
            TolerationEntry::Template(i) => own[*i].clone(),
            TolerationEntry::Default(t) => t.clone(),
        };
        let alike = |t: &Toleration| {
            (&t.key, &t.effect, &t.operator, &t.value)
                == (
                    &default.key,
                    &default.effect,
                    &default.operator,
                    &default.value,
                )
        };
        if list.iter().map(entry).any(|t| t == default) {
            continue;
        }
        let mut replaced = false;
        for m in &mut list {
            if alike(&entry(m)) {
                *m = TolerationEntry::Default(default.clone());
                replaced = true;
            }
        }
        if !replaced {
            list.push(TolerationEntry::Default(default));
        }
    }
    list
}

/// What [`merged`] returns, as plain tolerations.
pub fn effective(template: &Template) -> Vec<Toleration> {
    merged(template)
        .into_iter()
        .map(|m| match m {
            TolerationEntry::Template(i) => template.tolerations[i].clone(),
            TolerationEntry::Default(t) => t,
        })
        .collect()
}

/// Whether the toleration tolerates the taint.
///
/// Key and effect have to be the same or empty in the toleration. `Lt` and `Gt` count behind the
/// feature gate `TaintTolerationComparisonOperators` only, and compare 64-bit integers. A
/// toleration with an unknown operator tolerates nothing.
pub fn tolerates(toleration: &Toleration, taint: &Taint, gates: FeatureGates) -> bool {
    if !toleration.effect.is_empty() && *toleration.effect != *taint.effect.as_str() {
        return false;
    }
    if !toleration.key.is_empty() && toleration.key != taint.key {
        return false;
    }
    match &*toleration.operator {
        "" | "Equal" => toleration.value == taint.value,
        "Exists" => true,
        "Lt" | "Gt" if gates.taint_toleration_comparison_operators => {
            match (decimal(&taint.value), decimal(&toleration.value)) {
                (Some(taint), Some(bound)) if &*toleration.operator == "Lt" => taint < bound,
                (Some(taint), Some(bound)) => taint > bound,
                _ => false,
            }
        }
        _ => false,
    }
}

/// A 64-bit integer in the form that KEP-5471 requires: no plus sign, no leading zeros, no `-0`.
fn decimal(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain =
        digits.bytes().all(|b| b.is_ascii_digit()) && (!digits.starts_with('0') || text == "0");
    if plain { text.parse().ok() } else { None }
}

/// Whether a taint with this effect keeps daemon pods away that do not tolerate it: `NoSchedule`
/// and `NoExecute` do.
pub fn keeps_away(effect: &Effect) -> bool {
    matches!(effect, Effect::NoSchedule | Effect::NoExecute)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toleration(key: &str, op: &str, value: &str, effect: &str) -> Toleration {
        Toleration {
            key: key.into(),
            operator: op.into(),
            value: value.into(),
            effect: effect.into(),
            has_seconds: false,
        }
    }

    fn taint(key: &str, value: &str, effect: &str) -> Taint {
        Taint {
            key: key.into(),
            value: value.into(),
            effect: Effect::parse(effect),
        }
    }

    #[test]
    fn matching_by_table() {
        let on = FeatureGates {
            taint_toleration_comparison_operators: true,
            ..FeatureGates::default()
        };
        let off = FeatureGates::default();
        let t = taint("k", "5", "NoSchedule");
        for (key, op, value, effect, without, with) in [
            ("k", "Equal", "5", "NoSchedule", true, true),
            ("k", "", "5", "NoSchedule", true, true),
            ("k", "Equal", "6", "NoSchedule", false, false),
            ("k", "Exists", "", "NoSchedule", true, true),
            ("k", "Exists", "", "", true, true),
            ("", "Exists", "", "", true, true),
            ("", "Exists", "", "NoExecute", false, false),
            ("other", "Exists", "", "", false, false),
            ("k", "Near", "5", "", false, false),
            ("k", "Lt", "6", "", false, true),
            ("k", "Lt", "5", "", false, false),
            ("k", "Gt", "4", "", false, true),
            ("k", "Gt", "-4", "", false, true),
            ("k", "Gt", "+4", "", false, false),
            ("k", "Gt", "04", "", false, false),
            ("k", "Gt", "-0", "", false, false),
            ("k", "Gt", "", "", false, false),
        ] {
            let row = format!("{key} {op} {value} {effect}");
            let toleration = toleration(key, op, value, effect);
            assert_eq!(tolerates(&toleration, &t, off), without, "{row}");
            assert_eq!(
                tolerates(&toleration, &t, on),
                with,
                "{row} with the gate on"
            );
        }
    }

    fn template(tolerations: Vec<Toleration>, host_network: bool) -> Template {
        Template {
            raw: "{}".into(),
            labels: Default::default(),
            node_name: "".into(),
            node_selector: vec![],
            node_affinity: None,
            tolerations,
            host_network,
            termination_grace_period_seconds: None,
            containers: vec![],
            has_pod_resources: false,
        }
    }

    #[test]
    fn six_defaults_and_a_seventh_for_the_host_network() {
        assert_eq!(merged(&template(vec![], false)).len(), 6);
        let seven = effective(&template(vec![], true));
        assert_eq!(&*seven[6].key, "node.kubernetes.io/network-unavailable");
        assert_eq!(seven.len(), 7);
    }

    #[test]
    fn a_default_replaces_an_entry_that_differs_in_seconds_only() {
        let mut five_minutes = Toleration::exists("node.kubernetes.io/not-ready", "NoExecute");
        five_minutes.has_seconds = true;
        let list = merged(&template(vec![five_minutes.clone(), five_minutes], false));
        assert_eq!(list.len(), 7, "both are replaced, five others are added");
        assert!(
            matches!(list[0], TolerationEntry::Default(_))
                && matches!(list[1], TolerationEntry::Default(_))
        );
    }

    #[test]
    fn at_an_identical_entry_the_list_stays_as_it_is() {
        let same = Toleration::exists("node.kubernetes.io/not-ready", "NoExecute");
        let mut seconds = same.clone();
        seconds.has_seconds = true;
        let list = merged(&template(vec![seconds, same], false));
        assert_eq!(
            &list[..2],
            [TolerationEntry::Template(0), TolerationEntry::Template(1)]
        );
        assert_eq!(list.len(), 7);
    }
}
