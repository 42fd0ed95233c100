// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/observed"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// target is a VolumeGroupReplication or a VolumeReplication, reduced to what both are: a request
// for some volumes. A VolumeReplication is a group of one.
type target struct {
	obj        client.Object
	owner      backend.Owner
	className  string
	state      vgrv1.ReplicationState
	autoResync bool
	selector   *metav1.LabelSelector // of a group
	pvcName    string                // of a single volume
	source     *corev1.TypedLocalObjectReference
	status     *vgrv1.ReplicationStatus
	// problem is what is wrong with the request itself.
	problem *backend.Problem
	// members are the PVCs that the backend has for this target, as last observed.
	members []string
	// setVolumes puts what is kind-specific into the status.
	setVolumes func(obs backend.Observation, volumes []vgrv1.VolumeStatus)
}

func groupTarget(g *vgrv1.VolumeGroupReplication) target {
	s := target{
		obj:        g,
		owner:      backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: client.ObjectKeyFromObject(g)},
		className:  g.Spec.VolumeGroupReplicationClass,
		state:      g.Spec.ReplicationState,
		autoResync: g.Spec.AutoResync != nil && *g.Spec.AutoResync,
		selector:   g.Spec.Selector,
		source:     g.Spec.Source,
		status:     &g.Status.ReplicationStatus,
		setVolumes: func(obs backend.Observation, volumes []vgrv1.VolumeStatus) { observed.PutVolumes(g, obs, volumes) },
	}
	for _, ref := range g.Status.PersistentVolumeClaimsRefList {
		s.members = append(s.members, ref.Name)
	}
	if _, err := metav1.LabelSelectorAsSelector(g.Spec.Selector); err != nil {
		s.problem = backend.Problemf(vgrv1.ReasonInvalidSelector, "selector: %v; it is immutable, create a new group", err)
	}
	return s
}

func volumeTarget(v *vgrv1.VolumeReplication) target {
	s := target{
		obj:        v,
		owner:      backend.Owner{Kind: backend.VolumeReplicationKind, NamespacedName: client.ObjectKeyFromObject(v)},
		className:  v.Spec.VolumeReplicationClass,
		state:      v.Spec.ReplicationState,
		autoResync: v.Spec.AutoResync != nil && *v.Spec.AutoResync,
		pvcName:    v.Spec.PVCName,
		status:     &v.Status.ReplicationStatus,
		setVolumes: func(obs backend.Observation, volumes []vgrv1.VolumeStatus) {
			v.Status.VolumeHandle = ""
			if len(volumes) == 1 && obs.Exists {
				v.Status.VolumeHandle = volumes[0].VolumeHandle
			}
		},
	}
	if v.Status.VolumeHandle != "" {
		s.members = []string{v.Spec.PVCName}
	}
	return s
}

// inGroup reports whether the backend has a PVC for this target.
func (s target) inGroup(pvc string) bool { return slices.Contains(s.members, pvc) }

// requestID names what is asked for, and the state of the peer that came with the request.
func (s target) requestID() string {
	id := []string{string(s.obj.GetUID()), fmt.Sprint(s.obj.GetGeneration()), s.peerAnnotation(vgrv1.AnnotationPeer), s.obj.GetAnnotations()[vgrv1.AnnotationRetry]}
	return strings.Join(id, " ")
}

// peerAnnotation returns an annotation that tells of the peer; empty when it came with an earlier write.
func (s target) peerAnnotation(annotation string) string {
	if !state.IsBound(s.obj) {
		return ""
	}
	return s.obj.GetAnnotations()[annotation]
}

// byPVC returns what the plugin told of each of the peer's volumes.
func (s target) byPVC(annotation string) (map[string]string, error) {
	text := s.peerAnnotation(annotation)
	if text == "" {
		return nil, nil //nolint:nilnil // the plugin told of none
	}
	var told map[string]string
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		return nil, fmt.Errorf("annotation %s is not a JSON object of strings", annotation)
	}
	return told, nil
}

// class reads the target's class.
func (s target) class(ctx context.Context, c client.Reader) (backend.Class, error) {
	key := client.ObjectKey{Name: s.className}
	if s.owner.Kind == backend.VolumeReplicationKind {
		var class vgrv1.VolumeReplicationClass
		if err := c.Get(ctx, key, &class); err != nil {
			return backend.Class{}, err
		}
		return backend.Class{Name: class.Name, Provisioner: class.Spec.Provisioner, Parameters: class.Spec.Parameters}, nil
	}
	var class vgrv1.VolumeGroupReplicationClass
	if err := c.Get(ctx, key, &class); err != nil {
		return backend.Class{}, err
	}
	return backend.Class{Name: class.Name, Provisioner: class.Spec.Provisioner, Parameters: class.Spec.Parameters}, nil
}

// pvcs reads the PVCs that the target names, sorted by name.
func (s target) pvcs(ctx context.Context, c client.Reader) ([]corev1.PersistentVolumeClaim, error) {
	if s.owner.Kind == backend.VolumeReplicationKind {
		var pvc corev1.PersistentVolumeClaim
		if err := c.Get(ctx, client.ObjectKey{Namespace: s.owner.Namespace, Name: s.pvcName}, &pvc); err != nil {
			return nil, client.IgnoreNotFound(err)
		}
		return []corev1.PersistentVolumeClaim{pvc}, nil
	}
	pvcs, err := selected(ctx, c, s.owner.Namespace, s.selector)
	slices.SortFunc(pvcs, func(a, b corev1.PersistentVolumeClaim) int { return strings.Compare(a.Name, b.Name) })
	return pvcs, err
}

// noVolumes returns the problem of a target without any PVC.
func (s target) noVolumes() *backend.Problem {
	if s.owner.Kind == backend.VolumeReplicationKind {
		return backend.Problemf(vgrv1.ReasonVolumeNotFound, "PVC %q does not exist", s.pvcName)
	}
	return backend.Problemf(vgrv1.ReasonNoVolumes, "the selector %s matches no PVC; label the PVCs of the group", metav1.FormatLabelSelector(s.selector))
}
