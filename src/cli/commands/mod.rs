//! The commands for rollouts: `status`, `hold`, `resume`, `approve`, `history` and `handback`.
//!
//! They work with the rights of whoever calls them, and need no controller to answer: what they say
//! of a rollout is what the plan says, made here from the cluster's objects. What they write are
//! annotations that anybody could write with kubectl.

pub mod annotate;
pub mod approve;
pub mod cluster;
pub mod error;
pub mod handback;
pub mod history;
pub mod hold;
pub mod keys;
pub mod managed;
pub mod object;
pub mod status;

use std::{future::Future, process::ExitCode};

use super::{args::SharedArgs, complain, log};
use error::CommandError;

/// Runs a command to its end, and says why where that is an error. What it returns is its exit
/// code.
fn carry_out(
    shared: &SharedArgs,
    command: impl Future<Output = Result<u8, CommandError>>,
) -> ExitCode {
    log::init_for_people(shared.log_format);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(command),
        Err(why) => Err(CommandError::Cluster(format!("cannot start: {why}"))),
    };
    match ended {
        Ok(code) => code.into(),
        Err(why) => {
            complain(&why);
            why.exit_code().into()
        }
    }
}
