// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package array_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

const (
	east array.Site = "east"
	west array.Site = "west"
)

// look is how long it takes until both daemons have looked.
const look = array.DefaultStatusInterval

// bench is an array with one image on east and a clock to turn.
type bench struct {
	*array.Array
	clock  *clocktesting.FakePassiveClock
	volume string
}

func newBench() *bench { return newBenchOf(array.Options{}) }

func newBenchOf(o array.Options) *bench {
	clock := clocktesting.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	o.Sites, o.Clock, o.TransferTime = [2]array.Site{east, west}, clock, time.Second
	a := array.New(o)
	return &bench{Array: a, clock: clock, volume: a.CreateImage(east, "pvc-1", 1<<30)}
}

func (b *bench) pass(d time.Duration) { b.clock.SetTime(b.clock.Now().Add(d)) }

func (b *bench) target() array.Target { return array.Target{Volume: b.volume} }

// act is one line of a story: a step and what it answers ("" is success).
type act struct {
	do   func(b *bench) error
	want array.Code
}

func enableEast() func(*bench) error {
	return func(b *bench) error {
		return b.Enable(east, b.target(), array.Parameters{"schedulingInterval": "1m"})
	}
}

func disable(s array.Site) func(*bench) error {
	return func(b *bench) error { return b.Disable(s, b.target()) }
}

func promote(s array.Site) func(*bench) error {
	return func(b *bench) error {
		return b.Promote(s, b.target(), false, array.Parameters{"schedulingInterval": "1m"})
	}
}

func force(s array.Site) func(*bench) error {
	return func(b *bench) error {
		return b.Promote(s, b.target(), true, array.Parameters{"schedulingInterval": "1m"})
	}
}

func demote(s array.Site) func(*bench) error {
	return func(b *bench) error { return b.Demote(s, b.target()) }
}

func resync(s array.Site, forced, wantReady bool) func(*bench) error {
	return func(b *bench) error {
		ready, err := b.Resync(s, b.target(), forced)
		if err == nil && ready != wantReady {
			return fmt.Errorf("resync on %s: ready is %t, want %t", s, ready, wantReady)
		}
		return err
	}
}

func info(s array.Site) func(*bench) error {
	return func(b *bench) error { _, err := b.Info(s, b.target()); return err }
}

func attach(s array.Site, attached bool) func(*bench) error {
	return func(b *bench) error { return b.Attach(s, b.volume, attached) }
}

func write(s array.Site, n int64) func(*bench) error {
	return func(b *bench) error { return b.Write(s, b.volume, n) }
}
func link(up bool) func(*bench) error { return func(b *bench) error { b.SetLink(up); return nil } }
func daemon(s array.Site, up bool) func(*bench) error {
	return func(b *bench) error { b.SetDaemon(s, up); return nil }
}

func pass(d time.Duration) func(*bench) error {
	return func(b *bench) error { b.pass(d); return nil }
}

func holds(s array.Site, want int64) func(*bench) error {
	return func(b *bench) error {
		img, _ := b.Image(b.volume)
		if got := img.Copies[s].Writes; got != want {
			return fmt.Errorf("%s holds %d writes, want %d", s, got, want)
		}
		return nil
	}
}

func splitBrain(want bool) func(*bench) error {
	return func(b *bench) error {
		if img, _ := b.Image(b.volume); img.SplitBrain != want {
			return fmt.Errorf("split brain is %t, want %t", img.SplitBrain, want)
		}
		return nil
	}
}

// mirrored is how most stories begin: east primary with ten writes, all of them on west.
func mirrored(rest ...act) []act {
	return append([]act{{do: write(east, 10)}, {do: enableEast()}, {do: promote(east)}, {do: pass(time.Second)}, {do: holds(west, 10)}}, rest...)
}

