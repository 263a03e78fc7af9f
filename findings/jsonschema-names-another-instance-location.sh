#!/usr/bin/env bash
# github.com/santhosh-tekuri/jsonschema/v6 6.0.3 (Go): the validator of Helm's values.schema.json.
#
# Expected: an error about a property name (`propertyNames`) has the location of its object, here /rules/0/set.
# Seen: of many validations of the same value some have another location, such as /first/inner/set: a path that the value does
#   not have, made of parts of both. The order in which the properties are looked at is Go's order of maps, and it decides. So
#   `helm template` (4.3.1) with such a chart names a wrong field now and then.
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding

go 1.25.0

require github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
MOD
cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schema = `{"type": "object", "properties": {
  "first": {"type": "object", "properties": {"inner": {"type": "integer"}}},
  "rules": {"type": "array", "items": {"type": "object", "properties": {
    "set": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}}}}}}}`
const value = `{"first": {"inner": 1}, "rules": [{"set": {"ABC": "x"}}]}`

func main() {
	read := func(text string) any {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			panic(err)
		}
		return value
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("values.json", read(schema)); err != nil {
		panic(err)
	}
	compiled, err := compiler.Compile("values.json")
	if err != nil {
		panic(err)
	}
	found := map[string]int{}
	for range 2000 {
		var invalid *jsonschema.ValidationError
		if !errors.As(compiled.Validate(read(value)), &invalid) {
			panic("it is valid")
		}
		for len(invalid.Causes) == 1 && len(invalid.InstanceLocation) == 0 {
			invalid = invalid.Causes[0]
		}
		found["/"+strings.Join(invalid.InstanceLocation, "/")]++
	}
	fmt.Println(found)
	if found["/rules/0/set"] == 2000 {
		os.Exit(1)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run .
