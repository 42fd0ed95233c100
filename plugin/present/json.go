// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"runtime"
	"slices"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// jsonChunk is how many groups are encoded at a time.
const jsonChunk = 128

// JSON prints an overview as the printers of kubectl do, some groups at a time: of ten thousand the text is
// as large as the objects, and would be in memory twice.
func JSON(w io.Writer, o overview.Overview) error {
	groups := o.Groups
	o.Groups = nil
	text, err := json.MarshalIndent(o, "", "    ")
	if err != nil {
		return err
	}
	head, ok := bytes.CutSuffix(text, []byte("null\n}"))
	if !ok {
		return errors.New("the groups are not the last field of an overview")
	}
	if _, err := w.Write(append(head, '[')); err != nil {
		return err
	}
	between := []byte("\n        ")
	for texts := range encoded(slices.Chunk(groups, jsonChunk), "        ") {
		for _, text := range texts.of {
			if _, err := w.Write(append(between, text...)); err != nil {
				return err
			}
			between = []byte(",\n        ")
		}
		if texts.err != nil {
			return texts.err
		}
	}
	end := "\n    ]\n}\n"
	if len(groups) == 0 {
		end = "]\n}\n"
	}
	_, err = io.WriteString(w, end)
	return err
}

// encodedGroups are the texts of one chunk.
type encodedGroups struct {
	of  [][]byte
	err error
}

// encoded encodes chunks beside each other, and yields their texts in order.
func encoded(chunks iter.Seq[[]overview.Group], indent string) iter.Seq[encodedGroups] {
	return func(yield func(encodedGroups) bool) {
		ahead, done := make(chan chan encodedGroups, runtime.GOMAXPROCS(0)), make(chan struct{})
		defer close(done)
		go func() {
			defer close(ahead)
			for chunk := range chunks {
				texts := make(chan encodedGroups, 1)
				select {
				case ahead <- texts:
				case <-done:
					return
				}
				go func() { texts <- encode(chunk, indent) }()
			}
		}()
		for texts := range ahead {
			if !yield(<-texts) {
				return
			}
		}
	}
}

func encode(groups []overview.Group, indent string) encodedGroups {
	var out encodedGroups
	for i := range groups {
		text, err := json.Marshal(&groups[i])
		if err != nil {
			out.err = err
			return out
		}
		out.of = append(out.of, indented(text, indent))
	}
	return out
}

// indented returns json.Indent with four spaces, of what json.Marshal wrote, whose syntax need not be checked again: with that
// the layout would take as long as the text.
func indented(text []byte, prefix string) []byte {
	out := make([]byte, 0, 3*len(text))
	line := []byte("\n" + prefix) // with four spaces for each level
	newLine := func() { out = append(out, line...) }
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			end := i + 1
			for ; text[end] != '"'; end++ {
				if text[end] == '\\' {
					end++
				}
			}
			out = append(out, text[i:end+1]...)
			i = end
		case '{', '[':
			out = append(out, c)
			if closing := text[i+1]; closing == '}' || closing == ']' { // empty
				out = append(out, closing)
				i++
				continue
			}
			line = append(line, "    "...)
			newLine()
		case '}', ']':
			line = line[:len(line)-4]
			newLine()
			out = append(out, c)
		case ',':
			out = append(out, c)
			newLine()
		case ':':
			out = append(out, ": "...)
		default:
			out = append(out, c)
		}
	}
	return out
}
