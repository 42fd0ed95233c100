// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/csiaddons"
	"github.com/unified-replication/kubectl-vgr/pkg/golden"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
	"github.com/unified-replication/kubectl-vgr/plugin"
)

// bench is two API servers, without controllers: what the plugin sees is what a test wrote.
type bench struct {
	t          *testing.T
	kubeconfig string
	home       string
	east, west client.Client
	profiles   backend.Profiles
	env        map[string]string
	// patience is how long a site may take before a command says that it waits.
	patience time.Duration
	// etcd are the stores of the sites, by their names.
	etcd map[string]*url.URL
}

func newBench(t *testing.T, crds ...string) *bench {
	t.Helper()
	b := &bench{t: t, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"), home: t.TempDir(), profiles: backend.Profiles{csiaddons.Profile()}, etcd: map[string]*url.URL{}}
	config := clientcmdapi.NewConfig()
	east, west := testserver.StartTwo(t, crds...)
	for name, at := range map[string]*testserver.Server{"east": east, "west": west} {
		addContext(config, name, at.Admin)
		b.etcd[name] = at.Etcd()
		addContext(config, "nobody-"+name, at.User(t, "nobody").Config())
		c := at.Client(t, apiextensionsv1.AddToScheme)
		policy, err := manifests.Install(manifests.Options{})
		b.must(err)
		for _, u := range policy {
			if u.GroupVersionKind().Group == manifests.AdmissionGroup {
				b.must(c.Create(t.Context(), u))
			}
		}
		if name == "east" {
			b.east = c
		} else {
			b.west = c
		}
	}
	addContext(config, "dead", &rest.Config{Host: "https://127.0.0.1:1"})
	twin := *config.Contexts["east"]
	config.Contexts["twin"] = &twin
	config.CurrentContext = "east"
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))
	return b
}

func addContext(config *clientcmdapi.Config, name string, rc *rest.Config) {
	config.Clusters[name] = &clientcmdapi.Cluster{Server: rc.Host, CertificateAuthorityData: rc.CAData}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: rc.CertData, ClientKeyData: rc.KeyData}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// result is how a command ended.
type result struct {
	code        int
	out, errOut string
}

// vgr runs a command through the real root.
func (b *bench) vgr(args ...string) result {
	b.t.Helper()
	return b.vgrMeanwhile(func() {}, args...)
}

// meanwhile is a writer that calls before it takes the first that is written.
type meanwhile struct {
	io.Writer
	call func()
}

func (m *meanwhile) Write(p []byte) (int, error) {
	if call := m.call; call != nil {
		m.call = nil
		call()
	}
	return m.Writer.Write(p)
}

// vgrMeanwhile runs a command and something else between its look and its writes: a plan is shown
// in between.
func (b *bench) vgrMeanwhile(call func(), args ...string) result {
	b.t.Helper()
	var out, errOut bytes.Buffer
	env := map[string]string{"KUBECONFIG": b.kubeconfig, "HOME": b.home, "LANG": "C.UTF-8"}
	maps.Copy(env, b.env)
	code := plugin.Main(b.t.Context(), plugin.Config{
		Args:      append([]string{"kubectl-vgr", "--kubeconfig", b.kubeconfig}, args...),
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &meanwhile{&errOut, call}},
		Getenv:    func(k string) string { return env[k] }, Clock: clock.RealClock{}, Profiles: b.profiles,
		Executable: func() (string, error) { return "/nowhere/kubectl-vgr", nil }, Patience: b.patience,
	})
	text := func(printed *bytes.Buffer) string { // printed commands repeat the flag that every command of a test has
		return strings.ReplaceAll(printed.String(), " --kubeconfig "+b.kubeconfig, "")
	}
	return result{code, text(&out), text(&errOut)}
}

// volume makes a bound PVC, as a provisioner and the binder would.
func (b *bench) volume(c client.Client, name, driver string, labels map[string]string) {
	b.t.Helper()
	class, size := "", corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	pvc := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: labels},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class, VolumeName: "pv-" + name, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: size},
		},
	}
	b.must(c.Create(b.t.Context(), pvc))
	b.must(c.Create(b.t.Context(), &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv-" + name},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: size, AccessModes: pvc.Spec.AccessModes,
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: driver, VolumeHandle: "handle-" + name}},
		},
	}))
	pvc.Status.Phase, pvc.Status.Capacity = corev1.ClaimBound, size
	b.must(c.Status().Update(b.t.Context(), pvc))
}

