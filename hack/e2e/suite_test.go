// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e_test runs the shipped programs on the two-site lab: the controller under its shipped
// role on both sites, the plugin as a process of its own, the real csi-addons controllers below.
package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"github.com/go-logr/logr"
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
)

const (
	// patience is for slow machines; nothing takes this long.
	patience = 3 * time.Minute
	// settle is how long something that must not happen is looked for.
	settle = 2 * time.Second
	// Groups of these classes lie on the lab's fast storage, which synchronises every few seconds.
	gold   = "gold"
	single = "one-by-one"
	// This one is Ceph's, with its times: a minute, and what its daemons show is up to half a minute old.
	ceph = "ceph"
)

// world is a lab with everything installed.
type world struct {
	lab   *lab.Lab
	bin   string
	sites map[string]client.Client
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctrllog.SetLogger(logr.Discard()) // else the client library complains of having none
	bin, err := os.MkdirTemp("", "vgr-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	if err := build(context.Background(), bin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if worlds, err = newLabs(context.Background(), bin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	used := &permissions{}
	if err := errors.Join(worlds.close(used.see), used.compare()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// refused is an error if anything that our controllers wrote, in all tests, was not within their shipped role.
func (w *world) refused() error {
	var all []error
	for _, site := range w.lab.Sites() {
		writes, err := site.Writes()
		all = append(all, err)
		for _, write := range writes {
			if strings.HasSuffix(write.User, ":vgr-controller") && write.Code == http.StatusForbidden {
				all = append(all, fmt.Errorf("%s: refused: %+v", site.Name, write))
			}
		}
	}
	return errors.Join(all...)
}

func build(ctx context.Context, bin string) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/...")
	build.Dir = filepath.Join("..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does, which has compiled it all
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// startWorld starts a lab with the programs that were built, and makes the classes. The interval is that of Ceph's
// daemons; their default when zero.
func startWorld(ctx context.Context, bin string, interval time.Duration) (*world, error) {
	w, err := startLab(ctx, bin, lab.Options{
		ControllerBinary: filepath.Join(bin, "vgr-controller"), Dell: true, Trident: true, StatusInterval: interval, Log: os.Stderr,
		People: []string{operator},
	})
	if err != nil {
		return nil, err
	}
	for _, c := range w.sites {
		for name, spec := range map[string]vgrv1.ClassSpec{
			gold: {Provisioner: driver.FastName, Parameters: map[string]string{"backend": "csi-addons", "schedulingInterval": "10s"}},
			// csi-addons itself writes once per interval; nothing else may.
			"hourly": {Provisioner: driver.FastName, Parameters: map[string]string{"backend": "csi-addons", "schedulingInterval": "1h"}},
			single:   {Provisioner: driver.FastName, Parameters: map[string]string{"backend": "csi-addons", "schedulingInterval": "10s", "consistencyGroup": "disabled"}},
			ceph:     {Provisioner: driver.Name, Parameters: map[string]string{"schedulingInterval": "1m", "consistencyGroup": "disabled"}},
		} {
			class := &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
			if err := c.Create(ctx, class); err != nil {
				return nil, errors.Join(err, w.lab.Close())
			}
		}
	}
	return w, nil
}

// startLab starts a lab and connects to it.
func startLab(ctx context.Context, bin string, o lab.Options) (*world, error) {
	l, err := lab.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	w := &world{lab: l, bin: bin, sites: map[string]client.Client{}}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, vgrv1.AddToScheme, replicationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	for _, site := range l.Sites() {
		c, err := client.New(site.DirectRESTConfig(), client.Options{Scheme: scheme})
		if err != nil {
			return nil, errors.Join(err, l.Close())
		}
		w.sites[site.Name] = c
	}
	return w, nil
}

// tail shows the end of the logs of a process.
func (s *scene) tail(process string) {
	for _, site := range s.lab.Sites() {
		data, err := os.ReadFile(site.LogFile(process))
		if err != nil {
			continue
		}
		s.t.Logf("end of %s of %s:\n%s", process, site.Name, data[max(0, len(data)-3000):])
	}
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) create(site string, obj client.Object) {
	s.t.Helper()
	s.must(s.sites[site].Create(s.t.Context(), obj))
}

// claims creates PVCs on the fast storage and waits until they are bound.
func (s *scene) claims(site string, labels map[string]string, names ...string) {
	s.t.Helper()
	s.claimsOn(site, lab.FastStorageClass, labels, names...)
}

// cephClaims are the same on Ceph.
func (s *scene) cephClaims(site string, labels map[string]string, names ...string) {
	s.t.Helper()
	s.claimsOn(site, lab.StorageClass, labels, names...)
}

func (s *scene) claimsOn(site, class string, labels map[string]string, names ...string) {
	s.t.Helper()
	for _, name := range names {
		s.create(site, s.claim(name, class, labels))
	}
	s.bound(site, names...)
}

// bound waits until PVCs are bound.
func (s *scene) bound(site string, names ...string) {
	s.t.Helper()
	s.eventually("claims to be bound", func(ctx context.Context) error {
		var list corev1.PersistentVolumeClaimList
		if err := s.sites[site].List(ctx, &list, client.InNamespace(s.ns)); err != nil {
			return err
		}
		bound := map[string]bool{}
		for _, pvc := range list.Items {
			bound[pvc.Name] = pvc.Status.Phase == corev1.ClaimBound
		}
		for _, name := range names {
			if !bound[name] {
				return fmt.Errorf("%s is not", name)
			}
		}
		return nil
	})
}

func (s *scene) claim(name, class string, labels map[string]string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name, Labels: labels},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
}

func (s *scene) group(name, class string, state vgrv1.ReplicationState, labels map[string]string) *vgrv1.VolumeGroupReplication {
	return &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name},
		Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: class, ReplicationState: state, Selector: &metav1.LabelSelector{MatchLabels: labels},
		},
	}
}

