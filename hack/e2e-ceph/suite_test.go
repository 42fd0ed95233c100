// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2eceph_test runs the shipped programs on the lab with two real Ceph clusters: what the tool says is
// compared with what rbd says, and what it keeps with the blocks that were acknowledged.
package e2eceph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
	"github.com/unified-replication/kubectl-vgr/hack/lab/ceph"
)

const (
	class = "ceph"
	// patience is for slow machines; nothing takes this long.
	patience = 5 * time.Minute
	// often is how often the mirroring daemons look, unless a test wants their own default.
	often = 5 * time.Second
)

var thorough = flag.Bool("thorough", false, "also move twenty times back to back, at the default intervals of Ceph's daemons, and move back to a site that was lost")

// world is a lab with the programs that make build has built.
type world struct {
	lab   *lab.Lab
	bin   string
	sites map[string]client.Client
}

// start starts a lab, or skips the test where Ceph cannot run.
func start(t *testing.T, interval time.Duration) *world {
	t.Helper()
	options, err := assets.DefaultOptions(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	programs, err := ceph.Find(t.Context(), ceph.Options{Cache: options.Cache, Progress: t.Output()})
	if unavailable, ok := errors.AsType[*ceph.Unavailable](err); ok {
		t.Skip(unavailable)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctrllog.SetLogger(logr.Discard()) // else the client library complains of having none
	bin, err := filepath.Abs(filepath.Join("..", "..", "bin"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Start(t.Context(), lab.Options{
		ControllerBinary: filepath.Join(bin, "vgr-controller"), Ceph: &programs, StatusInterval: interval, Log: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{lab: l, bin: bin, sites: map[string]client.Client{}}
	t.Cleanup(func() {
		if t.Failed() {
			w.logs(t)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, vgrv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	for _, site := range l.Sites() {
		c, err := client.New(site.DirectRESTConfig(), client.Options{Scheme: scheme})
		if err != nil {
			t.Fatal(err)
		}
		w.sites[site.Name] = c
		made := &vgrv1.VolumeGroupReplicationClass{
			ObjectMeta: metav1.ObjectMeta{Name: class},
			Spec: vgrv1.ClassSpec{
				Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "1m", "consistencyGroup": "disabled"},
			},
		}
		if err := c.Create(t.Context(), made); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) logs(t *testing.T) {
	t.Helper()
	for _, site := range w.lab.Sites() {
		for _, name := range []string{lab.Controller, lab.CSIAddons, ceph.Mirrorer} {
			data, err := os.ReadFile(site.LogFile(name))
			if err == nil {
				t.Logf("end of %s of %s:\n%s", name, site.Name, data[max(0, len(data)-2000):])
			}
		}
	}
}

// cluster is the real one behind a site.
func (w *world) cluster(site string) *ceph.Cluster {
	for _, c := range w.lab.Real {
		if c.Site == site {
			return c
		}
	}
	return nil
}

func other(site string) string {
	if site == lab.East {
		return lab.West
	}
	return lab.East
}

// scene is one test with its namespace, in which it has one group.
type scene struct {
	*world
	t  *testing.T
	ns string
	// volumes are the handles by PVC.
	volumes map[string]string
	// acknowledged is the last block that the storage of any site has acknowledged, by PVC and run.
	acknowledged map[string]map[string]int
}

// group is the name of the group in each namespace.
const group = "db"

// newScene makes PVCs and a group of them with its peer, and waits until both are confirmed.
func newScene(t *testing.T, w *world, sizes map[string]string) *scene {
	t.Helper()
	ns := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	s := &scene{world: w, t: t, ns: ns[strings.LastIndex(ns, "-")+1:], volumes: map[string]string{}, acknowledged: map[string]map[string]int{}}
	s.must(w.sites[lab.East].Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.ns}}))
	storage := lab.StorageClass
	for name, size := range sizes {
		s.must(w.sites[lab.East].Create(t.Context(), &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.ns, Name: name, Labels: map[string]string{"app": group}},
			Spec: corev1.PersistentVolumeClaimSpec{
				StorageClassName: &storage, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}},
			},
		}))
		s.acknowledged[name] = map[string]int{}
	}
	for name := range sizes {
		s.eventually("PVC "+name+" to be bound", func(ctx context.Context) (err error) {
			s.volumes[name], err = w.lab.Site(lab.East).VolumeHandle(ctx, s.ns+"/"+name)
			return err
		})
	}
	s.eventually("PVCs to be bound", func(ctx context.Context) error {
		var list corev1.PersistentVolumeClaimList
		if err := w.sites[lab.East].List(ctx, &list, client.InNamespace(s.ns)); err != nil {
			return err
		}
		for _, pvc := range list.Items {
			if pvc.Status.Phase != corev1.ClaimBound {
				return fmt.Errorf("%s is %s", pvc.Name, pvc.Status.Phase)
			}
		}
		return nil
	})
	s.done("create", group, "-n", s.ns, "--class", class, "-l", "app="+group, "--yes")
	return s
}

func (s *scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) eventually(what string, check func(ctx context.Context) error) {
	s.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(s.t.Context(), time.Second, patience, true, func(ctx context.Context) (bool, error) {
		err := check(ctx)
		if err != nil && ctx.Err() == nil {
			last = err
		}
		return err == nil, nil
	})
	if err != nil {
		s.t.Fatalf("waiting for %s: %v: %v", what, err, last)
	}
}

// result is what the plugin did.
type result struct {
	code        int
	out, errOut string
}

// vgr runs the plugin on the scene's group.
func (s *scene) vgr(args ...string) result {
	s.t.Helper()
	began := time.Now()
	r, err := s.run(args...)
	s.must(err)
	if args[0] != "status" && args[0] != "history" {
		s.t.Logf("kubectl vgr %s: exit code %d after %s\n%s%s", strings.Join(args, " "), r.code, time.Since(began).Round(time.Second), r.out, r.errOut)
	}
	return r
}

func (s *scene) run(args ...string) (result, error) { return s.runUntil(s.t.Context(), args...) }

// runUntil kills the plugin when the context ends.
func (s *scene) runUntil(ctx context.Context, args ...string) (result, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "kubectl-vgr"), args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.Env = s.env()
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		return result{}, err
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}, nil
}

