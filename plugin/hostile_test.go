// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/migration"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin"
)

// nasty clears the screen, writes to the clipboard, makes a link, colours, overwrites its line, hides,
// turns text around, and forges a line.
const nasty = "x\x1b[2J\x1b]52;c;aGk=\x07\x1b]8;;http://example.com\x1b\\\x1b[31mSMUGGLED\x1b[0m\rover \u009b2J\u009d0;t\u009c \u202egnorw\u202c z\u200bw " +
	"\u2028\u00ad\U000e0041\x7f\b\x00\nFORGED"

var coloured = regexp.MustCompile(`\x1b\[(0|1|31|32|33|34|90)m`)

// harmless fails when an output does anything but say what it says.
func harmless(t *testing.T, what, text string, colours bool) {
	t.Helper()
	if strings.Contains(text, "\x1b[31mSMUGGLED") {
		t.Errorf("%s: a colour is smuggled in:\n%q", what, text)
	}
	if colours {
		text = coloured.ReplaceAllString(text, "")
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "FORGED") {
			t.Errorf("%s: a line is forged:\n%q", what, text)
		}
		if at := strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool {
			return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar
		}); at >= 0 {
			t.Errorf("%s: %q reaches the terminal in\n%q", what, line[at:min(at+4, len(line))], line)
		}
	}
}

// hostile runs a command with and without colours; what it prints is to be harmless.
func (b *bench) hostile(args ...string) result {
	b.t.Helper()
	what := args[1:] // a flag at the end would be what is completed
	r := b.vgr(slices.Concat(args[:1], []string{"--color=always"}, what)...)
	harmless(b.t, strings.Join(args, " "), r.out+r.errOut, true)
	r = b.vgr(slices.Concat(args[:1], []string{"--color=never"}, what)...)
	harmless(b.t, strings.Join(args, " "), r.out+r.errOut, false)
	return r
}

// contexts are added to the kubeconfig. Of names that are nasty it has what YAML has for them.
func (b *bench) contexts(servers map[string]*httptest.Server) {
	b.t.Helper()
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	b.must(err)
	for name, server := range servers {
		addContext(config, name, &rest.Config{Host: server.URL})
	}
	twin, dead := *config.Contexts["west"], *config.Contexts["dead"]
	forbidden := *config.Contexts["refuses"]
	config.Contexts["NASTY"], config.Contexts["NASTIER"], config.Contexts["NASTIEST"] = &twin, &dead, &forbidden
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))
	text, err := os.ReadFile(b.kubeconfig)
	b.must(err)
	text = []byte(strings.NewReplacer("NASTY", strconv.QuoteToASCII(nasty), "NASTIER", strconv.QuoteToASCII("dead"+nasty), "NASTIEST", strconv.QuoteToASCII("no"+nasty)).Replace(string(text)))
	b.must(os.WriteFile(b.kubeconfig, text, 0o600))
}

// journal is an operation whose every text is nasty.
func journal(result recovery.Result) recovery.Operation {
	at := metav1.NewMicroTime(time.Unix(1_700_000_000, 0))
	return recovery.Operation{
		ID: nasty + string(result), Kind: recovery.Unplanned, By: nasty, Holder: nasty, Started: at, Accepted: nasty, Result: result,
		From: recovery.SiteRef{Name: nasty, Cluster: nasty}, To: recovery.SiteRef{Name: nasty, Cluster: nasty},
		Members: map[string]string{nasty: nasty}, AutoResync: []string{nasty}, VolumeSyncs: []recovery.VolumeSync{{Name: nasty}},
		Stopped: []recovery.StoppedWorkload{{Cluster: nasty, Kind: nasty, Name: nasty}},
		Steps:   []recovery.StepTimes{{ID: recovery.StepPromote, Site: nasty, Started: at, Finished: &at}, {ID: nasty, Site: nasty, Started: at}},
	}
}

