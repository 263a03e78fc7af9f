//! The file with the cluster defaults is read again at intervals, and counts as soon as it changed.
//!
//! A mounted ConfigMap changes when the kubelet swaps a symbolic link, which no watch of the file
//! itself would tell. So what it says is compared. A text that cannot be used changes nothing: the
//! last good one stays, because what was held must not go on by a slip.

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::model::RolloutDefaults;

use super::shared::Shared;

/// How often the file is read.
pub const REREAD_EVERY: Duration = Duration::from_secs(10);

/// How long a new text must stay as it is before it counts: one that is being written may be cut
/// off anywhere, and an empty one would let everything go on.
const SETTLE: Duration = Duration::from_secs(1);

/// Reads the file; an error in words.
pub type ReadDefaults = dyn Fn() -> Result<Vec<u8>, String> + Send + Sync;

/// A file with cluster defaults, which was read once.
#[derive(Clone)]
pub struct DefaultsFile {
    /// Its name, for messages.
    pub name: String,
    /// Reads it again.
    pub read: Arc<ReadDefaults>,
    /// Reads its text; an error in words.
    pub parse: fn(&[u8]) -> Result<RolloutDefaults, String>,
    /// The text that was read.
    pub text: Vec<u8>,
    /// What that says.
    pub defaults: RolloutDefaults,
}

impl fmt::Debug for DefaultsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultsFile")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Reads the file for ever, and plans anew for every DaemonSet for which a change matters.
pub async fn follow(file: DefaultsFile, shared: Arc<Shared>) {
    let DefaultsFile {
        name,
        read,
        parse,
        text,
        ..
    } = file;
    let mut last = Ok(text);
    loop {
        sleep(REREAD_EVERY).await;
        let now = read();
        // One that stays as it is, or as unreadable as it is, is told of once.
        if now == last {
            continue;
        }
        sleep(SETTLE).await;
        if read() != now {
            continue;
        }
        let parsed = now.as_ref().map_err(String::clone);
        let parsed = parsed.and_then(|text| parse(text));
        last = now;
        shared.monitor.set_rollout_defaults_valid(parsed.is_ok());
        match parsed {
            Ok(defaults) => {
                let rules = defaults.len();
                let daemonsets = shared.set_rollout_defaults(defaults);
                tracing::info!(
                    file = name,
                    rules,
                    daemonsets,
                    "rollout defaults were reread"
                );
            }
            Err(why) => tracing::warn!(
                file = name,
                "the rollout defaults cannot be used, and those that were read before stay: {why}"
            ),
        }
    }
}
