// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	csiaddonsv1 "github.com/csi-addons/kubernetes-csi-addons/api/csiaddons/v1alpha1"
	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/backend/csiaddons"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
	"github.com/unified-replication/kubectl-vgr/plugin"
)

// vendorCRDs are those of csi-addons, Trident, Dell and Ramen, as their vendors publish them.
func vendorCRDs(t *testing.T) []string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/csi-addons/kubernetes-csi-addons").Output()
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		filepath.Join(strings.TrimSpace(string(dir)), "config", "crd", "bases"),
		filepath.Join("..", "hack", "lab", "trident", "crds"),
		filepath.Join("testdata", "crds"),
	}
}

// newNative is a bench of two clusters with the CRDs of the vendors and none of ours.
func newNative(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), home: t.TempDir(), profiles: drivers.Profiles()}
	config := clientcmdapi.NewConfig()
	east, west := testserver.StartTwoWithout(t, vendorCRDs(t)...)
	for name, at := range map[string]*testserver.Server{"east": east, "west": west} {
		addContext(config, name, at.Admin)
		addContext(config, "tenant-"+name, at.User(t, "tenant").Config())
		c := at.Client(t, csiaddons.AddToScheme)
		if name == "east" {
			b.east = c
		} else {
			b.west = c
		}
	}
	addContext(config, "dead", &rest.Config{Host: "https://127.0.0.1:1"})
	config.CurrentContext = "east"
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &replicationv1.VolumeReplicationClass{
			ObjectMeta: metav1.ObjectMeta{Name: "rbd"},
			Spec:       replicationv1.VolumeReplicationClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}},
		}))
		node := &csiaddonsv1.CSIAddonsNode{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "rbd"}}
		node.Spec.Driver.Name, node.Spec.Driver.NodeID, node.Spec.Driver.EndPoint = "rbd.csi.ceph.com", "n", "pod://a.b:1"
		b.must(c.Create(t.Context(), node))
		node.Status.State = csiaddonsv1.CSIAddonsNodeStateConnected
		b.must(c.Status().Update(t.Context(), node))
		b.must(c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "dr"}}))
	}
	return b
}

// claim makes a PVC with a volume of a handle.
func (b *bench) claim(c client.Client, namespace, name, handle string, labels map[string]string) {
	b.t.Helper()
	class, size := "", corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	pv := "pv-" + namespace + "-" + name
	b.must(c.Create(b.t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: &class, VolumeName: pv, AccessModes: modes, Resources: corev1.VolumeResourceRequirements{Requests: size}},
	}))
	b.must(c.Create(b.t.Context(), &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: pv},
		Spec: corev1.PersistentVolumeSpec{Capacity: size, AccessModes: modes, PersistentVolumeSource: corev1.PersistentVolumeSource{
			CSI: &corev1.CSIPersistentVolumeSource{Driver: "rbd.csi.ceph.com", VolumeHandle: handle},
		}},
	}))
}

// statusOf is what csi-addons says of an object that has reached what it asks for: a primary that replicates, or a copy under it.
func statusOf(generation int64, primary bool, synced time.Duration) replicationv1.VolumeReplicationStatus {
	old := metav1.NewTime(metav1.Now().Add(-time.Hour))
	cond := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "m", ObservedGeneration: generation, LastTransitionTime: old}
	}
	if !primary {
		return replicationv1.VolumeReplicationStatus{State: "Secondary", Message: "volume is marked secondary", ObservedGeneration: generation, Conditions: []metav1.Condition{
			cond("Completed", "True", "Demoted"), cond("Degraded", "True", "VolumeDegraded"), cond("Resyncing", "True", "ResyncTriggered"),
		}}
	}
	st := replicationv1.VolumeReplicationStatus{State: "Primary", Message: "volume is marked primary", ObservedGeneration: generation, Conditions: []metav1.Condition{
		cond("Completed", "True", "Promoted"), cond("Degraded", "False", "Healthy"), cond("Resyncing", "False", "NotResyncing"), cond("Replicating", "True", "Replicating"),
	}}
	if synced > 0 {
		st.LastSyncTime = new(metav1.NewTime(metav1.Now().Add(-synced)))
	}
	return st
}

