//! Objects from files, made ready for the cache: which DaemonSets are meant, and what hand-written
//! objects lack.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    cache::Cache,
    cli::files::{Document, Origin},
    model::{FeatureGates, Key, Kind},
    stored::defaults,
    wire::{daemon_set::TEMPLATE_GENERATION, raw::RawObject},
};

use super::{
    choice::{self, Choice, some},
    error::PlanError,
    loaded::{Chosen, Loaded},
    notes::Notes,
};

/// The namespace of objects that name none, as kubectl has it without a cluster.
const DEFAULT_NAMESPACE: &str = "default";

/// The beginning of UIDs that are made up here: no object of a cluster has such a one.
pub const MADE_UP_UID: &str = "no-uid:";

/// An object of a kind that is looked at, with its namespace and name.
struct Located<'a> {
    kind: Kind,
    key: Key,
    document: &'a Document,
}

/// Chooses the DaemonSets and fills a cache with them and what is around them. Objects without a
/// namespace are in `namespace`.
pub fn load(
    documents: Vec<Document>,
    choice: &Choice<'_>,
    namespace: Option<&str>,
    gates: FeatureGates,
) -> Result<Loaded, PlanError> {
    let (located, skipped) = sort_out(&documents, namespace)?;
    let daemon_sets = choose(&located, &documents, choice)?;
    let mut notes = Vec::new();
    if !located.iter().any(|l| l.kind == Kind::Node) {
        notes.push("there is no Node in the files, so no pod can be planned for".to_owned());
    }
    let mut cache = Cache::new(gates);
    for object in located.iter().filter(|l| l.kind != Kind::DaemonSet) {
        let json = completed(object, None).map_err(|why| bad(object, why))?;
        observe(&mut cache, object, &json)?;
    }
    let mut chosen = Vec::with_capacity(daemon_sets.len());
    for object in daemon_sets {
        let mut notes = Notes::default();
        let json = daemon_set(&located, object, &mut notes)?;
        observe(&mut cache, object, &json)?;
        chosen.push(Chosen {
            key: object.key.clone(),
            notes,
        });
    }
    chosen.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(Loaded {
        cache,
        chosen,
        notes,
        skipped,
    })
}

/// The DaemonSet with what the API server would give it; `notes` get what that is.
fn daemon_set(
    located: &[Located<'_>],
    chosen: &Located<'_>,
    notes: &mut Notes,
) -> Result<Box<RawValue>, PlanError> {
    let has_uid = has_uid(chosen.document);
    let owner = (!has_uid).then(|| owner_uid(located, chosen)).flatten();
    let fail = |why: serde_json::Error| bad(chosen, why);
    let json = completed(chosen, owner.as_deref()).map_err(fail)?;
    let defaults::Defaulted {
        mut json,
        mut added,
    } = defaults::daemon_set(&json).map_err(|why| bad(chosen, why))?;
    if !has_uid {
        notes.texts.push(match &owner {
            Some(uid) => format!(
                "the DaemonSet has no metadata.uid: {uid} is taken, the UID by which what it owns knows it"
            ),
            None => "the DaemonSet has no metadata.uid: in a cluster, names of new pods and revisions will differ"
                .to_owned(),
        });
        if owner.is_none() {
            json = as_created(&json, &mut added).map_err(fail)?;
        }
    }
    notes.defaults = added;
    Ok(json)
}

/// A new object gets its first generation, and the deprecated one with it.
fn as_created(json: &RawValue, added: &mut Vec<String>) -> serde_json::Result<Box<RawValue>> {
    let mut all = RawObject::parse(json)?;
    let mut metadata: RawObject = all.read("metadata")?.unwrap_or_default();
    if !metadata.has("generation") {
        metadata.put("generation", &1)?;
        added.push("metadata.generation=1".to_owned());
    }
    let mut annotations: RawObject = metadata.read("annotations")?.unwrap_or_default();
    if !annotations.has(TEMPLATE_GENERATION) {
        annotations.put(TEMPLATE_GENERATION, "1")?;
        metadata.set("annotations", annotations.to_raw());
        added.push(format!("metadata.annotations.{TEMPLATE_GENERATION}=1"));
    }
    all.set("metadata", metadata.to_raw());
    Ok(all.to_raw())
}

/// The objects of the four kinds, and a note that counts the others. The same object twice is an
/// error, because the choice between them would be a guess.
fn sort_out<'a>(
    documents: &'a [Document],
    namespace: Option<&str>,
) -> Result<(Vec<Located<'a>>, Option<String>), PlanError> {
    let mut located = Vec::with_capacity(documents.len());
    let mut seen: HashMap<(Kind, Key), &Origin> = HashMap::new();
    let mut skipped: BTreeMap<&str, usize> = BTreeMap::new();
    for document in documents {
        let Some(kind) = kind(document)? else {
            *skipped.entry(&document.kind).or_default() += 1;
            continue;
        };
        let key = key(kind, document, namespace);
        if let Some(first) = seen.insert((kind, key.clone()), &document.origin) {
            return Err(PlanError::Input(format!(
                "{}: {} {} is in {first} already",
                document.origin,
                document.kind,
                display(&key),
            )));
        }
        located.push(Located {
            kind,
            key,
            document,
        });
    }
    let skipped = (!skipped.is_empty()).then(|| {
        let kinds: Vec<String> = skipped.iter().map(|(k, n)| format!("{n} {k}")).collect();
        format!("objects of other kinds were skipped: {}", kinds.join(", "))
    });
    Ok((located, skipped))
}

