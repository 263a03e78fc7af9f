//! One annotation of a DaemonSet is set or removed, in the state of the object that was looked at.

use serde_json::{Value, json};

use crate::{apply::client::paths, cli::args::DryRun, model::control::PREFIX};

use super::{cluster::Cluster, error::CommandError, managed, object::Object};

/// How often the patch is sent again because something else of the object has changed, such as its
/// status.
const ATTEMPTS: usize = 10;

/// What is to become of the annotation, given the object.
pub enum Change {
    /// It is to have this value, or none; the word says what that makes of the DaemonSet.
    To(Option<String>, &'static str),
    /// Nothing is done; the words say why.
    Nothing(String),
}

/// Sets or removes the annotation with this key, and says so. `decide` is asked again whenever the
/// object has changed.
pub async fn annotate(
    cluster: &Cluster,
    object: Object,
    key: &str,
    dry_run: DryRun,
    mut decide: impl FnMut(&Object) -> Result<Change, CommandError>,
) -> Result<Option<Object>, CommandError> {
    let annotation = format!("{PREFIX}{key}");
    let mut object = object;
    let uid = object.uid().to_owned();
    for _ in 0..ATTEMPTS {
        let name = &object.key.name;
        let (value, done) = match decide(&object)? {
            Change::To(value, done) => (value, done),
            Change::Nothing(why) => {
                println!("daemonset.apps/{name} {why}");
                return Ok(None);
            }
        };
        let mut metadata = object.seen();
        metadata["annotations"] = json!({ annotation.as_str(): value });
        let body: Value = json!({ "metadata": metadata });
        let path = paths::daemon_set(&object.key);
        let is_dry = dry_run == DryRun::Server;
        let call = cluster.patch_of(&object.key);
        if cluster.patch(&path, &body, is_dry, call).await?.is_some() {
            let dry = if is_dry { " (server dry run)" } else { "" };
            println!("daemonset.apps/{name} {done}{dry}");
            if let Some(note) = managed::note(&object, &annotation) {
                eprintln!("note: {note}");
            }
            return Ok(Some(object));
        }
        object = cluster.get(&object.key).await?;
        if object.uid() != uid {
            return Err(CommandError::Refused(format!(
                "DaemonSet {} was deleted and created anew meanwhile: look at it again",
                object.key
            )));
        }
    }
    Err(CommandError::Cluster(format!(
        "DaemonSet {} changes all the time: {ATTEMPTS} patches met a newer version of it; try again",
        object.key
    )))
}
