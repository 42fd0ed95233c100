// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
	"github.com/unified-replication/kubectl-vgr/hack/lab/ceph"
	"github.com/unified-replication/kubectl-vgr/hack/lab/control"
)

// runFlags are those of both up and run.
type runFlags struct {
	getenv     func(string) string
	controller string
	bare       bool
	args       []string
	transfer   time.Duration
	status     time.Duration
	backends   []string
	ceph       string
}

// vendorBuild is the simulated Ceph of a vendor that mirrors groups.
const vendorBuild = "vendor"

func (f *runFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.controller, "controller", "", "vgr-controller to run on each site; none when empty")
	flags.BoolVar(&f.bare, "bare", false, "leave the APIs of kubectl vgr out, as on clusters on which nothing of it is installed")
	flags.StringArrayVar(&f.args, "controller-arg", nil, "additional flag of the controller; may be repeated")
	flags.StringSliceVar(&f.backends, "backend", []string{"ceph"}, "storage to simulate: ceph, which is always there, dell and trident")
	flags.StringVar(&f.ceph, "ceph", "simulated", "what is behind Ceph's class: simulated, vendor for a simulated build that mirrors groups, or real for two clusters of Ceph's own programs")
	flags.DurationVar(&f.status, "mirror-status-interval", array.DefaultStatusInterval, "how often Ceph's mirroring daemons look at a volume and tell of it")
	flags.DurationVar(&f.transfer, "transfer-time", time.Second, "how long a snapshot takes from one site to the other")
}

// arguments returns the flags as they are passed on to run.
func (f *runFlags) arguments() []string {
	args := []string{"--transfer-time=" + f.transfer.String(), "--mirror-status-interval=" + f.status.String(), "--backend=" + strings.Join(f.backends, ","), "--ceph=" + f.ceph}
	if f.bare {
		args = append(args, "--bare")
	}
	if f.controller != "" {
		args = append(args, "--controller="+f.controller)
	}
	for _, a := range f.args {
		args = append(args, "--controller-arg="+a)
	}
	return args
}

// realCeph returns Ceph's programs if its clusters are to be real; they are unpacked if need be.
func (f *runFlags) realCeph(ctx context.Context, log io.Writer) (*ceph.Programs, error) {
	switch f.ceph {
	case "simulated", vendorBuild:
		return nil, nil
	case "real":
	default:
		return nil, fmt.Errorf("--ceph: %q is none of simulated, vendor and real", f.ceph)
	}
	options, err := assets.DefaultOptions(f.getenv)
	if err != nil {
		return nil, err
	}
	programs, err := ceph.Find(ctx, ceph.Options{Cache: options.Cache, Progress: log})
	return &programs, err
}

func newRun(s *session) *cobra.Command {
	f := &runFlags{getenv: s.getenv}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the lab in the foreground until interrupted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := s.dir()
			if err != nil {
				return err
			}
			return supervise(cmd.Context(), dir, f, cmd.ErrOrStderr())
		},
	}
	f.add(cmd)
	return cmd
}

// supervise runs the lab as long as the context lasts and no client asks for its end.
func supervise(ctx context.Context, dir control.StateDir, f *runFlags, log io.Writer) error {
	for _, name := range f.backends {
		if !slices.Contains([]string{"ceph", "dell", "trident"}, name) {
			return fmt.Errorf("--backend: no storage %q; there are ceph, dell and trident", name)
		}
	}
	release, ok, err := dir.Acquire()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("a lab is running already in %s", dir)
	}
	defer release()
	// A supervisor that crashed could not do this itself.
	if err := dir.Clean(); err != nil {
		return err
	}
	real, err := f.realCeph(ctx, log)
	if err != nil {
		return err
	}
	l, err := lab.Start(ctx, lab.Options{
		Ceph: real, VendorBuild: f.ceph == vendorBuild,
		Dir: string(dir), ControllerBinary: f.controller, Bare: f.bare, ControllerArgs: f.args, TransferTime: f.transfer, StatusInterval: f.status,
		Dell: slices.Contains(f.backends, "dell"), Trident: slices.Contains(f.backends, "trident"), Log: log,
	})
	if err != nil {
		return err
	}
	err = control.Serve(ctx, dir, l)
	return errors.Join(err, l.Close(), dir.Clean())
}