/// The name of an object, with a namespace where its kind has one.
pub fn key(kind: Kind, document: &Document, namespace: Option<&str>) -> Key {
    let own = document.namespace.as_deref().or(namespace);
    match kind {
        Kind::Node => Key::new("", &*document.name),
        _ => Key::new(own.unwrap_or(DEFAULT_NAMESPACE), &*document.name),
    }
}

/// The kind, if it is one of the four. A version that no API server serves any more is an error.
fn kind(document: &Document) -> Result<Option<Kind>, PlanError> {
    let (group, version) = document
        .api_version
        .split_once('/')
        .unwrap_or(("", &document.api_version));
    let kind = Kind::ALL.into_iter().find(|k| k.as_str() == document.kind);
    let needed = match (kind, group) {
        (Some(Kind::DaemonSet), "apps" | "extensions") => "apps/v1",
        (Some(Kind::Revision), "apps") => "apps/v1",
        (Some(Kind::Node | Kind::Pod), "") => "v1",
        _ => return Ok(None),
    };
    if document.api_version == needed {
        return Ok(kind);
    }
    Err(PlanError::Input(format!(
        "{}: {} {} is of version {group}{}{version}, {needed} is needed",
        document.origin,
        document.kind,
        document.name,
        if group.is_empty() { "" } else { "/" },
    )))
}

/// The DaemonSets that are meant: one, unless there is to be a line for each.
fn choose<'l, 'a>(
    located: &'l [Located<'a>],
    documents: &[Document],
    choice: &Choice<'_>,
) -> Result<Vec<&'l Located<'a>>, PlanError> {
    let all = located.iter().filter(|l| l.kind == Kind::DaemonSet);
    let all: Vec<&Located<'_>> = all.collect();
    let meant = |l: &&Located<'_>| choice.is(&l.key) && choice.selects(&labels(l.document));
    let candidates: Vec<&Located<'_>> = all.iter().copied().filter(meant).collect();
    let list = |of: &[&Located<'_>]| {
        some(
            of.iter()
                .map(|l| format!("{} ({})", l.key, l.document.origin)),
        )
    };
    match candidates[..] {
        [_] => Ok(candidates),
        [] if !all.is_empty() => Err(PlanError::Input(format!(
            "{} in the files; there is {}",
            choice.none(),
            list(&all)
        ))),
        [] if documents.is_empty() => Err(PlanError::Input(
            "a DaemonSet is needed, and there is no object in the files".to_owned(),
        )),
        [] => Err(PlanError::Input(format!(
            "a DaemonSet is needed, and there is only {}",
            some(
                documents
                    .iter()
                    .map(|d| format!("{} {} ({})", d.kind, d.name, d.origin))
            )
        ))),
        _ if choice.is_each() => Ok(candidates),
        _ => Err(choice::several(&list(&candidates))),
    }
}

