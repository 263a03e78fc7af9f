//! The bodies of writes to the API server.
//!
//! Every write to an existing object names the object that was seen: by UID, and by resourceVersion
//! where a newer state would change the decision.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::model::{
    Amounts, Conditions, DaemonSet, DaemonSetStatus, Resized, Time, Uid, Version,
    control::{STARTED, STATE_PREFIX},
};

use super::{conditions, manifest::owner_reference, raw::RawObject, status::StatusObject};

fn render(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("texts, numbers and maps of them have a JSON form")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Seen<'a> {
    uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_version: Option<String>,
}

impl<'a> Seen<'a> {
    fn new(uid: &'a Uid, version: Option<Version>) -> Seen<'a> {
        Seen {
            uid: uid.as_str(),
            resource_version: version.map(|v| v.to_string()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteOptions<'a> {
    api_version: &'static str,
    kind: &'static str,
    preconditions: Seen<'a>,
}

impl<'a> DeleteOptions<'a> {
    fn new(uid: &'a Uid, version: Option<Version>) -> DeleteOptions<'a> {
        DeleteOptions {
            api_version: "v1",
            kind: "DeleteOptions",
            preconditions: Seen::new(uid, version),
        }
    }
}

/// DeleteOptions with preconditions: only the object that was seen is deleted, and with a version
/// only in the state that was seen.
pub fn delete(uid: &Uid, version: Option<Version>) -> String {
    render(&DeleteOptions::new(uid, version))
}

/// An Eviction with the same preconditions as a [`delete`] with a version.
pub fn eviction(name: &str, uid: &Uid, version: Version) -> String {
    #[derive(Serialize)]
    struct Named<'a> {
        name: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Eviction<'a> {
        api_version: &'static str,
        kind: &'static str,
        metadata: Named<'a>,
        delete_options: DeleteOptions<'a>,
    }
    render(&Eviction {
        api_version: "policy/v1",
        kind: "Eviction",
        metadata: Named { name },
        delete_options: DeleteOptions::new(uid, Some(version)),
    })
}

/// A merge patch of the fields of `status` that the controller owns, and of the whole list of
/// conditions where that changes. Unknown fields stay, and conditions where there are no others.
///
/// One patch has both, because readers take conditions for those of `observedGeneration`. The list
/// is patched as a whole: a patch that merges its entries folds duplicates, changes their order,
/// and fails on an entry without a type.
pub fn status(ds: &DaemonSet, status: &DaemonSetStatus, conditions: Option<&Conditions>) -> String {
    #[derive(Serialize)]
    struct Patch<'a> {
        metadata: Seen<'a>,
        status: StatusObject<'a>,
    }
    let conditions = conditions.map(conditions::encode);
    render(&Patch {
        metadata: Seen::new(&ds.uid, Some(ds.version)),
        status: StatusObject::new(status, conditions.as_deref()),
    })
}

/// A merge patch of `status.collisionCount` alone.
pub fn collision_count(ds: &DaemonSet, count: i32) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Count {
        collision_count: i32,
    }
    #[derive(Serialize)]
    struct Patch<'a> {
        metadata: Seen<'a>,
        status: Count,
    }
    render(&Patch {
        metadata: Seen::new(&ds.uid, Some(ds.version)),
        status: Count {
            collision_count: count,
        },
    })
}

/// A strategic merge patch that makes the DaemonSet the object's controller.
pub fn adopt(ds: &DaemonSet, uid: &Uid, version: Version) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata<'a> {
        #[serde(flatten)]
        seen: Seen<'a>,
        owner_references: [Box<RawValue>; 1],
    }
    #[derive(Serialize)]
    struct Patch<'a> {
        metadata: Metadata<'a>,
    }
    let seen = Seen::new(uid, Some(version));
    render(&Patch {
        metadata: Metadata {
            seen,
            owner_references: [owner_reference(ds)],
        },
    })
}

/// A strategic merge patch that removes the DaemonSet from the object's owners.
pub fn release(ds: &DaemonSet, uid: &Uid, version: Version) -> String {
    #[derive(Serialize)]
    struct Gone<'a> {
        #[serde(rename = "$patch")]
        patch: &'static str,
        uid: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata<'a> {
        #[serde(flatten)]
        seen: Seen<'a>,
        owner_references: [Gone<'a>; 1],
    }
    #[derive(Serialize)]
    struct Patch<'a> {
        metadata: Metadata<'a>,
    }
    let seen = Seen::new(uid, Some(version));
    let gone = Gone {
        patch: "delete",
        uid: ds.uid.as_str(),
    };
    render(&Patch {
        metadata: Metadata {
            seen,
            owner_references: [gone],
        },
    })
}

/// A merge patch of one label, whatever the state of the object.
pub fn label(uid: &Uid, key: &str, value: &str) -> String {
    #[derive(Serialize)]
    struct Metadata<'a> {
        uid: &'a str,
        labels: BTreeMap<&'a str, &'a str>,
    }
    #[derive(Serialize)]
    struct Patch<'a> {
        metadata: Metadata<'a>,
    }
    render(&Patch {
        metadata: Metadata {
            uid: uid.as_str(),
            labels: [(key, value)].into(),
        },
    })
}

/// A merge patch of `revision`, the number of a ControllerRevision.
pub fn revision_number(uid: &Uid, version: Option<Version>, number: i64) -> String {
    #[derive(Serialize)]
    struct Patch<'a> {
        metadata: Seen<'a>,
        revision: i64,
    }
    render(&Patch {
        metadata: Seen::new(uid, version),
        revision: number,
    })
}

