// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package load makes many groups without storage behind them, and writes their status itself: to see how
// what reads them bears it. A controller would correct them, so none may run.
package load

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	replicationv1 "github.com/csi-addons/kubernetes-csi-addons/api/replication.storage/v1alpha1"
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// parallel is how many requests are under way at once.
const parallel = 32

// Groups says how many groups there are, and of what size.
type Groups struct {
	Namespace string
	// Groups is their number on each site, Volumes that of each group's volumes.
	Groups, Volumes int
}

// Sites are the clients of both sites; the groups of the first are primary.
type Sites [2]client.Client

// Connect makes the clients, without a limit on their requests.
func Connect(configs [2]*rest.Config) (Sites, error) {
	var sites Sites
	scheme := clientgoscheme.Scheme
	for _, add := range []func(*runtime.Scheme) error{vgrv1.AddToScheme, replicationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return sites, err
		}
	}
	for i, config := range configs {
		config = rest.CopyConfig(config)
		config.QPS = -1
		c, err := client.New(config, client.Options{Scheme: scheme})
		if err != nil {
			return sites, err
		}
		sites[i] = c
	}
	return sites, nil
}

// Make creates what is not there yet.
func (l Groups) Make(ctx context.Context, sites Sites) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	for _, c := range sites {
		class := &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "load"}}
		class.Spec.Provisioner, class.Spec.Parameters = "rbd.csi.ceph.com", map[string]string{vgrv1.ParameterSchedulingInterval: "5m"}
		for _, obj := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.Namespace}}, class} {
			if err := c.Create(ctx, obj); err != nil && !apierrors.IsAlreadyExists(err) {
				return err
			}
		}
	}
	for n := range l.Groups {
		for i, c := range sites {
			work.Go(func() error { return l.settle(ctx, c, l.group(n, i == 0)) })
		}
	}
	return work.Wait()
}

// Remove deletes all groups of the namespace.
func (l Groups) Remove(ctx context.Context, sites Sites) error {
	work, ctx := errgroup.WithContext(ctx)
	for _, c := range sites {
		work.Go(func() error {
			return c.DeleteAllOf(ctx, &vgrv1.VolumeGroupReplication{}, client.InNamespace(l.Namespace))
		})
	}
	return work.Wait()
}

// Name returns that of a group.
func (l Groups) Name(n int) string { return fmt.Sprintf("group-%05d", n) }

func (l Groups) group(n int, primary bool) *vgrv1.VolumeGroupReplication {
	g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: l.Namespace, Name: l.Name(n)}}
	g.Spec = vgrv1.VolumeGroupReplicationSpec{
		VolumeGroupReplicationClass: "load", ReplicationState: vgrv1.Secondary,
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": g.Name}},
	}
	if primary {
		g.Spec.ReplicationState = vgrv1.Primary
	}
	return g
}

// settle creates the group, or finds it, and gives it a status.
func (l Groups) settle(ctx context.Context, c client.Client, g *vgrv1.VolumeGroupReplication) error {
	if err := c.Create(ctx, g); apierrors.IsAlreadyExists(err) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(g), g); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	return l.change(ctx, c, g)
}

// change writes a status with the present time.
func (l Groups) change(ctx context.Context, c client.Client, g *vgrv1.VolumeGroupReplication) error {
	now := metav1.Now()
	state, reason := vgrv1.StateSecondary, vgrv1.ReasonDemoted
	if g.Spec.ReplicationState == vgrv1.Primary {
		state, reason = vgrv1.StatePrimary, vgrv1.ReasonPromoted
		g.Status.LastSyncTime = &now
	}
	if g.Status.StateSince == nil { // long before the synchronisation, or it would be of an earlier role
		g.Status.StateSince = new(metav1.NewTime(now.Add(-time.Hour)))
	}
	g.Status.State, g.Status.Backend, g.Status.ObservedGeneration = state, "csi-addons", g.Generation
	g.Status.VolumeCount = int32(l.Volumes) //nolint:gosec // a few
	g.Status.Volumes, g.Status.Conditions = nil, nil
	for kind, status := range map[string]metav1.ConditionStatus{
		vgrv1.ConditionReady: metav1.ConditionTrue, vgrv1.ConditionCompleted: metav1.ConditionTrue,
		vgrv1.ConditionDegraded: metav1.ConditionFalse, vgrv1.ConditionResyncing: metav1.ConditionFalse, vgrv1.ConditionReplicating: metav1.ConditionTrue,
	} {
		g.Status.Conditions = append(g.Status.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: "written by lab load", LastTransitionTime: now, ObservedGeneration: g.Generation,
		})
	}
	for i := range l.Volumes {
		g.Status.Volumes = append(g.Status.Volumes, vgrv1.VolumeStatus{
			Name: fmt.Sprintf("%s-data-%d", g.Name, i), VolumeName: fmt.Sprintf("pvc-%s-%d", g.Name, i), VolumeHandle: fmt.Sprintf("0001-0009-rook-ceph-%s-%d", g.Name, i),
			State: state, Health: vgrv1.HealthHealthy, LastSyncTime: g.Status.LastSyncTime,
		})
	}
	return c.Status().Update(ctx, g)
}

// Churn changes one group after another, at that rate on both sites together, until the context ends or
// the time is over, and returns how many changes it has made.
func (l Groups) Churn(ctx context.Context, sites Sites, perSecond int, duration time.Duration) (int, error) {
	return l.pace(ctx, perSecond, duration, func(ctx context.Context, site, n int) error {
		var g vgrv1.VolumeGroupReplication
		if err := sites[site].Get(ctx, client.ObjectKey{Namespace: l.Namespace, Name: l.Name(n)}, &g); err != nil {
			return err
		}
		if err := l.change(ctx, sites[site], &g); !apierrors.IsConflict(err) {
			return err
		}
		return nil
	})
}

// pace calls for changes of groups here and there, the same in every run, a site in turn. What it cannot keep up with is not made up for
// after the time.
func (l Groups) pace(ctx context.Context, perSecond int, duration time.Duration, change func(ctx context.Context, site, n int) error) (int, error) {
	if perSecond <= 0 {
		return 0, nil
	}
	const interval = 10 * time.Millisecond
	tick := time.NewTicker(interval)
	defer tick.Stop()
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(parallel)
	began, asked := time.Now(), 0
	var made atomic.Int64
	for time.Since(began) < duration && ctx.Err() == nil {
		<-tick.C
		for due := int(time.Since(began).Seconds() * float64(perSecond)); asked < due && time.Since(began) < duration && ctx.Err() == nil; asked++ {
			site, n := asked%2, asked/2*7919%l.Groups
			work.Go(func() error {
				err := change(ctx, site, n)
				if err == nil {
					made.Add(1)
				}
				return err
			})
		}
	}
	err := work.Wait()
	return int(made.Load()), err
}
