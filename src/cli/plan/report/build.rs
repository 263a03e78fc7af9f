//! A plan put into the words of its contract.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::{
    apply::manifests::Manifests,
    cli::plan::{diff, notes::Notes},
    model::{Amounts, DaemonSet, DaemonSetStatus, Resized, ResourceRule, Snapshot, Str, Time},
    plan::{self, DetailedPlan, Plan, PodRef, eligibility, obstacles, revisions::RevisionRef},
    wire::revision::clock_text,
};

use super::{
    ClaimsReport, ControlReport, CreateReport, DeleteReport, EventReport, Extras, LeftAloneReport,
    NodeReport, ObjectName, Overview, Report, ResizeReport, ResourceRuleReport, ResourcesReport,
    RevisionOpsReport, RevisionReport, RevisionSummary, RolloutReport, StatusChange, StatusCounts,
    Summary, UngateReport, reasons,
};

impl Report {
    /// Of a plan that was made from this snapshot. Fails where manifests are asked for and the
    /// template is none.
    pub fn new(
        snapshot: &Snapshot<'_>,
        detailed: &DetailedPlan,
        now: Time,
        notes: Notes,
        extras: Extras,
    ) -> serde_json::Result<Report> {
        let plan = &detailed.plan;
        let ds = snapshot.daemon_set;
        let placement = snapshot.settings.placement;
        let manifests = extras
            .manifests
            .then(|| Manifests::new(ds, plan, placement))
            .transpose()?;
        let create = |c: &plan::Create| {
            let is_current = plan.revision.as_ref().is_none_or(|r| r.hash == c.revision);
            let manifest = manifests.as_ref().and_then(|all| all.of(c));
            let body = manifest.map(|manifest| manifest.body(&c.pod_name, &c.node));
            Ok(CreateReport {
                node: c.node.to_string(),
                pod_name: c.pod_name.to_string(),
                phase: c.phase.as_str().to_owned(),
                cause: c.cause.as_str().to_owned(),
                revision: (!is_current).then(|| c.revision.to_string()),
                resources: c.resources.as_deref().map(ResourceRuleReport::from),
                manifest: body.map(RawValue::from_string).transpose()?,
            })
        };
        Ok(Report {
            daemon_set: name(ds),
            now: now.to_string(),
            left_alone: left_alone(plan),
            revision: revision(plan).map(|revision| RevisionReport {
                diff: diff::of_new_revision(snapshot, plan, extras.values),
                ..revision
            }),
            control: ControlReport::of(ds),
            revision_ops: revision_ops(plan),
            nodes: match plan.left_alone {
                Some(_) => Vec::new(),
                None => nodes(snapshot, detailed),
            },
            claims: ClaimsReport {
                adopt: names(&plan.claims.adopt),
                release: names(&plan.claims.release),
            },
            create: plan
                .creates
                .iter()
                .map(create)
                .collect::<serde_json::Result<_>>()?,
            delete: plan.deletes.iter().map(delete).collect(),
            resize: plan.resizes.iter().map(resize).collect(),
            ungate: plan.ungates.iter().map(ungate).collect(),
            rollout: plan
                .rollout
                .as_ref()
                .filter(|r| r.old > 0)
                .map(|r| rollout(r, detailed)),
            holds: reasons::holds(detailed),
            status: plan.status.map(StatusCounts::from),
            events: plan.events.iter().map(event).collect(),
            requeue_after_seconds: plan.wake_at.map(|at| at.since(now).as_secs_f64()),
            summary: Summary::new(ds, plan),
            notes: notes.texts,
            defaults: notes.defaults,
            advice: notes.advice,
        })
    }
}

impl Overview {
    /// Of a plan for this DaemonSet.
    pub fn new(ds: &DaemonSet, plan: &Plan, now: Time, notes: Notes) -> Overview {
        Overview {
            daemon_set: name(ds),
            now: now.to_string(),
            left_alone: left_alone(plan),
            revision: revision(plan),
            stalled: stalled(plan),
            summary: Summary::new(ds, plan),
            notes: notes.texts,
            defaults: notes.defaults,
            advice: notes.advice,
        }
    }
}

