// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"strings"
	"testing"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

func at(seconds int) metav1.Time {
	return metav1.NewTime(time.Date(2026, 1, 1, 0, 0, seconds, 0, time.UTC))
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: message, LastTransitionTime: at(1)}
}

// promoted and demoted are the conditions that the csi-addons manager v0.14.0 writes.
func promoted() []metav1.Condition {
	return []metav1.Condition{
		condition("Completed", metav1.ConditionTrue, "Promoted", "volume group is promoted to primary and replicating to secondary"),
		condition("Degraded", metav1.ConditionFalse, "Healthy", "volume group is healthy"),
		condition("Resyncing", metav1.ConditionFalse, "NotResyncing", "volume group is not resyncing"),
		condition("Replicating", metav1.ConditionTrue, "Replicating", "volume group is replicating: "),
	}
}

func demoted() []metav1.Condition {
	return []metav1.Condition{
		condition("Completed", metav1.ConditionTrue, "Demoted", "volume group is demoted to secondary"),
		condition("Degraded", metav1.ConditionTrue, "VolumeDegraded", "volume group is degraded"),
		condition("Resyncing", metav1.ConditionFalse, "NotResyncing", "volume group is not resyncing"),
	}
}

// primaryReading is a healthy primary of two volumes.
func primaryReading() reading {
	sync := at(30)
	bytes := int64(4096)
	vr := &replicationv1.VolumeReplication{
		ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "vr-1", Generation: 2},
		Spec:       replicationv1.VolumeReplicationSpec{ReplicationState: "primary"},
		Status: replicationv1.VolumeReplicationStatus{
			State: "Primary", Message: "volume is marked primary", ObservedGeneration: 2, Conditions: promoted(),
			LastSyncTime: &sync, LastSyncBytes: &bytes,
		},
	}
	return reading{
		group: backend.Group{
			Owner: groupOwner("prod", "db"), State: vgrv1.Primary, Selector: &metav1.LabelSelector{},
			Members: []backend.Member{{PVC: "data", PV: "pv-data", Handle: "h-data"}, {PVC: "logs", PV: "pv-logs", Handle: "h-logs"}},
		},
		backendGroup: &replicationv1.VolumeGroupReplication{
			ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "db", Generation: 3},
			Spec:       replicationv1.VolumeGroupReplicationSpec{ReplicationState: "primary", VolumeGroupReplicationContentName: "content", VolumeReplicationName: "vr-1"},
			Status: replicationv1.VolumeGroupReplicationStatus{
				VolumeReplicationStatus:       replicationv1.VolumeReplicationStatus{State: "Primary", Message: "volume is marked primary", ObservedGeneration: 3, Conditions: promoted()},
				PersistentVolumeClaimsRefList: []corev1.LocalObjectReference{{Name: "logs"}, {Name: "data"}},
			},
		},
		child: vr,
		content: &replicationv1.VolumeGroupReplicationContent{
			ObjectMeta: metav1.ObjectMeta{Name: "content"},
			Spec: replicationv1.VolumeGroupReplicationContentSpec{
				VolumeGroupReplicationHandle: "group-1",
				Source:                       replicationv1.VolumeGroupReplicationContentSource{VolumeHandles: []string{"h-data", "h-logs"}},
			},
			Status: replicationv1.VolumeGroupReplicationContentStatus{PersistentVolumeRefList: []corev1.LocalObjectReference{{Name: "pv-logs"}, {Name: "pv-data"}}},
		},
	}
}

// refuse is what csi-addons says of a driver that takes the handle of a group for that of a volume.
func refuse(in *reading) {
	in.child.Status.State, in.child.Status.Message, in.child.Status.LastSyncTime = "Unknown", "volume 0001-0009-rook-ceph-2-abc not found", nil
	in.child.Status.Conditions = []metav1.Condition{
		condition("Completed", metav1.ConditionFalse, "FailedToPromote", "failed to enable volume replication"),
		condition("Degraded", metav1.ConditionTrue, "Error", "volume group failed to promote: rpc error: code = NotFound desc = volume 0001-0009-rook-ceph-2-abc not found"),
	}
	in.backendGroup.Status.VolumeReplicationStatus = in.child.Status
}

