// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// Table draws one row per group, both sites in it.
func Table(w io.Writer, o overview.Overview, s Style, namespaces, wide bool) error {
	return NewRolling(w, s, namespaces, wide).Add(o)
}

// Rolling is a table of groups that come in batches. Its columns are as wide as the first batch needs, and grow
// when a later one needs more.
type Rolling struct {
	w                io.Writer
	style            Style
	namespaces, wide bool

	left   []int // columns that there is no room for
	widths []int // nil before the first batch
}

// NewRolling begins a table.
func NewRolling(w io.Writer, s Style, namespaces, wide bool) *Rolling {
	return &Rolling{w: w, style: s, namespaces: namespaces, wide: wide}
}

// Add draws the groups of an overview; an empty one is nothing.
func (r *Rolling) Add(o overview.Overview) error {
	if len(o.Groups) == 0 {
		return nil
	}
	t := groupTable(o, r.style, r.namespaces, r.wide)
	t.rows = make([][]string, 0, len(o.Groups))
	several := managers(o)
	for i := range o.Groups {
		t.rows = append(t.rows, groupRow(o, &o.Groups[i], r.style, r.namespaces, several, r.wide))
	}
	if r.widths == nil {
		t, r.widths = t.narrow(t.widths())
		r.left = t.left
		return t.print(r.w, r.widths, true)
	}
	t = t.without(r.left)
	for _, row := range t.rows {
		widen(r.widths, row)
	}
	t.fit(r.widths)
	return t.print(r.w, r.widths, false)
}

func groupTable(o overview.Overview, s Style, namespaces, wide bool) table {
	t := table{style: s, drop: []string{"BACKEND", "LAST SYNC", "PVCS"}, whole: []string{"HEALTH", "LAG"}}
	if namespaces {
		t.head = append(t.head, "NAMESPACE")
	}
	t.head = append(t.head, "GROUP")
	t.head = append(t.head, siteHeads(o.Sites)...)
	t.head = append(t.head, "PVCS", "LAST SYNC", "LAG", "BACKEND")
	if managers(o) {
		t.head = append(t.head, "MANAGED BY")
	}
	t.head = append(t.head, "HEALTH")
	if wide {
		t.head = append(t.head, "CLASS", "REHEARSED", "MESSAGE")
	}
	return t
}

// managers reports whether more than one tool manages the groups.
func managers(o overview.Overview) bool {
	for i := range o.Groups {
		if o.Groups[i].Managed() != o.Groups[0].Managed() {
			return true
		}
	}
	return false
}

// siteHeads returns the headings of the sites' columns, which are never the same.
func siteHeads(sites []overview.Site) []string {
	heads := make([]string, len(sites))
	for i, s := range sites {
		heads[i] = strings.ToUpper(Clean(s.Name))
	}
	if len(heads) == 2 && heads[0] == heads[1] {
		return []string{Clean(sites[0].Name), Clean(sites[1].Name)}
	}
	return heads
}

func groupRow(o overview.Overview, g *overview.Group, s Style, namespaces, several, wide bool) []string {
	row := make([]string, 0, 12)
	if namespaces {
		row = append(row, Clean(g.Namespace))
	}
	row = append(row, Clean(g.Name))
	for i, gs := range g.Sites {
		row = append(row, siteCell(s, o, i, gs))
	}
	row = append(row, volumeCount(g), lastSync(o, *g), s.lag(*g), cmp.Or(Clean(g.Backend), "-"))
	if several {
		row = append(row, Clean(g.Managed()))
	}
	row = append(row, s.health(g.Verdict))
	if wide {
		row = append(row, Clean(g.Class), Clean(rehearsed(o, g)), Clean(g.Verdict.Message))
	}
	return row
}

// Groups is a table of groups that is drawn row by row. Its columns are as wide as all rows need, so
// that nothing moves while one scrolls.
type Groups struct {
	t      table
	widths []int
	rows   map[int]string
	o      overview.Overview
	names  bool
	// several is true when more than one tool manages them.
	several bool
}

