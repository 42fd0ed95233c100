// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// Command runs kubectl vgr with arguments, writes what it says to out, and returns its exit code. The
// end of the context interrupts it.
type Command func(ctx context.Context, args []string, out io.Writer) int

// phase is how far an action has come.
type phase int

const (
	planning   phase = iota // the dry run runs
	confirming              // the name is to be typed
	running
	ended
)

// console runs one command beside the screen, and shows what it says. What changes something is run
// dry first, which is the plan, and then for real when it was confirmed.
type console struct {
	run           Command
	width, height int

	args    []string
	targets []id   // the groups that it changes
	confirm string // what is to be typed; empty for a command that only looks
	phase   phase
	input   string
	asks    bool // whether to stop
	code    int
	text    []string // what the command said
	top     int
	follows bool // the end of the text

	began  time.Time // by the first overview after it; zero before
	now    time.Time
	number int // of the run: what an older one says comes too late
	stop   context.CancelFunc
}

// consoleSaid is a piece of what a run says; the last one is its exit code. A run that is not shown
// at any more is still listened to, so that it can end.
type consoleSaid struct {
	number int
	text   string
	ended  bool
	code   int
	more   <-chan consoleSaid
}

// begin starts a command: its dry run if it is to be confirmed.
func (c *console) begin(ctx context.Context, args []string, confirm string, changes []overview.Group) tea.Cmd {
	c.targets = nil
	for i := range changes {
		c.targets = append(c.targets, idOf(&changes[i]))
	}
	c.args, c.confirm, c.input, c.asks, c.phase = args, confirm, "", false, running
	if confirm != "" {
		c.phase = planning
		return c.start(ctx, append(append([]string{}, args...), "--dry-run=client"))
	}
	return c.start(ctx, args)
}

func (c *console) start(screen context.Context, args []string) tea.Cmd {
	var ctx context.Context
	ctx, c.stop = context.WithCancel(screen)
	c.number++
	c.text, c.top, c.follows, c.began = nil, 0, true, time.Time{}
	said := make(chan consoleSaid, 100)
	number, run := c.number, c.run
	go func() {
		code := run(ctx, args, sayer{number, said, screen.Done()})
		sayer{number, said, screen.Done()}.say(consoleSaid{ended: true, code: code})
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

// hear takes in what a run said.
func (c *console) hear(msg consoleSaid) tea.Cmd {
	current := msg.number == c.number
	switch {
	case !msg.ended:
		if current {
			c.add(msg.text)
		}
		return listen(msg.more)
	case !current:
	case c.phase == planning && msg.code == 0:
		c.stop()
		c.phase = confirming
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
		if i == 0 && len(c.text) > 0 {
			c.text[len(c.text)-1] += part
		} else {
			c.text = append(c.text, part)
		}
	}
	c.scroll(0)
}

// open reports whether the console is on the screen.
func (c *console) open() bool { return len(c.args) > 0 }

// busy reports whether a command is at work that would be cut short.
func (c *console) busy() bool { return c.open() && c.phase == running && c.confirm != "" }

// key returns a key while the console is open; it closes with esc when nothing runs.
func (c *console) key(ctx context.Context, k, text string) tea.Cmd {
	switch {
	case c.asks:
		if k == "y" {
			c.stop()
		}
		c.asks = false
	case c.phase == confirming:
		return c.typed(ctx, k, text)
	case c.busy() && (k == "esc" || k == "q" || k == "ctrl+c"):
		c.asks = true
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

// close stops what still runs, if that only looks, and gives the screen back.
func (c *console) close() {
	c.stop()
	c.number++
	c.args = nil
}

func (c *console) typed(ctx context.Context, k, text string) tea.Cmd {
	switch k {
	case "esc", "ctrl+c":
		c.close()
	case "backspace":
		if r := []rune(c.input); len(r) > 0 {
			c.input = string(r[:len(r)-1])
		}
	case "enter":
		if c.input != c.confirm {
			c.input = ""
			return nil
		}
		c.phase = running
		return c.start(ctx, append(append([]string{}, c.args...), "--yes"))
	default:
		c.input += strings.Map(printable, text)
	}
	return nil
}

// mostTargets is how many lines the names of the groups may take.
const mostTargets = 4

// head returns the command, and the groups that it changes.
func (c *console) head(s present.Style) []string {
	lines := []string{s.Strong("$ kubectl vgr " + present.Clean(strings.Join(c.args, " ")))}
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

// room returns how many lines of text are on the screen: without the head and the line below.
func (c *console) room() int { return max(c.height-len(c.head(present.Style{}))-1, 1) }

// wrapped returns the text in lines of the console's width.
func (c *console) wrapped() []string {
	var out []string
	for _, line := range c.text {
		out = append(out, c.wrap(line)...)
	}
	return out
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
	lines := c.head(s)
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
		return fmt.Sprintf("Type %s and press Enter to continue, Esc to cancel: %s", present.Clean(c.confirm), present.Clean(c.input))
	case c.phase == running && c.busy():
		return fmt.Sprintf("running for %s; press Esc to stop", c.now.Sub(c.began).Round(time.Second))
	case c.phase == running:
		return "Esc cancels"
	case c.code == 0:
		return "done; press Enter to go back"
	default:
		return fmt.Sprintf("failed with exit code %d; press Enter to go back", c.code)
	}
}
