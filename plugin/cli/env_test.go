// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// TestWriteError: a change that was not refused is never called undone.
func TestWriteError(t *testing.T) {
	groups := schema.GroupResource{Group: "replication.unified.io", Resource: "volumegroupreplications"}
	lost := func(err error) error {
		return fmt.Errorf("patch: %w", &url.Error{Op: "Patch", URL: "https://east", Err: err})
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	const text = `{apiVersion: v1, kind: Config, current-context: east, clusters: [{name: east, cluster: {server: "https://east"}}], contexts: [{name: east, context: {cluster: east}}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig = &file
	east, err := (&site.Connector{Flags: flags, Env: func(string) string { return "" }, Clock: clock.RealClock{}}).Here()
	if err != nil {
		t.Fatal(err)
	}
	interrupted, stop := context.WithCancel(t.Context())
	stop()
	late, end := context.WithTimeoutCause(t.Context(), 0, ErrTimeout)
	defer end()
	contexts := map[string]context.Context{"": t.Context(), "interrupted": interrupted, "late": late}
	for name, tc := range map[string]struct {
		ctx  string
		err  error
		dry  bool
		code int
		want string
	}{
		"forbidden": {
			"", apierrors.NewForbidden(groups, "db", errors.New("no")), false,
			clierror.CodeError, `cannot promote db on east: volumegroupreplications.replication.unified.io "db" is forbidden: no`,
		},
		"not connected": {
			"", lost(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), false,
			clierror.CodeUnreachable, "cannot promote db on east: dial: connection refused",
		},
		"server error": {
			"", apierrors.NewInternalError(errors.New("etcd")), false,
			clierror.CodeUnreachable, "promote db on east: Internal error occurred: etcd; it may have been done",
		},
		"cut off":              {"", lost(syscall.ECONNRESET), false, clierror.CodeUnreachable, "promote db on east: connection reset by peer; it may have been done"},
		"no answer":            {"", lost(context.DeadlineExceeded), false, clierror.CodeUnreachable, "promote db on east: no answer within 10s; it may have been done"},
		"interrupted":          {"interrupted", lost(context.Canceled), false, clierror.CodeInterrupted, "interrupted: promote db on east: it may have been done"},
		"the time is up":       {"late", lost(context.DeadlineExceeded), false, clierror.CodeTimeout, "the time is up: promote db on east: it may have been done"},
		"dry run":              {"", lost(syscall.ECONNRESET), true, clierror.CodeUnreachable, "cannot promote db on east: connection reset by peer"},
		"dry run, interrupted": {"interrupted", lost(context.Canceled), true, clierror.CodeInterrupted, "interrupted: the command did not promote db on east"},
		"dry run, time is up":  {"late", lost(context.DeadlineExceeded), true, clierror.CodeTimeout, "the time is up: the command did not promote db on east"},
	} {
		t.Run(name, func(t *testing.T) {
			err := WriteError(contexts[tc.ctx], east, tc.dry, "promote db", tc.err)
			if got := clierror.Code(err); got != tc.code || err.Error() != tc.want {
				t.Errorf("exit code %d, want %d\n got %q\nwant %q", got, tc.code, err, tc.want)
			}
		})
	}
}
