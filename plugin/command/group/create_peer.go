// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/await"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

func labelsOf(m map[string]string) labels.Labels { return labels.Set(m) }

// readPeer reads the group and the backend's objects of the peer.
func (s *seen) readPeer(ctx context.Context, peer *site.Site, group *vgrv1.VolumeGroupReplication) error {
	cl, err := peer.Client()
	if err != nil {
		return err
	}
	s.there = newFound(peer)
	var there vgrv1.VolumeGroupReplication
	switch err := cl.Get(ctx, client.ObjectKeyFromObject(group), &there); {
	case err == nil:
		s.there.group = &there
	case !apierrors.IsNotFound(err):
		return cli.SiteError(ctx, peer, "read group "+group.Name, err)
	}
	return s.there.read(ctx, peer, cl, s.profile, group.Namespace, s.volumes)
}

// lookAtPeer refuses what cannot be prepared, before anything is created anywhere.
func (s *seen) lookAtPeer(ctx context.Context, p cli.Pair, here client.Client, group *vgrv1.VolumeGroupReplication, classes map[string]string) error {
	cl, err := p.Peer.Client()
	if err != nil {
		return err
	}
	var class vgrv1.VolumeGroupReplicationClass
	err = cl.Get(ctx, client.ObjectKey{Name: s.class.Name}, &class)
	switch {
	case apierrors.IsNotFound(err) && cli.NamedNotFound(err):
	case err != nil:
		return cli.SiteError(ctx, p.Peer, "read class "+s.class.Name, err)
	case !equality.Semantic.DeepEqual(class.Spec, s.class.Spec):
		return clierror.Refused("make them the same, or use another class", "class %q is not the same on both sites", s.class.Name)
	default:
		s.peerClass = true
	}
	var ns corev1.Namespace
	switch err := cl.Get(ctx, client.ObjectKey{Name: group.Namespace}, &ns); {
	case client.IgnoreNotFound(err) != nil:
		return cli.SiteError(ctx, p.Peer, "read namespace "+group.Namespace, err)
	case err == nil && (!ns.DeletionTimestamp.IsZero() || ns.Status.Phase == corev1.NamespaceTerminating):
		return clierror.Refused(fmt.Sprintf("wait until it is gone; kubectl --context %s get namespace %s -o yaml names what holds it", p.Peer.Kubectl(), ns.Name),
			"namespace %s on %s is being deleted", ns.Name, p.Peer.Name)
	case err == nil:
		s.peerNamespace = true
	}
	s.handles(group)
	if err := s.mapClasses(ctx, p, cl, group, classes); err != nil {
		return err
	}
	wanted, err := s.objects(ctx, p, here, group, true)
	if err != nil {
		return err
	}
	return s.compare(ctx, p.Peer, cl, group, wanted)
}

// handles takes over the handles that the backend tells for the copies.
func (s *seen) handles(group *vgrv1.VolumeGroupReplication) {
	owner := backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: client.ObjectKeyFromObject(group)}
	for i := range s.volumes {
		if h, ok := s.here.first(func(h backend.Held) bool {
			return h.PVC == s.volumes[i].PVC.Name && h.Free(owner) && h.PeerHandle != ""
		}); ok {
			s.volumes[i].PeerHandle = h.PeerHandle
		}
	}
}

// objects returns those that the peer needs, in the backend's order.
func (s *seen) objects(ctx context.Context, p cli.Pair, here client.Client, group *vgrv1.VolumeGroupReplication, draft bool) ([]client.Object, error) {
	objs, err := s.profile.PeerObjects(backend.PeerRequest{
		Group: group, Class: s.class, GroupHandle: group.Status.GroupHandle, Volumes: s.mapped(), Cluster: s.hereUID, Draft: draft,
	})
	if err != nil {
		code, next := clierror.CodeFailed, "run the same command again"
		if draft {
			code = clierror.CodeRefused
		}
		return nil, clierror.New(code, next, "prepare %s: %v", p.Peer.Name, err)
	}
	first := []client.Object{
		&corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: group.Namespace, Labels: s.podSecurity(ctx, here, group.Namespace)}},
		&vgrv1.VolumeGroupReplicationClass{
			TypeMeta:   metav1.TypeMeta{APIVersion: vgrv1.GroupVersion.String(), Kind: "VolumeGroupReplicationClass"},
			ObjectMeta: metav1.ObjectMeta{Name: s.class.Name, Labels: s.class.Labels}, Spec: s.class.Spec,
		},
	}
	for _, obj := range objs {
		if g, ok := obj.(*vgrv1.VolumeGroupReplication); ok {
			g.Annotations = nil
			s.pairWith(g, p.Here, s.hereUID)
		}
	}
	return append(first, objs...), nil
}

