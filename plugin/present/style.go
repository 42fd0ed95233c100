// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package present draws an overview as text. It is pure: what it draws is all in the overview.
package present

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// Style is what a terminal can show.
type Style struct {
	Color   bool
	Unicode bool
	// Width in columns; 0 means not limited.
	Width int
}

// ColorMode is the value of --color.
type ColorMode string

// StyleFor decides what to show from the mode, the environment and whether out is a terminal.
func StyleFor(mode string, env func(string) string, terminal bool, width int) (Style, error) {
	s := Style{Width: width}
	switch mode {
	case "always":
		s.Color = true
	case "never":
	case "auto", "":
		s.Color = terminal && env("NO_COLOR") == "" && env("TERM") != "dumb" || env("CLICOLOR_FORCE") != "" && env("CLICOLOR_FORCE") != "0" && env("NO_COLOR") == ""
	default:
		return s, fmt.Errorf("--color must be auto, always or never, not %q", mode)
	}
	locale := env("LC_ALL")
	if locale == "" {
		locale = env("LC_CTYPE")
	}
	if locale == "" {
		locale = env("LANG")
	}
	locale = strings.ToLower(locale)
	s.Unicode = strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
	return s, nil
}

// paint is an ANSI foreground colour that is readable on light and dark grounds.
type paint string

const (
	green  paint = "32"
	yellow paint = "33"
	red    paint = "31"
	blue   paint = "34"
	grey   paint = "90"
	bold   paint = "1"
)

func (s Style) paint(p paint, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + string(p) + "m" + text + "\x1b[0m"
}

// Strong and Warn make text stand out, where there are colours.
func (s Style) Strong(text string) string { return s.paint(bold, text) }

// Warn returns for what is wrong.
func (s Style) Warn(text string) string { return s.level(overview.Problem, text) }

// Verdict returns a text with the sign and colour of a level.
func (s Style) Verdict(l overview.Level, text string) string { return s.level(l, s.icon(l)+" "+text) }

// Sign returns the sign of a level, in its colour.
func (s Style) Sign(l overview.Level) string { return s.level(l, s.icon(l)) }

// Count returns how many groups have a verdict, as their rows show it.
func (s Style) Count(c overview.Count) string {
	text := fmt.Sprintf("%s %d %s", s.Icon(c.Verdict), c.Groups, c.Word())
	if c.Impact == overview.Unmeasured {
		return s.paint(blue, text)
	}
	return s.level(c.Level, text)
}

func (s Style) icon(l overview.Level) string {
	ascii, unicode := "", ""
	switch l {
	case overview.OK:
		ascii, unicode = "+", "✔"
	case overview.Warning:
		ascii, unicode = "!", "▲"
	case overview.Problem:
		ascii, unicode = "x", "✖"
	}
	if s.Unicode {
		return unicode
	}
	return ascii
}

func (s Style) level(l overview.Level, text string) string {
	switch l {
	case overview.OK:
		return s.paint(green, text)
	case overview.Warning:
		return s.paint(yellow, text)
	case overview.Problem:
		return s.paint(red, text)
	default:
		return text
	}
}

// Icon returns the sign of a verdict. What a backend never measures is no warning: it would be there for ever.
func (s Style) Icon(v overview.Verdict) string {
	switch {
	case v.Impact != overview.Unmeasured:
		return s.icon(v.Level)
	case s.Unicode:
		return "◌"
	default:
		return "o"
	}
}

// twoWords is how wide a table must be for the whole health of a group.
const twoWords = 100

// health returns a verdict for a table.
func (s Style) health(v overview.Verdict) string {
	if s.Width > 0 && s.Width < twoWords {
		return s.judged(v, v.Word())
	}
	return s.verdict(v)
}

func (s Style) verdict(v overview.Verdict) string { return s.judged(v, v.Health()) }

// judged puts the sign and the colour of a verdict to its words.
func (s Style) judged(v overview.Verdict, words string) string {
	text := s.Icon(v) + " " + words
	if v.Impact == overview.Unmeasured {
		return s.paint(blue, text)
	}
	return s.level(v.Level, text)
}

// columns returns how many of them a text takes on a terminal, without its colours.
func columns(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return ansi.StringWidth(text)
		}
	}
	return len(text) // nearly all texts are plain, and there are many
}

// shorten cuts the middle out of a text that is wider than the limit.
func (s Style) shorten(text string, limit int) string {
	width := columns(text)
	if limit <= 0 || width <= limit {
		return text
	}
	mark := "..."
	if s.Unicode {
		mark = "…"
	}
	room := limit - columns(mark)
	if room < 2 {
		return ansi.Truncate(text, limit, "")
	}
	head := (room + 1) / 2
	start := ansi.Truncate(text, head, "") + mark
	cut := width - (room - head)
	short := start + ansi.TruncateLeft(text, cut, "")
	for columns(short) > limit && cut < 2*width { // a wide character was in the way
		cut++
		short = start + ansi.TruncateLeft(text, cut, "")
	}
	return short
}

// table is rows of cells that may be coloured; widths are those of what is seen.
type table struct {
	style  Style
	indent string
	head   []string
	rows   [][]string
	// drop are the columns that go, in this order, when the table is too wide; whole are those that
	// are never shortened.
	drop, whole []string
	// left are the columns that are left out, one after the other.
	left []int
	// hang has the last column continue on more lines where it does not fit.
	hang bool
}