func TestReadGroup(t *testing.T) {
	type want struct {
		Current    bool
		State      vgrv1.State
		Problem    string // a part of the message
		Reason     string
		Consistent metav1.ConditionStatus
		Health     vgrv1.Health // of the first volume
		Synced     bool
		// Replicating is the reason of that condition; not compared when it is empty.
		Replicating string
	}
	cases := map[string]struct {
		change func(*reading)
		want   want
	}{
		"healthy primary": {
			change: func(*reading) {},
			want:   want{Current: true, State: "Primary", Consistent: "True", Health: "Healthy", Synced: true},
		},
		"old status under a new generation is not an answer": {
			// The group already has the request, with its old status stamped with the new
			// generation; the child has not been asked yet.
			change: func(in *reading) {
				in.group.State = vgrv1.Secondary
				in.backendGroup.Spec.ReplicationState = "secondary"
				in.backendGroup.Generation, in.backendGroup.Status.ObservedGeneration = 4, 4
			},
			want: want{State: "Primary", Consistent: "True", Health: "Healthy", Synced: true},
		},
		"the child was asked and has not answered": {
			change: func(in *reading) {
				in.group.State = vgrv1.Secondary
				in.backendGroup.Spec.ReplicationState = "secondary"
				in.child.Spec.ReplicationState, in.child.Generation = "secondary", 3
			},
			want: want{State: "Primary", Consistent: "True", Health: "Healthy", Synced: true},
		},
		"a demoted group drops what is left of the primary era": {
			change: func(in *reading) {
				in.group.State = vgrv1.Secondary
				in.backendGroup.Spec.ReplicationState, in.child.Spec.ReplicationState = "secondary", "secondary"
				in.child.Status.State, in.child.Status.Message = "Secondary", "volume is marked secondary and is degraded"
				in.child.Status.Conditions = append(demoted(), condition("Replicating", metav1.ConditionTrue, "Replicating", "old"))
				in.backendGroup.Status.State, in.backendGroup.Status.Message = "Secondary", in.child.Status.Message
			},
			want: want{Current: true, State: "Secondary", Consistent: "True", Health: "Degraded"},
		},
		"a failure of the group's own pass hides in its message": {
			change: func(in *reading) { in.backendGroup.Status.Message = `persistentvolumes "" not found` },
			want:   want{Current: true, State: "Primary", Consistent: "True", Health: "Healthy", Synced: true, Reason: "BackendError", Problem: `persistentvolumes "" not found`},
		},
		"an update conflict is no failure": {
			change: func(in *reading) {
				in.backendGroup.Status.Message = "Operation cannot be fulfilled on volumegroupreplicationcontents: the object has been modified"
			},
			want: want{Current: true, State: "Primary", Consistent: "True", Health: "Healthy", Synced: true},
		},
		"no volume group yet": {
			change: func(in *reading) {
				in.child, in.backendGroup.Status.VolumeReplicationStatus = nil, replicationv1.VolumeReplicationStatus{}
				in.content.Spec.VolumeGroupReplicationHandle, in.content.Status.PersistentVolumeRefList = "", nil
			},
			want: want{Consistent: "Unknown", Health: "Unknown", Reason: "Progressing", Problem: "csi-addons writes the cause of a failure to its manager's log only"},
		},
		"a volume that joined is not confirmed by the driver": {
			change: func(in *reading) {
				in.group.Members = append(in.group.Members, backend.Member{PVC: "wal", PV: "pv-wal", Handle: "h-wal"})
				in.content.Spec.Source.VolumeHandles = append(in.content.Spec.Source.VolumeHandles, "h-wal")
			},
			want: want{State: "Primary", Consistent: "Unknown", Health: "Healthy", Synced: true, Reason: "Progressing", Problem: "membership of wal"},
		},
		"a volume that left is still there": {
			change: func(in *reading) { in.group.Members = in.group.Members[:1] },
			want:   want{State: "Primary", Consistent: "Unknown", Health: "Healthy", Synced: true, Reason: "Progressing", Problem: "logs (leaving)"},
		},
		"no driver explains silence": {
			change: func(in *reading) {
				in.driverTrouble = "no CSIAddonsNode for driver x"
				in.group.State = vgrv1.Secondary
			},
			want: want{State: "Primary", Consistent: "True", Health: "Healthy", Synced: true, Reason: "BackendError", Problem: "no CSIAddonsNode"},
		},
		"not replicating is not healthy": {
			change: func(in *reading) {
				meta.SetStatusCondition(&in.child.Status.Conditions, condition("Replicating", metav1.ConditionFalse, "NotReplicating", "link down"))
			},
			want: want{Current: true, State: "Primary", Consistent: "True", Health: "Degraded", Synced: true},
		},
		"a driver that reports no status": {
			change: func(in *reading) {
				meta.SetStatusCondition(&in.child.Status.Conditions, condition("Replicating", metav1.ConditionUnknown, "Replicating", "volume replication status is unknown: "))
			},
			want: want{Current: true, State: "Primary", Consistent: "True", Health: "Unknown", Synced: true, Replicating: vgrv1.ReasonStatusNotReported},
		},
		"a driver that reports that it failed to look": {
			change: func(in *reading) {
				meta.SetStatusCondition(&in.child.Status.Conditions, condition("Replicating", metav1.ConditionUnknown, "Replicating", "volume replication status is unknown: rpc error: code = Internal"))
			},
			want: want{Current: true, State: "Primary", Consistent: "True", Health: "Unknown", Synced: true, Replicating: "Replicating"},
		},
		"a driver that refuses to replicate the group": {
			change: func(in *reading) {
				refuse(in)
				in.content.Spec.VolumeGroupReplicationHandle = "0001-0009-rook-ceph-2-abc"
			},
			want: want{Current: true, State: "Unknown", Consistent: "True", Health: "Error", Reason: "GroupRefused", Problem: "kubectl vgr delete db -n prod --end-replication, on both sites"},
		},
		"an error about a volume is none about the group": {
			change: refuse,
			want:   want{Current: true, State: "Unknown", Consistent: "True", Health: "Error"},
		},
		"a driver that creates no group without its place": {
			change: func(in *reading) {
				in.group.Class = backend.Class{Name: "gold", Provisioner: "my-ns.rbd.csi.ceph.com", Parameters: map[string]string{"pool": "p"}}
				in.child, in.backendGroup.Status.VolumeReplicationStatus = nil, replicationv1.VolumeReplicationStatus{}
				in.content.Spec.VolumeGroupReplicationHandle, in.content.Status.PersistentVolumeRefList = "", nil
			},
			want: want{Consistent: "Unknown", Health: "Unknown", Reason: "GroupRefused", Problem: `without the parameter clusterID, which class "gold" does not have`},
		},
		"a driver that creates no groups": {
			change: func(in *reading) {
				in.capabilities = []string{"service.CONTROLLER_SERVICE", "volume_replication.VOLUME_REPLICATION"}
				in.child, in.backendGroup.Status.VolumeReplicationStatus = nil, replicationv1.VolumeReplicationStatus{}
				in.content.Spec.VolumeGroupReplicationHandle, in.content.Status.PersistentVolumeRefList = "", nil
			},
			want: want{Consistent: "Unknown", Health: "Unknown", Reason: "GroupRefused", Problem: "does not list the capability volume_group.VOLUME_GROUP"},
		},
		"validated false lingers on a healthy primary": {
			change: func(in *reading) {
				in.child.Status.Conditions = append(in.child.Status.Conditions, condition("Validated", metav1.ConditionFalse, "PrerequisiteNotMet", "old"))
			},
			want: want{Current: true, State: "Primary", Consistent: "True", Health: "Healthy", Synced: true},
		},
		"the backend group was deleted by somebody": {
			change: func(in *reading) { now := at(9); in.backendGroup.DeletionTimestamp = &now },
			want:   want{Current: true, State: "Primary", Consistent: "True", Health: "Healthy", Synced: true, Reason: "BackendError", Problem: "db is being deleted, which ends the replication"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := primaryReading()
			tc.change(&in)
			obs := readGroup(in)
			got := want{Current: obs.Current, State: obs.State, Health: obs.Volumes[0].Health, Synced: obs.LastSyncTime != nil}
			if obs.Problem != nil {
				got.Reason = obs.Problem.Reason
				if strings.Contains(obs.Problem.Message, tc.want.Problem) {
					got.Problem = tc.want.Problem
				} else {
					got.Problem = obs.Problem.Message
				}
			}
			if c := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionGroupConsistent); c != nil {
				got.Consistent = c.Status
			}
			if c := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionReplicating); c != nil && tc.want.Replicating != "" {
				got.Replicating = c.Reason
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if obs.State != vgrv1.StatePrimary && meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionReplicating) != nil {
				t.Error("Replicating survives on a secondary")
			}
		})
	}
}

