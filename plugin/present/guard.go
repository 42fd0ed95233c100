// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Clean makes text from the API safe to print beside colours of ours, and keeps it on one line.
func Clean(text string) string { return Visible(oneLine.Replace(text)) }

var oneLine = strings.NewReplacer("\n", " ", "\t", " ")

// Visible writes what is no text as JSON has it, so that JSON stays what it is. Lines stay lines.
func Visible(text string) string {
	if !strings.ContainsFunc(text, tricky) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !tricky(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// tricky are characters that control a terminal, hide, or turn text around.
func tricky(r rune) bool {
	if r < 0x7f {
		return r < ' ' && r != '\n' && r != '\t'
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point) || r == unicode.ReplacementChar
}

// ours are the sequences that this package and the screen draw with.
var ours = regexp.MustCompile(`\x1b\[(?:0|1|7|3[1-4]|90)m`)

// Screen makes visible whatever a screen of ours cannot have; with colours, ours stay.
func Screen(text string, colours bool) string {
	if !colours {
		return Visible(text)
	}
	var b strings.Builder
	end := 0
	for _, found := range ours.FindAllStringIndex(text, -1) {
		b.WriteString(Visible(text[end:found[0]]))
		b.WriteString(text[found[0]:found[1]])
		end = found[1]
	}
	b.WriteString(Visible(text[end:]))
	return b.String()
}

// Guard returns a writer that lets through only what Screen does. It is the last line of defence: a text that no code
// has cleaned may look odd, and does nothing.
func Guard(w io.Writer, colours func() bool) io.Writer { return guard{w, colours} }

type guard struct {
	to      io.Writer
	colours func() bool
}

// Write implements io.Writer. A sequence or character of which only a part comes is made visible.
func (g guard) Write(p []byte) (int, error) {
	if _, err := io.WriteString(g.to, Screen(string(p), g.colours())); err != nil {
		return 0, err
	}
	return len(p), nil
}
