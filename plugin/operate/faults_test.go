// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
)

// scenario is an operation, and how the world is before and after it.
type scenario struct {
	prepare  func(w *world)
	request  func(w *world) recovery.Request
	accepted bool
	// primary is the site that has the role at the end.
	primary  int
	result   recovery.Result
	replicas string
}

func scenarios() map[string]scenario {
	planned := func(w *world) recovery.Request {
		return recovery.Request{Kind: recovery.Planned, To: w.ref(west), Quiesce: true, Start: true}
	}
	unplanned := func(w *world) recovery.Request {
		return recovery.Request{Kind: recovery.Unplanned, To: w.ref(west), Accept: recovery.Loss{Unknown: true}}
	}
	return map[string]scenario{
		"planned":   {request: planned, primary: west, result: recovery.Done, replicas: "east/app=0 east/other=1 west/app=3 west/other=1"},
		"unplanned": {request: unplanned, accepted: true, primary: west, result: recovery.Done, replicas: "east/app=3 east/other=1 west/app=0 west/other=1"},
		"failback": {
			prepare: func(w *world) {
				w.array.accepted = true
				c := w.command(nil)
				defer c.close()
				c.lines[east].close()
				if job, stop := c.run(unplanned(w)); stop != nil || job.Err() != nil {
					w.t.Fatalf("%+v %v", stop, job)
				}
				w.array.accepted = false
			},
			request: func(w *world) recovery.Request {
				return recovery.Request{Kind: recovery.Failback, To: w.ref(east), Discard: "east", Quiesce: true, Start: true}
			},
			primary: east, result: recovery.Done, replicas: "east/app=3 east/other=1 west/app=0 west/other=1",
		},
		"abort": {
			prepare: func(w *world) {
				c := w.command(&schedule{what: killed, when: func(r *http.Request, body string) bool {
					return r.Method == http.MethodPatch && strings.Contains(body, `"replicationState":"secondary"`)
				}})
				defer c.close()
				if _, stop := c.run(planned(w)); stop != nil {
					w.t.Fatalf("%+v", stop)
				}
			},
			request: func(*world) recovery.Request { return recovery.Request{Abort: true} },
			primary: east, result: recovery.Aborted, replicas: "east/app=3 east/other=1 west/app=0 west/other=1",
		},
	}
}

// TestFaults: whatever happens to any change of an operation on its way, there are never two primaries, and the
// operation comes to its end: by itself, or with the same command.
func TestFaults(t *testing.T) {
	s := start(t)
	t.Run("clusters without a name", s.nameless)
	t.Run("a Lease for 68 years", s.foreverLeased)
	t.Run("a Lease that is renewed", s.leaseRenewed)
	t.Run("a site that takes no changes", s.readOnly)
	t.Run("VirtualMachines", s.machines)
	t.Run("a namespace that is being deleted", s.namespaceDeleted)
	t.Run("groups that were deleted on both sites", s.bothDeleted)
	for name, sc := range scenarios() {
		t.Run(name, func(t *testing.T) {
			whole := s.world(t, fences)
			count := &schedule{}
			whole.carryOut(sc, count)
			t.Logf("%d changes", count.seen)
			for k := 1; k <= count.seen; k++ {
				for _, what := range faults(k) {
					t.Run(fmt.Sprintf("change %d %s", k, what), func(t *testing.T) {
						t.Parallel()
						s.world(t, fences).carryOut(sc, &schedule{k: k, what: what})
					})
				}
			}
		})
	}
}

// nameless: where the clusters cannot be identified, a write goes to the site that it is for, whichever is named first.
func (s *servers) nameless(t *testing.T) {
	sc := scenarios()["unplanned"]
	for _, order := range [][2]int{{east, west}, {west, east}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			w := s.world(t, fences)
			w.order, w.nameless = order, true
			w.carryOut(sc, &schedule{})
		})
	}
}

// foreverLeased: a Lease that says that it lasts for ever delays an unplanned failover and does not stop it.
func (s *servers) foreverLeased(t *testing.T) {
	t.Parallel()
	w := s.world(t, fences)
	for _, c := range w.client {
		must(t, c.Create(t.Context(), &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: operate.LeaseName(group)},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: new("tenant"), LeaseDurationSeconds: new(int32(2147483647)), RenewTime: new(metav1.NewMicroTime(time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC))),
			},
		}))
	}
	w.carryOut(scenarios()["unplanned"], &schedule{})
}

