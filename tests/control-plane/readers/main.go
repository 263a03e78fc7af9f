// Asks what kubectl, Helm and Flux say of DaemonSets, and prints it: a line a state, tab-separated, by the state's name.
//
//	readers ../../data/readers/states.yaml
//
// Each reader is the tool's own code, from its Go module, against a server that has the states and answers as an API
// server does. Those that wait are given some seconds: a state does not change, so who has no answer by then waits.
// run.sh builds and runs this and argo/.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// How long a reader may wait for something that does not come.
const patience = 20 * time.Second

// A reader says one word of a DaemonSet, which the server has.
type reader struct {
	name string
	ask  func(daemonSet *unstructured.Unstructured) (string, error)
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: readers STATES")
	}
	states, err := read(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	server := serve(states)
	defer server.Close()
	readers, err := all(server.URL)
	if err != nil {
		log.Fatal(err)
	}

	// All at once, because most of the time is spent by those that wait.
	words := make([][]string, len(states))
	failures := make([]error, len(states)*len(readers))
	var asked sync.WaitGroup
	for s, state := range states {
		words[s] = make([]string, len(readers))
		for r, reader := range readers {
			asked.Go(func() {
				word, err := reader.ask(state.DeepCopy())
				if err != nil {
					failures[s*len(readers)+r] = fmt.Errorf("%s, %s: %w", state.GetName(), reader.name, err)
				}
				words[s][r] = word
			})
		}
	}
	asked.Wait()
	if err := errors.Join(failures...); err != nil {
		log.Fatal(err)
	}

	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprint(out, "state")
	for _, reader := range readers {
		fmt.Fprint(out, "\t", reader.name)
	}
	fmt.Fprintln(out)
	for s, state := range states {
		fmt.Fprintln(out, strings.Join(append([]string{state.GetName()}, words[s]...), "\t"))
	}
}

func read(path string) ([]*unstructured.Unstructured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var states []*unstructured.Unstructured
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if err == io.EOF {
			return states, nil
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
		state := &unstructured.Unstructured{}
		if err := state.UnmarshalJSON(asJSON); err != nil {
			return nil, err
		}
		// What every stored object has.
		state.SetUID("0")
		state.SetResourceVersion("1")
		states = append(states, state)
	}
}
