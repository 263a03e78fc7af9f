//! The `daemonset-controller` binary; everything is in the library.

fn main() {}
