// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

// replications implements backend.Profile.Replications. The adapter finds the Mirror of a PVC whichever tool has
// made it; handed over, it also leaves with a group that is deleted with its replication.
func replications(ctx context.Context, c client.Reader, namespace string) ([]backend.Replication, error) {
	var mirrors MirrorList
	if err := c.List(ctx, &mirrors, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	return replicationsOf(mirrors.Items), nil
}

// replicationsOf reads the Mirrors of one namespace or of all.
func replicationsOf(mirrors []Mirror) []backend.Replication {
	claim := func(m *Mirror) client.ObjectKey {
		return client.ObjectKey{Namespace: m.Namespace, Name: m.mapping().LocalPVCName}
	}
	inMirrors := map[client.ObjectKey]int{}
	for i := range mirrors {
		inMirrors[claim(&mirrors[i])]++
	}
	var out []backend.Replication
	for i := range mirrors {
		m := &mirrors[i]
		r := backend.Replication{
			Object: m, PVC: m.mapping().LocalPVCName, State: vgrv1.Secondary, RoleField: "state",
			Class: backend.Class{Name: Name, Provisioner: "csi.trident.netapp.io", Parameters: map[string]string{}},
		}
		r.Handle, r.PeerHandle = m.said().LocalVolumeHandle, m.mapping().RemoteVolumeHandle
		if m.Spec.State == promoted {
			r.State = vgrv1.Primary
		}
		for key, value := range map[string]string{replicationPolicy: m.Spec.ReplicationPolicy, replicationSchedule: m.Spec.ReplicationSchedule} {
			if value != "" {
				r.Class.Parameters[key] = value
			}
		}
		switch said := m.said().State; {
		case !m.DeletionTimestamp.IsZero():
			r.NotAdoptable = "it is being deleted"
		case keeper(m) != "":
			r.NotAdoptable = keeper(m) + " controls it; two controllers would manage one volume"
		case inMirrors[claim(m)] > 1:
			r.NotAdoptable = fmt.Sprintf("PVC %s is in %d objects of its kind; Trident serves only one", r.PVC, inMirrors[claim(m)])
		case said != m.Spec.State && (!follows(said) || !follows(m.Spec.State)):
			r.NotAdoptable = fmt.Sprintf("it asks for %q, and Trident says %q", m.Spec.State, said)
		}
		out = append(out, r)
	}
	return out
}
