//! Where the binaries of a control plane are: in `KUBEBUILDER_ASSETS` where that is set, else where
//! `tests/control-plane/build.sh` puts them. `LIVE_KUBERNETES=1.33` chooses a version.

use std::path::{Path, PathBuf};
use std::process::Command;

const BINARIES: &[&str] = &[
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
];

/// The version that `LIVE_KUBERNETES` asks for.
pub fn asked() -> Option<String> {
    std::env::var("LIVE_KUBERNETES")
        .ok()
        .filter(|version| !version.is_empty())
}

/// The directory of the binaries of this version, or of the newest. Panics when they are missing,
/// and says how to build them.
pub fn find(version: Option<&str>) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane/build.sh");
    let dir = match std::env::var_os("KUBEBUILDER_ASSETS") {
        Some(dir) => PathBuf::from(dir),
        None => {
            let output = Command::new(&script).args(version).arg("--where").output();
            let output =
                output.unwrap_or_else(|error| panic!("cannot run {}: {error}", script.display()));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: {said}", script.display());
            PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
        }
    };
    let missing: Vec<_> = BINARIES
        .iter()
        .filter(|name| !dir.join(name).exists())
        .collect();
    let version = version.unwrap_or_default();
    assert!(
        missing.is_empty(),
        "\n\nNo control plane to test against: {missing:?} not in {}.\nBuild it with `just control-plane {version}` \
         (or {} {version}), which needs Go and takes some minutes,\nor set KUBEBUILDER_ASSETS to a directory that \
         holds {BINARIES:?}.\n\n",
        dir.display(),
        script.display(),
    );
    dir
}
