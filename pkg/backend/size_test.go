// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package backend_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/drivers"
)

// TestPeerSize: every backend prepares a claim of the size that the volume has now, whatever was asked for once, or is
// asked for and not there yet.
func TestPeerSize(t *testing.T) {
	for _, profile := range drivers.Profiles() {
		driver := profile.Provisioners[0]
		for _, asked := range []string{"1Gi", "3Gi"} {
			v := backend.PeerVolume{}
			v.PVC.Namespace, v.PVC.Name, v.PV.Name = "prod", "data", "pv-data"
			v.PVC.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(asked)}
			v.PV.Spec.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")}
			v.PV.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: driver, VolumeHandle: "h"}
			v.PV.Annotations = map[string]string{"replication.storage.dell.com/remoteStorageClassName": "fast"}
			r := backend.PeerRequest{
				Group: &vgrv1.VolumeGroupReplication{
					ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "db"},
					Spec:       vgrv1.VolumeGroupReplicationSpec{Selector: &metav1.LabelSelector{}},
					Status:     vgrv1.VolumeGroupReplicationStatus{Volumes: []vgrv1.VolumeStatus{{Name: "data", ReplicationHandle: "svm:data"}}},
				},
				Class: &vgrv1.VolumeGroupReplicationClass{Spec: vgrv1.ClassSpec{Provisioner: driver}}, GroupHandle: "g", Volumes: []backend.PeerVolume{v},
			}
			objs, err := profile.PeerObjects(r)
			if err != nil {
				t.Fatalf("%s: %v", profile.Name, err)
			}
			found := false
			for _, o := range objs {
				if pvc, ok := o.(*corev1.PersistentVolumeClaim); ok {
					found = true
					if got := pvc.Spec.Resources.Requests.Storage().String(); got != "2Gi" {
						t.Errorf("%s: asked for %s: %s", profile.Name, asked, got)
					}
				}
			}
			if !found {
				t.Errorf("%s makes no claim", profile.Name)
			}
		}
	}
}
