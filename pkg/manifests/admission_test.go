// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package manifests_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
)

// server is an API server with the CRDs and the policy, and kubectl for it.
func server(t *testing.T) (c, tenant client.Client, kubectl func(args ...string) error) {
	t.Helper()
	at := testserver.Start(t)
	c = at.Client(t)
	all, err := manifests.Install(manifests.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range all {
		if u.GroupVersionKind().Group == manifests.AdmissionGroup {
			if err := c.Create(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
	}
	if tenant, err = client.New(at.User(t, "tenant").Config(), client.Options{Scheme: c.Scheme()}); err != nil {
		t.Fatal(err)
	}
	program, err := at.User(t, "admin", "system:masters").Kubectl()
	if err != nil {
		t.Fatal(err)
	}
	return c, tenant, func(args ...string) error {
		_, _, err := program.Run(args...)
		return err
	}
}

// group creates a group in a state.
func group(t *testing.T, c client.Client, name string, s vgrv1.ReplicationState, annotations map[string]string) *vgrv1.VolumeGroupReplication {
	t.Helper()
	g := &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: annotations},
		Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: "gold", ReplicationState: s, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
		},
	}
	if err := c.Create(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	return g
}

// told sets the annotations of a promotion, for the next generation.
func told(peer string) func(*vgrv1.VolumeGroupReplication) {
	return func(g *vgrv1.VolumeGroupReplication) {
		g.Spec.ReplicationState = vgrv1.Primary
		metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationPeer, peer)
		metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationBoundTo, state.Bound(g, g.Generation+1))
	}
}

// TestPromotion has a real API server judge writes: which it refuses is what state.MayPromote says of those that
// it takes.
func TestPromotion(t *testing.T) {
	c, tenant, kubectl := server(t)
	enforced(t, c)
	t.Run("updates", func(t *testing.T) { testUpdates(t, c) })
	t.Run("as GitOps writes", func(t *testing.T) { testGitOps(t, c) })
	t.Run("with force", func(t *testing.T) { testForce(t, c, kubectl) })
	t.Run("other writes", func(t *testing.T) { testOtherWrites(t, c) })
	t.Run("one volume", func(t *testing.T) { testVolume(t, c) })
	t.Run("demotions", func(t *testing.T) { testDemotion(t, c) })
	t.Run("peer handles", func(t *testing.T) { testHandles(t, c, tenant) })
}

// testHandles: who may edit groups has no volume follow one that he may not have followed by hand.
func testHandles(t *testing.T, c, tenant client.Client) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	may := func(role string, rule rbacv1.PolicyRule) {
		t.Helper()
		meta := metav1.ObjectMeta{Namespace: "default", Name: role}
		must(c.Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{rule}}))
		must(c.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "tenant"}},
		}))
	}
	may("groups", rbacv1.PolicyRule{APIGroups: []string{vgrv1.GroupVersion.Group}, Resources: []string{"volumegroupreplications"}, Verbs: []string{"get", "create", "patch"}})
	group(t, c, "handles", vgrv1.Secondary, map[string]string{vgrv1.AnnotationPeerHandles: `{"data":"svm:mine"}`})
	write := func(by client.Client, handles string) error {
		var g vgrv1.VolumeGroupReplication
		must(c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "handles"}, &g))
		before := g.DeepCopy()
		g.Annotations = map[string]string{vgrv1.AnnotationPeerHandles: handles, "touched": handles}
		return by.Patch(t.Context(), &g, client.MergeFrom(before))
	}
	refused := func(err error) {
		t.Helper()
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "only users who may patch tridentmirrorrelationships in the namespace default") {
			t.Errorf("it is not refused: %v", err)
		}
	}
	err := write(tenant, `{"data":"svm:theirs"}`)
	for i := range 300 { // the server's view of RBAC and of the policy is a moment old
		if err != nil && strings.Contains(err.Error(), "tridentmirrorrelationships") {
			break
		}
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // polls a real server
		err = write(tenant, fmt.Sprintf(`{"data":"svm:theirs-%d"}`, i))
	}
	refused(err)
	refused(tenant.Create(t.Context(), &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "made", Annotations: map[string]string{vgrv1.AnnotationPeerHandles: `{"data":"svm:theirs"}`}},
		Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: "gold", ReplicationState: vgrv1.Secondary, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "made"}},
		},
	}))
	must(write(c, `{"data":"svm:mine"}`))
	must(write(tenant, `{"data":"svm:mine"}`)) // what is there already
	must(write(tenant, ""))
	may("mirrors", rbacv1.PolicyRule{APIGroups: []string{"trident.netapp.io"}, Resources: []string{"tridentmirrorrelationships"}, Verbs: []string{"patch"}})
	for range 300 {
		if err = write(tenant, `{"data":"svm:theirs"}`); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // as above
	}
	must(err)
}

