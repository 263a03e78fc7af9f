// Answers the cases of tests/data/strategic-merge.jsonl as the API server does. Each line of standard input is a
// case: name, kind, original and patch; what else it has is answered anew. So the file is its own input:
//
//	go run ./strategic-merge < ../data/strategic-merge.jsonl > answered && mv answered ../data/strategic-merge.jsonl
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"

	apps "k8s.io/api/apps/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

type answered struct {
	Name     string          `json:"name"`
	Kind     string          `json:"kind"`
	Original json.RawMessage `json:"original"`
	Patch    json.RawMessage `json:"patch"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    string          `json:"error,omitempty"`
}

var types = map[string]any{
	"Pod":                core.Pod{},
	"Node":               core.Node{},
	"Namespace":          core.Namespace{},
	"Event":              core.Event{},
	"DaemonSet":          apps.DaemonSet{},
	"ControllerRevision": apps.ControllerRevision{},
	"Lease":              coordination.Lease{},
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c answered
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			log.Fatalf("%s: %v", lines.Text(), err)
		}
		object, known := types[c.Kind]
		if !known {
			log.Fatalf("%s: unknown kind %q", c.Name, c.Kind)
		}
		result, err := strategicpatch.StrategicMergePatch(c.Original, c.Patch, object)
		c.Result, c.Error = result, ""
		if err != nil {
			c.Result, c.Error = nil, err.Error()
		}
		if err := out.Encode(c); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
