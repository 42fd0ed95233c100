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

// bench is an array with one image on east and a clock to turn.
type bench struct {
	*array.Array
	clock  *clocktesting.FakePassiveClock
	volume string
}

func newBench() *bench {
	clock := clocktesting.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	a := array.New(array.Options{Sites: [2]array.Site{east, west}, Clock: clock, TransferTime: time.Second})
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
			act{do: promote(west), want: array.FailedPrecondition}, act{do: pass(time.Second)},
			act{do: resync(east, false, true)}, act{do: resync(west, false, true)},
			act{do: promote(west)}, act{do: holds(west, 15)}, act{do: splitBrain(false)},
			act{do: write(west, 1)}, act{do: pass(61 * time.Second)}, act{do: holds(east, 16)}, act{do: info(west)},
		),
		"an attached volume is not demoted": mirrored(
			act{do: attach(east, true)}, act{do: demote(east), want: array.FailedPrecondition},
			act{do: attach(east, false)}, act{do: demote(east)},
		),
		"a demotion does not cross a dead link": mirrored(
			act{do: link(false)}, act{do: demote(east)}, act{do: pass(time.Hour)},
			act{do: resync(west, false, false), want: array.Internal}, act{do: promote(west), want: array.FailedPrecondition},
			act{do: link(true)}, act{do: pass(time.Second)}, act{do: resync(west, false, true)}, act{do: promote(west)},
		),
		"an unplanned failover loses what was not replicated, and the old primary is resynced by force": mirrored(
			act{do: write(east, 5)}, act{do: link(false)}, act{do: promote(west), want: array.FailedPrecondition},
			act{do: force(west)}, act{do: splitBrain(true)}, act{do: holds(west, 10)}, act{do: write(west, 3)},
			act{do: link(true)}, act{do: info(east), want: array.FailedPrecondition}, act{do: info(west), want: array.FailedPrecondition},
			act{do: demote(east)}, act{do: resync(east, false, false), want: array.Internal}, act{do: holds(east, 15)},
			act{do: resync(east, true, false), want: array.Internal}, act{do: pass(time.Second)},
			act{do: resync(east, true, false)}, act{do: splitBrain(false)}, act{do: holds(east, 13)}, act{do: info(west)},
		),
		"a promotion forced before the demotion crossed is a split brain": mirrored(
			act{do: write(east, 5)}, act{do: demote(east)}, act{do: force(west)}, act{do: splitBrain(true)}, act{do: holds(west, 10)},
		),
		"a forced resync before the demotion crossed throws writes away": mirrored(
			act{do: write(east, 5)}, act{do: demote(east)}, act{do: resync(east, true, false), want: array.Internal},
			act{do: pass(time.Second)}, act{do: holds(east, 10)}, act{do: holds(west, 10)},
		),
		"a secondary is disabled only under a live primary": mirrored(
			act{do: disable(west)}, act{do: link(false)}, act{do: disable(west), want: array.InvalidArgument}, act{do: link(true)},
			act{do: demote(east)}, act{do: pass(time.Second)}, act{do: disable(west), want: array.InvalidArgument},
			act{do: promote(west)}, act{do: disable(east)}, act{do: disable(west)}, act{do: promote(east), want: array.NotFound},
		),
		"a dead link looks healthy, a dead daemon does not": mirrored(
			act{do: link(false)}, act{do: info(east)}, act{do: pass(time.Hour)}, act{do: healthIs(array.Healthy)},
			act{do: daemon(east, false)}, act{do: healthIs(array.Degraded)},
		),
		"nothing arrives where no daemon runs": mirrored(
			act{do: write(east, 1)}, act{do: daemon(west, false)}, act{do: pass(time.Hour)}, act{do: holds(west, 10)},
			act{do: daemon(west, true)}, act{do: pass(time.Second)}, act{do: holds(west, 11)},
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

func TestGroup(t *testing.T) {
	b := newBench()
	second := b.CreateImage(east, "pvc-2", 1<<30)
	handle, err := b.CreateGroup(east, "group", []string{b.volume})
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.CreateGroup(east, "group", []string{b.volume})
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
