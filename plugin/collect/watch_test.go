// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	clocktesting "k8s.io/utils/clock/testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

func version(name, version string) *vgrv1.VolumeGroupReplication {
	return &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name, UID: types.UID("uid-" + name), ResourceVersion: version}}
}

func listed(groups ...*vgrv1.VolumeGroupReplication) overview.SiteInput {
	in := overview.SiteInput{Site: overview.Site{Answered: true}}
	for _, g := range groups {
		in.Groups = append(in.Groups, *g)
	}
	return in
}

func follower(in overview.SiteInput) *Follower {
	f := &Follower{sites: []*site.Site{nil}, known: make([]siteKnown, 1), changed: make(chan struct{}, 1)}
	f.known[0].replace(in)
	return f
}

// TestFollower: what is newer stays, whether it comes from a list, a watch or our own write; who has
// an input keeps what it was.
func TestFollower(t *testing.T) {
	for name, tc := range map[string]struct {
		happens func(f *Follower)
		want    map[string]string
	}{
		"nothing":            {func(*Follower) {}, map[string]string{"one": "5", "two": "5"}},
		"a change":           {func(f *Follower) { f.apply(0, watch.Modified, version("one", "6")) }, map[string]string{"one": "6", "two": "5"}},
		"an old change":      {func(f *Follower) { f.apply(0, watch.Modified, version("one", "4")) }, map[string]string{"one": "5", "two": "5"}},
		"longer is no older": {func(f *Follower) { f.apply(0, watch.Modified, version("one", "10")) }, map[string]string{"one": "10", "two": "5"}},
		"a new one":          {func(f *Follower) { f.apply(0, watch.Added, version("three", "7")) }, map[string]string{"one": "5", "two": "5", "three": "7"}},
		"one goes":           {func(f *Follower) { f.apply(0, watch.Deleted, version("one", "6")) }, map[string]string{"two": "5"}},
		"an old list after a write": {func(f *Follower) {
			f.Put(0, version("one", "8"))
			f.set(0, listed(version("one", "7"), version("two", "7")))
		}, map[string]string{"one": "8", "two": "7"}},
		"a list without one": {func(f *Follower) { f.set(0, listed(version("two", "7"))) }, map[string]string{"two": "7"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := follower(listed(version("one", "5"), version("two", "5")))
			before := f.Inputs()
			tc.happens(f)
			got := map[string]string{}
			for _, g := range f.Inputs()[0].Groups {
				got[g.Name] = g.ResourceVersion
			}
			if !maps.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if old := before[0].Groups; len(old) != 2 || slices.ContainsFunc(old, func(g vgrv1.VolumeGroupReplication) bool { return g.ResourceVersion != "5" }) {
				t.Errorf("the input of before has changed: %v", old)
			}
		})
	}
}

// TestShow: ages increase although nothing changes, also where everything was known before.
func TestShow(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Unix(0, 0))
	f := follower(listed(version("one", "5")))
	f.clock = clock
	pictures, ctx := make(chan time.Time), t.Context()
	go func() {
		_ = f.Show(ctx, func(o overview.Overview) error {
			select {
			case pictures <- o.ObservedAt.Time:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	for i := range 3 {
		if got, want := <-pictures, time.Unix(0, 0).Add(time.Duration(i)*refresh); !got.Equal(want) {
			t.Errorf("picture %d: at %v, want %v", i, got, want)
		}
		clock.Step(refresh)
	}
}

// BenchmarkChanges is what 40 changes cost that are shown together, as in a fifth of a second with
// 200 changes a second.
func BenchmarkChanges(b *testing.B) {
	for _, n := range []int{2000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var groups []*vgrv1.VolumeGroupReplication
			for i := range n {
				groups = append(groups, version(fmt.Sprint("group-", i), "1"))
			}
			f := follower(listed(groups...))
			number := 1
			b.ReportAllocs()
			for b.Loop() {
				for i := range 40 {
					number++
					f.apply(0, watch.Modified, version(groups[i*n/40].Name, fmt.Sprint(number)))
				}
				_ = f.Inputs()
			}
		})
	}
}
