// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// defaultPrefix is the prefix of Dell's labels, and of its StorageClass parameters.
const defaultPrefix = "replication.storage.dell.com"

// Labels of a PersistentVolume, after the prefix.
const (
	groupLabel     = "/replicationGroupName"
	managedByLabel = "/managed-by"
)

// reading is everything that is known of a group on this site.
type reading struct {
	group backend.Group
	// rg is nil while none is found; problem says why, or why it may not be asked for anything.
	rg      *ReplicationGroup
	problem *backend.Problem
	// mode is that of the StorageClass; empty when it does not say.
	mode string
	now  time.Time
}

func prefixOf(c backend.Class) string {
	if p := c.Parameters[prefixParameter]; p != "" {
		return p
	}
	return defaultPrefix
}

// read finds the one replication group that has exactly the members as its volumes.
func (a *Adapter) read(ctx context.Context, g backend.Group) (reading, error) {
	in := reading{group: g, now: a.clock.Now()}
	members, err := a.memberVolumes(ctx, g)
	if err != nil {
		return in, err
	}
	names, problem := groupsNamed(g, members)
	if in.problem = problem; len(names) == 0 {
		return in, nil
	}
	var rg ReplicationGroup
	err = a.client.Get(ctx, client.ObjectKey{Name: names[0]}, &rg)
	if apierrors.IsNotFound(err) {
		in.problem = cmp.Or(problem, backend.Problemf(vgrv1.ReasonProgressing, "the volumes name %s %s, which does not exist", replicationGroupKind, names[0]))
		return in, nil
	}
	if err != nil {
		return in, err
	}
	same, err := a.twins(ctx, &rg)
	if err != nil {
		return in, err
	}
	if len(names) > 1 {
		in.problem = cmp.Or(split(names, same, &rg), problem)
		return in, nil
	}
	in.rg = &rg
	if err := a.checkClass(ctx, &in, members); err != nil {
		return in, err
	}
	all, err := a.volumesOf(ctx, same...)
	in.problem = cmp.Or(terminating(&rg), foreign(g, same, all), in.problem)
	return in, err
}

// split returns the problem of members that name several replication groups, all of which stand for the same group of the array.
func split(names, same []string, rg *ReplicationGroup) *backend.Problem {
	if slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(same, name) }) {
		return nil
	}
	return backend.Problemf(vgrv1.ReasonObjectConflict, "the PVCs are in %ss %s, which stand for one group of the array, %s; delete neither: that deletes the group on the array",
		replicationGroupKind, strings.Join(names, " and "), rg.Spec.ProtectionGroupID)
}

// terminating returns the problem of a replication group that is being deleted: it must not be asked for anything any more.
func terminating(rg *ReplicationGroup) *backend.Problem {
	if rg.DeletionTimestamp.IsZero() {
		return nil
	}
	return backend.Problemf(vgrv1.ReasonBackendError, "%s %s is being deleted, which deletes the group on the array%s", replicationGroupKind, rg.Name, state.WaitsFor(". It waits for ", rg))
}

// memberVolumes returns those of the members that are there.
func (a *Adapter) memberVolumes(ctx context.Context, g backend.Group) ([]corev1.PersistentVolume, error) {
	var out []corev1.PersistentVolume
	for _, m := range g.Members {
		var pv corev1.PersistentVolume
		if err := a.client.Get(ctx, client.ObjectKey{Name: m.PV}, &pv); apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			return nil, err
		}
		out = append(out, pv)
	}
	return out, nil
}

