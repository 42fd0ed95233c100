// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// seen is everything that create reads before it changes anything.
type seen struct {
	class            *vgrv1.VolumeGroupReplicationClass
	profile          backend.Profile
	volumes          []backend.PeerVolume
	hereUID, peerUID string
	// names are those that the user has given the two clusters, as a group offers them to others; empty without any.
	names string
	// here and there are what exists on both sites; there is nil without a peer.
	here, there   *found
	peerClass     bool
	peerNamespace bool
	// classes are the StorageClasses of the copies, by those of their sources, where they differ.
	classes map[string]string
	// peerObjects are those that the peer needs, and beside them what it has; nil for what it has not.
	peerObjects, peerHas []client.Object
	notes                []string
	// doubts are about the PVCs of this site.
	doubts []string
}

// exists reports whether the very group is there already.
func (s seen) exists() bool { return s.here.group != nil }

func (c *creation) look(ctx context.Context, e *cli.Env, p cli.Pair, group *vgrv1.VolumeGroupReplication) (seen, error) {
	s := seen{here: newFound(p.Here)}
	cl, err := p.Here.Client()
	if err != nil {
		return s, err
	}
	if s.here.group, err = existing(ctx, p.Here, cl, group); err != nil {
		return s, err
	}
	if s.class, s.profile, err = classFor(ctx, e, p.Here, cl, group.Spec.VolumeGroupReplicationClass); err != nil {
		return s, err
	}
	c.backend = s.profile.Name
	if s.volumes, err = members(ctx, p.Here, cl, group, s); err != nil {
		return s, err
	}
	if err := rivals(ctx, p.Here, cl, group, s.volumes); err != nil {
		return s, err
	}
	if err := s.doubt(ctx, p.Here, cl, group); err != nil {
		return s, err
	}
	if err := s.here.read(ctx, p.Here, cl, s.profile, group.Namespace, s.volumes); err != nil {
		return s, err
	}
	s.here.marked(s.volumes)
	if p.Peer != nil {
		if s.profile.PeerObjects == nil {
			return s, clierror.Refused("create the group on each site", "%s cannot prepare a peer", s.profile.Name)
		}
		if s.hereUID, s.peerUID, err = p.Distinct(ctx); err != nil {
			return s, err
		}
		s.names = e.Sites.Offer(s.hereUID, s.peerUID)
		if err := s.readPeer(ctx, p.Peer, group); err != nil {
			return s, err
		}
	}
	if refusal := c.adopt(group, s.here, s.there); refusal != nil {
		return s, refusal
	}
	if s.exists() {
		s.here.group.DeepCopyInto(group)
		group.SetGroupVersionKind(vgrv1.GroupVersion.WithKind("VolumeGroupReplication"))
	}
	if p.Peer == nil || group.Spec.ReplicationState != vgrv1.Primary {
		return s, nil
	}
	return s, s.lookAtPeer(ctx, p, cl, group, c.classMap)
}

// existing reads the group of that name; one with another class or selector is another group.
func existing(ctx context.Context, s *site.Site, cl client.Client, group *vgrv1.VolumeGroupReplication) (*vgrv1.VolumeGroupReplication, error) {
	var there vgrv1.VolumeGroupReplication
	err := cl.Get(ctx, client.ObjectKeyFromObject(group), &there)
	switch {
	case apierrors.IsNotFound(err) && cli.NamedNotFound(err):
		return nil, nil
	case err != nil:
		return nil, cli.SiteError(ctx, s, "read group "+group.Name, err)
	case !equality.Semantic.DeepEqual(there.Spec.Selector, group.Spec.Selector) || there.Spec.VolumeGroupReplicationClass != group.Spec.VolumeGroupReplicationClass:
		return nil, clierror.Refused(fmt.Sprintf("choose another name, or inspect it: kubectl vgr status %s -n %s --context %s", there.Name, there.Namespace, s.Flag()),
			"group %s/%s on %s exists with class %s and selector %s",
			there.Namespace, there.Name, s.Name, there.Spec.VolumeGroupReplicationClass, metav1.FormatLabelSelector(there.Spec.Selector))
	}
	return &there, nil
}