// replication makes a VolumeReplication with a status.
func (b *bench) replication(c client.Client, namespace, name, pvc string, primary bool, synced time.Duration, edit ...func(*replicationv1.VolumeReplication)) {
	b.t.Helper()
	vr := &replicationv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	vr.Spec.VolumeReplicationClass, vr.Spec.ReplicationState = "rbd", replicationv1.Secondary
	if primary {
		vr.Spec.ReplicationState = replicationv1.Primary
	}
	vr.Spec.DataSource = corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: pvc}
	for _, f := range edit {
		f(vr)
	}
	b.must(c.Create(b.t.Context(), vr))
	vr.Status = statusOf(vr.Generation, primary, synced)
	b.must(c.Status().Update(b.t.Context(), vr))
}

// nativePair makes a volume that east replicates to west, by VolumeReplications of the same name.
func (b *bench) nativePair() {
	b.t.Helper()
	const name = "data"
	b.claim(b.east, "default", name, "h-"+name, nil)
	b.claim(b.west, "default", name, "h-"+name, nil)
	b.replication(b.east, "default", name, name, true, time.Minute)
	b.replication(b.west, "default", name, name, false, 0)
}

// nativeGroup makes a VolumeGroupReplication of the PVCs with a label, with what csi-addons makes of it.
func (b *bench) nativeGroup(c client.Client, name string, primary bool, pvcs ...string) {
	b.t.Helper()
	g := &replicationv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	g.Spec.VolumeGroupReplicationClassName, g.Spec.VolumeReplicationClassName, g.Spec.ReplicationState = "rbd-group", "rbd", replicationv1.Secondary
	if primary {
		g.Spec.ReplicationState = replicationv1.Primary
	}
	g.Spec.Source.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	g.Spec.VolumeGroupReplicationContentName, g.Spec.VolumeReplicationName = "content-"+name, "vr-"+name
	b.must(c.Create(b.t.Context(), g))
	content := &replicationv1.VolumeGroupReplicationContent{ObjectMeta: metav1.ObjectMeta{Name: "content-" + name}}
	content.Spec.Provisioner, content.Spec.VolumeGroupReplicationClassName, content.Spec.VolumeGroupReplicationHandle = "rbd.csi.ceph.com", "rbd-group", "group-"+name
	for _, pvc := range pvcs {
		content.Spec.Source.VolumeHandles = append(content.Spec.Source.VolumeHandles, "h-"+pvc)
		content.Status.PersistentVolumeRefList = append(content.Status.PersistentVolumeRefList, corev1.LocalObjectReference{Name: "pv-default-" + pvc})
		g.Status.PersistentVolumeClaimsRefList = append(g.Status.PersistentVolumeClaimsRefList, corev1.LocalObjectReference{Name: pvc})
	}
	status := content.Status
	b.must(c.Create(b.t.Context(), content))
	content.Status = status
	b.must(c.Status().Update(b.t.Context(), content))
	b.replication(c, "default", "vr-"+name, name, primary, time.Minute, func(vr *replicationv1.VolumeReplication) {
		api := replicationv1.GroupVersion.Group
		vr.Spec.DataSource = corev1.TypedLocalObjectReference{APIGroup: &api, Kind: "VolumeGroupReplication", Name: name}
	})
	refs := g.Status.PersistentVolumeClaimsRefList
	b.must(c.Get(b.t.Context(), client.ObjectKeyFromObject(g), g))
	g.Status.VolumeReplicationStatus, g.Status.PersistentVolumeClaimsRefList = statusOf(g.Generation, primary, time.Minute), refs
	b.must(c.Status().Update(b.t.Context(), g))
}

// listed are the groups that a command shows, by their namespaces and names.
func (b *bench) listed(args ...string) map[string]overview.Group {
	b.t.Helper()
	r := b.vgr(append(args, "-o", "json")...)
	var o overview.Overview
	if err := json.Unmarshal([]byte(r.out), &o); err != nil {
		b.t.Fatalf("%v: code %d, %s%s", err, r.code, r.out, r.errOut)
	}
	out := map[string]overview.Group{}
	for _, g := range o.Groups {
		out[g.Namespace+"/"+g.Name] = g
	}
	return out
}

