// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package report draws a report as a page of HTML, which needs no other file, or as Markdown. It asks no cluster.
package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"strings"
	texttemplate "text/template"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/report"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

//go:embed page.html
var pageText string

//go:embed page.md
var markdownText string

// page is what the templates draw.
type page struct {
	*report.Report
	// SHA256 is that of the JSON form.
	SHA256 string
	// Moves is how many operations there are.
	Moves int
}

// HTML draws a page that asks for no other file and runs nothing. text is the report as JSON.
func HTML(w io.Writer, r *report.Report, text []byte) error {
	parsed, err := template.New("page").Funcs(functions(present.Clean)).Parse(pageText)
	if err != nil {
		return err
	}
	return write(w, parsed.Execute, r, text)
}

// Markdown draws the same as text. What others wrote stays text: it makes no table, link or image.
func Markdown(w io.Writer, r *report.Report, text []byte) error {
	parsed, err := texttemplate.New("page").Funcs(functions(plain)).Parse(markdownText)
	if err != nil {
		return err
	}
	return write(w, parsed.Execute, r, text)
}

func write(w io.Writer, execute func(io.Writer, any) error, r *report.Report, text []byte) error {
	sum := sha256.Sum256(text)
	p := page{Report: r, SHA256: hex.EncodeToString(sum[:])}
	for _, g := range r.Groups {
		p.Moves += len(g.Operations)
	}
	var drawn bytes.Buffer
	if err := execute(&drawn, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, present.Visible(drawn.String()))
	return err
}

// functions are those of both templates; text makes what others wrote fit for one.
func functions(text func(string) string) map[string]any {
	return map[string]any{
		"text": func(v any) string { return text(fmt.Sprint(v)) },
		"icon": func(l overview.Level) string {
			return map[overview.Level]string{overview.OK: "✔", overview.Warning: "▲", overview.Problem: "✖"}[l]
		},
		"answer": func(a report.Answer) overview.Level {
			return map[report.Answer]overview.Level{report.Yes: overview.OK, report.No: overview.Problem}[a]
		},
		"time":    present.Stamp,
		"span":    present.Span,
		"seconds": duration,
		"join":    func(all []string) string { return text(strings.Join(all, "; ")) },
		"level": func(bad int) overview.Level {
			if bad > 0 {
				return overview.Problem
			}
			return overview.OK
		},
		"good": func(c report.Count, of int) overview.Level {
			if c.Count < of {
				return overview.Warning
			}
			return overview.OK
		},
		"late": func(g report.Group) overview.Level {
			if g.LagSeconds == nil || g.ScheduleSeconds == nil {
				return ""
			}
			return (&overview.Group{LagSeconds: g.LagSeconds, ScheduleSeconds: g.ScheduleSeconds}).Lateness()
		},
		"sub": func(a, b int) int { return a - b },
	}
}

// plain escapes what means something in Markdown.
func plain(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(present.Clean(s)), " ") {
		if strings.ContainsRune("\\`*_[]<>|#!~&", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func duration(seconds *float64) string {
	if seconds == nil {
		return "–"
	}
	return time.Duration(*seconds * float64(time.Second)).Round(100 * time.Millisecond).String()
}
