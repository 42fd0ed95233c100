// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

type deletion struct {
	change
	sel     selection
	retain  bool
	force   bool
	wait    bool
	timeout time.Duration
}

// NewDelete makes the delete command.
func NewDelete(e *Env) *cobra.Command {
	d := &deletion{}
	cmd := &cobra.Command{
		Use: "delete NAME…", Short: "Delete groups on this site, and end their replication or leave it running",
		Long: `Delete groups on this site.

By default the replication ends too: the storage stops mirroring the volumes. The volumes of this site stay. On Ceph, ending it
on the primary lets the storage remove the copies of the peer; delete the secondary's group first if you want to keep it apart.
With --retain only the group object goes: the storage goes on replicating, and a group of the same name takes it over again.`,
		Example: `  # End the replication of a group on this site
  kubectl vgr delete postgresql -n production

  # Keep replicating, drop the object
  kubectl vgr delete postgresql -n production --retain`,
		ValidArgsFunction: completeGroups(e),
	}
	d.addFlags(cmd)
	d.sel.addFlags(cmd, false)
	cmd.Flags().BoolVar(&d.retain, "retain", false, "leave the backend's objects in place: replication goes on")
	cmd.Flags().BoolVar(&d.force, "force", false, "delete although the storage is likely to refuse")
	cmd.Flags().BoolVar(&d.wait, "wait", true, "wait until it is gone")
	cmd.Flags().DurationVar(&d.timeout, "timeout", 5*time.Minute, "how long to wait")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return d.run(cmd.Context(), e, args)
	}
	return cmd
}

func (d *deletion) run(ctx context.Context, e *Env, args []string) error {
	mode, err := d.mode()
	if err != nil {
		return err
	}
	q, err := d.sel.query(e, args, true)
	if err != nil {
		return err
	}
	p, err := e.pair(ctx)
	if err != nil {
		return err
	}
	inputs := collect.Sites(ctx, p.all(), q)
	if err := answered(ctx, inputs[0]); err != nil {
		return err
	}
	o := overview.Build(inputs, e.Clock.Now())
	if err := missing(o, q, p.here.Name); err != nil {
		return err
	}
	var names []string
	for _, g := range o.Groups {
		if refusal := d.plan(e, p, g, o); refusal != nil {
			return refusal
		}
		names = append(names, g.Name)
	}
	if mode == dryRunClient {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	if err := e.confirm(d.yes || mode == dryRunServer, names); err != nil {
		return err
	}
	return d.act(ctx, e, p, inputs[0].Groups, mode)
}

// plan says what the deletion does to the data, and refuses what the storage would hang on.
func (d *deletion) plan(e *Env, p pair, g overview.Group, o overview.Overview) *failure.Failure {
	gs := g.On(p.here.Name)
	fmt.Fprintf(e.ErrOut, "%s: delete volumegroupreplication/%s -n %s\n", present.Clean(p.here.Name), present.Clean(g.Name), present.Clean(g.Namespace))
	if !gs.Exists {
		return failure.Refused("kubectl vgr list -n "+g.Namespace, "there is no group %s/%s on %s", g.Namespace, g.Name, p.here.Name)
	}
	if d.retain {
		fmt.Fprintln(e.ErrOut, "  - replication goes on: the backend's objects stay, and a group of this name takes them over again")
		return nil
	}
	if profile, ok := e.Profiles.Named(g.Backend); ok && profile.Retains {
		fmt.Fprintf(e.ErrOut, "  - replication goes on: %s never ends it for a group; that is done on the array\n", profile.Name)
		return nil
	}
	fmt.Fprintf(e.ErrOut, "  - replication of %d volumes ends; the volumes on %s stay\n", len(gs.Volumes), present.Clean(p.here.Name))
	var peer overview.GroupSite
	peerAnswered := false
	if p.peer != nil {
		peer, peerAnswered = g.On(p.peer.Name), o.Sites[1].Answered
	}
	switch {
	case gs.State == vgrv1.StatePrimary:
		fmt.Fprintln(e.ErrOut, "  - this is the primary: the storage may remove the copies of the other site")
	case gs.State == vgrv1.StateSecondary && peerAnswered && peer.State != vgrv1.StatePrimary && !d.force:
		return failure.Refused(fmt.Sprintf("kubectl vgr promote %s -n %s --context %s, or use --retain; --force tries all the same", g.Name, g.Namespace, p.peer.Name),
			"the storage does not let go of a secondary while its peer is not primary (%s is %s): the deletion would hang", p.peer.Name, orUnknown(string(peer.State)))
	case gs.State == vgrv1.StateSecondary && !peerAnswered:
		fmt.Fprintln(e.ErrOut, "  - the peer cannot be asked: if it is not primary, the storage will not let go and the deletion hangs")
	}
	return nil
}

func (d *deletion) act(ctx context.Context, e *Env, p pair, groups []vgrv1.VolumeGroupReplication, mode dryRun) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, errTimeout)
	defer cancel()
	c, err := p.here.Client()
	if err != nil {
		return err
	}
	var errs []error
	for i := range groups {
		err := d.one(ctx, e, p, c, &groups[i], mode)
		if err == nil {
			suffix := ""
			if mode == dryRunServer {
				suffix = " (server dry run)"
			}
			fmt.Fprintf(e.Out, "volumegroupreplication.replication.unified.io/%s deleted%s\n", present.Clean(groups[i].Name), suffix)
		}
		errs = append(errs, err)
	}
	return failure.Worst(errs)
}