// TestNative: groups that others made are shown on two clusters without anything of ours, each as what is known of it.
func TestNative(t *testing.T) {
	t.Parallel()
	b := newNative(t)
	both := []client.Client{b.east, b.west}
	b.nativePair()
	b.claim(b.east, "default", "orders", "h-orders", nil)
	b.claim(b.west, "dr", "orders-dr", "h-orders", nil)
	b.replication(b.east, "default", "orders", "orders", true, time.Minute)
	b.replication(b.west, "dr", "orders-copy", "orders-dr", false, 0)
	for i, c := range both {
		b.claim(c, "default", "a", "h-a", map[string]string{"app": "shop"})
		b.claim(c, "default", "b", "h-b", map[string]string{"app": "shop"})
		b.nativeGroup(c, "shop", i == 0, "a", "b")
		b.claim(c, "default", "twin", "h-twin-"+[]string{"east", "west"}[i], nil)
		b.replication(c, "default", "twin", "twin", true, time.Minute)
	}
	for _, name := range []string{"stale", "silent", "late", "owned"} {
		b.claim(b.east, "default", name, "h-"+name, nil)
		b.claim(b.west, "default", name, "h-"+name, nil)
		owned := func(vr *replicationv1.VolumeReplication) {
			if name == "owned" {
				vr.Labels = map[string]string{"ramendr.openshift.io/owner-name": "shop-drpc", "ramendr.openshift.io/created-by-ramen": "true"}
			}
		}
		b.replication(b.east, "default", name, name, true, map[string]time.Duration{"stale": time.Minute, "late": 30 * time.Minute, "owned": time.Minute}[name], owned)
		b.replication(b.west, "default", name, name, false, 0, owned)
	}
	var stale replicationv1.VolumeReplication
	b.must(b.east.Get(t.Context(), keyOf("default", "stale"), &stale))
	stale.Spec.AutoResync = true
	b.must(b.east.Update(t.Context(), &stale))
	b.claim(b.east, "default", "lone", "h-lone", nil)
	b.replication(b.east, "default", "lone", "lone", true, time.Minute)

	t.Run("list", func(t *testing.T) { b.with(t).nativeListed() })
	t.Run("names", func(t *testing.T) { b.with(t).nativeNames() })
	t.Run("text", func(t *testing.T) { b.with(t).nativeText() })
	t.Run("one site down", func(t *testing.T) { b.with(t).nativeAlone() })
	t.Run("followed", func(t *testing.T) { b.with(t).nativeFollowed() })
	t.Run("validate", func(t *testing.T) { b.with(t).nativeValidated() })
	t.Run("guide", func(t *testing.T) { b.with(t).nativeGuide() })
	t.Run("gather", func(t *testing.T) { b.with(t).nativeGathered() })
	t.Run("permissions", func(t *testing.T) { b.with(t).nativeTenant(both) })
	t.Run("refused", func(t *testing.T) { b.with(t).nativeRefused() })
}

func (b *bench) nativeListed() {
	got := b.listed("list", "-A", "--peer-context", "west")
	want := map[string]struct {
		phase     overview.Phase
		managedBy string
		message   string
	}{
		"default/data":                   {overview.Protected, "csi-addons", "east is primary and replicates in time"},
		"default/orders":                 {overview.Protected, "csi-addons", "east is primary and replicates in time"},
		"default/shop":                   {overview.Protected, "csi-addons", "east is primary and replicates in time"},
		"default/owned":                  {overview.Protected, "ramen", "east is primary and replicates in time"},
		"default/stale":                  {overview.Transitioning, "csi-addons", "waiting for the backend's answer"},
		"default/silent":                 {overview.Lagging, "csi-addons", "has reported no synchronisation since"},
		"default/late":                   {overview.Lagging, "csi-addons", "the schedule is 5m0s"},
		"default/lone":                   {overview.Unpaired, "csi-addons", "on west"},
		"default/twin":                   {overview.Unpaired, "csi-addons", "on west"},
		"default/volumereplication:twin": {overview.Unpaired, "csi-addons", "on east"},
	}
	if a, b2 := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(a, b2) {
		b.t.Errorf("groups %v\nwant   %v", a, b2)
	}
	for name, w := range want {
		if g := got[name]; g.Verdict.Phase != w.phase || g.ManagedBy != w.managedBy || !strings.Contains(g.Verdict.Message, w.message) || strings.Contains(g.Verdict.Next, "kubectl vgr") {
			b.t.Errorf("%s: %+v, managed by %q", name, g.Verdict, g.ManagedBy)
		}
	}
	for _, v := range got["default/orders"].Sites[1].Volumes {
		if v.Name != "orders" || !strings.Contains(v.Message, "dr/orders-dr") {
			b.t.Errorf("the copy of orders: %+v", v)
		}
	}
	if n := got["default/orders"].Sites[1].Native; n == nil || n.String() != "VolumeReplication dr/orders-copy" {
		b.t.Errorf("the copy of orders is %v", n)
	}
}

