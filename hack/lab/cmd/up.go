// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
	"github.com/unified-replication/kubectl-vgr/hack/lab/control"
)

func newUp(s *session) *cobra.Command {
	f := &runFlags{getenv: s.getenv}
	timeout := 2 * time.Minute
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the lab in the background and wait until it is ready",
		Long: `Start the lab in the background and wait until both sites are ready. The programs it runs are
built on the first use, which takes some minutes. A lab that runs already is left as it is.`,
		Example: `  lab up --controller bin/vgr-controller
  lab up --controller bin/vgr-controller --ceph real --mirror-status-interval 5s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := s.dir()
			if err != nil {
				return err
			}
			client := control.NewClient(dir)
			status, err := client.Status(cmd.Context())
			switch {
			case err == nil:
				fmt.Fprintln(cmd.ErrOrStderr(), "The lab is running already.")
			case errors.Is(err, control.ErrNotRunning):
				if status, err = up(cmd.Context(), s, dir, f, timeout, cmd.ErrOrStderr()); err != nil {
					return err
				}
			default:
				return err
			}
			printSites(cmd.OutOrStdout(), status)
			fmt.Fprintf(cmd.OutOrStdout(), "\nexport KUBECONFIG=%s\n", status.Kubeconfig)
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long to wait for the sites, without the time to build programs")
	return cmd
}

// up starts the supervisor, detached from this terminal, and waits for the lab it runs.
func up(ctx context.Context, s *session, dir control.StateDir, f *runFlags, timeout time.Duration, progress io.Writer) (lab.Status, error) {
	if f.controller != "" {
		var err error
		if f.controller, err = filepath.Abs(f.controller); err != nil {
			return lab.Status{}, err
		}
		if _, err := os.Stat(f.controller); err != nil {
			return lab.Status{}, fmt.Errorf("--controller: %w", err)
		}
	}
	// Here and not in the supervisor, so that a build is seen and can be interrupted.
	options, err := assets.DefaultOptions(s.getenv)
	if err != nil {
		return lab.Status{}, err
	}
	options.Progress, options.Programs = progress, assets.ForLab(slices.Contains(f.backends, "dell"))
	if _, err := assets.Ensure(ctx, options); err != nil {
		return lab.Status{}, err
	}
	if _, err := f.realCeph(ctx, progress); err != nil {
		return lab.Status{}, err
	}
	supervisor, err := detach(dir, f)
	if err != nil {
		return lab.Status{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	status, err := awaitLab(ctx, dir, supervisor)
	if err != nil {
		_ = supervisor.cmd.Process.Kill() // its children die with it
	}
	return status, err
}

// detached is a supervisor that outlives this command.
type detached struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

func detach(dir control.StateDir, f *runFlags) (*detached, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(dir.Log(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(self, append([]string{"run", "--state-dir=" + string(dir)}, f.arguments()...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	d := &detached{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // its log says more than its exit code
		close(d.ended)
	}()
	return d, nil
}

// awaitLab polls the control socket until the lab answers or its supervisor has ended.
func awaitLab(ctx context.Context, dir control.StateDir, supervisor *detached) (lab.Status, error) {
	client := control.NewClient(dir)
	const interval = 100 * time.Millisecond
	for {
		status, err := client.Status(ctx)
		if err == nil {
			return status, nil
		}
		if !errors.Is(err, control.ErrNotRunning) && ctx.Err() == nil {
			return lab.Status{}, err
		}
		select {
		case <-supervisor.ended:
			return lab.Status{}, fmt.Errorf("the lab did not start:\n%s", readLog(dir))
		case <-ctx.Done():
			return lab.Status{}, fmt.Errorf("the lab did not get ready: %w\n%s", ctx.Err(), readLog(dir))
		case <-time.After(interval):
		}
	}
}

func readLog(dir control.StateDir) string {
	data, err := os.ReadFile(dir.Log())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(data))
}

func newDown(s *session) *cobra.Command {
	const timeout = time.Minute
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the lab and wait until nothing of it is left",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := s.dir()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			err = control.NewClient(dir).Stop(ctx)
			if errors.Is(err, control.ErrNotRunning) {
				return cleanUp(cmd, dir)
			}
			if err != nil {
				return err
			}
			if err := dir.Released(ctx); err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "The lab is stopped.")
			return nil
		},
	}
}

// cleanUp removes the files of a lab that crashed.
func cleanUp(cmd *cobra.Command, dir control.StateDir) error {
	if _, err := os.Stat(string(dir)); os.IsNotExist(err) {
		fmt.Fprintln(cmd.ErrOrStderr(), "The lab is not running.")
		return nil
	}
	release, ok, err := dir.Acquire()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("a lab is starting or ending in %s: try again", dir)
	}
	defer release()
	fmt.Fprintln(cmd.ErrOrStderr(), "The lab is not running.")
	return dir.Clean()
}
