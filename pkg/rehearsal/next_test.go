// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearsal

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// world is a site with one rehearsal, as far as the planner sees it. Jobs and deletions take until the next look.
type world struct {
	now       time.Time
	record    *Record
	jobs      map[StepID]*Job
	namespace Presence
	policy    Presence
	volumes   []Bound
	// clones are the images that the storage has.
	clones int
	// cloneFails and checkFails: the Jobs do; removeFails, so many times.
	cloneFails, checkFails bool
	removeFails            int
	// given: the command has the check. checks counts the Jobs of it that were made.
	given  bool
	checks int
}

func newWorld(check, kept bool) *world {
	start := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	r := &Record{
		ID: "0a1b2c3d", Namespace: "db-rehearsal", DriverNamespace: "rook-ceph", Volumes: []Volume{{PVC: "data"}, {PVC: "logs"}},
		Steps: []Step{{ID: StepClone, Started: metav1.NewMicroTime(start)}},
	}
	if check {
		r.CheckJob = "check"
	}
	if kept {
		r.KeptUntil = &metav1.Time{Time: start.Add(time.Hour)}
	}
	return &world{now: start, record: r, jobs: map[StepID]*Job{}, volumes: make([]Bound, 2), given: check}
}

func (w *world) job(id StepID) Job {
	if j := w.jobs[id]; j != nil {
		return *j
	}
	return Job{}
}

func (w *world) seen(begun bool) Seen {
	return Seen{
		Record: w.record, Clone: w.job(StepClone), Remove: w.job(StepRemove), Check: w.job(StepCheck), Namespace: w.namespace, Policy: w.policy,
		Volumes: slices.Clone(w.volumes), Begun: begun, CheckGiven: w.given,
	}
}

// pass is what happens until the next look.
func (w *world) pass() {
	w.now = w.now.Add(time.Second)
	for id, j := range w.jobs {
		switch {
		case j.Leaving:
			delete(w.jobs, id)
		case j.Done || j.Failed:
		case id == StepClone && w.cloneFails:
			w.clones, j.Failed, j.Message = 1, true, `{"refused":"Ceph 18.2 is too old"}`
		case id == StepClone:
			w.clones, j.Done, j.Message = 2, true, fmt.Sprintf(`{"volumes":[[7,%d,%d,1024],[9,%d,0,2048]]}`, w.now.Unix()-20, w.now.Unix()-30, w.now.Unix()-10)
		case id == StepRemove && w.removeFails > 0:
			w.removeFails--
			j.Failed, j.Message = true, `{"failed":"rbd rm: image has watchers"}`
		case id == StepRemove:
			w.clones, j.Done, j.Message = 0, true, "{}"
		default:
			j.Done, j.Failed, j.Message = !w.checkFails, w.checkFails, "counted 100 rows"
		}
	}
	if w.namespace == Leaving {
		w.namespace, w.policy = Absent, Absent
		delete(w.jobs, StepCheck)
		for i := range w.volumes {
			w.volumes[i].PVC = Absent
		}
	}
	for i := range w.volumes {
		switch v := &w.volumes[i]; {
		case v.PV == Leaving:
			v.PV = Absent
		case v.PVC == NotReady && v.PV == Ours:
			v.PVC = Ours
		}
	}
}

// do carries an action out; what exists is not made again.
func (w *world) do(t *testing.T, a Action) {
	t.Helper()
	create := func(id StepID) {
		if w.jobs[id] == nil {
			w.jobs[id] = &Job{Exists: true}
		}
	}
	switch a.Do {
	case DoRecord:
		r := a.Record
		w.record = &r
	case DoStorageJob:
		create(a.Step)
	case DoDeleteJob:
		if j := w.jobs[a.Step]; j != nil {
			j.Leaving = true
		}
	case DoNamespace:
		if w.namespace == Absent {
			w.namespace = Ours
		}
	case DoPolicy, DoVolumes, DoCheck:
		if w.namespace != Ours {
			t.Fatalf("%s without the namespace", a.Do)
		}
		switch a.Do {
		case DoPolicy:
			w.policy = Ours
		case DoCheck:
			if w.jobs[StepCheck] == nil {
				w.checks++
			}
			create(StepCheck)
		default:
			for i := range w.volumes {
				if w.policy != Ours && !w.record.Network {
					t.Fatal("volumes are made where Pods have a network")
				}
				if w.clones < 2 {
					t.Fatal("volumes are made of clones that are not there")
				}
				w.volumes[i] = Bound{Ours, NotReady}
			}
		}
	case DoDeleteNamespace:
		w.namespace = Leaving
	case DoDeleteVolumes:
		if w.clones != 0 {
			t.Fatal("the volumes, which name the clones, are deleted before the clones")
		}
		for i := range w.volumes {
			w.volumes[i].PV = Leaving
		}
	default:
	}
}

// run does what the planner says, at most n actions; it returns the last one.
func (w *world) run(t *testing.T, n int) (Action, int) {
	t.Helper()
	done := 0
	for look := range 200 {
		a := Next(w.seen(look == 0), w.now)
		if a.Do == DoEnd || a.Do == DoStop || done == n {
			return a, done
		}
		if a.Do != DoWait {
			w.do(t, a)
			done++
			if done == n {
				return a, done
			}
		}
		w.pass()
	}
	t.Fatal("it does not end")
	return Action{}, 0
}

