// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2eceph_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/ceph"
)

// write starts a writer on each volume of a site, each at its own rate.
func (s *scene) write(site, run string) (stop func() map[string][]ceph.Acknowledged) {
	s.t.Helper()
	pause := 50 * time.Millisecond // no volume may be full before the end
	writers := map[string]*ceph.Writer{}
	for name, handle := range s.volumes {
		w, err := s.cluster(site).StartWriter(context.WithoutCancel(s.t.Context()), handle, run, pause)
		s.must(err)
		writers[name] = w
		pause *= 3
	}
	return func() map[string][]ceph.Acknowledged {
		s.t.Helper()
		all := map[string][]ceph.Acknowledged{}
		for name, w := range writers {
			acknowledged, err := w.Stop()
			if err != nil {
				s.t.Errorf("writer of %s: %v", name, err)
			}
			all[name] = acknowledged
			for _, a := range acknowledged {
				s.acknowledged[name][run] = max(s.acknowledged[name][run], a.Number)
			}
			s.t.Logf("%s: %d blocks of run %s were acknowledged (%v)", name, len(acknowledged), run, err)
		}
		return all
	}
}

// move is a planned failover of a group whose volumes are in use and written to: the storage refuses to demote them until
// they are free. A writer that is not stopped would lose a write: librbd acknowledges the one that is in flight during the
// demotion, and only the old primary has it.
type move struct {
	*scene
	from  string
	stop  func() map[string][]ceph.Acknowledged
	ended chan result
	// kill ends the plugin at once.
	kill context.CancelFunc
	// diverged: rbd-mirror calls the copy split, so the proof that the move waits for does not come.
	diverged bool
}

// beginMove returns when the storage has refused the demotion, or calls the copy split before.
func (s *scene) beginMove(from, run string) *move {
	s.t.Helper()
	s.attach(from, true)
	ctx, kill := context.WithCancel(s.t.Context())
	s.t.Cleanup(kill)
	m := &move{scene: s, from: from, stop: s.write(from, run), ended: make(chan result, 1), kill: kill}
	go func() {
		r, err := s.runUntil(ctx, "failover", group, "-n", s.ns, "--to", other(from), "--yes", "--timeout", patience.String())
		r.errOut += fmt.Sprint(err)
		m.ended <- r
	}()
	s.eventually("the storage to refuse the demotion", func(ctx context.Context) error {
		for _, img := range s.images() {
			m.diverged = m.diverged || img.SplitBrain
		}
		if m.diverged {
			return nil
		}
		var g vgrv1.VolumeGroupReplication
		if err := s.sites[from].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: group}, &g); err != nil {
			return err
		}
		if ready := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionReady); ready == nil || !strings.Contains(ready.Message, "cannot be demoted") {
			return fmt.Errorf("it says %+v", ready)
		}
		return nil
	})
	return m
}

// free ends the writers, and with them the use of the volumes.
func (m *move) free() {
	m.t.Helper()
	m.stop()
	m.attach(m.from, false)
}

// done waits for the failover, which must succeed.
func (m *move) done() {
	m.t.Helper()
	r := <-m.ended
	m.t.Logf("failover to %s: exit code %d\n%s%s", other(m.from), r.code, r.out, r.errOut)
	if r.code != 0 {
		m.t.FailNow()
	}
}

// moveUnderWriters moves the group away from a site whose volumes are in use and written to.
func (s *scene) moveUnderWriters(from, run string) {
	s.t.Helper()
	m := s.beginMove(from, run)
	m.free()
	if !m.diverged {
		m.done()
		return
	}
	// Ceph 20.2.4 was seen to do that to itself, in one of ten moves.
	m.kill()
	s.t.Logf("%s has diverged by itself, and the move waited:\n%s", other(from), (<-m.ended).out)
	s.mend(from)
	s.moveUnderWriters(from, run+"-again")
}

func (s *scene) attach(site string, attached bool) {
	s.t.Helper()
	for _, handle := range s.volumes {
		s.must(s.cluster(site).Attach(s.t.Context(), handle, attached))
	}
}

