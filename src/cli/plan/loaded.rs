//! The objects of files or the cluster, ready to be planned for.

use crate::{cache::Cache, model::Key};

use super::notes::Notes;

/// All that is known, and the DaemonSets that a plan is wanted for.
#[derive(Debug)]
pub struct Loaded {
    /// Everything that plans are made from.
    pub cache: Cache,
    /// The DaemonSets, by namespace and name; never none.
    pub chosen: Vec<Chosen>,
    /// Notes about the input as a whole: objects that could not be decoded, kinds that are missing.
    pub notes: Vec<String>,
    /// A note about objects of other kinds.
    pub skipped: Option<String>,
}

/// A DaemonSet that a plan is wanted for.
#[derive(Debug)]
pub struct Chosen {
    /// Its namespace and name.
    pub key: Key,
    /// Notes about how it was completed.
    pub notes: Notes,
}

impl From<Key> for Chosen {
    fn from(key: Key) -> Chosen {
        Chosen {
            key,
            notes: Notes::default(),
        }
    }
}