func (s *scene) get(site, name string) *vgrv1.VolumeGroupReplication {
	s.t.Helper()
	var g vgrv1.VolumeGroupReplication
	s.must(s.sites[site].Get(s.t.Context(), client.ObjectKey{Namespace: s.ns, Name: name}, &g))
	return &g
}

// change patches a group as a user would.
func (s *scene) change(site, name string, how func(g *vgrv1.VolumeGroupReplication)) {
	s.t.Helper()
	g := s.get(site, name)
	before := g.DeepCopy()
	how(g)
	s.must(s.sites[site].Patch(s.t.Context(), g, client.MergeFrom(before)))
}

// promoteUnguarded asks for primary as a user does who has switched the guard off.
func (s *scene) promoteUnguarded(site, name string) {
	s.t.Helper()
	s.unguarded(site, name, vgrv1.Primary)
}

// unguarded asks for a role with the guard off.
func (s *scene) unguarded(site, name string, role vgrv1.ReplicationState) {
	s.t.Helper()
	s.change(site, name, func(g *vgrv1.VolumeGroupReplication) {
		metav1.SetMetaDataAnnotation(&g.ObjectMeta, vgrv1.AnnotationPromotion, vgrv1.PromotionUnguarded)
		g.Spec.ReplicationState = role
	})
}

// label changes the labels of a PVC.
func (s *scene) label(site, name string, labels map[string]string) {
	s.t.Helper()
	var pvc corev1.PersistentVolumeClaim
	s.must(s.sites[site].Get(s.t.Context(), client.ObjectKey{Namespace: s.ns, Name: name}, &pvc))
	before := pvc.DeepCopy()
	pvc.Labels = labels
	s.must(s.sites[site].Patch(s.t.Context(), &pvc, client.MergeFrom(before)))
}

