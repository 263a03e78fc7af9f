//! Revisions, and what was read of their stored bytes.

use std::sync::Arc;

use crate::{
    model::{Key, PlacedRevision, Revision, StoredData, Template, Uid, Verdicts},
    plan::eligibility::Eligibility,
    wire::daemon_set::template_of_data,
};

use super::Cache;

/// A revision's template and the verdicts for it.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    eligibility: Eligibility,
    verdicts: Verdicts,
}

impl Placed {
    /// As a snapshot holds it.
    pub(super) fn lend<'a>(&'a self, uid: &'a Uid) -> PlacedRevision<'a> {
        PlacedRevision {
            uid,
            template: self.eligibility.template(),
            verdicts: &self.verdicts,
        }
    }
}

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

    /// Brings the templates and verdicts of a DaemonSet's revisions up to date, where rollout
    /// control asks for them. The data of a revision never change, so each is read once.
    pub(super) fn place_revisions(&mut self, key: &Key) {
        let Some(entry) = self.daemon_sets.get_mut(key) else {
            return;
        };
        if entry.daemon_set.control.is_none() {
            entry.placed.clear();
            return;
        }
        let uid = &entry.daemon_set.uid;
        let all = self.revisions.of_namespace(&key.namespace);
        let own = all.filter(|r| r.readable && r.controller.is(uid));
        let own: Vec<&Revision> = own.collect();
        entry
            .placed
            .retain(|uid, _| own.iter().any(|r| r.uid == *uid));
        for revision in own {
            if entry.placed.contains_key(&revision.uid) {
                continue;
            }
            let Ok(template) = template_of_data(&revision.data, &mut self.interner) else {
                continue;
            };
            let placed = Placed {
                eligibility: Eligibility::new(Arc::<Template>::new(template), self.settings.gates)
                    .excluding(entry.daemon_set.exclusions()),
                verdicts: Verdicts::default(),
            };
            entry.placed.insert(revision.uid.clone(), placed);
        }
        for placed in entry.placed.values_mut() {
            placed
                .eligibility
                .refresh(&mut placed.verdicts, &self.nodes);
        }
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
