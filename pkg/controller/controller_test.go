// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// TestSplit: an error that passes is tried again, whatever it was joined with.
func TestSplit(t *testing.T) {
	refusal, passing := backend.Problemf("VolumeConflict", "taken"), errors.New("timeout")
	for name, tc := range map[string]struct {
		err     error
		refused bool
		passing bool
	}{
		"nothing":            {nil, false, false},
		"a refusal":          {refusal, true, false},
		"a wrapped refusal":  {fmt.Errorf("volume: %w", refusal), true, false},
		"an error":           {passing, false, true},
		"both":               {errors.Join(passing, refusal), true, true},
		"both, nested":       {errors.Join(nil, errors.Join(refusal), errors.Join(refusal, passing)), true, true},
		"refusals only":      {errors.Join(refusal, refusal), true, false},
		"both in one format": {fmt.Errorf("%w and %w", refusal, passing), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := split(tc.err)
			if (got != nil) != tc.refused || errors.Is(err, passing) != tc.passing || !tc.passing && err != nil {
				t.Errorf("got %v and %v", got, err)
			}
		})
	}
}

// TestConflicts: a target whose writes come too late again and again is tried less and less often, alone, and at
// once after a write that came in time.
func TestConflicts(t *testing.T) {
	r := Reconciler{}.ForGroups()
	conflict := apierrors.NewConflict(schema.GroupResource{}, "db", errors.New("changed"))
	var fails error
	r.fetch = func(context.Context, client.Reader, client.ObjectKey) (target, error) { return target{}, fails }
	ask := func(name string) time.Duration {
		t.Helper()
		result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: name}})
		if err != nil {
			t.Fatal(err)
		}
		return result.RequeueAfter
	}
	fails = fmt.Errorf("status: %w", conflict)
	for want := cacheLag; want < cacheLagMax; want *= 2 {
		if got := ask("db"); got != want {
			t.Fatalf("again after %s, want %s", got, want)
		}
	}
	for range 100 {
		if got := ask("db"); got != cacheLagMax {
			t.Fatalf("again after %s, want %s", got, cacheLagMax)
		}
	}
	if got := ask("other"); got != cacheLag {
		t.Errorf("another group: again after %s", got)
	}
	fails = apierrors.NewNotFound(schema.GroupResource{}, "db")
	if got := ask("db"); got != 0 {
		t.Errorf("without a conflict: again after %s", got)
	}
	fails = conflict
	if got := ask("db"); got != cacheLag {
		t.Errorf("the next conflict: again after %s", got)
	}
}