// whole fails the test unless a site holds all that was acknowledged, in all runs.
func (s *scene) whole(site string) {
	s.t.Helper()
	for name, handle := range s.volumes {
		blocks, err := s.cluster(site).Blocks(s.t.Context(), handle)
		s.must(err)
		if !blocks.Gapless() {
			s.t.Errorf("%s on %s has gaps or damage: %+v", name, site, blocks)
		}
		for run, last := range s.acknowledged[name] {
			if got := blocks.Last(run); got < last {
				s.t.Errorf("%s on %s: block %d of run %s was acknowledged, and the last one there is %d", name, site, last, run, got)
			}
		}
	}
}

// equal fails the test unless both sites hold the same, byte for byte. Nothing may write meanwhile.
func (s *scene) equal() {
	s.t.Helper()
	for name, handle := range s.volumes {
		var sums []string
		for _, c := range s.lab.Real {
			sum, err := c.Checksum(s.t.Context(), handle)
			s.must(err)
			sums = append(sums, sum)
		}
		if sums[0] != sums[1] {
			s.t.Errorf("%s: the sites hold %v", name, sums)
		}
	}
}

// images are what rbd shows of the scene's volumes.
func (s *scene) images() map[string]array.ImageState {
	s.t.Helper()
	all := map[string]array.ImageState{}
	state := s.lab.Real.State(s.t.Context())
	for name, handle := range s.volumes {
		for _, img := range state.Images {
			if img.Handle == handle {
				all[name] = img
			}
		}
	}
	return all
}

// agree compares what the tool says with what rbd says: who is primary, and that no time of a synchronization is told
// that the storage does not have.
func (s *scene) agree(primary string) {
	s.t.Helper()
	told := s.overview() // first, so that rbd is never behind
	for name, img := range s.images() {
		for _, site := range told.Sites {
			c := img.Copies[array.Site(site.Site)]
			if c.Primary != (site.Site == primary) || c.Primary != (site.State == vgrv1.StatePrimary) {
				s.t.Errorf("%s on %s is %+v, the tool says %s, want %s as primary", name, site.Site, c, site.State, primary)
			}
		}
		switch {
		case told.LastSyncTime == nil:
		case img.LastSync == nil:
			s.t.Errorf("%s: the tool says that it was synchronised at %s, rbd says no time", name, told.LastSyncTime)
		case told.LastSyncTime.After(img.LastSync.Time):
			s.t.Errorf("%s: the tool says that it was synchronised at %s, rbd says %s", name, told.LastSyncTime, img.LastSync.Time)
		}
	}
	s.t.Logf("%s: %s; last synchronisation %v", told.Verdict.Phase, told.Verdict.Message, told.LastSyncTime)
}

// synced waits until the tool tells a synchronisation since a site became primary.
func (s *scene) synced(site string) {
	s.t.Helper()
	s.eventually("a synchronisation from "+site, func(ctx context.Context) error {
		var g vgrv1.VolumeGroupReplication
		if err := s.sites[site].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: group}, &g); err != nil {
			return err
		}
		if g.Status.LastSyncTime == nil {
			return errors.New("there is none")
		}
		return nil
	})
}

// follows waits until the copy on a site is without an error.
func (s *scene) follows(site string) {
	s.t.Helper()
	s.eventually("the copy on "+site+" to follow", func(ctx context.Context) error {
		var g vgrv1.VolumeGroupReplication
		if err := s.sites[site].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: group}, &g); err != nil {
			return err
		}
		if d := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionDegraded); d == nil || d.Reason == "Error" {
			return fmt.Errorf("it says %+v", d)
		}
		return nil
	})
}

// says waits until the tool's verdict has a text.
func (s *scene) says(texts ...string) {
	s.t.Helper()
	s.eventually("the tool to say "+strings.Join(texts, " and "), func(context.Context) error {
		o := s.overview()
		all := fmt.Sprint(o.Verdict)
		for _, site := range o.Sites {
			all += fmt.Sprint(site)
		}
		for _, text := range texts {
			if !strings.Contains(all, text) {
				return errors.New(all)
			}
		}
		return nil
	})
}
