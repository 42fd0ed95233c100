// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// bothDeleted: the groups of both sites were deleted in the middle of an operation, which holds the deletions. It can be
// aborted and finished, also when the process is killed around one of the two results, the first of which lets that site's
// group go. In the end both are gone, one site is primary, and what was stopped runs there.
func (s *servers) bothDeleted(t *testing.T) {
	for name, sc := range map[string]scenario{"aborted": scenarios()["abort"], "finished": scenarios()["planned"]} {
		for what, crash := range map[string]*schedule{
			"at once":                                nil,
			"killed before the first result":         {what: kill, when: nthResult(1)},
			"killed after the first result":          {what: killed, when: nthResult(1)},
			"killed before the second result":        {what: kill, when: nthResult(2)},
			"killed after the second result":         {what: killed, when: nthResult(2)},
			"the answer to the first result is lost": {what: lose, when: nthResult(1)},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				w := s.world(t, fences)
				w.finalize()
				scenarios()["abort"].prepare(w)
				for _, c := range w.client {
					must(t, c.Delete(t.Context(), &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: group}}))
				}
				w.until("both deletions are held", func(gs [2]*vgrv1.VolumeGroupReplication) bool {
					return state.Of(gs[east]).Held() && state.Of(gs[west]).Held()
				})
				c := w.command(crash)
				job, stop := c.run(sc.request(w))
				c.close()
				if stop != nil || job.Err() != nil && (crash == nil || crash.what.survives()) {
					t.Fatalf("%+v %v%s", stop, job, c.said())
				}
				if crash != nil && crash.hit == "" {
					t.Errorf("nothing was hit%s", c.said())
				}
				w.endDeleted(sc)
				if primary, _ := w.array.look(); !primary[sc.primary] || primary[1-sc.primary] || w.array.twice {
					t.Errorf("primary: %v, both at some time: %v", primary, w.array.twice)
				}
				if got := w.replicas(); got != sc.replicas {
					t.Errorf("replicas %s, want %s", got, sc.replicas)
				}
			})
		}
	}
}

// nthResult picks the n-th write of a result to a group's journal.
func nthResult(n int) func(*http.Request, string) bool {
	var mu sync.Mutex
	seen := 0
	return func(r *http.Request, body string) bool {
		if r.Method != http.MethodPatch || !strings.Contains(body, `\"result\":\"`) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		seen++
		return seen == n
	}
}

// finalize has the stand-ins keep the groups when they are deleted, as controllers do.
func (w *world) finalize() {
	w.t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":["`+vgrv1.Finalizer+`"]}}`))
	for _, c := range w.client {
		must(w.t, c.Patch(w.t.Context(), &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: group}}, patch))
	}
}

// gone are the sites that have no group any more.
func (w *world) gone() (out [2]bool) {
	w.t.Helper()
	for i, c := range w.client {
		err := c.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: group}, &vgrv1.VolumeGroupReplication{})
		if out[i] = apierrors.IsNotFound(err); !out[i] {
			must(w.t, err)
		}
	}
	return out
}

// endDeleted does what an administrator does who sees that a deletion is still held: the same command again.
func (w *world) endDeleted(sc scenario) {
	w.t.Helper()
	for range 20 {
		for range 100 { // what was let go is gone soon
			if w.gone() == [2]bool{true, true} {
				return
			}
			time.Sleep(5 * time.Millisecond) //nolint:forbidigo // polls real servers
		}
		c := w.command(nil)
		job, stop := c.run(sc.request(w))
		c.close()
		switch {
		case w.gone() == [2]bool{true, true}:
			return
		case stop != nil:
			w.t.Fatalf("the same command again: %s; %s", stop.Message, stop.Next)
		case job.Err() != nil && !strings.Contains(job.Err().Error(), "is working on the group"):
			w.t.Fatalf("the same command again: %v%s", job.Err(), c.said())
		}
	}
	w.t.Fatalf("gone: %v", w.gone())
}
