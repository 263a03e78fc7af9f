//! The flags of endpoints over TLS, named as Kubernetes' components and kubebuilder name them.

use std::path::{Path, PathBuf};

use clap::{
    ArgAction, Args,
    builder::{BoolishValueParser, OsStringValueParser, TypedValueParser},
};

use crate::runtime::{
    error::StartError,
    secure::{always_allowed::AlwaysAllowed, certificate::Source},
};

/// Whether the endpoints are served over TLS, with which certificate, and to whom.
#[derive(Args, Clone, Debug, PartialEq)]
#[command(next_help_heading = "Secure serving")]
pub struct ServingArgs {
    /// Serve over TLS, and only to whom the API server allows it (TokenReview and
    /// SubjectAccessReview); else by plain HTTP to anybody
    #[arg(
        long,
        env = "DAEMONSET_CONTROLLER_METRICS_SECURE",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub metrics_secure: bool,

    /// PEM file with the certificate, and those that lead to its authority; read again when it
    /// changes. Without it: a self-signed certificate, in memory
    #[arg(
        long,
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_TLS_CERT_FILE",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    tls_cert_file: Option<PathBuf>,

    /// PEM file with the key of the certificate
    #[arg(
        long,
        value_name = "FILE",
        env = "DAEMONSET_CONTROLLER_TLS_PRIVATE_KEY_FILE",
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    tls_private_key_file: Option<PathBuf>,

    /// Paths that anybody may ask for, over TLS too; /PATH/* for all below one
    #[arg(
        long,
        value_name = "PATH,...",
        env = "DAEMONSET_CONTROLLER_AUTHORIZATION_ALWAYS_ALLOW_PATHS",
        default_value = "/healthz,/readyz,/livez",
        value_parser = paths
    )]
    authorization_always_allow_paths: Paths,
}

/// A list of paths, which may be empty.
#[derive(Clone, Debug, PartialEq)]
struct Paths(Vec<AlwaysAllowed>);

fn paths(text: &str) -> Result<Paths, String> {
    let each = text.split(',').filter(|path| !path.is_empty());
    each.map(str::parse).collect::<Result<_, _>>().map(Paths)
}

impl ServingArgs {
    /// Where the certificate comes from, `host` being the name of this one; None for plain HTTP.
    pub fn source(&self, host: &str) -> Result<Option<Source>, StartError> {
        // An empty environment variable is a flag that is not there.
        let given = |file: &Option<PathBuf>| {
            let file = file.as_deref();
            file.filter(|file| !file.as_os_str().is_empty())
                .map(Path::to_owned)
        };
        const CERTIFICATE: &str = "--tls-cert-file";
        const KEY: &str = "--tls-private-key-file";
        let both = (
            given(&self.tls_cert_file),
            given(&self.tls_private_key_file),
        );
        let incomplete = |given, missing, advice| StartError::Incomplete {
            given,
            missing,
            advice,
        };
        let together = "give both, or neither for a self-signed certificate";
        match both {
            (Some(_), None) => Err(incomplete(CERTIFICATE, KEY, together)),
            (None, Some(_)) => Err(incomplete(KEY, CERTIFICATE, together)),
            (Some(_), Some(_)) if !self.metrics_secure => Err(incomplete(
                CERTIFICATE,
                "--metrics-secure",
                "the endpoints would be served by plain HTTP; add --metrics-secure",
            )),
            (None, None) if !self.metrics_secure => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(Source::Files { certificate, key })),
            (None, None) => Ok(Some(Source::SelfSigned {
                host: host.to_owned(),
            })),
        }
    }

    /// The paths that anybody may ask for.
    pub fn always_allowed(&self) -> Vec<AlwaysAllowed> {
        self.authorization_always_allow_paths.0.clone()
    }
}
