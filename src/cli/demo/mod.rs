//! `demo`: the controller on a simulated cluster, with changes to react to.
//!
//! Nothing outside of this process is touched. The controller, its client and its rules are those
//! of `run`; the API server and everything else in the cluster is simulated ([`crate::sim`]).

mod apply;
mod budget;
mod census;
mod chronicle;
mod closing;
mod coverage;
mod error;
mod input;
mod names;
mod news;
mod nodes;
mod objects;
mod pace;
mod rollout;
mod rollout_view;
mod script;
mod show;
mod staged;
mod story;
mod voice;

use std::{
    env,
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressDrawTarget, TermLike};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use crate::sim::{
    api,
    cluster::{Cluster, Part},
    kubelets::Detail,
};

use super::{
    args::{Colour, DemoArgs, LogFormat},
    complain, log, reject,
};
use chronicle::{CONTROLLER, Chronicle};
use error::DemoError;
use input::Input;
use nodes::Fleet;
use show::Show;
use story::Story;

/// The other parts of the cluster. The taint eviction controller is left out: it and the DaemonSet
/// controller delete the pods of a node with a NoExecute taint at the same moment, and chance would
/// decide which is first.
const PARTS: [Part; 5] = [
    Part::Scheduler,
    Part::Kubelets,
    Part::GarbageCollector,
    Part::PodGarbageCollector,
    Part::NamespaceController,
];

/// How many nodes the cluster has, unless somebody says otherwise.
const NODES: u16 = 20;

/// How long the controller lists and watches before the story begins, by the cluster's time.
const SETTLING: Duration = Duration::from_secs(2);

/// Runs the demo. Exit code 2 is for wrong input.
pub fn run(args: &DemoArgs) -> ExitCode {
    // Log lines would break the bars, so there are none by default.
    if env::var_os("RUST_LOG").is_some_and(|filter| !filter.is_empty()) {
        log::init(LogFormat::Text);
    }
    let input = match input::read(
        &args.files(),
        &args.read,
        args.daemonset.as_ref(),
        args.update,
    ) {
        Ok(input) => input,
        Err(why) => {
            complain(&why);
            return ExitCode::from(2);
        }
    };
    for note in &input.notes {
        eprintln!("note: {note}");
    }
    if args.nodes.is_some() && !input.nodes.is_empty() {
        eprintln!("note: --nodes does not count: the cluster has the nodes of the files");
    }
    let mut show = show(args.color);
    let ended = play(args, &input, &mut show);
    show.close();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the pipe has seen enough.
        Err(DemoError::Output(why)) if why.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(DemoError::Signal(code)) => ExitCode::from(code),
        Err(DemoError::Rejected(words)) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
        Err(why @ (DemoError::File(_) | DemoError::Input(_))) => {
            complain(&why);
            ExitCode::from(2)
        }
        Err(why @ DemoError::Output(_)) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

/// Plays the demo of the example on a terminal of the caller's, to draw a picture of it. `lines`
/// writes to the same terminal.
pub fn record(
    args: &DemoArgs,
    terminal: Box<dyn TermLike>,
    lines: Box<dyn Write>,
) -> io::Result<()> {
    let target = ProgressDrawTarget::term_like_with_hz(terminal, 20);
    let mut show = Show::new(lines, target, true);
    let input = input::read(&[], &args.read, None, args.update).map_err(io::Error::other)?;
    play(args, &input, &mut show).map_err(io::Error::other)?;
    show.close();
    Ok(())
}

/// The output on standard output: bars on a terminal, otherwise lines.
fn show(colour: Colour) -> Show {
    let colour = match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            io::stdout().is_terminal()
                && env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                && env::var_os("TERM").is_some_and(|term| term != "dumb")
        }
    };
    Show::new(Box::new(io::stdout()), ProgressDrawTarget::stdout(), colour)
}

fn play(args: &DemoArgs, input: &Input, show: &mut Show) -> Result<(), DemoError> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        // As in shells the exit code is 128 plus the number of the signal.
        tokio::select! {
            biased;
            _ = interrupt.recv() => Err(DemoError::Signal(130)),
            _ = terminate.recv() => Err(DemoError::Signal(143)),
            ended = tell(args, input, show) => ended,
        }
    })
}

async fn tell(args: &DemoArgs, input: &Input, show: &mut Show) -> Result<(), DemoError> {
    let agent = &input.agent;
    let (fleet, nodes) = match &input.nodes[..] {
        [] => Fleet::new(args.nodes.unwrap_or(NODES).into(), args.seed),
        given => Fleet::given(
            given.iter().map(|(_, node)| node.clone()).collect(),
            args.seed,
        ),
    };
    let mut cluster = Cluster::new(args.seed);
    cluster.detail = Detail::Full;
    let mut cluster = cluster.with(&PARTS);
    for (n, node) in nodes.into_iter().enumerate() {
        let file = input.nodes.get(n).map_or("", |(file, _)| file);
        let made = cluster.register(node);
        made.map_err(|status| DemoError::Rejected(reject::words(&status, file)))?;
    }
    let epoch = api::ServerOptions::default().epoch;
    let chronicle = Chronicle::new(cluster.server.clone(), epoch, &agent.namespace, &agent.name);
    let _controller = cluster.controller(CONTROLLER);
    tokio::time::sleep(SETTLING).await;
    let mut story = Story::new(
        cluster, input, fleet, chronicle, show, args.speed, args.seed,
    );
    let was_shown = match args.update {
        true => story.update().await?,
        false => story.tell().await?,
    };
    match was_shown {
        true => story.close().await,
        false => Ok(()),
    }
}
