#!/usr/bin/env bash
# granit-parser 2.1.0 (Rust) beside libyaml (PyYAML 6.0.2 with its C loader).
#
# Expected: both read a quoted scalar of a block mapping whose second line begins at the column of its key. libyaml does,
#   and so do kubectl and Helm, whose parsers descend from it; published manifests have such lines.
# Seen: granit-parser stops with an error on the continued line.
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
printf 'metadata:\n  annotations:\n    note: "one\n    two"\n' >input.yaml
python3 -m venv venv
venv/bin/pip install --quiet 'pyyaml==6.0.2'
venv/bin/python - <<'PY' | tee libyaml.txt
import yaml
print("libyaml reads", yaml.load(open("input.yaml"), Loader=yaml.CSafeLoader))
PY
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
granit-parser = "=2.1.0"
TOML
cat >src/main.rs <<'RUST'
fn main() {
    let text = std::fs::read_to_string("input.yaml").expect("the input");
    let mut parser = granit_parser::Parser::new_from_str(&text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, _)) => println!("{event:?}"),
            Err(why) => return println!("granit-parser refuses it: {why}"),
        }
    }
    println!("granit-parser reads it");
}
RUST
cargo run --quiet | tee granit.txt
if grep -q "'one two'" libyaml.txt && grep -q '^granit-parser refuses it' granit.txt; then
  echo "still so: libyaml reads it, granit-parser does not"
  exit 0
fi
echo "changed"
exit 1
