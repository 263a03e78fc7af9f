//! Carries out what a plan does about ControllerRevisions.

use std::sync::Arc;

use crate::{
    cache::Row,
    model::{Controller, Kind, Labels, Revision, StoredData, Str},
    plan::{
        Plan,
        revisions::{self, HASH_LABEL, RevisionRef},
    },
};

use super::cluster::Cluster;

/// Carries it out, but for the history limit. True where a new plan has to follow before anything
/// else of this one is done.
pub(super) fn carry_out(cluster: &mut Cluster, plan: &Plan) -> bool {
    let ops = &plan.revision_ops;
    if !ops.read_data.is_empty() {
        // Nobody can be asked, and the plan has a rule for that.
        for revision in &ops.read_data {
            let key = cluster.sibling(&revision.name);
            cluster.cache().stored_data(&key, &revision.uid, None);
        }
        return true;
    }
    if let Some(count) = ops.collision_count {
        cluster.change_daemon_set(|ds| ds.status.collision_count = Some(count));
        return true;
    }
    let owner = Controller::Uid(cluster.daemon_set().uid.clone());
    for r in &ops.release {
        change(cluster, r, |revision| {
            revision.controller = Controller::None
        });
    }
    for r in &ops.adopt {
        change(cluster, r, |revision| revision.controller = owner.clone());
    }
    for (r, hash) in &ops.set_label {
        change(cluster, r, |revision| {
            revision.labels = with_hash(&revision.labels, hash);
        });
    }
    create_current(cluster, plan, owner);
    for relabel in &plan.relabels {
        let (pod, hash) = (&relabel.pod, &relabel.hash);
        cluster.change_pod(&pod.name, &pod.uid, |pod| {
            pod.labels = with_hash(&pod.labels, hash);
        });
    }
    if let Some((r, stages)) = &ops.release_stages {
        change(cluster, r, |revision| {
            revision.released = stages.iter().cloned().collect()
        });
    }
    if let Some((r, number)) = &ops.set_number {
        change(cluster, r, |revision| revision.number = *number);
    }
    if let Some((Some(r), at)) = &ops.set_started {
        change(cluster, r, |revision| revision.started = Some(*at));
    }
    if let Some((r, approved)) = &ops.set_approved {
        let approved = Arc::new(approved.clone());
        change(cluster, r, |revision| revision.approved = Some(approved));
    }
    if let Some((r, failed)) = &ops.set_failed {
        let failed = Arc::new(failed.clone());
        change(cluster, r, |revision| revision.failed = Some(failed));
    }
    if let Some((r, clock)) = &ops.set_clock {
        change(cluster, r, |revision| revision.clock = Some(*clock));
    }
    if let Some((r, at)) = &ops.set_completed {
        change(cluster, r, |revision| revision.completed = Some(*at));
    }
    for r in &ops.delete_duplicates {
        delete(cluster, r);
    }
    false
}

/// Deletes the revisions beyond the history limit.
pub(super) fn delete_old(cluster: &mut Cluster, plan: &Plan) {
    for r in &plan.revision_ops.delete_old {
        delete(cluster, r);
    }
}

fn create_current(cluster: &mut Cluster, plan: &Plan, owner: Controller) {
    let Some(current) = plan.revision.as_ref().filter(|r| r.create) else {
        return;
    };
    let started = plan.revision_ops.set_started.as_ref().map(|(_, at)| *at);
    let uid = cluster.next_uid();
    let ds = cluster.daemon_set();
    let labels = revisions::labels(&ds.template.labels, &current.hash);
    let revision = Revision {
        name: current.name.clone(),
        uid,
        version: Default::default(),
        controller: owner,
        labels: labels.into_iter().collect(),
        terminating: false,
        started,
        completed: None,
        released: Arc::default(),
        failed: None,
        clock: None,
        approved: None,
        number: current.number,
        data: ds.revision_data.clone(),
        data_without_timestamp: ds.revision_data_without_timestamp.clone(),
        stored: StoredData::Canonical,
        readable: true,
    };
    put(cluster, revision);
}

fn put(cluster: &mut Cluster, mut revision: Revision) {
    revision.version = cluster.next_version();
    let namespace = cluster.key().namespace.clone();
    cluster.cache().observe_row(Row::Revision {
        namespace,
        revision,
    });
}

fn change(cluster: &mut Cluster, r: &RevisionRef, f: impl FnOnce(&mut Revision)) {
    let key = cluster.sibling(&r.name);
    let known = cluster.cache().revision(&key).cloned();
    if let Some(mut revision) = known.filter(|revision| revision.uid == r.uid) {
        f(&mut revision);
        put(cluster, revision);
    }
}

fn delete(cluster: &mut Cluster, r: &RevisionRef) {
    let key = cluster.sibling(&r.name);
    cluster.cache().deleted_row(Kind::Revision, &key, &r.uid);
}

/// The labels with this hash.
pub(super) fn with_hash(labels: &Labels, hash: &Str) -> Labels {
    let others = labels.iter().filter(|(key, _)| *key != HASH_LABEL);
    others.chain([(HASH_LABEL, &**hash)]).collect()
}
