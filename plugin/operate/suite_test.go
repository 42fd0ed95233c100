// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/consumers"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

const (
	east, west = 0, 1
	group      = "db"
)

// quick is a clock that is faster than the real one, so that pauses and Leases are over soon.
type quick struct {
	clock.RealClock
	start time.Time
}

const speed = 40

func (q quick) Now() time.Time                         { return q.start.Add(speed * q.RealClock.Since(q.start)).Round(0) }
func (q quick) Since(t time.Time) time.Duration        { return q.Now().Sub(t) }
func (q quick) After(d time.Duration) <-chan time.Time { return q.RealClock.After(d / speed) }
func (q quick) NewTicker(d time.Duration) clock.Ticker { return q.RealClock.NewTicker(d / speed) }
func (q quick) NewTimer(d time.Duration) clock.Timer   { return q.RealClock.NewTimer(d / speed) }

// servers are two API servers with the stand-in of a controller on each.
type servers struct {
	clock  quick
	admin  [2]*rest.Config
	client [2]client.WithWatch
	reach  [2]http.RoundTripper
	uid    [2]string
	arrays *arrays
	count  atomic.Int32
}

func start(t *testing.T) *servers {
	t.Helper()
	s := &servers{clock: quick{start: clock.RealClock{}.Now()}}
	east, west := testserver.StartTwo(t, filepath.Join("testdata", "kubevirt"))
	for i, at := range []*testserver.Server{east, west} {
		at.Admin.QPS = -1
		s.admin[i], s.client[i] = at.Admin, at.Client(t)
		var err error
		s.reach[i], err = rest.TransportFor(at.Admin)
		must(t, err)
		var ns corev1.Namespace
		must(t, s.client[i].Get(t.Context(), client.ObjectKey{Name: "kube-system"}, &ns))
		s.uid[i] = string(ns.UID)
	}
	s.arrays = newArrays(s.client, s.clock)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context())) // that of the test ends before the parallel ones
	ended := s.arrays.run(ctx)
	t.Cleanup(func() {
		cancel()
		ended()
	})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is one group on both sites, in a namespace of its own, with an application that uses its PVC.
type world struct {
	*servers
	t         *testing.T
	namespace string
	traits    backend.Traits
	array     *array
	commands  int
	// order is the order in which the commands name the sites, and nameless means that the clusters cannot be told apart.
	order    [2]int
	nameless bool
}

var fences = backend.Traits{Fences: true, ConfirmsSync: true}

func (s *servers) world(t *testing.T, traits backend.Traits) *world {
	t.Helper()
	w := &world{servers: s, t: t, namespace: fmt.Sprintf("w%d", s.count.Add(1)), traits: traits, order: [2]int{east, west}}
	w.array = s.arrays.add(w.namespace)
	for i, c := range s.client {
		must(t, c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}))
		for name, replicas := range map[string]int32{"app": int32(3 * (1 - i)), "other": 1} {
			claim := map[string]string{"app": "data", "other": "elsewhere"}[name]
			must(t, c.Create(t.Context(), deployment(w.namespace, name, claim, replicas)))
		}
		g := &vgrv1.VolumeGroupReplication{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: group},
			Spec: vgrv1.VolumeGroupReplicationSpec{
				VolumeGroupReplicationClass: "gold", ReplicationState: []vgrv1.ReplicationState{vgrv1.Primary, vgrv1.Secondary}[i],
				Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}, AutoResync: new(i == west),
			},
		}
		must(t, c.Create(t.Context(), g))
	}
	w.until("the pair is as it was made", func(gs [2]*vgrv1.VolumeGroupReplication) bool {
		return gs[east].Status.State == vgrv1.StatePrimary && gs[east].Status.LastSyncTime != nil && gs[west].Status.State == vgrv1.StateSecondary
	})
	return w
}

func deployment(namespace, name, claim string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "c", Image: "example.com/c"}},
				Volumes:    []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}}},
			}},
		},
	}
}

func (w *world) groups() (gs [2]*vgrv1.VolumeGroupReplication) {
	w.t.Helper()
	for i, c := range w.client {
		gs[i] = &vgrv1.VolumeGroupReplication{}
		must(w.t, c.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: group}, gs[i]))
	}
	return gs
}

// until waits for something; that it comes is the assertion, not when.
func (w *world) until(what string, is func([2]*vgrv1.VolumeGroupReplication) bool) {
	w.t.Helper()
	var gs [2]*vgrv1.VolumeGroupReplication
	for range 12000 {
		if gs = w.groups(); is(gs) {
			return
		}
		time.Sleep(5 * time.Millisecond) //nolint:forbidigo // polls real servers
	}
	w.t.Fatalf("%s: not within a minute\n%+v\n%+v", what, gs[east].Status, gs[west].Status)
}

