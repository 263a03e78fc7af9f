#!/usr/bin/env bash
# sigs.k8s.io/yaml 1.6.0 (Go), which kubectl, Helm and client-go read manifests with.
#
# Expected: a mapping whose first key is indented and whose later keys are not is an error, as it is for PyYAML 6.0.2
#   ("expected '<document start>', but found '<block mapping start>'").
# Seen: YAMLToJSON returns the first part and no error; the keys that follow are gone. An object whose `spec` was cut off
#   looks complete.
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
printf ' apiVersion: v1\n kind: ConfigMap\nmetadata:\n  name: words\ndata:\n  a: b\n' >input.yaml
cat >go.mod <<'MOD'
module finding

go 1.24

require sigs.k8s.io/yaml v1.6.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	text, err := os.ReadFile("input.yaml")
	if err != nil {
		panic(err)
	}
	object, err := yaml.YAMLToJSON(text)
	fmt.Printf("sigs.k8s.io/yaml: %s, error: %v\n", object, err)
}
GO
go mod tidy >/dev/null 2>&1
go run . | tee go.txt
python3 -m venv venv
venv/bin/pip install --quiet 'pyyaml==6.0.2'
venv/bin/python - <<'PY' | tee python.txt
import yaml
try:
    print("PyYAML:", yaml.safe_load(open("input.yaml")))
except yaml.YAMLError as why:
    print("PyYAML: error:", why.problem)
PY
if grep -qF '{"apiVersion":"v1","kind":"ConfigMap"}, error: <nil>' go.txt && grep -q '^PyYAML: error' python.txt; then
  echo "still so: half an object and no error"
  exit 0
fi
echo "changed"
exit 1
