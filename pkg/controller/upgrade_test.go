// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/controller"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
)

// beforeTheGuard has the CRDs of a version whose status remembered no roles.
const beforeTheGuard = "../manifests/testdata/before-the-guard"

func olderCRDs(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(beforeTheGuard + "/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var all []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &u.Object); err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return all
}

func ownCRDs(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	all, err := manifests.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// newerCRDs have a field that this version does not know.
func newerCRDs(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	all := ownCRDs(t)
	for _, crd := range all {
		versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
		if err != nil {
			t.Fatal(err)
		}
		version, _ := versions[0].(map[string]any)
		path := []string{"schema", "openAPIV3Schema", "properties", "status", "properties", "ofNextYear"}
		if _, found, _ := unstructured.NestedMap(version, path[:4]...); !found {
			continue // a class has no status
		}
		if err := unstructured.SetNestedField(version, map[string]any{"type": "string"}, path...); err != nil {
			t.Fatal(err)
		}
		if err := unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions"); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// apply writes CRDs over those that are there, and waits until the API server keeps what they have.
func (w *world) apply(crds []*unstructured.Unstructured) {
	w.t.Helper()
	for _, crd := range crds {
		there := crd.DeepCopy()
		w.eventually("apply "+crd.GetName(), func(ctx context.Context) bool {
			if w.Get(ctx, client.ObjectKeyFromObject(crd), there) != nil {
				return false
			}
			there.Object["spec"] = crd.DeepCopy().Object["spec"]
			return w.Update(ctx, there) == nil
		})
	}
}

// TestCRDsOfOtherVersions: older ones are refused, also when they are applied while the controller runs; newer ones are
// not, and what they have more is left as it is.
func TestCRDsOfOtherVersions(t *testing.T) {
	at := testserver.StartWithout(t, beforeTheGuard)
	w := worldAt(t, at)
	mgr, err := ctrl.NewManager(at.User(t, controllerUser).Config(), ctrl.Options{Scheme: newScheme(t), Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0"})
	if err != nil {
		t.Fatal(err)
	}
	crds := controller.CRDs{Reader: mgr.GetAPIReader(), Cache: mgr.GetCache()}
	if err := mgr.Add(crds); err != nil {
		t.Fatal(err)
	}
	check := func(what, want string) {
		t.Helper()
		if err := crds.Check(t.Context()); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", what, err, want)
		}
	}
	const refused = "the CRD volumegroupreplications.replication.unified.io of this cluster is of an older version: it has no status.confirmedGeneration, status.confirmedRetry, status.demotedAfterSync, status.lastRole, status.stateSince"
	check("older", refused)
	w.apply(newerCRDs(t))
	check("newer", "")
	w.apply(ownCRDs(t))
	check("its own", "")
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(t.Context()) }()
	if !mgr.GetCache().WaitForCacheSync(t.Context()) {
		t.Fatal("no cache")
	}
	w.apply(olderCRDs(t))
	const either = "replications.replication.unified.io of this cluster is of an older version: it has no status.confirmedGeneration" // whichever is seen first
	if err := <-ended; err == nil || !strings.Contains(err.Error(), either) {
		t.Errorf("older ones while it runs: %v", err)
	}
	check("none", refused)
	for _, crd := range olderCRDs(t) {
		if err := w.Delete(t.Context(), &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: crd.GetName()}}); err != nil {
			t.Fatal(err)
		}
	}
	w.eventually("the CRDs are gone", func(ctx context.Context) bool {
		var left apiextensionsv1.CustomResourceDefinitionList
		return w.List(ctx, &left) == nil && len(left.Items) == 0
	})
	check("none", "") // the manager waits for them
}

// TestUpgradeInFlight: groups of an older version, one that nothing happens to, one whose promotion the backend has been
// asked for, and one whose promotion it has not been asked for. With the CRDs of this version the controller remembers
// their roles, asks the backend for nothing new, and lets nothing become primary that this version would not.
func TestUpgradeInFlight(t *testing.T) {
	at := testserver.StartWithout(t, beforeTheGuard, vendorCRDs(t))
	w := worldAt(t, at)
	w.connect()
	w.create(&vgrv1.VolumeGroupReplicationClass{
		ObjectMeta: metav1.ObjectMeta{Name: "gold"},
		Spec:       vgrv1.ClassSpec{Provisioner: driver, Parameters: map[string]string{vgrv1.ParameterConsistencyGroup: "disabled"}},
	})
	groups := map[string]*vgrv1.VolumeGroupReplication{}
	for name, asked := range map[string]replicationv1.ReplicationState{"quiet": replicationv1.Secondary, "asked": replicationv1.Primary, "unasked": replicationv1.Secondary} {
		label := map[string]string{"app": name}
		w.boundPVC(name, driver, label)
		groups[name] = w.olderGroup(name, label, asked)
	}
	journal := groups["asked"].Annotations[vgrv1.AnnotationOperation]
	w.apply(newerCRDs(t)) // with those of this version it is the same
	w.startController(at.User(t, controllerUser).Config())

	w.eventually("the role is remembered", func(ctx context.Context) bool {
		g := groups["quiet"]
		return w.Get(ctx, client.ObjectKeyFromObject(g), g) == nil && g.Status.LastRole == vgrv1.StateSecondary && g.Status.StateSince != nil
	})
	w.says("a promotion that nothing confirms", client.ObjectKeyFromObject(groups["unasked"]), "False/PromotionNotConfirmed: csi-addons VolumeReplication unasked asks for secondary")
	w.says("a promotion that the backend works on", client.ObjectKeyFromObject(groups["asked"]), "False/Progressing: ")
	for name, want := range map[string]replicationv1.ReplicationState{"quiet": replicationv1.Secondary, "asked": replicationv1.Primary, "unasked": replicationv1.Secondary} {
		g, csi := groups[name], &replicationv1.VolumeReplication{}
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(g), csi); err != nil || csi.Spec.ReplicationState != want {
			t.Errorf("%s: csi-addons is asked for %s: %v", name, csi.Spec.ReplicationState, err)
		}
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(g), g); err != nil || g.Annotations[vgrv1.AnnotationOperation] != journal {
			t.Errorf("%s: the journal is %q: %v", name, g.Annotations[vgrv1.AnnotationOperation], err)
		}
	}
}