func TestReadVolumes(t *testing.T) {
	volume := func(pvc, state string, conditions []metav1.Condition, sync metav1.Time) replicationv1.VolumeReplication {
		return replicationv1.VolumeReplication{
			ObjectMeta: metav1.ObjectMeta{Name: "db-" + pvc, Generation: 1},
			Spec:       replicationv1.VolumeReplicationSpec{ReplicationState: "primary", DataSource: corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: pvc}},
			Status:     replicationv1.VolumeReplicationStatus{State: replicationv1.State(state), ObservedGeneration: 1, Conditions: conditions, LastSyncTime: &sync},
		}
	}
	failed := []metav1.Condition{
		condition("Completed", metav1.ConditionFalse, "FailedToPromote", "failed to promote volume"),
		condition("Degraded", metav1.ConditionTrue, "Error", "volume failed to promote: boom"),
	}
	in := reading{group: backend.Group{
		Owner: groupOwner("prod", "db"), State: vgrv1.Primary, Selector: &metav1.LabelSelector{},
		Members: []backend.Member{{PVC: "data"}, {PVC: "logs"}},
	}}

	in.volumes = []replicationv1.VolumeReplication{volume("data", "Primary", promoted(), at(20)), volume("logs", "Primary", promoted(), at(10))}
	obs := readVolumes(in)
	if !obs.Current || obs.State != vgrv1.StatePrimary || !obs.LastSyncTime.Equal(new(at(10))) {
		t.Errorf("all primary: current %v, state %v, oldest sync %v", obs.Current, obs.State, obs.LastSyncTime)
	}
	if c := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionGroupConsistent); c.Status != metav1.ConditionFalse || c.Reason != vgrv1.ReasonPerVolume ||
		!strings.Contains(c.Message, "a planned failover is consistent") || strings.Contains(c.Message, "groupConsistency") {
		t.Errorf("volumes one by one are not consistent as a group: %+v", c)
	}
	in.group.Class = backend.Class{Name: "gold", Parameters: map[string]string{"groupConsistency": "crash"}}
	if c := meta.FindStatusCondition(readVolumes(in).Conditions, vgrv1.ConditionGroupConsistent); !strings.Contains(c.Message, `groupConsistency "crash" of class "gold" holds for each volume, not for the group`) {
		t.Errorf("the addendum's sample: %+v", c)
	}

	in.volumes[1] = volume("logs", "Unknown", failed, at(10))
	obs = readVolumes(in)
	if obs.State != vgrv1.StateUnknown {
		t.Errorf("mixed members: state %v, want Unknown", obs.State)
	}
	c := meta.FindStatusCondition(obs.Conditions, vgrv1.ConditionCompleted)
	if c.Status != metav1.ConditionFalse || !strings.HasPrefix(c.Message, "logs: ") {
		t.Errorf("the failed member must stand for the group and be named: %+v", c)
	}

	in.volumes[1] = volume("logs", "Primary", promoted(), at(10))
	in.volumes[1].DeletionTimestamp = new(at(40))
	if obs = readVolumes(in); obs.Problem == nil || !strings.Contains(obs.Problem.Message, "VolumeReplication db-logs is being deleted") {
		t.Errorf("a VolumeReplication that is being deleted: %+v", obs.Problem)
	}

	in.volumes = in.volumes[:1]
	if obs = readVolumes(in); obs.Current {
		t.Error("a member without a VolumeReplication must not be current")
	}
}

