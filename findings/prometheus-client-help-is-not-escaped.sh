#!/usr/bin/env bash
# prometheus-client 0.25.2 (Rust): help texts are written as they are.
#
# Expected: OpenMetrics 1.0 and the Prometheus text format ask for `\\`, `\n` (and in OpenMetrics `\"`)
#   in HELP, because HELP is one line.
# Seen: encode_text writes a line feed and a backslash of a help text unescaped, so that the second line of the help
#   text becomes a line of the exposition that is neither a comment nor a sample.
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
prometheus-client = "=0.25.2"
TOML
cat >src/main.rs <<'RUST'
use prometheus_client::{encoding::text::encode, metrics::counter::Counter, registry::Registry};

fn main() {
    let mut registry = Registry::default();
    let counter: Counter = Counter::default();
    registry.register("paths", "A path such as C:\\temp\nand a second line", counter.clone());
    counter.inc();
    let mut text = String::new();
    encode(&mut text, &registry).expect("it is written");
    print!("{text}");
}
RUST
cargo run --quiet >out.txt
cat out.txt
if grep -qF '# HELP paths A path such as C:\temp' out.txt && grep -q '^and a second line' out.txt; then
  echo "still so: the help text is not escaped"
  exit 0
fi
echo "changed: the help text is escaped, or left out"
exit 1
