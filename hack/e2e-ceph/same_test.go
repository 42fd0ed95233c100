// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2eceph_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"k8s.io/utils/clock"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver"
	"github.com/unified-replication/kubectl-vgr/hack/lab/driver/proto"
)

// volumes is what the driver of one site stands on.
type volumes interface {
	driver.Storage
	CreateImage(ctx context.Context, name string, size int64) (string, error)
	Attach(ctx context.Context, handle string, attached bool) error
}

// side is a driver as csi-addons sees it.
type side struct {
	storage volumes
	proto.ReplicationClient
	groups proto.VolumeGroupControllerClient
}

func connect(t *testing.T, storage volumes) side {
	t.Helper()
	server, err := driver.Start(t.Context(), storage)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", server.Port()), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return side{storage, proto.NewReplicationClient(conn), proto.NewVolumeGroupControllerClient(conn)}
}

// call is one request; what it answers is a gRPC code, or what the answer says.
type call func(ctx context.Context, s side, source *proto.ReplicationSource, handle string) (string, error)

func enable(interval string) call {
	return func(ctx context.Context, s side, source *proto.ReplicationSource, _ string) (string, error) {
		_, err := s.EnableVolumeReplication(ctx, &proto.EnableVolumeReplicationRequest{ReplicationSource: source, SecretName: "lab", Parameters: map[string]string{"schedulingInterval": interval}})
		return "OK", err
	}
}

func disable(ctx context.Context, s side, source *proto.ReplicationSource, _ string) (string, error) {
	_, err := s.DisableVolumeReplication(ctx, &proto.DisableVolumeReplicationRequest{ReplicationSource: source, SecretName: "lab"})
	return "OK", err
}

func promote(force bool) call {
	return func(ctx context.Context, s side, source *proto.ReplicationSource, _ string) (string, error) {
		_, err := s.PromoteVolume(ctx, &proto.PromoteVolumeRequest{ReplicationSource: source, SecretName: "lab", Force: force, Parameters: map[string]string{"schedulingInterval": "1m"}})
		return "OK", err
	}
}

func demote(ctx context.Context, s side, source *proto.ReplicationSource, _ string) (string, error) {
	_, err := s.DemoteVolume(ctx, &proto.DemoteVolumeRequest{ReplicationSource: source, SecretName: "lab"})
	return "OK", err
}

func resync(force bool) call {
	return func(ctx context.Context, s side, source *proto.ReplicationSource, _ string) (string, error) {
		r, err := s.ResyncVolume(ctx, &proto.ResyncVolumeRequest{ReplicationSource: source, SecretName: "lab", Force: force})
		if r.GetReady() {
			return "ready", err
		}
		return "not ready", err
	}
}

func replication(ctx context.Context, s side, source *proto.ReplicationSource, _ string) (string, error) {
	r, err := s.GetVolumeReplicationInfo(ctx, &proto.GetVolumeReplicationInfoRequest{ReplicationSource: source, SecretName: "lab"})
	return r.GetStatus().String(), err
}

func attach(attached bool) call {
	return func(ctx context.Context, s side, _ *proto.ReplicationSource, handle string) (string, error) {
		return "OK", s.storage.Attach(ctx, handle, attached)
	}
}

// bothArrays are drivers of both sites, by what stores their volumes.
func bothArrays(t *testing.T, w *world) map[string]map[string]side {
	t.Helper()
	simulated := array.New(array.Options{Sites: [2]array.Site{lab.East, lab.West}, Clock: clock.RealClock{}, StatusInterval: time.Second})
	on := func(storage func(site string) volumes) map[string]side {
		return map[string]side{lab.East: connect(t, storage(lab.East)), lab.West: connect(t, storage(lab.West))}
	}
	return map[string]map[string]side{
		"simulated": on(func(site string) volumes { return driver.Simulated{Array: simulated, Site: array.Site(site)} }),
		"real":      on(func(site string) volumes { return w.cluster(site) }),
	}
}

