// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2eceph_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/ceph"
)

// TestBroken has groups of one lab whose daemons go away. The order counts: at the end east is lost.
func TestBroken(t *testing.T) {
	t.Parallel()
	w := start(t, often)
	t.Run("MirrorDown", func(t *testing.T) { testMirrorDown(t, w) })
	t.Run("MirrorStops", func(t *testing.T) { testMirrorStops(t, w) })
	t.Run("EastLost", func(t *testing.T) { testEastLost(t, w) })
}

// testMirrorDown: without west's rbd-mirror nothing arrives there, and west is not promoted until it has.
func testMirrorDown(t *testing.T, w *world) {
	s := newScene(t, w, map[string]string{"data": "24Mi"})
	s.synced(lab.East)
	s.must(w.cluster(lab.West).SetDaemon(t.Context(), false))
	s.must(w.cluster(lab.East).Write(t.Context(), s.volumes["data"], 100))
	s.acknowledged["data"][lab.East] = 100
	r := s.vgr("failover", group, "-n", s.ns, "--to", lab.West, "--yes", "--timeout", "45s")
	if r.code == 0 {
		t.Error("a planned failover succeeds without rbd-mirror on the target")
	}
	if img := s.images()["data"]; img.Copies[lab.West].Primary {
		t.Errorf("west was promoted without what east has: %+v", img)
	}
	s.must(w.cluster(lab.West).SetDaemon(t.Context(), true))
	s.follows(lab.West)
	s.done("failover", group, "-n", s.ns, "--to", lab.West, "--yes", "--timeout", patience.String())
	s.whole(lab.West)
	s.equal()
	s.agree(lab.West)
}

// testMirrorStops: west's rbd-mirror ends while east is being demoted, after the proof that it replicates. West is not
// promoted until it runs again and all is there, by the same command.
func testMirrorStops(t *testing.T, w *world) {
	s := newScene(t, w, map[string]string{"data": "24Mi"})
	m := s.beginMove(lab.East, "run")
	s.must(w.cluster(lab.West).SetDaemon(t.Context(), false))
	m.free()
	s.eventuallyImage("east to be demoted", func(img array.ImageState) bool { return !img.Copies[lab.East].Primary })
	s.eventually("csi-addons to say that the sites are not in sync", func(ctx context.Context) error {
		var g vgrv1.VolumeGroupReplication
		if err := s.sites[lab.East].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: group}, &g); err != nil {
			return err
		}
		if d := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionDegraded); g.Status.State != vgrv1.StateSecondary || d == nil || d.Status != metav1.ConditionTrue {
			return fmt.Errorf("east is %s, %+v", g.Status.State, d)
		}
		return nil
	})
	if img := s.images()["data"]; img.Copies[lab.West].Primary {
		t.Errorf("west was promoted without what east has: %+v", img)
	}
	s.must(w.cluster(lab.West).SetDaemon(t.Context(), true))
	m.done()
	s.whole(lab.West)
	s.equal()
	s.agree(lab.West)
}

// testEastLost: all of east's Ceph is killed under a writer; its API still tells of the last synchronisation. What is missing on west was acknowledged after the
// synchronisation that the tool names. East comes back primary, and is named.
func testEastLost(t *testing.T, w *world) {
	s := newScene(t, w, map[string]string{"data": "64Mi", "logs": "40Mi", "config": "32Mi"})
	stop := s.write(lab.East, "east")
	s.synced(lab.East)
	time.Sleep(5 * time.Second) // so that there is something to lose
	kill(t, w)
	acknowledged := stop()
	unplanned := []string{"failover", group, "-n", s.ns, "--to", lab.West, "--unplanned", "--accept-data-loss", "10m"}
	s.eventually("the plan to say that east's storage may be dead", func(context.Context) error {
		r, err := s.run(append(unplanned, "--dry-run", "client")...)
		if err == nil && !strings.Contains(r.errOut, "the API of east answers, but its storage may be dead") {
			err = errors.New(r.errOut)
		}
		return err
	})
	s.done(append(unplanned, "--yes")...)
	s.orphaned()
	op := s.last()
	for name, writes := range acknowledged {
		since := toldSync(op, name)
		if since == nil {
			t.Errorf("%s: the tool names no synchronisation", name)
			continue
		}
		blocks, err := w.cluster(lab.West).Blocks(t.Context(), s.volumes[name])
		s.must(err)
		last, lost := blocks.Last("east"), 0
		for _, a := range writes {
			if a.Number <= last {
				continue
			}
			lost++
			if a.At.Before(since.Time) {
				t.Errorf("%s: block %d was acknowledged at %s and is lost; the tool says that all until %s is there", name, a.Number, a.At, since)
			}
		}
		t.Logf("%s: %d of %d acknowledged blocks are lost, the tool says since %s", name, lost, len(writes), since)
		s.acknowledged[name] = map[string]int{"east": min(last, s.acknowledged[name]["east"])}
	}
	s.whole(lab.West)
	stopWest := s.write(lab.West, "west")
	revive(t, w)
	stopWest()
	s.says("was given up for west", "failback", "--discard-site")
	if *thorough {
		s.failback()
	}
}

// orphaned fails the test if anything is well with a primary whose peer is lost. csi-addons calls its volumes healthy.
func (s *scene) orphaned() {
	s.t.Helper()
	o := s.overview()
	s.t.Logf("%s: %s\nNext: %s", o.Verdict.Phase, o.Verdict.Message, o.Verdict.Next)
	if o.Verdict.Level != overview.Problem {
		s.t.Errorf("the verdict of a primary whose peer is lost is %+v", o.Verdict)
	}
	for _, site := range o.Sites {
		s.t.Logf("%s is %s, its volumes are %+v", site.Site, site.State, site.Volumes)
	}
	if r := s.vgr("list", "-n", s.ns); strings.Contains(r.out, string(overview.Protected)) {
		s.t.Errorf("list calls a primary protected whose peer is lost:\n%s", r.out)
	}
}

// failback discards what only east has, and moves the role back; east answers when its driver's calls have come back.
func (s *scene) failback() {
	s.t.Helper()
	s.eventually("east to answer again", func(context.Context) error {
		r, err := s.run("failback", group, "-n", s.ns, "--to", lab.East, "--discard-site", lab.East, "--dry-run", "client")
		if err == nil && r.code != 0 {
			err = errors.New(r.out + r.errOut)
		}
		return err
	})
	s.done("failback", group, "-n", s.ns, "--to", lab.East, "--discard-site", lab.East, "--yes", "--timeout", "10m")
	s.whole(lab.East)
	s.equal()
	s.agree(lab.East)
}

// toldSync is the last synchronisation of a volume that an operation names.
func toldSync(op recovery.Operation, volume string) *metav1.Time {
	for _, v := range op.VolumeSyncs {
		if v.Name == volume {
			return v.LastSync
		}
	}
	return op.LastSync
}

// kill ends Ceph on east.
func kill(t *testing.T, w *world) {
	t.Helper()
	for _, name := range ceph.Daemons() {
		if err := w.lab.Site(lab.East).Kill(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}

func revive(t *testing.T, w *world) {
	t.Helper()
	for _, name := range ceph.Daemons() {
		if err := w.lab.Site(lab.East).StartProc(name); err != nil {
			t.Fatal(err)
		}
	}
}
