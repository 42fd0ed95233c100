// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Command kubectl-vgr is the kubectl plugin. Everything else is in plugin.
package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"

	_ "github.com/unified-replication/kubectl-vgr/cmd/kubectl-vgr/gctuning"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/plugin"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

func main() {
	// What libraries log would end up in the middle of a screen; errors reach the user as errors.
	klog.SetLogger(logr.Discard())
	log.SetLogger(logr.Discard())
	errOut := os.Stderr
	ended := func() {}
	if relay, closed, err := site.Relay(errOut); err == nil {
		os.Stderr, ended = relay, closed // client-go has login plugins print there, without a bound
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := plugin.Main(ctx, plugin.Config{
		Args:       os.Args,
		IOStreams:  genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: errOut},
		Getenv:     os.Getenv,
		Clock:      clock.RealClock{},
		Profiles:   drivers.Profiles(),
		Executable: func() (string, error) { return called(os.Args[0]) },
		Patience:   2 * time.Second,
	})
	stop()
	ended()
	os.Exit(code)
}

// called returns the path that the program was called by, on which links are kept: krew has a link in a
// directory on the PATH, and the program itself in another one for each version.
func called(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}