// TestLayout: Ceph's volumes are replicated each on its own unless the class says otherwise, and what was made stays.
func TestLayout(t *testing.T) {
	const ceph, rook, other = "rbd.csi.ceph.com", "my-ns.rbd.csi.ceph.com", "block.csi.ibm.com"
	made := &replicationv1.VolumeGroupReplication{}
	one := []replicationv1.VolumeReplication{{}}
	content := &corev1.TypedLocalObjectReference{Kind: "VolumeGroupReplicationContent", Name: "c"}
	for name, tc := range map[string]struct {
		driver, parameter string
		there             found
		source            *corev1.TypedLocalObjectReference
		served            string
		single, want      bool
	}{
		"Ceph":                                  {driver: ceph},
		"Rook":                                  {driver: rook},
		"Ceph, enabled":                         {driver: ceph, parameter: "enabled", want: true},
		"Rook, enabled":                         {driver: rook, parameter: "enabled", want: true},
		"Ceph, disabled":                        {driver: ceph, parameter: "disabled"},
		"another driver":                        {driver: other, want: true},
		"another driver, disabled":              {driver: other, parameter: "disabled"},
		"a group of the old default":            {driver: ceph, there: found{group: made}, want: true},
		"a class that says otherwise by now":    {driver: ceph, parameter: "disabled", there: found{group: made}, want: true},
		"volumes, enabled by now":               {driver: ceph, parameter: "enabled", there: found{volumes: one}},
		"the peer's group of the old default":   {driver: ceph, source: content, want: true},
		"a group that another tool has deleted": {driver: ceph, served: groupKind, want: true},
		"an object of another backend before":   {driver: ceph, served: "DellCSIReplicationGroup"},
		"a single volume":                       {driver: other, single: true},
	} {
		g := backend.Group{Owner: groupOwner("prod", "db"), Source: tc.source, Class: backend.Class{Name: "gold", Provisioner: tc.driver}}
		if tc.parameter != "" {
			g.Class.Parameters = map[string]string{vgrv1.ParameterConsistencyGroup: tc.parameter}
		}
		if tc.served != "" {
			g.Served = &vgrv1.BackendReference{Kind: tc.served}
		}
		if tc.single {
			g.Owner.Kind = backend.VolumeReplicationKind
		}
		if got := tc.there.grouped(g); got != tc.want {
			t.Errorf("%s: one group is %v, want %v", name, got, tc.want)
		}
	}
}