func (w *world) gone(t *testing.T, what string) {
	t.Helper()
	left := w.clones > 0 || w.namespace != Absent || w.record.Ended == nil
	for _, v := range w.volumes {
		left = left || v != Bound{}
	}
	for id := range w.jobs {
		left = left || id != StepRemove && id != StepCheck
	}
	if left {
		t.Fatalf("%s: something is left: %+v, jobs %v", what, w, w.jobs)
	}
}

// TestEveryCrash ends the command after each of its actions, and also just before one, and begins it again.
func TestEveryCrash(t *testing.T) {
	for _, check := range []bool{false, true} {
		for _, fails := range []string{"", "clone", "check", "remove"} {
			build := func() *world {
				w := newWorld(check, false)
				w.cloneFails, w.checkFails = fails == "clone", fails == "check"
				if fails == "remove" {
					w.removeFails = 1
				}
				return w
			}
			whole := build()
			_, all := whole.run(t, 1000)
			for n := range all + 1 {
				for _, pause := range []int{0, 1, 3} {
					what := fmt.Sprintf("check %t, %s fails, crash after %d of %d actions, away for %d looks", check, fails, n, all, pause)
					w := build()
					w.run(t, n)
					for range pause {
						w.pass()
					}
					for range 3 { // a removal that failed is tried again by the next command
						w.run(t, 1000)
					}
					w.gone(t, what)
					want := Passed
					if fails == "clone" || fails == "check" && check {
						want = Failed
					}
					if w.record.Result != want {
						t.Errorf("%s: %s, %s", what, w.record.Result, w.record.Message)
					}
					if w.checks > 1 {
						t.Errorf("%s: the check was made %d times", what, w.checks)
					}
				}
			}
		}
	}
}

// TestEndAnywhere ends a rehearsal after each of its actions, twice.
func TestEndAnywhere(t *testing.T) {
	for _, kept := range []bool{false, true} {
		for n := range 12 {
			w := newWorld(true, kept)
			w.run(t, n)
			for range 2 {
				if w.record.Ended == nil && !w.record.Ending {
					r := End(*w.record, w.now)
					w.record = &r
				}
				w.run(t, 1000)
			}
			w.gone(t, fmt.Sprintf("ended after %d actions", n))
			if w.record.Result == "" {
				t.Errorf("ended after %d actions, without a result", n)
			}
		}
	}
}

// TestSlept: a process that slept makes something of a rehearsal that has ended. The next end removes it.
func TestSlept(t *testing.T) {
	for _, late := range []func(*world){
		func(w *world) { w.namespace = Ours },
		func(w *world) { w.volumes[1].PV = Ours },
		func(w *world) { w.jobs[StepClone] = &Job{Exists: true} },
	} {
		w := newWorld(false, false)
		w.run(t, 1000)
		late(w)
		w.pass()
		w.run(t, 1000)
		w.gone(t, "something came late")
	}
}

// TestKept: what is kept stays, with what was found, until it is ended.
func TestKept(t *testing.T) {
	w := newWorld(true, true)
	a, _ := w.run(t, 1000)
	if a.Do != DoEnd || !w.record.Kept() || w.record.Result != Passed || w.clones != 2 || w.namespace != Ours {
		t.Fatalf("%+v, %+v", a, w.record)
	}
	if w.record.Expired(w.now) || !w.record.Expired(w.now.Add(2*time.Hour)) || w.record.State(w.now.Add(2*time.Hour)) != "kept, expired" {
		t.Error("expiry")
	}
	if c := w.record.Check; c == nil || !c.Passed || c.Log != "counted 100 rows" {
		t.Errorf("check %+v", c)
	}
	if _, known := w.record.Age(); known {
		t.Error("the age is known of a volume of which nobody said when the primary took it")
	}
	if v := w.record.Volumes[0]; v.Snapshot != 7 || v.Bytes != 1024 || v.AgeSeconds == nil || *v.AgeSeconds < 30 {
		t.Errorf("%+v", v)
	}
}

// TestStops: what another user made is not touched, and what a Job says is passed on.
func TestStops(t *testing.T) {
	w := newWorld(false, true)
	w.run(t, 1) // the Job
	w.namespace = Foreign
	w.run(t, 1000)
	if w.namespace != Foreign || w.record.Result != Failed || w.record.Ended == nil || w.clones != 0 {
		t.Errorf("%+v", w.record)
	}
	w = newWorld(false, false)
	w.cloneFails = true
	w.run(t, 1000)
	if w.record.Message != "the copy was not cloned: Ceph 18.2 is too old" {
		t.Error(w.record.Message)
	}
	w = newWorld(false, false)
	w.removeFails = 1
	if a, _ := w.run(t, 1000); a.Do != DoStop || a.Text != "the clones were not removed: rbd rm: image has watchers" {
		t.Errorf("%+v", a)
	}
	w = newWorld(true, false)
	w.given = false
	if a, _ := w.run(t, 1000); a.Do != DoStop || a.Next == "" {
		t.Errorf("without --check: %+v", a)
	}
	if a := Next(Seen{}, w.now); a.Do != DoStop {
		t.Errorf("without a record: %+v", a)
	}
}
