//! Why a pod is not resized: each reason as a value and as a phrase.

use crate::model::Str;

/// Why a pod keeps the resources that it has, although its node's class has others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ResizeHeld {
    /// The key `hold` says so, or a key cannot be read.
    Held,
    /// A change would restart this container, by its `resizePolicy`.
    Restarts(Str),
    /// This container runs only when the pod starts.
    AtStart(Str),
    /// No pod changes its amount of this resource while it runs.
    NotInPlace(Str),
    /// No request or limit of this container can be taken away while it runs.
    Removed(Str),
    /// The pod's quality of service would become another one.
    QosClass,
    /// What the pod was made with is not known: its revision is gone or cannot be read, or somebody
    /// has edited its annotation.
    NotKnown,
    /// The class does not go with the pod's revision: more would be requested than the limit.
    Conflict,
    /// The API server refused the last try, and a backoff runs.
    Refused,
}

impl ResizeHeld {
    /// Why, as a phrase.
    pub fn describe(&self) -> String {
        match self {
            ResizeHeld::Held => "the rollout is held".into(),
            ResizeHeld::Restarts(name) => format!("a resize would restart the container {name}"),
            ResizeHeld::AtStart(name) => format!("the container {name} has ended"),
            ResizeHeld::NotInPlace(name) => format!("{name} cannot change while a pod runs"),
            ResizeHeld::Removed(name) => format!(
                "a request or limit of the container {name} cannot be taken away while it runs"
            ),
            ResizeHeld::QosClass => "its QoS class would change".into(),
            ResizeHeld::NotKnown => "what it was made with is not known".into(),
            ResizeHeld::Conflict => {
                "its revision would request more than the limit that they set".into()
            }
            ResizeHeld::Refused => "the API server refused the last resize".into(),
        }
    }

    /// What ends it, as a phrase after "until".
    pub fn until_what(&self) -> &'static str {
        match self {
            ResizeHeld::Held => "the rollout is no longer held",
            ResizeHeld::Refused => "the backoff ends",
            _ => "the pod is replaced, or the rules give it what it has",
        }
    }
}
