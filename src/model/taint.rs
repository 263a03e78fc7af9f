//! Taints of nodes and tolerations of pods.

use super::Str;

/// `effect` of a taint or toleration.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Effect {
    /// New pods stay away, running ones stay.
    NoSchedule,
    /// New pods stay away if possible; the DaemonSet controller ignores it.
    PreferNoSchedule,
    /// New pods stay away, running ones go.
    NoExecute,
    /// Empty or unknown to this build: never keeps a pod away.
    Other(Str),
}

impl Effect {
    /// The effect as it is written.
    pub fn as_str(&self) -> &str {
        match self {
            Effect::NoSchedule => "NoSchedule",
            Effect::PreferNoSchedule => "PreferNoSchedule",
            Effect::NoExecute => "NoExecute",
            Effect::Other(text) => text,
        }
    }

    /// Reads an effect.
    pub fn parse(text: &str) -> Effect {
        match text {
            "NoSchedule" => Effect::NoSchedule,
            "PreferNoSchedule" => Effect::PreferNoSchedule,
            "NoExecute" => Effect::NoExecute,
            other => Effect::Other(other.into()),
        }
    }
}

/// One of a node's `spec.taints`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Taint {
    /// `key`.
    pub key: Str,
    /// `value`, empty when absent.
    pub value: Str,
    /// `effect`.
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

/// One of a template's `spec.tolerations`; absent fields are empty texts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Toleration {
    /// `key`; empty matches every key.
    pub key: Str,
    /// `operator`: empty or `Equal`, `Exists`, `Lt`, `Gt` (KEP-5471).
    pub operator: Str,
    /// `value`.
    pub value: Str,
    /// `effect`; empty matches every effect.
    pub effect: Str,
    /// Whether `tolerationSeconds` is set (its value does not matter to placement).
    pub has_seconds: bool,
}

impl Toleration {
    /// `key:Exists:effect`, the form of all default tolerations.
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

/// One entry of a daemon pod's tolerations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TolerationEntry {
    /// The template's entry of this index, kept as it was written.
    Template(usize),
    /// A default.
    Default(Toleration),
}
