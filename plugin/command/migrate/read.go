// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/migration"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// reader reads what is to be migrated, one list of each kind.
type reader struct {
	site     *site.Site
	peer     *site.Site // nil when none is named
	client   client.WithWatch
	profiles backend.Profiles
}

// read finds the old objects that were asked for and plans what becomes of them.
func (m *migrating) read(ctx context.Context, r reader, namespace string, names []string) ([]migration.Target, []string, error) {
	if m.allNamespaces {
		namespace = ""
	}
	selector, err := labels.Parse(m.selector)
	if err != nil {
		return nil, nil, err
	}
	found := map[string]bool{}
	wanted := func(obj client.Object) bool {
		found[obj.GetName()] = true
		return selector.Matches(labels.Set(obj.GetLabels())) && (len(names) == 0 || slices.Contains(names, obj.GetName()))
	}
	var volumes []migration.Volume
	var hints []string
	where := namespace
	if m.from == fromUnified {
		where = "" // the old API's objects name PVCs of any namespace
	}
	pvcs, err := r.pvcs(ctx, where)
	if err != nil {
		return nil, nil, err
	}
	if m.from == fromUnified {
		volumes, hints, err = m.unified(ctx, r, namespace, pvcs, wanted)
	} else {
		volumes, err = m.replications(ctx, r, namespace, pvcs, wanted)
	}
	if err != nil {
		return nil, nil, err
	}
	for _, name := range names {
		if !found[name] {
			return nil, nil, clierror.Refused("kubectl vgr migrate without a name shows all", "there is no %s in namespace %s on %s to migrate from %s", name, namespace, r.site.Name, m.from)
		}
	}
	hints = append(hints, r.comparePeer(ctx, volumes)...)
	return migration.Plan(volumes, r.profiles, pvcs.labelled), hints, nil
}

// comparePeer compares the names of PVCs with those of their copies, as far as the peer tells, and says what it could not.
func (r reader) comparePeer(ctx context.Context, volumes []migration.Volume) (hints []string) {
	if !slices.ContainsFunc(volumes, func(v migration.Volume) bool { return v.Handle != "" || v.PeerHandle != "" }) {
		return nil
	}
	if r.peer == nil {
		return []string{"PVCs need the same names on both sites; name the other site with --peer-context to compare them"}
	}
	c, err := r.peer.Client()
	for _, profile := range r.profiles {
		if err != nil || profile.Replications == nil || !slices.ContainsFunc(volumes, func(v migration.Volume) bool { return profile.Serves(v.Class) }) {
			continue
		}
		var there []backend.Replication
		if there, err = profile.Replications(ctx, c, ""); err == nil {
			for i := range volumes {
				volumes[i].ComparePeer(r.peer.Name, there)
			}
		}
	}
	if err != nil {
		_, why := collect.Explain(r.peer, err)
		return []string{fmt.Sprintf("the names of the PVCs on %s could not be compared: %s", r.peer.Name, why)}
	}
	return nil
}

func (m *migrating) replications(ctx context.Context, r reader, namespace string, pvcs claims, wanted func(client.Object) bool) ([]migration.Volume, error) {
	profile, _ := r.profiles.Named(m.from)
	all, err := profile.Replications(ctx, r.client, namespace)
	if err != nil {
		return nil, cli.SiteError(ctx, r.site, "list the volumes that "+m.from+" replicates", err)
	}
	var volumes []migration.Volume
	for _, rep := range all {
		if !wanted(rep.Object) {
			continue
		}
		group := cmp.Or(m.into, rep.Object.GetLabels()[m.groupBy])
		if group == "" {
			continue // without the label it is not asked for
		}
		v := migration.FromReplication(rep, group, pvcs.labelsOf(rep.Object.GetNamespace(), rep.PVC))
		v.AcceptTracked(m.gitops)
		volumes = append(volumes, v)
	}
	return volumes, nil
}

func (m *migrating) unified(ctx context.Context, r reader, namespace string, pvcs claims, wanted func(client.Object) bool) ([]migration.Volume, []string, error) {
	var old unstructured.UnstructuredList
	old.SetGroupVersionKind(migration.Unified())
	if err := r.client.List(ctx, &old, client.InNamespace(namespace)); apierrors.IsNotFound(err) {
		return nil, nil, clierror.Refused("kubectl vgr migrate --from csi-addons reads other objects", "%s does not serve the API %s", r.site.Name, migration.Unified().GroupVersion())
	} else if err != nil {
		return nil, nil, cli.SiteError(ctx, r.site, "list the objects of the old API", err)
	}
	provisioners, err := r.provisioners(ctx)
	if err != nil {
		return nil, nil, err
	}
	existing, err := r.existing(ctx)
	if err != nil {
		return nil, nil, err
	}
	groupBy := cmp.Or(m.groupBy, "volumeGroup")
	var volumes []migration.Volume
	var alone []unstructured.Unstructured
	for i := range old.Items {
		u := &old.Items[i]
		if !wanted(u) {
			continue
		}
		ns, pvc, storageClass := migration.Local(u)
		ns = cmp.Or(ns, u.GetNamespace())
		around := migration.Environment{Provisioner: provisioners[storageClass], PVCLabels: pvcs.labelsOf(ns, pvc), Within: namespace}
		if rep, ok := existing[claim{ns, pvc}]; ok {
			around.Replication = &rep
		} else if err := r.readEnvironment(ctx, &around, storageClass, ns, pvc); err != nil {
			return nil, nil, err
		}
		v := migration.FromUnified(u, groupBy, around, r.profiles)
		if v.Group = cmp.Or(m.into, v.Group); v.Group == "" {
			alone = append(alone, *u)
		}
		volumes = append(volumes, v)
	}
	return volumes, migration.GroupHints(alone, groupBy), nil
}