func TestStories(t *testing.T) {
	cases := map[string][]act{
		"a volume that is not mirrored": {
			{do: promote(east), want: array.InvalidArgument},
			{do: demote(east), want: array.InvalidArgument},
			{do: resync(east, false, false), want: array.InvalidArgument},
			{do: info(east), want: array.InvalidArgument},
			{do: disable(east)},
			{do: promote(west), want: array.NotFound},
		},
		"the peer has the image once the first snapshot arrived": {
			{do: enableEast()},
			{do: demote(west), want: array.NotFound},
			{do: pass(time.Second)},
			{do: demote(west)},
		},
		"info needs a primary and a first synchronization": {
			{do: enableEast()},
			{do: promote(east)},
			{do: info(east), want: array.FailedPrecondition},
			{do: pass(time.Second)},
			{do: info(east)},
			{do: info(west), want: array.InvalidArgument},
		},
		"a healthy secondary is never ready under a live primary": mirrored(
			act{do: resync(west, false, false)}, act{do: resync(east, false, false), want: array.InvalidArgument},
		),
		"writes wait for the schedule": mirrored(
			act{do: write(east, 5)}, act{do: pass(30 * time.Second)}, act{do: holds(west, 10)},
			act{do: pass(31 * time.Second)}, act{do: holds(west, 15)}, act{do: write(west, 1), want: array.FailedPrecondition},
		),
		"a planned failover loses nothing": mirrored(
			act{do: write(east, 5)}, act{do: promote(west), want: array.FailedPrecondition},
			act{do: demote(east)}, act{do: resync(east, false, false), want: array.Internal}, act{do: resync(west, false, false)},
			act{do: promote(west), want: array.FailedPrecondition}, act{do: pass(look)},
			act{do: resync(east, false, true)}, act{do: resync(west, false, true)},
			act{do: promote(west)}, act{do: holds(west, 15)}, act{do: splitBrain(false)},
			act{do: write(west, 1)}, act{do: pass(61*time.Second + look)}, act{do: holds(east, 16)}, act{do: info(west)},
		),
		"a demotion that has arrived is shown when the daemons look": mirrored(
			act{do: demote(east)}, act{do: pass(2 * time.Second)}, act{do: shows(east, "stopped")}, act{do: shows(west, "replaying")},
			act{do: resync(west, false, false)}, act{do: resync(east, false, false), want: array.Internal},
			act{do: pass(look)}, act{do: shows(east, "unknown")}, act{do: shows(west, "unknown")}, act{do: resync(west, false, true)},
		),
		"the first time after a hand-over is that of a scheduled snapshot, and shown late": mirrored(
			act{do: demote(east)}, act{do: pass(look)}, act{do: promote(west)}, act{do: shows(east, "unknown")},
			act{do: info(west), want: array.FailedPrecondition}, act{do: pass(look)}, act{do: shows(east, "replaying")},
			act{do: pass(time.Second)}, act{do: info(west), want: array.FailedPrecondition},
			act{do: pass(30 * time.Second)}, act{do: holds(east, 10)}, act{do: info(west), want: array.FailedPrecondition},
			act{do: pass(look)}, act{do: info(west)},
		),
		"ready is left of the hand-over before, and writes are lost": mirrored(
			act{do: demote(east)}, act{do: pass(look)}, act{do: resync(west, false, true)}, act{do: promote(west)}, act{do: write(west, 7)},
			act{do: demote(west)}, act{do: resync(west, false, true)}, act{do: resync(east, false, true)},
			act{do: promote(east)}, act{do: holds(east, 10)}, act{do: holds(west, 17)}, act{do: splitBrain(true)},
			act{do: pass(look)}, act{do: shows(west, "error")}, act{do: info(east), want: array.FailedPrecondition},
		),
		"a source that the copy never followed is shown in sync for good": mirrored(
			act{do: demote(east)}, act{do: pass(look)}, act{do: promote(west)}, act{do: write(west, 7)}, act{do: demote(west)},
			act{do: pass(time.Hour)}, act{do: resync(west, false, true)}, act{do: resync(east, false, true)}, act{do: holds(east, 10)},
			act{do: promote(west)}, act{do: pass(look + time.Second)}, act{do: holds(east, 17)}, act{do: splitBrain(false)},
		),
		"a split pair is shown in sync once both are demoted, and the stale side can be promoted": mirrored(
			act{do: write(east, 5)}, act{do: force(west)}, act{do: write(west, 3)}, act{do: demote(east)}, act{do: pass(look)},
			act{do: shows(east, "error")}, act{do: shows(west, "stopped")}, act{do: demote(west)}, act{do: pass(look)},
			act{do: resync(west, false, true)}, act{do: resync(east, false, true)}, act{do: promote(east)}, act{do: splitBrain(true)}, act{do: holds(east, 15)},
		),
		"an old demotion is promoted beside the primary, without a trace": mirrored(
			act{do: demote(east)}, act{do: pass(look)}, act{do: promote(west)}, act{do: promote(east)}, act{do: splitBrain(true)},
		),
		"a copy that has followed since is not promoted": mirrored(
			act{do: demote(east)}, act{do: pass(look)}, act{do: promote(west)}, act{do: pass(look + time.Second)},
			act{do: promote(east), want: array.FailedPrecondition},
		),
		"a demotion before the peer has a copy": {
			{do: write(east, 5)},
			{do: enableEast()},
			{do: promote(east)},
			{do: demote(east)},
			{do: pass(500 * time.Millisecond)},
			{do: func(b *bench) error { return b.SetStatusInterval(100 * time.Millisecond) }},
			{do: pass(time.Second)},
			{do: holds(west, 5)},
			{do: resync(east, false, true)},
			{do: resync(east, true, false), want: array.Unavailable},
			{do: pass(2 * time.Second)},
			{do: resync(east, true, true)},
			{do: holds(east, 5)},
		},
		"a demotion taken back": mirrored(
			act{do: write(east, 5)}, act{do: demote(east)}, act{do: promote(east)}, act{do: splitBrain(false)},
			act{do: pass(look + time.Second)}, act{do: holds(west, 15)}, act{do: shows(west, "replaying")},
		),
		"a daemon that starts shows nothing until all is there": mirrored(
			act{do: daemon(west, false)}, act{do: write(east, 5)}, act{do: demote(east)}, act{do: pass(time.Hour)}, act{do: shows(east, "unknown")},
			act{do: daemon(west, true)}, act{do: shows(west, "replaying")}, act{do: pass(time.Second)}, act{do: holds(west, 15)},
			act{do: shows(west, "replaying")}, act{do: pass(look)}, act{do: shows(west, "unknown")}, act{do: resync(east, false, true)},
		),
		"an attached volume is not demoted": mirrored(
			act{do: attach(east, true)}, act{do: demote(east), want: array.FailedPrecondition},
			act{do: attach(east, false)}, act{do: demote(east)},
		),
		"a demotion does not cross a dead link": mirrored(
			act{do: link(false)}, act{do: demote(east)}, act{do: pass(time.Hour)},
			act{do: resync(west, false, false), want: array.Internal}, act{do: promote(west), want: array.FailedPrecondition},
			act{do: link(true)}, act{do: pass(look + time.Second)}, act{do: holds(west, 10)}, act{do: promote(west)},
		),
		"an unplanned failover loses what was not replicated, and the old primary is resynced by force": mirrored(
			act{do: write(east, 5)}, act{do: link(false)}, act{do: promote(west), want: array.FailedPrecondition},
			act{do: force(west)}, act{do: splitBrain(true)}, act{do: holds(west, 10)}, act{do: write(west, 3)},
			act{do: link(true)}, act{do: pass(look)}, act{do: info(east), want: array.FailedPrecondition}, act{do: info(west), want: array.FailedPrecondition},
			act{do: demote(east)}, act{do: resync(east, false, false), want: array.Internal}, act{do: holds(east, 15)},
			act{do: pass(look)}, act{do: shows(east, "error")}, act{do: resync(east, false, false), want: array.Internal},
			act{do: resync(east, true, false), want: array.Unavailable}, act{do: holds(east, 15)}, act{do: pass(look - time.Second)},
			act{do: resync(east, true, false), want: array.NotFound}, act{do: pass(time.Second)},
			act{do: resync(east, true, false)}, act{do: splitBrain(false)}, act{do: holds(east, 13)}, act{do: info(west)},
		),
		"a promotion forced before the demotion crossed is a split brain": mirrored(
			act{do: write(east, 5)}, act{do: demote(east)}, act{do: force(west)}, act{do: splitBrain(true)}, act{do: holds(west, 10)},
		),
		"a forced resync before the demotion crossed throws writes away": mirrored(
			act{do: daemon(west, false)}, act{do: write(east, 5)}, act{do: demote(east)}, act{do: resync(east, true, false), want: array.Unavailable},
			act{do: pass(look + time.Second)}, act{do: holds(east, 10)}, act{do: holds(west, 10)},
		),
		"a secondary is disabled only under a live primary": mirrored(
			act{do: disable(west)}, act{do: link(false)}, act{do: pass(look)}, act{do: disable(west), want: array.InvalidArgument}, act{do: link(true)}, act{do: pass(look)},
			act{do: demote(east)}, act{do: pass(look)}, act{do: disable(west), want: array.InvalidArgument},
			act{do: promote(west)}, act{do: disable(east), want: array.InvalidArgument}, act{do: pass(look)}, act{do: disable(east)},
			act{do: disable(west)}, act{do: promote(east), want: array.NotFound},
		),
		"a dead link looks healthy, a dead daemon does not": mirrored(
			act{do: link(false)}, act{do: info(east)}, act{do: pass(time.Hour)}, act{do: healthIs(array.Healthy)},
			act{do: daemon(east, false)}, act{do: healthIs(array.Degraded)},
		),
		"nothing arrives where no daemon runs": mirrored(
			act{do: write(east, 1)}, act{do: daemon(west, false)}, act{do: pass(time.Hour)}, act{do: holds(west, 10)},
			act{do: daemon(west, true)}, act{do: pass(time.Second)}, act{do: holds(west, 11)},
		),
		"a link that comes back is noticed when the daemon looks": mirrored(
			act{do: link(false)}, act{do: write(east, 1)}, act{do: pass(time.Hour)}, act{do: link(true)}, act{do: pass(time.Second)}, act{do: holds(west, 10)},
			act{do: pass(look + time.Second)}, act{do: holds(west, 11)},
		),
		"daemons that look more often": mirrored(
			act{do: func(b *bench) error { return b.SetStatusInterval(5 * time.Second) }},
			act{do: demote(east)}, act{do: pass(4 * time.Second)}, act{do: shows(west, "replaying")}, act{do: pass(time.Second)}, act{do: shows(west, "unknown")},
		),
		"a schedule that ceph-csi refuses": {
			{do: func(b *bench) error {
				return b.Enable(east, b.target(), array.Parameters{"schedulingInterval": "90s"})
			}, want: array.InvalidArgument},
		},
	}
	for name, story := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			for i, a := range story {
				err := a.do(b)
				if got := array.CodeOf(err); got != a.want {
					t.Fatalf("step %d: got %q (%v), want %q\n%+v", i, got, err, a.want, b.State())
				}
			}
		})
	}
}

