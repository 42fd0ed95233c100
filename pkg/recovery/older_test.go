// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"encoding/json"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// olderPlugin makes of a world what a plugin from before the guard has left in flight: its journal knows no
// verification, and what it told is bound to no write.
func (w *world) olderPlugin(t *testing.T) {
	t.Helper()
	for i := range sites {
		g := w.groups[i].DeepCopy()
		delete(g.Annotations, vgrv1.AnnotationBoundTo)
		if text := g.Annotations[vgrv1.AnnotationOperation]; text != "" {
			var op recovery.Operation
			if err := json.Unmarshal([]byte(text), &op); err != nil {
				t.Fatal(err)
			}
			steps := op.Steps[:0]
			for _, s := range op.Steps {
				if s.ID != recovery.StepVerify {
					steps = append(steps, s)
				}
			}
			op.Steps, op.Schedule = steps, nil
			data, err := json.Marshal(op)
			if err != nil {
				t.Fatal(err)
			}
			g.Annotations[vgrv1.AnnotationOperation] = string(data)
		}
		w.change(i, g)
	}
	w.tools[0].die()
}

// TestOlderPlugin: a failover that an older plugin has begun is finished or aborted, wherever it was left; no
// second primary comes of it and nothing is lost.
func TestOlderPlugin(t *testing.T) {
	for name, traits := range storages {
		if name == bySnapshot {
			continue // only newer plugins know it
		}
		for _, abort := range []bool{false, true} {
			reached := map[string]bool{}
			for stop := range 40 {
				w := newWorld(traits, recovery.Planned, 0)
				w.settle()
				w.app = false
				w.begin(0, w.request("A"))
				for round := range stop { // it dies after a write, before the controllers have seen that
					if w.step(0); !w.tools[0].running || w.tools[0].pending == nil && round == stop-1 {
						break
					}
					if w.tools[0].pending != nil {
						w.send(0)
					}
					if round < stop-1 {
						w.round()
					}
				}
				if !w.tools[0].running {
					continue
				}
				w.olderPlugin(t)
				for range 3 {
					w.round()
				}
				r := w.request("C")
				r.Abort = abort
				last, err := recovery.Newest(w.observeAll())
				if err != nil {
					t.Fatal(err)
				}
				if last == nil {
					continue // nothing was written yet
				}
				end := w.run(r)
				kind, _, _ := strings.Cut(end, ":")
				reached[kind] = true
				if kind == string(recovery.Nothing) {
					end = "done"
				}
				switch {
				case w.invariant() != "":
					t.Errorf("%s, abort %v, after %d: %s", name, abort, stop, w.invariant())
				case end != "done" && (!abort || kind != string(recovery.Refused)):
					t.Errorf("%s, abort %v, after %d: %s", name, abort, stop, end)
				case end == "done" && w.primary[west] == abort || end == "done" && w.primary[east] != abort:
					t.Errorf("%s, abort %v, after %d: primary %v", name, abort, stop, w.primary)
				}
			}
			if !reached["done"] {
				t.Errorf("%s, abort %v: nothing was ever done: %v", name, abort, reached)
			}
		}
	}
}

// olderNames are the names of steps in journals of older plugins, and those of now.
var olderNames = map[string]string{"halt": "stop-target", "surrender": "demote-stale", "follow": "rejoin", "reverse": "reprotect"}

// TestOlderStepNames: a failback whose journal has the old names of steps resumes wherever it was left, and goes
// on under the new ones.
func TestOlderStepNames(t *testing.T) {
	met := map[string]bool{}
	for name, traits := range storages {
		for stop := 1; stop < 60; stop++ {
			w := newSplitWorld(traits)
			w.faults, w.snapshots, w.quiesce = 0, name == bySnapshot, true
			w.report(east)
			w.report(west)
			w.settle()
			w.begin(0, w.request("A"))
			for range stop {
				if !w.tools[0].running {
					break
				}
				if w.step(0); w.tools[0].pending != nil {
					w.send(0)
				}
				w.round()
			}
			if last, _ := recovery.Newest(w.observeAll()); !w.tools[0].running || !last.InFlight() {
				break
			}
			for i := range sites {
				g := w.groups[i].DeepCopy()
				text := g.Annotations[vgrv1.AnnotationOperation]
				for older, now := range olderNames {
					if quoted := `"id":"` + now + `"`; strings.Contains(text, quoted) {
						met[older] = true
						text = strings.ReplaceAll(text, quoted, `"id":"`+older+`"`)
					}
				}
				if text != "" {
					g.Annotations[vgrv1.AnnotationOperation] = text
					w.change(i, g)
				}
			}
			w.tools[0].die()
			if end := w.run(w.request("B")); end != "done" {
				t.Errorf("%s, after %d: %s", name, stop, end)
			}
			for i := range sites {
				text := w.groups[i].Annotations[vgrv1.AnnotationOperation]
				for older := range olderNames {
					if strings.Contains(text, `"`+older+`"`) {
						t.Errorf("%s, after %d: %s has %s", name, stop, sites[i].Name, text)
					}
				}
			}
		}
	}
	if len(met) != len(olderNames) {
		t.Errorf("only met %v", met)
	}
}

// TestNewerPlugin: a journal of a newer plugin is in a step that this one does not know. Nothing is written, and the step is named.
func TestNewerPlugin(t *testing.T) {
	for name, traits := range storages {
		w := newWorld(traits, recovery.Planned, 0)
		w.settle()
		w.app = false
		r := w.request("A")
		w.begin(0, r)
		for w.groups[east].Annotations[vgrv1.AnnotationOperation] == "" || w.groups[west].Annotations[vgrv1.AnnotationOperation] == "" {
			w.advance()
		}
		for i := range sites {
			g := w.groups[i].DeepCopy()
			var op recovery.Operation
			if err := json.Unmarshal([]byte(g.Annotations[vgrv1.AnnotationOperation]), &op); err != nil {
				t.Fatal(err)
			}
			op.Steps = append(op.Steps, recovery.StepTimes{ID: "reseal", Started: metav1.NowMicro()})
			data, err := json.Marshal(op)
			if err != nil {
				t.Fatal(err)
			}
			g.Annotations[vgrv1.AnnotationOperation] = string(data)
			w.change(i, g)
		}
		w.tools[0].die()
		before := [2]string{w.groups[east].ResourceVersion, w.groups[west].ResourceVersion}
		if end := w.run(r); !strings.Contains(end, `a step "reseal" that this version does not know`) {
			t.Errorf("%s: %s", name, end)
		}
		if after := [2]string{w.groups[east].ResourceVersion, w.groups[west].ResourceVersion}; after != before {
			t.Errorf("%s: the groups were %v and are %v", name, before, after)
		}
	}
}