func (s *scene) env() []string {
	return []string{
		"KUBECONFIG=" + s.lab.Kubeconfig(), "HOME=" + s.lab.Dir(), "LANG=C.UTF-8",
		"KUBECTL_VGR_CONTEXT=" + lab.East, "KUBECTL_VGR_PEER_CONTEXT=" + lab.West,
	}
}

// done runs the plugin, which must succeed.
func (s *scene) done(args ...string) string {
	s.t.Helper()
	r := s.vgr(args...)
	if r.code != 0 {
		s.t.Fatalf("kubectl vgr %s: exit code %d", strings.Join(args, " "), r.code)
	}
	return r.out
}

// overview is what the tool says of the group.
func (s *scene) overview() overview.Group {
	s.t.Helper()
	r := s.vgr("status", group, "-n", s.ns, "-o", "json")
	var o overview.Overview
	if err := json.Unmarshal([]byte(r.out), &o); err != nil || len(o.Groups) != 1 {
		s.t.Fatalf("status: %v\n%s%s", err, r.out, r.errOut)
	}
	return o.Groups[0]
}

// last is the newest operation of the group.
func (s *scene) last() recovery.Operation {
	s.t.Helper()
	var h struct {
		Operations []recovery.Operation `json:"operations"`
	}
	s.must(json.Unmarshal([]byte(s.done("history", group, "-n", s.ns, "-o", "json")), &h))
	if len(h.Operations) == 0 {
		s.t.Fatal("no operation is told of")
	}
	newest := h.Operations[0]
	for _, o := range h.Operations {
		if o.Revision > newest.Revision {
			newest = o
		}
	}
	return newest
}