// leaseRenewed: who sees that another tool works on the group changes nothing, and names it.
func (s *servers) leaseRenewed(t *testing.T) {
	t.Parallel()
	w := s.world(t, fences)
	before := w.groups()
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: operate.LeaseName(group)},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: new("bob"), LeaseDurationSeconds: new(int32(15))},
	}
	ctx, cancel := context.WithCancel(t.Context())
	var renewing sync.WaitGroup
	defer renewing.Wait()
	defer cancel()
	must(t, w.client[east].Create(t.Context(), lease))
	renewing.Go(func() {
		for ctx.Err() == nil {
			lease.Spec.RenewTime = new(metav1.NewMicroTime(w.clock.Now()))
			if err := w.client[east].Update(ctx, lease); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			time.Sleep(5 * time.Millisecond) //nolint:forbidigo // beside real servers
		}
	})
	c := w.command(nil)
	defer c.close()
	job, stop := c.run(scenarios()["planned"].request(w))
	if stop != nil || job.Err() == nil || !strings.Contains(job.Err().Error(), "bob is working on the group") {
		t.Errorf("%+v %v", stop, job.Err())
	}
	for i, g := range w.groups() {
		if g.Generation != before[i].Generation || g.Annotations[vgrv1.AnnotationOperation] != "" {
			t.Errorf("%s was changed", w.ref(i).Name)
		}
	}
}

// readOnly: a source that can be read and not written, as with an etcd that has lost its quorum or permissions that were
// taken away, stops no unplanned failover, and every planned one. What was not written there is said.
func (s *servers) readOnly(t *testing.T) {
	for _, code := range []int{http.StatusForbidden, http.StatusInternalServerError, http.StatusGatewayTimeout} {
		t.Run(http.StatusText(code), func(t *testing.T) {
			t.Parallel()
			w := s.world(t, fences)
			c := w.command(nil)
			c.lines[east].refuses = code
			limit := time.AfterFunc(5*time.Second, func() { c.cancel(operate.ErrTimeout) })
			job, stop := c.run(scenarios()["planned"].request(w))
			limit.Stop()
			c.close()
			if stop != nil || job.Err() == nil {
				t.Errorf("the planned one: %+v %v", stop, job)
			}
			if g := w.groups()[west]; g.Spec.ReplicationState != vgrv1.Secondary {
				t.Errorf("the planned one has asked west to be %s", g.Spec.ReplicationState)
			}
			w.array.mu.Lock()
			w.array.accepted = true
			w.array.mu.Unlock()
			before := w.groups()[east]
			c = w.command(nil)
			c.lines[east].refuses = code
			job, stop = c.run(scenarios()["unplanned"].request(w))
			c.close()
			if stop != nil || job.Err() != nil {
				t.Fatalf("%+v %v%s", stop, job.Err(), c.said())
			}
			east, west := w.groups()[east], w.groups()[west]
			if op, err := recovery.Journal(west); err != nil || west.Spec.ReplicationState != vgrv1.Primary || op.Result != recovery.Done || op.Kind != recovery.Unplanned {
				t.Errorf("west is asked to be %s; journal %+v %v", west.Spec.ReplicationState, op, err)
			}
			if east.Generation != before.Generation || east.Annotations[vgrv1.AnnotationOperation] != before.Annotations[vgrv1.AnnotationOperation] {
				t.Errorf("east was changed: %+v", east)
			}
			if got := job.ReadOnly(); len(got) != 1 || !strings.Contains(got[0], "east takes no changes: ") {
				t.Errorf("it says %q", got)
			}
			w.array.mu.Lock()
			w.array.accepted = false
			w.array.mu.Unlock()
			sc := scenarios()["failback"]
			sc.prepare = func(*world) {} // that was the unplanned one
			w.carryOut(sc, &schedule{})
		})
	}
}

// namespaceDeleted: an operation in flight can be aborted, and finished, in a namespace that is being deleted meanwhile
// and in which nothing can be created any more, not even a Lease.
func (s *servers) namespaceDeleted(t *testing.T) {
	for name, sc := range map[string]scenario{"taken back": scenarios()["abort"], "finished": scenarios()["planned"]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := s.world(t, fences)
			scenarios()["abort"].prepare(w)
			for i := range w.client {
				must(t, w.client[i].Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}))
			}
			c := w.command(nil)
			for _, l := range c.lines {
				l.unleased = true
			}
			limit := time.AfterFunc(40*time.Second, func() { c.cancel(operate.ErrTimeout) })
			defer limit.Stop()
			job, stop := c.run(sc.request(w))
			c.close()
			if stop != nil || job.Err() != nil {
				t.Fatalf("%+v %v%s", stop, job.Err(), c.said())
			}
			for i, g := range w.groups() {
				if op, err := recovery.Journal(g); err != nil || op.Result != sc.result {
					t.Errorf("journal on %s: %+v %v", w.ref(i).Name, op, err)
				}
			}
			if primary, _ := w.array.look(); !primary[sc.primary] || primary[1-sc.primary] {
				t.Errorf("primary: %v", primary)
			}
		})
	}
}

