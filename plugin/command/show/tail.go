// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"bytes"
	"io"
)

// mostSaid is how much is kept of what a command on the screen says, in bytes.
const mostSaid = 64 << 10

// tail keeps the end of what is written, from the beginning of a line.
type tail struct {
	kept []byte
	cut  bool
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - mostSaid; over > mostSaid { // not for each write anew
		rest := t.kept[over:]
		if end := bytes.IndexByte(rest, '\n'); end >= 0 {
			rest = rest[end+1:]
		}
		t.kept, t.cut = append(make([]byte, 0, 2*mostSaid), rest...), true
	}
	return len(p), nil
}

// WriteTo implements io.WriterTo.
func (t *tail) WriteTo(w io.Writer) (int64, error) {
	text := t.kept
	if t.cut {
		text = append([]byte("(what came before is not kept)\n"), text...)
	}
	n, err := w.Write(text)
	return int64(n), err
}
