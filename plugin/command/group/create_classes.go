// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// mapFlag names the StorageClasses that the copies have.
const mapFlag = "--storage-class-map"

// classMap reads the values of --storage-class-map: the StorageClass of the copy, by that of its source.
func classMap(values []string) (map[string]string, error) {
	out := map[string]string{}
	for _, value := range values {
		here, there, ok := strings.Cut(value, "=")
		if !ok || here == "" || there == "" || strings.Contains(there, "=") {
			return nil, clierror.New(clierror.CodeError, "use "+mapFlag+" CLASS=CLASS-ON-THE-PEER", "malformed %s %q", mapFlag, value)
		}
		if before, twice := out[here]; twice && before != there {
			return nil, clierror.New(clierror.CodeError, "name each StorageClass once", "%s names both %s and %s for %s", mapFlag, before, there, here)
		}
		out[here] = there
	}
	return out, nil
}

// mapClasses finds out which StorageClasses the copies get: what the user says, else what copies of the group have already.
func (s *seen) mapClasses(ctx context.Context, p cli.Pair, cl client.Client, group *vgrv1.VolumeGroupReplication, said map[string]string) error {
	used := map[string]bool{}
	for _, v := range s.volumes {
		used[ptr.Deref(v.PVC.Spec.StorageClassName, "")] = true
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		switch {
		case s.profile.NamesPeerClasses != "":
			return clierror.Refused("leave "+mapFlag+" out; change "+s.profile.NamesPeerClasses, "%s chooses the StorageClass of each copy itself: by %s", s.profile.Name, s.profile.NamesPeerClasses)
		case !used[name]:
			return clierror.Refused("name a StorageClass that they have: "+strings.Join(slices.Sorted(maps.Keys(used)), ", "), "no PVC of the group on %s has the StorageClass %q, which %s names", p.Here.Name, name, mapFlag)
		}
	}
	s.classes = map[string]string{}
	if s.profile.NamesPeerClasses != "" {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(group.Spec.Selector)
	if err != nil {
		return clierror.New(clierror.CodeError, "", "selector: %v", err)
	}
	var copies corev1.PersistentVolumeClaimList
	if err := cl.List(ctx, &copies, client.InNamespace(group.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return cli.SiteError(ctx, p.Peer, "list the PVCs", err)
	}
	s.classes = learned(s.volumes, copies.Items)
	maps.Copy(s.classes, said)
	for _, c := range copies.Items {
		if to := said[s.sourceClass(c.Name)]; to != "" && to != ptr.Deref(c.Spec.StorageClassName, "") {
			s.note("%s: PVC %s exists and keeps StorageClass %s", p.Peer.Name, c.Name, ptr.Deref(c.Spec.StorageClassName, ""))
		}
	}
	return nil
}

// learned returns the StorageClasses that copies have instead of their sources', where all say the same. It is pure.
func learned(volumes []backend.PeerVolume, copies []corev1.PersistentVolumeClaim) map[string]string {
	there := map[string]string{}
	for _, c := range copies {
		there[c.Name] = ptr.Deref(c.Spec.StorageClassName, "")
	}
	out, unclear := map[string]string{}, map[string]bool{}
	for _, v := range volumes {
		from := ptr.Deref(v.PVC.Spec.StorageClassName, "")
		to, exists := there[v.PVC.Name]
		if !exists || from == "" || to == "" {
			continue
		}
		before, known := out[from]
		unclear[from] = unclear[from] || known && before != to
		out[from] = to
	}
	maps.DeleteFunc(out, func(from, to string) bool { return from == to || unclear[from] })
	return out
}

// mapped returns the volumes with the StorageClasses that their copies get.
func (s *seen) mapped() []backend.PeerVolume {
	out := slices.Clone(s.volumes)
	for i, v := range out {
		if to := s.classes[ptr.Deref(v.PVC.Spec.StorageClassName, "")]; to != "" {
			v.PVC.DeepCopyInto(&out[i].PVC)
			v.PV.DeepCopyInto(&out[i].PV)
			out[i].PVC.Spec.StorageClassName, out[i].PV.Spec.StorageClassName = &to, to
		}
	}
	return out
}

// sourceClass returns the StorageClass of a PVC on the site that has the data.
func (s *seen) sourceClass(claim string) string {
	for _, v := range s.volumes {
		if v.PVC.Name == claim {
			return ptr.Deref(v.PVC.Spec.StorageClassName, "")
		}
	}
	return ""
}

// classesServe looks for the StorageClasses of the claims that are to be made. One that was named for them must exist, and one by
// which the peer provisions the copy; else it is needed only to expand the copy later.
func (s *seen) classesServe(ctx context.Context, peer *site.Site, cl client.Client, missing []*corev1.PersistentVolumeClaim) error {
	asked := map[string]bool{}
	for _, w := range missing {
		name := ptr.Deref(w.Spec.StorageClassName, "")
		if name == "" || asked[name] {
			continue
		}
		asked[name] = true
		var class storagev1.StorageClass
		err := cl.Get(ctx, client.ObjectKey{Name: name}, &class)
		if apierrors.IsForbidden(err) {
			continue // not every user of a namespace may read the cluster's
		}
		if client.IgnoreNotFound(err) != nil {
			return cli.SiteError(ctx, peer, "read StorageClass "+name, err)
		}
		from := s.sourceClass(w.Name)
		another := "kubectl --context " + peer.Kubectl() + " get storageclass shows those of " + peer.Name
		if s.profile.NamesPeerClasses == "" && from != "" {
			another += "; name one of them with " + mapFlag + " " + recovery.ShellQuote(from+"=NAME")
		}
		switch needed := w.Spec.VolumeName == "" || s.classes[from] != ""; {
		case err != nil && needed:
			return clierror.Refused(another, "there is no StorageClass %q on %s, which the copy of PVC %s needs", name, peer.Name, w.Name)
		case err != nil:
			s.note("%s: there is no StorageClass %s; without it the copies cannot be expanded there; %s", peer.Name, name, another)
		case needed && class.Provisioner != s.class.Spec.Provisioner:
			return clierror.Refused(another, "StorageClass %q on %s is of %s, the copy of PVC %s needs %s", name, peer.Name, class.Provisioner, w.Name, s.class.Spec.Provisioner)
		}
	}
	return nil
}

// classFits refuses a volume that a new claim could never be bound to: both must have one StorageClass. It is pure.
func classFits(at *site.Site, wanted *corev1.PersistentVolumeClaim, volume *corev1.PersistentVolume, from string) *clierror.Error {
	asks, has := ptr.Deref(wanted.Spec.StorageClassName, ""), volume.Spec.StorageClassName
	if asks == has {
		return nil
	}
	next := fmt.Sprintf("delete it if it is left over: kubectl --context %s get pv %s", at.Kubectl(), recovery.ShellQuote(volume.Name))
	if from != "" && has != "" {
		next = "run the same command again with " + mapFlag + " " + recovery.ShellQuote(from+"="+has)
	}
	return clierror.Refused(next, "PersistentVolume %s on %s has the StorageClass %q, and PVC %s would have %q: they would never be bound", volume.Name, at.Name, has, wanted.Name, asks)
}