func TestCheckParameters(t *testing.T) {
	cases := map[string]struct {
		driver string // Ceph when empty
		params map[string]string
		want   string // part of the only problem; empty for none
	}{
		"addendum sample": {params: map[string]string{
			"mirroringMode": "snapshot", "schedulingInterval": "5m", "groupConsistency": "crash",
			secretName: "rbd-secret", secretNamespace: "rook-ceph",
		}},
		"one by one by journal":   {params: map[string]string{"consistencyGroup": "disabled", "mirroringMode": "journal"}},
		"by journal":              {params: map[string]string{"mirroringMode": "journal"}},
		"group by journal":        {params: map[string]string{"consistencyGroup": "enabled", "clusterID": "c", "pool": "p", "mirroringMode": "journal"}, want: "snapshots only"},
		"group without its place": {params: map[string]string{"consistencyGroup": "enabled"}, want: "needs parameter clusterID and pool, of the StorageClass"},
		"group without its pool":  {params: map[string]string{"consistencyGroup": "enabled", "clusterID": "c"}, want: "needs parameter pool, of"},
		"misspelt key":            {params: map[string]string{"schedulingIntervall": "5m"}, want: `"schedulingIntervall" is not known`},
		"reserved key":            {params: map[string]string{reservedPrefix + "foo": "x"}, want: "is not known"},
		"interval in hours as Go": {params: map[string]string{"schedulingInterval": "1h30m"}, want: "digits and one of m, h, d"},
		"zero interval":           {params: map[string]string{"schedulingInterval": "0m"}, want: "digits and one of m, h, d"},
		"start without interval":  {params: map[string]string{"schedulingStartTime": "2026-01-31T14:00:00Z"}, want: "needs schedulingInterval"},
		"application consistency": {params: map[string]string{"groupConsistency": "application"}, want: "crash"},
		"group snapshots":         {params: map[string]string{"groupSnapshots": "true"}, want: "false"},
		"modes disagree":          {params: map[string]string{"consistencyGroup": "disabled", "mirroringMode": "journal", "groupMirroringMode": "snapshot"}, want: "disagree"},
		"half a secret":           {params: map[string]string{secretName: "s"}, want: "must be set together"},
		"empty secret":            {params: map[string]string{secretName: "", secretNamespace: ""}, want: "must be set together"},
		"another driver's key":    {driver: "block.csi.ibm.com", params: map[string]string{"copyType": "async", "schedulingInterval": "whatever it means there"}},
		"reserved key, no Ceph":   {driver: "csi.example.com", params: map[string]string{vgrv1.ParameterBackend: Name, reservedPrefix + "foo": "x"}, want: "is not known"},
		"Rook, misspelt key": {
			driver: "rook-system.rbd.csi.ceph.com", params: map[string]string{vgrv1.ParameterBackend: Name, "schedulingIntervall": "5m"}, want: `"schedulingIntervall" is not known`,
		},
		"Rook, interval": {
			driver: "rook-system.rbd.csi.ceph.com", params: map[string]string{vgrv1.ParameterBackend: Name, "schedulingInterval": "1h30m"}, want: "digits and one of m, h, d",
		},
		"misspelt key, no Ceph": {
			driver: "csi.example.com", params: map[string]string{vgrv1.ParameterBackend: Name, "schedulingIntervall": "5m"}, want: `is not known to csi-addons; did you mean "schedulingInterval"?`,
		},
		"key in other letters, no Ceph": {
			driver: "csi.example.com", params: map[string]string{vgrv1.ParameterBackend: Name, "MirroringMode": "snapshot"}, want: `did you mean "mirroringMode"?`,
		},
		"two letters swapped, no Ceph": {
			driver: "csi.example.com", params: map[string]string{vgrv1.ParameterBackend: Name, "consistnecyGroup": "disabled"}, want: `did you mean "consistencyGroup"?`,
		},
		"like a short key, no Ceph": {driver: "csi.example.com", params: map[string]string{vgrv1.ParameterBackend: Name, "pools": "a"}},
		"Trident's policy":          {params: map[string]string{"replicationPolicy": "Async"}, want: "is not known"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if tc.driver == "" {
				tc.driver = "rbd.csi.ceph.com"
			}
			got := checkParameters(backend.Class{Name: "c", Provisioner: tc.driver, Parameters: tc.params})
			if tc.want == "" {
				if len(got) != 0 {
					t.Errorf("got problems %v", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0].Message, tc.want) {
				t.Errorf("got %v, want one problem with %q", got, tc.want)
			}
		})
	}
}