/// A merge patch of one annotation of the object with this UID, in the version that was seen.
pub fn annotation(uid: &Uid, version: Option<Version>, key: &str, value: &str) -> String {
    #[derive(Serialize)]
    struct Metadata<'a> {
        #[serde(flatten)]
        seen: Seen<'a>,
        annotations: BTreeMap<&'a str, &'a str>,
    }
    #[derive(Serialize)]
    struct Patch<'a> {
        metadata: Metadata<'a>,
    }
    render(&Patch {
        metadata: Metadata {
            seen: Seen::new(uid, version),
            annotations: [(key, value)].into(),
        },
    })
}

/// A merge patch of one annotation of the object with this UID, in this version; None removes it.
pub fn optional_annotation(uid: &Uid, version: Version, key: &str, value: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Metadata<'a> {
        #[serde(flatten)]
        seen: Seen<'a>,
        annotations: BTreeMap<&'a str, Option<&'a str>>,
    }
    #[derive(Serialize)]
    struct Patch<'a> {
        metadata: Metadata<'a>,
    }
    render(&Patch {
        metadata: Metadata {
            seen: Seen::new(uid, Some(version)),
            annotations: [(key, value)].into(),
        },
    })
}

/// A strategic merge patch that removes one scheduling gate of the pod with this UID, in this
/// version. Other gates stay.
pub fn without_gate(uid: &Uid, version: Version, name: &str) -> String {
    #[derive(Serialize)]
    struct Gate<'a> {
        #[serde(rename = "$patch")]
        patch: &'a str,
        name: &'a str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec<'a> {
        scheduling_gates: [Gate<'a>; 1],
    }
    #[derive(Serialize)]
    struct Patch<'a> {
        metadata: Seen<'a>,
        spec: Spec<'a>,
    }
    let patch = "delete";
    render(&Patch {
        metadata: Seen::new(uid, Some(version)),
        spec: Spec {
            scheduling_gates: [Gate { patch, name }],
        },
    })
}

/// A strategic merge patch of the resources of some containers, for the subresource `resize`. What
/// is not named stays.
pub fn resize(uid: &Uid, version: Version, containers: &[Resized]) -> String {
    type List<'a> = BTreeMap<&'a str, &'a str>;
    #[derive(Serialize)]
    struct Resources<'a> {
        #[serde(skip_serializing_if = "List::is_empty")]
        limits: List<'a>,
        #[serde(skip_serializing_if = "List::is_empty")]
        requests: List<'a>,
    }
    #[derive(Serialize)]
    struct Container<'a> {
        name: &'a str,
        resources: Resources<'a>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Spec<'a> {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        containers: Vec<Container<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        init_containers: Vec<Container<'a>>,
    }
    #[derive(Serialize)]
    struct Patch<'a> {
        metadata: Seen<'a>,
        spec: Spec<'a>,
    }
    fn list(amounts: &Amounts) -> List<'_> {
        amounts.iter().map(|(k, v)| (&**k, &**v)).collect()
    }
    fn container(c: &Resized) -> Container<'_> {
        Container {
            name: &c.name,
            resources: Resources {
                limits: list(&c.limits),
                requests: list(&c.requests),
            },
        }
    }
    let of = |sidecar: bool| {
        let some = containers.iter().filter(|c| c.is_sidecar == sidecar);
        some.map(container).collect()
    };
    render(&Patch {
        metadata: Seen::new(uid, Some(version)),
        spec: Spec {
            containers: of(false),
            init_containers: of(true),
        },
    })
}

/// A new ControllerRevision, as upstream makes it: with the DaemonSet's annotations, and the
/// template's labels and the hash as `labels`. Annotations that are the state of a rollout are left
/// out: on the DaemonSet they mean nothing, on a revision they would. `started` is such a state:
/// the rollout to the revision begins with it.
pub fn revision(
    ds: &DaemonSet,
    name: &str,
    labels: &BTreeMap<String, String>,
    number: i64,
    started: Option<Time>,
) -> String {
    let mut metadata = RawObject::new();
    let mut object = RawObject::new();
    let built = (|| {
        metadata.put("name", name)?;
        metadata.put("namespace", &*ds.namespace)?;
        metadata.put("labels", labels)?;
        let mut annotations: BTreeMap<&str, &str> = ds.annotations.iter().collect();
        annotations.retain(|key, _| !key.starts_with(STATE_PREFIX));
        let started = started.map(|at| at.to_string());
        annotations.extend(started.as_deref().map(|at| (STARTED, at)));
        if !annotations.is_empty() {
            metadata.put("annotations", &annotations)?;
        }
        metadata.put("ownerReferences", &[owner_reference(ds)])?;
        object.put("apiVersion", "apps/v1")?;
        object.put("kind", "ControllerRevision")?;
        object.set("metadata", metadata.to_raw());
        object.set("data", RawValue::from_string(ds.revision_data.to_string())?);
        object.put("revision", &number)
    })();
    built.expect("texts, numbers and the canonical data are JSON");
    object.to_raw().get().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletes_and_patches_say_what_they_saw() {
        let (uid, version) = (Uid::from("u"), Version(7));
        assert_eq!(
            delete(&uid, Some(version)),
            r#"{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"u","resourceVersion":"7"}}"#
        );
        assert_eq!(
            label(&uid, "k", "v"),
            r#"{"metadata":{"uid":"u","labels":{"k":"v"}}}"#
        );
        assert_eq!(
            revision_number(&uid, Some(version), 3),
            r#"{"metadata":{"uid":"u","resourceVersion":"7"},"revision":3}"#
        );
    }
}