// groupsNamed returns the replication groups that the members' volumes name, and the problem with that unless it is one.
func groupsNamed(g backend.Group, volumes []corev1.PersistentVolume) ([]string, *backend.Problem) {
	prefix := prefixOf(g.Class)
	members := map[string]string{}
	for _, m := range g.Members {
		members[m.PV] = m.PVC
	}
	named := map[string][]string{}
	for i := range volumes {
		pvc, wanted := members[volumes[i].Name]
		if !wanted {
			continue
		}
		if volumes[i].Labels[prefix+managedByLabel] == "csi-addons" {
			return nil, backend.Problemf(vgrv1.ReasonForeignDriver, "PVC %s is replicated through csi-addons; use a class with the parameter %s: csi-addons", pvc, vgrv1.ParameterBackend)
		}
		rg := volumes[i].Labels[prefix+groupLabel]
		named[rg] = append(named[rg], pvc)
	}
	if without := named[""]; len(without) > 0 {
		slices.Sort(without)
		return nil, backend.Problemf(vgrv1.ReasonProgressing,
			"Dell's sidecar has put %s into no replication group; it never does for a StorageClass without %s/isReplicationEnabled and remoteStorageClassName, or with Metro", strings.Join(without, ", "), prefix)
	}
	names := slices.Sorted(maps.Keys(named))
	switch {
	case len(names) == 0:
		return nil, backend.Problemf(vgrv1.ReasonProgressing, "no volume of the group is known yet")
	case len(names) > 1:
		return names, backend.Problemf(vgrv1.ReasonObjectConflict, "the PVCs are in %d replication groups (%s); an action moves one whole group, so each needs a group of its own", len(names), strings.Join(names, ", "))
	case g.Source != nil && g.Source.Name != names[0]:
		return nil, backend.Problemf(vgrv1.ReasonSourceInvalid, "spec.source names %s, the PVCs are in %s", g.Source.Name, names[0])
	default:
		return names, nil
	}
}

// foreign returns the volumes of replication groups that stand for the same group of the array, and are no members: an action
// would move them too.
func foreign(g backend.Group, same []string, volumes []corev1.PersistentVolume) *backend.Problem {
	prefix := prefixOf(g.Class)
	var others []string
	for i := range volumes {
		pv := &volumes[i]
		member := slices.ContainsFunc(g.Members, func(m backend.Member) bool { return m.PV == pv.Name })
		if member || !slices.Contains(same, pv.Labels[prefix+groupLabel]) {
			continue
		}
		if ref := pv.Spec.ClaimRef; ref != nil {
			others = append(others, ref.Namespace+"/"+ref.Name)
		} else {
			others = append(others, fmt.Sprintf("volume %s, which no PVC uses", pv.Name))
		}
	}
	if len(others) == 0 {
		return nil
	}
	slices.Sort(others)
	groups := replicationGroupKind + " " + same[0] + " has"
	if len(same) > 1 {
		groups = fmt.Sprintf("%ss %s, one group of the array, have", replicationGroupKind, strings.Join(same, " and "))
	}
	return backend.Problemf(vgrv1.ReasonObjectConflict, "%s more volumes than the selector: %s; an action would move them too%s", groups, strings.Join(others, ", "), joining(g, others))
}

// joining is the command that takes PVCs into the group, whose volumes the array moves with it in any case; empty where
// they cannot join.
func joining(g backend.Group, others []string) string {
	var names []string
	for _, other := range others {
		name, same := strings.CutPrefix(other, g.Owner.Namespace+"/")
		if !same {
			return ""
		}
		names = append(names, name)
	}
	if g.Selector == nil || len(g.Selector.MatchExpressions) > 0 || len(g.Selector.MatchLabels) == 0 {
		return ""
	}
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(g.Selector.MatchLabels)) {
		labels = append(labels, key+"="+g.Selector.MatchLabels[key])
	}
	return fmt.Sprintf("; to take them into the group, on both sites: kubectl label pvc -n %s %s %s", g.Owner.Namespace, strings.Join(names, " "), strings.Join(labels, " "))
}

// checkClass compares what the class asserts with the StorageClass, which is where it is decided.
func (a *Adapter) checkClass(ctx context.Context, in *reading, volumes []corev1.PersistentVolume) error {
	i := slices.IndexFunc(volumes, func(pv corev1.PersistentVolume) bool {
		return pv.Name == in.group.Members[0].PV
	})
	if i < 0 {
		return nil
	}
	var class storagev1.StorageClass
	if err := a.client.Get(ctx, client.ObjectKey{Name: volumes[i].Spec.StorageClassName}, &class); apierrors.IsNotFound(err) {
		return nil // it may have been deleted since; the volumes stay what they are
	} else if err != nil {
		return err
	}
	in.mode = strings.ToUpper(class.Parameters[prefixOf(in.group.Class)+"/mode"])
	in.problem = assert(in.group.Class, &class)
	return nil
}