// TestServes: a class names its backend, or its driver has one; nothing else counts.
func TestServes(t *testing.T) {
	for name, tc := range map[string]struct {
		class backend.Class
		want  bool
	}{
		"Ceph":                    {backend.Class{Provisioner: "rbd.csi.ceph.com"}, true},
		"IBM":                     {backend.Class{Provisioner: "block.csi.ibm.com"}, true},
		"Rook's":                  {backend.Class{Provisioner: "rook-ceph.rbd.csi.ceph.com"}, true},
		"of another namespace":    {backend.Class{Provisioner: "my-ns.rbd.csi.ceph.com"}, true},
		"CephFS, not replicated":  {backend.Class{Provisioner: "my-ns.cephfs.csi.ceph.com"}, false},
		"no namespace":            {backend.Class{Provisioner: ".rbd.csi.ceph.com"}, false},
		"no dot":                  {backend.Class{Provisioner: "xrbd.csi.ceph.com"}, false},
		"two labels before it":    {backend.Class{Provisioner: "a.b.rbd.csi.ceph.com"}, false},
		"a name that contains it": {backend.Class{Provisioner: "my.rbd.csi.ceph.com.example.com"}, false},
		"unknown, named":          {backend.Class{Provisioner: "csi.example.com", Parameters: map[string]string{vgrv1.ParameterBackend: Name}}, true},
		"Ceph, another one named": {backend.Class{Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{vgrv1.ParameterBackend: "other"}}, false},
	} {
		if got := Profile().Serves(tc.class); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
	if got := driverParameters(map[string]string{vgrv1.ParameterBackend: Name}); len(got) != 0 {
		t.Errorf("the driver gets %v", got)
	}
}

func TestDerivedClass(t *testing.T) {
	a := backend.Class{Name: "gold", Provisioner: "rbd.csi.ceph.com", Parameters: map[string]string{"schedulingInterval": "5m", "groupConsistency": "crash"}}
	b := a
	b.Parameters = map[string]string{"schedulingInterval": "5m"}
	if derivedClassName(a) != derivedClassName(b) {
		t.Error("parameters that the driver does not see must not make another class")
	}
	b.Parameters = map[string]string{"schedulingInterval": "10m"}
	if derivedClassName(a) == derivedClassName(b) {
		t.Error("other parameters need another class: the backend's are immutable")
	}
	got := driverParameters(map[string]string{"consistencyGroup": "enabled", "groupMirroringMode": "snapshot", secretName: "s", secretNamespace: "ns"})
	want := map[string]string{"mirroringMode": "snapshot", secretName: "s", secretNamespace: "ns", groupSecretName: "s", groupSecretNamespace: "ns"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("driver parameters (-want +got)\n%s", d)
	}
	long := backend.Class{Name: strings.Repeat("a", 199) + "." + strings.Repeat("b", 53)}
	if name := derivedClassName(long); len(name) > 253 || strings.Contains(name, ".-") {
		t.Errorf("bad name %q", name)
	}
}

func TestPeerObjects(t *testing.T) {
	pv := corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pv-data", UID: "1", Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": "rbd.csi.ceph.com"}},
		Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeSource:        corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "rbd.csi.ceph.com", VolumeHandle: "h"}},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			ClaimRef:                      &corev1.ObjectReference{Namespace: "prod", Name: "data", UID: "2", ResourceVersion: "7"},
		},
	}
	pvc := corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "prod", Name: "data", UID: "2", Labels: map[string]string{"app": "db"}, Finalizers: []string{"x"},
			Annotations: map[string]string{"pv.kubernetes.io/bind-completed": "yes", reservedPrefix + "volume-group-replication-name": "db", "team": "a"},
		},
		Spec:   corev1.PersistentVolumeClaimSpec{VolumeName: "pv-data"},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
	}
	request := backend.PeerRequest{
		Group: &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "db"}, Spec: vgrv1.VolumeGroupReplicationSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}, ReplicationState: vgrv1.Primary,
		}},
		Class:   &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "gold"}, Spec: vgrv1.ClassSpec{Provisioner: "rbd.csi.ceph.com"}},
		Volumes: []backend.PeerVolume{{PVC: pvc, PV: pv}},
	}
	if objs, err := peerObjects(request); err != nil || len(objs) != 3 {
		t.Errorf("a group of Ceph volumes, each on its own: %d objects, %v", len(objs), err)
	}
	made := request
	made.Group = request.Group.DeepCopy()
	made.Group.Status.BackendRef = &vgrv1.BackendReference{Kind: groupKind, Name: "db"}
	if _, err := peerObjects(made); err == nil {
		t.Error("a group that was made as a group, without a handle, must be refused")
	}
	enabled := request
	enabled.Class = request.Class.DeepCopy()
	enabled.Class.Spec.Parameters = map[string]string{"consistencyGroup": "enabled"}
	if _, err := peerObjects(enabled); err == nil {
		t.Error("a group without a handle must be refused")
	}
	enabled.Group = request.Group.DeepCopy()
	enabled.Group.Status.Volumes = []vgrv1.VolumeStatus{{Name: "data", BackendRef: &vgrv1.BackendReference{Kind: volumeKind, Name: "db-data"}}}
	if objs, err := peerObjects(enabled); err != nil || len(objs) != 3 {
		t.Errorf("a group whose volumes are replicated each on its own: %d objects, %v", len(objs), err)
	}
	request.GroupHandle = "group-1"
	objs, err := peerObjects(request)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, o := range objs {
		kinds = append(kinds, o.GetObjectKind().GroupVersionKind().Kind)
		if o.GetUID() != "" || o.GetResourceVersion() != "" || len(o.GetFinalizers()) > 0 {
			t.Errorf("%s carries identity of the other cluster", o.GetName())
		}
	}
	if d := cmp.Diff([]string{"PersistentVolume", "PersistentVolumeClaim", "VolumeGroupReplicationContent", "VolumeGroupReplication"}, kinds); d != "" {
		t.Errorf("order (-want +got)\n%s", d)
	}
	copied := objs[0].(*corev1.PersistentVolume)
	if copied.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimRetain || copied.Spec.ClaimRef.UID != "" || copied.Spec.CSI.VolumeHandle != "h" {
		t.Errorf("volume %+v", copied.Spec)
	}
	if d := cmp.Diff(map[string]string{"team": "a"}, objs[1].GetAnnotations()); d != "" {
		t.Errorf("claim annotations (-want +got)\n%s", d)
	}
	group := objs[3].(*vgrv1.VolumeGroupReplication)
	if group.Spec.ReplicationState != vgrv1.Secondary || group.Spec.Source.Name != objs[2].GetName() {
		t.Errorf("group %+v", group.Spec)
	}
	if pv.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		t.Error("the request was changed")
	}
	var _ client.Object = copied
}