// enforced waits until the server has read the policy, and looks at what it says.
func enforced(t *testing.T, c client.Client) {
	t.Helper()
	g := group(t, c, "first", vgrv1.Secondary, nil)
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { //nolint:forbidigo // a real server in real time
		x := g.DeepCopy()
		x.Spec.ReplicationState = vgrv1.Primary
		err := c.Patch(t.Context(), x, client.MergeFrom(g), client.DryRunAll)
		if err != nil {
			const want = `denied request: nothing in this write confirms that the other site has given up the role of primary; run: kubectl vgr failover first -n default --to SITE (SITE is the context of this cluster)`
			if !strings.HasSuffix(err.Error(), want) {
				t.Fatalf("it says %v", err)
			}
			return
		}
		if time.Now().After(end) { //nolint:forbidigo // a real server in real time
			t.Fatal("the policy is not enforced")
		}
	}
}

func testUpdates(t *testing.T, c client.Client) {
	cases := map[string]struct {
		from   vgrv1.ReplicationState
		before map[string]string
		change func(*vgrv1.VolumeGroupReplication)
		want   string // what the refusal says; empty when it is accepted
	}{
		"nothing told":   {vgrv1.Secondary, nil, func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Primary }, "nothing in this write confirms"},
		"after a resync": {vgrv1.Resync, nil, func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Primary }, "nothing in this write confirms"},
		"demoted":        {vgrv1.Secondary, nil, told("demoted/op-1"), ""},
		"quiesced":       {vgrv1.Secondary, nil, told("quiesced/op-1"), ""},
		"discarded":      {vgrv1.Resync, nil, told("discarded/op-1"), ""},
		"lost":           {vgrv1.Secondary, nil, told("lost/op-1"), ""},
		"primary":        {vgrv1.Secondary, nil, told("primary/op-1"), "nothing in this write confirms"},
		"no fate":        {vgrv1.Secondary, nil, told(""), "nothing in this write confirms"},
		"another word":   {vgrv1.Secondary, nil, told("demotedly/op-1"), "nothing in this write confirms"},
		"left over from an earlier write": {
			vgrv1.Secondary,
			map[string]string{vgrv1.AnnotationPeer: "demoted/op-1", vgrv1.AnnotationBoundTo: "uid/2"},
			func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Primary }, "nothing in this write confirms",
		},
		"bound to the generation before": {vgrv1.Secondary, nil, func(g *vgrv1.VolumeGroupReplication) {
			told("demoted/op-1")(g)
			g.Annotations[vgrv1.AnnotationBoundTo] = state.Bound(g, g.Generation)
		}, "nothing in this write confirms"},
		"bound to one that comes later": {vgrv1.Secondary, nil, func(g *vgrv1.VolumeGroupReplication) {
			told("demoted/op-1")(g)
			g.Annotations[vgrv1.AnnotationBoundTo] = state.Bound(g, g.Generation+2)
		}, "nothing in this write confirms"},
		"bound to nothing, by an older plugin": {vgrv1.Secondary, nil, func(g *vgrv1.VolumeGroupReplication) {
			told("demoted/op-1")(g)
			delete(g.Annotations, vgrv1.AnnotationBoundTo)
		}, "nothing in this write confirms"},
		"unguarded": {vgrv1.Secondary, map[string]string{vgrv1.AnnotationPromotion: vgrv1.PromotionUnguarded}, func(g *vgrv1.VolumeGroupReplication) { g.Spec.ReplicationState = vgrv1.Primary }, ""},
		"unguarded with the same write": {vgrv1.Secondary, nil, func(g *vgrv1.VolumeGroupReplication) {
			g.Spec.ReplicationState = vgrv1.Primary
			metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationPromotion, vgrv1.PromotionUnguarded)
		}, ""},
		"no longer unguarded": {vgrv1.Secondary, map[string]string{vgrv1.AnnotationPromotion: vgrv1.PromotionUnguarded}, func(g *vgrv1.VolumeGroupReplication) {
			g.Spec.ReplicationState = vgrv1.Primary
			delete(g.Annotations, vgrv1.AnnotationPromotion)
		}, "nothing in this write confirms"},
		"another change beside it": {vgrv1.Secondary, nil, func(g *vgrv1.VolumeGroupReplication) {
			told("demoted/op-1")(g)
			g.Spec.AutoResync = new(true)
		}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := group(t, c, strings.Map(dashes, strings.ToLower(name)), tc.from, tc.before)
			after := before.DeepCopy()
			tc.change(after)
			judge(t, "dry run", c.Update(t.Context(), after.DeepCopy(), client.DryRunAll), tc.want)
			judge(t, "patch", c.Patch(t.Context(), after, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})), tc.want)
			if tc.want != "" {
				return
			}
			if after.Generation != before.Generation+1 {
				t.Errorf("generation %d after %d", after.Generation, before.Generation)
			}
			if !state.MayPromote(after, &vgrv1.ReplicationStatus{}) {
				t.Error("the controller would refuse what the server has accepted")
			}
		})
	}
}

