//! The `daemonset-controller-search` binary; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    daemonset_controller_search::args::main()
}
