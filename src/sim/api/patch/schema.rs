//! The lists that a strategic merge patch merges, and their keys: `patchStrategy` and
//! `patchMergeKey` of the Go types of 1.37. Every list that is not here is replaced.
//!
//! The strategy `retainKeys` is left out: it matters only where patches are made.

use super::super::resource::{
    CONTROLLER_REVISIONS, DAEMON_SETS, NAMESPACES, NODES, PODS, Resource,
};

/// A type, as far as patches need it.
pub struct Type {
    /// The fields that are merged lists or contain some.
    fields: &'static [(&'static str, Field)],
    /// The name of a type whose fields cannot be looked up; looking one up is an error.
    opaque: Option<&'static str>,
}

/// A field, as far as patches need it.
pub enum Field {
    /// A struct, or a map.
    Struct(&'static Type),
    /// A list of structs that is merged by this key.
    List(&'static str, &'static Type),
    /// A list of texts that is merged.
    Set,
}

/// The way in which a list is merged.
#[derive(Clone, Copy)]
pub struct Merging {
    /// Whether it is merged; otherwise it is replaced.
    pub merged: bool,
    /// The key of its elements; empty for texts.
    pub key: &'static str,
    /// The type of its elements.
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

    /// The way in which a field that is a list is merged.
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

/// A type without merged lists.
static PLAIN: Type = fields(&[]);

/// `runtime.RawExtension`: a patch may add or remove whole members of it, but not change the inside
/// of one.
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

/// The type of all containers; ephemeral ones have the same lists.
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

/// `spec.taints` is not merged: a patch of taints replaces all of them.
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
