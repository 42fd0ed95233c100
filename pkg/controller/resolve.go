// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// resolution is a target with its class, backend and volumes looked up, and the first thing
// that is wrong with them.
type resolution struct {
	backend *Backend // nil when none can be found
	group   backend.Group
	// refused are the volumes that were asked for and cannot be replicated, with the reason.
	refused []vgrv1.VolumeStatus
	// sizes are the bytes of the members' volumes, by their PVCs.
	sizes map[string]int64
	// terminating are the members that are being deleted, by their PVCs, with what is deleted.
	terminating map[string]string
	// drivers are those of the members' volumes.
	drivers []string
	problem *backend.Problem
	// recheck is when to look again although nothing changes; zero for never.
	recheck time.Duration
}

// note keeps the first problem: it is the one to solve first.
func (r *resolution) note(p *backend.Problem) {
	if r.problem == nil {
		r.problem = p
	}
}

func (r *Reconciler) resolve(ctx context.Context, s target) (resolution, error) {
	res := resolution{group: backend.Group{
		Owner: s.owner, State: s.state, AutoResync: s.autoResync, Selector: s.selector, Source: s.source, Served: s.status.BackendRef,
	}}
	res.group.RequestID, res.group.Peer = s.requestID(), state.Peer(s.obj)
	res.group.SyncRequest, res.group.SnapshotRequest = s.obj.GetAnnotations()[vgrv1.AnnotationSyncRequest], s.obj.GetAnnotations()[vgrv1.AnnotationSnapshotRequest]
	var err error
	for annotation, told := range map[string]*map[string]string{vgrv1.AnnotationPeerHandles: &res.group.PeerHandles, vgrv1.AnnotationPeerSnapshots: &res.group.PeerSnapshots} {
		if *told, err = s.byPVC(annotation); err != nil {
			res.note(backend.Problemf(vgrv1.ReasonObjectConflict, "%s", err))
		}
	}
	var missing *backend.Problem
	class, err := s.class(ctx, r.Client)
	switch {
	case apierrors.IsNotFound(err):
		missing = backend.Problemf(vgrv1.ReasonClassNotFound, "class %q does not exist", s.className)
		res.note(missing)
	case err != nil:
		return res, err
	default:
		res.group.Class = class
	}
	if b, ok := r.Backends.find(class, s.status.Backend); ok {
		res.backend = &b
		if err := r.checkBackend(ctx, &res); err != nil {
			return res, err
		}
	} else if named := class.Parameters[vgrv1.ParameterBackend]; named != "" {
		res.note(backend.Problemf(vgrv1.ReasonBackendUnknown, "class %q names backend %q, which this controller does not have", class.Name, named))
	} else if class.Provisioner != "" {
		res.note(backend.Problemf(vgrv1.ReasonBackendUnknown, "no backend serves provisioner %q; known are %s; parameter %s names one",
			class.Provisioner, strings.Join(r.Backends.provisioners(), ", "), vgrv1.ParameterBackend))
	}
	if err := r.resolveMembers(ctx, s, &res); err != nil {
		return res, err
	}
	if missing != nil {
		missing.Message += r.createAgain(s, res.drivers)
	}
	res.group.Blocked = res.problem
	guard(s, &res.group)
	return res, nil
}

// createAgain returns the command that makes a class for the drivers of the volumes. Its other parameters went with it.
func (r *Reconciler) createAgain(s target, drivers []string) string {
	command := "kubectl vgr class create " + s.className
	if len(drivers) != 1 {
		return "; create it: " + command + " --provisioner DRIVER"
	}
	command += " --provisioner " + drivers[0]
	if _, known := r.Backends.find(backend.Class{Provisioner: drivers[0]}, ""); !known && s.status.Backend != "" {
		command += " --parameter " + vgrv1.ParameterBackend + "=" + s.status.Backend
	}
	return "; create it, with the other parameters that it had: " + command
}

// checkBackend notes a backend that is not installed, and parameters that it cannot honour.
func (r *Reconciler) checkBackend(ctx context.Context, res *resolution) error {
	missing, err := r.Backends.missing(ctx, *res.backend)
	if err != nil {
		return err
	}
	if missing != "" {
		res.note(backend.Problemf(vgrv1.ReasonBackendNotInstalled, "%s is not installed in this cluster: CustomResourceDefinition %s is missing", res.backend.Name, missing))
		res.backend = nil
		return nil
	}
	if problems := res.backend.CheckParameters(res.group.Class); res.group.Class.Name != "" && len(problems) > 0 {
		res.note(backend.Problemf(vgrv1.ReasonInvalidParameters, "class %q: %s", res.group.Class.Name, backend.Messages(problems)))
	}
	err = r.Backends.watch(ctx, r.Clock, *res.backend)
	if problem := (*backend.Problem)(nil); errors.As(err, &problem) {
		res.note(problem)
		res.backend, res.recheck = nil, retryWatchAfter
		return nil
	}
	return err
}

