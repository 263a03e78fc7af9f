// Asks what Argo CD says of DaemonSets, by its own check and by the one in deploy/argo-cd, and prints it as ../main.go does.
//
//	argo ../../../data/readers/states.yaml ../../../../deploy/argo-cd/argocd-cm.yaml
//
// Before that it holds the two checks against each other: without conditions of ours they agree, in words too, over all
// small counts, generations and strategies; and what ours says besides is the message of a condition.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	argo "github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: argo STATES CONFIG_MAP")
	}
	states, err := documents(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	patches, err := documents(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	script, found, err := unstructured.NestedString(patches[0].Object, "data", "resource.customizations.health.apps_DaemonSet")
	if err != nil || !found {
		log.Fatalf("%s has no check: %v", os.Args[2], err)
	}
	ours := lua.ResourceHealthOverrides{"apps/DaemonSet": argo.ResourceOverride{HealthLua: script}}

	if err := theyAgree(ours); err != nil {
		log.Fatal(err)
	}
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(out, "state\tArgo CD\tArgo CD, our check")
	for _, state := range states {
		own, with, err := both(state, ours)
		if err != nil {
			log.Fatalf("%s: %v", state.GetName(), err)
		}
		if (*with != *own || isJudged(state) && with.Status != health.HealthStatusHealthy) && !isOfACondition(state, with.Message) {
			log.Fatalf("%s: no condition says %q", state.GetName(), with.Message)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", state.GetName(), own.Status, with.Status)
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

func both(state *unstructured.Unstructured, ours health.HealthOverride) (own, with *health.HealthStatus, err error) {
	if own, err = health.GetResourceHealth(state, nil); err != nil {
		return nil, nil, err
	}
	with, err = health.GetResourceHealth(state, ours)
	return own, with, err
}

// isJudged says whether there are conditions, and of this generation.
func isJudged(state *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(state.Object, "status", "conditions")
	observed, _, _ := unstructured.NestedInt64(state.Object, "status", "observedGeneration")
	return len(conditions) > 0 && observed >= state.GetGeneration()
}

func isOfACondition(state *unstructured.Unstructured, message string) bool {
	conditions, _, _ := unstructured.NestedSlice(state.Object, "status", "conditions")
	for _, condition := range conditions {
		if condition.(map[string]any)["message"] == message {
			return true
		}
	}
	return false
}

// theyAgree makes DaemonSets without conditions of ours and compares the answers.
func theyAgree(ours health.HealthOverride) error {
	made := 0
	for state := range withoutOurs() {
		own, with, err := both(state, ours)
		if err != nil {
			return fmt.Errorf("%v: %w", state.Object, err)
		}
		if *own != *with {
			return fmt.Errorf("%v: Argo CD says %v, our check %v", state.Object, *own, *with)
		}
		made++
	}
	if made < 10_000 {
		return fmt.Errorf("only %d states were made", made)
	}
	return nil
}

func withoutOurs() func(yield func(*unstructured.Unstructured) bool) {
	counts := []any{nil, int64(0), int64(1), int64(65000)}
	generations := []any{nil, int64(0), int64(1), int64(2)}
	strategies := []any{nil, map[string]any{}, map[string]any{"type": "RollingUpdate"}, map[string]any{"type": "OnDelete"}}
	foreign := []any{
		nil,
		[]any{},
		[]any{map[string]any{"type": "Ready", "status": "False", "reason": "Rolling", "message": "no"}},
		[]any{
			map[string]any{"type": "Progressing", "status": "False", "reason": "Audited", "message": "no"},
			map[string]any{"type": "Progressing", "status": "Unknown", "reason": "Complete", "message": "no"},
			map[string]any{"type": "Available", "status": "False", "reason": "Audited", "message": "no"},
			map[string]any{"type": "Available", "status": "True", "reason": "PodsUnavailable", "message": "no"},
		},
		[]any{
			map[string]any{"type": "Stalled", "status": "False", "message": "no"},
			map[string]any{"type": "Reconciling", "status": "Unknown", "message": "no"},
			map[string]any{"type": "Progressing", "status": "True"},
		},
	}
	return func(yield func(*unstructured.Unstructured) bool) {
		for choice := range 4 * 4 * 4 * 4 * 4 * 4 * len(foreign) {
			pick := func(from []any) any {
				picked := from[choice%len(from)]
				choice /= len(from)
				return picked
			}
			state := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": map[string]any{"name": "agent"},
			}}
			set := func(value any, path ...string) {
				if value != nil {
					if err := unstructured.SetNestedField(state.Object, value, path...); err != nil {
						log.Fatal(err)
					}
				}
			}
			set(pick(generations), "metadata", "generation")
			set(pick(generations), "status", "observedGeneration")
			set(pick(counts), "status", "desiredNumberScheduled")
			set(pick(counts), "status", "updatedNumberScheduled")
			set(pick(counts), "status", "numberAvailable")
			set(pick(strategies), "spec", "updateStrategy")
			set(pick(foreign), "status", "conditions")
			if !yield(state) {
				return
			}
		}
	}
}

func documents(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var read []*unstructured.Unstructured
	from := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := from.Read()
		if err == io.EOF {
			return read, nil
		}
		if err != nil {
			return nil, err
		}
		asJSON, err := yaml.YAMLToJSON(document)
		if err != nil {
			return nil, err
		}
		if string(asJSON) == "null" { // comments only
			continue
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(asJSON); err != nil {
			return nil, err
		}
		read = append(read, object)
	}
}
