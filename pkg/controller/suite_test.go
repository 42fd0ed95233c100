// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	csiaddonsv1 "github.com/csi-addons/kubernetes-csi-addons/api/csiaddons/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/csiaddons"
	"github.com/unified-replication/kubectl-vgr/pkg/controller"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
)

const (
	driver         = "rbd.csi.ceph.com"
	controllerUser = "system:serviceaccount:vgr-system:vgr-controller"
)

// world is one API server with the controller running against it under its shipped role.
type world struct {
	client.Client
	t      *testing.T
	admin  *rest.Config
	cache  client.Reader // what the controller sees
	writes *writeLog
	log    bytes.Buffer
}

// writeLog remembers the mutating requests of the controller. Events are left out: they are
// sent when it suits the recorder.
type writeLog struct {
	next http.RoundTripper
	mu   sync.Mutex
	seen []*request
}

// request is one write; refused is how it ended.
type request struct {
	line    string
	refused bool
}

// RoundTrip notes a creation when it succeeded, and any other write before it is sent, since the
// last write of a pass can be seen before its answer; it takes back what ended in a conflict.
// How often that happens is a matter of timing.
func (l *writeLog) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "/events") {
		return l.next.RoundTrip(r)
	}
	line := r.Method + " " + r.URL.Path[strings.LastIndex(r.URL.Path, "/v1alpha")+1:] + createdName(r)
	if r.Method == http.MethodPost {
		resp, err := l.next.RoundTrip(r)
		if err == nil && resp.StatusCode != http.StatusConflict {
			l.note(line)
		}
		return resp, err
	}
	noted := l.note(line)
	resp, err := l.next.RoundTrip(r)
	l.mu.Lock()
	defer l.mu.Unlock()
	noted.refused = err != nil || resp.StatusCode == http.StatusConflict
	return resp, err
}

// createdName is the name in the body of a creation, which is not in its path.
func createdName(r *http.Request) string {
	var created metav1.PartialObjectMetadata
	if r.Method != http.MethodPost || r.GetBody == nil {
		return ""
	}
	body, err := r.GetBody()
	if err != nil || json.NewDecoder(body).Decode(&created) != nil {
		return ""
	}
	return "/" + created.Name
}

func (l *writeLog) note(line string) *request {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &request{line: line}
	l.seen = append(l.seen, r)
	return r
}

// take returns what was written since the last call, sorted and without repetitions.
func (l *writeLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := map[string]bool{}
	for _, r := range l.seen {
		if !r.refused {
			lines[r.line] = true
		}
	}
	l.seen = nil
	return slices.Sorted(maps.Keys(lines))
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	return testserver.Scheme(t, apiextensionsv1.AddToScheme, csiaddons.AddToScheme)
}

// newWorld starts an API server and the controller, which may have more backends. With vendor, csi-addons' CRDs are
// there.
func newWorld(t *testing.T, vendor bool, more ...controller.Backend) *world {
	t.Helper()
	var crds []string
	if vendor {
		crds = append(crds, vendorCRDs(t))
	}
	at := testserver.Start(t, crds...)
	w := worldAt(t, at)
	w.startController(at.User(t, controllerUser).Config(), more...)
	return w
}

// worldAt is an API server with the shipped role, and no controller yet.
func worldAt(t *testing.T, at *testserver.Server) *world {
	t.Helper()
	w := &world{Client: at.Client(t, apiextensionsv1.AddToScheme, csiaddons.AddToScheme), t: t, admin: at.Admin, writes: &writeLog{}}
	w.installRole()
	return w
}

func vendorCRDs(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/csi-addons/kubernetes-csi-addons").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "config", "crd", "bases")
}

// installRole applies the shipped RBAC and binds it to the controller's user.
func (w *world) installRole() {
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vgr-system"}})
	data, err := fs.ReadFile(manifests.FS, "rbac/role.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	var cluster rbacv1.ClusterRole
	var local rbacv1.Role
	for _, into := range []client.Object{&cluster, &local} {
		if err := decoder.Decode(into); err != nil {
			w.t.Fatal(err)
		}
		w.create(into)
	}
	subjects := []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: controllerUser}}
	w.create(&rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "vgr-controller"}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: cluster.Name},
	})
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "vgr-controller", Namespace: local.Namespace}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: local.Name},
	})
}

func (w *world) startController(config *rest.Config, more ...controller.Backend) {
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		w.writes.next = next
		return w.writes
	})
	unnamed := true // several managers in one test binary
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: newScheme(w.t), Metrics: server.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
		Controller: ctrlconfig.Controller{SkipNameValidation: &unnamed},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.cache = mgr.GetCache()
	served := append([]controller.Backend{{Profile: csiaddons.Profile(), Adapter: csiaddons.New(mgr.GetClient(), mgr.GetAPIReader(), clock.RealClock{})}}, more...)
	base := controller.Reconciler{
		Client: mgr.GetClient(), Clock: clock.RealClock{}, Events: mgr.GetEventRecorder("vgr-controller"),
		Backends: controller.NewBackends(mgr, served...),
	}
	if err := controller.SetupIndexes(w.t.Context(), mgr.GetFieldIndexer()); err != nil {
		w.t.Fatal(err)
	}
	for _, r := range []*controller.Reconciler{base.ForGroups(), base.ForVolumes()} {
		if err := r.SetupWithManager(mgr); err != nil {
			w.t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error)
	go func() { ended <- mgr.Start(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) create(obj client.Object) {
	w.t.Helper()
	if err := w.Create(w.t.Context(), obj); err != nil {
		w.t.Fatalf("create %T %s: %v", obj, obj.GetName(), err)
	}
}

// change updates an object, again if another client was faster.
func change[T client.Object](w *world, obj T, f func(T)) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("change %T %s", obj, obj.GetName()), func(ctx context.Context) bool {
		if w.Get(ctx, client.ObjectKeyFromObject(obj), obj) != nil {
			return false
		}
		f(obj)
		return w.Update(ctx, obj) == nil
	})
}

