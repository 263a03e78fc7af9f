//! The `daemonset-controller` binary; everything is in the library.

use std::sync::Arc;

use daemonset_controller::{model::Settings, runtime};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt()
        .with_env_filter("info,kube_client=off")
        .with_writer(std::io::stderr)
        .init();
    let args: Vec<String> = std::env::args().collect();
    let at = args
        .iter()
        .position(|a| a == "--kubeconfig")
        .map(|i| args[i + 1].clone().into());
    let clients = runtime::client::clients(&runtime::client::Access {
        kubeconfig: at,
        context: None,
    })
    .await
    .unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    tokio::spawn(async move {
        let mut term = signal(SignalKind::terminate()).unwrap();
        term.recv().await;
        let _ = stop.send(true);
        std::future::pending::<()>().await;
    });
    let options = runtime::run::Options {
        namespace: args
            .iter()
            .find_map(|a| a.strip_prefix("--namespace=").map(str::to_owned)),
        concurrent_syncs: 2,
        burst: 250,
        max_in_flight: 32,
        settings: Settings::default(),
        seed: 1,
    };
    let connections = runtime::run::Connections {
        watches: clients.watches,
        writes: clients.writes,
        server: clients.server,
    };
    runtime::run::run(
        connections,
        options,
        Arc::new(|| jiff::Timestamp::now().into()),
        stopped,
    )
    .await;
}
