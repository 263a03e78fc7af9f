package main

import (
	_ "embed"
	"log"
	"math/rand/v2"
	"os"
	"strings"
	"unicode/utf8"
)

// Texts that are hard to read. They are separated by lines of equals signs, and these characters stand for others:
// ␤ CR, ␉ tab, ␅ NEL, ␨ LS, ␩ PS, ⍰ byte order mark, ␀ a control character, ␠ a space at the end of a line; ∅ at the
// end of a text takes its last line feed away.
//
//go:embed hard.txt
var hard string

var signs = strings.NewReplacer(
	"␤", "\r", "␉", "\t", "␅", "\u0085", "␨", "\u2028", "␩", "\u2029", "⍰", "\ufeff", "␀", "\x01", "␠", " ", "∅\n", "",
)

// What is put in at random.
var pieces = []string{
	" ", "  ", "    ", "\n", "\n\n", "\n  ", "\t", ":", ": ", "- ", "-", "? ", "'", "\"", "#", " #", ",", "[", "]", "{", "}",
	"|", ">", "|-\n", ">+\n", "|2", "&a ", "*a", "!!str ", "! ", "!<x> ", "%", "@", "`", "---\n", "...\n", "<<: ", "<<: *a",
	"\\", "\\n", "\\x41", "~", "null", "\r\n", "\r", "\u0085", "\u2028", "é", "\U0001f600", "a", "0", "key: ", "key: value\n",
	"''", "\"\"", "[]", "{}", "? a\n: b\n", "- - ",
}

// The hand-written texts, and as many others.
func texts(seed uint64, count int, files []string) []string {
	var texts []string
	for _, text := range strings.Split(hard, "=====\n") {
		texts = append(texts, signs.Replace(text))
	}
	var sources [][]string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		for _, document := range strings.Split(string(content), "\n---\n") {
			sources = append(sources, strings.SplitAfter(document, "\n"))
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for range count {
		texts = append(texts, changed(random, sources))
	}
	return texts
}

// Some lines that belong together, without the indentation of the first.
func piece(random *rand.Rand, lines []string) string {
	from := random.IntN(len(lines))
	indentation := lines[from][:len(lines[from])-len(strings.TrimLeft(lines[from], " "))]
	var text strings.Builder
	for _, line := range lines[from:min(len(lines), from+2+random.IntN(14))] {
		rest, belongs := strings.CutPrefix(line, indentation)
		if !belongs {
			break
		}
		text.WriteString(rest)
	}
	return text.String()
}

// Some lines of a file with one change or two.
func changed(random *rand.Rand, sources [][]string) string {
	text := []byte(piece(random, sources[random.IntN(len(sources))]))
	for range 1 + random.IntN(2) {
		at, end := random.IntN(len(text)+1), 0
		// Half of the changes are where the structure is: at the beginning or end of a line.
		if random.IntN(2) == 0 {
			if line := strings.LastIndexByte(string(text[:at]), '\n'); line >= 0 {
				at = line + random.IntN(2)
			}
		}
		piece := pieces[random.IntN(len(pieces))]
		switch random.IntN(4) {
		case 0: // deletes a few characters
			piece, end = "", min(len(text), at+1+random.IntN(4))
		case 1: // replaces some
			end = min(len(text), at+1+random.IntN(2))
		case 2: // doubles some
			piece, end = string(text[at:min(len(text), at+1+random.IntN(20))]), at
		default: // puts something in
			end = at
		}
		text = append(text[:at:at], append([]byte(piece), text[end:]...)...)
	}
	if !utf8.Valid(text) {
		return strings.ToValidUTF8(string(text), "é")
	}
	return string(text)
}
