// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Command lab starts and stops the two-site lab and breaks parts of it. The lab itself is package
// lab; this is its command line.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/hack/lab/control"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	root := newRoot(os.Getenv)
	err := root.ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(root.ErrOrStderr(), "Error:", err)
		os.Exit(1)
	}
}

// session is what all commands share.
type session struct {
	getenv   func(string) string
	stateDir string
}

func (s *session) dir() (control.StateDir, error) {
	path, err := filepath.Abs(s.stateDir)
	return control.StateDir(path), err
}

func (s *session) client() (*control.Client, error) {
	dir, err := s.dir()
	if err != nil {
		return nil, err
	}
	return control.NewClient(dir), nil
}

func newRoot(getenv func(string) string) *cobra.Command {
	s := &session{getenv: getenv}
	root := &cobra.Command{
		Use:   "lab",
		Short: "Two Kubernetes control planes with simulated, mirrored Ceph storage",
		Long: `Two Kubernetes control planes, east and west, run on this machine. Their storage is one simulated
pair of mirrored Ceph clusters, driven by the real csi-addons controllers. There are no nodes:
Pods are stored but do not run.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.PersistentFlags().StringVar(&s.stateDir, "state-dir", defaultStateDir(getenv), "directory of the lab's files")
	root.AddCommand(newUp(s), newRun(s), newDown(s), newStatus(s), newFault(s), newWrite(s), newStatusInterval(s), newLoad(s), newAssets(s))
	return root
}

// defaultStateDir follows the XDG base directory specification.
func defaultStateDir(getenv func(string) string) string {
	base := getenv("XDG_STATE_HOME")
	if base == "" {
		base = filepath.Join(getenv("HOME"), ".local", "state")
	}
	return filepath.Join(base, "kubectl-vgr", "lab")
}
