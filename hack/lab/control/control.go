// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package control lets other processes look at and break a running lab: HTTP and JSON over a unix
// socket in the lab's state directory. It adds no behaviour to the lab.
package control

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// ErrNotRunning says that no lab uses the state directory.
var ErrNotRunning = errors.New("the lab is not running")

// maxSocketPath is what fits into a socket address on every Unix.
const maxSocketPath = 100

// StateDir is where one lab keeps its files. At most one lab uses it at a time.
type StateDir string

// Log returns the file with the supervisor's output.
func (d StateDir) Log() string { return filepath.Join(string(d), "supervisor.log") }

// socket returns beside the other files, unless that path is too long for a socket.
func (d StateDir) socket() string {
	path := filepath.Join(string(d), "control.sock")
	if len(path) <= maxSocketPath {
		return path
	}
	sum := sha256.Sum256([]byte(d))
	return filepath.Join(os.TempDir(), fmt.Sprintf("vgr-lab-%d-%x", os.Getuid(), sum[:6]), "control.sock")
}

// Acquire makes the directory this process's own until release, which also happens when the process
// dies. It returns false when another process has it.
func (d StateDir) Acquire() (release func(), ok bool, err error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, false, err
	}
	file, err := os.OpenFile(filepath.Join(string(d), "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, false, file.Close()
	}
	if err != nil {
		file.Close()
		return nil, false, err
	}
	return func() { file.Close() }, true, nil
}

// Clean removes what a lab left behind. The caller has acquired the directory.
func (d StateDir) Clean() error {
	var errs []error
	for _, name := range []string{lab.East, lab.West, "kubeconfig"} {
		errs = append(errs, os.RemoveAll(filepath.Join(string(d), name)))
	}
	return errors.Join(append(errs, os.RemoveAll(d.socket()))...)
}

// Released returns when no lab uses the directory any more.
func (d StateDir) Released(ctx context.Context) error {
	const interval = 50 * time.Millisecond
	for {
		release, ok, err := d.Acquire()
		if err != nil {
			return err
		}
		if ok {
			release()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the lab does not end: %w", ctx.Err())
		case <-time.After(interval):
		}
	}
}

func (d StateDir) listen(ctx context.Context) (net.Listener, error) {
	path := d.socket()
	// Only the user's own directory keeps others from breaking the lab.
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	return config.Listen(ctx, "unix", path)
}
