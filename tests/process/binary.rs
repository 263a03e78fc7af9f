//! The binary, kept from what the tests' own environment says.

use std::{env, process::Command};

/// A command of the binary under this path, without our variables and those of the log.
pub fn of(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("DAEMONSET_CONTROLLER_") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG");
    command
}

/// A command of the binary that finds no cluster.
pub fn alone() -> Command {
    let mut command = of(env!("CARGO_BIN_EXE_daemonset-controller"));
    command.env("KUBECONFIG", "/nowhere/kubeconfig");
    command
}