// group makes a group with a status, as the controller would.
func (b *bench) group(c client.Client, name string, desired vgrv1.ReplicationState, state vgrv1.State, conditions ...metav1.Condition) {
	b.t.Helper()
	b.groupIn(c, "default", name, desired, state, conditions...)
}

func (b *bench) groupIn(c client.Client, namespace, name string, desired vgrv1.ReplicationState, state vgrv1.State, conditions ...metav1.Condition) {
	b.t.Helper()
	g := &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"group": name}},
		Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: "gold", ReplicationState: desired,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"group": name}},
		},
	}
	b.must(c.Create(b.t.Context(), g))
	g.Status.State, g.Status.ObservedGeneration, g.Status.Backend = state, 1, csiaddons.Name
	g.Status.StateSince = new(metav1.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC))
	g.Status.Volumes, g.Status.PersistentVolumeClaimsRefList = []vgrv1.VolumeStatus{{Name: "data"}}, []corev1.LocalObjectReference{{Name: "data"}}
	for _, cond := range conditions {
		cond.ObservedGeneration, cond.LastTransitionTime = 1, metav1.Now()
		g.Status.Conditions = append(g.Status.Conditions, cond)
	}
	b.must(c.Status().Update(b.t.Context(), g))
}

func ready(reason string) metav1.Condition {
	return metav1.Condition{Type: vgrv1.ConditionReady, Status: metav1.ConditionTrue, Reason: reason, Message: "said by the test"}
}