// hostileGroup has something nasty wherever the API takes it.
func (b *bench) hostileGroup(c client.Client, name string, state vgrv1.ReplicationState, said vgrv1.State, change func(*vgrv1.VolumeGroupReplication)) {
	b.t.Helper()
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: nasty, ObservedGeneration: 1, LastTransitionTime: metav1.Now()}
	}
	g := &vgrv1.VolumeGroupReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: map[string]string{"note": nasty, vgrv1.AnnotationPeerContext: nasty}},
		Spec: vgrv1.VolumeGroupReplicationSpec{
			VolumeGroupReplicationClass: "gold", ReplicationState: state, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"group": name}},
		},
	}
	g.Status.ReplicationStatus = vgrv1.ReplicationStatus{
		State: said, ObservedGeneration: 1, Backend: "csi-addons", Message: nasty, LastSyncRequest: nasty, LastSnapshotRequest: nasty,
		BackendRef: &vgrv1.BackendReference{APIVersion: nasty, Kind: nasty, Name: nasty},
		Conditions: []metav1.Condition{condition(vgrv1.ConditionReady, metav1.ConditionTrue, "Done"), condition(vgrv1.ConditionDegraded, metav1.ConditionTrue, "Bad")},
	}
	g.Status.GroupHandle, g.Status.PersistentVolumeClaimsRefList = nasty, []corev1.LocalObjectReference{{Name: nasty}}
	g.Status.Volumes = []vgrv1.VolumeStatus{{
		Name: nasty, VolumeName: nasty, VolumeHandle: nasty, ReplicationHandle: nasty, SnapshotHandle: nasty, State: said, Health: vgrv1.HealthError, Message: nasty,
	}}
	change(g)
	status := g.Status
	b.must(c.Create(b.t.Context(), g))
	g.Status = status
	b.must(c.Status().Update(b.t.Context(), g))
}

// loose makes a kind without a schema, and an object of it.
func (b *bench) loose(c client.Client, gvk schema.GroupVersionKind, plural string, namespaced bool, objects ...map[string]any) {
	b.t.Helper()
	anything := true
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: plural + "." + gvk.Group, Annotations: map[string]string{"api-approved.kubernetes.io": "unapproved, test-only"}},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: gvk.Group, Scope: apiextensionsv1.ClusterScoped, Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: gvk.Kind, ListKind: gvk.Kind + "List", Plural: plural, Singular: strings.ToLower(gvk.Kind)},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: gvk.Version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &anything}},
			}},
		},
	}
	if namespaced {
		crd.Spec.Scope = apiextensionsv1.NamespaceScoped
	}
	b.must(c.Create(b.t.Context(), crd))
	for _, content := range objects {
		var err error
		for range 100 { // it is served a little later
			u := &unstructured.Unstructured{Object: content}
			u.SetGroupVersionKind(gvk)
			if err = c.Create(b.t.Context(), u); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond) //nolint:forbidigo // polls a real server
		}
		b.must(err)
	}
}

// infest fills both sites.
func (b *bench) infest() {
	text, err := json.Marshal(journal(""))
	b.must(err)
	past, err := json.Marshal([]recovery.Operation{journal(recovery.Done), journal(nasty)})
	b.must(err)
	nothing := func(*vgrv1.VolumeGroupReplication) {}
	for _, c := range []client.Client{b.east, b.west} {
		ctx, role, said := b.t.Context(), vgrv1.Primary, vgrv1.StatePrimary
		if c == b.west {
			role, said = vgrv1.Secondary, vgrv1.StateSecondary
		}
		b.must(c.Create(ctx, &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold", Annotations: map[string]string{"note": nasty}}, Spec: vgrv1.ClassSpec{
			Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": nasty, "mirroringMode": nasty, nasty: nasty},
		}}))
		b.must(c.Create(ctx, &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "sound"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m"}}}))
		b.hostileGroup(c, "calm", role, said, nothing)
		b.hostileGroup(c, "moving", role, said, func(g *vgrv1.VolumeGroupReplication) {
			g.Annotations[vgrv1.AnnotationOperation], g.Annotations[vgrv1.AnnotationHistory] = string(text), string(past)
		})
		b.hostileGroup(c, "odd", role, said, func(g *vgrv1.VolumeGroupReplication) {
			g.Spec.VolumeGroupReplicationClass, g.Status.Backend, g.Annotations[vgrv1.AnnotationWave] = nasty, nasty, nasty
			g.Annotations[vgrv1.AnnotationOperation] = nasty
			g.Status.Conditions[0].Status = metav1.ConditionFalse
		})
		b.hostileGroup(c, "both", vgrv1.Secondary, vgrv1.StateSecondary, nothing)
		b.volume(c, "data", "rbd.csi.ceph.com", map[string]string{"group": "calm"})
		var pv corev1.PersistentVolume
		b.must(c.Get(ctx, client.ObjectKey{Name: "pv-data"}, &pv))
		pv.Annotations, pv.Spec.ClaimRef = map[string]string{"note": nasty}, &corev1.ObjectReference{Namespace: "default", Name: "data"}
		b.must(c.Update(ctx, &pv))
		b.led(c, "calm")
		b.happened(c)
	}
	b.old()
}

