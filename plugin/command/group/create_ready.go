// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// receives refuses a peer on which the volumes and claims could not become the group's, before anything is made.
func (s *seen) receives(ctx context.Context, peer *site.Site, cl client.Client, group *vgrv1.VolumeGroupReplication) error {
	claims := map[string]*corev1.PersistentVolumeClaim{}
	volumes := map[string]*corev1.PersistentVolume{}
	var wanted, missing []*corev1.PersistentVolumeClaim
	made := map[string]bool{}
	for i, w := range s.peerObjects {
		switch w := w.(type) {
		case *corev1.PersistentVolumeClaim:
			wanted = append(wanted, w)
			if there, ok := s.peerHas[i].(*corev1.PersistentVolumeClaim); ok {
				claims[w.Name] = there
			} else {
				missing = append(missing, w)
			}
		case *corev1.PersistentVolume:
			made[w.Name] = true
			if there, ok := s.peerHas[i].(*corev1.PersistentVolume); ok {
				volumes[w.Name] = there
			}
		}
	}
	selector, err := metav1.LabelSelectorAsSelector(group.Spec.Selector)
	if err != nil {
		return clierror.New(clierror.CodeError, "", "selector: %v", err)
	}
	if err := strangers(ctx, peer, cl, group.Namespace, selector, wanted); err != nil {
		return err
	}
	for _, w := range wanted {
		if refusal := claimServes(peer, selector, w, claims[w.Name]); refusal != nil {
			return refusal
		}
		if w.Spec.VolumeName == "" {
			continue
		}
		pv := volumes[w.Spec.VolumeName]
		if !made[w.Spec.VolumeName] { // the backend's own controller makes it
			var there corev1.PersistentVolume
			switch err := cl.Get(ctx, client.ObjectKey{Name: w.Spec.VolumeName}, &there); {
			case err == nil:
				pv = &there
			case !apierrors.IsNotFound(err):
				return cli.SiteError(ctx, peer, "read PersistentVolume "+w.Spec.VolumeName, err)
			}
		}
		if refusal := volumeServes(peer, w, pv, claims[w.Name], s.sourceClass(w.Name)); refusal != nil {
			return refusal
		}
		if pv != nil && made[pv.Name] && pv.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete {
			s.note("%s: PersistentVolume %s exists with the reclaim policy Delete: to delete its PVC deletes the data; kubectl --context %s patch pv %s -p '{\"spec\":{\"persistentVolumeReclaimPolicy\":\"Retain\"}}'",
				peer.Name, pv.Name, peer.Kubectl(), pv.Name)
		}
	}
	if err := s.classesServe(ctx, peer, cl, missing); err != nil {
		return err
	}
	return fits(ctx, peer, cl, group.Namespace, missing)
}

// strangers refuses PVCs of the peer that the selector matches and that are no copies of the group's.
func strangers(ctx context.Context, peer *site.Site, cl client.Client, namespace string, selector labels.Selector, wanted []*corev1.PersistentVolumeClaim) error {
	var list corev1.PersistentVolumeClaimList
	if err := cl.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return cli.SiteError(ctx, peer, "list the PVCs", err)
	}
	for _, there := range list.Items {
		if !slices.ContainsFunc(wanted, func(w *corev1.PersistentVolumeClaim) bool { return w.Name == there.Name }) {
			return clierror.Refused(fmt.Sprintf("take the labels off it: kubectl --context %s -n %s get pvc %s --show-labels", peer.Kubectl(), namespace, there.Name),
				"the selector %s matches PVC %s on %s too, which the other site does not have", selector, there.Name, peer.Name)
		}
	}
	return nil
}