// TestCommands runs commands against two real API servers. Each error must be one line, with the
// next step, the right exit code, and nothing changed.
func TestCommands(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	long := strings.Repeat("a", 64)
	db := map[string]string{"app": "db"}
	for _, c := range []client.Client{b.east, b.west} {
		b.must(c.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
	}
	b.must(b.east.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "alien"}, Spec: vgrv1.ClassSpec{Provisioner: "csi.example.com"}}))
	b.must(b.east.Create(t.Context(), &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "misspelt"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"shedulingInterval": "5m"}}}))
	b.must(b.east.Create(t.Context(), &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "late"}, Provisioner: "csi.example.com"}))
	b.volume(b.east, "data", "rbd.csi.ceph.com", db)
	b.volume(b.east, "logs", "rbd.csi.ceph.com", db)
	b.volume(b.east, "alien", "csi.example.com", map[string]string{"app": "alien"})
	late := "late"
	b.must(b.east.Create(t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "pending", Labels: map[string]string{"app": "pending"}},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &late, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}))
	primary, secondary := ready("Promoted"), ready("Demoted")
	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary, primary)
	b.group(b.west, "orders", vgrv1.Secondary, vgrv1.StateSecondary, secondary)
	b.group(b.east, "alone", vgrv1.Primary, vgrv1.StatePrimary, primary)

	create := func(more ...string) []string { return append([]string{"create", "new", "--yes"}, more...) }
	cases := map[string]struct {
		args []string
		code int
	}{
		"no such command":                  {[]string{"replicate"}, 1},
		"no such flag":                     {[]string{"list", "--everything"}, 1},
		"no such context":                  {[]string{"list", "--context", "nowhere"}, 1},
		"no such peer context":             {[]string{"list", "--peer-context", "nowhere"}, 1},
		"the peer is this site":            {[]string{"list", "--peer-context", "east"}, 1},
		"no such group":                    {[]string{"status", "nothing", "--peer-context", "west"}, 2},
		"malformed selector of groups":     {[]string{"list", "-l", "a in (b"}, 1},
		"names and a selector":             {[]string{"list", "orders", "-l", "a=b"}, 1},
		"no such output":                   {[]string{"list", "-o", "xml"}, 1},
		"no such colour":                   {[]string{"list", "--color", "sometimes"}, 1},
		"unreachable":                      {[]string{"list", "--context", "dead"}, 6},
		"no permission":                    {[]string{"list", "--context", "nobody-east"}, 1},
		"exit code of an unreachable peer": {[]string{"status", "--exit-code", "-o", "name", "--peer-context", "dead"}, 6},

		"no such group to list":           {[]string{"list", "nothing", "orders", "-A", "--peer-context", "west"}, 2},
		"no such group to validate":       {[]string{"validate", "nothing", "--peer-context", "west"}, 2},
		"no such group with a history":    {[]string{"history", "nothing", "--peer-context", "west"}, 2},
		"validate in no namespace":        {[]string{"validate", "--all", "-n", "shopp", "--peer-context", "west"}, 2},
		"judge no namespace":              {[]string{"status", "--exit-code", "-n", "shopp", "--peer-context", "west"}, 2},
		"look at no namespace":            {[]string{"list", "-n", "shopp", "--peer-context", "west"}, 0},
		"failover in no namespace":        {[]string{"failover", "--all", "-n", "shopp", "--peer-context", "west", "--to", "west", "--yes"}, 2},
		"failback in no namespace":        {[]string{"failback", "--all", "-n", "shopp", "--peer-context", "west", "--to", "west", "--yes"}, 2},
		"abort in no namespace":           {[]string{"failover", "--all", "-n", "shopp", "--peer-context", "west", "--abort", "--yes"}, 2},
		"promote in no namespace":         {[]string{"promote", "--all", "-n", "shopp", "--peer-context", "west", "--yes"}, 2},
		"demote in no namespace":          {[]string{"demote", "--all", "-n", "shopp", "--peer-context", "west", "--yes"}, 2},
		"resync in no namespace":          {[]string{"resync", "--all", "-n", "shopp", "--peer-context", "west", "--yes"}, 2},
		"delete in no namespace":          {[]string{"delete", "--all", "-n", "shopp", "--peer-context", "west", "--yes"}, 2},
		"failover in the wrong namespace": {[]string{"failover", "orders", "-n", "shopp", "--peer-context", "west", "--to", "west", "--yes"}, 2},
		"delete by labels of none":        {[]string{"delete", "-l", "tier=none", "--peer-context", "west", "--yes"}, 2},
		"failover by labels of none":      {[]string{"failover", "-l", "tier=none", "--peer-context", "west", "--to", "west", "--yes"}, 2},
		"failover, nothing, a lost site":  {[]string{"failover", "--all", "-n", "shopp", "--peer-context", "dead", "--to", "dead", "--yes"}, 6},

		"create without class":            {create("-l", "app=db"), 1},
		"create without selector":         {create("--class", "gold"), 1},
		"create without name":             {[]string{"create", "--class", "gold", "-l", "app=db"}, 1},
		"malformed selector":              {create("--class", "gold", "-l", "app in (db"), 1},
		"unknown class":                   {create("--class", "silver", "-l", "app=db"), 2},
		"class of no backend":             {create("--class", "alien", "-l", "app=db"), 2},
		"class with unknown parameter":    {create("--class", "misspelt", "-l", "app=db"), 2},
		"selector matches nothing":        {create("--class", "gold", "-l", "app=none"), 2},
		"unbound PVC":                     {create("--class", "gold", "-l", "app=pending"), 2},
		"PVC of another driver":           {create("--class", "gold", "-l", "app=alien"), 2},
		"name too long":                   {[]string{"create", long, "--class", "gold", "-l", "app=db", "--yes"}, 1},
		"state that is none":              {create("--class", "gold", "-l", "app=db", "--state", "resync"), 1},
		"dry run that is none":            {create("--class", "gold", "-l", "app=db", "--dry-run=maybe"), 1},
		"another group of that name":      {[]string{"create", "orders", "--yes", "--class", "gold", "-l", "app=db"}, 2},
		"not confirmed":                   {[]string{"create", "new", "--class", "gold", "-l", "app=db"}, 5},
		"no permission to create":         {create("--class", "gold", "-l", "app=db", "--context", "nobody-east"), 1},
		"create with an unreachable peer": {create("--class", "gold", "-l", "app=db", "--peer-context", "dead"), 6},
		"create with one cluster twice":   {create("--class", "gold", "-l", "app=db", "--peer-context", "twin"), 2},

		"promote without names":                   {[]string{"promote"}, 1},
		"promote beside a primary":                {[]string{"promote", "orders", "--context", "west", "--peer-context", "east", "--yes"}, 2},
		"promote with an unreachable peer":        {[]string{"promote", "orders", "--context", "west", "--peer-context", "dead", "--yes"}, 6},
		"promote without a peer":                  {[]string{"promote", "orders", "--context", "west", "--yes"}, 2},
		"promote against one cluster twice":       {[]string{"demote", "orders", "--peer-context", "twin", "--yes"}, 2},
		"demote without a controller":             {[]string{"demote", "orders", "--peer-context", "west", "--yes"}, 2},
		"resync of a primary":                     {[]string{"resync", "orders", "--peer-context", "west", "--yes"}, 2},
		"delete not confirmed":                    {[]string{"delete", "orders", "--peer-context", "west"}, 5},
		"delete of a secondary that hangs":        {[]string{"delete", "orders", "--context", "west", "--peer-context", "dead", "--dry-run=client"}, 0},
		"failover without names":                  {[]string{"failover"}, 1},
		"failover without asking or direction":    {[]string{"failover", "orders", "--peer-context", "west", "--yes"}, 1},
		"failback to nowhere":                     {[]string{"failback", "orders", "--peer-context", "west"}, 1},
		"failover without a peer":                 {[]string{"failover", "orders", "--to", "west", "--yes"}, 2},
		"failover of no group":                    {[]string{"failover", "nothing", "--peer-context", "west", "--to", "west", "--yes"}, 2},
		"failover to a site that is none":         {[]string{"failover", "orders", "--peer-context", "west", "--to", "north", "--yes"}, 1},
		"failover within one cluster":             {[]string{"failover", "orders", "--peer-context", "twin", "--to", "twin", "--yes"}, 2},
		"failover that a check refuses":           {[]string{"failover", "orders", "--peer-context", "west", "--to", "west", "--yes"}, 2},
		"failover to a site that is lost":         {[]string{"failover", "orders", "--peer-context", "dead", "--to", "dead", "--yes"}, 6},
		"failover to where it is":                 {[]string{"failover", "orders", "--peer-context", "west", "--to", "east", "--yes"}, 0},
		"failover without permission":             {[]string{"failover", "orders", "--context", "nobody-east", "--peer-context", "west", "--to", "west", "--yes"}, 2},
		"planned failover that accepts a loss":    {[]string{"failover", "orders", "--peer-context", "west", "--accept-data-loss", "10m", "--yes"}, 1},
		"unplanned failover to nowhere":           {[]string{"failover", "orders", "--peer-context", "west", "--unplanned", "--yes"}, 1},
		"unplanned failover that accepts nothing": {[]string{"failover", "orders", "--context", "dead", "--peer-context", "west", "--to", "west", "--unplanned", "--yes"}, 2},
		"starting what was not stopped":           {[]string{"failover", "orders", "--peer-context", "west", "--to", "west", "--start-workloads", "--yes"}, 1},
		"unplanned failover, quiesced":            {[]string{"failover", "orders", "--peer-context", "west", "--to", "west", "--unplanned", "--quiesce", "--yes"}, 1},
		"abort, quiesced":                         {[]string{"failover", "orders", "--peer-context", "west", "--abort", "--quiesce", "--yes"}, 1},
		"unplanned failover, malformed loss":      {[]string{"failover", "orders", "--peer-context", "west", "--to", "west", "--unplanned", "--accept-data-loss", "much", "--yes"}, 1},
		"unplanned failover taken back":           {[]string{"failover", "orders", "--peer-context", "west", "--to", "west", "--unplanned", "--abort"}, 1},
		"abort of nothing":                        {[]string{"failover", "orders", "--peer-context", "west", "--abort", "--yes"}, 2},
		"failback to where it is":                 {[]string{"failback", "orders", "--peer-context", "west", "--to", "east", "--yes"}, 0},
		"failback that discards the wrong site":   {[]string{"failback", "orders", "--peer-context", "west", "--to", "west", "--discard-site", "east", "--yes"}, 2},
		"validate":                                {[]string{"validate", "orders", "--peer-context", "west"}, 4},
		"history of a group that stayed":          {[]string{"history", "orders", "--peer-context", "west"}, 0},

		"class without provisioner":           {[]string{"class", "create", "x"}, 1},
		"class of an unknown provisioner":     {[]string{"class", "create", "x", "--provisioner", "csi.example.com"}, 2},
		"class with an unknown key":           {[]string{"class", "create", "x", "--provisioner", "rbd.csi.ceph.com", "--parameter", "shedulingInterval=5m"}, 2},
		"class with two faults":               {[]string{"class", "create", "x", "--provisioner", "rook-ns.rbd.csi.ceph.com", "--parameter", "shedulingInterval=5m,schedulingInterval=5x"}, 2},
		"class with an interval that is none": {[]string{"class", "create", "x", "--provisioner", "rbd.csi.ceph.com", "--parameter", "schedulingInterval=5x"}, 2},
		"class that exists":                   {[]string{"class", "create", "gold", "--provisioner", "rbd.csi.ceph.com"}, 2},
		"class that does not":                 {[]string{"class", "describe", "silver"}, 1},
	}
	before := b.everything()
	var shown strings.Builder
	for _, name := range slices.Sorted(mapsKeys(cases)) {
		tc := cases[name]
		t.Run(name, func(t *testing.T) {
			r := b.vgr(tc.args...)
			if r.code != tc.code {
				t.Errorf("exit code %d, want %d\n%s%s", r.code, tc.code, r.out, r.errOut)
			}
			errors := 0
			for line := range strings.Lines(r.errOut) {
				if strings.HasPrefix(line, "Error: ") {
					errors++
				}
			}
			if want := min(tc.code, 1); errors != want || strings.Contains(r.errOut, "Error: Error") {
				t.Errorf("%d lines begin with Error, want %d:\n%s", errors, want, r.errOut)
			}
			fmt.Fprintf(&shown, "# %s\n$ kubectl vgr %s\n%s%s[exit code %d]\n\n", name, strings.Join(tc.args, " "), r.out, r.errOut, r.code)
		})
	}
	if diff := cmp.Diff(before, b.everything()); diff != "" {
		t.Errorf("something was changed:\n%s", diff)
	}
	golden.Compare(t, "errors.golden", shown.String())

	t.Run("one model", func(t *testing.T) { b.oneModel() })
	t.Run("journals are discarded", func(t *testing.T) { b.discardsJournals() })
	t.Run("a dry run beside controllers", func(t *testing.T) { b.besideControllers() })
	t.Run("dry runs change nothing", func(t *testing.T) { b.dryRuns() })
	t.Run("the peer is found again", func(t *testing.T) { b.peerFound() })
	t.Run("the environment names the context", func(t *testing.T) { b.contextOfEnvironment() })
	t.Run("promote waits for proof", func(t *testing.T) { b.proof() })
	t.Run("no CRDs", func(t *testing.T) { b.noCRDs() })
}

func mapsKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// everything is the version of each object that a command might change.
func (b *bench) everything() map[string]string {
	b.t.Helper()
	out := map[string]string{}
	for site, c := range map[string]client.Client{"east": b.east, "west": b.west} {
		for _, list := range []client.ObjectList{
			&vgrv1.VolumeGroupReplicationList{}, &vgrv1.VolumeGroupReplicationClassList{}, &corev1.PersistentVolumeClaimList{}, &corev1.PersistentVolumeList{},
		} {
			b.must(c.List(b.t.Context(), list))
			data, err := json.Marshal(list)
			b.must(err)
			var items struct {
				Items []metav1.PartialObjectMetadata `json:"items"`
			}
			b.must(json.Unmarshal(data, &items))
			for _, item := range items.Items {
				out[fmt.Sprintf("%s %T %s/%s", site, list, item.Namespace, item.Name)] = item.ResourceVersion
			}
		}
	}
	return out
}

// oneModel compares the table with the JSON it is drawn from.
func (b *bench) oneModel() {
	r := b.vgr("list", "--peer-context", "west", "-o", "json")
	var o overview.Overview
	b.must(json.Unmarshal([]byte(r.out), &o))
	if o.APIVersion != overview.APIVersion || len(o.Groups) != 2 || len(o.Sites) != 2 {
		b.t.Errorf("%s", r.out)
	}
	table := b.vgr("list", "--peer-context", "west")
	for _, g := range o.Groups {
		if !strings.Contains(table.out, g.Name) || !strings.Contains(table.out, g.Verdict.Word()) {
			b.t.Errorf("%s with %s is not in\n%s", g.Name, g.Verdict.Phase, table.out)
		}
	}
	for format, want := range map[string]string{
		"name":                        "volumegroupreplication.replication.unified.io/alone\nvolumegroupreplication.replication.unified.io/orders\n",
		"jsonpath={.groups[*].name}":  "alone orders",
		"go-template={{len .groups}}": "2",
		"custom-columns=N:.name,S:.sites[*].state,X:.nothing": "N        S                   X\nalone    Primary             <none>\norders   Primary,Secondary   <none>\n",
	} {
		if r := b.vgr("list", "--peer-context", "west", "-o", format); r.out != want || r.code != 0 {
			b.t.Errorf("-o %s: %q %s", format, r.out, r.errOut)
		}
	}
}

