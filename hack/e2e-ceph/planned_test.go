// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2eceph_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/unified-replication/kubectl-vgr/pkg/recovery"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// TestHealthy has groups of one lab with nothing broken, which wait at the same time.
func TestHealthy(t *testing.T) {
	t.Parallel()
	w := start(t, often)
	t.Run("groups", func(t *testing.T) {
		t.Run("ThereAndBack", func(t *testing.T) { testThereAndBack(t, w) })
		t.Run("BackToBack", func(t *testing.T) { testBackToBack(t, w, 2) })
		t.Run("Busy", func(t *testing.T) { testBusy(t, w) })
		t.Run("Split", func(t *testing.T) { testSplit(t, w) })
		t.Run("Diverged", func(t *testing.T) { testDiverged(t, w) })
		t.Run("Delete", func(t *testing.T) { testDelete(t, w) })
	})
}

// testThereAndBack moves three volumes of different sizes and rates that are written to until the demotion.
func testThereAndBack(t *testing.T, w *world) {
	t.Parallel()
	s := newScene(t, w, map[string]string{"data": "64Mi", "logs": "40Mi", "config": "32Mi"})
	s.agree(lab.East)
	for i, from := range []string{lab.East, lab.West} {
		s.moveUnderWriters(from, fmt.Sprintf("run-%d", i))
		s.agree(other(from))
		s.whole(other(from))
		s.equal()
	}
}

// testBackToBack moves on as soon as the tool lets it. What the driver calls ready is then left of the move before.
func testBackToBack(t *testing.T, w *world, moves int) {
	t.Parallel()
	s := newScene(t, w, map[string]string{"data": fmt.Sprintf("%dMi", 32+16*moves)}) // a move waits long enough for 8 MiB of blocks
	site := lab.East
	for i := range moves {
		s.must(s.cluster(site).Write(t.Context(), s.volumes["data"], 50))
		s.moveUnderWriters(site, fmt.Sprintf("run-%d", i))
		site = other(site)
		s.whole(site)
	}
	s.agree(site)
}

// testBusy moves while a volume beside the numbered one is overwritten for a minute: the synchronisation never catches up
// before that ends, and nothing is lost.
func testBusy(t *testing.T, w *world) {
	t.Parallel()
	s := newScene(t, w, map[string]string{"data": "64Mi", "bulk": "256Mi"})
	bulk := s.volumes["bulk"]
	delete(s.volumes, "bulk") // it has no numbered blocks
	s.must(s.cluster(lab.East).Load(t.Context(), bulk, time.Second))
	s.must(s.cluster(lab.East).Attach(t.Context(), bulk, true))
	m := s.beginMove(lab.East, "run")
	s.must(s.cluster(lab.East).Load(t.Context(), bulk, time.Minute))
	s.must(s.cluster(lab.East).Attach(t.Context(), bulk, false))
	m.free()
	m.done()
	s.whole(lab.West)
	s.volumes["bulk"] = bulk
	s.equal()
	s.agree(lab.West)
	for _, step := range s.last().Steps {
		if step.ID == recovery.StepSync && step.Finished != nil {
			t.Logf("to synchronise what was written last took %s", step.Finished.Sub(step.Started.Time).Round(time.Second))
		}
	}
}

// testSplit: a copy is promoted by force with rbd, behind everything's back. The tool names the split, refuses a
// planned failover, and mends it when told whose writes go.
func testSplit(t *testing.T, w *world) {
	t.Parallel()
	s := newScene(t, w, map[string]string{"data": "24Mi"})
	stop := s.write(lab.East, "kept")
	s.synced(lab.East)
	stop()
	s.must(s.cluster(lab.West).ForcePromote(t.Context(), s.volumes["data"]))
	s.eventuallySplit()
	s.says("split")
	if r := s.vgr("failover", group, "-n", s.ns, "--to", lab.West, "--yes", "--timeout", "20s"); r.code == 0 {
		t.Error("a planned failover of a split group succeeds")
	}
	s.whole(lab.East)
}

