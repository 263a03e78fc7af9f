//! Which lists a strategic merge patch merges, and by which key: the `patchStrategy` and `patchMergeKey` of the
//! Go types of 1.37. Every list that is not here is replaced.
//!
//! That a type also has the strategy `retainKeys` matters to whoever makes patches, not to who applies them.

use super::super::resource::{
    CONTROLLER_REVISIONS, DAEMON_SETS, NAMESPACES, NODES, PODS, Resource,
};

/// A type: what a patch must know of its fields.
pub struct Type {
    /// Those that are merged lists, or lead to some.
    fields: &'static [(&'static str, Field)],
    /// A type without fields, so that every look-up is an error with this name.
    opaque: Option<&'static str>,
}

/// What a patch must know of one field.
pub enum Field {
    /// A struct, or a map.
    Struct(&'static Type),
    /// A list of structs that is merged by this key.
    List(&'static str, &'static Type),
    /// A list of texts that is merged.
    Set,
}

/// How to merge one list.
#[derive(Clone, Copy)]
pub struct Merging {
    /// Whether it is merged at all.
    pub merged: bool,
    /// By which key, or empty for texts.
    pub key: &'static str,
    /// Of its elements.
    pub of: &'static Type,
}

const fn fields(fields: &'static [(&'static str, Field)]) -> Type {
    let opaque = None;
    Type { fields, opaque }
}

impl Type {
    /// The type of a field that is a struct or a map.
    pub fn field(&'static self, name: &str) -> Result<&'static Type, String> {
        match self.look_up(name)? {
            Some(Field::Struct(of) | Field::List(_, of)) => Ok(of),
            Some(Field::Set) | None => Ok(&PLAIN),
        }
    }

    /// How to merge a field that is a list.
    pub fn list(&'static self, name: &str) -> Result<Merging, String> {
        let (merged, key, of) = match self.look_up(name)? {
            Some(Field::List(key, of)) => (true, *key, *of),
            Some(Field::Set) => (true, "", &PLAIN),
            Some(Field::Struct(_)) | None => (false, "", &PLAIN),
        };
        Ok(Merging { merged, key, of })
    }

    fn look_up(&'static self, name: &str) -> Result<Option<&'static Field>, String> {
        if let Some(opaque) = self.opaque {
            return Err(format!(
                "unable to find api field in struct {opaque} for the json field {name:?}"
            ));
        }
        Ok(self.fields.iter().find(|(n, _)| *n == name).map(|(_, f)| f))
    }
}

use Field::{List, Set, Struct};

/// The type of a resource's objects.
pub fn of(resource: &Resource) -> &'static Type {
    for (known, of) in [
        (&PODS, &POD),
        (&NODES, &NODE),
        (&NAMESPACES, &NAMESPACE),
        (&DAEMON_SETS, &DAEMON_SET),
        (&CONTROLLER_REVISIONS, &CONTROLLER_REVISION),
    ] {
        if resource == known {
            return of;
        }
    }
    &OBJECT
}

/// One in which nothing is merged.
static PLAIN: Type = fields(&[]);

/// `runtime.RawExtension`: a patch may add or take whole members of it, but not reach into one.
static RAW: Type = Type {
    fields: &[],
    opaque: Some("RawExtension"),
};

static META: Type = fields(&[
    ("ownerReferences", List("uid", &PLAIN)),
    ("finalizers", Set),
]);

static OBJECT: Type = fields(&[("metadata", Struct(&META))]);

static POD: Type = fields(&[
    ("metadata", Struct(&META)),
    ("spec", Struct(&POD_SPEC)),
    ("status", Struct(&POD_STATUS)),
]);

static POD_SPEC: Type = fields(&[
    ("volumes", List("name", &VOLUME)),
    ("initContainers", List("name", &CONTAINER)),
    ("containers", List("name", &CONTAINER)),
    ("ephemeralContainers", List("name", &CONTAINER)),
    ("imagePullSecrets", List("name", &PLAIN)),
    ("hostAliases", List("ip", &PLAIN)),
    ("topologySpreadConstraints", List("topologyKey", &PLAIN)),
    ("schedulingGates", List("name", &PLAIN)),
    ("resourceClaims", List("name", &PLAIN)),
    ("evictionResponders", List("name", &PLAIN)),
]);

/// Ephemeral containers have the same lists.
static CONTAINER: Type = fields(&[
    ("ports", List("containerPort", &PLAIN)),
    ("env", List("name", &PLAIN)),
    ("volumeMounts", List("mountPath", &PLAIN)),
    ("volumeDevices", List("devicePath", &PLAIN)),
]);

static VOLUME: Type = fields(&[("ephemeral", Struct(&EPHEMERAL))]);

static EPHEMERAL: Type = fields(&[("volumeClaimTemplate", Struct(&OBJECT))]);

static POD_STATUS: Type = fields(&[
    ("conditions", List("type", &PLAIN)),
    ("hostIPs", List("ip", &PLAIN)),
    ("podIPs", List("ip", &PLAIN)),
    ("resourceClaimStatuses", List("name", &PLAIN)),
    (
        "nodeAllocatableResourceClaimStatuses",
        List("resourceClaimName", &CLAIM_STATUS),
    ),
]);

static CLAIM_STATUS: Type = fields(&[
    ("mapping", List("name", &PLAIN)),
    ("overhead", List("name", &PLAIN)),
]);

/// `spec.taints` is not merged: whoever patches taints sends all of them.
static NODE: Type = fields(&[
    ("metadata", Struct(&META)),
    ("spec", Struct(&NODE_SPEC)),
    ("status", Struct(&NODE_STATUS)),
]);

static NODE_SPEC: Type = fields(&[("podCIDRs", Set)]);

static NODE_STATUS: Type = fields(&[
    ("conditions", List("type", &PLAIN)),
    ("addresses", List("type", &PLAIN)),
]);

static NAMESPACE: Type = fields(&[
    ("metadata", Struct(&META)),
    ("status", Struct(&WITH_CONDITIONS)),
]);

static WITH_CONDITIONS: Type = fields(&[("conditions", List("type", &PLAIN))]);

static DAEMON_SET: Type = fields(&[
    ("metadata", Struct(&META)),
    ("spec", Struct(&DAEMON_SET_SPEC)),
    ("status", Struct(&WITH_CONDITIONS)),
]);

static DAEMON_SET_SPEC: Type = fields(&[("template", Struct(&POD))]);

static CONTROLLER_REVISION: Type = fields(&[("metadata", Struct(&META)), ("data", Struct(&RAW))]);
