// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
)

// pair makes a group with its peer, with the plugin, and waits until it can be moved without a wait.
func (s *scene) pair(name string) {
	s.t.Helper()
	s.claims(lab.East, map[string]string{"app": name}, name+"-data")
	s.done("create", name, "-n", s.ns, "--class", gold, "-l", "app="+name, "--yes")
	s.synced(lab.East, name)
}

// synced waits until a primary has synchronised since it became primary.
func (s *scene) synced(site, name string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s to be synchronised from %s", name, site), func(ctx context.Context) error {
		var g vgrv1.VolumeGroupReplication
		if err := s.sites[site].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: name}, &g); err != nil {
			return err
		}
		if g.Status.LastSyncTime == nil {
			return fmt.Errorf("status %+v", g.Status)
		}
		return nil
	})
}

// application writes to a volume wherever it is writable, until the returned function is called.
func (s *scene) application(volume string) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var writing sync.WaitGroup
	for _, site := range []string{lab.East, lab.West} {
		writing.Go(func() {
			for ctx.Err() == nil {
				_ = s.lab.Site(site).Write(ctx, s.ns+"/"+volume, 1) // refused where it is not primary
				select {
				case <-ctx.Done():
				case <-time.After(settle / 5):
				}
			}
		})
	}
	return func() {
		cancel()
		writing.Wait()
	}
}

// whole checks the array: one primary, which has every acknowledged write.
func (s *scene) whole(primary, secondary string) {
	s.t.Helper()
	for _, img := range s.images(primary) {
		if img.SplitBrain || !img.Copies[array.Site(primary)].Primary || img.Copies[array.Site(secondary)].Primary {
			s.t.Errorf("image %s with %s as primary: %+v", img.Name, primary, img)
		}
		if has := img.Copies[array.Site(primary)].Writes; has != img.Acknowledged {
			s.t.Errorf("image %s has %d of %d acknowledged writes", img.Name, has, img.Acknowledged)
		}
	}
}

// history is what the plugin tells of a group's operations.
func (s *scene) history(name string) []recovery.Operation {
	s.t.Helper()
	var h struct {
		Operations []recovery.Operation `json:"operations"`
	}
	s.must(json.Unmarshal([]byte(s.done("history", name, "-n", s.ns, "-o", "json")), &h))
	return h.Operations
}

// TestFailover goes there and back while an application writes. Nothing that was acknowledged is
// lost, and what was done can be read on both sites.
func TestFailover(t *testing.T) {
	t.Parallel()
	for _, class := range []string{gold, single} {
		t.Run(class, func(t *testing.T) { testFailover(t, class) })
	}
}

func testFailover(t *testing.T, class string) {
	t.Helper()
	s := newScene(t)
	s.claims(lab.East, map[string]string{"app": "db"}, "db-data", "db-logs")
	s.done("create", "db", "-n", s.ns, "--class", class, "-l", "app=db", "--yes")
	s.change(lab.West, "db", func(g *vgrv1.VolumeGroupReplication) { g.Spec.AutoResync = new(true) })
	s.ready(lab.West, "db", vgrv1.StateSecondary, 2)
	s.done("validate", "db", "-n", s.ns)
	s.done("failover", "db", "-n", s.ns, "--dry-run=server")
	if r := s.vgr("failover", "db", "-n", s.ns); r.code != 5 {
		t.Errorf("not confirmed: exit code %d\n%s", r.code, r.errOut)
	}
	if ops := s.history("db"); len(ops) != 0 {
		t.Errorf("a dry run has left %+v", ops)
	}
	stop := s.application("db-data")
	s.done("failover", "db", "-n", s.ns, "--to", "west", "--yes")
	s.done("failover", "db", "-n", s.ns, "--to", "east", "--yes")
	stop()
	s.whole(lab.East, lab.West)
	s.ready(lab.East, "db", vgrv1.StatePrimary, 2)
	s.ready(lab.West, "db", vgrv1.StateSecondary, 2)
	if !ptr.Deref(s.get(lab.West, "db").Spec.AutoResync, false) || ptr.Deref(s.get(lab.East, "db").Spec.AutoResync, false) {
		t.Error("spec.autoResync is not what it was before")
	}
	ops := s.history("db")
	if len(ops) != 2 {
		t.Fatalf("history %+v", ops)
	}
	for _, op := range ops {
		if d, ok := op.Duration(); op.Result != recovery.Done || !ok || d <= 0 || len(op.Steps) != 6 {
			t.Errorf("operation %+v", op)
		}
	}
	for _, site := range []string{lab.East, lab.West} {
		var events corev1.EventList
		s.must(s.sites[site].List(t.Context(), &events))
		found := false
		for _, e := range events.Items {
			found = found || e.Namespace == s.ns && e.Reason == "OperationDone"
		}
		if !found {
			t.Errorf("no event on %s", site)
		}
	}
}

