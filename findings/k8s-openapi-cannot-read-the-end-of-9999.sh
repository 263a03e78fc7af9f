#!/usr/bin/env bash
# k8s-openapi 0.29.0 with jiff 0.2 (Rust) beside k8s.io/apimachinery v0.37.1 (Go).
#
# Expected: both read an object with a time that the API server stores. 9999-12-31T23:59:59Z is such a time: RFC 5280
#   (4.1.2.5) has it for certificates without an end, so it is in the status of objects that tell of certificates.
# Seen: k8s-openapi cannot decode the whole object, in a list not the whole list: its Time is a jiff::Timestamp, which ends at
#   9999-12-30T22:00:00Z. Go reads and writes it as it is.
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >input.json <<'JSON'
{"type":"Ready","status":"True","reason":"Issued","message":"","lastTransitionTime":"9999-12-31T23:59:59Z"}
JSON
mkdir go rust rust/src
cat >go/main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func main() {
	text, err := os.ReadFile("../input.json")
	if err != nil {
		panic(err)
	}
	var condition metav1.Condition
	if err := json.Unmarshal(text, &condition); err != nil {
		fmt.Println("apimachinery refuses it:", err)
		return
	}
	back, err := json.Marshal(condition.LastTransitionTime)
	fmt.Println("apimachinery reads and writes", string(back), err)
}
GO
(cd go && go mod init finding && go get k8s.io/apimachinery@v0.37.1 && go mod tidy) >/dev/null 2>&1
(cd go && go run .) | tee go.txt
cat >rust/Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"
[dependencies]
k8s-openapi = { version = "=0.29.0", features = ["v1_37"] }
serde_json = "1"
TOML
cat >rust/src/main.rs <<'RUST'
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

fn main() {
    let text = std::fs::read_to_string("../input.json").expect("the input");
    match serde_json::from_str::<Condition>(&text) {
        Ok(condition) => println!("k8s-openapi reads {:?}", condition.last_transition_time),
        Err(why) => println!("k8s-openapi refuses it: {why}"),
    }
}
RUST
(cd rust && cargo run --quiet) | tee rust.txt
if grep -q '^apimachinery reads and writes "9999-12-31T23:59:59Z"' go.txt && grep -q '^k8s-openapi refuses it' rust.txt; then
  echo "still so: Go reads it, k8s-openapi does not"
  exit 0
fi
echo "changed"
exit 1
