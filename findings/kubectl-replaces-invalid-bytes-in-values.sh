#!/usr/bin/env bash
# k8s.io/cli-runtime 0.37.1 (Go): the resource builder by which kubectl reads files.
#
# Expected: a byte that is not UTF-8 in a value of a manifest (a file in Latin-1) is an error; YAML 1.2 and PyYAML 6.0.2 refuse it.
# Seen: the builder replaces it by U+FFFD without a word, so `café` is stored as `caf�`.
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata:\n  place: caf\xe9\n' >input.yaml
cat >go.mod <<'MOD'
module finding

go 1.24

require k8s.io/cli-runtime v0.37.1
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/resource"
)

func main() {
	result := resource.NewLocalBuilder().
		Unstructured().
		Local().
		FilenameParam(false, &resource.FilenameOptions{Filenames: []string{"input.yaml"}}).
		Do()
	infos, err := result.Infos()
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	object := infos[0].Object.(*unstructured.Unstructured)
	fmt.Printf("place: %q\n", object.Object["data"].(map[string]any)["place"])
}
GO
go mod tidy >/dev/null 2>&1
go run . | tee go.txt
if grep -qF 'place: "caf�"' go.txt; then
  echo "still so: the byte is replaced in silence"
  exit 0
fi
echo "changed"
exit 1