impl Summary {
    fn new(ds: &DaemonSet, plan: &Plan) -> Summary {
        let ops = &plan.revision_ops;
        Summary {
            settled: plan.is_settled(),
            create: plan.creates.len(),
            delete: plan.deletes.len(),
            resize: plan.resizes.len(),
            ungate: plan.ungates.len(),
            relabel: plan.relabels.len(),
            adopt: plan.claims.adopt.len(),
            release: plan.claims.release.len(),
            revisions: RevisionSummary {
                create: plan.revision.iter().filter(|r| r.create).count(),
                delete: ops.delete_duplicates.len() + ops.delete_old.len(),
                renumber: ops.set_number.iter().len(),
                label: ops.set_label.len(),
                adopt: ops.adopt.len(),
                release: ops.release.len(),
            },
            old: plan.rollout.as_ref().map_or(0, |r| r.old),
            status: match &plan.status {
                Some(status) => status_changes(&ds.status, status),
                None => BTreeMap::new(),
            },
        }
    }
}

fn stalled(plan: &Plan) -> Option<String> {
    let rule = plan.standing.as_ref()?.stalled.as_ref()?;
    Some(rule.as_str().to_owned())
}

/// The fields that differ, by their names in the API.
fn status_changes(old: &DaemonSetStatus, new: &DaemonSetStatus) -> BTreeMap<String, StatusChange> {
    let fields = |status: &DaemonSetStatus| {
        let json = serde_json::to_value(StatusCounts::from(*status));
        match json.expect("numbers have a JSON form") {
            serde_json::Value::Object(fields) => fields,
            _ => serde_json::Map::new(),
        }
    };
    let (old, new) = (fields(old), fields(new));
    let names = old.keys().chain(new.keys());
    let changes = names.map(|name| {
        let of = |fields: &serde_json::Map<String, serde_json::Value>| fields.get(name)?.as_i64();
        let change = StatusChange {
            from: of(&old),
            to: of(&new),
        };
        (name.clone(), change)
    });
    changes.filter(|(_, c)| c.from != c.to).collect()
}

fn name(ds: &DaemonSet) -> ObjectName {
    ObjectName {
        namespace: ds.namespace.to_string(),
        name: ds.name.to_string(),
    }
}

fn left_alone(plan: &Plan) -> Option<LeftAloneReport> {
    plan.left_alone.as_ref().map(|why| LeftAloneReport {
        reason: why.as_str().to_owned(),
        message: why.to_string(),
    })
}

fn revision(plan: &Plan) -> Option<RevisionReport> {
    plan.revision.as_ref().map(|r| RevisionReport {
        name: r.name.to_string(),
        hash: r.hash.to_string(),
        number: r.number,
        create: r.create,
        diff: None,
    })
}

impl From<DaemonSetStatus> for StatusCounts {
    fn from(s: DaemonSetStatus) -> StatusCounts {
        StatusCounts {
            current_number_scheduled: s.current_number_scheduled,
            number_misscheduled: s.number_misscheduled,
            desired_number_scheduled: s.desired_number_scheduled,
            number_ready: s.number_ready,
            updated_number_scheduled: s.updated_number_scheduled,
            number_available: s.number_available,
            number_unavailable: s.number_unavailable,
            observed_generation: s.observed_generation,
            collision_count: s.collision_count,
        }
    }
}

fn names(pods: &[PodRef]) -> Vec<String> {
    pods.iter().map(|p| p.name.to_string()).collect()
}

