//! What an API server would say to the DaemonSets of files.
//!
//! A manifest, which no cluster has stored yet, is decoded, completed and validated by the
//! simulated server's own code, and what that refuses gets no plan. An object that was read from a
//! cluster stays as it is, because older servers accepted what newer ones refuse.
//!
//! Unknown fields are looked for in both. A server drops them, so a stored object has one only
//! where somebody edited it, or where its server is of another release, which knows the field. It
//! does know it where a stored revision has it: then the field is kept.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    cli::{
        args::Validation,
        files::{Document, Lines},
        reject,
    },
    model::{Key, Kind},
    sim::api::{
        ApiStatus, body, defaults,
        resource::DAEMON_SETS,
        validate::{self, unknown, unknown::UnknownField},
    },
};

use super::input;

/// Metadata that only a server sets. An object with one of these has been stored.
const SET_BY_SERVERS: [&str; 4] = ["uid", "resourceVersion", "creationTimestamp", "generation"];

/// Metadata that a server removes from a new object.
const REMOVED_BY_SERVERS: [&str; 4] = [
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
];

/// The most fields of a DaemonSet whose lines are named, as many as the server names unknown ones.
const MOST_PLACES: usize = unknown::MOST_NAMED;

/// Why a DaemonSet is refused: words, the fields that they are about, and what to do.
struct Refusal {
    words: String,
    fields: Vec<String>,
    hint: &'static str,
}

/// What there is to say about the DaemonSets.
#[derive(Debug, Default)]
pub struct Checked {
    /// The refusals, a text each. With one of them there is no plan.
    pub refusals: Vec<String>,
    /// The server's warnings, each once, as kubectl shows them.
    pub warnings: Vec<String>,
    /// Notes about fields that only a server of another release knows, by DaemonSet.
    pub kept: BTreeMap<Key, String>,
}

/// Holds all DaemonSets against what an API server would say, and removes the fields that it would
/// drop. Objects without a namespace are in `namespace`.
pub fn daemon_sets(
    documents: &mut [Document],
    namespace: Option<&str>,
    validation: Validation,
) -> Checked {
    let stored = fields_of_stored_revisions(documents);
    let mut checked = Checked::default();
    let mut refused: Vec<(usize, Refusal)> = Vec::new();
    let mut warned = BTreeSet::new();
    let all = documents.iter_mut().enumerate();
    for (at, document) in
        all.filter(|(_, d)| d.kind == DAEMON_SETS.kind && d.api_version == "apps/v1")
    {
        // A text that is no JSON value has no field; the decoder says what is wrong with it.
        let object: Value = serde_json::from_str(document.json.get()).unwrap_or_default();
        let fields = unknown::find(&DAEMON_SETS, &object);
        let is_known = |field: &UnknownField| stored.contains(&field.without_indices());
        let (kept, unknown): (Vec<_>, Vec<_>) = fields.into_iter().partition(is_known);
        let key = input::key(Kind::DaemonSet, document, namespace);
        let check = if is_stored(&object) {
            object_of_cluster
        } else {
            manifest
        };
        let refusal = check(document, &key, &unknown, validation).err();
        refused.extend(refusal.map(|refusal| (at, refusal)));
        if validation == Validation::Warn {
            for warning in unknown::words(&unknown) {
                if warned.insert(warning.clone()) {
                    checked.warnings.push(warning);
                }
            }
        }
        if let Ok(json) = unknown::removed_from_text(&unknown, &document.json) {
            document.json = json;
        }
        if !kept.is_empty() {
            checked.kept.insert(key, note(&kept));
        }
    }
    let mut lines = Lines::default();
    let said = refused.into_iter().map(|(at, refusal)| {
        let Refusal {
            words,
            fields,
            hint,
        } = refusal;
        format!(
            "{words}{}{hint}",
            places(&documents[at], &fields, &mut lines)
        )
    });
    checked.refusals = said.collect();
    checked
}