// NewGroups lays the table out. Rows are drawn when they are asked for.
func NewGroups(o overview.Overview, s Style, namespaces bool) *Groups {
	g := &Groups{t: groupTable(o, s, namespaces, false), o: o, names: namespaces, several: managers(o), rows: map[int]string{}}
	// Widths come from plain rows: colours are not seen.
	plain := s
	plain.Color = false
	widths := g.t.widths()
	for i := range o.Groups {
		widen(widths, groupRow(o, &o.Groups[i], plain, namespaces, g.several, false))
	}
	var narrow table
	narrow, g.widths = g.t.narrow(widths)
	g.t.left = narrow.left
	return g
}

// Head returns the line of column names.
func (g *Groups) Head() string {
	head := without(g.t.head, g.t.left)
	for i := range head {
		head[i] = g.t.style.paint(bold, g.t.style.shorten(head[i], g.widths[i]))
	}
	return g.t.line(head, g.widths)
}

// Width returns how many columns the rows take.
func (g *Groups) Width() int { return g.t.total(g.widths) }

// Change is what has changed of a group a moment ago.
type Change struct {
	Sites        []bool // one for each site
	PVCs, Health bool
}

// reversed returns a cell in reverse video.
func reversed(cell string) string { return "\x1b[7m" + ansi.Strip(cell) + "\x1b[0m" }

// Changed returns the row of one group with the cells that have changed in reverse video, which is seen without colours.
func (g *Groups) Changed(i int, c Change) string {
	heads := siteHeads(g.o.Sites)
	row := groupRow(g.o, &g.o.Groups[i], g.t.style, g.names, g.several, false)
	flash := func(n int, changed bool) {
		if changed && n >= 0 {
			row[n] = reversed(row[n])
		}
	}
	first := slices.Index(g.t.head, "GROUP") + 1
	for n := range min(len(heads), len(c.Sites)) {
		flash(first+n, c.Sites[n])
	}
	flash(lastIndex(g.t.head, "PVCS"), c.PVCs)
	flash(lastIndex(g.t.head, "HEALTH"), c.Health)
	return g.row(row)
}

// row puts the cells of a row that there is room for side by side.
func (g *Groups) row(cells []string) string {
	cells = without(cells, g.t.left)
	for n := range cells {
		cells[n] = g.t.style.shorten(cells[n], g.widths[n])
	}
	return g.t.line(cells, g.widths)
}

// Line returns the row of one group of the overview.
func (g *Groups) Line(i int) string {
	text, ok := g.rows[i]
	if !ok {
		text = g.row(groupRow(g.o, &g.o.Groups[i], g.t.style, g.names, g.several, false))
		g.rows[i] = text
	}
	return text
}

// siteCell returns the observed state of a group on a site, and where it is going.
func siteCell(s Style, o overview.Overview, i int, gs overview.GroupSite) string {
	arrow := "->"
	if s.Unicode {
		arrow = "→"
	}
	switch r := gs.Remembered; {
	case r != nil && r.State != "":
		return s.paint(grey, Clean(string(r.State))+" "+ago(r, o)+" ago")
	case !o.Sites[i].Answered:
		return s.paint(grey, cmp.Or(string(o.Sites[i].Problem), "Unknown"))
	case gs.Unread:
		return s.paint(grey, "Unknown")
	case !gs.Exists:
		return s.paint(grey, "absent")
	case gs.Deleting:
		return s.paint(yellow, "deleting")
	}
	state := Clean(string(cmp.Or(gs.State, vgrv1.StateUnknown)))
	if gs.Guarded {
		return s.paint(yellow, state+", guarded")
	}
	if gs.Desired == vgrv1.Resync {
		return s.paint(yellow, state+arrow+"resync")
	}
	if !strings.EqualFold(state, string(gs.Desired)) || !gs.Current {
		return s.paint(yellow, state+arrow+Clean(string(gs.Desired)))
	}
	if gs.Ready.Status != metav1.ConditionTrue {
		return s.paint(yellow, state+"?")
	}
	return state
}

// volumeCount returns how many PVCs both sites have with a confirmed role, of all that either has.
func volumeCount(g *overview.Group) string {
	confirmed, all := g.Volumes()
	return fmt.Sprintf("%d/%d", confirmed, all)
}

func lastSync(o overview.Overview, g overview.Group) string {
	if g.LastSyncTime == nil {
		return "unknown"
	}
	return clockTime(g.LastSyncTime.Time, o.ObservedAt.Time)
}

