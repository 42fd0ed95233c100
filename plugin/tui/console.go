// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// Command runs kubectl vgr with arguments and returns its exit code. The end of the context interrupts it.
type Command func(ctx context.Context, args []string, t Talk) int

// Talk is what a command has instead of a terminal.
type Talk struct {
	// Out takes what it says.
	Out io.Writer
	// Confirm has the user type a word, and returns whether that was done.
	Confirm func(want string) bool
	// Progress shows how far groups have come, as often as that changes.
	Progress func([]present.Progress)
}

// phase is how far an action has come.
type phase int

const (
	planning   phase = iota // the command makes its plan
	confirming              // a word is to be typed
	running
	ended
)

// console runs one command beside the screen, and shows what it says. What the command asks its user to confirm is typed
// here: the screen has no confirmation of its own.
type console struct {
	run           Command
	width, height int

	args    []string
	targets []id // the groups that it changes
	acts    bool // it changes something
	phase   phase
	want    string      // what is to be typed
	answer  chan<- bool // takes whether it was
	input   string
	wrong   bool // something else was typed
	// confirmed is true once it was.
	confirmed bool
	asks      bool // whether to stop
	// hidden is true while the groups are on the screen and the command continues.
	hidden bool
	code   int
	moves  []present.Progress
	text   []string // what the command said last
	cut    int      // lines that it said before
	// lines are the text as wrapped for a width, and ends where each of its lines ends there.
	lines      []string
	ends       []int
	wrappedFor int
	top        int
	follows    bool // the end of the text

	began  time.Time // by the first overview after it; zero before
	now    time.Time
	number int // of the run: what an older one says comes too late
	stop   context.CancelFunc
	more   <-chan consoleSaid
}

// consoleSaid is a piece of what a run says; the last one is its exit code. A run that is not shown
// at any more is still listened to, so that it can end.
type consoleSaid struct {
	number int
	text   string
	want   string // to be typed
	answer chan<- bool
	moves  []present.Progress
	ended  bool
	code   int
	more   <-chan consoleSaid
}

// begin starts a command. One that changes something shows its plan and asks, unless it was told not to.
func (c *console) begin(ctx context.Context, args []string, acts bool, changes []overview.Group) tea.Cmd {
	c.targets = nil
	for i := range changes {
		c.targets = append(c.targets, idOf(&changes[i]))
	}
	c.args, c.acts, c.input, c.wrong, c.confirmed, c.asks, c.hidden, c.phase = args, acts, "", false, false, false, false, running
	if acts && !slices.ContainsFunc(args, func(a string) bool { return a == "-y" || strings.HasPrefix(a, "--yes") }) {
		c.phase = planning
	}
	return c.start(ctx, args)
}

func (c *console) start(screen context.Context, args []string) tea.Cmd {
	var ctx context.Context
	ctx, c.stop = context.WithCancel(screen)
	c.number++
	c.text, c.lines, c.ends, c.cut, c.moves, c.top, c.follows, c.began = nil, nil, nil, 0, nil, 0, true, time.Time{}
	said := make(chan consoleSaid, 100)
	c.more = said
	to, run := sayer{c.number, said, screen.Done()}, c.run
	go func() {
		code := run(ctx, args, Talk{Out: to, Confirm: func(want string) bool { return to.ask(ctx, want) }, Progress: to.tell})
		to.say(consoleSaid{ended: true, code: code})
	}()
	return listen(said)
}

// listen waits for the next that a run says.
func listen(said <-chan consoleSaid) tea.Cmd {
	return func() tea.Msg { return <-said }
}

// sayer sends what a run says, until the screen is gone.
type sayer struct {
	number int
	to     chan consoleSaid
	gone   <-chan struct{}
}

func (s sayer) say(msg consoleSaid) {
	msg.number, msg.more = s.number, s.to
	select {
	case s.to <- msg:
	case <-s.gone:
	}
}

// Write implements io.Writer.
func (s sayer) Write(p []byte) (int, error) {
	s.say(consoleSaid{text: string(p)})
	return len(p), nil
}

// ask has a word typed, unless the command is interrupted before.
func (s sayer) ask(ctx context.Context, want string) bool {
	answer := make(chan bool, 1)
	s.say(consoleSaid{want: want, answer: answer})
	select {
	case yes := <-answer:
		return yes
	case <-ctx.Done():
		return false
	}
}

func (s sayer) tell(moves []present.Progress) { s.say(consoleSaid{moves: slices.Clone(moves)}) }