func (b *bench) nativeNames() {
	for what, tc := range map[string]struct {
		args []string
		want []string
	}{
		"a name":            {[]string{"status", "data"}, []string{"default/data"}},
		"the other name":    {[]string{"status", "dr/orders-copy"}, []string{"default/orders"}},
		"by manager":        {[]string{"list", "-A", "--managed-by", "ramen"}, []string{"default/owned"}},
		"ours":              {[]string{"list", "-A", "--managed-by", "vgr"}, nil},
		"a label of no one": {[]string{"list", "-A", "-l", "a=b"}, nil},
		"together":          {[]string{"list", "-A", "-l", "ramendr.openshift.io/created-by-ramen=true", "--group-by", "ramendr.openshift.io/owner-name"}, []string{"default/shop-drpc"}},
	} {
		got := b.listed(append(tc.args, "--peer-context", "west")...)
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, tc.want) {
			b.t.Errorf("%s: %v", what, names)
		}
	}
	if r := b.vgr("status", "nothing", "--peer-context", "west"); r.code != 2 {
		b.t.Errorf("no such group: %+v", r)
	}
}

func (b *bench) nativeText() {
	r := b.vgr("list", "-A", "--peer-context", "west")
	if r.code != 0 || r.errOut != "" || !strings.Contains(r.out, "MANAGED BY") || !strings.Contains(r.out, "Protected") {
		b.t.Errorf("%+v", r)
	}
	b.t.Log(r.out)
	if r := b.vgr("status", "shop", "-o", "name", "--peer-context", "west"); r.out != "volumegroupreplication.replication.storage.openshift.io/shop\n" {
		b.t.Errorf("%+v", r)
	}
	r = b.vgr("status", "orders", "owned", "-A", "--peer-context", "west")
	for _, want := range []string{"on west: VolumeReplication dr/orders-copy, managed by csi-addons", "Ramen's VolumeReplicationGroup shop-drpc decides over it", "schedule 5m"} {
		if !strings.Contains(strings.Join(strings.Fields(r.out), " "), want) {
			b.t.Errorf("%q is not in %+v", want, r)
		}
	}
	b.t.Log(r.out)
}

// nativeAlone: a site that is down hides nothing of the other one, and nothing is called Protected.
func (b *bench) nativeAlone() {
	got := b.listed("list", "-A", "--peer-context", "dead")
	if len(got) != 9 {
		b.t.Errorf("%d groups", len(got))
	}
	for name, g := range got {
		if g.Verdict.Phase != overview.Unreachable || g.Sites[0].State != "Primary" {
			b.t.Errorf("%s: %+v, %+v", name, g.Verdict, g.Sites[0])
		}
	}
	if r := b.vgr("list", "-A", "--context", "dead", "--peer-context", "west"); r.code != 0 || !strings.Contains(r.out, "Unreachable") {
		b.t.Errorf("%+v", r)
	}
}