fn bad(object: &Located<'_>, why: impl std::fmt::Display) -> PlanError {
    PlanError::Input(format!(
        "{}: {} {} cannot be used: {}",
        object.document.origin,
        object.document.kind,
        display(&object.key),
        without_position(&why.to_string())
    ))
}

/// Nodes have no namespace.
fn display(key: &Key) -> String {
    if key.namespace.is_empty() {
        key.name.to_string()
    } else {
        key.to_string()
    }
}

/// serde_json's words without a position, which would be one in the converted text.
fn without_position(text: &str) -> &str {
    text.rfind(" at line ").map_or(text, |at| &text[..at])
}

fn observe(cache: &mut Cache, object: &Located<'_>, json: &RawValue) -> Result<(), PlanError> {
    cache
        .observe(object.kind, json)
        .map_err(|e| bad(object, e.why))
}

/// The object with a namespace and a UID, where it lacks them.
fn completed(object: &Located<'_>, uid: Option<&str>) -> serde_json::Result<Box<RawValue>> {
    let json = &object.document.json;
    let needs_namespace = object.kind != Kind::Node && object.document.namespace.is_none();
    let needs_uid = !has_uid(object.document);
    if !needs_namespace && !needs_uid {
        return Ok(json.clone());
    }
    let mut all = RawObject::parse(json)?;
    let mut metadata: RawObject = all.read("metadata")?.unwrap_or_default();
    if needs_namespace {
        metadata.put("namespace", &*object.key.namespace)?;
    }
    if needs_uid {
        // Any text does, as long as no two objects have the same.
        let made_up = format!(
            "{MADE_UP_UID}{}/{}",
            object.kind.as_str(),
            display(&object.key)
        );
        metadata.put("uid", uid.unwrap_or(&made_up))?;
    }
    all.set("metadata", metadata.to_raw());
    Ok(all.to_raw())
}

/// The fields that tell an object's identity and owner.
#[derive(Deserialize)]
struct Belongs {
    metadata: Option<BelongsMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BelongsMetadata {
    uid: Option<String>,
    #[serde(default)]
    labels: Value,
    owner_references: Option<Vec<OwnerFields>>,
}

#[derive(Deserialize)]
struct OwnerFields {
    kind: Option<String>,
    name: Option<String>,
    uid: Option<String>,
    controller: Option<bool>,
}

/// None for metadata that cannot be read: the decoder reports the error later.
fn metadata(document: &Document) -> Option<BelongsMetadata> {
    let object: Belongs = serde_json::from_str(document.json.get()).ok()?;
    object.metadata
}

/// `metadata.labels`.
fn labels(document: &Document) -> Value {
    metadata(document).map_or(Value::Null, |m| m.labels)
}

fn has_uid(document: &Document) -> bool {
    metadata(document).is_none_or(|m| m.uid.is_some_and(|uid| !uid.is_empty()))
}

/// The UID by which pods and revisions in the files know this DaemonSet. So a manifest without UID
/// can be held against the objects of a cluster. None where they do not agree.
fn owner_uid(located: &[Located<'_>], daemon_set: &Located<'_>) -> Option<String> {
    let around = located.iter().filter(|l| {
        matches!(l.kind, Kind::Pod | Kind::Revision) && l.key.namespace == daemon_set.key.namespace
    });
    let owners = around
        .filter_map(|l| metadata(l.document)?.owner_references)
        .flatten()
        .filter(|o| {
            o.controller == Some(true)
                && o.kind.as_deref() == Some("DaemonSet")
                && o.name.as_deref() == Some(&*daemon_set.key.name)
        });
    let uids: BTreeSet<String> = owners.filter_map(|o| o.uid).collect();
    let mut uids = uids.into_iter();
    uids.next().filter(|_| uids.next().is_none())
}
