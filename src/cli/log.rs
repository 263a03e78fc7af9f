//! The log: on standard error, as text or JSON, at the level of `RUST_LOG`.

use std::{env, io::IsTerminal};

use tracing_subscriber::EnvFilter;

use super::args::LogFormat;

/// The filter unless `RUST_LOG` is set. kube logs whole bodies that it cannot decode, which may
/// hold the values of environment variables.
pub const DEFAULT_FILTER: &str = "info,kube_client=off,kube_runtime=off";

/// A filter with kube's own log off, unless it names that log.
fn quiet_clients(filter: &str) -> String {
    let off = ["kube_client", "kube_runtime"]
        .iter()
        .filter(|name| !filter.contains(*name));
    off.fold(filter.to_owned(), |filter, name| {
        format!("{filter},{name}=off")
    })
}

/// Starts the log. A `RUST_LOG` that cannot be parsed is logged, and the default is used.
pub fn init(format: LogFormat) {
    start(format, DEFAULT_FILTER);
}

/// The same for a command whose output people read: unless `RUST_LOG` asks for more, only what goes
/// wrong is logged.
pub fn init_for_people(format: LogFormat) {
    start(format, &DEFAULT_FILTER.replace("info", "warn"));
}

fn start(format: LogFormat, default: &str) {
    let wanted = env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let parsed = wanted
        .as_deref()
        .map(|text| EnvFilter::try_new(quiet_clients(text)));
    let (filter, wrong) = match parsed {
        Some(Ok(filter)) => (filter, None),
        Some(Err(why)) => (EnvFilter::new(default), Some(why)),
        None => (EnvFilter::new(default), None),
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
        tracing::warn!(%why, "RUST_LOG cannot be parsed; the default level is used");
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
