// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// held implements backend.Profile.Held.
func held(ctx context.Context, c client.Reader, namespace string, pvcs []string) ([]backend.Held, error) {
	var mirrors MirrorList
	if err := c.List(ctx, &mirrors, client.InNamespace(namespace)); err != nil {
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
			return nil, nil // Trident is not installed
		}
		return nil, err
	}
	var out []backend.Held
	for i := range mirrors.Items {
		if m := &mirrors.Items[i]; slices.Contains(pvcs, m.mapping().LocalPVCName) {
			out = append(out, heldBy(m))
		}
	}
	return out, nil
}

// heldBy returns what a Mirror says of itself. Every Mirror that asks for anything but promoted has the volume follow.
func heldBy(m *Mirror) backend.Held {
	h := backend.Held{
		PVC: m.mapping().LocalPVCName, Object: mirrorKind + " " + m.Name, Role: vgrv1.StateSecondary, Says: fmt.Sprintf("asks for %s", m.Spec.State),
		Deleting: !m.DeletionTimestamp.IsZero(), Open: true, Migrates: true,
	}
	if handle := m.mapping().RemoteVolumeHandle; handle != "" {
		h.Says += " and follows " + handle
	}
	if owners := backend.OwnersOf(m); len(owners) > 0 {
		h.Owner = owners[0]
	}
	if by := keeper(m); by != "" {
		h.Keeper, h.Open, h.Migrates = by, false, false
	}
	if m.Spec.State != promoted {
		return h
	}
	h.Role = vgrv1.StatePrimary
	if said := m.said().State; follows(said) || said == establishing || said == reestablishing {
		h.Role, h.Says = vgrv1.StateUnknown, fmt.Sprintf("asks for %s, and Trident says %s", promoted, said)
	}
	return h
}

// keeper returns who decides over a Mirror; empty for who wrote it by hand. Trident Protect makes Mirrors for its
// AppMirrorRelationships.
func keeper(m *Mirror) string {
	mark := backend.Mark(m, "protect.trident.netapp.io")
	switch c := metav1.GetControllerOf(m); {
	case mark != "":
		return fmt.Sprintf("Trident Protect (%s)", mark)
	case c != nil:
		return c.Kind + " " + c.Name
	default:
		return ""
	}
}

// unlike implements backend.Profile.Unlike. A Mirror that follows another volume brings that volume's data, and Trident
// never changes what it follows; a PVC that was there before its Mirror cannot become a copy, unless it was a source.
func unlike(wanted, there []client.Object) string {
	exists := map[string]*Mirror{}
	for i := range wanted {
		w, ok := wanted[i].(*Mirror)
		if !ok || there[i] == nil {
			continue
		}
		t, ok := there[i].(*Mirror)
		if !ok {
			continue
		}
		exists[w.Name] = t
		asks, has := w.mapping(), t.mapping()
		switch {
		case has.LocalPVCName != asks.LocalPVCName:
			return fmt.Sprintf("%s %s is for PVC %s, not %s", mirrorKind, w.Name, has.LocalPVCName, asks.LocalPVCName)
		case t.Spec.State == promoted:
			return fmt.Sprintf("%s %s asks for %s", mirrorKind, w.Name, promoted)
		case asks.RemoteVolumeHandle != "":
			for _, handle := range []string{has.RemoteVolumeHandle, cmp.Or(t.said().RemoteVolumeHandle, asks.RemoteVolumeHandle)} {
				if handle != asks.RemoteVolumeHandle {
					return fmt.Sprintf("%s %s follows %s, the volume of PVC %s is %s", mirrorKind, w.Name, handle, asks.LocalPVCName, asks.RemoteVolumeHandle)
				}
			}
		}
	}
	for i := range wanted {
		claim, ok := wanted[i].(*corev1.PersistentVolumeClaim)
		if !ok || there[i] == nil {
			continue
		}
		if difference := unlikeClaim(claim, there[i], exists[claim.Annotations[annotationMirror]]); difference != "" {
			return difference
		}
	}
	return ""
}

// unlikeClaim compares a PVC with the copy that is wanted. One that was a source has no annotation that names its Mirror:
// there Trident says that the volume follows.
func unlikeClaim(wanted, there client.Object, m *Mirror) string {
	switch {
	case m == nil:
		return fmt.Sprintf("PVC %s exists without a %s; Trident makes a copy only for a PVC that comes after it", wanted.GetName(), mirrorKind)
	case there.GetAnnotations()[annotationMirror] == m.Name:
		return ""
	}
	switch said := m.said().State; said {
	case established, reestablished, establishing, reestablishing:
		return ""
	default:
		return fmt.Sprintf("PVC %s was not made as the copy of %s %s, of which Trident says %q", wanted.GetName(), mirrorKind, m.Name, said)
	}
}

// ending implements backend.Profile.Ending.
func ending() map[vgrv1.State]string {
	return map[vgrv1.State]string{
		vgrv1.StatePrimary:   "Trident releases the relationships at the source: the copies on the other site may get no more updates",
		vgrv1.StateSecondary: "Trident breaks the relationships: the copies here become writable and get no more updates; a new copy needs new PVCs",
	}
}
