// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
)

// addons stands in for csi-addons and its storage on both sites: it does what the VolumeReplications of one namespace ask for,
// and says so as csi-addons does. Each has its copy on the other site under the same name.
type addons struct {
	b     *bench
	sites [2]client.Client
	// refuse has no primary demoted while it returns true.
	refuse func() bool
}

// run works until the context ends.
func (a *addons) run(ctx context.Context) {
	for ctx.Err() == nil {
		var lists [2]replicationv1.VolumeReplicationList
		for i, c := range a.sites {
			_ = c.List(ctx, &lists[i], client.InNamespace("default"))
		}
		for i := range lists {
			for j := range lists[i].Items {
				vr := &lists[i].Items[j]
				a.act(ctx, i, vr, find(lists[1-i].Items, vr.Name))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func find(all []replicationv1.VolumeReplication, name string) *replicationv1.VolumeReplication {
	for i := range all {
		if all[i].Name == name {
			return &all[i]
		}
	}
	return nil
}

// act answers one object. A conflict is for the next pass.
func (a *addons) act(ctx context.Context, at int, vr, copy *replicationv1.VolumeReplication) {
	peer := replicationv1.UnknownState
	if copy != nil {
		peer = copy.Status.State
	}
	st := statusOf(vr.Generation, vr.Spec.ReplicationState == replicationv1.Primary, 0)
	st.LastSyncTime = vr.Status.LastSyncTime
	switch {
	case vr.Spec.ReplicationState == replicationv1.Primary && peer == replicationv1.SecondaryState && copy.Spec.ReplicationState != replicationv1.Primary:
		st.LastSyncTime = &metav1.Time{Time: time.Now().Truncate(time.Second)} //nolint:forbidigo // of a real storage
	case vr.Spec.ReplicationState == replicationv1.Primary:
	case vr.Status.State == replicationv1.PrimaryState && a.refuse != nil && a.refuse():
		return
	case vr.Status.State == replicationv1.SecondaryState && peer == replicationv1.SecondaryState && vr.Spec.ReplicationState != replicationv1.Resync:
		for i := range st.Conditions {
			if c := &st.Conditions[i]; c.Type == "Degraded" || c.Type == "Resyncing" {
				c.Status, c.Reason = metav1.ConditionFalse, map[string]string{"Degraded": "Healthy", "Resyncing": "NotResyncing"}[c.Type]
			}
		}
	}
	if was, is := mustJSON(vr.Status), mustJSON(st); was == is {
		return
	}
	vr.Status = st
	_ = a.sites[at].Status().Update(ctx, vr)
}

// mustJSON is a status without the times of its conditions.
func mustJSON(st replicationv1.VolumeReplicationStatus) string {
	st = *st.DeepCopy()
	for i := range st.Conditions {
		st.Conditions[i].LastTransitionTime = metav1.Time{}
	}
	text, err := json.Marshal(st)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// rolesOfData are what the objects named data ask for and are, on east and west.
func (b *bench) rolesOfData() string {
	b.t.Helper()
	var said []string
	for _, c := range []client.Client{b.east, b.west} {
		var vr replicationv1.VolumeReplication
		b.must(c.Get(b.t.Context(), keyOf("default", "data"), &vr))
		said = append(said, string(vr.Spec.ReplicationState)+"/"+string(vr.Status.State))
	}
	return strings.Join(said, " ")
}

const (
	eastPrimary = "primary/Primary secondary/Secondary"
	westPrimary = "secondary/Secondary primary/Primary"
	noPrimary   = "secondary/Secondary " + "secondary/Secondary"
	bothPrimary = "primary/Primary " + "primary/Primary"
)

// newMoved is a bench of two clusters without anything of ours, where csi-addons works.
func newMoved(t *testing.T) (*bench, *addons) {
	b := newNative(t)
	a := &addons{b: b, sites: [2]client.Client{b.east, b.west}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { a.run(ctx); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return b, a
}

// move runs a command that changes roles, for no longer than a minute and a half.
func (b *bench) move(args ...string) result {
	b.t.Helper()
	return b.vgr(append(args, "--peer-context", "west", "--yes", "--timeout", "90s")...)
}

// said reports whether a text is in what a command wrote, however that is wrapped.
func said(r result, text string) bool {
	return strings.Contains(strings.Join(strings.Fields(r.out+" "+r.errOut), " "), text)
}

// TestNativeMoved: bare VolumeReplications are moved by the same planner as groups of ours, with nothing of ours installed.
func TestNativeMoved(t *testing.T) {
	t.Parallel()
	b, _ := newMoved(t)
	b.nativePair()

	r := b.move("failover", "data", "--to", "west")
	t.Logf("%s%s", r.out, r.errOut)
	for _, want := range []string{"no controller of kubectl vgr guards these objects", "no controller of kubectl vgr has watched east", "volumereplication.replication.storage.openshift.io/data is primary on west"} {
		if !said(r, want) {
			t.Errorf("%q is not in the plan", want)
		}
	}
	if got := b.rolesOfData(); r.code != 0 || got != westPrimary {
		t.Fatalf("%d: %s", r.code, got)
	}
	for _, c := range []client.Client{b.east, b.west} {
		if op := b.journal(c, "data"); op.Result != recovery.Done {
			t.Errorf("the journal is %+v", op)
		}
		var leases coordinationv1.LeaseList
		if b.must(c.List(t.Context(), &leases, client.InNamespace("default"))); len(leases.Items) > 0 {
			t.Errorf("Leases are left: %v", leases.Items)
		}
	}
	if r := b.move("failover", "data", "--to", "west"); r.code != 0 || !said(r, "primary already") {
		t.Errorf("again: %+v", r)
	}
	r = b.move("failover", "data", "--to", "east")
	if got := b.rolesOfData(); r.code != 0 || got != eastPrimary {
		t.Fatalf("and back: %+v: %s", r, got)
	}
	r = b.vgr("history", "data", "--peer-context", "west")
	if t.Log(r.out); r.code != 0 || strings.Count(r.out, "from east to west") != 1 || strings.Count(r.out, "from west to east") != 1 {
		t.Errorf("%+v", r)
	}
}

// journal reads the journal of an object, which there must be.
func (b *bench) journal(c client.Client, name string) *recovery.Operation {
	b.t.Helper()
	var vr replicationv1.VolumeReplication
	b.must(c.Get(b.t.Context(), keyOf("default", name), &vr))
	op, err := recovery.Journal(&vgrv1.VolumeGroupReplication{ObjectMeta: vr.ObjectMeta})
	if b.must(err); op == nil {
		b.t.Fatalf("%s has no journal", name)
	}
	return op
}

// TestNativeAborted: --abort makes the source primary again when a move cannot end; or the same command resumes it.
func TestNativeAborted(t *testing.T) {
	t.Parallel()
	b, a := newMoved(t)
	b.nativePair()
	var blocked atomic.Bool
	a.refuse = blocked.Load
	blocked.Store(true)
	r := b.vgr("failover", "data", "--to", "west", "--peer-context", "west", "--yes", "--timeout", "20s")
	if got := b.rolesOfData(); r.code == 0 || got != "secondary/Primary secondary/Secondary" || !said(r, "--abort") {
		t.Fatalf("%+v: %s", r, got)
	}
	if g := b.listed("list", "--peer-context", "west")["default/data"]; g.Operation == nil || g.Operation.Result != "" || g.Verdict.Phase != overview.Transitioning {
		t.Errorf("%+v: %+v", g.Operation, g.Verdict)
	}
	if r := b.move("failover", "data", "--abort"); r.code != 0 || b.rolesOfData() != eastPrimary {
		t.Fatalf("%+v: %s", r, b.rolesOfData())
	}
	if op := b.journal(b.west, "data"); op.Result != recovery.Aborted {
		t.Errorf("%+v", op)
	}
	blocked.Store(true)
	if r := b.vgr("failover", "data", "--to", "west", "--peer-context", "west", "--yes", "--timeout", "20s"); r.code == 0 {
		t.Fatalf("%+v", r)
	}
	blocked.Store(false)
	if r := b.move("failover", "data", "--to", "west"); r.code != 0 || b.rolesOfData() != westPrimary || !said(r, "begun by") {
		t.Errorf("resumed: %+v: %s", r, b.rolesOfData())
	}
}

// TestNativeUnproven: a role that another tool has changed proves nothing, and a copy is not promoted by what is left over.
func TestNativeUnproven(t *testing.T) {
	t.Parallel()
	b, _ := newMoved(t)
	b.nativePair()
	var vr replicationv1.VolumeReplication
	b.must(b.east.Get(t.Context(), keyOf("default", "data"), &vr))
	vr.Spec.ReplicationState = replicationv1.Secondary // as kubectl patch does: no one has seen that it had synchronised
	b.must(b.east.Update(t.Context(), &vr))
	if err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 2*time.Minute, true, func(context.Context) (bool, error) { return b.rolesOfData() == noPrimary, nil }); err != nil {
		t.Fatalf("%v: %s", err, b.rolesOfData())
	}
	for _, args := range [][]string{{"promote", "data", "--context", "west", "--peer-context", "east"}, {"failover", "data", "--to", "west", "--peer-context", "west"}} {
		r := b.vgr(append(args, "--yes", "--timeout", "20s")...)
		if got := b.rolesOfData(); r.code == 0 || got != noPrimary || !said(r, "proves nothing") {
			t.Errorf("%v: %+v: %s", args, r, got)
		}
	}
}

// TestNativeLost: a site that is down is done without, and brought back.
func TestNativeLost(t *testing.T) {
	t.Parallel()
	b, _ := newMoved(t)
	b.nativePair()
	lost := []string{"failover", "data", "--to", "west", "--context", "dead", "--peer-context", "west", "--unplanned", "--timeout", "60s"}
	if r := b.vgr(append(lost, "--yes")...); r.code == 0 || !said(r, "--accept-data-loss") {
		t.Errorf("without the loss accepted: %+v", r)
	}
	r := b.vgr(append(lost, "--accept-data-loss", "unknown", "--yes")...)
	if got := b.rolesOfData(); r.code != 0 || got != bothPrimary {
		t.Fatalf("%+v: %s", r, got)
	}
	if r := b.move("failover", "data", "--to", "west"); r.code == 0 {
		t.Errorf("planned, with two primaries: %+v", r)
	}
	if r := b.move("failback", "data", "--to", "east"); r.code == 0 || !said(r, "--discard-site east") {
		t.Errorf("without the site named: %+v", r)
	}
	r = b.move("failback", "data", "--to", "east", "--discard-site", "east")
	if got := b.rolesOfData(); r.code != 0 || got != eastPrimary {
		t.Errorf("%+v: %s", r, got)
	}
}

// TestNativeNotMoved: what another tool decides over, and what may be another object, is refused, and nothing is written.
func TestNativeNotMoved(t *testing.T) {
	t.Parallel()
	b, _ := newMoved(t)
	for name, edit := range map[string]func(*replicationv1.VolumeReplication){
		"ramen": func(vr *replicationv1.VolumeReplication) {
			vr.Labels = map[string]string{"ramendr.openshift.io/owner-name": "shop"}
		},
		"argo": func(vr *replicationv1.VolumeReplication) {
			vr.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "shop:x/y:z/argo"}
		},
		"flux": func(vr *replicationv1.VolumeReplication) {
			vr.Labels = map[string]string{"kustomize.toolkit.fluxcd.io/name": "shop"}
		},
		"owned": func(vr *replicationv1.VolumeReplication) {
			vr.OwnerReferences = []metav1.OwnerReference{{APIVersion: "x/v1", Kind: "App", Name: "shop", UID: "u", Controller: new(true)}}
		},
	} {
		b.claim(b.east, "default", name, "h-"+name, nil)
		b.claim(b.west, "default", name, "h-"+name, nil)
		b.replication(b.east, "default", name, name, true, time.Minute, edit)
		b.replication(b.west, "default", name, name, false, 0)
	}
	b.claim(b.east, "default", "here", "h-here", nil)
	b.claim(b.west, "default", "here", "h-here", nil)
	b.replication(b.east, "default", "here", "here", true, time.Minute)
	b.replication(b.west, "default", "there", "here", false, 0)
	b.claim(b.east, "default", "lone", "h-lone", nil)
	b.replication(b.east, "default", "lone", "lone", false, 0)
	for i, c := range []client.Client{b.east, b.west} {
		vgr := &replicationv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "external"}}
		vgr.Spec.External, vgr.Spec.VolumeGroupReplicationClassName, vgr.Spec.ReplicationState = true, "rbd-group", []replicationv1.ReplicationState{"primary", "secondary"}[i]
		vgr.Spec.Source.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "external"}}
		b.must(c.Create(t.Context(), vgr))
	}
	for name, want := range map[string]string{
		"ramen": "Ramen's VolumeReplicationGroup shop decides over it", "argo": "Argo CD", "flux": "Flux", "owned": "App shop decides over it", "external": "the storage vendor's controller",
		"here": "default/there on west", "lone": "no object on west is known to be of the same volumes",
	} {
		for _, args := range [][]string{
			{"failover", name, "--to", "west"}, {"failover", name, "--to", "west", "--unplanned", "--accept-data-loss", "unknown"}, {"demote", name}, {"failback", name, "--to", "west"},
		} {
			if r := b.move(args...); r.code != 2 || !said(r, want) {
				t.Errorf("%v: %+v", args, r)
			}
		}
	}
	for _, c := range []client.Client{b.east, b.west} {
		var list replicationv1.VolumeReplicationList
		b.must(c.List(t.Context(), &list))
		for _, vr := range list.Items {
			if vr.Annotations[vgrv1.AnnotationOperation] != "" || vr.Annotations[vgrv1.AnnotationRemembered] != "" {
				t.Errorf("%s was written: %v", vr.Name, vr.Annotations)
			}
		}
	}
}