// TestSameAnswers runs one story on the simulated array and on real clusters, both behind the lab's driver.
func TestSameAnswers(t *testing.T) {
	t.Parallel()
	w := start(t, time.Second)
	story := []struct {
		what string
		site string
		do   call
		want string
		// until: what the daemons show takes its time, and the answer is asked for until it comes.
		until bool
	}{
		{what: "promote, not mirrored", site: lab.East, do: promote(false), want: "InvalidArgument"},
		{what: "demote, not mirrored", site: lab.East, do: demote, want: "InvalidArgument"},
		{what: "resync, not mirrored", site: lab.East, do: resync(false), want: "InvalidArgument"},
		{what: "info, not mirrored", site: lab.East, do: replication, want: "InvalidArgument"},
		{what: "disable, not mirrored", site: lab.East, do: disable, want: "OK"},
		{what: "promote, no image", site: lab.West, do: promote(false), want: "NotFound"},
		{what: "disable, no image", site: lab.West, do: disable, want: "NotFound"},
		{what: "enable, a schedule in seconds", site: lab.East, do: enable("90s"), want: "InvalidArgument"},
		{what: "enable", site: lab.East, do: enable("1m"), want: "OK"},
		{what: "enable again", site: lab.East, do: enable("1m"), want: "OK"},
		{what: "promote the primary", site: lab.East, do: promote(false), want: "OK"},
		{what: "resync the primary", site: lab.East, do: resync(false), want: "InvalidArgument"},
		{what: "demote the copy when it is there", site: lab.West, do: demote, want: "OK", until: true},
		{what: "info of the copy", site: lab.West, do: replication, want: "InvalidArgument"},
		{what: "promote the copy", site: lab.West, do: promote(false), want: "FailedPrecondition"},
		{what: "resync under a live primary", site: lab.West, do: resync(false), want: "not ready", until: true},
		{what: "info of the primary", site: lab.East, do: replication, want: "HEALTHY", until: true},
		{what: "disable the copy that follows", site: lab.West, do: disable, want: "OK"},
		{what: "attach", site: lab.East, do: attach(true), want: "OK"},
		{what: "demote an attached volume", site: lab.East, do: demote, want: "FailedPrecondition"},
		{what: "detach", site: lab.East, do: attach(false), want: "OK"},
		{what: "demote the primary", site: lab.East, do: demote, want: "OK"},
		{what: "demote again", site: lab.East, do: demote, want: "OK"},
		{what: "ready on the copy", site: lab.West, do: resync(false), want: "ready", until: true},
		{what: "ready on the old primary", site: lab.East, do: resync(false), want: "ready", until: true},
		{what: "info when both are demoted", site: lab.East, do: replication, want: "InvalidArgument"},
		{what: "disable when both are demoted", site: lab.West, do: disable, want: "InvalidArgument"},
		{what: "promote the copy that has the demotion", site: lab.West, do: promote(false), want: "OK"},
		{what: "info at once", site: lab.West, do: replication, want: "FailedPrecondition"},
		{what: "the old primary follows", site: lab.East, do: disable, want: "OK", until: true},
		{what: "promote the copy by force; librbd may refuse while rbd-mirror has just opened it", site: lab.East, do: promote(true), want: "OK", until: true},
		{what: "info, both primary", site: lab.East, do: replication, want: "FailedPrecondition", until: true},
		{what: "demote one of two primaries", site: lab.West, do: demote, want: "OK"},
		{what: "resync in a split", site: lab.West, do: resync(false), want: "Internal", until: true},
		{what: "disable the split copy", site: lab.West, do: disable, want: "InvalidArgument", until: true},
		{what: "info of the primary in a split", site: lab.East, do: replication, want: "FailedPrecondition"},
		{what: "forced resync, until the copy is made anew", site: lab.West, do: resync(true), want: "not ready", until: true},
		{what: "the copy follows", site: lab.West, do: disable, want: "OK", until: true},
		{what: "disable the primary", site: lab.East, do: disable, want: "OK"},
		{what: "disable again", site: lab.East, do: disable, want: "OK"},
		{what: "the copy is gone", site: lab.West, do: promote(false), want: "NotFound", until: true},
	}
	arrays := bothArrays(t, w)
	for kind, sides := range arrays {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			handle, err := sides[lab.East].storage.CreateImage(t.Context(), "same", 8<<20)
			if err != nil {
				t.Fatal(err)
			}
			source := &proto.ReplicationSource{Type: &proto.ReplicationSource_Volume{Volume: &proto.ReplicationSource_VolumeSource{VolumeId: handle}}}
			for _, step := range story {
				deadline := time.Now().Add(patience)
				for {
					got, err := step.do(t.Context(), sides[step.site], source, handle)
					if err != nil {
						got = status.Code(err).String()
					}
					if got == step.want {
						break
					}
					if !step.until || time.Now().After(deadline) {
						t.Errorf("%s on %s: %s (%v), want %s", step.what, step.site, got, err, step.want)
						break
					}
					time.Sleep(200 * time.Millisecond)
				}
			}
		})
	}
}
