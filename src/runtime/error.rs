//! Why nothing can start: no client for the cluster can be made, or a port is taken.

use std::{net::SocketAddr, path::PathBuf};

use thiserror::Error;

use super::secure::certificate::CertificateError;

/// Why the controller, or a command that asks the cluster, cannot start. The text says what to do.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StartError {
    /// The kubeconfig cannot be read or makes no sense.
    #[error("cannot use kubeconfig {}: {why}", file.display())]
    Kubeconfig {
        /// The file, or the list of files of `$KUBECONFIG`.
        file: PathBuf,
        /// The client's error with its sources.
        why: String,
    },
    /// There is no kubeconfig, and the process does not run in a pod.
    #[error(
        "no cluster to talk to: no kubeconfig (--kubeconfig, $KUBECONFIG, ~/.kube/config), and not \
         in a pod either ({why})"
    )]
    NoCluster {
        /// Why the process is not in a pod.
        why: String,
    },
    /// The configuration was read, and no client can be made with it.
    #[error("cannot connect to {server} with this configuration: {why}")]
    Configuration {
        /// The URL of the API server.
        server: String,
        /// The client's error with its sources.
        why: String,
    },
    /// The endpoints have no certificate to show.
    #[error("cannot serve the endpoints over TLS: {0}")]
    Certificate(#[from] CertificateError),
    /// One of two flags needs the other.
    #[error("{given} is given without {missing}: {advice}")]
    Incomplete {
        /// The flag that is there.
        given: &'static str,
        /// The flag that is missing.
        missing: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The port of the endpoints cannot be bound.
    #[error(
        "cannot serve /metrics, /healthz and /readyz at {address}: {why}; choose another \
         --http-port or --bind-address, or do without them (--http-port=0)"
    )]
    Bind {
        /// The address and port that were asked for.
        address: SocketAddr,
        /// The operating system's error.
        why: String,
    },
}