fn revision_ops(plan: &Plan) -> RevisionOpsReport {
    let ops = &plan.revision_ops;
    let names = |revisions: &[RevisionRef]| -> Vec<String> {
        revisions.iter().map(|r| r.name.to_string()).collect()
    };
    let mut delete = names(&ops.delete_duplicates);
    delete.extend(names(&ops.delete_old));
    delete.sort();
    RevisionOpsReport {
        set_number: ops
            .set_number
            .iter()
            .map(|(r, n)| (r.name.to_string(), *n))
            .collect(),
        set_label: ops
            .set_label
            .iter()
            .map(|(r, hash)| (r.name.to_string(), hash.to_string()))
            .collect(),
        delete,
        adopt: names(&ops.adopt),
        release: names(&ops.release),
        relabel_pods: plan
            .relabels
            .iter()
            .map(|r| (r.pod.name.to_string(), r.hash.to_string()))
            .collect(),
        set_started: ops
            .set_started
            .iter()
            .filter_map(|(_, at)| {
                let current = plan.revision.as_ref()?;
                Some((current.name.to_string(), at.to_string()))
            })
            .collect(),
        set_approved: ops
            .set_approved
            .iter()
            .map(|(r, approved)| (r.name.to_string(), approved.at.to_string()))
            .collect(),
        set_failed: ops
            .set_failed
            .iter()
            .map(|(r, failed)| (r.name.to_string(), failed.cause.why.to_string()))
            .collect(),
        set_clock: ops
            .set_clock
            .iter()
            .map(|(r, clock)| (r.name.to_string(), clock_text(*clock)))
            .collect(),
        release_stages: ops
            .release_stages
            .iter()
            .map(|(r, stages)| {
                (
                    r.name.to_string(),
                    stages.iter().map(Str::to_string).collect(),
                )
            })
            .collect(),
        set_completed: ops
            .set_completed
            .iter()
            .map(|(r, at)| (r.name.to_string(), at.to_string()))
            .collect(),
        collision_count: ops.collision_count,
    }
}

fn nodes(snapshot: &Snapshot<'_>, detailed: &DetailedPlan) -> Vec<NodeReport> {
    let gates = snapshot.settings.gates;
    let exclusions = snapshot.daemon_set.exclusions();
    let mut nodes: Vec<NodeReport> = snapshot
        .nodes
        .iter()
        .map(|(id, node)| {
            let (verdict, template) = detailed.placement(snapshot, id);
            NodeReport {
                name: node.name.to_string(),
                should_run: verdict.should_run(),
                should_continue_running: verdict.should_continue_running(),
                reason: eligibility::reason(verdict).to_owned(),
                message: eligibility::message(verdict, template, &exclusions, node),
                obstacles: obstacles::with_exclusions(template, &exclusions, gates, node)
                    .iter()
                    .map(Into::into)
                    .collect(),
            }
        })
        .collect();
    nodes.sort_by(|a, b| a.name.cmp(&b.name));
    nodes
}

fn rollout(r: &plan::Rollout, detailed: &DetailedPlan) -> RolloutReport {
    RolloutReport {
        desired: r.desired,
        max_unavailable: r.max_unavailable,
        max_surge: r.max_surge,
        unavailable: r.unavailable,
        surging: r.surging,
        updated: r.updated,
        old: r.old,
        next: r.next.iter().map(|n| n.to_string()).collect(),
        blocked_by: reasons::blocked_by(detailed),
    }
}

fn delete(d: &plan::Delete) -> DeleteReport {
    DeleteReport {
        pod: d.pod.name.to_string(),
        node: d.node.to_string(),
        phase: d.phase.as_str().to_owned(),
        cause: d.cause.as_str().to_owned(),
        by: d.by.evicts().then(|| "eviction".to_owned()),
    }
}

fn resize(r: &plan::Resize) -> ResizeReport {
    let container = |c: &Resized| {
        let amounts = |all: &Amounts| {
            let all = all.iter();
            all.map(|(name, amount)| (name.to_string(), amount.to_string()))
                .collect()
        };
        let resources = ResourcesReport {
            requests: amounts(&c.requests),
            limits: amounts(&c.limits),
        };
        (c.name.to_string(), resources)
    };
    ResizeReport {
        pod: r.pod.name.to_string(),
        node: r.node.to_string(),
        resources: r.rule.as_deref().map(ResourceRuleReport::from),
        containers: r.containers.iter().map(container).collect(),
    }
}

fn ungate(u: &plan::Ungate) -> UngateReport {
    UngateReport {
        pod: u.pod.name.to_string(),
        node: u.node.to_string(),
    }
}

impl From<&ResourceRule> for ResourceRuleReport {
    fn from(rule: &ResourceRule) -> Self {
        ResourceRuleReport {
            rule: rule.number,
            nodes: rule.nodes.to_string(),
        }
    }
}

fn event(e: &plan::Event) -> EventReport {
    EventReport {
        kind: e.kind.as_str().to_owned(),
        reason: e.reason.to_owned(),
        message: e.message.clone(),
    }
}