// command is one run of a command: what it sees and writes goes through its own lines to the servers.
type command struct {
	w        *world
	lines    [2]*line
	sites    [2]*site.Site
	clusters [2]string
	holder   string
	cancel   context.CancelCauseFunc
	heard    []recovery.Decision
}

func (w *world) command(s *schedule) *command {
	w.t.Helper()
	w.commands++
	c := &command{w: w, holder: fmt.Sprintf("admin/%s-%d", w.namespace, w.commands)}
	config := clientcmdapi.NewConfig()
	names := []string{"east", "west"}
	for i, name := range names {
		c.lines[i] = newLine(w, i, s, c)
		config.Clusters[name] = &clientcmdapi.Cluster{Server: c.lines[i].server.URL}
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{}
		config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	}
	file := filepath.Join(w.t.TempDir(), "kubeconfig")
	must(w.t, clientcmd.WriteToFile(*config, file))
	flags := genericclioptions.NewConfigFlags(true)
	flags.KubeConfig, flags.Context = &file, &names[w.order[0]]
	connector := &site.Connector{Flags: flags, PeerContext: names[w.order[1]], Env: func(string) string { return "" }, Clock: w.clock}
	var err error
	c.sites[0], err = connector.Here()
	must(w.t, err)
	c.sites[1], err = connector.Peer(w.t.Context(), c.sites[0])
	must(w.t, err)
	if !w.nameless {
		c.clusters = [2]string{w.uid[w.order[0]], w.uid[w.order[1]]}
	}
	return c
}

func (c *command) close() {
	for _, l := range c.lines {
		l.close()
	}
}

// ref names a site.
func (w *world) ref(i int) recovery.SiteRef {
	r := recovery.SiteRef{Name: []string{"east", "west"}[i], Cluster: w.uid[i]}
	if w.nameless {
		r.Cluster = ""
	}
	return r
}

// run is what a command does: it looks, begins or continues an operation, and carries it out.
func (c *command) run(r recovery.Request) (*operate.Job, *recovery.Stop) {
	w := c.w
	w.t.Helper()
	ctx, cancel := context.WithCancelCause(w.t.Context())
	defer cancel(nil)
	limit := time.AfterFunc(2*time.Minute, func() { cancel(operate.ErrTimeout) })
	defer limit.Stop()
	c.cancel = cancel
	inputs := collect.Sites(ctx, c.sites[:], collect.Query{Namespace: w.namespace, Names: []string{group}})
	clocks := &operate.Clocks{Local: w.clock}
	p := operate.Pair(inputs, c.sites, c.clusters, clocks, w.namespace, group)
	for i := range p.Sites {
		if g := p.Sites[i].Group; g != nil {
			p.Sites[i].Usage = consumers.Read(ctx, c.sites[i], []string{w.namespace}, true)[w.namespace].Of(g)
		}
	}
	r.By, r.Holder, r.ID = "admin", c.holder, fmt.Sprintf("%s-%d", w.namespace, w.commands)
	op, stop := recovery.Begin(p, r, w.traits)
	if stop != nil {
		return nil, stop
	}
	job := &operate.Job{Namespace: w.namespace, Name: group, Operation: op, Traits: w.traits}
	o := &operate.Operator{
		Sites: c.sites, Clusters: c.clusters, Clock: w.clock, Clocks: clocks, Holder: c.holder, Concurrency: 1,
		Progress: func(_ *operate.Job, d recovery.Decision) { c.heard = append(c.heard, d) },
	}
	o.Run(ctx, w.namespace, []*operate.Job{job}, inputs)
	return job, nil
}

// said are the last words of a command, for a test that fails.
func (c *command) said() string {
	var b strings.Builder
	for _, d := range c.heard[max(0, len(c.heard)-12):] {
		fmt.Fprintf(&b, "\n  %s: wait %q", d.Step.ID, d.Wait)
		if d.Write != nil {
			fmt.Fprintf(&b, " write %s %s", d.Write.Site.Name, d.Write.State)
		}
		if d.Stop != nil {
			fmt.Fprintf(&b, " stop %s", d.Stop.Message)
		}
	}
	return b.String()
}

// replicas are those of the application and of what has nothing to do with the group, on east and west.
func (w *world) replicas() string {
	var words []string
	for i, c := range w.client {
		for _, name := range []string{"app", "other"} {
			var d appsv1.Deployment
			must(w.t, c.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, &d))
			words = append(words, w.ref(i).Name+"/"+name+"="+strconv.Itoa(int(*d.Spec.Replicas)))
		}
	}
	return strings.Join(words, " ")
}

// events are those that tell how operations ended, by site.
func (w *world) events() (out [2]map[string]int) {
	for i, c := range w.client {
		out[i] = map[string]int{}
		var list corev1.EventList
		must(w.t, c.List(w.t.Context(), &list, client.InNamespace(w.namespace)))
		for _, e := range list.Items {
			out[i][e.Reason]++
		}
	}
	return out
}

func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
