//! The version of Kubernetes under the tests, for what differs from one to the next. Each
//! difference is named where it shows; `docs/compatibility.md` lists them.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::control_plane::ControlPlane;

/// A minor version of Kubernetes 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kubernetes(u8);

/// The version of the recordings in `tests/data`, which the simulated API server follows.
pub const NEWEST: Kubernetes = Kubernetes(37);

/// Memory limits of a running pod may shrink (KEP-1287); templates are stored without
/// `creationTimestamp: null`; schedulers do not name taints in messages any more.
pub const V1_34: Kubernetes = Kubernetes(34);
/// Pods have `workloadRef`, of which later versions know nothing any more.
pub const V1_35: Kubernetes = Kubernetes(35);
/// The API server looks at the node before it takes a resize (admission plugin
/// `PodResizeValidator`).
pub const V1_36: Kubernetes = Kubernetes(36);

impl Kubernetes {
    /// The version that follows.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// A revision that was recorded with the newest version, as this one stores it.
    pub fn template_of(self, revision: &str) -> String {
        let (newer, older) = (
            r#""$patch":"replace","metadata":{"#,
            r#""$patch":"replace","metadata":{"creationTimestamp":null,"#,
        );
        assert!(revision.contains(newer), "there is no template: {revision}");
        match self {
            _ if self >= V1_34 => revision.to_owned(),
            _ => revision.replace(newer, older),
        }
    }

    /// Fields of DaemonSets that the newest does not have any more: they were alpha.
    pub fn withdrawn(self) -> &'static [&'static str] {
        if self == V1_35 {
            &["spec.template.spec.workloadRef"]
        } else {
            &[]
        }
    }

    /// Where recordings are that differ from those of the newest.
    pub fn data(self, file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/kubernetes/{self}/{file}"))
    }
}

impl fmt::Display for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}", self.0)
    }
}

impl ControlPlane {
    /// Says, past the test harness's capture, that a part of a test was not run on this version.
    /// `docs/compatibility.md` lists them.
    pub fn not_run(&self, why: &str) {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test").to_owned();
        let line = format!("NOT RUN on {}: {test}: {why}\n", self.kubernetes());
        let said = std::io::stderr().write_all(line.as_bytes());
        said.expect("standard error can be written");
    }

    /// The version that the API server's binary says it is.
    pub fn kubernetes(&self) -> Kubernetes {
        let output = Command::new(self.site.binary("kube-apiserver"))
            .arg("--version")
            .output()
            .expect("kube-apiserver can be started");
        let said = String::from_utf8_lossy(&output.stdout); // Kubernetes v1.37.1
        let minor = said.split('.').nth(1).and_then(|minor| minor.parse().ok());
        Kubernetes(minor.unwrap_or_else(|| panic!("no version: {said}")))
    }
}