// happened are an event, and a Pod of the controller, which did not start.
func (b *bench) happened(c client.Client) {
	b.t.Helper()
	b.must(c.Create(b.t.Context(), &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "nasty"}, Reason: nasty, Message: nasty, Type: "Warning",
		InvolvedObject: corev1.ObjectReference{Kind: nasty, Namespace: "default", Name: nasty}, LastTimestamp: metav1.Now(),
	}))
	b.must(c.Create(b.t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "vgr-system", Name: "default"}}))
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "vgr-system", Name: "vgr-controller-1", Annotations: map[string]string{"note": nasty}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "controller", Image: "x", Env: []corev1.EnvVar{{Name: "NOTE", Value: nasty}}}}},
	}
	b.must(c.Create(b.t.Context(), pod))
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "controller", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: nasty, Message: nasty}}}}
	b.must(c.Status().Update(b.t.Context(), pod))
}

// old are objects that can be migrated, as far as they are sound.
func (b *bench) old() {
	b.t.Helper()
	named := func(name string) map[string]any {
		return map[string]any{"namespace": "default", "name": name, "labels": map[string]any{"app": "db"}, "annotations": map[string]any{"note": nasty}}
	}
	b.loose(b.east, migration.Unified(), "unifiedvolumereplications", true, map[string]any{"metadata": named("old"), "spec": map[string]any{
		"volumeMapping":    map[string]any{"source": map[string]any{"pvcName": nasty, "namespace": "default"}, "destination": map[string]any{"volumeHandle": nasty}},
		"replicationState": nasty, "replicationMode": nasty, "schedule": map[string]any{"mode": nasty, "rpo": nasty}, "sourceEndpoint": map[string]any{"storageClass": nasty, "cluster": nasty},
		"extensions": map[string]any{"ceph": map[string]any{"mirroringMode": nasty}},
	}, "status": map[string]any{"conditions": []any{map[string]any{"message": nasty}}}})
	kind := func(kind string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: "replication.storage.openshift.io", Version: "v1alpha1", Kind: kind}
	}
	b.loose(b.east, kind("VolumeReplicationClass"), "volumereplicationclasses", false, map[string]any{
		"metadata": map[string]any{"name": "theirs"}, "spec": map[string]any{"provisioner": "rbd.csi.ceph.com", "parameters": map[string]any{"schedulingInterval": nasty, nasty: nasty}},
	})
	replicated := func(name, pvc, class string) map[string]any {
		return map[string]any{"metadata": named(name), "spec": map[string]any{
			"volumeReplicationClass": class, "replicationState": nasty, "replicationHandle": nasty, "dataSource": map[string]any{"kind": "PersistentVolumeClaim", "name": pvc},
		}, "status": map[string]any{"state": nasty, "message": nasty}}
	}
	b.loose(b.east, kind("VolumeReplication"), "volumereplications", true, replicated("a", "data", "theirs"), replicated("b", nasty, nasty))
}

// TestHostile: whatever the API holds, the kubeconfig names, and a server answers, nothing but text and our
// own colours is printed.
func TestHostile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.infest()
	b.contexts(servers(t))
	t.Run("groups", func(t *testing.T) { b.with(t).hostileGroups() })
	t.Run("others", func(t *testing.T) { b.with(t).hostileOthers() })
	t.Run("gather", func(t *testing.T) { b.with(t).hostilePage("--context", "east", "--peer-context", nasty) })
	t.Run("formats", func(t *testing.T) { b.with(t).formats() })
	t.Run("answers", func(t *testing.T) { b.with(t).answers() })
}

// with is the same bench for a part of a test.
func (b *bench) with(t *testing.T) *bench {
	part := *b
	part.t = t
	return &part
}

