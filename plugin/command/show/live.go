// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package show

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
	"k8s.io/kubectl/pkg/util/interrupt"
	kterm "k8s.io/kubectl/pkg/util/term"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// live draws on the whole terminal until q or Ctrl-C. The last picture stays when it ends.
func live(ctx context.Context, e *cli.Env, p cli.Pair, q collect.Query, draw drawing) error {
	p.Login(ctx)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	quit := func() { stop(errInterrupted) }
	var last []byte
	terminal := kterm.TTY{In: e.In, Raw: true, Parent: interrupt.New(func(os.Signal) { quit() })}
	err := terminal.Safe(func() error {
		if terminal.IsTerminalIn() {
			go quitOnKey(e.In, func() { stop(errQuit) }, quit) // ends with the process: a read of a terminal cannot be cancelled
		}
		fmt.Fprint(e.Raw.Out, cli.EnterScreen)
		defer fmt.Fprint(e.Raw.Out, cli.LeaveScreen)
		return pictures(ctx, e, p, q, draw, &last)
	})
	if _, writeErr := e.Out.Write(last); err == nil {
		err = writeErr
	}
	if errors.Is(err, context.Canceled) {
		if errors.Is(context.Cause(ctx), errQuit) {
			return nil
		}
		return clierror.New(clierror.CodeInterrupted, "", "interrupted")
	}
	return err
}

// pictures draws until the context ends, and leaves the last one in last.
func pictures(ctx context.Context, e *cli.Env, p cli.Pair, q collect.Query, draw drawing, last *[]byte) error {
	seen := e.Memory(p.All())
	defer seen.Save()
	return collect.Watch(ctx, p.All(), q, e.Clock, followed(ctx, e, p, seen, func(o overview.Overview) error {
		var b bytes.Buffer
		if err := drawOverview(e, &b, &b, o, q, draw); err != nil {
			return err
		}
		*last = b.Bytes()
		_, err := io.WriteString(e.Raw.Out, frame(present.Screen(b.String(), e.Colours()), o.ObservedAt.Time, height(e)))
		return err
	}))
}

// frame returns one picture, cut to the height of the screen. Lines are overwritten in place, so that
// nothing flickers; they end in CR LF, because the terminal is in raw mode.
func frame(text string, at time.Time, height int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	footer := at.Format(time.TimeOnly) + "  q quits"
	if room := height - 1; room > 0 && len(lines) > room {
		footer = fmt.Sprintf("%s, %d more lines", footer, len(lines)-room)
		lines = lines[:room]
	}
	lines = append(lines, footer)
	return cli.Home + strings.Join(lines, cli.ClearLine+"\r\n") + cli.ClearLine + cli.ClearBelow
}

func height(e *cli.Env) int {
	f, ok := e.Raw.Out.(*os.File)
	if !ok {
		return 0
	}
	_, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return height
}

// How a screen is left.
var (
	errQuit        = errors.New("q was typed")
	errInterrupted = errors.New("interrupted")
)

// quitOnKey calls quit when q is typed, and interrupt for Ctrl-C; in raw mode that is a key like others.
func quitOnKey(in io.Reader, quit, interrupt func()) {
	key := make([]byte, 1)
	for {
		if _, err := in.Read(key); err != nil {
			return
		}
		switch key[0] {
		case 'q':
			quit()
			return
		case cli.CtrlC:
			interrupt()
			return
		}
	}
}