// TestFailoverVolumes moves a group whose volumes are replicated each on its own. A volume that is demoted later, or promoted
// later, is named, none is promoted before all are demoted and in sync, and no acknowledged write is lost.
func TestFailoverVolumes(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	names := []string{"config", "data", "logs"}
	s.claims(lab.East, map[string]string{"app": "db"}, names...)
	s.done("create", "db", "-n", s.ns, "--class", single, "-l", "app=db", "--yes")
	s.synced(lab.East, "db")
	for i, name := range names {
		s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/"+name, int64(3*i+1)))
	}
	s.must(s.lab.Site(lab.East).Attach(t.Context(), s.ns+"/logs", true))
	ended := make(chan result, 1)
	go func() { ended <- s.vgr("failover", "db", "-n", s.ns, "--to", "west", "--yes") }()
	s.says(lab.East, "db", vgrv1.ReasonFailedToDemote, "the volumes have different roles: logs is Primary; config, data is Secondary")
	s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/logs", 5)) // what uses it still writes
	for _, v := range s.get(lab.West, "db").Status.Volumes {
		if v.State != vgrv1.StateSecondary {
			t.Errorf("before all volumes are demoted %s is %s on west", v.Name, v.State)
		}
	}
	s.must(s.lab.Site(lab.East).Attach(t.Context(), s.ns+"/logs", false))
	if r := <-ended; r.code != 0 {
		t.Fatalf("failover: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	s.whole(lab.West, lab.East)

	s.synced(lab.West, "db")
	s.must(s.lab.Inject(t.Context(), lab.Fault{Kind: lab.FaultRPC, Site: lab.East, RPC: &driver.Fault{RPC: "PromoteVolume", Code: "INTERNAL", Message: "the pool is full", Times: 1}}))
	go func() { ended <- s.vgr("failover", "db", "-n", s.ns, "--to", "east", "--yes") }()
	s.says(lab.East, "db", vgrv1.ReasonFailedToPromote, "the pool is full; the volumes have different roles: ")
	if r := <-ended; r.code != 0 {
		t.Fatalf("failover: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	s.whole(lab.East, lab.West)
	s.protected("db")
}

// TestFailoverKilled kills the plugin at each step. The same command, run again, ends what was
// begun, under the same operation.
func TestFailoverKilled(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	steps := map[string]string{"record": "1/6", "verify": "2/6", "demote": "3/6", "sync": "4/6", "promote": "5/6", "finish": "6/6"}
	for name := range steps {
		if name != "verify" {
			s.pair(name)
		}
	}
	// The others do not stop at that step, and on the fast storage it is too short.
	s.cephClaims(lab.East, map[string]string{"app": "verify"}, "verify-data")
	s.done("create", "verify", "-n", s.ns, "--class", ceph, "-l", "app=verify", "--yes")
	var all sync.WaitGroup
	for name, number := range steps {
		all.Go(func() {
			if err := s.killAt(name, number); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	all.Wait()
	var again sync.WaitGroup
	for name := range steps {
		again.Go(func() {
			if r := s.vgr("failover", name, "-n", s.ns, "--to", "west", "--yes"); r.code != 0 {
				t.Errorf("after a kill in %s: exit code %d\n%s", name, r.code, r.errOut)
			}
		})
	}
	again.Wait()
	s.whole(lab.West, lab.East)
	for name := range steps {
		if ops := s.history(name); len(ops) != 1 || ops[0].Result != recovery.Done {
			t.Errorf("after a kill in %s: %+v", name, ops)
		}
	}
}

// killAt starts a failover and kills it with no chance to clean up once it says that it is at a step.
func (s *scene) killAt(name, step string) error {
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.bin, "kubectl-vgr"), "failover", name, "-n", s.ns, "--to", "west", "--yes")
	cmd.Env = s.env()
	out, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	seen := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), " "+step+" ") {
			seen = true
			if err := cmd.Process.Kill(); err != nil {
				return err
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if !seen {
		return fmt.Errorf("step %s was never reached", step)
	}
	return nil
}

// TestUnplanned loses a site, gets it back, and goes back to it.
func TestUnplanned(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	s.synced(lab.East, "db")
	s.done("list", "-n", s.ns)
	s.must(s.lab.Site(lab.East).Cut(t.Context()))
	lastSeen := regexp.MustCompile(`last seen:? (east )?\S+ ago, at \S+Z: Primary, last sync \S+Z`)
	if text := strings.Join(strings.Fields(s.done("status", "db", "-n", s.ns)), " "); !lastSeen.MatchString(text) {
		t.Errorf("status says nothing of what was seen of east:\n%s", text)
	}
	if text := s.done("list", "-n", s.ns); !regexp.MustCompile(`db +Primary \S+ ago +Secondary .*Unreachable`).MatchString(text) {
		t.Errorf("list says nothing of what was seen of east:\n%s", text)
	}
	refused := func(code int, args ...string) {
		t.Helper()
		if r := s.vgr(args...); r.code != code || !strings.Contains(r.errOut, "nothing was changed") {
			t.Errorf("%v: exit code %d, want %d\n%s", args, r.code, code, r.errOut)
		}
	}
	refused(6, "failover", "db", "-n", s.ns, "--to", "west", "--yes")
	unplanned := []string{"failover", "db", "-n", s.ns, "--to", "west", "--unplanned", "--yes"}
	refused(2, unplanned...)
	if r := s.vgr(append(unplanned, "--accept-data-loss", "unknown", "--dry-run=client")...); r.code != 0 || !lastSeen.MatchString(strings.Join(strings.Fields(r.errOut), " ")) {
		t.Errorf("the plan says nothing of what was seen of east: exit code %d\n%s", r.code, r.errOut)
	}
	refused(2, append(unplanned, "--accept-data-loss", "1h")...)
	s.done(append(unplanned, "--accept-data-loss", "unknown")...)
	s.ready(lab.West, "db", vgrv1.StatePrimary, 1)
	s.must(s.lab.Site(lab.West).Write(t.Context(), s.ns+"/db-data", 11))

	s.must(s.lab.Site(lab.East).Reconnect(t.Context()))
	s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/db-data", 5)) // no command has stopped it there
	var o overview.Overview
	s.must(json.Unmarshal([]byte(s.done("list", "-n", s.ns, "-o", "json")), &o))
	if v := o.Groups[0].Verdict; v.Phase != overview.SplitBrain || !strings.Contains(v.Next, "failback db") {
		t.Errorf("verdict %+v", v)
	}
	refused(2, "failover", "db", "-n", s.ns, "--to", "east", "--yes")
	refused(2, "failback", "db", "-n", s.ns, "--to", "east", "--yes")
	s.done("failback", "db", "-n", s.ns, "--to", "east", "--discard-site", "east", "--yes")
	for _, img := range s.images(lab.East) {
		if has := img.Copies["east"].Writes; img.SplitBrain || !img.Copies["east"].Primary || img.Copies["west"].Primary || has != img.Acknowledged-5 {
			t.Errorf("after the failback, without the 5 writes to discard: %+v", img)
		}
	}
	ops := s.history("db")
	if len(ops) != 2 || ops[0].Kind != recovery.Failback || ops[1].Kind != recovery.Unplanned || ops[1].Accepted != "unknown" {
		t.Errorf("history %+v", ops)
	}
}

// TestFailoverAborted: the link is down, so the demotion never crosses. The failover does not
// promote, says how to take it back, and that works.
func TestFailoverAborted(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	s.must(s.lab.Inject(t.Context(), lab.Fault{Kind: lab.FaultLink}))
	s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/db-data", 3))
	if r := s.vgr("failover", "db", "-n", s.ns, "--to", "west", "--yes", "--timeout", "15s"); r.code != 3 || !strings.Contains(r.errOut, "or: kubectl vgr failover db -n "+s.ns+" --abort") {
		t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	if g := s.get(lab.West, "db"); g.Spec.ReplicationState != vgrv1.Secondary {
		t.Errorf("west was asked to be %s", g.Spec.ReplicationState)
	}
	for _, verb := range []string{"promote", "resync"} {
		if r := s.vgr(verb, "db", "-n", s.ns, "--yes"); r.code != 2 {
			t.Errorf("%s during an operation: exit code %d\n%s", verb, r.code, r.errOut)
		}
	}
	s.done("failover", "db", "-n", s.ns, "--abort", "--yes")
	s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
	for _, img := range s.images(lab.East) {
		if !img.Copies["east"].Primary || img.Copies["east"].Writes != img.Acknowledged {
			t.Errorf("after the abort: %+v", img)
		}
	}
	if ops := s.history("db"); len(ops) != 1 || ops[0].Result != recovery.Aborted {
		t.Errorf("history %+v", ops)
	}
}

// TestMaxOutage: a failover that would leave the application without a primary for longer than is allowed takes itself back.
func TestMaxOutage(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.pair("db")
	s.must(s.lab.Inject(t.Context(), lab.Fault{Kind: lab.FaultLink}))
	s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/db-data", 3))
	r := s.vgr("failover", "db", "-n", s.ns, "--to", "west", "--yes", "--max-outage", "5s", "--timeout", "3m")
	if r.code != 4 || !strings.Contains(r.errOut, "the operation was taken back, and east is primary again: no site was primary for longer than 5s, in step sync") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	s.ready(lab.East, "db", vgrv1.StatePrimary, 1)
	if g := s.get(lab.West, "db"); g.Spec.ReplicationState != vgrv1.Secondary {
		t.Errorf("west was asked to be %s", g.Spec.ReplicationState)
	}
	for _, img := range s.images(lab.East) {
		if !img.Copies["east"].Primary || img.Copies["east"].Writes != img.Acknowledged {
			t.Errorf("after the abort: %+v", img)
		}
	}
	if ops := s.history("db"); len(ops) != 1 || ops[0].Result != recovery.Aborted {
		t.Errorf("history %+v", ops)
	}
}

// TestFailoverDeleted: a plain deletion on both sites in the middle of a failover waits, and says for what. The
// failover is resumed to its end, and then the deletion completes.
func TestFailoverDeleted(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.pair("db")
	if err := s.killAt("db", "4/6"); err != nil {
		t.Fatal(err)
	}
	groups := map[string]*vgrv1.VolumeGroupReplication{}
	for _, site := range []string{lab.East, lab.West} {
		groups[site] = s.get(site, "db")
		s.must(s.sites[site].Delete(t.Context(), groups[site]))
		s.eventually("the deletion to be held on "+site, func(context.Context) error {
			if c := meta.FindStatusCondition(s.get(site, "db").Status.Conditions, vgrv1.ConditionDeletionHeld); c == nil || !strings.Contains(c.Message, "resume it: kubectl vgr failover db -n "+s.ns+" --to west") {
				return fmt.Errorf("it says %+v", c)
			}
			return nil
		})
	}
	if r := s.vgr("status", "db", "-n", s.ns); !strings.Contains(r.out+r.errOut, "--discard-journal") {
		t.Errorf("status does not say what the deletion waits for:\n%s", r.out)
	}
	s.done("failover", "db", "-n", s.ns, "--to", "west", "--yes")
	for site, g := range groups {
		s.gone(site, g)
	}
	for _, img := range s.images(lab.East) {
		if !img.Copies["west"].Primary || img.Copies["east"].Primary || img.Copies["west"].Writes != img.Acknowledged {
			t.Errorf("after the failover: %+v", img)
		}
	}
}

// TestFailoverInUse: a pod that uses a PVC is named, and nothing is changed. A volume that is
// attached without Kubernetes knowing stops the demotion in the storage.
func TestFailoverInUse(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.pair("db")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "db-0"},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "db", Image: "db"}},
			Volumes:    []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "db-data"}}}},
		},
	}
	s.create(lab.East, pod)
	if r := s.vgr("failover", "db", "-n", s.ns, "--to", "west", "--yes"); r.code != 2 || !strings.Contains(r.errOut, "pod/db-0 (db-data)") {
		t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	if r := s.vgr("validate", "db", "-n", s.ns); r.code != 4 || !strings.Contains(r.out, "pod/db-0 (db-data)") {
		t.Errorf("validate: exit code %d\n%s", r.code, r.out)
	}
	s.must(s.sites[lab.East].Delete(t.Context(), pod))
	s.gone(lab.East, pod)
	s.must(s.lab.Site(lab.East).Attach(t.Context(), s.ns+"/db-data", true))
	if r := s.vgr("failover", "db", "-n", s.ns, "--to", "west", "--yes", "--timeout", "20s"); r.code != 4 || !strings.Contains(r.errOut, "still published to a node") {
		t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	s.must(s.lab.Site(lab.East).Attach(t.Context(), s.ns+"/db-data", false))
	s.done("failover", "db", "-n", s.ns, "--to", "west", "--yes") // resumes
	s.whole(lab.West, lab.East)
}

// TestFailoverTwice: of two that move a group at the same time one does, and the other one changes
// nothing or finds it done.
func TestFailoverTwice(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.pair("db")
	results := make([]result, 2)
	var both sync.WaitGroup
	for i := range results {
		both.Go(func() { results[i] = s.vgr("failover", "db", "-n", s.ns, "--to", "west", "--yes") })
	}
	both.Wait()
	done := 0
	for _, r := range results {
		switch r.code {
		case 0:
			done++
		case 2, 4: // it saw the other one's Lease, or its journal
		default:
			t.Errorf("exit code %d\n%s", r.code, r.errOut)
		}
	}
	if done == 0 {
		t.Errorf("neither has done it:\n%s\n%s", results[0].errOut, results[1].errOut)
	}
	s.whole(lab.West, lab.East)
	if ops := s.history("db"); ops[0].Result != recovery.Done {
		t.Errorf("history %+v", ops)
	}
}

// TestFailoverMany moves 50 groups at once. The one that cannot be moved does not stop the others,
// and decides the exit code.
func TestFailoverMany(t *testing.T) {
	t.Parallel()
	const groups = 50
	s := newSceneAlone(t)
	var volumes []string
	for i := range groups {
		volumes = append(volumes, fmt.Sprintf("db-%02d", i))
		s.create(lab.East, s.claim(volumes[i], lab.FastStorageClass, map[string]string{"app": volumes[i]}))
	}
	s.bound(lab.East, volumes...)
	var making sync.WaitGroup
	limit := make(chan struct{}, 10)
	for _, name := range volumes {
		making.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			if r := s.vgr("create", name, "-n", s.ns, "--class", gold, "-l", "app="+name, "--yes"); r.code != 0 {
				t.Errorf("create %s: exit code %d\n%s", name, r.code, r.errOut)
			}
		})
	}
	making.Wait()
	s.must(s.lab.Site(lab.East).Attach(t.Context(), s.ns+"/db-07", true))
	r := s.vgr("failover", "--all", "-n", s.ns, "--to", "west", "--yes", "--concurrency", "50", "--timeout", "150s")
	if r.code != 4 || strings.Count(r.out, "moved") != groups-1 || !strings.Contains(r.errOut, "49 of 50 groups are done") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errOut[max(0, len(r.errOut)-3000):])
	}
	var took []time.Duration
	steps := map[recovery.StepID][]time.Duration{}
	for _, name := range volumes {
		op, err := recovery.Journal(s.get(lab.West, name))
		s.must(err)
		if d, ok := op.Duration(); ok {
			took = append(took, d)
			for _, step := range op.Steps {
				steps[step.ID] = append(steps[step.ID], step.Finished.Sub(step.Started.Time))
			}
		}
	}
	t.Logf("%d groups at once, until primary: median %s, slowest %s", groups, median(took), slices.Max(took))
	for _, id := range []recovery.StepID{recovery.StepRecord, recovery.StepVerify, recovery.StepDemote, recovery.StepSync, recovery.StepPromote, recovery.StepFinish} {
		t.Logf("  %-8s median %s, slowest %s", id, median(steps[id]), slices.Max(steps[id]))
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// TestFailoverWaves: what depends on a group is moved after it, and not at all when it is not.
func TestFailoverWaves(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for i, name := range []string{"db", "app", "web"} {
		s.pair(name)
		s.change(lab.East, name, func(g *vgrv1.VolumeGroupReplication) {
			g.Annotations[vgrv1.AnnotationWave] = fmt.Sprint(i)
		})
	}
	s.must(s.lab.Site(lab.East).Attach(t.Context(), s.ns+"/app-data", true))
	r := s.vgr("failover", "--all", "-n", s.ns, "--to", "west", "--yes", "--timeout", "60s")
	if r.code != 4 || !regexp.MustCompile(`/db +moved +west`).MatchString(r.out) || !strings.Contains(r.errOut, "web: not started, because wave 1 is not done") || !strings.Contains(r.errOut, "1 of 3 groups are done") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	if g := s.get(lab.East, "web"); g.Spec.ReplicationState != vgrv1.Primary || g.Annotations[vgrv1.AnnotationOperation] != "" {
		t.Errorf("web was touched: %+v", g.ObjectMeta)
	}
	s.must(s.lab.Site(lab.East).Attach(t.Context(), s.ns+"/app-data", false))
	s.done("failover", "--all", "-n", s.ns, "--to", "west", "--yes")
	s.whole(lab.West, lab.East)
}

// TestEvacuate: one command moves the groups of all namespaces away from a site, the same one with the context of the other
// site finds nothing more to do, and each group is named in each way that other commands print.
func TestEvacuate(t *testing.T) {
	t.Parallel()
	s, other := newScene(t), newScene(t)
	s.pair("db")
	other.pair("web")
	for of, group := range map[*scene]string{s: "db", other: "web"} {
		for _, site := range []string{lab.East, lab.West} {
			of.change(site, group, func(g *vgrv1.VolumeGroupReplication) { g.Labels = map[string]string{"evacuate": s.ns} })
		}
	}
	these := []string{"--from", "east", "-A", "-l", "evacuate=" + s.ns}
	s.done(append([]string{"validate"}, these...)...)
	r := s.vgr(append([]string{"failover", "--yes", "--timeout", "150s"}, these...)...)
	if r.code != 0 || strings.Count(r.out, "moved") != 2 {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	s.whole(lab.West, lab.East)
	other.whole(lab.West, lab.East)
	r = s.vgr(append([]string{"failover", "--yes", "--context", "west"}, these...)...)
	if r.code != 0 || !strings.Contains(r.errOut, "no group is primary on east") {
		t.Errorf("again: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	for name := range strings.FieldsSeq(s.done("list", "-n", s.ns, "-o", "name")) {
		s.done("status", name, "-n", s.ns)
	}
	s.done("failover", s.ns+"/db", other.ns+"/web", "--to", "east", "--yes", "--timeout", "150s")
}