// nativeFollowed: -w shows what comes while it runs, and what other tools are asked for.
func (b *bench) nativeFollowed() {
	b.t.Helper()
	for what, args := range map[string][]string{
		"all":        {"list", "-A", "-w", "--peer-context", "west"},
		"by manager": {"status", "-A", "-w", "--managed-by", "csi-addons", "--peer-context", "west"},
		"a name":     {"list", "later", "-n", "dr", "-w", "--peer-context", "west"},
	} {
		out := &growing{changed: make(chan struct{}, 1)}
		ctx, stop := context.WithCancel(b.t.Context())
		ended := make(chan int, 1)
		go func() { ended <- b.follow(ctx, out, args...) }()
		seen := func(text string) {
			b.t.Helper()
			for !strings.Contains(out.String(), text) {
				select {
				case <-out.changed:
				case code := <-ended:
					b.t.Fatalf("%s: ended with %d before %q: %s", what, code, text, out)
				}
			}
		}
		if what != "a name" {
			seen("orders")
		}
		name := map[string]string{"all": "new", "by manager": "newer", "a name": "later"}[what]
		b.claim(b.east, "dr", name, "h-"+name, nil)
		b.replication(b.east, "dr", name, name, true, time.Minute)
		seen(name)
		seen("Unpaired")
		if code := stopped(stop, ended); code != 130 {
			b.t.Errorf("%s: %d: %s", what, code, out)
		}
		b.must(b.east.Delete(b.t.Context(), &replicationv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "dr", Name: name}}))
	}
}

func stopped(stop func(), ended chan int) int {
	stop()
	return <-ended
}

// nativeValidated: the checks of a group of another tool are of what is known of it.
func (b *bench) nativeValidated() {
	r := b.vgr("validate", "data", "--peer-context", "west")
	for _, want := range []string{"default/data from east to west", "east is primary, west is secondary", "no controller of kubectl vgr guards these objects", "kubectl vgr migrate"} {
		if r.code != 0 || !strings.Contains(strings.Join(strings.Fields(r.out), " "), want) {
			b.t.Errorf("%q is not in %+v", want, r)
		}
	}
	b.t.Log(r.out)
	r = b.vgr("validate", "orders", "--peer-context", "west")
	for _, want := range []string{"default/orders from east to west", "Protected", "east is Primary, west is Secondary", "managed by csi-addons", "kubectl vgr migrate"} {
		if r.code != 0 || !strings.Contains(strings.Join(strings.Fields(r.out), " "), want) {
			b.t.Errorf("%q is not in %+v", want, r)
		}
	}
	if r := b.vgr("validate", "late", "--managed-by", "csi-addons", "--peer-context", "west"); r.code != 4 || !strings.Contains(r.errOut, "1 of 1 groups have a problem") {
		b.t.Errorf("%+v", r)
	}
	if r := b.vgr("validate", "nothing", "--peer-context", "west"); r.code != 2 {
		b.t.Errorf("%+v", r)
	}
}

