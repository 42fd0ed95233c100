// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// growth is what an object of the peer says of a copy's size, and what it is to say since the source was resized.
type growth struct {
	from, to resource.Quantity
	// field is the patch of spec that says so.
	field string
}

// outgrown compares the sizes of an object that exists on the peer and of the wanted one; made are the names of the volumes
// that create makes itself: the others belong to their drivers, which alone know their sizes. It is pure.
func outgrown(wanted, there client.Object, made map[string]bool) (growth, bool) {
	g := growth{}
	switch w := wanted.(type) {
	case *corev1.PersistentVolume:
		t, ok := there.(*corev1.PersistentVolume)
		if !ok {
			return g, false
		}
		g.from, g.to, g.field = t.Spec.Capacity[corev1.ResourceStorage], w.Spec.Capacity[corev1.ResourceStorage], `{"capacity":{"storage":%q}}`
	case *corev1.PersistentVolumeClaim:
		t, ok := there.(*corev1.PersistentVolumeClaim)
		if !ok || !made[w.Spec.VolumeName] {
			return g, false
		}
		g.from, g.to, g.field = t.Spec.Resources.Requests[corev1.ResourceStorage], w.Spec.Resources.Requests[corev1.ResourceStorage], `{"resources":{"requests":{"storage":%q}}}`
	}
	return g, g.from.Cmp(g.to) < 0
}

// grows returns the growth of one of the peer's objects.
func (s *seen) grows(i int) (growth, bool) {
	if s.peerHas[i] == nil {
		return growth{}, false
	}
	made := map[string]bool{}
	for _, w := range s.peerObjects {
		if pv, ok := w.(*corev1.PersistentVolume); ok {
			made[pv.Name] = true
		}
	}
	return outgrown(s.peerObjects[i], s.peerHas[i], made)
}

// grow has one of the peer's objects tell the size that its source has by now: the storage has given the copy that size
// with the data. The group works without, so it is no reason to stop.
func (s *seen) grow(ctx context.Context, e *cli.Env, at *site.Site, cl client.Client, i int) error {
	g, ok := s.grows(i)
	if !ok {
		return nil
	}
	there, what := s.peerHas[i], s.peerObjects[i].GetObjectKind().GroupVersionKind().Kind+" "+s.peerObjects[i].GetName()
	patch := fmt.Sprintf(`{"metadata":{"uid":%q},"spec":%s}`, there.GetUID(), fmt.Sprintf(g.field, g.to.String()))
	if err := cl.Patch(ctx, there, client.RawPatch(types.MergePatchType, []byte(patch)), site.FieldManager); err != nil {
		_, cause := collect.Explain(at, err)
		fmt.Fprintf(e.ErrOut, "  - %s\n", present.Clean(fmt.Sprintf("cannot write the size %s of its source on %s on %s, which says %s: %s", g.to.String(), what, at.Name, g.from.String(), cause)))
		return ctx.Err()
	}
	fmt.Fprintf(e.ErrOut, "  %s\n", present.Clean(fmt.Sprintf("%s: %s has %s now, as its source, and not %s", at.Name, what, g.to.String(), g.from.String())))
	return nil
}