// shows is what the daemon of a site shows there of its copy.
func shows(s array.Site, want string) func(*bench) error {
	return func(b *bench) error {
		img, _ := b.Image(b.volume)
		if got := img.Copies[s].Mirror; got != want {
			return fmt.Errorf("%s shows %q, want %q", s, got, want)
		}
		return nil
	}
}

// TestBackToBack moves a volume six times, with writes after each move, by two proofs of sync: that the driver
// says ready, which is what planners of today take, and that in addition the primary has reported a synchronisation
// since it became primary.
func TestBackToBack(t *testing.T) {
	for name, tc := range map[string]struct {
		fresh bool
		lost  bool
	}{"ready alone": {false, true}, "a fresh synchronisation and ready": {true, false}} {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			for _, a := range mirrored() {
				if err := a.do(b); err != nil {
					t.Fatal(err)
				}
			}
			from, to := east, west
			since := b.clock.Now()
			until := func(what string, done func() bool) {
				t.Helper()
				for range 300 {
					if done() {
						return
					}
					b.pass(time.Second)
				}
				t.Fatalf("never: %s", what)
			}
			lost := int64(0)
			for range 6 {
				if err := b.Write(from, b.volume, 5); err != nil {
					t.Fatal(err)
				}
				if tc.fresh {
					until("a fresh synchronisation", func() bool {
						info, err := b.Info(from, b.target())
						return err == nil && info.LastSync.Time.After(since)
					})
				}
				if err := b.Demote(from, b.target()); err != nil {
					t.Fatal(err)
				}
				until("ready", func() bool {
					ready, err := b.Resync(from, b.target(), false)
					return err == nil && ready
				})
				if err := promote(to)(b); err != nil {
					t.Fatal(err)
				}
				since = b.clock.Now()
				img, _ := b.Image(b.volume)
				lost = img.Acknowledged - img.Copies[to].Writes
				from, to = to, from
			}
			if (lost > 0) != tc.lost {
				t.Errorf("%d acknowledged writes are lost", lost)
			}
		})
	}
}

