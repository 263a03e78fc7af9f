//! The log: to standard error, as text or JSON, as much as `RUST_LOG` asks for.

use std::{env, io::IsTerminal};

use tracing_subscriber::EnvFilter;

use super::args::LogFormat;

/// The filter that holds unless `RUST_LOG` says otherwise. kube logs whole bodies that it cannot
/// decode, which may hold the values of environment variables.
pub const DEFAULT_FILTER: &str = "info,kube_client=off,kube_runtime=off";

/// A filter with kube's own log off, unless it asks for that log by name.
fn quiet_clients(filter: &str) -> String {
    let off = ["kube_client", "kube_runtime"]
        .iter()
        .filter(|name| !filter.contains(*name));
    off.fold(filter.to_owned(), |filter, name| {
        format!("{filter},{name}=off")
    })
}

/// Starts logging. A `RUST_LOG` that makes no sense is said and the default taken.
pub fn init(format: LogFormat) {
    let wanted = env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let parsed = wanted
        .as_deref()
        .map(|text| EnvFilter::try_new(quiet_clients(text)));
    let (filter, wrong) = match parsed {
        Some(Ok(filter)) => (filter, None),
        Some(Err(why)) => (EnvFilter::new(DEFAULT_FILTER), Some(why)),
        None => (EnvFilter::new(DEFAULT_FILTER), None),
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // The first logger of a process stays; only tests start a second one.
    let _ = match format {
        LogFormat::Json => log.json().flatten_event(true).try_init(),
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal()
                && env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            log.with_ansi(colours).try_init()
        }
    };
    if let Some(why) = wrong {
        tracing::warn!(%why, "RUST_LOG is not understood; logging as without it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_logged_only_by_name() {
        assert_eq!(
            quiet_clients("debug"),
            "debug,kube_client=off,kube_runtime=off"
        );
        assert_eq!(
            quiet_clients("kube_client=trace"),
            "kube_client=trace,kube_runtime=off"
        );
    }
}
