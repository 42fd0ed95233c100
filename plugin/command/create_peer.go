// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

func labelsOf(m map[string]string) labels.Labels { return labels.Set(m) }

// lookAtPeer refuses what cannot be prepared, before anything is created anywhere.
func (c *creation) lookAtPeer(ctx context.Context, peer *site.Site, group *vgrv1.VolumeGroupReplication, s *seen) error {
	cl, err := peer.Client()
	if err != nil {
		return err
	}
	var class vgrv1.VolumeGroupReplicationClass
	err = cl.Get(ctx, client.ObjectKey{Name: s.class.Name}, &class)
	switch {
	case apierrors.IsNotFound(err) && namedNotFound(err):
	case err != nil:
		return siteError(ctx, peer, "read class "+s.class.Name, err)
	case !equality.Semantic.DeepEqual(class.Spec, s.class.Spec):
		return failure.Refused("make them the same, or use another class", "class %q is not the same on both sites", s.class.Name)
	default:
		s.peerClass = true
	}
	var ns corev1.Namespace
	if err := cl.Get(ctx, client.ObjectKey{Name: group.Namespace}, &ns); client.IgnoreNotFound(err) != nil {
		return siteError(ctx, peer, "read namespace "+group.Namespace, err)
	} else if err == nil {
		s.peerNamespace = true
	}
	var there vgrv1.VolumeGroupReplication
	err = cl.Get(ctx, client.ObjectKeyFromObject(group), &there)
	if err == nil && there.Spec.ReplicationState != vgrv1.Secondary {
		return failure.Refused("kubectl vgr status "+group.Name+" -n "+group.Namespace, "%s: group %s/%s exists and is asked to be %s", peer.Name, group.Namespace, group.Name, there.Spec.ReplicationState)
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return siteError(ctx, peer, "look for the group", err)
	}
	return nil
}

// preparePeer creates what the peer needs, in the backend's order, and waits for its secondary.
func (c *creation) preparePeer(ctx context.Context, e *Env, p pair, group *vgrv1.VolumeGroupReplication, s seen) error {
	here, err := p.here.Client()
	if err != nil {
		return err
	}
	if err := here.Get(ctx, client.ObjectKeyFromObject(group), group); err != nil {
		return siteError(ctx, p.here, "read the group", err)
	}
	// Again: the backend may have written to the volumes since the plan what the peer has to know.
	if s.volumes, err = members(ctx, p.here, here, group, s); err != nil {
		return err
	}
	objs, err := s.profile.PeerObjects(backend.PeerRequest{Group: group, Class: s.class, GroupHandle: group.Status.GroupHandle, Volumes: s.volumes})
	if err != nil {
		return failure.New(failure.CodeFailed, "run the same command again", "prepare %s: %v", p.peer.Name, err)
	}
	first := []client.Object{
		&corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: group.Namespace}},
		&vgrv1.VolumeGroupReplicationClass{
			TypeMeta:   metav1.TypeMeta{APIVersion: vgrv1.GroupVersion.String(), Kind: "VolumeGroupReplicationClass"},
			ObjectMeta: metav1.ObjectMeta{Name: s.class.Name, Labels: s.class.Labels}, Spec: s.class.Spec,
		},
	}
	for _, obj := range append(first, objs...) {
		if g, ok := obj.(*vgrv1.VolumeGroupReplication); ok {
			g.Annotations = map[string]string{vgrv1.AnnotationPeerClusterUID: s.hereUID, vgrv1.AnnotationPeerContext: p.here.Name}
		}
		if err := ensure(ctx, e, p.peer, obj); err != nil {
			return err
		}
	}
	return c.await(ctx, e, p.peer, group, reaches(vgrv1.Secondary))
}

// ensure creates an object, or keeps one that serves the same purpose.
func ensure(ctx context.Context, e *Env, s *site.Site, obj client.Object) error {
	cl, err := s.Client()
	if err != nil {
		return err
	}
	kind := obj.GetObjectKind().GroupVersionKind().Kind
	wanted := obj.DeepCopyObject().(client.Object)
	err = cl.Create(ctx, obj, site.FieldManager)
	if apierrors.IsAlreadyExists(err) {
		if err := cl.Get(ctx, client.ObjectKeyFromObject(obj), obj); err != nil {
			return siteError(ctx, s, "read "+kind+" "+wanted.GetName(), err)
		}
		if difference := unlike(wanted, obj); difference != "" {
			return failure.Refused("delete it there if it is left over, or choose another name", "%s: %s %s exists and is another one: %s", s.Name, kind, wanted.GetName(), difference)
		}
		return nil
	}
	if err != nil {
		return writeError(ctx, s, false, "create "+kind+" "+wanted.GetName(), err)
	}
	fmt.Fprintf(e.ErrOut, "  %s\n", present.Clean(fmt.Sprintf("%s: %s %s created", s.Name, kind, wanted.GetName())))
	return nil
}

// unlike compares what identifies an object's purpose; controllers fill in the rest.
func unlike(wanted, there client.Object) string {
	switch w := wanted.(type) {
	case *corev1.PersistentVolume:
		t, ok := there.(*corev1.PersistentVolume)
		if !ok || t.Spec.CSI == nil || t.Spec.CSI.Driver != w.Spec.CSI.Driver || t.Spec.CSI.VolumeHandle != w.Spec.CSI.VolumeHandle {
			return "it has another volume handle"
		}
	case *corev1.PersistentVolumeClaim:
		t, ok := there.(*corev1.PersistentVolumeClaim)
		switch {
		case !ok || w.Spec.VolumeName != "" && t.Spec.VolumeName != w.Spec.VolumeName:
			return "it is bound to another volume"
		case w.Spec.VolumeName == "": // the driver makes the volume there, as the annotations say
			return unlikeAnnotations(w.Annotations, t.Annotations)
		}
	case *vgrv1.VolumeGroupReplication:
		t, ok := there.(*vgrv1.VolumeGroupReplication)
		if !ok || !equality.Semantic.DeepEqual(t.Spec.Selector, w.Spec.Selector) || t.Spec.VolumeGroupReplicationClass != w.Spec.VolumeGroupReplicationClass {
			return "it has another class or selector"
		}
	}
	return ""
}

func unlikeAnnotations(wanted, there map[string]string) string {
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		if there[key] != wanted[key] {
			return fmt.Sprintf("its annotation %s is %q, not %q", key, there[key], wanted[key])
		}
	}
	return ""
}
