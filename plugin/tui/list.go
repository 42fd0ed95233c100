// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// id names a group on the screen, whatever row it is in.
type id struct{ namespace, name string }

func idOf(g *overview.Group) id { return id{g.Namespace, g.Name} }

// order is what the table is sorted by.
type order int

// Orders, in the sequence of the key s.
const (
	byHealth order = iota
	byName
	byLag
	orders
)

func (o order) String() string { return []string{"health", "name", "lag"}[o] }

// list is the table of groups: what of the overview is shown, in which order, and where one is.
type list struct {
	style         present.Style
	namespaces    bool
	width, height int
	given         int // the width that there was room for

	all     overview.Overview
	shown   overview.Overview // filtered and sorted
	table   *present.Groups
	filter  string
	bad     error // why the filter is not what it should be, as long as it is typed
	faults  bool
	order   order
	reverse bool

	cursor id
	chosen bool // by a key
	row    int  // of the cursor, when it was last seen
	top    int  // the first row on the screen
	marks  map[id]bool
	// flashes mark what has changed a moment ago.
	flashes flashes
}

// setSize takes the room that the table has.
func (l *list) setSize(width, height int) {
	again := width != l.given
	l.style.Width, l.given, l.width, l.height = max(width-gutter, 1), width, width, height
	if again { // the columns depend on the width alone
		l.layout()
	}
	l.moveTo(l.row)
}

// shrink gives up the room that the rows do not need, down to a least width.
func (l *list) shrink(least int) {
	l.width = min(l.width, max(l.table.Width()+gutter+1, least))
}

// show takes in a new overview. The cursor stays on its group; while sites were still being asked that was the first
// one only because the order of the worst is not known.
func (l *list) show(o overview.Overview) {
	if !l.chosen && l.asking() {
		l.cursor, l.row = id{}, 0
	}
	l.all = o
	l.flashes.add(o)
	l.refresh()
}