// testDiverged: a copy that was in sync once diverges. csi-addons does not look at it again; only the primary's driver
// tells no synchronisation any more. The next move waits, demotes nothing, and loses nothing when it is aborted; a resync
// mends the copy. Once the primary was demoted, the daemons of both sites would say the same as of copies in sync.
func testDiverged(t *testing.T, w *world) {
	t.Parallel()
	s := newScene(t, w, map[string]string{"data": "48Mi"})
	s.moveUnderWriters(lab.East, "run-0")
	s.synced(lab.West)
	s.must(w.cluster(lab.East).Diverge(t.Context(), s.volumes["data"]))
	s.eventuallySplit()
	s.must(w.cluster(lab.West).Write(t.Context(), s.volumes["data"], 50))
	s.acknowledged["data"][lab.West] = 50
	s.says("no snapshot details")
	r := s.vgr("failover", group, "-n", s.ns, "--to", lab.East, "--yes", "--timeout", "1m")
	t.Logf("exit code %d\n%s%s", r.code, r.out, r.errOut)
	if r.code == 0 || !s.images()["data"].Copies[lab.West].Primary {
		t.Error("west was demoted, although its copy has diverged")
	}
	s.mend(lab.West)
	s.agree(lab.West)
	s.must(w.cluster(lab.West).Snapshot(t.Context(), s.volumes["data"]))
	s.eventually("the copy to have it all", func(ctx context.Context) error {
		blocks, err := w.cluster(lab.East).Blocks(ctx, s.volumes["data"])
		if err == nil && blocks.Last(lab.West) < 50 {
			err = fmt.Errorf("it has %+v", blocks)
		}
		return err
	})
	s.whole(lab.East)
	s.equal()
}

// mend ends a move whose proof does not come, and makes the other site a copy of the primary again.
func (s *scene) mend(primary string) {
	s.t.Helper()
	for _, c := range s.lab.Real {
		s.t.Logf("%s:\n%s", c.Site, c.History(s.t.Context(), s.volumes["data"]))
	}
	s.t.Log(s.done("failover", group, "-n", s.ns, "--abort", "--yes", "--timeout", patience.String()))
	s.whole(primary)
	s.t.Log(s.done("status", group, "-n", s.ns))
	s.t.Log(s.done("resync", group, "-n", s.ns, "--context", other(primary), "--peer-context", primary, "--yes", "--timeout", patience.String()))
	s.synced(primary)
}

// testDelete: deleting the group leaves the replication; ending it leaves the primary's image and takes the copy's.
func testDelete(t *testing.T, w *world) {
	t.Parallel()
	s := newScene(t, w, map[string]string{"data": "8Mi"})
	for _, site := range []string{lab.West, lab.East} {
		s.done("delete", group, "-n", s.ns, "--yes", "--context", site, "--peer-context", other(site))
	}
	if img := s.images()["data"]; !img.Mirrored || !img.Copies[lab.East].Primary || len(img.Copies) != 2 {
		t.Errorf("the group is deleted, and its image is %+v", img)
	}
	s.done("create", group, "-n", s.ns, "--class", class, "-l", "app="+group, "--yes")
	s.agree(lab.East)
	for _, site := range []string{lab.West, lab.East} {
		s.done("delete", group, "-n", s.ns, "--end-replication", "--yes", "--context", site, "--peer-context", other(site))
	}
	s.eventuallyImage("only east to have an image that is not mirrored", func(img array.ImageState) bool {
		_, west := img.Copies[lab.West]
		_, east := img.Copies[lab.East]
		return east && !west && !img.Mirrored
	})
}

func (s *scene) eventuallyImage(what string, is func(array.ImageState) bool) {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		img := s.images()["data"]
		if is(img) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waiting for %s: %+v", what, img)
		}
		time.Sleep(time.Second)
	}
}

func (s *scene) eventuallySplit() {
	s.t.Helper()
	s.eventuallyImage("rbd to show a split", func(img array.ImageState) bool { return img.SplitBrain })
}

// TestBackToBackByDefault is the same at the intervals that Ceph's daemons have by default.
func TestBackToBackByDefault(t *testing.T) {
	if !*thorough {
		t.Skip("takes most of an hour: -thorough")
	}
	w := start(t, array.DefaultStatusInterval)
	t.Run("groups", func(t *testing.T) {
		t.Run("Twenty", func(t *testing.T) { testBackToBack(t, w, 20) })
	})
}