// olderGroup is a secondary as an older version has left it, with an operation in flight and what its backend was asked
// for. All but the one that nothing happens to are to be primary.
func (w *world) olderGroup(name string, label map[string]string, asked replicationv1.ReplicationState) *vgrv1.VolumeGroupReplication {
	w.t.Helper()
	g := &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Finalizers: []string{vgrv1.Finalizer}, Annotations: map[string]string{
			vgrv1.AnnotationOperation: `{"id":"0badc0de","kind":"planned","revision":3}`, vgrv1.AnnotationPeer: "demoted/0badc0de",
		}},
		Spec: vgrv1.VolumeGroupReplicationSpec{VolumeGroupReplicationClass: "gold", ReplicationState: vgrv1.Secondary, Selector: &metav1.LabelSelector{MatchLabels: label}},
	}
	w.create(g)
	changeStatus(w, g, func(g *vgrv1.VolumeGroupReplication) {
		g.Status.Backend, g.Status.State, g.Status.ObservedGeneration = "csi-addons", vgrv1.StateSecondary, g.Generation
	})
	owner := backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: client.ObjectKeyFromObject(g)}
	csi := &replicationv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: g.Namespace, Name: g.Name, Labels: owner.Labels()},
		Spec: replicationv1.VolumeReplicationSpec{
			ReplicationState: replicationv1.Secondary, VolumeReplicationClass: "vgr-gold",
			DataSource: corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: name},
		},
	}
	w.create(csi)
	changeStatus(w, csi, func(csi *replicationv1.VolumeReplication) {
		csi.Status.State, csi.Status.ObservedGeneration = replicationv1.SecondaryState, csi.Generation
		csi.Status.Conditions = []metav1.Condition{
			said("Completed", "True", "Demoted", "volume is demoted to secondary"),
			said("Degraded", "False", "Healthy", "volume is healthy"), said("Resyncing", "False", "NotResyncing", "volume is not resyncing"),
		}
	})
	change(w, csi, func(csi *replicationv1.VolumeReplication) { csi.Spec.ReplicationState = asked })
	if name != "quiet" {
		change(w, g, primary)
	}
	return g
}
