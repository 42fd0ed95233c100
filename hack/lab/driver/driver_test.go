// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package driver_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/csi-addons/spec/lib/go/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver/proto"
)

type fixture struct {
	server *driver.Server
	array  *array.Array
	clock  *clocktesting.FakePassiveClock
	conn   *grpc.ClientConn
	source *proto.ReplicationSource
}

func start(t *testing.T) *fixture {
	clock := clocktesting.NewFakePassiveClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	a := array.New(array.Options{Sites: [2]array.Site{"east", "west"}, Clock: clock, TransferTime: time.Second})
	server, err := driver.Start(t.Context(), driver.Simulated{Array: a, Site: "east"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", server.Port()), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	volume := a.CreateImage("east", "pvc-1", 1)
	source := &proto.ReplicationSource{Type: &proto.ReplicationSource_Volume{Volume: &proto.ReplicationSource_VolumeSource{VolumeId: volume}}}
	return &fixture{server: server, array: a, clock: clock, conn: conn, source: source}
}

func (f *fixture) promote(ctx context.Context) error {
	_, err := proto.NewReplicationClient(f.conn).PromoteVolume(ctx, &proto.PromoteVolumeRequest{SecretName: "rbd", ReplicationSource: f.source})
	return err
}

func TestCapabilities(t *testing.T) {
	f := start(t)
	got, err := identity.NewIdentityClient(f.conn).GetCapabilities(t.Context(), &identity.GetCapabilitiesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var replication, group bool
	for _, c := range got.GetCapabilities() {
		replication = replication || c.GetVolumeReplication().GetType() == identity.Capability_VolumeReplication_VOLUME_REPLICATION
		group = group || c.GetVolumeGroup().GetType() == identity.Capability_VolumeGroup_VOLUME_GROUP
	}
	if !replication || !group {
		t.Errorf("capabilities lack replication or groups: %v", got)
	}
}

func TestCallsReachTheArray(t *testing.T) {
	f, ctx := start(t), t.Context()
	client := proto.NewReplicationClient(f.conn)
	if got := status.Code(f.promote(ctx)); got != codes.InvalidArgument {
		t.Errorf("promote without mirroring: %s", got)
	}
	if _, err := client.EnableVolumeReplication(ctx, &proto.EnableVolumeReplicationRequest{SecretName: "rbd", ReplicationSource: f.source}); err != nil {
		t.Fatal(err)
	}
	if err := f.promote(ctx); err != nil {
		t.Fatal(err)
	}
	request := &proto.GetVolumeReplicationInfoRequest{SecretName: "rbd", ReplicationSource: f.source}
	if _, err := client.GetVolumeReplicationInfo(ctx, request); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("info before the first synchronization: %v", err)
	}
	f.clock.SetTime(f.clock.Now().Add(time.Second))
	info, err := client.GetVolumeReplicationInfo(ctx, request)
	if err != nil {
		t.Fatal(err)
	}
	if info.GetStatus() != proto.GetVolumeReplicationInfoResponse_HEALTHY || !info.GetLastSyncTime().IsValid() {
		t.Errorf("info: %v", info)
	}
	if _, err := client.DemoteVolume(ctx, &proto.DemoteVolumeRequest{SecretName: "rbd", ReplicationSource: f.source}); err != nil {
		t.Fatal(err)
	}
	f.clock.SetTime(f.clock.Now().Add(array.DefaultStatusInterval))
	resync, err := client.ResyncVolume(ctx, &proto.ResyncVolumeRequest{SecretName: "rbd", ReplicationSource: f.source})
	if err != nil || !resync.GetReady() {
		t.Errorf("resync: %v, %v", resync, err)
	}
}

func TestGroupCallsReachTheArray(t *testing.T) {
	f, ctx := start(t), t.Context()
	client := proto.NewVolumeGroupControllerClient(f.conn)
	volumes := []string{f.source.GetVolume().GetVolumeId()}
	created, err := client.CreateVolumeGroup(ctx, &proto.CreateVolumeGroupRequest{SecretName: "rbd", Name: "g", VolumeIds: volumes, Parameters: map[string]string{"clusterID": "rook-ceph", "pool": "replicapool"}})
	if err != nil {
		t.Fatal(err)
	}
	handle := created.GetVolumeGroup().GetVolumeGroupId()
	if _, err := client.ModifyVolumeGroupMembership(ctx, &proto.ModifyVolumeGroupMembershipRequest{SecretName: "rbd", VolumeGroupId: handle}); err != nil {
		t.Fatal(err)
	}
	got, err := client.ControllerGetVolumeGroup(ctx, &proto.ControllerGetVolumeGroupRequest{SecretName: "rbd", VolumeGroupId: handle})
	if err != nil || len(got.GetVolumeGroup().GetVolumeIds()) != 0 {
		t.Errorf("members after they were removed: %v, %v", got, err)
	}
	for range 2 { // the manager sends it twice
		if _, err := client.DeleteVolumeGroup(ctx, &proto.DeleteVolumeGroupRequest{SecretName: "rbd", VolumeGroupId: handle}); err != nil {
			t.Error(err)
		}
	}
}

func TestFaults(t *testing.T) {
	f, ctx := start(t), t.Context()
	if err := f.array.Enable("east", array.Target{Volume: f.source.GetVolume().GetVolumeId()}, nil); err != nil {
		t.Fatal(err)
	}
	if err := f.server.Faults.Set(driver.Fault{RPC: "PromoteVolume", Code: "unavailable", Message: "no", Times: 1}); err != nil {
		t.Fatal(err)
	}
	if got := status.Code(f.promote(ctx)); got != codes.Unavailable {
		t.Errorf("first promote: %s, want %s", got, codes.Unavailable)
	}
	if err := f.promote(ctx); err != nil {
		t.Errorf("second promote: %v", err)
	}
	if err := f.server.Faults.Set(driver.Fault{RPC: "PromoteVolume", Code: driver.Hang}); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- f.promote(ctx) }()
	for f.server.Faults.Calls()["PromoteVolume"] < 3 {
		if ctx.Err() != nil {
			t.Fatal(ctx.Err())
		}
	}
	select {
	case err := <-result:
		t.Errorf("the call that hangs returned: %v", err)
	default:
	}
	f.server.Faults.Clear()
	if err := <-result; err != nil {
		t.Errorf("promote after the fault was cleared: %v", err)
	}
	for _, wrong := range []driver.Fault{{RPC: "Promote", Code: "INTERNAL"}, {RPC: "PromoteVolume", Code: "BROKEN"}} {
		if err := f.server.Faults.Set(wrong); err == nil {
			t.Errorf("%+v is accepted", wrong)
		}
	}
}