// claimServes compares a claim that exists with the one that would be made. It is pure; there is nil when none exists.
func claimServes(at *site.Site, selector labels.Selector, wanted, there *corev1.PersistentVolumeClaim) *clierror.Error {
	if there == nil {
		return nil
	}
	mode := func(m *corev1.PersistentVolumeMode) corev1.PersistentVolumeMode {
		if m == nil {
			return corev1.PersistentVolumeFilesystem
		}
		return *m
	}
	peer := at.Name
	kubectl := fmt.Sprintf("kubectl --context %s -n %s", at.Kubectl(), recovery.ShellQuote(there.Namespace))
	switch {
	case !there.DeletionTimestamp.IsZero():
		return clierror.Refused(fmt.Sprintf("wait until it is gone; %s get pvc %s -o yaml names what holds it", kubectl, there.Name), "PVC %s on %s is being deleted", there.Name, peer)
	case there.Status.Phase == corev1.ClaimLost:
		return clierror.Refused("delete it, and run the same command again", "PVC %s on %s has lost its volume", there.Name, peer)
	case !selector.Matches(labels.Set(there.Labels)):
		return clierror.Refused(fmt.Sprintf("%s label pvc %s%s", kubectl, there.Name, asLabels(selector, wanted.Labels)),
			"PVC %s on %s exists without the labels %s, and would not be in the group", there.Name, peer, selector)
	case mode(there.Spec.VolumeMode) != mode(wanted.Spec.VolumeMode):
		return clierror.Refused("delete it if it is left over", "PVC %s on %s exists with the volume mode %s, not %s", there.Name, peer, mode(there.Spec.VolumeMode), mode(wanted.Spec.VolumeMode))
	case !slices.Equal(slices.Sorted(slices.Values(there.Spec.AccessModes)), slices.Sorted(slices.Values(wanted.Spec.AccessModes))):
		return clierror.Refused("delete it if it is left over", "PVC %s on %s exists with the access modes %v, not %v", there.Name, peer, there.Spec.AccessModes, wanted.Spec.AccessModes)
	default:
		return nil
	}
}

// asLabels returns the arguments that give a claim the labels that a selector matches.
func asLabels(selector labels.Selector, have map[string]string) string {
	requirements, _ := selector.Requirements()
	var out strings.Builder
	for _, r := range requirements {
		if value, ok := have[r.Key()]; ok {
			fmt.Fprintf(&out, " %s", recovery.ShellQuote(r.Key()+"="+value))
		}
	}
	return out.String()
}

// volumeServes reports whether a volume that exists on the peer can be bound by the group's claim. It is pure; volume and
// claim are nil when there is none; class is the StorageClass of the source.
func volumeServes(at *site.Site, wanted *corev1.PersistentVolumeClaim, volume *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim, class string) *clierror.Error {
	if volume == nil {
		return nil
	}
	peer, kubectl := at.Name, "kubectl --context "+at.Kubectl()
	free := fmt.Sprintf(`%s patch pv %s --type=json -p '[{"op":"remove","path":"/spec/claimRef"}]' frees it`, kubectl, recovery.ShellQuote(volume.Name))
	ref := volume.Spec.ClaimRef
	switch {
	case !volume.DeletionTimestamp.IsZero():
		return clierror.Refused(fmt.Sprintf("wait until it is gone; %s get pv %s -o yaml names what holds it", kubectl, volume.Name), "PersistentVolume %s on %s is being deleted", volume.Name, peer)
	case ref != nil && (ref.Namespace != wanted.Namespace || ref.Name != wanted.Name):
		return clierror.Refused(free+"; do that only when that PVC does not need it", "PersistentVolume %s on %s belongs to PVC %s/%s, not %s/%s", volume.Name, peer, ref.Namespace, ref.Name, wanted.Namespace, wanted.Name)
	case ref != nil && ref.UID != "" && (claim == nil || claim.UID != ref.UID), volume.Status.Phase == corev1.VolumeReleased:
		return clierror.Refused(free, "PersistentVolume %s on %s is released: it belongs to a PVC %s/%s that is gone", volume.Name, peer, wanted.Namespace, wanted.Name)
	case volume.Status.Phase == corev1.VolumeFailed:
		return clierror.Refused(fmt.Sprintf("%s describe pv %s", kubectl, volume.Name), "PersistentVolume %s on %s has failed: %s", volume.Name, peer, volume.Status.Message)
	case claim == nil:
		return classFits(at, wanted, volume, class)
	default:
		return nil
	}
}

