//! `status`: how does a rollout stand, what does each node wait for, and what can a person do?

pub mod follow;
pub mod next;
pub mod report;
pub mod text;
pub mod told;
pub mod view;

use std::{io::IsTerminal, ops::ControlFlow, process::ExitCode};

use crate::{
    cli::{
        args::{Output, StatusArgs},
        plan::{print, report::to_json},
        program,
    },
    model::{Settings, Time},
};

use super::{carry_out, cluster::Cluster, error::CommandError, object::Object};
use report::{LEFT_ALONE, State, Status};
use view::View;

/// Prints the status. The exit code is its state.
pub fn run(args: &StatusArgs) -> ExitCode {
    carry_out(&args.one.shared, answer(args))
}

async fn answer(args: &StatusArgs) -> Result<u8, CommandError> {
    let target = args.one.target().map_err(CommandError::Input)?;
    let cluster = Cluster::reach(&args.one.shared).await?;
    let settings = args.one.shared.settings();
    let object = cluster.find(&target).await?;
    let first = once(&cluster, &object, settings).await?;
    if !args.watch && !args.wait {
        let text = whole(&first, args);
        print(&text, notes(&first, args))?;
        return Ok(first.state.exit_code());
    }
    let on_terminal = std::io::stdout().is_terminal();
    let mut view = View::new(args.output, on_terminal, args.verbose);
    let mut ended = first.state;
    let watched = follow::follow(&cluster, &object.key, settings, |status| {
        // Nobody reads the keys of a DaemonSet that is left alone.
        let is_read = status.keys_read || status.stage == LEFT_ALONE;
        let is_over = args.wait && is_read && status.state != State::UnderWay;
        ended = status.state;
        if args.watch {
            if let Some(shown) = view.frame(status) {
                print(&shown, &[])?;
            }
        } else if is_over {
            print(&whole(status, args), notes(status, args))?;
        }
        Ok(if is_over {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    });
    watched.await?;
    Ok(ended.exit_code())
}

/// The status by one list of each kind.
async fn once(
    cluster: &Cluster,
    object: &Object,
    settings: Settings,
) -> Result<Status, CommandError> {
    let mut loaded = cluster.load(&object.key, settings.gates).await?;
    let now = Time::from(jiff::Timestamp::now());
    let status = loaded.cache.snapshot(&object.key, settings, |snapshot| {
        Status::new(snapshot, object, now, program::name()).0
    });
    let missing = || CommandError::Input(format!("there is no DaemonSet {}", object.key));
    let mut status = status.ok_or_else(missing)?;
    status.notes.splice(0..0, loaded.notes);
    Ok(status)
}

/// The whole status, as it was asked for.
fn whole(status: &Status, args: &StatusArgs) -> String {
    match args.output {
        Output::Json => to_json(status),
        Output::Text => text::render(status, args.verbose),
    }
}

/// The notes for standard error, where standard output holds nothing but JSON.
fn notes<'s>(status: &'s Status, args: &StatusArgs) -> &'s [String] {
    match args.output {
        Output::Json => &status.notes,
        Output::Text => &[],
    }
}