// refresh filters and sorts.
func (l *list) refresh() {
	match := l.matcher()
	l.shown = l.all
	l.shown.Groups = make([]overview.Group, 0, len(l.all.Groups))
	for i := range l.all.Groups {
		g := &l.all.Groups[i]
		if l.faults && g.Verdict.Level == overview.OK || !match(g) {
			continue
		}
		l.shown.Groups = append(l.shown.Groups, *g)
	}
	slices.SortStableFunc(l.shown.Groups, func(a, b overview.Group) int {
		c := compare(&a, &b, l.order)
		if l.reverse {
			c = -c
		}
		return cmp.Or(c, cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	l.layout()
}

// asking reports whether more groups may come from a site that is still being asked.
func (l *list) asking() bool {
	return slices.ContainsFunc(l.all.Sites, func(s overview.Site) bool { return s.Problem == overview.SiteAsking })
}

// selectorPrefix makes a filter a label selector.
const selectorPrefix = "-l "

// matcher returns what the filter stands for. One that is not whole yet, because it is being typed, is
// taken literally, or as no filter if it is a selector.
func (l *list) matcher() func(*overview.Group) bool {
	l.bad = nil
	if text, ok := strings.CutPrefix(l.filter, selectorPrefix); ok {
		var selector labels.Selector
		if selector, l.bad = labels.Parse(text); l.bad != nil {
			selector = labels.Everything()
		}
		return func(g *overview.Group) bool { return selector.Matches(labels.Set(g.Labels())) }
	}
	if l.filter == "" {
		return func(*overview.Group) bool { return true }
	}
	var match *regexp.Regexp
	if match, l.bad = regexp.Compile("(?i)" + l.filter); l.bad != nil {
		match = regexp.MustCompile("(?i)" + regexp.QuoteMeta(l.filter))
	}
	return func(g *overview.Group) bool { return match.MatchString(words(g)) }
}

// words returns the texts that a filter matches.
func words(g *overview.Group) string {
	text := []string{g.Namespace + "/" + g.Name, string(g.Verdict.Phase), string(g.Verdict.Impact), g.Verdict.Message, g.Backend, g.Class}
	for _, s := range g.Sites {
		text = append(text, string(s.State), s.Ready.Reason)
	}
	return strings.Join(text, "\n")
}

func compare(a, b *overview.Group, by order) int {
	switch by {
	case byHealth:
		return a.Verdict.Compare(b.Verdict)
	case byLag: // an unknown one is the worst
		lag := func(g *overview.Group) int64 {
			if g.LagSeconds == nil {
				return 1 << 62
			}
			return *g.LagSeconds
		}
		return cmp.Compare(lag(b), lag(a))
	default:
		return 0
	}
}

func (l *list) layout() {
	l.table = present.NewGroups(l.shown, l.style, l.namespaces)
	l.follow()
}

// follow finds the cursor's group, or what has come to its place.
func (l *list) follow() {
	n := len(l.shown.Groups)
	at := slices.IndexFunc(l.shown.Groups, func(g overview.Group) bool { return idOf(&g) == l.cursor })
	if at < 0 {
		at = min(l.row, n-1)
	}
	l.moveTo(at)
}

// moveTo puts the cursor on a row, and the row on the screen.
func (l *list) moveTo(row int) {
	n := len(l.shown.Groups)
	if n == 0 {
		l.top, l.row = 0, 0
		return
	}
	l.row = min(max(row, 0), n-1)
	l.cursor = idOf(&l.shown.Groups[l.row])
	rows := l.rows()
	l.top = min(l.top, l.row)
	l.top = max(l.top, l.row-rows+1)
	l.top = max(0, min(l.top, n-rows))
}

// rows returns how many groups fit below the head.
func (l *list) rows() int { return max(l.height-1, 1) }

// selected returns the group under the cursor; nil when there is none.
func (l *list) selected() *overview.Group {
	if l.row >= len(l.shown.Groups) {
		return nil
	}
	return &l.shown.Groups[l.row]
}

// targets returns the marked groups, or the one under the cursor.
func (l *list) targets() []overview.Group {
	var out []overview.Group
	for _, g := range l.all.Groups {
		if l.marks[idOf(&g)] {
			out = append(out, g)
		}
	}
	if g := l.selected(); len(out) == 0 && g != nil {
		out = append(out, *g)
	}
	return out
}

func (l *list) mark() {
	if l.selected() == nil {
		return
	}
	if l.marks[l.cursor] {
		delete(l.marks, l.cursor)
	} else {
		l.marks[l.cursor] = true
	}
	l.moveTo(l.row + 1)
}

// key moves and shows; false when the key is none of the list's.
func (l *list) key(k string) bool {
	switch k {
	case "up", "k":
		l.moveTo(l.row - 1)
	case "down", "j":
		l.moveTo(l.row + 1)
	case "pgup", "ctrl+b":
		l.moveTo(l.row - l.rows())
	case "pgdown", "ctrl+f":
		l.moveTo(l.row + l.rows())
	case "home", "g":
		l.moveTo(0)
	case "end", "G":
		l.moveTo(len(l.shown.Groups) - 1)
	case "space":
		l.mark()
	case "z":
		l.faults = !l.faults
		l.refresh()
	case "s":
		l.order = (l.order + 1) % orders
		l.refresh()
	case "S":
		l.reverse = !l.reverse
		l.refresh()
	default:
		return false
	}
	return true
}

// gutter is the room for the cursor and the mark.
const gutter = 2

// view draws the rows that are on the screen.
func (l *list) view() []string {
	lines := []string{"  " + l.table.Head()}
	for i := l.top; i < min(l.top+l.rows(), len(l.shown.Groups)); i++ {
		lines = append(lines, l.line(i))
	}
	return lines
}

// line draws a row with its signs: the cursor, and a mark or what has changed.
func (l *list) line(i int) string {
	group := idOf(&l.shown.Groups[i])
	sign := []byte("  ")
	line := l.table.Line(i)
	if change, ok := l.flashes.change(group, l.all.ObservedAt.Time); ok {
		sign[1] = '~'
		line = l.table.Changed(i, change)
	}
	if l.marks[group] {
		sign[1] = '*'
	}
	if i == l.row {
		sign[0] = '>'
		return reverse(string(sign)+selected.Replace(line), l.width)
	}
	return string(sign) + line
}

// remembered returns when this machine last saw a group on a site that does not answer; zero when that is not known.
func (l *list) remembered(site string) (last time.Time) {
	for i := range l.all.Groups {
		for _, s := range l.all.Groups[i].Sites {
			if s.Site == site && s.Remembered != nil && s.Remembered.SeenAt.After(last) {
				last = s.Remembered.SeenAt.Time
			}
		}
	}
	return last
}

// selected keeps the colours of a line that is in reverse video, where what has changed is not.
var selected = strings.NewReplacer("\x1b[0m", "\x1b[0m\x1b[7m", "\x1b[7m", "\x1b[0m")

// status says what is shown of how much, and how.
func (l *list) status() string {
	text := fmt.Sprintf("%d groups", len(l.all.Groups))
	if len(l.all.Groups) == 1 {
		text = "1 group"
	}
	if len(l.shown.Groups) != len(l.all.Groups) {
		text = fmt.Sprintf("%d of %d groups", len(l.shown.Groups), len(l.all.Groups))
	}
	if l.asking() {
		text += " so far"
	}
	if n := len(l.marks); n > 0 {
		text += fmt.Sprintf(", %d marked", n)
	}
	text += ", by " + l.order.String()
	if l.reverse {
		text += " (reversed)"
	}
	if l.faults {
		text += ", faults only"
	}
	if l.filter != "" {
		text += ", filter /" + present.Clean(l.filter)
	}
	return text
}

// reverse shows a line in reverse video over a width; that is no colour, and seen everywhere.
func reverse(text string, width int) string {
	text = ansi.Truncate(text, width, "")
	return "\x1b[7m" + text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text))) + "\x1b[0m"
}
