// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"flag"
	"fmt"
	"hash/maphash"
	"maps"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// storages are the kinds of backends that traits can describe.
var storages = map[string]backend.Traits{
	"demote, prove, promote": {Fences: true, ConfirmsSync: true},
	"handover at the source": {Fences: true, HandsOver: true},
	"promote first":          {PromoteFirst: true},
	bySnapshot:               {PromoteFirst: true},
}

// bare is csi-addons directly below, whose objects no controller of ours watches or guards.
const bare = "csi-addons alone"

// bySnapshot is a storage that promotes to a snapshot of all volumes.
const bySnapshot = "promote first, to a snapshot"

var moreFaults = flag.Int("faults", 0, "how many more faults than usual TestExplore lets happen on one way; each takes five times as long")

var thorough = flag.Bool("thorough", false, "let two tools see old pictures as well: four minutes instead of one")

// TestExplore walks through every state that tools, controllers, storage and faults can reach
// together, and looks at each of them. A violation is shown with the shortest way to it.
func TestExplore(t *testing.T) {
	old := debug.SetGCPercent(400) // all that is made is kept
	scenarios := map[string]func(backend.Traits) world{
		"planned":            func(t backend.Traits) world { return newWorld(t, recovery.Planned, 1) },
		"planned, two tools": func(t backend.Traits) world { w := newWorld(t, recovery.Planned, 0); w.together = true; return w },
		"planned and aborted": func(t backend.Traits) world {
			w := newWorld(t, recovery.Planned, 0)
			w.together, w.mayAbort = true, true
			return w
		},
		"planned, then forced": func(t backend.Traits) world {
			w := newWorld(t, recovery.Planned, 1)
			w.settle()
			w.together, w.mayForce, w.cutOff = true, true, east
			return w
		},
		"planned, another tool asks for primary":   func(t backend.Traits) world { w := newWorld(t, recovery.Planned, 0); w.edits = 1; return w },
		"unplanned, another tool asks for primary": func(t backend.Traits) world { w := newWorld(t, recovery.Unplanned, 0); w.edits = 1; return w },
		"failback, another tool asks for primary":  func(t backend.Traits) world { w := newReturnedWorld(t); w.faults, w.edits = 0, 1; return w },
		"planned, late, another tool asks for primary": func(t backend.Traits) world {
			w := late(newWorld(t, recovery.Planned, 0))
			w.edits = 1
			return w
		},
		"unplanned, late, another tool asks for primary": func(t backend.Traits) world {
			w := late(newWorld(t, recovery.Unplanned, 0))
			w.edits = 1
			return w
		},
		"failback, late, another tool asks for primary": func(t backend.Traits) world {
			w := late(newReturnedWorld(t))
			w.edits = 1
			return w
		},
		"planned, another tool asks for any role":       func(t backend.Traits) world { return edited(newWorld(t, recovery.Planned, 0)) },
		"planned, late, another tool asks for any role": func(t backend.Traits) world { return edited(late(newWorld(t, recovery.Planned, 0))) },
		"failback, another tool asks for any role":      func(t backend.Traits) world { w := edited(newReturnedWorld(t)); w.faults = 0; return w },
		"planned, made anew":                            func(t backend.Traits) world { w := newWorld(t, recovery.Planned, 0); w.remakes = 1; return w },
		"roles": func(t backend.Traits) world {
			w := newWorld(t, recovery.Planned, 0)
			w.menu = []recovery.Request{{Kind: recovery.Demote, To: sites[west]}, {Kind: recovery.Promote, To: sites[west]}, {Kind: recovery.Planned, To: sites[west]}}
			if *thorough {
				w.menu = append(w.menu, recovery.Request{Kind: recovery.Promote, To: sites[east]})
			}
			if *thorough && !t.PromoteFirst { // what uses the PVCs on west is not in the model
				w.menu = append(w.menu, recovery.Request{Kind: recovery.Planned, To: sites[east]})
			}
			return w
		},
		"roles, another tool asks for primary": func(t backend.Traits) world {
			w := newWorld(t, recovery.Planned, 0)
			w.edits, w.menu = 1, []recovery.Request{{Kind: recovery.Demote, To: sites[west]}, {Kind: recovery.Demote, To: sites[east]}}
			if *thorough {
				w.menu = append(w.menu, recovery.Request{Kind: recovery.Promote, To: sites[west]})
			}
			return w
		},
		"unplanned": func(t backend.Traits) world {
			w := newWorld(t, recovery.Unplanned, 1)
			w.settle()
			w.up[east] = false
			return w
		},
		"unplanned, the source answers": func(t backend.Traits) world { w := newWorld(t, recovery.Unplanned, 1); w.settle(); return w },
		"failback":                      newSplitWorld,
		"failback, asked to give way":   newReturnedWorld,
		"reprotect":                     func(t backend.Traits) world { return reprotected(newSplitWorld(t)) },
		"reprotect, asked to give way":  func(t backend.Traits) world { return reprotected(newReturnedWorld(t)) },
		"planned, quiesced":             func(t backend.Traits) world { return quiesced(newWorld(t, recovery.Planned, 1)) },
		"planned, quiesced and aborted": func(t backend.Traits) world {
			w := quiesced(newWorld(t, recovery.Planned, 1))
			w.mayAbort = true
			return w
		},
		"planned, late":           func(t backend.Traits) world { return late(newWorld(t, recovery.Planned, 0)) },
		"planned, quiesced, late": func(t backend.Traits) world { return late(quiesced(newWorld(t, recovery.Planned, 0))) },
		"unplanned, late":         func(t backend.Traits) world { return late(newWorld(t, recovery.Unplanned, 0)) },
		"failback, late":          func(t backend.Traits) world { return late(newSplitWorld(t)) },
	}
	perVolume := map[string]func(backend.Traits) world{
		"planned, each volume on its own": func(t backend.Traits) world { return inTwo(newWorld(t, recovery.Planned, 0)) },
	}
	if *thorough {
		scenarios["planned, two tools, late"] = func(t backend.Traits) world { w := late(newWorld(t, recovery.Planned, 0)); w.together = true; return w }
	}
	t.Cleanup(func() { debug.SetGCPercent(old) })
	if raceEnabled {
		t.Skip("nothing runs at the same time here, and the race detector makes it many times slower; make test runs it without")
	}
	explored := maps.Clone(storages)
	explored[bare] = backend.Traits{Fences: true, ConfirmsSync: true}
	for name, traits := range explored {
		all := scenarios
		switch {
		case name == bare: // nothing refuses a second primary that another tool asks for
			all = maps.Clone(scenarios)
			maps.DeleteFunc(all, func(scenario string, _ func(backend.Traits) world) bool {
				return strings.Contains(scenario, "another tool") || strings.Contains(scenario, "made anew")
			})
			all["planned, another tool changes the source"] = func(t backend.Traits) world {
				w := newWorld(t, recovery.Planned, 0)
				w.edits, w.anyRole = 2, true
				return w
			}
		case traits.ConfirmsSync:
			all = maps.Clone(scenarios)
			maps.Copy(all, perVolume)
		}
		for scenario, start := range all {
			t.Run(name+"/"+scenario, func(t *testing.T) {
				t.Parallel()
				w := start(traits)
				if name == bare {
					w = bared(w)
				}
				if w.snapshots = name == bySnapshot; w.snapshots {
					w.report(east)
					w.report(west)
				}
				w.faults += *moreFaults
				explore(t, w)
			})
		}
	}
}