func (b *bench) hostileGroups() {
	for _, sites := range [][]string{{"--context", "east", "--peer-context", nasty}, {"--context", nasty, "--peer-context", "east"}, {"--context", "east", "--peer-context", "dead" + nasty}, {"--context", "east", "--peer-context", "no" + nasty}, {"--context", nasty}} {
		for _, args := range [][]string{
			{"list"},
			{"list", "-A"},
			{"list", "-o", "wide"},
			{"list", "-o", "name"},
			{"list", "-o", "custom-columns=M:.sites[*].message,V:.verdict,C:.class"},
			{"status"},
			{"status", "--exit-code", "odd"},
			{"status", "nothing"},
			{"status", "-n", nasty},
			{"list", "-l", nasty},
			{nasty},
			{"list", "--" + nasty},
			{"list", "-o", nasty},
			{"tui"},
			{"validate"},
			{"validate", "calm"},
			{"validate", "--to", nasty},
			{"history", "calm"},
			{"history", "moving"},
			{"history", "odd"},
			{"report"},
			{"report", "-A", "-o", "html"},
			{"class", "list"},
			{"class", "describe", "gold"},
			{"class", "describe", nasty},
			{"class", "create", nasty, "--provisioner", nasty, "--parameter", "a=" + nasty},
			{"version"},
			{"failover", "--all", "--dry-run=client"},
			{"failover", "calm", "--dry-run=server"},
			{"failover", "moving", "--abort", "--dry-run=client"},
			{"failover", "calm", "both", "--unplanned", "--accept-data-loss", "unknown", "--to", nasty, "--dry-run=client"},
			{"failback", "calm", "--to", "east", "--discard-site", nasty, "--dry-run=client"},
			{"failover", "--all", "--to", nasty, "--yes", "--timeout", "1ms"},
			{"failover", "calm", "--to", nasty},
			{"promote", "--all", "--dry-run=client"},
			{"promote", "calm", "--dry-run=client"},
			{"promote", "both", "--dry-run=client"},
			{"promote", "moving", "--dry-run=client"},
			{"promote", "odd", "--accept-split-brain", "--dry-run=client"},
			{"demote", "--all", "--dry-run=client"},
			{"demote", "calm", "--dry-run=client"},
			{"resync", "--all", "--dry-run=client"},
			{"delete", "--all", "--dry-run=client"},
			{"delete", "calm", "--dry-run=client"},
			{"delete", "odd", "--force", "--dry-run=client"},
			{"delete", "calm", "--retain", "--dry-run=server"},
		} {
			b.hostile(append(args, sites...)...)
		}
	}
}

func (b *bench) hostileOthers() {
	here := []string{"--context", "east", "--peer-context", nasty}
	for _, args := range [][]string{
		{"create", "new", "--class", "gold", "-l", "group=calm", "--dry-run=client"},
		{"create", "new", "--class", "sound", "-l", "group=calm", "--dry-run=client"},
		{"create", "new", "--class", "sound", "-l", "group=none", "--dry-run=client"},
		{"install", "--image", nasty, "--dry-run=client"},
		{"uninstall", "--dry-run=client"},
		{"uninstall", "--leave-groups", "--dry-run=client"},
		{"migrate"},
		{"migrate", "--apply", "--yes"},
		{"migrate", "--from", "csi-addons", "-l", "app=db", "--into", "new"},
		{"migrate", "--from", "csi-addons", "--group-by", "app"},
		{"migrate", "--rollback", "calm", "--dry-run=client"},
		{"__complete", "list", "--context", ""},
		{"__complete", "failover", "--to", ""},
		{"__complete", "history", ""},
		{"__complete", "class", "describe", ""},
	} {
		if r := b.hostile(append(slices.Clone(args[:1]), append(slices.Clone(here), args[1:]...)...)...); args[0] == "__complete" && strings.Contains(r.out, "SMUGGLED") {
			b.t.Errorf("%v offers what cannot be typed:\n%s", args, r.out)
		}
	}
}

// hostilePage looks at all that gather writes. A YAML file has what the API has, and only quotes it.
func (b *bench) hostilePage(args ...string) {
	dir := filepath.Join(b.t.TempDir(), "new")
	r := b.vgr(append([]string{"gather", "--dir", dir}, args...)...)
	harmless(b.t, "gather", r.errOut, false)
	all := files(b.t, dir)
	for name, text := range all {
		if filepath.Ext(name) == ".yaml" {
			text = strings.Map(func(r rune) rune {
				if unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
					return -1
				}
				return r
			}, text)
		}
		harmless(b.t, name, text, false)
	}
	if page := all["index.html"]; !strings.Contains(page, `\u001b[31mSMUGGLED`) {
		b.t.Errorf("the page does not tell:\n%.3000s", page)
	}
}

