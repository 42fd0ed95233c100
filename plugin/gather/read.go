// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gather

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// Limits of what is read from one site.
const (
	pageSize = 500
	atOnce   = 6
	// maxObjects of a kind are enough to read.
	maxObjects = 60_000
	logLines   = 5000
	logBytes   = 2 << 20
)

// wanted is a kind to list.
type wanted struct {
	gvk schema.GroupVersionKind
	// namespace is where; empty for everywhere, and for kinds without a namespace.
	namespace string
	// claimedIn leaves out volumes of other namespaces; empty for none.
	claimedIn string
}

func (w wanted) concerns(u *unstructured.Unstructured) bool {
	if w.claimedIn == "" {
		return true
	}
	namespace, _, _ := unstructured.NestedString(u.Object, "spec", "claimRef", "namespace")
	return namespace == w.claimedIn
}

// Read asks one site for all objects that replication has to do with, in a namespace or, if that is empty,
// in all. What it cannot have is part of the answer. groups are the API groups of the backends.
func Read(ctx context.Context, s *site.Site, namespace string, groups []string) Site {
	out := Site{Name: s.Name}
	c, err := s.Client()
	if err != nil {
		out.Kinds = []Kind{{Name: "all", Missing: err.Error()}}
		return out
	}
	kinds := kindsOf(c, namespace, groups)
	out.Kinds = make([]Kind, len(kinds))
	var asked sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i, k := range kinds {
		asked.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			ctx, cancel := context.WithTimeout(ctx, max(s.Timeout(), site.RequestTimeout))
			defer cancel()
			out.Kinds[i] = list(ctx, s, c, k)
		})
	}
	asked.Go(func() {
		if out.Server, err = s.Version(ctx); err != nil {
			_, message := collect.Explain(s, err)
			out.Server = "unknown: " + message
		}
	})
	asked.Wait()
	out.Kinds = slices.DeleteFunc(out.Kinds, func(k Kind) bool { return k.Missing == notInstalled })
	out.Logs = logs(ctx, s, out.Kinds)
	return out
}

// kindsOf returns ours, those of the backends, and those of Kubernetes that say how they are used. Secrets are
// not among them.
func kindsOf(c client.Client, namespace string, groups []string) []wanted {
	var out []wanted
	for gvk := range c.Scheme().AllKnownTypes() {
		item, isList := strings.CutSuffix(gvk.Kind, "List")
		ours := gvk.Group == vgrv1.GroupVersion.Group || slices.Contains(groups, gvk.Group)
		if isList && ours && c.Scheme().Recognizes(gvk.GroupVersion().WithKind(item)) {
			out = append(out, wanted{gvk: gvk.GroupVersion().WithKind(item), namespace: namespace})
		}
	}
	for _, k := range []struct{ group, version, kind, namespace string }{
		{"", "v1", "PersistentVolumeClaim", namespace},
		{"", "v1", "PersistentVolume", ""},
		{"", "v1", "Event", namespace},
		{"storage.k8s.io", "v1", "StorageClass", ""},
		{"coordination.k8s.io", "v1", "Lease", namespace},
		{"ramendr.openshift.io", "v1alpha1", "VolumeReplicationGroup", namespace},
		{"apps", "v1", "Deployment", manifests.Namespace},
		{"", "v1", "Pod", manifests.Namespace},
	} {
		w := wanted{gvk: schema.GroupVersionKind{Group: k.group, Version: k.version, Kind: k.kind}, namespace: k.namespace}
		if k.kind == "PersistentVolume" {
			w.claimedIn = namespace
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b wanted) int { return strings.Compare(a.gvk.String(), b.gvk.String()) })
	return out
}

// notInstalled is why a kind has no objects where its API is not served; that is nothing to report.
const notInstalled = "not installed"

// list reads all pages of a kind and takes the secrets out.
func list(ctx context.Context, s *site.Site, c client.Client, w wanted) Kind {
	mapping, err := c.RESTMapper().RESTMapping(w.gvk.GroupKind(), w.gvk.Version)
	if err != nil {
		return Kind{Name: w.gvk.Kind, Missing: err.Error()}
	}
	k := Kind{Name: mapping.Resource.GroupResource().String()}
	opts := []client.ListOption{client.Limit(pageSize)}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		opts = append(opts, client.InNamespace(w.namespace))
	}
	for next := ""; ; {
		var page unstructured.UnstructuredList
		page.SetGroupVersionKind(w.gvk.GroupVersion().WithKind(w.gvk.Kind + "List"))
		err := c.List(ctx, &page, append(opts, client.Continue(next))...)
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			k.Missing = notInstalled
			return k
		}
		if err != nil {
			_, k.Missing = collect.Explain(s, err)
			return k
		}
		for i := range page.Items {
			if w.concerns(&page.Items[i]) {
				Object(page.Items[i].Object)
				k.Objects = append(k.Objects, page.Items[i])
			}
		}
		if next = page.GetContinue(); next == "" {
			return k
		}
		if len(k.Objects) >= maxObjects {
			k.Missing = fmt.Sprintf("only the first %d are here", len(k.Objects))
			return k
		}
	}
}

// logs reads the logs of the controller's containers, also of those that ended last.
func logs(ctx context.Context, s *site.Site, kinds []Kind) []Log {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == "pods" })
	if i < 0 {
		return nil
	}
	var out []Log
	for _, pod := range kinds[i].Objects {
		statuses, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
		for _, status := range statuses {
			fields, ok := status.(map[string]any)
			if !ok {
				continue
			}
			container, _, _ := unstructured.NestedString(fields, "name")
			restarts, _, _ := unstructured.NestedInt64(fields, "restartCount")
			out = append(out, readLog(ctx, s, &pod, container, false))
			if restarts > 0 {
				out = append(out, readLog(ctx, s, &pod, container, true))
			}
		}
	}
	if len(out) == 0 {
		out = append(out, Log{Name: manifests.Controller, Missing: fmt.Sprintf("there is no Pod of it in namespace %s", manifests.Namespace)})
	}
	return out
}

func readLog(ctx context.Context, s *site.Site, pod runtime.Object, container string, previous bool) Log {
	ctx, cancel := context.WithTimeout(ctx, max(s.Timeout(), site.RequestTimeout))
	defer cancel()
	accessor, err := meta.Accessor(pod)
	if err != nil {
		return Log{Name: container, Missing: err.Error()}
	}
	l := Log{Name: accessor.GetName() + "_" + container}
	if previous {
		l.Name += "_previous"
	}
	text, err := s.Log(ctx, site.LogRequest{Namespace: accessor.GetNamespace(), Pod: accessor.GetName(), Container: container, Previous: previous, Lines: logLines, Bytes: logBytes})
	if err != nil {
		_, l.Missing = collect.Explain(s, err)
	}
	l.Text = Text(string(text))
	return l
}
