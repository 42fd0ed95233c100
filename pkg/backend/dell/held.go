// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// held implements backend.Profile.Held: the replication group of each PVC, which its volume names.
func held(ctx context.Context, c client.Reader, namespace string, pvcs []string) ([]backend.Held, error) {
	var out []backend.Held
	groups := map[string]*ReplicationGroup{}
	for _, name := range pvcs {
		var pvc corev1.PersistentVolumeClaim
		if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &pvc); apierrors.IsNotFound(err) || err == nil && pvc.Spec.VolumeName == "" {
			continue
		} else if err != nil {
			return nil, err
		}
		var pv corev1.PersistentVolume
		if err := c.Get(ctx, client.ObjectKey{Name: pvc.Spec.VolumeName}, &pv); apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			return nil, err
		}
		for _, named := range groupsOf(&pv) {
			if _, read := groups[named]; !read {
				var rg ReplicationGroup
				switch err := c.Get(ctx, client.ObjectKey{Name: named}, &rg); {
				case err == nil:
					groups[named] = &rg
				case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
					groups[named] = nil
				default:
					return nil, err
				}
			}
			if rg := groups[named]; rg != nil {
				out = append(out, heldBy(rg, name))
			}
		}
	}
	return out, nil
}

// heldBy returns the role of a PVC as the array last told it.
func heldBy(rg *ReplicationGroup, pvc string) backend.Held {
	link := rg.Status.ReplicationLinkState
	h := backend.Held{PVC: pvc, Object: replicationGroupKind + " " + rg.Name, Deleting: !rg.DeletionTimestamp.IsZero(), Open: true}
	switch {
	case busy(rg) != "":
		h.Role, h.Says = vgrv1.StateUnknown, fmt.Sprintf("runs the action %s", busy(rg))
	case link.LastSuccessfulUpdate == nil:
		h.Says = "has not reported which site is the source"
	case link.State == linkInvalid, link.State == linkUnknown, link.State == linkEmpty, link.State == "":
		h.Role, h.Says = vgrv1.StateUnknown, fmt.Sprintf("has the link state %q", link.State)
	case link.IsSource:
		h.Role, h.Says = vgrv1.StatePrimary, "is the source"
	default:
		h.Role, h.Says = vgrv1.StateSecondary, "is the target"
	}
	return h
}