// ready waits until a group is confirmed in a state with that many volumes.
func (s *scene) ready(site, name string, state vgrv1.State, volumes int) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s to be %s on %s with %d volumes", name, state, site, volumes), func(ctx context.Context) error {
		var g vgrv1.VolumeGroupReplication
		if err := s.sites[site].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: name}, &g); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionReady)
		if ready == nil || ready.Status != metav1.ConditionTrue || ready.ObservedGeneration != g.Generation || g.Status.ObservedGeneration != g.Generation ||
			g.Status.State != state || len(g.Status.PersistentVolumeClaimsRefList) != volumes {
			return fmt.Errorf("generation %d, status %+v", g.Generation, g.Status)
		}
		return nil
	})
}

// says waits until a group's Ready condition has a reason and its message a text.
func (s *scene) says(site, name, reason, text string) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%s to say %s %q on %s", name, reason, text, site), func(ctx context.Context) error {
		var g vgrv1.VolumeGroupReplication
		if err := s.sites[site].Get(ctx, client.ObjectKey{Namespace: s.ns, Name: name}, &g); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionReady)
		if ready == nil || ready.Reason != reason || !strings.Contains(ready.Message, text) || ready.ObservedGeneration != g.Generation {
			return fmt.Errorf("it says %+v", ready)
		}
		return nil
	})
}

// gone waits until an object does not exist.
func (s *scene) gone(site string, obj client.Object) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%T %s to be gone", obj, obj.GetName()), func(ctx context.Context) error {
		err := s.sites[site].Get(ctx, client.ObjectKeyFromObject(obj), obj)
		if err == nil {
			return errors.New("it is there")
		}
		return client.IgnoreNotFound(err)
	})
}

func (s *scene) eventually(what string, check func(ctx context.Context) error) {
	s.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(s.t.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		err := check(ctx)
		if err != nil && ctx.Err() == nil { // else the end of the wait hides what was seen
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		s.t.Fatalf("waiting for %s: %v: %v", what, err, last)
	}
}

// isolate cuts a site off, for us and for its array; mend undoes it.
func (s *scene) isolate(site string) (mend func()) {
	s.t.Helper()
	ctx := context.WithoutCancel(s.t.Context())
	s.must(s.lab.Site(site).Cut(ctx))
	s.must(s.lab.Inject(ctx, lab.Fault{Kind: lab.FaultLink}))
	return func() {
		s.must(s.lab.Heal(ctx, lab.Fault{Kind: lab.FaultLink}))
		s.must(s.lab.Site(site).Reconnect(ctx))
	}
}

// images are the array's images behind the claims of this test.
func (s *scene) images(site string) []array.ImageState {
	s.t.Helper()
	var pvcs corev1.PersistentVolumeClaimList
	s.must(s.sites[site].List(s.t.Context(), &pvcs, client.InNamespace(s.ns)))
	var out []array.ImageState
	for _, pvc := range pvcs.Items {
		handle, err := s.lab.Site(site).VolumeHandle(s.t.Context(), s.ns+"/"+pvc.Name)
		s.must(err)
		img, ok := s.lab.Array.Image(handle)
		if !ok {
			s.t.Fatalf("no image behind %s", pvc.Name)
		}
		out = append(out, img)
	}
	return out
}

// result is what the plugin did.
type result struct {
	code        int
	out, errOut string
}

// vgr runs the plugin.
func (s *scene) vgr(args ...string) result {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.bin, "kubectl-vgr"), args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.Env = s.env()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// env is the environment of the plugin: east is here, west is the peer.
func (s *scene) env() []string {
	config := s.lab.Kubeconfig()
	if s.user != "" {
		config = s.lab.KubeconfigOf(s.user)
	}
	return []string{"KUBECONFIG=" + config, "HOME=" + s.bin, "LANG=C.UTF-8", "KUBECTL_VGR_CONTEXT=east", "KUBECTL_VGR_PEER_CONTEXT=west"}
}

// done runs the plugin, which must succeed.
func (s *scene) done(args ...string) string {
	s.t.Helper()
	r := s.vgr(args...)
	if r.code != 0 {
		s.t.Fatalf("kubectl vgr %s: exit code %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.errOut)
	}
	return r.out
}
