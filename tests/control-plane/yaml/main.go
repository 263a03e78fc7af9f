// Answers the texts of tests/data/yaml/corpus.jsonl.gz as kubectl converts them. Each line of standard input is a
// case with a text; what else it has is answered anew. So the file is its own input:
//
//	gunzip -c ../data/yaml/corpus.jsonl.gz | go run ./yaml | gzip -9n > answered && mv answered ../data/yaml/corpus.jsonl.gz
//
// With arguments it makes the texts: the hand-written ones of hard.txt, and as many as the second argument says by
// changing pieces of the files at random, with the first argument as seed:
//
//	go run ./yaml 12 8000 yaml/odd.yaml yaml/odd.yaml yaml/odd.yaml ../../examples/*.yaml ../../deploy/*.yaml \
//	  ../data/cases/*.yaml | go run ./yaml | gzip -9n > ../data/yaml/corpus.jsonl.gz
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"

	"sigs.k8s.io/yaml"
)

type answered struct {
	Text  string          `json:"text"`
	JSON  json.RawMessage `json:"json,omitempty"`
	Error string          `json:"error,omitempty"`
}

// How often a text is converted: where keys are equal only as JSON (1 and "1"), chance decides which one counts.
const times = 6

func convert(text string) (converted []byte, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	return yaml.YAMLToJSON([]byte(text))
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	write := func(c answered) {
		if err := out.Encode(c); err != nil {
			log.Fatal(err)
		}
	}
	if len(os.Args) > 3 {
		seed, err := strconv.ParseUint(os.Args[1], 10, 64)
		if err != nil {
			log.Fatal(err)
		}
		count, err := strconv.Atoi(os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		for _, text := range texts(seed, count, os.Args[3:]) {
			write(answered{Text: text})
		}
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c answered
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			log.Fatalf("%s: %v", lines.Text(), err)
		}
		result, err := convert(c.Text)
		c.JSON, c.Error = result, ""
		if err != nil {
			c.JSON, c.Error = nil, err.Error()
		}
		varies := false
		for range times {
			again, _ := convert(c.Text)
			varies = varies || string(again) != string(result)
		}
		if !varies {
			write(c)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