// classFor reads the class, finds its backend and lets it check the parameters.
func classFor(ctx context.Context, e *cli.Env, s *site.Site, cl client.Client, name string) (*vgrv1.VolumeGroupReplicationClass, backend.Profile, error) {
	var class vgrv1.VolumeGroupReplicationClass
	err := cl.Get(ctx, client.ObjectKey{Name: name}, &class)
	if apierrors.IsNotFound(err) && cli.NamedNotFound(err) {
		return nil, backend.Profile{}, clierror.Refused("kubectl vgr class list shows the classes; kubectl vgr class create "+name+" makes it", "there is no class %q on %s", name, s.Name)
	}
	if err != nil {
		return nil, backend.Profile{}, cli.SiteError(ctx, s, "read class "+name, err)
	}
	profile, ok := e.Profiles.ForClass(backend.ClassOf(&class))
	if !ok {
		return nil, profile, e.NoBackend(&class)
	}
	if problems := profile.CheckParameters(backend.ClassOf(&class)); len(problems) > 0 {
		return nil, profile, clierror.Refused("kubectl vgr class describe "+name, "class %q: %s", name, backend.Messages(problems))
	}
	return &class, profile, nil
}

// members reads the PVCs that the selector matches and checks that each can be replicated.
func members(ctx context.Context, s *site.Site, cl client.Client, group *vgrv1.VolumeGroupReplication, look seen) ([]backend.PeerVolume, error) {
	selector, err := metav1.LabelSelectorAsSelector(group.Spec.Selector)
	if err != nil {
		return nil, clierror.New(clierror.CodeError, "", "selector: %v", err)
	}
	var pvcs corev1.PersistentVolumeClaimList
	if err := cl.List(ctx, &pvcs, client.InNamespace(group.Namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, cli.SiteError(ctx, s, "list the PVCs", err)
	}
	if len(pvcs.Items) == 0 {
		return nil, clierror.Refused(fmt.Sprintf("kubectl get pvc -n %s --context %s --show-labels", group.Namespace, s.Kubectl()),
			"the selector %s matches no PVC in namespace %s on %s", selector, group.Namespace, s.Name)
	}
	if limit := look.profile.Traits.MaxVolumes; limit > 0 && len(pvcs.Items) > limit {
		return nil, clierror.Refused("use a narrower selector", "the selector matches %d PVCs; %s groups at most %d", len(pvcs.Items), look.profile.Name, limit)
	}
	var out []backend.PeerVolume
	for _, pvc := range pvcs.Items {
		switch {
		case !pvc.DeletionTimestamp.IsZero():
			return nil, clierror.Refused("take the labels off it", "PVC %s is being deleted", pvc.Name)
		case pvc.Spec.VolumeName == "" || pvc.Status.Phase != corev1.ClaimBound:
			return nil, clierror.Refused("wait until it is bound, or take the labels off it", "PVC %s is not bound to a volume", pvc.Name)
		}
		var pv corev1.PersistentVolume
		if err := cl.Get(ctx, client.ObjectKey{Name: pvc.Spec.VolumeName}, &pv); err != nil {
			return nil, cli.SiteError(ctx, s, "read the volume of PVC "+pvc.Name, err)
		}
		if pv.Spec.CSI == nil || pv.Spec.CSI.Driver != look.class.Spec.Provisioner {
			return nil, clierror.Refused("take the labels off it, or use another class", "PVC %s is not a volume of %s, the driver of class %s", pvc.Name, look.class.Spec.Provisioner, look.class.Name)
		}
		out = append(out, backend.PeerVolume{PVC: pvc, PV: pv})
	}
	return out, nil
}

// rivals refuses PVCs that another group selects as well.
func rivals(ctx context.Context, s *site.Site, cl client.Client, group *vgrv1.VolumeGroupReplication, volumes []backend.PeerVolume) error {
	var groups vgrv1.VolumeGroupReplicationList
	if err := cl.List(ctx, &groups, client.InNamespace(group.Namespace)); err != nil {
		return cli.SiteError(ctx, s, "list the groups", err)
	}
	for _, other := range groups.Items {
		selector, err := metav1.LabelSelectorAsSelector(other.Spec.Selector)
		if err != nil || other.Name == group.Name {
			continue
		}
		for _, v := range volumes {
			if selector.Matches(labelsOf(v.PVC.Labels)) {
				return clierror.Refused("kubectl vgr status "+other.Name+" -n "+other.Namespace, "PVC %s belongs to group %s already", v.PVC.Name, other.Name)
			}
		}
	}
	return nil
}
