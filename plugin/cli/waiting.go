// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// waiting says for which sites a command waits, once that takes a while: on a terminal in a line that is taken away
// again, else once for each site.
type waiting struct {
	e     *Env
	after time.Duration

	mu sync.Mutex
	// slow are the requests that have taken so long, by the name of the site, and limit is how long one may take.
	slow  map[string]int
	limit time.Duration
	told  map[string]bool
	// drawn is true while the line is on the terminal, and ended once no more may be said.
	drawn, ended bool
}

// Waiting returns a context whose requests are told of when they take longer, unless that is 0.
func (e *Env) Waiting(ctx context.Context, after time.Duration) context.Context {
	if after <= 0 {
		return ctx
	}
	e.waits.after = after
	return site.Waiting(ctx, e.waits.begin)
}

// Waited takes away what was said about waiting, and says no more.
func (e *Env) Waited() {
	e.waits.mu.Lock()
	defer e.waits.mu.Unlock()
	e.waits.erase()
	e.waits.ended = true
}

func (w *waiting) begin(name string, limit time.Duration) (end func()) {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		timer := w.e.Clock.NewTimer(w.after)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C():
			w.count(name, limit, 1)
			<-done
			w.count(name, limit, -1)
		}
	}()
	return func() {
		close(done)
		<-over
	}
}

// count notes a request that takes long, or the end of one.
func (w *waiting) count(name string, limit time.Duration, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.slow[name] += n; w.slow[name] == 0 {
		delete(w.slow, name)
	}
	w.limit = limit
	if w.ended {
		return
	}
	w.erase()
	width, terminal := w.terminal()
	if !terminal {
		if n > 0 && !w.told[name] {
			w.told[name] = true
			fmt.Fprintln(w.e.Raw.ErrOut, w.words(name))
		}
		return
	}
	if len(w.slow) == 0 {
		return
	}
	line := w.words(slices.Sorted(maps.Keys(w.slow))...)
	if width > 1 {
		line = ansi.Truncate(line, width-1, "")
	}
	fmt.Fprint(w.e.Raw.ErrOut, line)
	w.drawn = true
}

func (w *waiting) words(names ...string) string {
	dots := "..."
	if w.e.ErrStyle().Unicode {
		dots = "…"
	}
	return present.Clean(fmt.Sprintf("waiting for %s (up to %s)%s", strings.Join(names, " and "), w.limit, dots))
}

// terminal reports whether messages go to a terminal whose lines can be erased, and how wide it is.
func (w *waiting) terminal() (width int, ok bool) {
	f, ok := w.e.Raw.ErrOut.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || w.e.Getenv("TERM") == "dumb" {
		return 0, false
	}
	width, _, _ = term.GetSize(int(f.Fd())) // 0 is not limited
	return width, true
}

func (w *waiting) erase() {
	if w.drawn {
		fmt.Fprint(w.e.Raw.ErrOut, "\r"+ClearLine)
		w.drawn = false
	}
}

// above returns a writer that erases the line before it writes.
func (w *waiting) above(out io.Writer) io.Writer { return aboveWriter{w, out} }

type aboveWriter struct {
	waits *waiting
	out   io.Writer
}

// Write implements io.Writer.
func (a aboveWriter) Write(p []byte) (int, error) {
	a.waits.mu.Lock()
	defer a.waits.mu.Unlock()
	a.waits.erase()
	return a.out.Write(p)
}