// podSecurity returns the labels of the source's namespace that say what its pods may do: a namespace without them would
// let pods do more.
func (s *seen) podSecurity(ctx context.Context, here client.Client, namespace string) map[string]string {
	if s.peerNamespace {
		return nil
	}
	var ns corev1.Namespace
	if err := here.Get(ctx, client.ObjectKey{Name: namespace}, &ns); err != nil {
		s.note("the labels %s* of namespace %s cannot be read, and are not copied: %v", podSecurityPrefix, namespace, err)
		return nil
	}
	kept := map[string]string{}
	for key, value := range ns.Labels {
		if strings.HasPrefix(key, podSecurityPrefix) {
			kept[key] = value
		}
	}
	return kept
}

const podSecurityPrefix = "pod-security.kubernetes.io/"

func (s *seen) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(s.notes, text) {
		s.notes = append(s.notes, text)
	}
}

// preparePeer creates what the peer needs, in the backend's order, and waits for its secondary.
func (c *creation) preparePeer(ctx context.Context, e *cli.Env, p cli.Pair, group *vgrv1.VolumeGroupReplication, s seen) error {
	here, err := p.Here.Client()
	if err != nil {
		return err
	}
	there, err := p.Peer.Client()
	if err != nil {
		return err
	}
	if err := here.Get(ctx, client.ObjectKeyFromObject(group), group); err != nil {
		return cli.SiteError(ctx, p.Here, "read the group", err)
	}
	// Again: the backend may have written since the plan what the peer has to know.
	if s.volumes, err = members(ctx, p.Here, here, group, s); err != nil {
		return err
	}
	if err := s.here.read(ctx, p.Here, here, s.profile, group.Namespace, s.volumes); err != nil {
		return err
	}
	if h, ok := s.here.first(func(h backend.Held) bool { return h.PeerHandleLate != "" && h.PeerHandle == "" }); ok {
		return clierror.New(clierror.CodeFailed, "run the same command again", "%s on %s has not reported the handle of the copy of PVC %s: %s", h.Object, p.Here.Name, h.PVC, h.PeerHandleLate)
	}
	s.handles(group)
	wanted, err := s.objects(ctx, p, here, group, false)
	if err != nil {
		return err
	}
	if err := s.compare(ctx, p.Peer, there, group, wanted); err != nil {
		return err
	}
	for i := range wanted {
		if err := s.ensure(ctx, e, p.Peer, there, i); err != nil {
			return err
		}
	}
	return c.await(ctx, e, p.Peer, group, await.Reaches(vgrv1.Secondary))
}

// compare reads what the peer has of the wanted objects, and refuses what is another one.
func (s *seen) compare(ctx context.Context, peer *site.Site, cl client.Client, group *vgrv1.VolumeGroupReplication, wanted []client.Object) error {
	s.peerObjects, s.peerHas = wanted, make([]client.Object, len(wanted))
	for i, w := range wanted {
		there := w.DeepCopyObject().(client.Object)
		switch err := cl.Get(ctx, client.ObjectKeyFromObject(w), there); {
		case err == nil:
			s.peerHas[i] = there
		case !apierrors.IsNotFound(err):
			return cli.SiteError(ctx, peer, "read "+w.GetObjectKind().GroupVersionKind().Kind+" "+w.GetName(), err)
		}
	}
	for i, w := range wanted {
		if s.peerHas[i] == nil {
			continue
		}
		if difference := unlike(w, s.peerHas[i]); difference != "" {
			kind := w.GetObjectKind().GroupVersionKind().Kind
			return clierror.Refused(leftOver(peer, kind, w),
				"%s %s on %s exists and is another one: %s", kind, w.GetName(), peer.Name, difference)
		}
	}
	if s.profile.Unlike != nil {
		if difference := s.profile.Unlike(wanted, s.peerHas); difference != "" {
			return clierror.Refused("if that object is left over, delete it there and run the same command again", "cannot prepare %s: %s", peer.Name, difference)
		}
	}
	return s.receives(ctx, peer, cl, group)
}

// leftOver returns what to do about an object of the peer that has the name of one that is needed.
func leftOver(peer *site.Site, kind string, obj client.Object) string {
	in := ""
	if obj.GetNamespace() != "" {
		in = " -n " + recovery.ShellQuote(obj.GetNamespace())
	}
	next := fmt.Sprintf("kubectl --context %s%s get %s %s -o yaml shows it; if it is left over, delete it", peer.Kubectl(), in, strings.ToLower(kind), recovery.ShellQuote(obj.GetName()))
	switch obj.(type) {
	case *corev1.PersistentVolume, *corev1.PersistentVolumeClaim:
		next += ": with the reclaim policy Delete its data goes with it"
	default:
	}
	return next
}

