// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/dell"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/trident"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
)

// TestInstall installs on a real API server, again, upgrades, and removes what it may.
func TestInstall(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.profiles = append(b.profiles, dell.Profile(), trident.Profile())
	ctx := t.Context()
	var d appsv1.Deployment
	key := client.ObjectKey{Namespace: "vgr-system", Name: "vgr-controller"}
	want := func(what string, r result, code int, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(r.out+r.errOut, text) {
				t.Errorf("%s: nothing says %q", what, text)
			}
		}
		if r.code != code || t.Failed() {
			t.Fatalf("%s: exit code %d, want %d\n%s%s", what, r.code, code, r.out, r.errOut)
		}
	}
	install := func(more ...string) result {
		return b.vgr(append([]string{"install", "--image", "controller:v1", "--yes"}, more...)...)
	}

	for _, kind := range []client.Object{&admissionv1.ValidatingAdmissionPolicyBinding{}, &admissionv1.ValidatingAdmissionPolicy{}} {
		kind.SetName(manifests.PromotionPolicy) // the bench has it
		b.must(b.east.Delete(ctx, kind))
	}
	want("no image", b.vgr("install", "--yes"), 1, "--image is required")
	want("no such backend", install("--backend", "tape"), 1, `no backend "tape"`)
	want("no replica", install("--replicas", "0"), 1, "--replicas")
	want("no permission", install("--context", "nobody-east"), 1, "forbidden")
	want("unreachable", install("--context", "dead"), 6)
	want("export", install("--export", "--context", "dead"), 0, "kind: Deployment", "image: controller:v1", "replication.storage.dell.com")
	for _, mode := range []string{"client", "server"} {
		want("dry run", install("--dry-run="+mode), 0, "create deployment/vgr-controller", "nothing was changed")
	}
	want("not confirmed", b.vgr("install", "--image", "controller:v1"), 5)
	if err := b.east.Get(ctx, key, &d); !apierrors.IsNotFound(err) {
		t.Fatalf("after all that there is a controller: %v", err)
	}

	want("first", install("--wait=false", "--backend", "trident"), 0, "deployment/vgr-controller -n vgr-system created")
	var role rbacv1.ClusterRole
	b.must(b.east.Get(ctx, client.ObjectKey{Name: "vgr-controller"}, &role))
	for _, rule := range role.Rules {
		if g := rule.APIGroups[0]; g == "replication.storage.dell.com" || g == "replication.storage.openshift.io" {
			t.Errorf("it may use %s, which it does not serve", g)
		}
	}
	b.must(b.east.Get(ctx, key, &d))
	if args := d.Spec.Template.Spec.Containers[0].Args; len(args) != 1 || args[0] != "--backends=trident" {
		t.Errorf("arguments %q", args)
	}
	version := d.ResourceVersion
	again := install("--wait=false", "--backend", "trident")
	want("again", again, 0, "objects unchanged")
	b.must(b.east.Get(ctx, key, &d))
	if strings.Contains(again.errOut, "  change ") || strings.Contains(again.errOut, "  create ") || d.ResourceVersion != version {
		t.Errorf("a second time:\n%s%s", again.out, again.errOut)
	}
	want("as it was exported", install("--export"), 0, "kind: ValidatingAdmissionPolicy\n", "kind: ValidatingAdmissionPolicyBinding\n")
	var policy admissionv1.ValidatingAdmissionPolicy
	guard := client.ObjectKey{Name: manifests.PromotionPolicy}
	b.must(b.east.Get(ctx, guard, &policy))
	want("version", b.vgr("version", "-o", "json"), 0, `"admissionPolicy": true`)
	want("a server without policies", install("--wait=false", "--context", b.withoutPolicies()), 0, "this API server has no admission policies", "deployment/vgr-controller -n vgr-system created")
	want("upgrade", b.vgr("install", "--image", "controller:v2", "--yes", "--wait=false"), 0, "change clusterrole/vgr-controller", "deployment/vgr-controller -n vgr-system changed")
	want("nobody runs it", b.vgr("install", "--image", "controller:v2", "--yes", "--timeout", "5s"), 3, "0 of 2 controllers are ready")
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: "vgr-controller-1", Labels: d.Spec.Selector.MatchLabels},
		Spec:       d.Spec.Template.Spec,
	}
	b.must(b.east.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: "default"}}))
	b.must(b.east.Create(ctx, pod))
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "controller", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}}}
	b.must(b.east.Status().Update(ctx, pod))
	want("no image to pull", b.vgr("install", "--image", "controller:v2", "--yes", "--timeout", "1s"), 3, "0 of 2 controllers are ready; vgr-controller-1: ImagePullBackOff: no such image")
	b.must(b.east.Get(ctx, key, &d))
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}
	b.must(b.east.Status().Update(ctx, &d))
	want("ready", b.vgr("install", "--image", "controller:v2", "--yes"), 0, "the controller is ready on east")

	b.installsOverOtherVersions(want)

	b.group(b.east, "orders", vgrv1.Primary, vgrv1.StatePrimary)
	want("uninstall beside a group", b.vgr("uninstall", "--yes"), 2, "1 groups and single volumes are replicated", "--leave-groups")
	b.group(b.east, "held", vgrv1.Primary, vgrv1.StatePrimary)
	held := func(finalizers ...string) *vgrv1.VolumeGroupReplication {
		var g vgrv1.VolumeGroupReplication
		b.must(b.east.Get(ctx, client.ObjectKey{Namespace: "default", Name: "held"}, &g))
		g.Finalizers = finalizers
		b.must(b.east.Update(ctx, &g))
		return &g
	}
	b.must(b.east.Delete(ctx, held("example.com/controller")))
	for _, args := range [][]string{{"uninstall", "--yes"}, {"uninstall", "--leave-groups", "--yes"}} {
		want("uninstall beside a group that is half deleted", b.vgr(args...), 2, "has not finished the deletion of default/held; nothing was changed", "kubectl vgr status held -n default", "kubectl patch volumegroupreplications.replication.unified.io held -n default")
	}
	held() // as the command that is named does
	want("server dry run", b.vgr("uninstall", "--leave-groups", "--dry-run=server"), 0, "deployment/vgr-controller -n vgr-system deleted (server dry run)")
	want("leave groups", b.vgr("uninstall", "--leave-groups", "--yes"), 0, "deployment/vgr-controller -n vgr-system deleted")
	b.must(b.east.Get(ctx, guard, &policy)) // it protects the groups that stay
	var g vgrv1.VolumeGroupReplication
	b.must(b.east.Get(ctx, client.ObjectKey{Namespace: "default", Name: "orders"}, &g))
	b.must(b.east.Delete(ctx, &g))
	want("the rest", b.vgr("uninstall", "--yes"), 0, "customresourcedefinition/volumegroupreplications.replication.unified.io deleted")
	if err := b.east.Get(ctx, guard, &policy); !apierrors.IsNotFound(err) {
		t.Errorf("the policy is there still: %v", err)
	}
	want("from a server without policies", b.vgr("uninstall", "--yes", "--context", "without-policies"), 0, "deployment/vgr-controller -n vgr-system deleted")
	var crds apiextensionsv1.CustomResourceDefinitionList
	b.must(b.east.List(ctx, &crds))
	for _, crd := range crds.Items {
		if crd.DeletionTimestamp.IsZero() {
			t.Errorf("%s is there still", crd.Name)
		}
	}
}

// withoutPolicies is a context of west as a server before Kubernetes 1.30: it does not know the resource.
func (b *bench) withoutPolicies() string {
	b.t.Helper()
	const name = "without-policies"
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	b.must(err)
	west, err := clientcmd.NewNonInteractiveClientConfig(*config, "west", nil, nil).ClientConfig()
	b.must(err)
	over, err := rest.TransportFor(west)
	b.must(err)
	target, err := url.Parse(west.Host)
	b.must(err)
	server := httptest.NewServer(&httputil.ReverseProxy{Transport: over, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.URL.Path = strings.ReplaceAll(r.Out.URL.Path, "validatingadmissionpolic", "unknown")
	}})
	b.t.Cleanup(server.Close)
	addContext(config, name, &rest.Config{Host: server.URL})
	b.must(clientcmd.WriteToFile(*config, b.kubeconfig))
	return name
}