// clockTime returns a time of the day, with the day unless that is clear.
func clockTime(t, now time.Time) string {
	t = t.In(now.Location())
	if age := now.Sub(t); age > 12*time.Hour || age < -12*time.Hour {
		return t.Format(time.DateTime)
	}
	return t.Format(time.TimeOnly)
}

// lag returns the age of the last synchronisation, with its judgement against the schedule.
func (s Style) lag(g overview.Group) string {
	if g.LagSeconds == nil {
		return s.paint(grey, "unknown")
	}
	text := duration.HumanDuration(time.Duration(*g.LagSeconds) * time.Second)
	if level := g.Lateness(); level != overview.OK {
		return s.level(level, text)
	}
	return text
}

// Notes says what went wrong with sites, for standard error.
func Notes(w io.Writer, o overview.Overview, s Style) {
	for _, site := range o.Sites {
		for _, unread := range site.Unread {
			fmt.Fprintf(w, "%s %s: %s\n", s.level(overview.Warning, s.icon(overview.Warning)), Clean(site.Name), Clean(unread))
		}
		switch c := site.Controller; {
		case !site.Answered:
			fmt.Fprintf(w, "%s %s\n", s.level(overview.Problem, s.icon(overview.Problem)), Clean(site.Away()))
		case c != nil && c.Silent:
			fmt.Fprintf(w, "%s %s\n", s.level(overview.Problem, s.icon(overview.Problem)), Clean(c.Message))
		case c != nil && c.Message != "":
			fmt.Fprintf(w, "%s %s: %s\n", s.level(overview.Warning, s.icon(overview.Warning)), Clean(site.Name), Clean(c.Message))
		}
	}
}

// Refusals says what backends have refused for groups whose row does not show it, for standard error.
func Refusals(w io.Writer, o overview.Overview, s Style) {
	for _, g := range o.Groups {
		for _, gs := range g.Sites {
			if c := meta.FindStatusCondition(gs.Conditions, vgrv1.ConditionValidated); c != nil && c.Status == metav1.ConditionFalse {
				fmt.Fprintf(w, "%s %s/%s: %s: Validated is False: %s\n", s.level(overview.Warning, s.icon(overview.Warning)), Clean(g.Namespace), Clean(g.Name), Clean(gs.Site), Clean(c.Message))
			}
		}
	}
}