// resolveMembers finds the PVCs of the target and sorts them into members and refused ones.
func (r *Reconciler) resolveMembers(ctx context.Context, s target, res *resolution) error {
	pvcs, err := s.pvcs(ctx, r.Client)
	if err != nil {
		return err
	}
	if s.problem != nil {
		res.note(s.problem)
	}
	if len(pvcs) == 0 {
		res.note(s.noVolumes())
		return nil
	}
	claimed, err := r.claims(ctx, s, pvcs)
	if err != nil {
		return err
	}
	sorter := memberSorter{driver: res.group.Class.Provisioner, claimed: claimed, inGroup: s.inGroup, sizes: map[string]int64{}, drivers: map[string]bool{}}
	for i := range pvcs {
		if err := sorter.add(ctx, r.Client, &pvcs[i]); err != nil {
			return err
		}
	}
	res.drivers = slices.Sorted(maps.Keys(sorter.drivers))
	res.group.Members, res.refused, res.terminating, res.sizes = sorter.members, sorter.refused, sorter.terminating, sorter.sizes
	res.note(sorter.problem())
	if res.backend != nil {
		if limit := res.backend.Traits.MaxVolumes; limit > 0 && s.selector != nil && len(pvcs) > limit {
			res.note(backend.Problemf(vgrv1.ReasonTooManyVolumes, "the selector matches %d PVCs; %s groups at most %d", len(pvcs), res.backend.Name, limit))
		}
	}
	return nil
}

// memberSorter separates PVCs that can be replicated from those that cannot.
type memberSorter struct {
	driver  string
	claimed map[string]string
	inGroup func(pvc string) bool

	members []backend.Member
	refused []vgrv1.VolumeStatus
	reasons map[string][]string
	// left are refused PVCs that the backend still replicates.
	left []string
	// terminating are members that stay until they are gone: what replicates them must not be deleted before.
	terminating map[string]string
	// sizes are the bytes of the members' volumes.
	sizes map[string]int64
	// drivers are those of the members' volumes.
	drivers map[string]bool
}

func (m *memberSorter) add(ctx context.Context, c client.Reader, pvc *corev1.PersistentVolumeClaim) error {
	if by := m.claimed[pvc.Name]; by != "" {
		m.refuse(pvc, vgrv1.ReasonVolumeConflict, "claimed by "+by)
		return nil
	}
	if !pvc.DeletionTimestamp.IsZero() && !m.inGroup(pvc.Name) {
		m.refuse(pvc, vgrv1.ReasonVolumeTerminating, "being deleted"+state.WaitsFor(", waiting for ", pvc))
		return nil
	}
	if pvc.Status.Phase == corev1.ClaimLost {
		m.refuse(pvc, vgrv1.ReasonVolumeNotBound, fmt.Sprintf("its PersistentVolume %s is gone: the PVC is Lost", pvc.Spec.VolumeName))
		return nil
	}
	if pvc.Spec.VolumeName == "" || pvc.Status.Phase != corev1.ClaimBound {
		m.refuse(pvc, vgrv1.ReasonVolumeNotBound, "not bound to a volume")
		return nil
	}
	var pv corev1.PersistentVolume
	err := c.Get(ctx, client.ObjectKey{Name: pvc.Spec.VolumeName}, &pv)
	switch {
	case apierrors.IsNotFound(err):
		m.refuse(pvc, vgrv1.ReasonVolumeNotBound, fmt.Sprintf("its PersistentVolume %s does not exist", pvc.Spec.VolumeName))
	case err != nil:
		return err
	case pv.Spec.CSI == nil:
		m.refuse(pvc, vgrv1.ReasonForeignDriver, "not a CSI volume")
	case m.driver != "" && pv.Spec.CSI.Driver != m.driver:
		m.refuse(pvc, vgrv1.ReasonForeignDriver, fmt.Sprintf("of driver %s, not %s", pv.Spec.CSI.Driver, m.driver))
	default:
		_, isCopy := pv.Annotations[vgrv1.AnnotationCopyOf]
		member := backend.Member{PVC: pvc.Name, PV: pv.Name, Handle: pv.Spec.CSI.VolumeHandle, Copy: isCopy}
		if secret := pv.Spec.CSI.ControllerExpandSecretRef; secret != nil {
			member.Secret = types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name}
		}
		m.members = append(m.members, member)
		m.drivers[pv.Spec.CSI.Driver] = true
		if size := pv.Spec.Capacity.Storage().Value(); size > 0 {
			m.sizes[pvc.Name] = size
		}
		if !pvc.DeletionTimestamp.IsZero() {
			m.ends(pvc, "the PVC is being deleted"+state.WaitsFor(", waiting for ", pvc))
		} else if !pv.DeletionTimestamp.IsZero() {
			m.ends(pvc, fmt.Sprintf("its PersistentVolume %s is being deleted%s", pv.Name, state.WaitsFor(", waiting for ", &pv)))
		}
	}
	return nil
}

