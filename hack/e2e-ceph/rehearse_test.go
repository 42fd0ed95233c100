// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2eceph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/rehearsal"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// TestRehearsal clones the copies of groups of one lab. Their namespaces and clones are their own.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	w := start(t, often)
	t.Run("groups", func(t *testing.T) {
		t.Run("Clones", func(t *testing.T) { testRehearsalClones(t, w) })
		t.Run("Check", func(t *testing.T) { testRehearsalCheck(t, w) })
		t.Run("Killed", func(t *testing.T) { testRehearsalKilled(t, w) })
		t.Run("Moves", func(t *testing.T) { testRehearsalMoves(t, w) })
		t.Run("GivenUp", func(t *testing.T) { testRehearsalGivenUp(t, w) })
	})
}

// rehearsed is a scene with the command of its rehearsal.
type rehearsed struct {
	*scene
	in string
}

// rehearsalScene makes a group, in a namespace whose rehearsals have one of their own.
func rehearsalScene(t *testing.T, w *world, sizes map[string]string) *rehearsed {
	t.Helper()
	s := &rehearsed{scene: newScene(t, w, sizes)}
	s.in = s.ns + "-rehearsal"
	s.eventually("the copies to be complete", func(ctx context.Context) error {
		for name, handle := range s.volumes {
			newest, err := s.cluster(lab.West).NewestSnapshot(ctx, handle)
			if err != nil || newest == 0 {
				return fmt.Errorf("%s: snapshot %d, %w", name, newest, err)
			}
		}
		return nil
	})
	return s
}

func (s *rehearsed) args(more ...string) []string {
	return append([]string{"rehearse", group, "-n", s.ns, "--on", lab.West, "--namespace-name", s.in, "--yes"}, more...)
}

