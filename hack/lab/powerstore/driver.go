// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package powerstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/dell/dell-csi-extensions/common"
	"github.com/dell/dell-csi-extensions/replication"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
	corev1 "k8s.io/api/core/v1"
)

// Name is the name of the CSI driver.
const Name = "csi-powerstore.dellemc.com"

// Prefix of Dell's labels and parameters.
const Prefix = "replication.storage.dell.com"

// Driver is the replication service of the CSI driver on one site.
type Driver struct {
	replication.UnimplementedReplicationServer
	pair *Pair
	site string

	server *grpc.Server
	done   chan error
}

// Serve answers on a Unix socket until Stop.
func Serve(ctx context.Context, p *Pair, site, socket string) (*Driver, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("PowerStore driver of site %q: %w", site, err)
	}
	d := &Driver{pair: p, site: site, server: grpc.NewServer(), done: make(chan error, 1)}
	replication.RegisterReplicationServer(d.server, d)
	go func() { d.done <- d.server.Serve(listener) }()
	return d, nil
}

// Stop ends all calls.
func (d *Driver) Stop() error {
	d.server.Stop()
	if err := <-d.done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Create implements what the lab's provisioner needs: a volume in the group that its StorageClass and
// namespace stand for, as the driver names it.
func (d *Driver) Create(_ context.Context, claim *corev1.PersistentVolumeClaim, parameters map[string]string) (*corev1.CSIPersistentVolumeSource, error) {
	group := fmt.Sprintf("%s-%s-%s-%s", parameters[Prefix+"/volumeGroupPrefix"], claim.Namespace, parameters[Prefix+"/remoteSystem"], parameters[Prefix+"/rpo"])
	return &corev1.CSIPersistentVolumeSource{
		Driver: Name, VolumeHandle: d.pair.Create(d.site, group, string(claim.UID)), FSType: "ext4",
		VolumeAttributes: map[string]string{"arrayID": "PS-" + d.site, "Protocol": "scsi"},
	}, nil
}

// Delete keeps the volume: the StorageClass of the lab retains.
func (d *Driver) Delete(string) error { return nil }

// ProbeController says that the driver is ready.
func (d *Driver) ProbeController(context.Context, *common.ProbeControllerRequest) (*common.ProbeControllerResponse, error) {
	return &common.ProbeControllerResponse{Name: Name, VendorVersion: "lab", Ready: wrapperspb.Bool(true)}, nil
}

// GetReplicationCapabilities lists the actions of csi-powerstore v2.16.0, and no others.
func (d *Driver) GetReplicationCapabilities(context.Context, *replication.GetReplicationCapabilityRequest) (*replication.GetReplicationCapabilityResponse, error) {
	out := &replication.GetReplicationCapabilityResponse{}
	for _, c := range []replication.ReplicationCapability_RPC_Type{
		replication.ReplicationCapability_RPC_CREATE_REMOTE_VOLUME, replication.ReplicationCapability_RPC_CREATE_PROTECTION_GROUP,
		replication.ReplicationCapability_RPC_DELETE_PROTECTION_GROUP, replication.ReplicationCapability_RPC_REPLICATION_ACTION_EXECUTION,
		replication.ReplicationCapability_RPC_MONITOR_PROTECTION_GROUP,
	} {
		out.Capabilities = append(out.Capabilities, &replication.ReplicationCapability{
			Type: &replication.ReplicationCapability_Rpc{Rpc: &replication.ReplicationCapability_RPC{Type: c}},
		})
	}
	for _, a := range []replication.ActionTypes{
		replication.ActionTypes_FAILOVER_REMOTE, replication.ActionTypes_UNPLANNED_FAILOVER_LOCAL, replication.ActionTypes_REPROTECT_LOCAL,
		replication.ActionTypes_SUSPEND, replication.ActionTypes_RESUME, replication.ActionTypes_SYNC,
	} {
		out.Actions = append(out.Actions, &replication.SupportedActions{Actions: &replication.SupportedActions_Type{Type: a}})
	}
	return out, nil
}

// CreateRemoteVolume finds the copy of a volume.
func (d *Driver) CreateRemoteVolume(_ context.Context, r *replication.CreateRemoteVolumeRequest) (*replication.CreateRemoteVolumeResponse, error) {
	other, err := d.pair.copyOf(r.VolumeHandle, d.site)
	if err != nil {
		return nil, status.Error(codes.NotFound, err.Error())
	}
	return &replication.CreateRemoteVolumeResponse{RemoteVolume: &replication.Volume{
		CapacityBytes: 1 << 30, VolumeId: other, VolumeContext: map[string]string{"arrayID": "PS-" + d.other(), "Protocol": "scsi"},
	}}, nil
}

func (d *Driver) other() string { return d.pair.sites[1-d.pair.index(d.site)] }

// CreateStorageProtectionGroup finds the group of a volume. Each array has an ID of its own for it.
func (d *Driver) CreateStorageProtectionGroup(_ context.Context, r *replication.CreateStorageProtectionGroupRequest) (*replication.CreateStorageProtectionGroupResponse, error) {
	name, ok := d.pair.groupOf(r.VolumeHandle)
	if !ok {
		return nil, status.Errorf(codes.NotFound, "no volume %s", r.VolumeHandle)
	}
	return &replication.CreateStorageProtectionGroupResponse{
		LocalProtectionGroupId: name + "@" + d.site, RemoteProtectionGroupId: name + "@" + d.other(),
		LocalProtectionGroupAttributes:  map[string]string{"globalID": "PS-" + d.site},
		RemoteProtectionGroupAttributes: map[string]string{"globalID": "PS-" + d.other()},
	}, nil
}

// GetStorageProtectionGroupStatus returns what the site's array says.
func (d *Driver) GetStorageProtectionGroupStatus(_ context.Context, r *replication.GetStorageProtectionGroupStatusRequest) (*replication.GetStorageProtectionGroupStatusResponse, error) {
	s, err := d.status(r.ProtectionGroupId)
	if err != nil {
		return nil, err
	}
	return &replication.GetStorageProtectionGroupStatusResponse{Status: s}, nil
}

func (d *Driver) status(id string) (*replication.StorageProtectionGroupStatus, error) {
	name, _, _ := strings.Cut(id, "@")
	state, source, err := d.pair.status(d.site, name)
	if err != nil {
		return nil, status.Error(codes.NotFound, err.Error())
	}
	return &replication.StorageProtectionGroupStatus{
		State:    replication.StorageProtectionGroupStatus_State(replication.StorageProtectionGroupStatus_State_value[string(state)]),
		IsSource: source,
	}, nil
}

// ExecuteAction carries an action out.
func (d *Driver) ExecuteAction(_ context.Context, r *replication.ExecuteActionRequest) (*replication.ExecuteActionResponse, error) {
	name, _, _ := strings.Cut(r.ProtectionGroupId, "@")
	if err := d.pair.act(d.site, name, r.GetAction().GetActionTypes().String()); err != nil {
		code := codes.FailedPrecondition
		if errors.Is(err, errFromDestination) {
			code = codes.Internal
		}
		return nil, status.Error(code, err.Error())
	}
	s, err := d.status(r.ProtectionGroupId)
	if err != nil {
		return nil, err
	}
	return &replication.ExecuteActionResponse{Success: true, ActionTypes: &replication.ExecuteActionResponse_Action{Action: r.GetAction()}, Status: s}, nil
}
