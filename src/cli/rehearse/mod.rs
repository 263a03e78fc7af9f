//! `rehearse`: how would a rollout go? The loop is that of the room [`rehearse`](crate::rehearse);
//! here it gets its input, and its outcome is put into words, JSON or a page.

mod clock;
pub mod error;
pub mod html;
pub mod input;
mod leave_out;
mod merge;
pub mod report;
pub mod snapshot;
pub mod text;

use std::{fs, process::ExitCode};

use crate::rehearse;

use super::{
    args::{Output, RehearseArgs},
    complain, log,
    plan::{print, report::to_json},
};
use error::RehearseError;
use input::Prepared;
use report::Report;

/// The exit code where an assertion does not hold.
const NOT_AS_ASSERTED: u8 = 3;

/// Rehearses and prints. The exit code is 0; 2 where other input is needed, 1 where the cluster
/// cannot be asked or the answer cannot be written, 3 where an assertion does not hold.
pub fn run(args: &RehearseArgs) -> ExitCode {
    log::init(args.shared.log_format);
    match answer(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => NOT_AS_ASSERTED.into(),
        Err(why) => {
            complain(&why);
            why.exit_code().into()
        }
    }
}

/// Whether all assertions hold.
fn answer(args: &RehearseArgs) -> Result<bool, RehearseError> {
    let Prepared {
        cluster,
        budgets,
        key,
        notes,
    } = input::prepare(args)?;
    let scenario = args.scenario();
    let rehearsal = rehearse::rehearse(cluster, &budgets, &scenario);
    let report = Report::new(&key, &scenario, &rehearsal, &args.assert, notes);
    if let Some(file) = args.html() {
        let page = html::page(&report);
        fs::write(file, page).map_err(|why| RehearseError::Page {
            file: file.display().to_string(),
            why,
        })?;
    }
    match args.output {
        Output::Json => print(&to_json(&report), &report.notes)?,
        Output::Text => print(&text::render(&report), &[])?,
    }
    for broken in report.assertions.iter().filter(|a| !a.holds) {
        eprintln!("assertion failed: {}: {}", broken.assertion, broken.found);
    }
    Ok(report.assertions.iter().all(|a| a.holds))
}