func dashes(r rune) rune {
	if r == ' ' || r == ',' {
		return '-'
	}
	return r
}

// judge compares an answer with what the refusal is to say; empty for none.
func judge(t *testing.T, what string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v", what, err)
	case want != "" && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: it was not refused with %q: %v", what, want, err)
	}
}

// file is a group as it is in Git.
func file(s vgrv1.ReplicationState) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": vgrv1.GroupVersion.String(), "kind": "VolumeGroupReplication",
		"metadata": map[string]any{"name": "git", "namespace": "default"},
		"spec": map[string]any{
			"volumeGroupReplicationClass": "gold", "replicationState": string(s), "selector": map[string]any{"matchLabels": map[string]any{"app": "git"}},
		},
	}}
}

// testGitOps applies the file of the first day after the roles have changed, in all ways that managers have.
func testGitOps(t *testing.T, c client.Client) {
	apply := func(u *unstructured.Unstructured, more ...client.ApplyOption) error {
		return c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(u), append(more, client.FieldOwner("argocd-controller"), client.ForceOwnership)...)
	}
	judge(t, "create", apply(file(vgrv1.Primary)), "")
	var g vgrv1.VolumeGroupReplication
	key := client.ObjectKey{Namespace: "default", Name: "git"}
	if err := c.Get(t.Context(), key, &g); err != nil {
		t.Fatal(err)
	}
	before := g.DeepCopy()
	g.Spec.ReplicationState = vgrv1.Secondary
	judge(t, "demote", c.Patch(t.Context(), &g, client.MergeFrom(before), client.FieldOwner("kubectl-vgr")), "")
	const want = "run: kubectl vgr failover git -n default"
	judge(t, "apply", apply(file(vgrv1.Primary)), want)
	judge(t, "dry run", apply(file(vgrv1.Primary), client.DryRunAll), want)
	judge(t, "apply the present role", apply(file(vgrv1.Secondary)), "")
	merge := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicationState":"primary"}}`))
	judge(t, "merge patch", c.Patch(t.Context(), g.DeepCopy(), merge), want)
	json := client.RawPatch(types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/replicationState","value":"primary"}]`))
	judge(t, "JSON patch", c.Patch(t.Context(), g.DeepCopy(), json), want)
	if err := c.Get(t.Context(), key, &g); err != nil {
		t.Fatal(err)
	}
	replaced := file(vgrv1.Primary)
	replaced.SetResourceVersion(g.ResourceVersion)
	judge(t, "replace", c.Update(t.Context(), replaced), want)
	// Git has what a plugin wrote once.
	stale := file(vgrv1.Primary)
	stale.SetAnnotations(map[string]string{vgrv1.AnnotationPeer: "demoted/op-1", vgrv1.AnnotationBoundTo: fmt.Sprintf("%s/%d", g.UID, g.Generation)})
	judge(t, "apply with annotations of before", apply(stale), "nothing in this write confirms")
}