func (t table) write(w io.Writer) error {
	t, widths := t.narrow(t.widths())
	return t.print(w, widths, true)
}

// print draws the rows with columns of those widths, and the names of the columns before them.
func (t table) print(w io.Writer, widths []int, head bool) error {
	var b strings.Builder
	cells := make([]string, len(widths))
	if head {
		for i, name := range t.head {
			cells[i] = t.style.paint(bold, t.style.shorten(name, widths[i]))
		}
		b.WriteString(t.line(cells, widths))
		b.WriteByte('\n')
	}
	for _, row := range t.rows {
		for i, cell := range row {
			cells[i] = t.style.shorten(cell, widths[i])
		}
		text := t.line(cells, widths)
		if last := len(row) - 1; t.hang && row[last] != cells[last] && widths[last] >= leastHang {
			lead := strings.TrimSuffix(t.line(append(slices.Clone(cells[:last]), "|"), widths), "|")
			if hung := t.style.Hang(lead, t.style.shorten(row[last], mostHang*widths[last])); t.style.holds(hung) {
				text = hung
			}
		}
		b.WriteString(text)
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// A last column continues on more lines when it is at least that wide, on about so many.
const leastHang, mostHang = 24, 5

// holds reports whether no line of a text is wider than the style: one long word cannot be broken.
func (s Style) holds(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if columns(line) > s.Width {
			return false
		}
	}
	return true
}

// line puts cells that fit side by side.
func (t table) line(cells []string, widths []int) string {
	var b strings.Builder
	b.WriteString(t.indent)
	for i, cell := range cells {
		b.WriteString(cell)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-columns(cell)+2))
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// widths returns those that the cells ask for.
func (t table) widths() []int {
	widths := make([]int, len(t.head))
	widen(widths, t.head)
	for _, row := range t.rows {
		widen(widths, row)
	}
	return widths
}

// widen makes room for the cells of a row.
func widen(widths []int, row []string) {
	for i, cell := range row {
		widths[i] = max(widths[i], columns(cell))
	}
}

func (t table) total(widths []int) int {
	total := len(t.indent) + 2*(len(widths)-1)
	for _, w := range widths {
		total += w
	}
	return total
}

// narrow leaves out what can be spared, and shortens what cannot, until the table fits. It returns the widths of
// the columns that are left, of those that the cells ask for.
func (t table) narrow(widths []int) (table, []int) {
	for _, name := range t.drop {
		if t.style.Width == 0 || t.total(widths) <= t.style.Width {
			break
		}
		i := lastIndex(t.head, name)
		if i < 0 {
			continue
		}
		left := append(slices.Clone(t.left), i)
		t, widths = t.without([]int{i}), without(widths, []int{i})
		t.left = left
	}
	t.fit(widths)
	return t, widths
}

// without leaves out columns, one after the other.
func (t table) without(left []int) table {
	if len(left) == 0 {
		return t
	}
	rows := make([][]string, len(t.rows))
	for n, row := range t.rows {
		rows[n] = without(row, left)
	}
	t.head, t.rows = without(t.head, left), rows
	return t
}

// filled leaves out those of the columns that no row fills.
func (t table) filled(names ...string) table {
	for _, name := range names {
		i := lastIndex(t.head, name)
		if !slices.ContainsFunc(t.rows, func(row []string) bool { return row[i] != "" }) {
			t = t.without([]int{i})
		}
	}
	return t
}

func without[T any](row []T, left []int) []T {
	row = slices.Clone(row)
	for _, i := range left {
		row = slices.Delete(row, i, i+1)
	}
	return row
}

// lastIndex finds a column of ours: one that is a site of the same name comes before it.
func lastIndex(head []string, name string) int {
	for i, h := range slices.Backward(head) {
		if h == name {
			return i
		}
	}
	return -1
}

// fit takes from the widest column until the table fits. Columns stay wide enough to be told apart.
func (t table) fit(widths []int) {
	const least = 8
	whole := map[int]bool{}
	for _, name := range t.whole {
		whole[lastIndex(t.head, name)] = true
	}
	for t.style.Width > 0 && t.total(widths) > t.style.Width {
		widest := -1
		for i, w := range widths {
			if w > least && !whole[i] && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// unbroken stands for a hyphen while text is broken into lines; no text has it.
const unbroken = "\uE000"

// wrap breaks text into lines of the style's width behind an indent.
func (s Style) wrap(indent, text string) string {
	if s.Width == 0 || s.Width <= len(indent)+20 {
		return indent + text
	}
	// Only spaces divide: a name, a time or a flag that is broken at its hyphen cannot be read, or pasted.
	wrapped := ansi.Wordwrap(strings.ReplaceAll(text, "-", unbroken), s.Width-len(indent), "")
	return indent + strings.ReplaceAll(strings.ReplaceAll(wrapped, unbroken, "-"), "\n", "\n"+indent)
}

// Hang breaks text into lines of the style's width; those after the first one are indented as far as
// the text begins.
func (s Style) Hang(lead, text string) string {
	indent := strings.Repeat(" ", columns(lead))
	return lead + strings.TrimPrefix(s.wrap(indent, text), indent)
}

// Rows draws a plain table of texts, wherever they come from.
func Rows(w io.Writer, s Style, head []string, rows [][]string) error {
	t := table{style: s, head: head}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i := range row {
			cells[i] = Clean(row[i])
		}
		t.rows = append(t.rows, cells)
	}
	return t.write(w)
}