// hear takes in what a run said.
func (c *console) hear(msg consoleSaid) tea.Cmd {
	current := msg.number == c.number
	switch {
	case msg.answer != nil && current:
		c.phase, c.want, c.answer, c.input, c.wrong, c.hidden = confirming, msg.want, msg.answer, "", false, false
		return nil // it says nothing before it has the answer
	case msg.answer != nil:
		msg.answer <- false
		return listen(msg.more)
	case !msg.ended:
		if current && msg.moves != nil {
			c.moves = msg.moves
		} else if current {
			c.add(msg.text)
		}
		return listen(msg.more)
	case !current:
	default:
		c.stop()
		c.phase, c.code = ended, msg.code
	}
	return nil
}

// add appends text, which may begin or end within a line.
func (c *console) add(text string) {
	for i, part := range strings.Split(text, "\n") {
		part = present.Clean(ansi.Strip(part))
		if last := len(c.text) - 1; i == 0 && last >= 0 {
			if room := mostOfLine - len(c.text[last]); room > 0 {
				c.text[last] += ansi.Truncate(part, room, "...")
			}
		} else {
			part = ansi.Truncate(part, mostOfLine, "...")
			c.text = append(c.text, part)
		}
	}
	if more := len(c.text) - mostLines; more > 0 {
		more += mostLines / 10 // not for each line anew
		c.text = slices.Delete(c.text, 0, more)
		c.cut += more
		c.lines, c.ends = nil, nil
	}
	c.scroll(0)
}

// open reports whether the console is on the screen.
func (c *console) open() bool { return len(c.args) > 0 && !c.hidden }

// busy reports whether a command is at work that would be cut short.
func (c *console) busy() bool { return len(c.args) > 0 && c.phase == running && c.acts }

// behind reports whether a command was left that continues, or what it said.
func (c *console) behind() bool { return len(c.args) > 0 && c.hidden }

// show puts a console that was left on the screen again.
func (c *console) show(asks bool) { c.hidden, c.asks = false, asks && c.busy() }

// ran returns how long the command has run, by the pictures that have come meanwhile.
func (c *console) ran() time.Duration {
	if c.began.IsZero() {
		return 0
	}
	return c.now.Sub(c.began).Round(time.Second)
}

// brief says how the command is that was left.
func (c *console) brief() string {
	switch verb := present.Clean(c.args[0]); {
	case c.phase != ended:
		return fmt.Sprintf("t %s, running for %s", verb, c.ran())
	case c.code == 0:
		return "t " + verb + ", done"
	default:
		return fmt.Sprintf("t %s, FAILED with exit code %d", verb, c.code)
	}
}

// key returns a key while the console is open; it closes with esc when nothing runs.
func (c *console) key(k, text string) tea.Cmd {
	switch {
	case c.asks:
		if k == "y" {
			c.stop()
		}
		c.asks = false
	case c.phase == confirming:
		return c.typed(k, text)
	case c.busy() && c.leaves(k):
	case k == "esc" || k == "q" || k == "ctrl+c" || k == "enter" && c.phase == ended:
		c.close()
	case k == "up" || k == "k":
		c.scroll(-1)
	case k == "down" || k == "j":
		c.scroll(1)
	case k == "pgup":
		c.scroll(1 - c.room())
	case k == "pgdown" || k == "space":
		c.scroll(c.room() - 1)
	}
	return nil
}

// leaves is a key that would close the console while an action runs: the groups are shown, or whether to stop is asked.
func (c *console) leaves(k string) bool {
	c.hidden, c.asks = k == "esc", k == "q" || k == "ctrl+c"
	return c.hidden || c.asks
}

// close stops what still runs, if that only looks, and gives the screen back.
func (c *console) close() {
	c.stop()
	c.number++
	c.args, c.hidden = nil, false
}

func (c *console) typed(k, text string) tea.Cmd {
	c.wrong = false
	switch k {
	case "esc", "ctrl+c":
		more := c.more
		c.close()
		return listen(more)
	case "backspace":
		if r := []rune(c.input); len(r) > 0 {
			c.input = string(r[:len(r)-1])
		}
	case "enter":
		if c.input != c.want {
			c.input, c.wrong = "", true
			return nil
		}
		c.phase, c.confirmed = running, true
		c.answer <- true
		return listen(c.more)
	default:
		c.input += strings.Map(printable, text)
	}
	return nil
}

// mostTargets is how many lines the names of the groups may take.
const mostTargets = 4