/// Whether a cluster has stored the object.
fn is_stored(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let is_set = |field: &str| match &metadata[field] {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    SET_BY_SERVERS.into_iter().any(is_set)
}

/// Checks an object of a cluster: only its fields.
fn object_of_cluster(
    _: &Document,
    key: &Key,
    unknown: &[UnknownField],
    validation: Validation,
) -> Result<(), Refusal> {
    if unknown.is_empty() || validation != Validation::Strict {
        return Ok(());
    }
    let fields: Vec<String> = unknown.iter().map(UnknownField::to_string).collect();
    let words = format!(
        "DaemonSet {key} was read from a cluster, and has what no server of Kubernetes 1.37 stores: {}",
        unknown::words(unknown).join(", ")
    );
    let hint = "\n  correct what is misspelt; where a server of another release has such a field, \
        --validate=warn plans without it";
    Err(Refusal {
        words,
        fields,
        hint,
    })
}

/// Checks an object that is to be created.
fn manifest(
    document: &Document,
    key: &Key,
    unknown: &[UnknownField],
    validation: Validation,
) -> Result<(), Refusal> {
    let as_posted = || {
        let mut object = body::read(&DAEMON_SETS, document.json.get().as_bytes())?;
        if validation == Validation::Strict && !unknown.is_empty() {
            return Err(unknown::refusal(&DAEMON_SETS, unknown));
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.retain(|field, _| !REMOVED_BY_SERVERS.contains(&field.as_str()));
            metadata.insert("namespace".to_owned(), json!(key.namespace));
        }
        defaults::admit(&DAEMON_SETS, &object)?;
        defaults::create(&DAEMON_SETS, &mut object);
        match &validate::create(&DAEMON_SETS, &object)[..] {
            [] => Ok(()),
            errors => Err(ApiStatus::invalid(&DAEMON_SETS, &key.name, errors)),
        }
    };
    as_posted().map_err(|status: ApiStatus| {
        let invalid = status.details["causes"].as_array().into_iter().flatten();
        let invalid = invalid.filter_map(|cause| cause["field"].as_str().map(str::to_owned));
        let mut fields: Vec<String> = invalid.collect();
        if status.message.contains("strict decoding error") {
            fields.extend(unknown.iter().map(UnknownField::to_string));
        }
        Refusal {
            words: reject::words(&status, &document.origin.file),
            fields,
            hint: "",
        }
    })
}

/// Where the fields are, a line each; the document, where that is not known of any.
fn places<'a>(document: &'a Document, fields: &[String], lines: &mut Lines<'a>) -> String {
    let origin = &document.origin;
    let place = |field: &String| {
        let line = lines.of(document, field)?;
        Some(format!("\n  {origin}: line {line}: {field}"))
    };
    let known: String = fields.iter().take(MOST_PLACES).filter_map(place).collect();
    if known.is_empty() {
        return format!("\n  {origin}");
    }
    match fields.len().saturating_sub(MOST_PLACES) {
        0 => known,
        more => format!("{known}\n  {origin}: {more} more fields"),
    }
}

/// The fields of templates that 1.37 does not have, and stored revisions do.
fn fields_of_stored_revisions(documents: &[Document]) -> BTreeSet<String> {
    let revisions = documents.iter().filter(|d| d.kind == "ControllerRevision");
    let mut known = BTreeSet::new();
    for document in revisions {
        let revision: Value = serde_json::from_str(document.json.get()).unwrap_or_default();
        if !is_stored(&revision) {
            continue;
        }
        let mut template = revision["data"]["spec"]["template"].clone();
        if let Some(fields) = template.as_object_mut() {
            // No field, but a directive of the patch that the data are.
            fields.remove("$patch");
        }
        let fields = unknown::find(&DAEMON_SETS, &json!({"spec": {"template": template}}));
        known.extend(fields.iter().map(UnknownField::without_indices));
    }
    known
}

/// The note about fields that are kept.
fn note(kept: &[UnknownField]) -> String {
    let fields: Vec<String> = kept.iter().map(UnknownField::to_string).collect();
    format!(
        "not of Kubernetes 1.37, and kept because a stored revision has it, so that the server must know it: {}",
        fields.join(", ")
    )
}
