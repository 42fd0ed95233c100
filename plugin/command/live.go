// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
)

// What a terminal understands.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // the alternate screen, without a cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
	ctrlC       = 0x03
)

// live draws on the whole terminal until q or Ctrl-C. The last picture stays when it ends.
func (e *Env) live(ctx context.Context, p pair, q collect.Query, draw drawing) error {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	restore := e.quitOnKey(quit)
	var last []byte
	fmt.Fprint(e.Out, enterScreen)
	defer func() {
		fmt.Fprint(e.Out, leaveScreen)
		restore()
		_, _ = e.Out.Write(last)
	}()
	err := collect.Watch(ctx, p.all(), q, e.Clock, func(o overview.Overview) error {
		var b bytes.Buffer
		if err := e.draw(&b, &b, o, q, draw); err != nil {
			return err
		}
		last = b.Bytes()
		_, err := io.WriteString(e.Out, frame(b.String(), o.ObservedAt.Time, e.height()))
		return err
	})
	if errors.Is(err, context.Canceled) {
		return nil // that is how it ends
	}
	return err
}

// frame is one picture, cut to the height of the screen. Lines are overwritten in place, so that
// nothing flickers; they end in CR LF, because the terminal is in raw mode.
func frame(text string, at time.Time, height int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	footer := at.Format(time.TimeOnly) + "  q quits"
	if room := height - 1; room > 0 && len(lines) > room {
		footer = fmt.Sprintf("%s, %d more lines", footer, len(lines)-room)
		lines = lines[:room]
	}
	lines = append(lines, footer)
	return home + strings.Join(lines, clearLine+"\r\n") + clearLine + clearBelow
}

func (e *Env) height() int {
	f, ok := e.Out.(*os.File)
	if !ok {
		return 0
	}
	_, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return height
}

// quitOnKey calls quit when q or Ctrl-C is typed. What it returns gives the terminal back.
func (e *Env) quitOnKey(quit func()) (restore func()) {
	in, ok := e.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return func() {}
	}
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return func() {}
	}
	go func() { // ends with the process: a read of a terminal cannot be cancelled
		key := make([]byte, 1)
		for {
			if _, err := in.Read(key); err != nil {
				return
			}
			if key[0] == 'q' || key[0] == ctrlC {
				quit()
				return
			}
		}
	}()
	return func() { _ = term.Restore(int(in.Fd()), before) }
}