// fits asks the quotas of the peer's namespace for all claims together: one by one, the last of them would be refused
// after the others were made.
func fits(ctx context.Context, peer *site.Site, cl client.Client, namespace string, missing []*corev1.PersistentVolumeClaim) error {
	var quotas corev1.ResourceQuotaList
	if err := cl.List(ctx, &quotas, client.InNamespace(namespace)); apierrors.IsForbidden(err) {
		return nil // the API server will say it
	} else if err != nil {
		return cli.SiteError(ctx, peer, "list the quotas", err)
	}
	for i := range quotas.Items {
		if short := exceeds(&quotas.Items[i], missing); short != "" {
			return clierror.Refused(fmt.Sprintf("raise it, or free some: kubectl --context %s -n %s describe quota %s", peer.Kubectl(), namespace, quotas.Items[i].Name),
				"ResourceQuota %s on %s does not allow the group's PVCs: %s", quotas.Items[i].Name, peer.Name, short)
		}
	}
	return nil
}

// exceeds says which limit of a quota the claims would exceed together; empty for none. It is pure.
func exceeds(quota *corev1.ResourceQuota, claims []*corev1.PersistentVolumeClaim) string {
	wants := map[corev1.ResourceName]resource.Quantity{}
	add := func(name string, q resource.Quantity) {
		sum := wants[corev1.ResourceName(name)]
		sum.Add(q)
		wants[corev1.ResourceName(name)] = sum
	}
	for _, c := range claims {
		one, size := resource.MustParse("1"), c.Spec.Resources.Requests[corev1.ResourceStorage]
		add("persistentvolumeclaims", one)
		add("requests.storage", size)
		if class := c.Spec.StorageClassName; class != nil {
			add(*class+".storageclass.storage.k8s.io/persistentvolumeclaims", one)
			add(*class+".storageclass.storage.k8s.io/requests.storage", size)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(wants)) {
		hard, limited := quota.Status.Hard[name]
		if !limited {
			continue
		}
		sum := wants[name]
		asks := sum.String()
		used := quota.Status.Used[name]
		sum.Add(used)
		if sum.Cmp(hard) > 0 {
			return fmt.Sprintf("%s: %s more, %s of %s used", name, asks, used.String(), hard.String())
		}
	}
	return ""
}

// try sends what the peer has not as dry runs, so that what its API server refuses is known before anything is made.
// Objects of a backend wait for their handles.
func (s *seen) try(ctx context.Context, peer *site.Site) error {
	cl, err := peer.Client()
	if err != nil {
		return err
	}
	for i, w := range s.peerObjects {
		if s.peerHas[i] != nil || w.GetNamespace() != "" && !s.peerNamespace {
			continue
		}
		switch w.(type) {
		case *corev1.Namespace, *corev1.PersistentVolume, *corev1.PersistentVolumeClaim, *vgrv1.VolumeGroupReplicationClass, *vgrv1.VolumeGroupReplication:
		default:
			continue
		}
		obj := w.DeepCopyObject().(client.Object)
		err := cl.Create(ctx, obj, site.FieldManager, client.DryRunAll)
		if err == nil || apierrors.IsAlreadyExists(err) || strings.Contains(err.Error(), "does not support dry run") {
			continue
		}
		err = cli.SiteError(ctx, peer, "create "+w.GetObjectKind().GroupVersionKind().Kind+" "+w.GetName(), err)
		if known, ok := errors.AsType[*clierror.Error](err); ok && known.Code == clierror.CodeError {
			known.Code = clierror.CodeRefused // nothing was changed
		}
		return err
	}
	return nil
}
