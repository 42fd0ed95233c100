// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures the plugin and the controller beside what else one would use, on the same servers and
// in one run: kubectl, a shell script of kubectl commands, the csi-addons manager. It judges nothing.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
	"github.com/unified-replication/kubectl-vgr/hack/lab/load"
)

// bench is what all scenarios share.
type bench struct {
	options
	// bin has our programs and timed, home is the HOME of all commands.
	bin, home string
	assets    assets.Set
	log       io.Writer
}

type options struct {
	only                       string
	pluginFile, controllerFile string
	root, json                 string
	runs                       int
	groups, volumes            int
	replications               int
	reconciled, moved          int
	changes                    int
	watched, idle, soaked      time.Duration
}

// scenario is one part of the benchmark.
type scenario struct {
	name string
	run  func(*bench, context.Context) ([]result, error)
}

func scenarios() []scenario {
	return []scenario{
		{"size", (*bench).size},
		{"read", (*bench).read},
		{"native", (*bench).native},
		{"screen", (*bench).screen},
		{"controller", (*bench).reconcile},
		{"restart", (*bench).restarts},
		{"failover", (*bench).failover},
		{"trouble", (*bench).inTrouble},
		{"soak", (*bench).soak},
	}
}

func main() {
	ctrllog.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	b := &bench{log: os.Stderr}
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	flag.StringVar(&b.only, "only", strings.Join(names, ","), "scenarios to run")
	flag.StringVar(&b.root, "root", "..", "directory of the project")
	flag.StringVar(&b.json, "json", "", "file for the figures as JSON")
	flag.StringVar(&b.pluginFile, "plugin", "", "kubectl-vgr to measure instead of the one here, such as one of before")
	flag.StringVar(&b.controllerFile, "controller", "", "vgr-controller to measure instead of the one here")
	flag.IntVar(&b.runs, "runs", 5, "counted runs of each command")
	flag.IntVar(&b.groups, "groups", 10000, "groups on each site that are read")
	flag.IntVar(&b.replications, "replications", 2000, "VolumeReplications of others on each site that are read")
	flag.IntVar(&b.volumes, "volumes", 5, "volumes of each group")
	flag.IntVar(&b.reconciled, "reconciled", 1000, "groups that are created at once")
	flag.IntVar(&b.moved, "moved", 10, "groups that are failed over at once")
	flag.IntVar(&b.changes, "changes", 500, "changes a second while a screen is open")
	flag.DurationVar(&b.watched, "watched", 30*time.Second, "how long the screen is measured")
	flag.DurationVar(&b.idle, "idle", time.Minute, "how long the controller is measured at rest")
	flag.DurationVar(&b.soaked, "soaked", 30*time.Minute, "how long screen and controller are kept busy to see their memory")
	flag.Parse()
	err := b.all(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

// all runs the scenarios that were asked for, and prints what each has found at once.
func (b *bench) all(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "vgr-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b.bin, b.home = filepath.Join(dir, "bin"), filepath.Join(dir, "home")
	if err := b.prepare(ctx); err != nil {
		return err
	}
	only := strings.Split(b.only, ",")
	var results []result
	for _, s := range scenarios() {
		if !slices.Contains(only, s.name) {
			continue
		}
		found, err := s.run(b, ctx)
		for _, r := range found {
			r.print(os.Stdout)
		}
		results = append(results, found...)
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", s.name, err), writeJSON(b.json, results))
		}
	}
	return writeJSON(b.json, results)
}

// prepare builds what is measured, and what measures it.
func (b *bench) prepare(ctx context.Context) error {
	for _, dir := range []string{b.bin, b.home} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	options, err := assets.DefaultOptions(os.Getenv)
	if err != nil {
		return err
	}
	options.Progress = b.log
	if b.assets, err = assets.Ensure(ctx, options); err != nil {
		return err
	}
	for dir, what := range map[string]string{b.root: "./cmd/...", filepath.Join(b.root, "hack"): "./bench/timed"} {
		if err := b.build(ctx, dir, b.bin, what, "-ldflags=-s -w"); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) build(ctx context.Context, dir, out, what string, flags ...string) error {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build"}, flags...), "-o", out, what)...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", what, err, text)
	}
	return nil
}

// start starts a lab for one scenario, with our controller or without, and connects to its sites.
func (b *bench) start(ctx context.Context, controller bool) (*lab.Lab, load.Sites, error) {
	o := lab.Options{Assets: &b.assets, Log: b.log}
	if controller {
		o.ControllerBinary = cmp.Or(b.controllerFile, filepath.Join(b.bin, "vgr-controller"))
	}
	l, err := lab.Start(ctx, o)
	if err != nil {
		return nil, load.Sites{}, err
	}
	sites, err := load.Connect([2]*rest.Config{l.Site(lab.East).DirectRESTConfig(), l.Site(lab.West).DirectRESTConfig()})
	if err != nil {
		return nil, sites, errors.Join(err, l.Close())
	}
	if !controller {
		go func() {
			if err := sites.Lead(ctx); err != nil && ctx.Err() == nil {
				fmt.Fprintln(b.log, err)
			}
		}()
	}
	return l, sites, nil
}

func (b *bench) plugin() string  { return cmp.Or(b.pluginFile, filepath.Join(b.bin, "kubectl-vgr")) }
func (b *bench) kubectl() string { return b.assets.Path(assets.Kubectl) }

// env returns that of all commands: what one would have on a terminal of 200 columns.
func (b *bench) env(l *lab.Lab) []string {
	env := []string{"HOME=" + b.home, "LANG=C.UTF-8", "PATH=" + strings.Join([]string{b.bin, b.assets.Dir, "/usr/bin", "/bin"}, string(filepath.ListSeparator))}
	if l != nil {
		env = append(env, "KUBECONFIG="+l.Kubeconfig(), "KUBECTL_VGR_CONTEXT="+lab.East, "KUBECTL_VGR_PEER_CONTEXT="+lab.West)
	}
	return env
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.log, format+"\n", args...) }