// ensure creates one of the peer's objects, or keeps one that compare has let pass.
func (s *seen) ensure(ctx context.Context, e *cli.Env, at *site.Site, cl client.Client, i int) error {
	wanted := s.peerObjects[i]
	obj, kind := wanted.DeepCopyObject().(client.Object), wanted.GetObjectKind().GroupVersionKind().Kind
	err := cl.Create(ctx, obj, site.FieldManager)
	s.peerHas[i] = obj
	if apierrors.IsAlreadyExists(err) {
		if err := cl.Get(ctx, client.ObjectKeyFromObject(wanted), obj); err != nil {
			return cli.SiteError(ctx, at, "read "+kind+" "+wanted.GetName(), err)
		}
		difference := unlike(wanted, obj) // it may have come since they were compared
		if difference == "" && s.profile.Unlike != nil {
			difference = s.profile.Unlike(s.peerObjects, s.peerHas)
		}
		if difference != "" {
			return clierror.Refused(leftOver(at, kind, wanted), "%s %s on %s exists and is another one: %s", kind, wanted.GetName(), at.Name, difference)
		}
		if err := mark(ctx, e, at, cl, wanted, obj); err != nil {
			return err
		}
		return s.grow(ctx, e, at, cl, i)
	}
	if err != nil {
		return cli.WriteError(ctx, at, false, "create "+kind+" "+wanted.GetName(), err)
	}
	fmt.Fprintf(e.ErrOut, "  %s\n", present.Clean(fmt.Sprintf("%s: %s %s created", at.Name, kind, wanted.GetName())))
	return nil
}

// mark has a volume that was there already say that it is a copy. The group works without: so it is no reason to stop.
func mark(ctx context.Context, e *cli.Env, at *site.Site, cl client.Client, wanted, there client.Object) error {
	of := wanted.GetAnnotations()[vgrv1.AnnotationCopyOf]
	pv, ok := there.(*corev1.PersistentVolume)
	if !ok || of == "" || pv.Annotations[vgrv1.AnnotationCopyOf] == of {
		return nil
	}
	if err := markCopy(ctx, cl, pv, of, false); err != nil {
		fmt.Fprintf(e.ErrOut, "  - %s\n", present.Clean(fmt.Sprintf("cannot mark PersistentVolume %s on %s as a copy: %v", pv.Name, at.Name, err)))
	}
	return ctx.Err()
}

// markCopy writes on a volume which cluster it is a copy of.
func markCopy(ctx context.Context, cl client.Client, pv *corev1.PersistentVolume, of string, dry bool) error {
	patch := fmt.Sprintf(`{"metadata":{"uid":%q,"annotations":{%q:%q}}}`, pv.UID, vgrv1.AnnotationCopyOf, of)
	opts := []client.PatchOption{site.FieldManager}
	if dry {
		opts = append(opts, client.DryRunAll)
	}
	return cl.Patch(ctx, pv, client.RawPatch(types.MergePatchType, []byte(patch)), opts...)
}

// unlike compares what identifies an object's purpose; controllers fill in the rest.
func unlike(wanted, there client.Object) string {
	switch w := wanted.(type) {
	case *corev1.PersistentVolume:
		t, ok := there.(*corev1.PersistentVolume)
		switch {
		case !ok || t.Spec.CSI == nil || t.Spec.CSI.Driver != w.Spec.CSI.Driver:
			return "it is a volume of another driver"
		case t.Spec.CSI.VolumeHandle != w.Spec.CSI.VolumeHandle:
			return fmt.Sprintf("it has the volume handle %q, the copy has %q", t.Spec.CSI.VolumeHandle, w.Spec.CSI.VolumeHandle)
		}
	case *corev1.PersistentVolumeClaim:
		t, ok := there.(*corev1.PersistentVolumeClaim)
		if ok && (w.Spec.VolumeName == "" || t.Spec.VolumeName == w.Spec.VolumeName) { // without: the driver makes the volume there
			return ""
		}
		if ok && t.Spec.VolumeName == "" {
			return "it is bound to no volume, and the copy is " + w.Spec.VolumeName
		}
		return "it is bound to another volume"
	case *vgrv1.VolumeGroupReplication:
		t, ok := there.(*vgrv1.VolumeGroupReplication)
		if !ok || !equality.Semantic.DeepEqual(t.Spec.Selector, w.Spec.Selector) || t.Spec.VolumeGroupReplicationClass != w.Spec.VolumeGroupReplicationClass {
			return "it has another class or selector"
		}
	}
	return ""
}