// testForce: what kubectl and its like in Argo CD and Flux do with --force after a refusal must not be to delete the
// group and to create it as primary.
func testForce(t *testing.T, c client.Client, kubectl func(args ...string) error) {
	g := group(t, c, "forced", vgrv1.Secondary, nil)
	u := file(vgrv1.Primary)
	u.SetName(g.Name)
	if err := unstructured.SetNestedField(u.Object, g.Name, "spec", "selector", "matchLabels", "app"); err != nil {
		t.Fatal(err)
	}
	text, err := u.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "group.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := kubectl("apply", "--force", "-f", path)
	var after vgrv1.VolumeGroupReplication
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(g), &after); err != nil {
		t.Fatal(err)
	}
	if refused == nil || after.UID != g.UID || after.Spec.ReplicationState != vgrv1.Secondary {
		t.Errorf("after kubectl apply --force (%v) there is %s as %s, before it was %s", refused, after.UID, after.Spec.ReplicationState, g.UID)
	}
}

// testOtherWrites: the policy is about nothing but a change to primary.
func testOtherWrites(t *testing.T, c client.Client) {
	g := group(t, c, "other", vgrv1.Primary, nil)
	g.Status.State = vgrv1.StatePrimary
	judge(t, "status", c.Status().Update(t.Context(), g), "")
	for _, s := range []vgrv1.ReplicationState{vgrv1.Secondary, vgrv1.Resync, vgrv1.Secondary} {
		g.Spec.ReplicationState = s
		judge(t, string(s), c.Update(t.Context(), g), "")
	}
	g.Spec.ReplicationState = vgrv1.Primary // not taken from a status update
	judge(t, "status with a spec", c.Status().Update(t.Context(), g), "")
	if g.Spec.ReplicationState != vgrv1.Secondary {
		t.Error("a status update has changed the role")
	}
	metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationSyncRequest, "1")
	judge(t, "annotation", c.Update(t.Context(), g), "")
	judge(t, "delete", c.Delete(t.Context(), g), "")

	g = group(t, c, "held", vgrv1.Primary, nil)
	metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationPeer, "demoted/op-1")
	metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationBoundTo, state.Bound(g, g.Generation))
	judge(t, "what the controller held back is confirmed", c.Update(t.Context(), g), "")
	if !state.MayPromote(g, &vgrv1.ReplicationStatus{}) {
		t.Error("the controller would refuse it")
	}
}

func testVolume(t *testing.T, c client.Client) {
	v := &vgrv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "data"},
		Spec:       vgrv1.VolumeReplicationSpec{VolumeReplicationClass: "gold", PVCName: "data", ReplicationState: vgrv1.Secondary},
	}
	judge(t, "create", c.Create(t.Context(), v), "")
	before := v.DeepCopy()
	v.Spec.ReplicationState = vgrv1.Primary
	want := "set in the same write the annotations replication.unified.io/bound-to=" + state.Bound(before, 2) + " and replication.unified.io/peer=demoted/REASON"
	judge(t, "nothing told", c.Update(t.Context(), v.DeepCopy()), want)
	v.Annotations = map[string]string{vgrv1.AnnotationPeer: "demoted/by-hand", vgrv1.AnnotationBoundTo: state.Bound(before, 2)}
	judge(t, "told", c.Update(t.Context(), v), "")
}
