//! Taints of nodes and tolerations of pods.

use super::Str;

/// `effect` of a taint or toleration: what the taint does to pods that do not tolerate it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// No new pods are placed on the node. Running pods stay.
    NoSchedule,
    /// The scheduler avoids the node if it can. The DaemonSet controller ignores this effect.
    PreferNoSchedule,
    /// No new pods are placed on the node. Running pods are deleted.
    NoExecute,
    /// An effect that is empty or not known to this build. It never keeps a pod away.
    Other(Str),
}

impl Effect {
    /// The effect as the API writes it.
    pub fn as_str(&self) -> &str {
        match self {
            Effect::NoSchedule => "NoSchedule",
            Effect::PreferNoSchedule => "PreferNoSchedule",
            Effect::NoExecute => "NoExecute",
            Effect::Other(text) => text,
        }
    }

    /// Reads an effect as the API writes it. Any text is one.
    pub fn parse(text: &str) -> Effect {
        match text {
            "NoSchedule" => Effect::NoSchedule,
            "PreferNoSchedule" => Effect::PreferNoSchedule,
            "NoExecute" => Effect::NoExecute,
            other => Effect::Other(other.into()),
        }
    }
}

/// One of a node's `spec.taints`. It is displayed as kubectl writes it: `key=value:effect`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Taint {
    /// `key`, a label key.
    pub key: Str,
    /// `value`; empty where it is absent.
    pub value: Str,
    /// `effect`: whether pods that do not tolerate it stay away.
    pub effect: Effect,
}

impl std::fmt::Display for Taint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key)?;
        if !self.value.is_empty() {
            write!(f, "={}", self.value)?;
        }
        write!(f, ":{}", self.effect.as_str())
    }
}

/// One of a template's `spec.tolerations`. Absent fields are empty texts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Toleration {
    /// `key`; an empty one matches every key.
    pub key: Str,
    /// `operator`: empty or `Equal`, `Exists`, `Lt`, `Gt` (KEP-5471).
    pub operator: Str,
    /// `value`: what the taint's value is compared with; `Exists` does not look at it.
    pub value: Str,
    /// `effect`; an empty one matches every effect.
    pub effect: Str,
    /// Whether `tolerationSeconds` is set. Its value does not matter to placement.
    pub has_seconds: bool,
}

impl Toleration {
    /// Tolerates every value of the taint `key` with this effect: the form of all default
    /// tolerations.
    pub fn exists(key: &str, effect: &str) -> Toleration {
        Toleration {
            key: key.into(),
            operator: "Exists".into(),
            value: "".into(),
            effect: effect.into(),
            has_seconds: false,
        }
    }
}

/// One entry of a daemon pod's `spec.tolerations`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TolerationEntry {
    /// The template's entry with this index, which the pod gets as it was written.
    Template(usize),
    /// A default toleration, which the controller adds.
    Default(Toleration),
}
