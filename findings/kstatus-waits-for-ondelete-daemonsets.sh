#!/usr/bin/env bash
# github.com/fluxcd/cli-utils 1.3.0 (Go): kstatus, by which Flux's health checks and Helm 4's --wait judge objects.
#
# Expected: an object with updateStrategy OnDelete is not waited for, because nothing rolls out by itself: so kstatus has it for
#   a StatefulSet, and Helm 3.22.0's --wait (pkg/kube) has it for a DaemonSet.
# Seen: such a DaemonSet with old pods is InProgress until somebody has deleted them all, so `helm upgrade --wait` of Helm 4,
#   and a Flux Kustomization with `wait: true`, end by their timeout. The StatefulSet beside it is Current.
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding

go 1.26.0

require github.com/fluxcd/cli-utils v1.3.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Two of five pods are updated, all are ready, and the change was observed.
const daemonSet = `{"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent", "generation": 2},
 "spec": {"updateStrategy": {"type": "OnDelete"}},
 "status": {"observedGeneration": 2, "desiredNumberScheduled": 5, "currentNumberScheduled": 5, "updatedNumberScheduled": 2,
  "numberAvailable": 5, "numberReady": 5}}`
const statefulSet = `{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "store", "generation": 2},
 "spec": {"replicas": 5, "updateStrategy": {"type": "OnDelete"}},
 "status": {"observedGeneration": 2, "replicas": 5, "currentReplicas": 3, "updatedReplicas": 2, "readyReplicas": 5}}`

func main() {
	for _, text := range []string{daemonSet, statefulSet} {
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON([]byte(text)); err != nil {
			panic(err)
		}
		result, err := status.Compute(object)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: %s (%s)\n", object.GetKind(), result.Status, result.Message)
	}
}
GO
go mod tidy >/dev/null 2>&1
go run . | tee go.txt
if grep -q '^DaemonSet: InProgress' go.txt && grep -q '^StatefulSet: Current' go.txt; then
  echo "still so: kstatus waits for a DaemonSet with OnDelete, and not for a StatefulSet"
  exit 0
fi
echo "changed"
exit 1
