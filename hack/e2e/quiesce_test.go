// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// statefulSet is a database that makes its claim itself.
func (s *scene) statefulSet(replicas int32) *appsv1.StatefulSet {
	db := map[string]string{"app": "db"}
	claim := s.claim("data", lab.FastStorageClass, db)
	claim.Namespace = ""
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "db"},
		Spec: appsv1.StatefulSetSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: db}, VolumeClaimTemplates: []corev1.PersistentVolumeClaim{*claim},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: db}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "db", Image: "db"}}}},
		},
	}
}

// reader is a Deployment that uses the database's claim.
func (s *scene) reader(replicas int32) *appsv1.Deployment {
	reader := map[string]string{"app": "reader"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: "reader"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: reader},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: reader}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "reader", Image: "reader"}},
				Volumes:    []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-db-0"}}}},
			}},
		},
	}
}

// replicas are those that the database and its reader ask for; -1 for one that does not exist.
func (s *scene) replicas(site string) [2]int32 {
	s.t.Helper()
	out := [2]int32{-1, -1}
	var db appsv1.StatefulSet
	if err := s.sites[site].Get(s.t.Context(), client.ObjectKey{Namespace: s.ns, Name: "db"}, &db); err == nil {
		out[0] = ptr.Deref(db.Spec.Replicas, 1)
	} else {
		s.must(client.IgnoreNotFound(err))
	}
	var reader appsv1.Deployment
	if err := s.sites[site].Get(s.t.Context(), client.ObjectKey{Namespace: s.ns, Name: "reader"}, &reader); err == nil {
		out[1] = ptr.Deref(reader.Spec.Replicas, 1)
	} else {
		s.must(client.IgnoreNotFound(err))
	}
	return out
}

// pods waits until a site has so many of the namespace.
func (s *scene) pods(site string, want int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%d pods on %s", want, site), func(ctx context.Context) error {
		var list corev1.PodList
		if err := s.sites[site].List(ctx, &list, client.InNamespace(s.ns)); err != nil {
			return err
		}
		if len(list.Items) != want {
			return fmt.Errorf("%d pods", len(list.Items))
		}
		return nil
	})
}

// TestQuiesce: applications are stopped where they run and started on the other site, only when
// that is asked for. An abort starts them again.
func TestQuiesce(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.create(lab.East, s.statefulSet(1))
	s.create(lab.East, s.reader(2))
	s.create(lab.West, s.statefulSet(0))
	s.bound(lab.East, "data-db-0")
	s.pods(lab.East, 3)
	s.done("create", "db", "-n", s.ns, "--class", gold, "-l", "app=db", "--yes")
	s.ready(lab.West, "db", vgrv1.StateSecondary, 1)

	expect := func(when string, east, west [2]int32) {
		t.Helper()
		if e, w := s.replicas(lab.East), s.replicas(lab.West); e != east || w != west {
			t.Errorf("%s: replicas east %v, west %v; want %v and %v", when, e, w, east, west)
		}
	}
	r := s.vgr("failover", "db", "-n", s.ns, "--to", "west", "--yes")
	if r.code != 2 || !strings.Contains(r.errOut, "pod/db-0 (data-db-0)") || !strings.Contains(r.errOut, "--quiesce does that") {
		t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	quiesce := []string{"failover", "db", "-n", s.ns, "--quiesce", "--yes", "--to"}
	s.done(append(quiesce, "west", "--dry-run=server")...)
	expect("after refusal and dry run", [2]int32{1, 2}, [2]int32{0, -1})
	s.done(append(quiesce, "west", "--start-workloads")...)
	expect("on west", [2]int32{0, 0}, [2]int32{1, -1})
	s.pods(lab.East, 0)
	s.pods(lab.West, 1)
	s.whole(lab.West, lab.East)
	s.done(append(quiesce, "east")...)
	expect("back on east, not started", [2]int32{0, 0}, [2]int32{0, -1})
	s.pods(lab.West, 0)
	ops := s.history("db")
	if len(ops) != 2 || len(ops[1].Stopped) != 2 || len(ops[0].Stopped) != 1 || ops[0].Result != recovery.Done {
		t.Errorf("history %+v", ops)
	}

	reader := s.reader(0)
	s.must(s.sites[lab.East].Get(t.Context(), client.ObjectKeyFromObject(reader), reader))
	reader.Spec.Replicas = new(int32(2))
	s.must(s.sites[lab.East].Update(t.Context(), reader))
	s.pods(lab.East, 2)
	s.synced(lab.East, "db") // else nothing would be stopped before the link is back
	s.must(s.lab.Inject(t.Context(), lab.Fault{Kind: lab.FaultLink}))
	s.must(s.lab.Site(lab.East).Write(t.Context(), s.ns+"/data-db-0", 3))
	if r := s.vgr(append(quiesce, "west", "--timeout", "40s")...); r.code != 3 {
		t.Errorf("with the link down: exit code %d\n%s", r.code, r.errOut)
	}
	expect("stopped and not moved", [2]int32{0, 0}, [2]int32{0, -1})
	s.done("failover", "db", "-n", s.ns, "--abort", "--yes")
	expect("after the abort", [2]int32{0, 2}, [2]int32{0, -1})
	s.pods(lab.East, 2)
}

// TestFailbackQuiesced: a site that was lost returns with its application running. It is stopped
// before what it wrote is discarded, and so is the one on the other site.
func TestFailbackQuiesced(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	s.create(lab.East, s.statefulSet(1))
	s.create(lab.West, s.statefulSet(0))
	s.bound(lab.East, "data-db-0")
	s.done("create", "db", "-n", s.ns, "--class", gold, "-l", "app=db", "--yes")
	s.ready(lab.West, "db", vgrv1.StateSecondary, 1)
	s.must(s.lab.Site(lab.East).Cut(t.Context()))
	s.done("failover", "db", "-n", s.ns, "--to", "west", "--unplanned", "--accept-data-loss", "unknown", "--yes")
	var west appsv1.StatefulSet
	s.must(s.sites[lab.West].Get(t.Context(), client.ObjectKey{Namespace: s.ns, Name: "db"}, &west))
	west.Spec.Replicas = new(int32(1)) // started by hand
	s.must(s.sites[lab.West].Update(t.Context(), &west))
	s.pods(lab.West, 1)
	s.must(s.lab.Site(lab.East).Reconnect(t.Context()))

	failback := []string{"failback", "db", "-n", s.ns, "--to", "east", "--discard-site", "east", "--yes"}
	r := s.vgr(failback...)
	if r.code != 2 || !strings.Contains(r.errOut, "the PVCs on east are in use by pod/db-0") || !strings.Contains(r.errOut, "the PVCs on west are in use by pod/db-0") {
		t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	s.done(append(failback, "--quiesce", "--start-workloads")...)
	if e, w := s.replicas(lab.East), s.replicas(lab.West); e[0] != 1 || w[0] != 0 {
		t.Errorf("replicas east %v, west %v", e, w)
	}
	s.whole(lab.East, lab.West)
}
