// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package driver answers the calls that csi-addons' controller manager makes to the sidecar of a
// CSI driver, for one site, from its storage. Every rule about replication is the storage's;
// this package translates, counts calls and injects faults.
package driver

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/csi-addons/spec/lib/go/identity"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/unified-replication/kubectl-vgr/hack/lab/driver/proto"
)

const (
	// Name is the name the driver goes by, that of Ceph's RBD driver.
	Name = "rbd.csi.ceph.com"
	// FastName is its other name, for volumes that no Ceph has: they take schedules in seconds, and are
	// synchronized every second.
	FastName = "fast.rbd.lab.example.com"
)

// Server is the sidecar and driver of one site, under both names: csi-addons asks no driver for its name.
type Server struct {
	// Faults decides which calls fail, hang or take their time.
	Faults *Faults

	server   *grpc.Server
	listener net.Listener
	done     chan error
}

// Start serves on a free port of the loopback interface until Stop.
func Start(ctx context.Context, storage Storage) (*Server, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("driver: %w", err)
	}
	s := &Server{Faults: NewFaults(), listener: listener, done: make(chan error, 1)}
	s.server = grpc.NewServer(grpc.ChainUnaryInterceptor(s.Faults.intercept, needSecret))
	identity.RegisterIdentityServer(s.server, identityService{})
	proto.RegisterReplicationServer(s.server, replicationService{storage: storage})
	proto.RegisterVolumeGroupControllerServer(s.server, groupService{storage: storage})
	go func() { s.done <- s.server.Serve(listener) }()
	return s, nil
}

// needSecret refuses what comes without the name of a Secret, as the sidecar does.
func needSecret(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if r, takes := req.(interface{ GetSecretName() string }); takes && r.GetSecretName() == "" {
		return nil, status.Error(codes.Internal, "resource name may not be empty")
	}
	return handler(ctx, req)
}

// Port returns where the server listens.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Stop ends all calls, also those that hang.
func (s *Server) Stop() error {
	s.Faults.Clear()
	s.server.Stop()
	if err := <-s.done; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// identityService says what the driver can do. The manager asks for the capabilities only.
type identityService struct {
	identity.UnimplementedIdentityServer
}

func (identityService) GetIdentity(context.Context, *identity.GetIdentityRequest) (*identity.GetIdentityResponse, error) {
	return &identity.GetIdentityResponse{Name: Name, VendorVersion: "lab"}, nil
}

func (identityService) Probe(context.Context, *identity.ProbeRequest) (*identity.ProbeResponse, error) {
	return &identity.ProbeResponse{}, nil
}

func (identityService) GetCapabilities(context.Context, *identity.GetCapabilitiesRequest) (*identity.GetCapabilitiesResponse, error) {
	return &identity.GetCapabilitiesResponse{Capabilities: []*identity.Capability{
		{Type: &identity.Capability_Service_{Service: &identity.Capability_Service{Type: identity.Capability_Service_CONTROLLER_SERVICE}}},
		{Type: &identity.Capability_VolumeReplication_{VolumeReplication: &identity.Capability_VolumeReplication{
			Type: identity.Capability_VolumeReplication_VOLUME_REPLICATION,
		}}},
		{Type: &identity.Capability_VolumeGroup_{VolumeGroup: &identity.Capability_VolumeGroup{Type: identity.Capability_VolumeGroup_VOLUME_GROUP}}},
		{Type: &identity.Capability_VolumeGroup_{VolumeGroup: &identity.Capability_VolumeGroup{Type: identity.Capability_VolumeGroup_MODIFY_VOLUME_GROUP}}},
		{Type: &identity.Capability_VolumeGroup_{VolumeGroup: &identity.Capability_VolumeGroup{Type: identity.Capability_VolumeGroup_GET_VOLUME_GROUP}}},
	}}, nil
}