func (d *deletion) one(ctx context.Context, e *Env, p pair, c client.Client, g *vgrv1.VolumeGroupReplication, mode dryRun) error {
	policy := vgrv1.DeletionPolicyDelete
	if d.retain {
		policy = vgrv1.DeletionPolicyRetain
	}
	if g.Annotations[vgrv1.AnnotationDeletionPolicy] != policy {
		// Bound to this very group, but not to a version of it: nothing else is changed, and the
		// controller writes to it as well.
		patch := fmt.Sprintf(`{"metadata":{"uid":%q,"annotations":{%q:%q}}}`, g.UID, vgrv1.AnnotationDeletionPolicy, policy)
		opts := []client.PatchOption{site.FieldManager}
		if mode == dryRunServer {
			opts = append(opts, client.DryRunAll)
		}
		if err := c.Patch(ctx, g, client.RawPatch(types.MergePatchType, []byte(patch)), opts...); err != nil {
			return writeError(ctx, p.here, mode == dryRunServer, "set the deletion policy of "+g.Name, err)
		}
	}
	opts := []client.DeleteOption{client.Preconditions{UID: &g.UID}}
	if mode == dryRunServer {
		opts = append(opts, client.DryRunAll)
	}
	if err := c.Delete(ctx, g, opts...); client.IgnoreNotFound(err) != nil {
		return writeError(ctx, p.here, mode == dryRunServer, "delete "+g.Name, err)
	} else if apierrors.IsNotFound(err) {
		return nil
	}
	if mode == dryRunServer || !d.wait {
		return nil
	}
	uid := g.UID
	return waiter{
		site: p.here, key: client.ObjectKeyFromObject(g), clock: e.Clock, out: e.progress(),
		again: fmt.Sprintf("kubectl vgr status %s -n %s --context %s", g.Name, g.Namespace, p.here.Name),
		judge: func(g *vgrv1.VolumeGroupReplication) outcome {
			if g == nil || g.UID != uid {
				return outcome{done: true}
			}
			ready := meta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionReady)
			if ready == nil || g.DeletionTimestamp.IsZero() {
				return outcome{says: "waiting for the controller"}
			}
			return outcome{says: ready.Reason + ": " + ready.Message, failing: ready.Reason == vgrv1.ReasonDeletionBlocked}
		},
	}.run(ctx)
}
