// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// annotationMirror on a PVC names the relationship that its volume is to be the destination of.
const annotationMirror = "trident.netapp.io/mirrorRelationship"

// Create makes a volume for a claim: writable, or the empty destination of a relationship, which has
// to be there before.
func (t *Trident) Create(ctx context.Context, claim *corev1.PersistentVolumeClaim, _ map[string]string) (*corev1.CSIPersistentVolumeSource, error) {
	list, err := t.dynamic.Resource(relationships()).Namespace(claim.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var of []*relationship
	for i := range list.Items {
		r, err := read[relationship](&list.Items[i])
		if err != nil {
			return nil, err
		}
		if r.Spec.VolumeMappings[0].LocalPVCName == claim.Name {
			of = append(of, r)
		}
	}
	if len(of) > 1 {
		return nil, fmt.Errorf("multiple TMRs refer to PVC %s", claim.Name)
	}
	dp := false
	if name := claim.Annotations[annotationMirror]; name != "" {
		if len(of) == 0 || of[0].Name != name {
			return nil, fmt.Errorf("the TMR %s for PVC %s does not exist", name, claim.Name)
		}
		dp = of[0].Spec.State != promoted && of[0].Spec.VolumeMappings[0].RemoteVolumeHandle != ""
	}
	pv := "pvc-" + string(claim.UID)
	t.ONTAP.Create(Handle(t.Site, internalName(pv)), dp)
	return &corev1.CSIPersistentVolumeSource{
		Driver: Name, VolumeHandle: pv,
		VolumeAttributes: map[string]string{
			"backendUUID": "5b2b7a0e-3f6c-4c2c-9d5e-6f0f6f1d2a11", "internalName": internalName(pv), "name": pv, "protocol": "file",
		},
	}, nil
}

// Delete removes the volume behind a PersistentVolume.
func (t *Trident) Delete(pv string) error {
	t.ONTAP.Delete(Handle(t.Site, internalName(pv)))
	return nil
}

// internalName returns how Trident names the volume of a PersistentVolume on ONTAP.
func internalName(pv string) string { return "trident_" + strings.ReplaceAll(pv, "-", "_") }