// changeStatus is change for the status subresource.
func changeStatus[T client.Object](w *world, obj T, f func(T)) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("change status of %T %s", obj, obj.GetName()), func(ctx context.Context) bool {
		if w.Get(ctx, client.ObjectKeyFromObject(obj), obj) != nil {
			return false
		}
		f(obj)
		return w.Status().Update(ctx, obj) == nil
	})
}

func (w *world) eventually(what string, ok func(ctx context.Context) bool) {
	w.t.Helper()
	err := wait.PollUntilContextTimeout(w.t.Context(), 20*time.Millisecond, 2*time.Minute, true, func(ctx context.Context) (bool, error) { return ok(ctx), nil })
	if err != nil {
		w.t.Fatalf("%s: %v\nlog so far:\n%s", what, err, w.log.String())
	}
}

// boundPVC makes a PVC that is bound to a volume, as a provisioner and the binder would.
func (w *world) boundPVC(name, csiDriver string, labels map[string]string) *corev1.PersistentVolumeClaim {
	w.t.Helper()
	const namespace = "default"
	pvc := w.pendingPVC(namespace, name, labels)
	pv := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv-" + namespace + "-" + name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:    corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: csiDriver, VolumeHandle: "handle-" + name, ControllerExpandSecretRef: &corev1.SecretReference{Namespace: "rook-ceph", Name: "rbd"},
			}},
			ClaimRef: &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: namespace, Name: name, UID: pvc.UID},
		},
	}
	w.create(pv)
	change(w, pvc, func(p *corev1.PersistentVolumeClaim) { p.Spec.VolumeName = pv.Name })
	changeStatus(w, pvc, func(p *corev1.PersistentVolumeClaim) { p.Status.Phase = corev1.ClaimBound })
	return pvc
}

func (w *world) pendingPVC(namespace, name string, labels map[string]string) *corev1.PersistentVolumeClaim {
	w.t.Helper()
	class := ""
	pvc := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	w.create(pvc)
	return pvc
}

// connect reports a driver, as csi-addons does once it has reached the sidecar.
func (w *world) connect() {
	w.t.Helper()
	node := &csiaddonsv1.CSIAddonsNode{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vgr-system", Name: "node"},
		Spec:       csiaddonsv1.CSIAddonsNodeSpec{Driver: csiaddonsv1.CSIAddonsNodeDriver{Name: driver, EndPoint: "pod://x", NodeID: "n"}},
	}
	w.create(node)
	changeStatus(w, node, func(n *csiaddonsv1.CSIAddonsNode) { n.Status.State = csiaddonsv1.CSIAddonsNodeStateConnected })
}

// settle waits until Ready starts with the given status/reason: message, and logs who did what,
// what the controller wrote for it and what it says now.
func (w *world) settle(title string, key client.ObjectKey, ready string) {
	w.t.Helper()
	g, says := w.says(title, key, ready)
	fmt.Fprintf(&w.log, "%s\n", title)
	w.logWrites(key)
	fmt.Fprintf(&w.log, "  %s: desired %s, state %q, Ready=%s\n", key.Name, g.Spec.ReplicationState, g.Status.State, says)
	fmt.Fprintf(&w.log, "    generation %d, answered %d, confirmed %d, last role %q, volumes %d", g.Generation, g.Status.ObservedGeneration, g.Status.ConfirmedGeneration, g.Status.LastRole, g.Status.VolumeCount)
	for _, v := range g.Status.Volumes {
		fmt.Fprintf(&w.log, "; %s %s", v.Name, v.Health)
	}
	fmt.Fprintln(&w.log)
}

// says waits until Ready starts with the given status/reason: message.
func (w *world) says(title string, key client.ObjectKey, ready string) (g vgrv1.VolumeGroupReplication, says string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%s: %s is %s", title, key.Name, ready), func(ctx context.Context) bool {
		if err := w.Get(ctx, key, &g); err != nil {
			return false
		}
		c := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionReady)
		if c == nil {
			return false
		}
		says = fmt.Sprintf("%s/%s: %s", c.Status, c.Reason, c.Message)
		return strings.HasPrefix(says, ready)
	})
	return g, says
}

// logWrites logs what was written for one group or for all, but not for other groups: that comes
// when it comes.
func (w *world) logWrites(key client.ObjectKey) {
	for _, line := range w.writes.take() {
		shared := strings.Contains(line, "classes/") || strings.Contains(line, "contents/")
		if shared || strings.Contains(line+"/", "/"+key.Name+"/") {
			fmt.Fprintf(&w.log, "    %s\n", line)
		}
	}
}