func (b *bench) dryRuns() {
	before := b.everything()
	for _, args := range [][]string{
		{"create", "new", "--class", "gold", "-l", "app=db", "--peer-context", "west"},
		{"demote", "orders", "--peer-context", "west"},
		{"delete", "orders", "--peer-context", "west"},
		{"class", "create", "silver", "--provisioner", "rbd.csi.ceph.com"},
	} {
		for _, mode := range []string{"client", "server"} {
			if r := b.vgr(append(args, "--dry-run="+mode)...); r.code != 0 {
				b.t.Errorf("%v, %s dry run: exit code %d\n%s", args, mode, r.code, r.errOut)
			}
		}
	}
	if diff := cmp.Diff(before, b.everything()); diff != "" {
		b.t.Errorf("a dry run changed something:\n%s", diff)
	}
}

// contextOfEnvironment: the site that is named is the cluster that is asked.
func (b *bench) contextOfEnvironment() {
	b.group(b.west, "west-only", vgrv1.Primary, vgrv1.StatePrimary, ready("Promoted"))
	b.env = map[string]string{"KUBECTL_VGR_CONTEXT": "west"}
	defer func() { b.env = nil }()
	if r := b.vgr("delete", "west-only", "--dry-run=client"); r.code != 0 {
		b.t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	if r := b.vgr("delete", "west-only", "--dry-run=client", "--context", "east"); r.code == 0 {
		b.t.Error("the flag does not win")
	}
	for _, tc := range []struct {
		name, context, peer string
		args                []string
		code                int
		sites               string
	}{
		{"as it is", "east", "west", nil, 0, "east west"},
		{"this site named", "east", "west", []string{"--context", "east"}, 0, "east west"},
		{"the peer named: the pair is swapped", "east", "west", []string{"--context", "west"}, 0, "west east"},
		{"swapped with the current context", "", "west", []string{"--context", "west"}, 0, "west east"},
		{"one site in the environment", "west", "west", nil, 1, ""},
		{"one site in the flags", "east", "west", []string{"--context", "west", "--peer-context", "west"}, 1, ""},
		{"a peer that is named wins", "east", "west", []string{"--context", "west", "--peer-context", "dead"}, 0, "west dead"},
	} {
		b.env = map[string]string{"KUBECTL_VGR_CONTEXT": tc.context, "KUBECTL_VGR_PEER_CONTEXT": tc.peer}
		r := b.vgr(append([]string{"list", "-o", "jsonpath={.sites[*].name}"}, tc.args...)...)
		if r.code != tc.code || r.out != tc.sites {
			b.t.Errorf("%s: exit code %d, sites %q\n%s", tc.name, r.code, r.out, r.errOut)
		}
	}
}

// besideControllers: a status that is written after the look is no reason for a dry run to fail.
func (b *bench) besideControllers() {
	key := client.ObjectKey{Namespace: "default", Name: "moving"}
	var g vgrv1.VolumeGroupReplication
	for c, state := range map[client.Client]vgrv1.ReplicationState{b.east: vgrv1.Primary, b.west: vgrv1.Secondary} {
		b.group(c, key.Name, state, map[vgrv1.ReplicationState]vgrv1.State{vgrv1.Primary: vgrv1.StatePrimary, vgrv1.Secondary: vgrv1.StateSecondary}[state], ready("Done"))
		b.must(c.Create(b.t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vgr-system"}}))
		b.must(c.Create(b.t.Context(), &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Namespace: "vgr-system", Name: "vgr-controller", Labels: map[string]string{vgrv1.LabelVersion: "v0"}},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: new("the test"), LeaseDurationSeconds: new(int32(3600)), RenewTime: new(metav1.NowMicro())},
		}))
	}
	r := b.vgrMeanwhile(func() {
		b.must(b.east.Get(b.t.Context(), key, &g))
		g.Status.Volumes[0].Message = "written after the look"
		b.must(b.east.Status().Update(b.t.Context(), &g))
	}, "failover", key.Name, "--peer-context", "west", "--dry-run=server")
	if r.code != 0 {
		b.t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
}

// proof: both sites are secondary; as long as the storage has not confirmed that they are in sync, or
// could mean an earlier hand-over, no spec is changed.
func (b *bench) proof() {
	synced := metav1.Condition{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionFalse, Reason: "Healthy"}
	lacking := metav1.Condition{Type: vgrv1.ConditionDegraded, Status: metav1.ConditionTrue, Reason: "VolumeDegraded", Message: "volume is degraded"}
	synced.LastTransitionTime, lacking.LastTransitionTime = metav1.Now(), metav1.Now()
	b.group(b.east, "demoted", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"), synced)
	b.group(b.west, "demoted", vgrv1.Secondary, vgrv1.StateSecondary, ready("Demoted"), lacking)
	key := client.ObjectKey{Namespace: "default", Name: "demoted"}
	promote := []string{"promote", "demoted", "--context", "west", "--peer-context", "east", "--yes", "--timeout", "1s"}
	before := b.everything()
	if r := b.vgr(promote...); r.code != 2 || !strings.Contains(r.errOut, "proves nothing") {
		b.t.Errorf("a confirmation that may be left over: exit code %d\n%s", r.code, r.errOut)
	}
	if diff := cmp.Diff(before, b.everything()); diff != "" {
		b.t.Errorf("something was changed:\n%s", diff)
	}
	var g vgrv1.VolumeGroupReplication
	east := func(change func()) {
		b.must(b.east.Get(b.t.Context(), key, &g))
		change()
		b.must(b.east.Status().Update(b.t.Context(), &g))
	}
	east(func() { g.Status.DemotedAfterSync, g.Status.Conditions[1] = true, lacking })
	if r := b.vgr(promote...); r.code != 3 || !strings.Contains(r.errOut, "has not confirmed that the sites are in sync") {
		b.t.Errorf("not in sync: exit code %d\n%s", r.code, r.errOut)
	}
	b.must(b.west.Get(b.t.Context(), key, &g))
	if g.Spec.ReplicationState != vgrv1.Secondary {
		b.t.Error("west was promoted before the sites were in sync")
	}
	east(func() { g.Status.Conditions[1] = synced })
	// No controller answers here, so waiting for the result ends with the time.
	if r := b.vgr(promote...); r.code != 3 {
		b.t.Errorf("exit code %d, want 3\n%s", r.code, r.errOut)
	}
	b.must(b.west.Get(b.t.Context(), key, &g))
	if g.Spec.ReplicationState != vgrv1.Primary || !state.MayPromote(&g, &g.Status.ReplicationStatus) {
		b.t.Errorf("west was asked to be %s, with %v", g.Spec.ReplicationState, g.Annotations)
	}
}

// peerFound: what create remembers is enough to find the peer, by its identity and not its name. One side alone chooses
// nothing.
func (b *bench) peerFound() {
	uid := func(c client.Client) string {
		var ns corev1.Namespace
		b.must(c.Get(b.t.Context(), client.ObjectKey{Name: "kube-system"}, &ns))
		return string(ns.UID)
	}
	name := func(c client.Client, peer string) {
		var g vgrv1.VolumeGroupReplication
		b.must(c.Get(b.t.Context(), client.ObjectKey{Namespace: "default", Name: "orders"}, &g))
		g.Annotations = map[string]string{vgrv1.AnnotationPeerClusterUID: peer, vgrv1.AnnotationPeerContext: "renamed-since"}
		b.must(c.Update(b.t.Context(), &g))
	}
	sites := func() (names []string, second overview.Site) {
		var o overview.Overview
		r := b.vgr("list", "-o", "json")
		b.must(json.Unmarshal([]byte(r.out), &o))
		for _, s := range o.Sites {
			names, second = append(names, s.Name), s
		}
		return names, second
	}
	name(b.east, uid(b.west))
	if names, _ := sites(); len(names) != 1 {
		b.t.Errorf("a group on one site chose the peer of all: %v", names)
	}
	if r := b.vgr("list"); !strings.Contains(r.errOut, "default/orders on east names the cluster of context west as its peer, and no such group there names east") {
		b.t.Errorf("nothing says why:\n%s", r.errOut)
	}
	name(b.west, uid(b.east))
	var g vgrv1.VolumeGroupReplication
	b.must(b.east.Get(b.t.Context(), client.ObjectKey{Namespace: "default", Name: "orders"}, &g))
	stray := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "stray", Annotations: map[string]string{vgrv1.AnnotationPeerClusterUID: "another"}}, Spec: g.Spec}
	b.must(b.east.Create(b.t.Context(), &stray))
	if r := b.vgr("list"); r.code == 0 || !strings.Contains(r.errOut, "name several clusters as their peer") || !strings.Contains(r.errOut, "default/stray has another") || !strings.Contains(r.errOut, "--peer-context") {
		b.t.Errorf("one group chose the peer of all: exit code %d\n%s%s", r.code, r.out, r.errOut)
	}
	b.must(b.east.Delete(b.t.Context(), &stray))
	for range 2 { // searched, and remembered
		if names, second := sites(); !slices.Equal(names, []string{"east", "west"}) || !second.Answered {
			b.t.Errorf("sites %v, %+v", names, second)
		}
	}
	// The context becomes that of another cluster: what was remembered is not followed there.
	before, err := os.ReadFile(b.kubeconfig)
	b.must(err)
	config, err := clientcmd.Load(before)
	b.must(err)
	config.Contexts["west"] = config.Contexts["twin"]
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))
	if _, second := sites(); second.Answered || second.Problem != overview.SiteNotAsked || !strings.Contains(second.Message, "another cluster") {
		b.t.Errorf("%+v", second)
	}
	r := b.vgr("failover", "orders", "--to", "east", "--unplanned", "--accept-data-loss", "unknown", "--dry-run=client")
	if r.code == 0 || !strings.Contains(r.errOut, "another cluster") || strings.Contains(r.errOut, "dry run") {
		b.t.Errorf("exit code %d\n%s", r.code, r.errOut)
	}
	b.must(os.WriteFile(b.kubeconfig, before, 0o600))
}

func (b *bench) noCRDs() {
	var crds apiextensionsv1.CustomResourceDefinitionList
	b.must(b.west.List(b.t.Context(), &crds))
	for i := range crds.Items {
		b.must(b.west.Delete(b.t.Context(), &crds.Items[i]))
	}
	for range 100 { // the API server stops serving them a little later
		b.home = b.t.TempDir() // with a peer that is remembered, the list is that of the peer
		r := b.vgr("list", "--context", "west")
		// Code 0: the groups were still served when the peer was looked for, so that the list is that of the peer.
		if strings.Contains(r.errOut, "not installed") && r.code != 0 {
			if r.code != 1 || !strings.Contains(r.errOut, "Next: kubectl vgr install --context west installs the CRDs") {
				b.t.Errorf("exit code %d\n%s", r.code, r.errOut)
			}
			return
		}
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // polls a real server
	}
	b.t.Error("the missing CRDs were not noticed")
}
