//! `run`: the controller.

use std::{process::ExitCode, sync::Arc};

use kube::Client;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    sync::{oneshot, watch},
};

use crate::{
    apply::client::fence::Fence,
    runtime::{
        client,
        endpoints::Endpoints,
        error::StartError,
        lease::{LeaderElection, LeaseOptions},
        monitor::Monitor,
        run::{Connections, ControllerOptions, run as run_controller},
        secure::{
            Secure,
            access::Access,
            certificate::{Certificate, Source},
        },
        shared::Clock,
    },
};

use super::{args::RunArgs, complain, log, rollout_defaults};

/// The number of threads. One does the work of a cluster of thousands of nodes in a fraction of its
/// time, and with two a fifth more CPU time goes into waking each other (docs/performance.md says
/// how that is measured).
const THREADS: usize = 1;

/// Runs until SIGTERM or SIGINT. Fails only where no client can be made, the port of the endpoints
/// cannot be bound, or their certificate cannot be used: an API server that is away, or refuses, is
/// logged and retried.
pub fn run(args: RunArgs) -> ExitCode {
    log::init(args.shared.log_format);
    match Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(start(&args)),
        Err(why) => {
            complain(&format_args!("cannot start threads: {why}"));
            ExitCode::FAILURE
        }
    }
}

async fn start(args: &RunArgs) -> ExitCode {
    let clock: Clock = Arc::new(|| jiff::Timestamp::now().into());
    let timing = match args.leader_election.timing() {
        Ok(timing) => args.leader_election.leader_elect.then_some(timing),
        Err(why) => {
            complain(&format_args!(
                "these leader election times do not work together: {why}"
            ));
            return ExitCode::from(2);
        }
    };
    let defaults = args.shared.rollout_defaults();
    let defaults = match defaults.map(rollout_defaults::follow).transpose() {
        Ok(defaults) => defaults,
        Err(why) => {
            complain(&why);
            return ExitCode::from(2);
        }
    };
    let fence = timing.map(|_| Fence::new(clock.clone()));
    let clients = match client::clients(&args.shared.access(), fence.as_ref()).await {
        Ok(clients) => clients,
        Err(why) => {
            complain(&why);
            return ExitCode::FAILURE;
        }
    };
    let leader_election = timing.zip(fence).map(|(timing, fence)| LeaderElection {
        options: LeaseOptions {
            namespace: args
                .leader_election
                .namespace()
                .or(clients.pod_namespace.as_deref())
                .unwrap_or("kube-system")
                .to_owned(),
            name: args.leader_election.leader_elect_resource_name.clone(),
            identity: identity(),
            timing,
        },
        fence,
    });
    let monitor = Monitor::new();
    let reviews = clients.reviews.clone();
    let endpoints = match endpoints(args, clock.clone(), reviews, &monitor).await {
        Ok(endpoints) => endpoints,
        Err(why) => {
            complain(&why);
            return ExitCode::FAILURE;
        }
    };
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(why) => {
            complain(&format_args!("cannot listen for SIGTERM: {why}"));
            return ExitCode::FAILURE;
        }
    };
    let options = ControllerOptions {
        namespace: args.shared.namespace().map(str::to_owned),
        concurrent_syncs: args.concurrent_syncs.into(),
        burst: args.burst.into(),
        max_in_flight: args.max_in_flight.into(),
        settings: args.shared.settings(),
        rollout_defaults: defaults,
        leader_election,
        on_conflict: args.on_conflict.into(),
        encoding: args.kube_api_content_type.into(),
        seed: rand::random(),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        server = clients.server,
        namespace = options.namespace.as_deref().unwrap_or("(all)"),
        "starting"
    );
    if let Some(file) = &options.rollout_defaults {
        let rules = file.defaults.len();
        tracing::info!(file = file.name, rules, "rollout defaults were read");
    }
    let connections = Connections {
        watches: clients.watches,
        writes: clients.writes,
        lease: clients.lease,
        server: clients.server,
    };
    let (ended, end) = oneshot::channel::<()>();
    let serving = endpoints.map(|endpoints| {
        tracing::info!(
            "serving /metrics, /healthz and /readyz at {}://{}",
            endpoints.scheme(),
            endpoints.address()
        );
        tokio::spawn(endpoints.serve(monitor.clone(), async {
            // An error means that the sender was dropped. Nothing is ever sent.
            let _ = end.await;
        }))
    });
    run_controller(connections, options, clock, monitor, stop).await;
    drop(ended);
    if let Some(serving) = serving {
        let _ = serving.await;
    }
    ExitCode::SUCCESS
}

/// The holder identity in the Lease: the host, which is the pod's name in a cluster, and a random
/// number that no other process has.
fn identity() -> String {
    format!("{}_{:016x}", host(), rand::random::<u64>())
}

fn host() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.unwrap_or_else(|_| "unknown".to_owned());
    host.trim().to_owned()
}

/// Binds the port, unless it is switched off. A certificate that cannot be used is an error in
/// either case.
async fn endpoints(
    args: &RunArgs,
    clock: Clock,
    reviews: Client,
    monitor: &Arc<Monitor>,
) -> Result<Option<Endpoints>, StartError> {
    let source = args.serving.source(&host())?;
    let load = |source: Source| Certificate::load(source, args.bind_address, clock);
    let certificate = source.map(load).transpose()?;
    if args.http_port == 0 {
        return Ok(None);
    }
    let endpoints = Endpoints::bind(args.bind_address, args.http_port).await?;
    Ok(Some(match certificate {
        None => endpoints,
        Some(certificate) => {
            let always = args.serving.always_allowed();
            let access = Access::new(reviews, always, monitor.clone());
            endpoints.secured(Secure::new(Arc::new(certificate), access))
        }
    }))
}

/// Becomes true at the first SIGTERM or SIGINT. A second signal ends the process at once.
fn stop_signal() -> std::io::Result<watch::Receiver<bool>> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        for count in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if count > 0 {
                std::process::exit(130);
            }
            let _ = stop.send(true);
        }
    });
    Ok(stopped)
}