// TestClaimedBy: a PVC is another's as soon as an object of csi-addons names it, not only when csi-addons has marked it.
func TestClaimedBy(t *testing.T) {
	pvc := func(annotations map[string]string) *corev1.PersistentVolumeClaim {
		return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: "data", Labels: map[string]string{"app": "db"}, Annotations: annotations}}
	}
	volume := func(name, kind, of string, labels map[string]string) []replicationv1.VolumeReplication {
		vr := replicationv1.VolumeReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: name, Labels: labels}}
		vr.Spec.DataSource = corev1.TypedLocalObjectReference{Kind: kind, Name: of}
		return []replicationv1.VolumeReplication{vr}
	}
	group := func(name string, selector, labels map[string]string, members ...string) []replicationv1.VolumeGroupReplication {
		g := replicationv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "prod", Name: name, Labels: labels}}
		g.Spec.Source.Selector = &metav1.LabelSelector{MatchLabels: selector}
		for _, m := range members {
			g.Status.PersistentVolumeClaimsRefList = append(g.Status.PersistentVolumeClaimsRefList, corev1.LocalObjectReference{Name: m})
		}
		return []replicationv1.VolumeGroupReplication{g}
	}
	ours := groupOwner("prod", "db").Labels()
	marked := map[string]string{replicationv1.VolumeReplicationNameAnnotation: "vr", replicationv1.VolumeGroupReplicationNameAnnotation: "theirs"}
	for name, tc := range map[string]struct {
		pvc     *corev1.PersistentVolumeClaim
		volumes []replicationv1.VolumeReplication
		groups  []replicationv1.VolumeGroupReplication
		may     claim
		want    []string
	}{
		"free":                           {pvc: pvc(nil), volumes: volume("vr", pvcKind, "logs", nil), groups: group("theirs", map[string]string{"app": "web"}, nil, "logs")},
		"marked":                         {pvc: pvc(marked), want: []string{"data by VolumeReplication vr", "data by VolumeGroupReplication theirs"}},
		"marked for us":                  {pvc: pvc(marked), may: claim{volume: "vr", group: "theirs"}},
		"a VolumeReplication names it":   {pvc: pvc(nil), volumes: volume("vr", pvcKind, "data", nil), may: claim{group: "db"}, want: []string{"data by VolumeReplication vr"}},
		"a group selects it":             {pvc: pvc(nil), groups: group("theirs", map[string]string{"app": "db"}, nil), may: claim{volume: "db-data"}, want: []string{"data by VolumeGroupReplication theirs"}},
		"a group has it":                 {pvc: pvc(nil), groups: group("theirs", map[string]string{"app": "web"}, nil, "data"), want: []string{"data by VolumeGroupReplication theirs"}},
		"in both, and marked":            {pvc: pvc(marked), volumes: volume("vr", pvcKind, "data", nil), groups: group("theirs", nil, nil, "data"), want: []string{"data by VolumeReplication vr", "data by VolumeGroupReplication theirs"}},
		"ours":                           {pvc: pvc(nil), volumes: volume("db-data", pvcKind, "data", ours), groups: group("db", map[string]string{"app": "db"}, ours, "data")},
		"the child of a group is no PVC": {pvc: pvc(nil), volumes: volume("vr-1", groupKind, "data", nil)},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, claimedBy(tc.pvc, tc.volumes, tc.groups, tc.may)); d != "" {
				t.Error(d)
			}
		})
	}
}