// formats are for programs: they get what the API has.
func (b *bench) formats() {
	both := []string{"--context", "east", "--peer-context", nasty}
	for format, want := range map[string]string{
		`jsonpath={.groups[?(@.name=="calm")].sites[0].message}`:                                        nasty,
		`go-template={{range .groups}}{{if eq .name "calm"}}{{(index .sites 0).message}}{{end}}{{end}}`: nasty,
	} {
		if r := b.vgr(append([]string{"list", "-o", format}, both...)...); r.out != want {
			b.t.Errorf("-o %s: %q, want %q, %s", format, r.out, want, r.errOut)
		}
	}
	for _, format := range []string{"json", "yaml"} {
		r := b.vgr(append([]string{"status", "calm", "-o", format}, both...)...)
		for _, c := range r.out {
			if unicode.IsControl(c) && c != '\n' && format == "yaml" || c < ' ' && c != '\n' {
				b.t.Errorf("-o %s has %q", format, c)
			}
		}
	}
}

// servers answer whatever they like.
func servers(t *testing.T) map[string]*httptest.Server {
	t.Helper()
	out := map[string]*httptest.Server{}
	for name, answer := range map[string]http.HandlerFunc{
		"refuses": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Warning", "299 - \"\u009b2J\u202eturned\"") // HTTP has no others
			w.WriteHeader(http.StatusForbidden)
			_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Message: nasty, Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden})
		},
		"breaks": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8") // else it is not told
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, nasty+"\x9b2J\xff")
		},
		"lies": lie,
	} {
		out[name] = httptest.NewServer(answer)
		t.Cleanup(out[name].Close)
	}
	return out
}

func (b *bench) answers() {
	for _, name := range []string{"refuses", "breaks", "lies"} {
		for _, sites := range [][]string{{"--context", name}, {"--context", "east", "--peer-context", name}, {"--context", name, "--peer-context", "east"}} {
			for _, args := range [][]string{
				{"list"},
				{"list", "-A"},
				{"list", "-o", "name"},
				{"status"},
				{"class", "list"},
				{"class", "describe", "gold"},
				{"version"},
				{"history", nasty},
				{"history", "calm"},
				{"validate"},
				{"validate", "calm"},
				{"failover", "--all", "--dry-run=client"},
				{"promote", "--all", "--dry-run=client"},
				{"promote", "calm", "--dry-run=client"},
				{"demote", "--all", "--dry-run=client"},
				{"resync", "--all", "--dry-run=client"},
				{"delete", "--all", "--dry-run=client"},
				{"migrate"},
				{"uninstall", "--dry-run=client"},
				{"__complete", "history", ""},
				{"__complete", "-n", ""},
			} {
				b.hostile(append(slices.Clone(args[:1]), append(slices.Clone(sites), args[1:]...)...)...)
			}
		}
	}
	// Written is only to the liar, which has nothing.
	b.hostile("demote", "--all", "--yes", "--timeout=1s", "--context", "lies")
	b.hostile("delete", "--all", "--force", "--yes", "--timeout=1s", "--context", "lies")
	b.hostilePage("--context", "lies", "-A")
	for _, name := range []string{"refuses", "breaks"} {
		if r := b.hostile("version", "--context", name); !strings.Contains(r.out, `\u001b[31mSMUGGLED`) {
			b.t.Errorf("what %s says is not told: %s%s", name, r.out, r.errOut)
		}
	}
}

