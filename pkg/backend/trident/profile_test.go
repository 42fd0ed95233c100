// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/backend/trident"
)

const provisioner = "csi.trident.netapp.io"

func peerRequest(handles map[string]string) backend.PeerRequest {
	r := backend.PeerRequest{Group: &vgrv1.VolumeGroupReplication{}, Class: &vgrv1.VolumeGroupReplicationClass{}}
	r.Class.Spec.Provisioner = provisioner
	r.Class.Spec.Parameters = map[string]string{"replicationSchedule": "5min"}
	r.Group.Namespace, r.Group.Name = "default", "g"
	r.Group.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}
	for _, name := range []string{"data", "log"} {
		v := backend.PeerVolume{}
		v.PVC.Namespace, v.PVC.Name, v.PVC.Labels = "default", name, map[string]string{"app": "db"}
		v.PVC.Annotations = map[string]string{"pv.kubernetes.io/bind-completed": "yes"}
		v.PVC.Spec.VolumeName, v.PVC.Spec.StorageClassName = "pv-"+name, new("nas")
		v.PV.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: provisioner}
		r.Volumes = append(r.Volumes, v)
		r.Group.Status.Volumes = append(r.Group.Status.Volumes, vgrv1.VolumeStatus{Name: name, ReplicationHandle: handles[name]})
	}
	return r
}

// TestPeerObjects: on the peer, a Mirror comes before the PVC that names it, and the group comes last.
func TestPeerObjects(t *testing.T) {
	objs, err := trident.Profile().PeerObjects(peerRequest(map[string]string{"data": "svm:data", "log": "svm:log"}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range objs {
		line := fmt.Sprintf("%T %s", o, o.GetName())
		switch o := o.(type) {
		case *trident.Mirror:
			line += fmt.Sprintf(" %s %s %s", o.Spec.State, o.Spec.ReplicationSchedule, o.Spec.VolumeMappings[0].RemoteVolumeHandle)
		case *corev1.PersistentVolumeClaim:
			line += fmt.Sprintf(" %s %q %v %v", *o.Spec.StorageClassName, o.Spec.VolumeName, o.Labels, o.Annotations)
		case *vgrv1.VolumeGroupReplication:
			line += fmt.Sprintf(" %s", o.Spec.ReplicationState)
		}
		got = append(got, line)
	}
	want := []string{
		`*trident.Mirror data established 5min svm:data`,
		`*v1.PersistentVolumeClaim data nas "" map[app:db] map[trident.netapp.io/mirrorRelationship:data]`,
		`*trident.Mirror log established 5min svm:log`,
		`*v1.PersistentVolumeClaim log nas "" map[app:db] map[trident.netapp.io/mirrorRelationship:log]`,
		`*v1alpha2.VolumeGroupReplication g secondary`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPeerObjectsTooEarly: without the handle of each volume nothing is made.
func TestPeerObjectsTooEarly(t *testing.T) {
	objs, err := trident.Profile().PeerObjects(peerRequest(map[string]string{"data": "svm:data"}))
	if len(objs) > 0 || err == nil || !strings.Contains(err.Error(), "handle of PVC log") {
		t.Errorf("%d objects, %v", len(objs), err)
	}
	r := peerRequest(map[string]string{"data": "svm:data", "log": "svm:log"})
	r.Volumes[1].PV.Spec.CSI.Driver = "csi.example.com"
	if _, err := trident.Profile().PeerObjects(r); err == nil || !strings.Contains(err.Error(), "PVC log is not a volume of") {
		t.Errorf("another driver's volume: %v", err)
	}
}

// TestPeerObjectsAreTaken: Trident's CRDs accept what is made for the peer, and the controller there
// takes it for its own.
func TestPeerObjectsAreTaken(t *testing.T) {
	c := newCluster(t)
	objs, err := trident.Profile().PeerObjects(peerRequest(map[string]string{"data": "svm:data", "log": "svm:log"}))
	c.must(err)
	for _, o := range objs {
		if m, ok := o.(*trident.Mirror); ok {
			c.must(c.Create(t.Context(), m))
		}
	}
	c.says("established", "data", "log")
	if obs := c.drive(twoVolumes(vgrv1.Secondary)); !obs.Current || obs.State != vgrv1.StateSecondary {
		t.Errorf("as target: %+v", obs)
	}
}

func TestCheckParameters(t *testing.T) {
	for name, tc := range map[string]struct {
		params map[string]string
		want   string
	}{
		"known":            {map[string]string{"replicationPolicy": "MirrorAllSnapshots", "replicationSchedule": "5min", "schedulingInterval": "5m", "consistencyGroup": "disabled"}, ""},
		"one group":        {map[string]string{"consistencyGroup": "enabled"}, `consistencyGroup is "enabled"; trident can do: disabled`},
		"synchronous":      {map[string]string{"replicationPolicy": "Sync"}, "nothing is lost"},
		"group snapshots":  {map[string]string{"groupSnapshots": "yes"}, `groupSnapshots is "yes"`},
		"an odd interval":  {map[string]string{"schedulingInterval": "often"}, `schedulingInterval is "often"`},
		"of another array": {map[string]string{"remoteSystem": "x"}, `"remoteSystem" is not known`},
	} {
		got := trident.Profile().CheckParameters(backend.Class{Parameters: tc.params})
		if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.Contains(got[0].Message, tc.want)) {
			t.Errorf("%s: %v, want %q", name, got, tc.want)
		}
	}
}

// TestRehearsal: the refusal says why, and what Trident itself has for it.
func TestRehearsal(t *testing.T) {
	r := trident.Profile().Rehearsal
	if why := r.Refuses(provisioner); !strings.Contains(why, "FlexClone of a snapshot that SnapMirror has transferred") || !strings.Contains(why, "none was ever tried on ONTAP") {
		t.Error(why)
	}
	if instead := r.Instead(provisioner); !strings.Contains(instead, "docs/rehearse.md") {
		t.Error(instead)
	}
}