// readEnvironment reads what has a role already although its owner does not change.
func (r reader) readEnvironment(ctx context.Context, around *migration.Environment, storageClass, namespace, pvc string) error {
	if pvc == "" {
		return nil
	}
	var claim corev1.PersistentVolumeClaim
	if err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: pvc}, &claim); apierrors.IsNotFound(err) || err == nil && claim.Spec.VolumeName == "" {
		return nil
	} else if err != nil {
		return cli.SiteError(ctx, r.site, "read PVC "+pvc, err)
	}
	var pv corev1.PersistentVolume
	switch err := r.client.Get(ctx, client.ObjectKey{Name: claim.Spec.VolumeName}, &pv); {
	case err == nil:
		around.CopyOf = pv.Annotations[vgrv1.AnnotationCopyOf]
	case !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err):
		return cli.SiteError(ctx, r.site, "read the volume of PVC "+pvc, err)
	}
	profile, ok := r.profiles.ForClass(backend.Class{Name: storageClass, Provisioner: around.Provisioner})
	if !ok || profile.Held == nil {
		return nil
	}
	var err error
	if around.Held, err = profile.Held(ctx, r.client, namespace, []string{pvc}); err != nil {
		return cli.SiteError(ctx, r.site, "list the volumes that "+profile.Name+" replicates", err)
	}
	return nil
}

// left names what replicates PVCs of a namespace and cannot be migrated.
func (m *migrating) left(ctx context.Context, r reader, namespace string) (string, error) {
	profile, ok := r.profiles.Named(m.from)
	if !ok || profile.Held == nil || m.allNamespaces {
		return "", nil
	}
	all, err := r.pvcs(ctx, namespace)
	if err != nil {
		return "", err
	}
	var names []string
	for pvc := range all {
		names = append(names, pvc.name)
	}
	held, err := profile.Held(ctx, r.client, namespace, names)
	if err != nil {
		return "", cli.SiteError(ctx, r.site, "list the volumes that "+profile.Name+" replicates", err)
	}
	var left []string
	for _, h := range held {
		if h.Owner.Name == "" && !h.Migrates && !slices.Contains(left, h.Object) {
			left = append(left, h.Object)
		}
	}
	slices.Sort(left)
	return strings.Join(left, ", "), nil
}

// provisioners returns the drivers of the StorageClasses.
func (r reader) provisioners(ctx context.Context) (map[string]string, error) {
	var classes storagev1.StorageClassList
	if err := r.client.List(ctx, &classes); err != nil {
		return nil, cli.SiteError(ctx, r.site, "list the StorageClasses", err)
	}
	out := map[string]string{}
	for _, class := range classes.Items {
		out[class.Name] = class.Provisioner
	}
	return out, nil
}

// claim is a PVC.
type claim struct{ namespace, name string }

// existing returns what replicates single PVCs, of all backends that are installed.
func (r reader) existing(ctx context.Context) (map[claim]backend.Replication, error) {
	out := map[claim]backend.Replication{}
	for _, p := range r.profiles {
		if p.Replications == nil {
			continue
		}
		all, err := p.Replications(ctx, r.client, "")
		if apierrors.IsNotFound(err) {
			continue // not installed, so it replicates nothing
		}
		if err != nil {
			return nil, cli.SiteError(ctx, r.site, "list the volumes that "+p.Name+" replicates", err)
		}
		for _, rep := range all {
			if rep.Whole != nil {
				continue // the old controller made one object for each PVC
			}
			out[claim{rep.Object.GetNamespace(), rep.PVC}] = rep
		}
	}
	return out, nil
}

// claims are the labels of PVCs.
type claims map[claim]map[string]string

func (r reader) pvcs(ctx context.Context, namespace string) (claims, error) {
	var list corev1.PersistentVolumeClaimList
	if err := r.client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, cli.SiteError(ctx, r.site, "list the PVCs", err)
	}
	out := claims{}
	for _, pvc := range list.Items {
		l := pvc.Labels
		if l == nil {
			l = map[string]string{}
		}
		out[claim{pvc.Namespace, pvc.Name}] = l
	}
	return out, nil
}

func (c claims) labelsOf(namespace, name string) map[string]string {
	return c[claim{namespace, name}]
}

// labelled returns the PVCs that a group's selector would match.
func (c claims) labelled(namespace, group string) []string {
	var out []string
	for pvc, l := range c {
		if pvc.namespace == namespace && l[migration.LabelMember] == group {
			out = append(out, pvc.name)
		}
	}
	slices.Sort(out)
	return out
}

// oldController refuses while the controller of the old API runs, or might: it would end the replication
// of what is deleted, and ask the storage for something else meanwhile.
func (m *migrating) oldController(ctx context.Context, r reader) error {
	const image = "unified-replication-operator"
	var all appsv1.DeploymentList
	err := r.client.List(ctx, &all)
	if err != nil {
		if m.stopped {
			return nil
		}
		return clierror.Refused("--old-controller-stopped, when you know that it does not run", "cannot find out on %s whether the old controller runs: %v", r.site.Name, err)
	}
	for _, d := range all.Items {
		named := strings.Contains(d.Name, image)
		for _, container := range d.Spec.Template.Spec.Containers {
			named = named || strings.Contains(container.Image, image)
		}
		if named && (d.Spec.Replicas == nil || *d.Spec.Replicas > 0 || d.Status.Replicas > 0) {
			return clierror.Refused(fmt.Sprintf("kubectl --context %s -n %s scale deployment %s --replicas=0", r.site.Kubectl(), d.Namespace, d.Name),
				"the old controller runs on %s (deployment/%s -n %s); its finalizer would end the replication", r.site.Name, d.Name, d.Namespace)
		}
	}
	return nil
}