// inTwo has a group of two volumes that the backend replicates each on its own.
func inTwo(w world) world {
	w.perVolume, w.second = true, w.volume
	return w
}

// late has a tool that may see a site as it was.
func late(w world) world {
	w.late, w.faults = true, 0
	return w
}

// reprotected has tools that bring east back as the copy of west, which stays primary.
func reprotected(w world) world {
	// Without DiscardSurvivor it is refused while nothing says which of two primaries was given up.
	w.menu = []recovery.Request{{Kind: recovery.Resync, To: sites[east], UnlessFollows: true, DiscardSurvivor: true}}
	return w
}

// edited has another tool that asks for any role once.
func edited(w world) world {
	w.edits, w.anyRole = 1, true
	return w
}

// quiesced has an application that can be stopped and started.
func quiesced(w world) world {
	w.quiesce, w.app, w.replicas = true, true, [2]int32{east: 1}
	return w
}

// node is a state and how it was reached.
type node struct {
	world  *world // nil once it was visited: only the way to it counts then
	parent int
	event  string
}

func explore(t *testing.T, start world) {
	t.Helper()
	nodes := []node{{world: &start, parent: -1, event: "start"}}
	// Two hashes of 64 bits tell a hundred million states apart, but for one chance in 10^22.
	one, two := maphash.MakeSeed(), maphash.MakeSeed()
	hash := func(b []byte) [2]uint64 { return [2]uint64{maphash.Bytes(one, b), maphash.Bytes(two, b)} }
	seen := map[[2]uint64]bool{hash(start.key(nil)): true}
	var (
		schedules int
		next      world
		buffer    []byte
	)
	calmed, ends := map[string]bool{}, map[string]int{}
	for i := 0; i < len(nodes); i++ {
		w := nodes[i].world
		nodes[i].world = nil
		fail := func(what string) {
			t.Helper()
			t.Fatalf("%s\n%s\nin %q", what, trace(nodes, i), w.key(nil))
		}
		if broken := w.invariant(); broken != "" {
			fail(broken)
		}
		if truth := string(w.truth(nil)); !calmed[truth] {
			calmed[truth] = true
			end, stuck := w.calm()
			if stuck != "" {
				fail("a new run does not end it: " + stuck)
			}
			ends[end]++
		}
		if i%20000 == 19999 {
			t.Logf("%d of %d states", i, len(nodes))
		}
		w.events(func(name string, change func(*world)) {
			schedules++
			next = *w // one place for all of them: most were seen before
			change(&next)
			buffer = next.key(buffer[:0])
			if key := hash(buffer); !seen[key] {
				seen[key] = true
				kept := next
				nodes = append(nodes, node{world: &kept, parent: i, event: name})
			}
		})
	}
	t.Logf("%d states, %d events; after a crash in each of %d situations: %v", len(nodes), schedules, len(calmed), ends)
	if ends["done"] == 0 {
		t.Error("nothing was ever done")
	}
}

func trace(nodes []node, i int) string {
	var lines []string
	for ; i >= 0; i = nodes[i].parent {
		lines = append([]string{"  " + nodes[i].event}, lines...)
	}
	return fmt.Sprintf("%d events:\n%s", len(lines), strings.Join(lines, "\n"))
}