// Status draws the details of each group; wide has all of them.
func Status(w io.Writer, o overview.Overview, s Style, wide bool) error {
	var b strings.Builder
	for i, g := range o.Groups {
		if i > 0 {
			b.WriteByte('\n')
		}
		if err := s.group(&b, o, g, wide); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s Style) group(b *strings.Builder, o overview.Overview, g overview.Group, wide bool) error {
	fmt.Fprintf(b, "%s  %s\n", s.paint(bold, Clean(g.Namespace+"/"+g.Name)), s.verdict(g.Verdict))
	fmt.Fprintln(b, s.wrap("  ", Clean(g.Verdict.Message)))
	if g.Verdict.Next != "" {
		fmt.Fprintln(b, s.wrap("  ", "Next: "+Clean(g.Verdict.Next)))
	}
	fmt.Fprintf(b, "  class %s, backend %s, schedule %s, last sync %s, lag %s\n",
		cmp.Or(Clean(g.Class), "unknown"), cmp.Or(Clean(g.Backend), "unknown"), schedule(g), lastSync(o, g), s.lag(g))
	s.managers(b, g)
	if op := g.Operation; op != nil {
		fmt.Fprintf(b, "  last operation %s\n", briefly(op))
	}
	s.rehearsals(b, o, g)
	s.oddities(b, g)
	b.WriteByte('\n')
	if err := s.sites(b, o, g); err != nil {
		return err
	}
	s.lastSeen(b, o, g)
	s.said(b, o, g, wide)
	if err := s.volumes(b, o, g, wide); err != nil {
		return err
	}
	return s.conditions(b, o, g, wide)
}

// schedule returns how often a group is to be synchronised.
func schedule(g overview.Group) string {
	if g.ScheduleSeconds == nil {
		return "unknown"
	}
	return duration.HumanDuration(time.Duration(*g.ScheduleSeconds) * time.Second)
}

// briefly tells an operation in a line.
func briefly(op *overview.Operation) string {
	return fmt.Sprintf("%s: %s from %s to %s, %s, begun %s by %s", Clean(op.ID), Clean(string(op.Kind)), Clean(op.From), Clean(op.To),
		cmp.Or(Clean(string(op.Result)), "in flight"), op.Started.UTC().Format(time.RFC3339), Clean(op.By))
}

// oddities writes what is unusual about a group on a site, whatever its state is.
func (s Style) oddities(b *strings.Builder, g overview.Group) {
	for _, gs := range g.Sites {
		if gs.Unguarded {
			fmt.Fprintln(b, s.wrap("  ", Clean("unguarded on "+gs.Site+": the controller obeys every request for primary, whatever the other site is")))
		}
		if w := gs.JournalWriter; w != nil {
			fmt.Fprintln(b, s.wrap("  ", Clean(fmt.Sprintf("the journal on %s was last written by %s, and not by kubectl vgr", gs.Site, w))))
		}
	}
}

// sites draws a row per site.
func (s Style) sites(b *strings.Builder, o overview.Overview, g overview.Group) error {
	t := table{style: s, indent: "  ", head: []string{"SITE", "STATE", "WANTED", "READY"}}
	for i, gs := range g.Sites {
		t.rows = append(t.rows, s.siteRow(o, i, gs))
	}
	return t.write(b)
}

// lastSeen writes what is remembered of sites that do not answer: lines of their own, as tables cut what does not fit.
func (s Style) lastSeen(b *strings.Builder, o overview.Overview, g overview.Group) {
	for _, gs := range g.Sites {
		if gs.Remembered != nil {
			fmt.Fprintln(b, s.wrap("  ", Clean(gs.Site)+" was last seen "+Remembered(gs.Remembered, o)))
		}
	}
}

// said writes what the sites say beyond the verdict.
func (s Style) said(b *strings.Builder, o overview.Overview, g overview.Group, wide bool) {
	for i, gs := range g.Sites {
		if text := siteMessage(o, i, gs, wide); text != "" && (wide || !strings.Contains(g.Verdict.Message, text)) {
			fmt.Fprintln(b, s.wrap("  ", Clean(gs.Site+": "+text)))
		}
	}
}

// managers writes who manages a group that is not ours.
func (s Style) managers(b *strings.Builder, g overview.Group) {
	for _, gs := range g.Sites {
		if n := gs.Native; n != nil {
			text := fmt.Sprintf("on %s: %s, managed by %s, which kubectl vgr only reads", gs.Site, n, n.ManagedBy)
			if n.Movable {
				text = fmt.Sprintf("on %s: %s, managed by %s; kubectl vgr failover moves it", gs.Site, n, n.ManagedBy)
			}
			if n.Keeper != "" {
				text += "; " + n.Keeper + " decides over it"
			}
			fmt.Fprintln(b, s.wrap("  ", Clean(text)))
		}
	}
}

func (s Style) siteRow(o overview.Overview, i int, gs overview.GroupSite) []string {
	site := o.Sites[i]
	if !site.Answered {
		return []string{Clean(site.Name), s.paint(grey, string(site.Problem)), "-", "-"}
	}
	if !gs.Exists {
		return []string{Clean(site.Name), siteCell(s, o, i, gs), "-", "-"}
	}
	ready := Clean(string(gs.Ready.Status))
	if gs.Ready.Reason != "" {
		ready += "/" + Clean(gs.Ready.Reason)
	}
	switch gs.Ready.Status {
	case metav1.ConditionTrue:
		ready = s.level(overview.OK, ready)
	default:
		ready = s.level(overview.Warning, ready)
	}
	return []string{Clean(site.Name), siteCell(s, o, i, gs), Clean(string(gs.Desired)), ready}
}

// siteMessage returns what a site says of a group beyond its state; wide has that too.
func siteMessage(o overview.Overview, i int, gs overview.GroupSite, wide bool) string {
	site := o.Sites[i]
	switch {
	case !site.Answered:
		return site.Message
	case gs.Unread:
		return "whether this site has the group is not known"
	case !gs.Exists:
		return "there is no such group on this site"
	case wide:
		return cmp.Or(gs.Says(), gs.Message)
	default:
		return gs.Says()
	}
}