func TestFastImages(t *testing.T) {
	b := newBench()
	b.volume = b.CreateFastImage(east, "pvc-fast", 1<<30)
	every := array.Parameters{"schedulingInterval": "5s"}
	for i, do := range []func() error{
		func() error { return b.Enable(east, b.target(), every) },
		func() error { return b.Promote(east, b.target(), false, every) },
		func() error { b.pass(time.Second); return b.Demote(east, b.target()) },
		func() error { b.pass(array.DefaultFastStatusInterval); return resync(east, false, true)(b) },
		func() error { return b.Promote(west, b.target(), false, every) },
		func() error { b.pass(5*time.Second + 2*array.DefaultFastStatusInterval); return info(west)(b) },
	} {
		if err := do(); err != nil {
			t.Fatalf("step %d: %v\n%+v", i, err, b.State())
		}
	}
}

func healthIs(want array.Health) func(*bench) error {
	return func(b *bench) error {
		got, err := b.Info(east, b.target())
		if err == nil && got.Health != want {
			return fmt.Errorf("health is %s, want %s", got.Health, want)
		}
		return err
	}
}

func TestScheduleKeepsItsTimes(t *testing.T) {
	b := newBench()
	start := b.clock.Now()
	for _, do := range []func(*bench) error{enableEast(), promote(east), pass(10*time.Minute + 30*time.Second)} {
		if err := do(b); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.Info(east, b.target())
	if err != nil {
		t.Fatal(err)
	}
	want := array.Sync{Time: start.Add(10 * time.Minute), Duration: time.Second, Bytes: 4096}
	if diff := cmp.Diff(want, got.LastSync); diff != "" {
		t.Error("last synchronization (-want +got):\n" + diff)
	}
}

// TestUpstreamGroup: no upstream Ceph mirrors groups, and this is how that shows.
func TestUpstreamGroup(t *testing.T) {
	b := newBench()
	place := array.Parameters{"clusterID": "rook-ceph", "pool": "replicapool"}
	if _, err := b.CreateGroup(east, "group", []string{b.volume}, nil); err == nil || err.Error() != "clusterID must be set" {
		t.Errorf("no clusterID: %v", err)
	}
	if _, err := b.CreateGroup(east, "group", []string{b.volume}, array.Parameters{"clusterID": "rook-ceph"}); err == nil || err.Error() != "pool must be set" {
		t.Errorf("no pool: %v", err)
	}
	handle, err := b.CreateGroup(east, "group", []string{b.volume}, place)
	if err != nil {
		t.Fatal(err)
	}
	group := array.Target{Group: handle}
	for what, err := range map[string]error{
		"enable": b.Enable(east, group, nil), "promote": b.Promote(east, group, false, nil), "demote": b.Demote(east, group), "disable": b.Disable(east, group),
	} {
		if array.CodeOf(err) != array.NotFound || err.Error() != "volume "+handle+" not found" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := b.DeleteGroup(east, handle); err != nil {
		t.Error(err)
	}
	if err := b.DeleteGroup(east, handle); err == nil || err.Error() != "BUG: name is not set" {
		t.Errorf("deleted again: %v", err)
	}
}

func TestGroup(t *testing.T) {
	b := newBenchOf(array.Options{VendorBuild: true})
	second := b.CreateImage(east, "pvc-2", 1<<30)
	handle, err := b.CreateGroup(east, "group", []string{b.volume}, array.Parameters{"clusterID": "rook-ceph", "pool": "replicapool"})
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.CreateGroup(east, "group", []string{b.volume}, array.Parameters{"clusterID": "rook-ceph", "pool": "replicapool"})
	if err != nil || again != handle {
		t.Fatalf("creating the group again: %s, %v; want %s", again, err, handle)
	}
	group := array.Target{Group: handle}
	params := array.Parameters{"schedulingInterval": "1m"}
	steps := []func() error{
		func() error { return b.Enable(east, group, params) },
		func() error { return b.Promote(east, group, false, params) },
		func() error { b.pass(time.Second); return nil },
		func() error { return b.ModifyGroup(west, handle, []string{b.volume}) },
		func() error { return b.ModifyGroup(east, handle, []string{b.volume, second}) },
		func() error { b.pass(time.Second); return nil },
		func() error { return b.ModifyGroup(west, handle, []string{b.volume, second}) },
		func() error { return b.Demote(west, group) },
		func() error { return b.Attach(east, second, true) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if got := array.CodeOf(b.Demote(east, group)); got != array.FailedPrecondition {
		t.Errorf("demote with an attached member: %q", got)
	}
	if img, _ := b.Image(b.volume); !img.Copies[east].Primary {
		t.Error("one member was demoted although the group was refused")
	}
	if err := b.ModifyGroup(east, handle, []string{b.volume}); err != nil {
		t.Fatal(err)
	}
	if img, _ := b.Image(second); img.Mirrored {
		t.Error("the image that left the group is still mirrored")
	}
	if err := b.Demote(east, group); err != nil {
		t.Errorf("demote without the attached member: %v", err)
	}
}