// nativeGuide: the commands of the guide's chapter work on clusters without our CRDs.
func (b *bench) nativeGuide() {
	guide, err := os.ReadFile(filepath.Join("..", "docs", "guide.md"))
	b.must(err)
	_, chapter, _ := strings.Cut(string(guide), "\n## Look at what you have\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	ran := 0
	for line := range strings.Lines(chapter) {
		command, ok := strings.CutPrefix(line, "kubectl vgr ")
		if !ok {
			continue
		}
		ran++
		if r := b.vgr(strings.Fields(command)...); r.code != 0 || !strings.Contains(r.out, "orders") {
			b.t.Errorf("%s: %+v", line, r)
		}
	}
	if ran < 4 {
		b.t.Errorf("the chapter has %d commands", ran)
	}
}

// nativeGathered: gather has the groups of other tools, and their objects.
func (b *bench) nativeGathered() {
	dir := filepath.Join(b.t.TempDir(), "report")
	r := b.vgr("gather", "-A", "--dir", dir, "--peer-context", "west")
	if r.code != 0 {
		b.t.Errorf("%+v", r)
	}
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if b.must(err); !strings.Contains(string(page), "orders") || !strings.Contains(string(page), "Protected") {
		b.t.Errorf("the page has not the groups")
	}
}

// nativeTenant: what may not be listed is said once, and what depends on it is not claimed.
func (b *bench) nativeTenant(both []client.Client) {
	b.t.Helper()
	may := func(name string, resources ...string) {
		for _, c := range both {
			b.must(c.Create(b.t.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
				APIGroups: []string{"", "replication.storage.openshift.io", "csiaddons.openshift.io"}, Resources: resources, Verbs: []string{"list"},
			}}}))
			b.must(c.Create(b.t.Context(), &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
				Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "tenant"}},
			}))
		}
	}
	args := []string{"list", "-A", "--context", "tenant-east", "--peer-context", "tenant-west"}
	if r := b.vgr(args...); r.code != 1 || !strings.Contains(r.errOut, "volumereplications") {
		b.t.Errorf("nothing is permitted: %+v", r)
	}
	may("volumes", "volumereplications", "volumereplicationclasses", "persistentvolumeclaims", "csiaddonsnodes")
	b.allowed(args, "volumereplications")
	got := b.listed(args...)
	if g := got["default/data"]; g.Verdict.Phase != overview.Unknown || !strings.Contains(g.Verdict.Message, "same volumes is not known") {
		b.t.Errorf("without handles: %+v", g.Verdict)
	}
	if g := got["default/lone"]; g.Verdict.Phase != overview.Unknown || !g.Sites[1].Unread {
		b.t.Errorf("perhaps the other site has it: %+v", g.Verdict)
	}
	r := b.vgr(args...)
	if n := strings.Count(r.errOut, "volumegroupreplications.replication.storage.openshift.io cannot be listed"); n != 2 || r.code != 0 {
		b.t.Errorf("said %d times: %+v", n, r)
	}
}

// allowed waits until the API servers know of a permission.
func (b *bench) allowed(args []string, resource string) {
	b.t.Helper()
	for b.vgr(args...).code != 0 {
		select {
		case <-b.t.Context().Done():
			b.t.Fatal(resource + " may not be listed")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// nativeRefused: no command changes those that another tool decides over, or that are called otherwise on the other site.
func (b *bench) nativeRefused() {
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"failover", "orders", "--to", "west"}, []string{"VolumeReplication default/orders on east, managed by csi-addons", "Next: kubectl vgr migrate --peer-context west --from csi-addons orders --into orders -n default --context east"}},
		{[]string{"failback", "orders", "--to", "west"}, []string{"managed by csi-addons"}},
		{[]string{"promote", "orders"}, []string{"managed by csi-addons"}},
		{[]string{"demote", "orders"}, []string{"managed by csi-addons"}},
		{[]string{"resync", "orders"}, []string{"managed by csi-addons"}},
		{[]string{"delete", "orders"}, []string{"managed by csi-addons"}},
		{[]string{"failover", "owned", "--to", "west"}, []string{"Ramen's VolumeReplicationGroup shop-drpc decides over it", "drplacementcontrols.ramendr.openshift.io"}},
	} {
		r := b.vgr(append(tc.args, "--peer-context", "west", "--yes")...)
		for _, want := range tc.want {
			if r.code != 2 || !strings.Contains(r.errOut, want) {
				b.t.Errorf("%v: %q is not in %+v", tc.args, want, r)
			}
		}
	}
	if r := b.vgr("failover", "nothing", "--to", "west", "--peer-context", "west", "--yes"); r.code != 2 || !strings.Contains(r.errOut, "no group nothing") {
		b.t.Errorf("no such group: %+v", r)
	}
}

// growing is what a command has written so far.
type growing struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case g.changed <- struct{}{}:
	default:
	}
	return g.text.Write(p)
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

// follow runs a command until its context ends.
func (b *bench) follow(ctx context.Context, out io.Writer, args ...string) int {
	env := map[string]string{"KUBECONFIG": b.kubeconfig, "HOME": b.home, "LANG": "C.UTF-8"}
	return plugin.Main(ctx, plugin.Config{
		Args:      append([]string{"kubectl-vgr", "--kubeconfig", b.kubeconfig}, args...),
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: out},
		Getenv:    func(k string) string { return env[k] }, Clock: clock.RealClock{}, Profiles: b.profiles,
		Executable: func() (string, error) { return "/nowhere/kubectl-vgr", nil },
	})
}
