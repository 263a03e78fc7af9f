//! Revisions, and what was read of their stored bytes.

use crate::model::{Key, Revision, StoredData, Uid};

use super::Cache;

impl Cache {
    /// The bytes that the API server has stored as `data` of the revision with this name and UID;
    /// None where it does not tell. They hold for all its states, because they never change.
    pub fn stored_data(&mut self, key: &Key, uid: &Uid, data: Option<&[u8]>) {
        let Some(revision) = self.revisions.get_mut(key).filter(|r| r.uid == *uid) else {
            return;
        };
        revision.stored = match data {
            None => StoredData::Untold,
            Some(data) if data == revision.data.as_bytes() => StoredData::Canonical,
            Some(_) => StoredData::Other,
        };
    }

    pub(super) fn put_revision(&mut self, key: Key, mut revision: Revision) {
        if let Some(old) = self.revisions.get(&key)
            && old.uid == revision.uid
        {
            revision.stored = old.stored;
        }
        self.mark_owner(&key, &revision.controller, &revision.labels);
        if let Some(old) = self.revisions.insert(key.clone(), revision) {
            self.mark_owner(&key, &old.controller, &old.labels);
        }
    }
}