// ticking synchronises every few seconds, so that the test does not wait for the schedule.
func (s *rehearsed) ticking() (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			for _, handle := range s.volumes {
				_ = s.cluster(lab.East).Snapshot(ctx, handle) // it may not be primary just now
			}
			select {
			case <-ctx.Done():
			case <-time.After(3 * time.Second):
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// newest is the group's last rehearsal, as history tells it.
func (s *rehearsed) newest() rehearsal.Record {
	s.t.Helper()
	var h struct {
		Rehearsals []overview.RehearsedOn `json:"rehearsals"`
	}
	s.must(json.Unmarshal([]byte(s.done("history", group, "-n", s.ns, "-o", "json")), &h))
	if len(h.Rehearsals) == 0 {
		s.t.Fatal("no rehearsal is told of")
	}
	return h.Rehearsals[0].Record
}

// shape is all that a rehearsal must never change: roles and their generations, what mirrors, and when.
func (s *rehearsed) shape() string {
	s.t.Helper()
	var out strings.Builder
	for _, site := range []string{lab.East, lab.West} {
		var g vgrv1.VolumeGroupReplication
		s.must(s.sites[site].Get(s.t.Context(), client.ObjectKey{Namespace: s.ns, Name: group}, &g))
		schedules, err := s.cluster(site).Schedules(s.t.Context())
		s.must(err)
		fmt.Fprintf(&out, "%s: %s, generation %d, asked for %s\n", site, g.Status.State, g.Generation, g.Spec.ReplicationState)
		for line := range strings.Lines(schedules) {
			for _, handle := range s.volumes { // the pool has images of other groups
				if strings.Contains(line, handle[len(handle)-36:]) {
					out.WriteString(line)
				}
			}
		}
	}
	for name, img := range s.images() {
		out.WriteString(name + " " + fmt.Sprint(img.Mirrored, img.Copies[lab.East].Primary, img.Copies[lab.West].Primary, img.SplitBrain) + "\n")
	}
	lines := strings.Split(out.String(), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// nothingLeft fails the test if anything is left of rehearsals of the scene.
func (s *rehearsed) nothingLeft(r rehearsal.Record) {
	s.t.Helper()
	images, err := s.cluster(lab.West).Images(s.t.Context())
	s.must(err)
	for _, name := range images {
		if strings.HasPrefix(name, "vgr-rehearsal-"+r.ID) {
			s.t.Errorf("image %s is left", name)
		}
	}
	c, ours := s.sites[lab.West], client.MatchingLabels{vgrv1.LabelRehearsal: r.ID}
	var pvs corev1.PersistentVolumeList
	var jobs batchv1.JobList
	var namespaces corev1.NamespaceList
	for _, list := range []client.ObjectList{&pvs, &jobs, &namespaces} {
		s.must(c.List(s.t.Context(), list, ours))
	}
	jobs.Items = slices.DeleteFunc(jobs.Items, func(j batchv1.Job) bool { return j.DeletionTimestamp != nil })
	if len(pvs.Items)+len(jobs.Items)+len(namespaces.Items) > 0 {
		s.t.Errorf("left are %d volumes, %d Jobs, %d namespaces", len(pvs.Items), len(jobs.Items), len(namespaces.Items))
	}
}

// testRehearsalClones: three volumes are cloned while they are written to. Each clone is what its snapshot is, and holds what
// was acknowledged before the point in time that the tool names; replication continues beside the clones, and nothing of it changes.
func testRehearsalClones(t *testing.T, w *world) {
	t.Parallel()
	s := rehearsalScene(t, w, map[string]string{"data": "64Mi", "logs": "40Mi", "config": "32Mi"})
	before := s.shape()
	stop := s.write(lab.East, "run")
	s.advances(5) // the copies hold blocks
	ticks := s.ticking()
	s.done(s.args("--keep", "1h")...)
	ticks()
	r := s.newest()
	if !r.Kept() || r.Result != rehearsal.Passed || len(r.Volumes) != 3 {
		t.Fatalf("%+v", r)
	}
	sums := map[string]string{}
	for i, v := range r.Volumes {
		clone, err := s.cluster(lab.West).ChecksumAt(t.Context(), r.Clone(i), 0)
		s.must(err)
		snapshot, err := s.cluster(lab.West).ChecksumAt(t.Context(), v.Image, v.Snapshot)
		s.must(err)
		if clone != snapshot {
			t.Errorf("%s: the clone is %s, its snapshot %s", v.PVC, clone, snapshot)
		}
		sums[v.PVC] = clone
		t.Logf("%s: snapshot %d, %s; taken %v, copied %v", v.PVC, v.Snapshot, clone, v.Point, v.Copied)
	}
	s.advances(5)
	acknowledged := stop()
	for i, v := range r.Volumes {
		blocks, err := s.cluster(lab.West).BlocksOfClone(t.Context(), s.volumes[v.PVC], r.Clone(i))
		s.must(err)
		if !blocks.Gapless() {
			t.Errorf("%s: the clone has gaps: %+v", v.PVC, blocks)
		}
		if v.Point == nil || v.AgeSeconds == nil || blocks.Last("run") == 0 {
			t.Errorf("%s: nothing was recovered, or nothing is known of when: %+v, %+v", v.PVC, v, blocks)
		}
		for _, a := range acknowledged[v.PVC] {
			if v.Point != nil && a.At.Before(v.Point.Time) && a.Number > blocks.Last("run") {
				t.Errorf("%s: block %d was acknowledged at %s, the data is said to be of %s, and the clone ends at %d", v.PVC, a.Number, a.At, v.Point, blocks.Last("run"))
			}
		}
		if again, err := s.cluster(lab.West).ChecksumAt(t.Context(), r.Clone(i), 0); err != nil || again != sums[v.PVC] {
			t.Errorf("%s: the clone has changed: %s, %v", v.PVC, again, err)
		}
	}
	if out := s.done("status", group, "-n", s.ns); !strings.Contains(out, "last rehearsal "+r.ID) || !strings.Contains(out, "kept until") {
		t.Errorf("status:\n%s", out)
	}
	if out := s.done("rehearse", "list", "-n", s.ns); !strings.Contains(out, r.ID) || !strings.Contains(out, "kept") {
		t.Errorf("list:\n%s", out)
	}
	if second := s.vgr(s.args()...); second.code != 2 {
		t.Error("a second rehearsal is begun beside one that is kept")
	}
	if after := s.shape(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	for range 2 {
		s.done("rehearse", "end", group, "-n", s.ns, "--yes")
		s.nothingLeft(r)
	}
	if after := s.shape(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	s.agree(lab.East)
	t.Log(s.done("history", group, "-n", s.ns))
}

// advances waits until each copy has come n snapshots further.
func (s *rehearsed) advances(n int) {
	s.t.Helper()
	for name, handle := range s.volumes {
		for range n {
			last, err := s.cluster(lab.West).NewestSnapshot(s.t.Context(), handle)
			s.must(err)
			s.must(s.cluster(lab.East).Snapshot(s.t.Context(), handle))
			s.eventually("a newer snapshot of "+name, func(ctx context.Context) error {
				newest, err := s.cluster(lab.West).NewestSnapshot(ctx, handle)
				if err == nil && newest <= last {
					err = fmt.Errorf("it is still at %d", newest)
				}
				return err
			})
		}
	}
}

// testRehearsalCheck: a Job that counts blocks in the clone passes, another one fails; both are remembered with what they printed.
func testRehearsalCheck(t *testing.T, w *world) {
	t.Parallel()
	s := rehearsalScene(t, w, map[string]string{"data": "8Mi"})
	last, err := s.cluster(lab.West).NewestSnapshot(t.Context(), s.volumes["data"])
	s.must(err)
	s.must(s.cluster(lab.East).Write(t.Context(), s.volumes["data"], 20))
	s.must(s.cluster(lab.East).Snapshot(t.Context(), s.volumes["data"]))
	s.eventually("the blocks to arrive", func(ctx context.Context) error {
		newest, err := s.cluster(lab.West).NewestSnapshot(ctx, s.volumes["data"])
		if err == nil && newest <= last {
			err = fmt.Errorf("it is still at %d", newest)
		}
		return err
	})
	for _, test := range []struct {
		name     string
		blocks   int
		code     int
		result   rehearsal.Result
		contains string
	}{
		{"passes", 20, 0, rehearsal.Passed, "20 blocks are there"},
		{"fails", 21, 4, rehearsal.Failed, "20 blocks are there"},
	} {
		file := filepath.Join(t.TempDir(), "check.yaml")
		s.must(os.WriteFile(file, fmt.Appendf(nil, checkJob, test.name, test.blocks), 0o600))
		ticks := s.ticking()
		r := s.vgr(s.args("--check", file)...)
		ticks()
		got := s.newest()
		if r.code != test.code || got.Result != test.result || got.Check == nil || !strings.Contains(got.Check.Log, test.contains) || got.Ended == nil {
			t.Errorf("%s: exit code %d, %+v, %+v", test.name, r.code, got, got.Check)
		}
		s.nothingLeft(got)
	}
	t.Log(s.done("history", group, "-n", s.ns))
}

// checkJob has a name, and how many blocks it wants.
const checkJob = `apiVersion: batch/v1
kind: Job
metadata: {name: %s}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: check
        image: quay.io/example/check
        command:
        - python3
        - -c
        - |
          import sys
          data = open("/tmp/data", "rb").read()
          n = sum(1 for i in range(0, len(data), 4096) if data[i:i+4096].strip(b"\0"))
          print(n, "blocks are there")
          sys.exit(0 if n >= %d else 3)
        volumeDevices:
        - {name: data, devicePath: /tmp/data}
      volumes:
      - {name: data, persistentVolumeClaim: {claimName: data}}
`

// testRehearsalKilled ends the command by force after every second of its lines. The same command takes the rehearsal to its end.
func testRehearsalKilled(t *testing.T, w *world) {
	t.Parallel()
	s := rehearsalScene(t, w, map[string]string{"data": "8Mi", "logs": "8Mi"})
	before := s.shape()
	defer s.ticking()()
	for line := 1; ; line += 2 {
		killed := s.killedAfter(line)
		s.done(s.args()...)
		r := s.newest()
		if r.Result != rehearsal.Passed || r.Ended == nil {
			t.Fatalf("killed after %d lines: %+v", line, r)
		}
		s.nothingLeft(r)
		if !killed {
			t.Logf("the command says less than %d lines", line)
			break
		}
	}
	if after := s.shape(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// lines lets a command live until it has written so many that tell of a step.
type lines struct {
	left int
	end  func()
}

func (l *lines) Write(p []byte) (int, error) {
	l.left -= bytes.Count(p, []byte("  west  "))
	if l.left <= 0 {
		l.end()
	}
	return len(p), nil
}

// killedAfter reports whether the command was killed, and had not ended before.
func (s *rehearsed) killedAfter(n int) bool {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.bin, "kubectl-vgr"), s.args()...) //nolint:gosec // ours
	cmd.Env = s.env()
	cmd.Stderr = &lines{left: n, end: func() { _ = cmd.Process.Kill() }}
	s.must(cmd.Start())
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode() == -1
}

// testRehearsalMoves: forgotten clones do not prevent a failover, there and back, from a copy that is fetched
// anew, or from the end of the replication; then they are removed, although the group is gone.
func testRehearsalMoves(t *testing.T, w *world) {
	t.Parallel()
	s := rehearsalScene(t, w, map[string]string{"data": "24Mi"})
	s.synced(lab.East)
	s.must(s.cluster(lab.East).Write(t.Context(), s.volumes["data"], 50))
	s.acknowledged["data"][lab.East] = 50
	ticks := s.ticking()
	s.done(s.args("--keep", "1h")...)
	ticks()
	r := s.newest()
	sum := func() string {
		t.Helper()
		text, err := s.cluster(lab.West).ChecksumAt(t.Context(), r.Clone(0), 0)
		s.must(err)
		return text
	}
	before := sum()
	for _, to := range []string{lab.West, lab.East} {
		s.done("failover", group, "-n", s.ns, "--to", to, "--yes", "--timeout", patience.String())
		s.whole(to)
		s.equal()
		if sum() != before {
			t.Errorf("after the failover to %s the clone is another one", to)
		}
	}
	s.done("delete", group, "-n", s.ns, "--end-replication", "--yes", "--context", lab.West, "--peer-context", lab.East)
	s.done("delete", group, "-n", s.ns, "--end-replication", "--yes", "--context", lab.East, "--peer-context", lab.West)
	s.eventuallyImage("only east to have an image that is not mirrored", func(img array.ImageState) bool {
		_, west := img.Copies[lab.West]
		return !west && !img.Mirrored
	})
	if sum() != before {
		t.Error("after the end of the replication the clone is another one")
	}
	var g vgrv1.VolumeGroupReplication
	if err := s.sites[lab.West].Get(t.Context(), client.ObjectKey{Namespace: s.ns, Name: group}, &g); !apierrors.IsNotFound(err) {
		t.Fatalf("the group is there: %v", err)
	}
	for range 2 {
		s.done("rehearse", "end", group, "-n", s.ns, "--yes")
		s.nothingLeft(r)
	}
}

// testRehearsalGivenUp: an expired rehearsal is told of and prevents nothing. West, whose images have clones, takes over, is given
// up for east, is fetched anew from east, and takes over again; the clones keep their data until what has expired is ended.
func testRehearsalGivenUp(t *testing.T, w *world) {
	t.Parallel()
	s := rehearsalScene(t, w, map[string]string{"data": "8Mi"})
	s.synced(lab.East)
	s.must(s.cluster(lab.East).Write(t.Context(), s.volumes["data"], 30))
	s.acknowledged["data"][lab.East] = 30
	ticks := s.ticking()
	s.done(s.args("--keep", "1ms")...)
	ticks()
	r := s.newest()
	for _, args := range [][]string{{"status", group}, {"rehearse", "list"}, {"list", "-o", "wide"}} {
		if out := s.done(append(args, "-n", s.ns)...); !strings.Contains(out, "kept, expired") {
			t.Errorf("%v does not say that the rehearsal has expired:\n%s", args, out)
		}
	}
	sum := func() string {
		t.Helper()
		text, err := s.cluster(lab.West).ChecksumAt(t.Context(), r.Clone(0), 0)
		s.must(err)
		return text
	}
	before := sum()
	for _, move := range []struct {
		to   string
		args []string
	}{
		{lab.West, []string{"failover", group}},
		{lab.East, []string{"failover", group, "--unplanned", "--accept-data-loss", "unknown"}},
		{lab.West, []string{"failback", group, "--discard-site", lab.West}},
	} {
		s.done(append(move.args, "-n", s.ns, "--to", move.to, "--yes", "--timeout", (2 * patience).String())...)
		s.whole(move.to)
		if sum() != before {
			t.Errorf("%v to %s has changed the clone", move.args, move.to)
		}
	}
	s.equal()
	s.agree(lab.West)
	for _, says := range []string{"ended", ""} {
		if out := s.done("rehearse", "end", "--expired", "-n", s.ns, "--yes"); !strings.Contains(out, says) {
			t.Errorf("end --expired: %s", out)
		}
		s.nothingLeft(r)
	}
}
