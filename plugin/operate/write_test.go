// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// TestRefused: "nothing was changed" is said only of what the server itself has turned away.
func TestRefused(t *testing.T) {
	groups := schema.GroupResource{Group: "replication.unified.io", Resource: "volumegroupreplications"}
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"done":           {nil, false},
		"forbidden":      {apierrors.NewForbidden(groups, "db", errors.New("no")), true},
		"too many":       {apierrors.NewTooManyRequests("later", 1), true},
		"wrapped":        {fmt.Errorf("scale: %w", apierrors.NewNotFound(groups, "db")), true},
		"internal error": {apierrors.NewInternalError(errors.New("etcd")), false},
		"gateway":        {apierrors.NewTimeoutError("gateway", 0), false},
		"no answer":      {context.DeadlineExceeded, false},
		"not connected":  {fmt.Errorf("patch: %w", &url.Error{Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}), true},
		"login failed":   {fmt.Errorf("patch: %w", &url.Error{Err: &site.NotAsked{Why: "its login plugin: exit 3", Unsent: true}}), true},
		"a web page":     {fmt.Errorf("patch: %w", &url.Error{Err: &site.NotAsked{Why: "a web page answers (HTTP 502)"}}), false},
		"cut off":        {errors.New("connection reset by peer"), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Refused(tc.err); got != tc.want {
				t.Errorf("%v: %v, want %v", tc.err, got, tc.want)
			}
		})
	}
}