// head returns the command, and the groups that it changes.
func (c *console) head(s present.Style) []string {
	lines := c.command(s)
	if len(c.targets) == 0 {
		return append(lines, "")
	}
	var names []string
	for _, t := range c.targets {
		names = append(names, present.Clean(t.namespace+"/"+t.name))
	}
	named := c.wrap("Changes: " + strings.Join(names, ", "))
	if len(named) > mostTargets {
		named = append(named[:mostTargets-1], fmt.Sprintf("… %d groups in all", len(names)))
		if !s.Unicode {
			named[mostTargets-1] = strings.Replace(named[mostTargets-1], "…", "...", 1)
		}
	}
	return append(append(lines, named...), "")
}

// command returns the command line. Of one for several groups, which are named below, it shows what else it has.
func (c *console) command(s present.Style) []string {
	args := c.args
	if n := len(c.targets); n > 1 && len(args) > n {
		args = slices.Concat(args[:1], []string{fmt.Sprintf("(%d groups)", n)}, args[n+1:])
	}
	lines := c.wrap("$ kubectl vgr " + present.Clean(strings.Join(args, " ")))
	for i := range lines {
		lines[i] = s.Strong(lines[i])
	}
	return lines[:min(len(lines), mostTargets)]
}

// table returns where the groups are, in at most two thirds of the room.
func (c *console) table(s present.Style) []string {
	if len(c.moves) == 0 {
		return nil
	}
	s.Width = c.width
	return append(present.Moves(s, c.moves, max(c.height*2/3, 3)), "")
}

// room returns how many lines of text are on the screen: without the head, the table and the line below.
func (c *console) room() int {
	return max(c.height-len(c.head(present.Style{}))-len(c.table(present.Style{}))-1, 1)
}

// mostLines and mostOfLine bound what is kept of what a command says, in lines and in columns of one.
const mostLines, mostOfLine = 2000, 4000

// wrapped returns the text in lines of the console's width. Lines are wrapped once: only the last one may still grow.
func (c *console) wrapped() []string {
	if c.wrappedFor != c.width {
		c.lines, c.ends, c.wrappedFor = nil, nil, c.width
	}
	if n := len(c.ends); n > 0 {
		c.ends = c.ends[:n-1]
	}
	c.lines = c.lines[:c.end(len(c.ends))]
	for _, line := range c.text[len(c.ends):] {
		c.lines = append(c.lines, c.wrap(line)...)
		c.ends = append(c.ends, len(c.lines))
	}
	if c.cut > 0 {
		return slices.Concat([]string{fmt.Sprintf("(%d lines before these are not kept)", c.cut)}, c.lines)
	}
	return c.lines
}

// end returns where the wrapped form of the first n lines ends.
func (c *console) end(n int) int {
	if n == 0 {
		return 0
	}
	return c.ends[n-1]
}

func (c *console) wrap(line string) []string {
	return strings.Split(ansi.Wrap(line, max(c.width, 1), " "), "\n")
}

// scroll moves the text; at its end it follows what comes.
func (c *console) scroll(by int) {
	last := max(0, len(c.wrapped())-c.room())
	if c.follows && by == 0 {
		c.top = last
		return
	}
	c.top = max(0, min(c.top+by, last))
	c.follows = c.top == last
}

// at tells the console what time it is.
func (c *console) at(now time.Time) {
	if c.began.IsZero() {
		c.began = now
	}
	c.now = now
}

func (c *console) setSize(width, height int) {
	c.width, c.height = width, height
	c.scroll(0)
}

// view draws the command, what it said, and what is to be done now.
func (c *console) view(s present.Style) []string {
	lines := append(c.head(s), c.table(s)...)
	text := c.wrapped()
	end := min(c.top+c.room(), len(text))
	return append(lines, text[min(c.top, end):end]...)
}

// bottom returns what is to be done now.
func (c *console) bottom() string {
	switch {
	case c.asks:
		return "Stop before the next step? You can resume it later. Press y to stop, any other key to continue"
	case c.phase == planning:
		return "making the plan; Esc cancels"
	case c.phase == confirming:
		text := fmt.Sprintf("Type %s and press Enter to continue, Esc to cancel: %s", present.Clean(c.want), present.Clean(c.input))
		if c.wrong {
			text = "That was not it. " + text
		}
		return text
	case c.phase == running && c.busy():
		return fmt.Sprintf("running for %s; Esc shows the groups meanwhile, q stops it", c.ran())
	case c.phase == running:
		return "Esc cancels"
	case c.code == 0:
		return "done; press Enter to go back"
	default:
		return fmt.Sprintf("failed with exit code %d; press Enter to go back", c.code)
	}
}
