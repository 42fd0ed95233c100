// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package show

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/testserver"
	"github.com/unified-replication/kubectl-vgr/plugin/tui"
)

// counted counts the requests of a client.
type counted struct {
	client.Reader
	lists atomic.Int64
}

func (c *counted) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	c.lists.Add(1)
	return c.Reader.List(ctx, list, opts...)
}

// TestFollowEvents: events of the group and its PVCs, and of nothing else, come from both sites for as long as they are shown;
// a site that refuses says so once.
func TestFollowEvents(t *testing.T) {
	server := testserver.Start(t)
	admin := server.Client(t)
	happens := func(kind, name, reason string) {
		t.Helper()
		e := &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Namespace: "default", GenerateName: "e-"},
			InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name, Namespace: "default"},
			Reason:         reason, Message: "it says so", Type: corev1.EventTypeWarning, Count: 2, LastTimestamp: metav1.Now(),
		}
		if err := admin.Create(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	happens("VolumeGroupReplication", "orders", "Promoted")
	happens("PersistentVolumeClaim", "orders-data", "Resizing")
	happens("PersistentVolumeClaim", "another", "Resizing")
	happens("VolumeGroupReplication", "users", "Promoted")
	config := server.User(t, "stranger").Config()
	stranger, err := client.New(config, client.Options{Scheme: testserver.Scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	east, west := &counted{Reader: admin}, &counted{Reader: stranger}
	explain := func(err error) (overview.SiteProblem, string) {
		if apierrors.IsForbidden(err) {
			return overview.SiteForbidden, err.Error()
		}
		return overview.SiteError, err.Error()
	}
	sources := []eventSource{
		{"east", func() (client.Reader, error) { return east, nil }, explain},
		{"west", func() (client.Reader, error) { return west, nil }, explain},
	}
	g := overview.Group{Namespace: "default", Name: "orders", Sites: []overview.GroupSite{{Site: "east", Volumes: []vgrv1.VolumeStatus{{Name: "orders-data"}}}, {Site: "west"}}}

	ctx, stop := context.WithCancel(t.Context())
	shown, ended := make(chan []tui.SiteEvents), make(chan struct{})
	go func() {
		defer close(ended)
		followEvents(sources, clock.RealClock{})(ctx, g, func(sites []tui.SiteEvents) {
			select {
			case shown <- sites:
			case <-ctx.Done():
			}
		})
	}()
	until := func(what string, is func([]tui.SiteEvents) bool) {
		t.Helper()
		last := []tui.SiteEvents(nil)
		for giveUp := time.After(2 * time.Minute); ; {
			select {
			case last = <-shown:
				if is(last) {
					return
				}
			case <-giveUp:
				t.Fatalf("no %s: %+v", what, last)
			}
		}
	}
	objects := func(s tui.SiteEvents) []string {
		var all []string
		for _, e := range s.Events {
			all = append(all, fmt.Sprint(e.Object, " ", e.Reason, " ", e.Count, " ", e.Warning))
		}
		slices.Sort(all)
		return all
	}
	want := []string{"PVC/orders-data Resizing 2 true", "VolumeGroupReplication/orders Promoted 2 true"}
	until("events of both sites", func(s []tui.SiteEvents) bool {
		return s[0].Asked && s[1].Asked && slices.Equal(objects(s[0]), want) && strings.Contains(s[1].Message, "cannot list events on west: events is forbidden")
	})
	happens("VolumeGroupReplication", "orders", "Demoted")
	until("new event", func(s []tui.SiteEvents) bool { return len(s[0].Events) == 3 })
	if n := west.lists.Load(); n != 1 {
		t.Errorf("a site that refuses was asked %d times", n)
	}
	stop()
	<-ended
	if before := east.lists.Load(); before < 4 {
		t.Errorf("%d requests", before)
	}
}

// TestUnshownAsksNothing: a cursor that only passes a group asks for no events.
func TestUnshownAsksNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	sources := []eventSource{{"east", func() (client.Reader, error) {
		t.Error("asked")
		return nil, context.Canceled
	}, nil}}
	followEvents(sources, clock.RealClock{})(ctx, overview.Group{}, func([]tui.SiteEvents) { t.Error("shown") })
}