func (m *memberSorter) ends(pvc *corev1.PersistentVolumeClaim, why string) {
	if m.terminating == nil {
		m.terminating = map[string]string{}
	}
	m.terminating[pvc.Name] = why
}

func (m *memberSorter) refuse(pvc *corev1.PersistentVolumeClaim, reason, why string) {
	if m.reasons == nil {
		m.reasons = map[string][]string{}
	}
	m.reasons[reason] = append(m.reasons[reason], fmt.Sprintf("%s (%s)", pvc.Name, why))
	if m.inGroup(pvc.Name) {
		m.left = append(m.left, pvc.Name)
	}
	m.refused = append(m.refused, vgrv1.VolumeStatus{
		Name: pvc.Name, VolumeName: pvc.Spec.VolumeName, State: vgrv1.StateUnknown, Health: vgrv1.HealthUnknown, Message: "not replicated: " + why,
	})
}

// problem names every refused PVC; its reason is the gravest.
func (m *memberSorter) problem() *backend.Problem {
	order := []string{vgrv1.ReasonVolumeConflict, vgrv1.ReasonForeignDriver, vgrv1.ReasonVolumeNotBound, vgrv1.ReasonVolumeTerminating}
	var reason string
	var all []string
	for _, o := range order {
		if len(m.reasons[o]) == 0 {
			continue
		}
		if reason == "" {
			reason = o
		}
		all = append(all, m.reasons[o]...)
	}
	if reason == "" {
		return m.ending()
	}
	if len(m.left) > 0 {
		return backend.Problemf(reason, "cannot replicate PVC %s; fix that, and leave the group's labels on: without them the replication of %s ends, and its copy may be deleted", strings.Join(all, ", "), strings.Join(m.left, ", "))
	}
	return backend.Problemf(reason, "cannot replicate PVC %s; fix that, or take the group's labels off", strings.Join(all, ", "))
}

// ending names every member that is being deleted.
func (m *memberSorter) ending() *backend.Problem {
	var all []string
	for _, pvc := range slices.Sorted(maps.Keys(m.terminating)) {
		all = append(all, fmt.Sprintf("PVC %s: %s", pvc, m.terminating[pvc]))
	}
	if len(all) == 0 {
		return nil
	}
	return backend.Problemf(vgrv1.ReasonVolumeTerminating, "the group is about to lose volumes: %s; save the data, or take the group's labels off the PVCs if they are to go", strings.Join(all, "; "))
}

// claimant is something that wants a PVC.
type claimant struct {
	name    string
	holds   bool // the backend has the PVC under this name
	created time.Time
}

// before reports whether a claimant's claim is the stronger one: who holds the volume keeps it,
// then who came first.
func (c claimant) before(o claimant) bool {
	if c.holds != o.holds {
		return c.holds
	}
	if !c.created.Equal(o.created) {
		return c.created.Before(o.created)
	}
	return c.name < o.name
}

// claims finds the PVCs that a stronger claimant wants too, and names it.
func (r *Reconciler) claims(ctx context.Context, s target, pvcs []corev1.PersistentVolumeClaim) (map[string]string, error) {
	claimed := map[string]string{}
	for i := range pvcs {
		pvc := &pvcs[i]
		strongest := s.claimant(pvc)
		for _, list := range []client.ObjectList{&vgrv1.VolumeGroupReplicationList{}, &vgrv1.VolumeReplicationList{}} {
			rivals, err := claimants(ctx, r.Client, list, pvc)
			if err != nil {
				return nil, err
			}
			for _, rival := range rivals {
				if c := rival.claimant(pvc); rival.owner != s.owner && (rival.pvcName != "" || rival.matches(pvc)) && c.before(strongest) {
					strongest, claimed[pvc.Name] = c, c.name
				}
			}
		}
	}
	return claimed, nil
}

func (s target) claimant(pvc client.Object) claimant {
	return claimant{name: string(s.owner.Kind) + " " + s.owner.Name, holds: s.inGroup(pvc.GetName()), created: s.obj.GetCreationTimestamp().Time}
}