// TestMain: operations mostly wait, so that more of them run at a time than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run()) //nolint:forbidigo // the main of a test
}

var thorough = flag.Bool("thorough", false, "let every change meet every fault; takes minutes")

// faults are those that a change meets: that the process is killed, and two of the others in turn.
func faults(k int) []fault {
	others := []fault{drop, lose, refuse, conflict, broken, steal, asleep, crash}
	if !*thorough {
		others = []fault{others[k%len(others)], others[(k+len(others)/2)%len(others)]}
	}
	return append(others, kill, killed)
}

func (w *world) carryOut(sc scenario, s *schedule) {
	w.t.Helper()
	if sc.prepare != nil {
		sc.prepare(w)
	}
	w.array.mu.Lock()
	w.array.accepted = sc.accepted
	w.array.mu.Unlock()
	s.meanwhile = func() { w.finish(sc) }
	c := w.command(s)
	job, stop := c.run(sc.request(w))
	c.close()
	defer func() {
		if w.t.Failed() {
			w.t.Logf("hit: %s\n%s", s.hit, c.said())
		}
	}()
	switch {
	case stop != nil:
		w.t.Fatalf("refused: %+v", stop)
	case job.Err() != nil && s.what.survives():
		w.t.Errorf("ended with %v", job.Err())
	case job.Err() != nil:
		w.finish(sc)
	}
	w.assertEnd(sc)
}

// finish does what an administrator does: the same command again, until there is nothing left to do. Where a command that
// was taken for dead has come back, it names it and changes nothing; then the administrator tries again.
func (w *world) finish(sc scenario) {
	w.t.Helper()
	for range 20 {
		c := w.command(nil)
		job, stop := c.run(sc.request(w))
		c.close()
		switch {
		case stop != nil && (stop.Reason == recovery.Nothing || sc.result == recovery.Aborted && strings.Contains(stop.Message, "nothing to abort")):
			return
		case stop != nil:
			w.t.Errorf("the same command again: %s; %s", stop.Message, stop.Next)
			return
		case job.Err() == nil:
			return
		case !strings.Contains(job.Err().Error(), "is working on the group"):
			w.t.Errorf("the same command again: %v%s", job.Err(), c.said())
			return
		}
	}
	w.t.Error("twenty commands in a row found another one at work")
}

func (w *world) assertEnd(sc scenario) {
	w.t.Helper()
	if w.array.twice {
		w.t.Error("both sites were primary, and nobody had accepted that")
	}
	primary, split := w.array.look()
	if want := [2]bool{sc.primary == east, sc.primary == west}; primary != want || split != sc.accepted && !sc.accepted {
		w.t.Errorf("primary: %v, want %v; split: %v", primary, want, split)
	}
	gs := w.groups()
	for i, g := range gs {
		want := vgrv1.Secondary
		if i == sc.primary {
			want = vgrv1.Primary
		}
		if g.Spec.ReplicationState != want {
			w.t.Errorf("%s is asked to be %s, want %s", w.ref(i).Name, g.Spec.ReplicationState, want)
		}
		if *g.Spec.AutoResync != (i == west) {
			w.t.Errorf("autoResync on %s is %v", w.ref(i).Name, *g.Spec.AutoResync)
		}
		op, err := recovery.Journal(g)
		if err != nil || op == nil || op.Result != sc.result {
			w.t.Errorf("journal on %s: %+v %v", w.ref(i).Name, op, err)
		}
	}
	if got := w.replicas(); got != sc.replicas {
		w.t.Errorf("replicas %s, want %s", got, sc.replicas)
	}
	for i, reasons := range w.events() {
		if reasons["OperationDone"] > 1+w.operationsBefore(i, sc) {
			w.t.Errorf("events on %s: %v", w.ref(i).Name, reasons)
		}
	}
}

// operationsBefore are those that preparing the world has ended on a site.
func (w *world) operationsBefore(i int, sc scenario) int {
	if sc.prepare != nil && i == west && sc.result == recovery.Done {
		return 1
	}
	return 0
}
