//! The `daemonset-controller` binary; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemonset_controller::cli::main()
}
