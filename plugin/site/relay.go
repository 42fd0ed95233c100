// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bytes"
	"io"
	"os"
	"time"
)

// relayed is how much of what login plugins print is shown as it comes, and lastWords how much of the rest at the end:
// there is what went wrong.
const (
	relayed   = 16 << 10
	lastWords = 1 << 10
)

// Relay returns a file for login plugins to print to, which passes to w what fits on a screen. The function ends that, and
// prints the last of what was too much.
func Relay(w io.Writer) (file *os.File, closed func(), err error) {
	r, file, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	over := make(chan *excerpt, 1)
	out := &excerpt{w: w, left: relayed}
	go func() {
		_, _ = io.Copy(out, r)
		over <- out
	}()
	return file, func() {
		file.Close()
		select {
		case out := <-over:
			out.end()
		case <-time.After(time.Second): // a plugin that is left behind has the file open: it is not waited for
		}
	}, nil
}

// excerpt passes the beginning of a text on, and keeps its end.
type excerpt struct {
	w    io.Writer
	left int
	rest int
	tail []byte
}

// Write implements io.Writer. It never fails, so that no plugin is stopped by it.
func (e *excerpt) Write(p []byte) (int, error) {
	now := p[:min(len(p), e.left)]
	if len(now) > 0 {
		_, _ = e.w.Write(now)
	}
	e.left -= len(now)
	more := p[len(now):]
	e.rest += len(more)
	e.tail = append(e.tail, more[max(0, len(more)-lastWords):]...)
	e.tail = e.tail[max(0, len(e.tail)-lastWords):]
	return len(p), nil
}

// end writes what was kept, from the beginning of a line where there is one.
func (e *excerpt) end() {
	if e.rest == 0 {
		return
	}
	tail := e.tail
	if _, line, found := bytes.Cut(tail, []byte("\n")); found && len(line) > 0 {
		tail = line
	}
	if e.rest > len(tail) {
		_, _ = io.WriteString(e.w, "\n… (the login plugin printed more)\n")
	}
	_, _ = e.w.Write(tail)
}
