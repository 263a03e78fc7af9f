//! Carries a plan out on the cluster of a rehearsal, in the order in which the controller does.
//!
//! Every request succeeds at once, but for evictions that a disruption budget refuses.

use std::{sync::Arc, time::Duration};

use serde_json::value::RawValue;

use crate::{
    model::{
        ConditionState, ConditionStatus, Conditions, Controller, Labels, Pod, PodDetail, Str,
        Template,
    },
    plan::{Create, Delete, Plan},
    wire::conditions,
};

use super::{
    cluster::Cluster,
    disruption::Budgets,
    kubelet::{Happening, Kubelets, What},
    revisions::{self, with_hash},
};

/// The label by which pods of the first releases are known to be up to date.
const GENERATION_LABEL: &str = "pod-template-generation";

/// What Kubernetes gives a pod whose template says nothing.
const GRACE: Duration = Duration::from_secs(30);

/// What became of a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CarriedOut {
    /// It changed nothing.
    Nothing,
    /// It changed the status or a condition, by which no later plan goes.
    Status,
    /// Pods were created, changed or deleted.
    Pods,
    /// Something was written by which the next plan goes on at once.
    PlanAgain,
}

/// Carries the plan out.
pub(super) fn carry_out(
    cluster: &mut Cluster,
    kubelets: &Kubelets,
    budgets: &Budgets,
    plan: &Plan,
) -> CarriedOut {
    let status_changes = status(cluster, plan);
    if plan.is_settled() {
        return match status_changes {
            true => CarriedOut::Status,
            false => CarriedOut::Nothing,
        };
    }
    let ops = &plan.revision_ops;
    let records = ops != &Default::default() || plan.revision.as_ref().is_some_and(|r| r.create);
    if revisions::carry_out(cluster, plan) {
        return CarriedOut::PlanAgain;
    }
    claims(cluster, plan);
    for create in &plan.creates {
        self::create(cluster, kubelets, plan, create);
    }
    let now = cluster.now();
    cluster.cache().attempt(&plan.backoff, now);
    for delete in &plan.deletes {
        self::delete(cluster, kubelets, budgets, delete);
    }
    for ungate in &plan.ungates {
        let (name, uid) = (&ungate.pod.name, &ungate.pod.uid);
        cluster.change_pod(name, uid, |pod| {
            pod.gated = false;
            pod.scheduled = true;
        });
        kubelets.start(cluster, name);
    }
    for resize in &plan.resizes {
        let mark = resize.rule.as_ref().and_then(|rule| rule.mark.clone());
        cluster.change_pod(&resize.pod.name, &resize.pod.uid, |pod| {
            pod.resources = mark
        });
    }
    revisions::delete_old(cluster, plan);
    let others = !plan.claims.adopt.is_empty() || !plan.claims.release.is_empty();
    // Gates are removed by the next plan.
    let gated = plan.creates.iter().any(|create| create.gated);
    match records || others || gated || !plan.resizes.is_empty() {
        true => CarriedOut::PlanAgain,
        false => CarriedOut::Pods,
    }
}

/// Whether the status or a condition changes.
fn status(cluster: &mut Cluster, plan: &Plan) -> bool {
    let Some(status) = plan.status else {
        return false;
    };
    let conditions = plan.conditions.as_ref();
    if cluster.daemon_set().status == status && conditions.is_none() {
        return false;
    }
    cluster.change_daemon_set(|ds| {
        ds.status = status;
        if let Some(changed) = conditions {
            ds.conditions = stored(changed);
        }
    });
    true
}

fn stored(conditions: &Conditions) -> Option<Arc<[crate::model::StoredCondition]>> {
    let list: Box<RawValue> = conditions::encode(conditions);
    conditions::decode(Some(&list))
}

fn claims(cluster: &mut Cluster, plan: &Plan) {
    let owner = Controller::Uid(cluster.daemon_set().uid.clone());
    for pod in &plan.claims.release {
        cluster.change_pod(&pod.name, &pod.uid, |pod| pod.controller = Controller::None);
    }
    for pod in &plan.claims.adopt {
        cluster.change_pod(&pod.name, &pod.uid, |pod| pod.controller = owner.clone());
    }
}

fn create(cluster: &mut Cluster, kubelets: &Kubelets, plan: &Plan, create: &Create) {
    let now = cluster.now();
    let uid = cluster.next_uid();
    let ds = cluster.daemon_set();
    let older = plan.older_templates.iter();
    let older = older
        .filter(|(hash, _)| *hash == create.revision)
        .map(|(_, template)| &**template)
        .next();
    let labels = match older {
        Some(template) => labels(template, &create.revision, None),
        None => labels(&ds.template, &create.revision, ds.template_generation),
    };
    let unready = ConditionState {
        status: ConditionStatus::False,
        since: Some(now),
    };
    let pod = Pod {
        created: now,
        controller: Controller::Uid(ds.uid.clone()),
        labels,
        resources: create.resources.as_ref().and_then(|rule| rule.mark.clone()),
        node: Some(create.node_id),
        scheduled: !create.gated,
        gated: create.gated,
        detail: Some(Arc::new(PodDetail {
            unready: Some(unready),
            ..PodDetail::default()
        })),
        ..Pod::new(create.pod_name.clone(), uid)
    };
    cluster.put_pod(&create.node, pod);
    kubelets.start(cluster, &create.pod_name);
}

fn labels(template: &Template, hash: &Str, generation: Option<i64>) -> Labels {
    let with_hash = with_hash(&template.labels, hash);
    match generation {
        None => with_hash,
        Some(generation) => {
            let generation = (GENERATION_LABEL.to_owned(), generation.to_string());
            let all = with_hash.iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
            all.chain([generation]).collect()
        }
    }
}

fn delete(cluster: &mut Cluster, kubelets: &Kubelets, budgets: &Budgets, delete: &Delete) {
    let (name, uid, now) = (&delete.pod.name, &delete.pod.uid, cluster.now());
    let Some(pod) = cluster.pod(name).filter(|pod| pod.uid == *uid) else {
        return;
    };
    // Without a kubelet that runs it, and once it has ended, nothing is waited for.
    let at_once = pod.phase.is_terminal() || !pod.scheduled || pod.node.is_none();
    if delete.by.evicts()
        && let Some(why) = budgets.refuse(cluster, pod)
    {
        let key = cluster.key().clone();
        let cache = cluster.cache();
        cache.eviction_refused(&key, uid, why, None::<Duration>, now);
        return;
    }
    let key = cluster.sibling(name);
    cluster.cache().delete_pending(&key, uid);
    if at_once {
        cluster.remove_pod(name, uid);
        return;
    }
    let grace = cluster
        .daemon_set()
        .template
        .termination_grace_period_seconds;
    let grace = grace.map_or(GRACE, Duration::from_secs);
    cluster.change_pod(name, uid, |pod| {
        pod.terminating = true;
        pod.deletion = Some(now + grace);
        let detail = pod.detail.as_deref().cloned().unwrap_or_default();
        pod.detail = Some(Arc::new(PodDetail {
            deletion_grace_period: Some(grace),
            ..detail
        }));
    });
    if kubelets.is_up(cluster, &delete.node) {
        let ended = Happening {
            pod: name.clone(),
            uid: uid.clone(),
            what: What::Ended,
        };
        cluster.expect(now + kubelets.gone_after(grace), ended);
    }
}
