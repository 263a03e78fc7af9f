//! `explain`: why does a node stand as it does? The verdicts, actions and holds are those of the
//! plan.

pub mod next;
pub mod report;
pub mod text;

use std::process::ExitCode;

use crate::{
    model::{Controller, NodeId, Snapshot, Time},
    plan::{self, DetailedPlan, explain::Explainer},
};

use super::{
    args::{ExplainArgs, Output, Subject},
    complain, log,
    plan::{choice::Choice, error::PlanError, load, notes, print, report::to_json},
};
use report::{Explanation, all_nodes};

/// Explains and prints. The exit code is 0; 2 where other input is needed, 1 where the cluster
/// cannot be asked or the answer cannot be written.
pub fn run(args: &ExplainArgs) -> ExitCode {
    log::init(args.input.shared.log_format);
    match answer(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            why.exit_code().into()
        }
    }
}

fn answer(args: &ExplainArgs) -> Result<(), PlanError> {
    let asked = args.asked().map_err(PlanError::Input)?;
    let subject = args.subject().map_err(PlanError::Input)?;
    let choice = Choice::new(asked, args.input.shared.namespace(), None);
    let mut loaded = load(&args.input, &choice)?;
    let now = args
        .input
        .now
        .unwrap_or_else(|| Time::from(jiff::Timestamp::now()));
    let none = || PlanError::Input(choice.none());
    let chosen = loaded.chosen.into_iter().next().ok_or_else(none)?;
    let settings = args.input.shared.settings();
    let explained = loaded.cache.snapshot(&chosen.key, settings, |snapshot| {
        let detailed = plan::in_detail(snapshot, now);
        let mut explanation = explain(snapshot, &detailed, subject, now)?;
        explanation.notes.extend(loaded.notes);
        explanation.notes.extend(chosen.notes.texts);
        let about = notes::about(snapshot.daemon_set, &detailed.plan);
        explanation.notes.extend(about);
        Ok(explanation)
    });
    let explanation = explained.unwrap_or_else(|| Err(none()))?;
    match args.input.output {
        Output::Json => print(&to_json(&explanation), &explanation.notes),
        Output::Text => print(&text::render(&explanation, args.input.verbose), &[]),
    }
}

/// Explains what is asked for. An error where there is no such node or pod.
pub fn explain(
    snapshot: &Snapshot<'_>,
    detailed: &DetailedPlan,
    subject: Subject<'_>,
    now: Time,
) -> Result<Explanation, PlanError> {
    let explanation = Explanation::new(snapshot, detailed, now);
    // The one hold of a DaemonSet that is left alone says all.
    let Some(explainer) = Explainer::new(snapshot, detailed, now) else {
        return Ok(explanation);
    };
    let of_one = |id: NodeId| Ok(explanation.clone().with_nodes(&[explainer.node(id)]));
    match subject {
        Subject::All => Ok(explanation.with_nodes(&all_nodes(&explainer)).grouped()),
        Subject::Node(name) => match snapshot.nodes.id(name) {
            Some(id) => of_one(id),
            None => Err(PlanError::Input(format!(
                "there is no node {name}, and no pod of the DaemonSet is pinned to it"
            ))),
        },
        Subject::Pod(name) => of_one(node_of_pod(snapshot, name).map_err(PlanError::Input)?),
    }
}

/// The node that a pod of the DaemonSet is on or pinned to.
fn node_of_pod(snapshot: &Snapshot<'_>, name: &str) -> Result<NodeId, String> {
    let ds = snapshot.daemon_set;
    let pod = (snapshot.find_pod)(name)
        .ok_or_else(|| format!("there is no pod {name} in namespace {}", ds.namespace))?;
    match &pod.controller {
        Controller::Uid(uid) if *uid != ds.uid => Err(format!(
            "pod {name} is not of DaemonSet {}/{}: its controller is the object with UID {uid}",
            ds.namespace, ds.name
        )),
        _ => pod.node.ok_or_else(|| {
            format!("pod {name} is on no node, and its node affinity does not name just one")
        }),
    }
}
