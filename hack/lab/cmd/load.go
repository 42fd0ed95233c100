// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"
	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// load is many groups without storage behind them, whose status this command writes itself.
type load struct {
	namespace       string
	groups, volumes int
	changes         int // a second, on both sites together
	duration        time.Duration
}

func newLoad(s *session) *cobra.Command {
	l := load{namespace: "load", groups: 2000, volumes: 5, duration: time.Minute}
	cmd := &cobra.Command{
		Use:   "load",
		Short: "Make many groups and change their status, to see how a screen or a list bears it",
		Long: `Make many groups on both sites and change their status, to see how a screen or a list bears it.

Nothing is behind the groups: run it on a lab without a controller, which would correct them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := s.client()
			if err != nil {
				return err
			}
			running, err := status.Status(cmd.Context())
			if err != nil {
				return err
			}
			var sites [2]client.Client
			for i, name := range []string{"east", "west"} {
				if sites[i], err = loadClient(running.Kubeconfig, name); err != nil {
					return err
				}
			}
			began := time.Now()
			all, err := l.make(cmd.Context(), sites)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d groups of %d volumes on each site after %s\n", l.groups, l.volumes, time.Since(began).Round(time.Second))
			return l.churn(cmd.Context(), cmd, sites, all)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&l.namespace, "namespace", "n", l.namespace, "namespace of the groups")
	f.IntVar(&l.groups, "groups", l.groups, "how many groups")
	f.IntVar(&l.volumes, "volumes", l.volumes, "volumes of each group")
	f.IntVar(&l.changes, "changes", l.changes, "status changes a second, on both sites together")
	f.DurationVar(&l.duration, "duration", l.duration, "how long to make changes")
	return cmd
}

func loadClient(kubeconfig, site string) (client.Client, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}, &clientcmd.ConfigOverrides{CurrentContext: site}).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	scheme := clientgoscheme.Scheme
	if err := vgrv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}

// make creates what is not there yet: the first site is primary.
func (l *load) make(ctx context.Context, sites [2]client.Client) ([2][]*vgrv1.VolumeGroupReplication, error) {
	var all [2][]*vgrv1.VolumeGroupReplication
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(16)
	for i, c := range sites {
		class := &vgrv1.VolumeGroupReplicationClass{ObjectMeta: metav1.ObjectMeta{Name: "load"}}
		class.Spec.Provisioner, class.Spec.Parameters = "rbd.csi.ceph.com", map[string]string{vgrv1.ParameterSchedulingInterval: "5m"}
		for _, obj := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.namespace}}, class} {
			if err := c.Create(ctx, obj); err != nil && !apierrors.IsAlreadyExists(err) {
				return all, err
			}
		}
		all[i] = make([]*vgrv1.VolumeGroupReplication, l.groups)
		for n := range l.groups {
			all[i][n] = l.group(n, i == 0)
			work.Go(func() error { return l.settle(ctx, c, all[i][n]) })
		}
	}
	return all, work.Wait()
}

func (l *load) group(n int, primary bool) *vgrv1.VolumeGroupReplication {
	g := &vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: fmt.Sprintf("group-%05d", n)}}
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
func (l *load) settle(ctx context.Context, c client.Client, g *vgrv1.VolumeGroupReplication) error {
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
func (l *load) change(ctx context.Context, c client.Client, g *vgrv1.VolumeGroupReplication) error {
	now := metav1.Now()
	state, reason := vgrv1.StateSecondary, vgrv1.ReasonDemoted
	if g.Spec.ReplicationState == vgrv1.Primary {
		state, reason = vgrv1.StatePrimary, vgrv1.ReasonPromoted
		g.Status.LastSyncTime = &now
	}
	g.Status.State, g.Status.Backend, g.Status.ObservedGeneration = state, "csi-addons", g.Generation
	g.Status.VolumeCount = int32(l.volumes) //nolint:gosec // a few
	g.Status.Volumes, g.Status.Conditions = nil, nil
	for kind, status := range map[string]metav1.ConditionStatus{
		vgrv1.ConditionReady: metav1.ConditionTrue, vgrv1.ConditionCompleted: metav1.ConditionTrue,
		vgrv1.ConditionDegraded: metav1.ConditionFalse, vgrv1.ConditionResyncing: metav1.ConditionFalse, vgrv1.ConditionReplicating: metav1.ConditionTrue,
	} {
		g.Status.Conditions = append(g.Status.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: "written by lab load", LastTransitionTime: now, ObservedGeneration: g.Generation,
		})
	}
	for i := range l.volumes {
		g.Status.Volumes = append(g.Status.Volumes, vgrv1.VolumeStatus{
			Name: fmt.Sprintf("%s-data-%d", g.Name, i), VolumeName: fmt.Sprintf("pvc-%s-%d", g.Name, i), VolumeHandle: fmt.Sprintf("0001-0009-rook-ceph-%s-%d", g.Name, i),
			State: state, Health: vgrv1.HealthHealthy, LastSyncTime: g.Status.LastSyncTime,
		})
	}
	return c.Status().Update(ctx, g)
}

// churn changes one group after another, at the rate that was asked for.
func (l *load) churn(ctx context.Context, cmd *cobra.Command, sites [2]client.Client, all [2][]*vgrv1.VolumeGroupReplication) error {
	if l.changes == 0 {
		return nil
	}
	tick := time.NewTicker(time.Second / time.Duration(l.changes))
	defer tick.Stop()
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(16)
	began, n := time.Now(), 0
	for time.Since(began) < l.duration {
		select {
		case <-ctx.Done():
			return work.Wait()
		case <-tick.C:
		}
		i := n % len(sites)
		g := all[i][(n/2*7919+rand.IntN(3))%l.groups] //nolint:gosec // any will do
		n++
		work.Go(func() error {
			fresh := l.group(0, false)
			if err := sites[i].Get(ctx, client.ObjectKeyFromObject(g), fresh); err != nil {
				return err
			}
			if err := l.change(ctx, sites[i], fresh); !apierrors.IsConflict(err) {
				return err
			}
			return nil
		})
	}
	err := work.Wait()
	fmt.Fprintf(cmd.OutOrStdout(), "%d changes in %s\n", n, time.Since(began).Round(time.Second))
	return err
}