// lie answers each question with an object of which every text is nasty.
func lie(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	kinds := map[string]string{
		"volumegroupreplications": "VolumeGroupReplication", "volumegroupreplicationclasses": "VolumeGroupReplicationClass", "persistentvolumeclaims": "PersistentVolumeClaim",
		"persistentvolumes": "PersistentVolume", "namespaces": "Namespace", "leases": "Lease", "pods": "Pod", "events": "Event", "deployments": "Deployment", "unifiedvolumereplications": "UnifiedVolumeReplication",
	}
	at := slices.IndexFunc(parts, func(p string) bool { return kinds[p] != "" && p != "namespaces" })
	if at < 0 {
		at = slices.Index(parts, "namespaces")
	}
	w.Header().Set("Content-Type", "application/json")
	if at < 0 {
		_ = json.NewEncoder(w).Encode(map[string]any{"gitVersion": nasty, "major": nasty, "minor": nasty})
		return
	}
	version := strings.Join(slices.DeleteFunc(slices.Clone(parts[1:3]), func(p string) bool { return kinds[p] != "" }), "/")
	if parts[0] == "api" {
		version = parts[1]
	}
	object := lieAbout(version, kinds[parts[at]])
	if at == len(parts)-1 && r.Method == http.MethodGet {
		object = map[string]any{"apiVersion": version, "kind": kinds[parts[at]] + "List", "metadata": map[string]any{}, "items": []any{object}}
	}
	_ = json.NewEncoder(w).Encode(object)
}

func lieAbout(version, kind string) map[string]any {
	condition := map[string]any{"type": "Ready", "status": nasty, "reason": nasty, "message": nasty, "lastTransitionTime": "2026-01-01T00:00:00Z"}
	text, _ := json.Marshal(journal("")) // of texts and times
	object := map[string]any{
		"apiVersion": version, "kind": kind,
		"metadata": map[string]any{"name": nasty, "namespace": nasty, "uid": nasty, "resourceVersion": nasty, "annotations": map[string]any{vgrv1.AnnotationHistory: "[" + string(text) + "]", nasty: nasty}, "labels": map[string]any{vgrv1.LabelVersion: nasty}},
	}
	switch kind {
	case "VolumeGroupReplication":
		object["spec"] = map[string]any{"volumeGroupReplicationClass": nasty, "replicationState": nasty, "selector": map[string]any{"matchLabels": map[string]any{nasty: nasty}}}
		object["status"] = map[string]any{
			"state": nasty, "message": nasty, "backend": nasty, "conditions": []any{condition, map[string]any{"type": nasty, "status": nasty, "reason": nasty, "message": nasty, "lastTransitionTime": nil}},
			"volumes": []any{map[string]any{"name": nasty, "volumeHandle": nasty, "state": nasty, "health": nasty, "message": nasty}},
		}
	case "VolumeGroupReplicationClass":
		object["spec"] = map[string]any{"provisioner": nasty, "parameters": map[string]any{nasty: nasty, "schedulingInterval": nasty}}
	case "Lease":
		object["spec"] = map[string]any{"holderIdentity": nasty}
	case "Event":
		object["reason"], object["message"], object["type"], object["involvedObject"] = nasty, nasty, nasty, map[string]any{"kind": nasty, "name": nasty}
	case "Pod":
		object["status"] = map[string]any{"containerStatuses": []any{map[string]any{"name": nasty, "restartCount": 1}}}
	case "UnifiedVolumeReplication":
		object["spec"] = map[string]any{"replicationState": nasty, "volumeMapping": map[string]any{"source": map[string]any{"pvcName": nasty, "namespace": nasty}}}
	}
	return object
}

// TestGuarded: text that was not cleaned does nothing either.
func TestGuarded(t *testing.T) {
	var out, errOut bytes.Buffer
	root := plugin.NewRoot(bare(&out, &errOut, ""))
	for _, colours := range []string{"never", "always"} {
		if err := root.PersistentFlags().Set("color", colours); err != nil {
			t.Fatal(err)
		}
		for name, w := range map[*bytes.Buffer]func(...any){&out: func(a ...any) { fmt.Fprint(root.OutOrStdout(), a...) }, &errOut: func(a ...any) { fmt.Fprint(root.ErrOrStderr(), a...) }} {
			name.Reset()
			w("\x1b[31mred\x1b[0m \x1b[2J\x1b[38;5;1m\u009b\r\u202e\xff 名前\tx\n")
			want := `\u001b[31mred\u001b[0m`
			if colours == "always" {
				want = "\x1b[31mred\x1b[0m"
			}
			want += ` \u001b[2J\u001b[38;5;1m\u009b\u000d\u202e\ufffd 名前` + "\tx\n"
			if got := name.String(); got != want {
				t.Errorf("--color=%s: %q, want %q", colours, got, want)
			}
		}
	}
}
