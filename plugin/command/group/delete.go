// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
	"github.com/unified-replication/kubectl-vgr/plugin/await"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

type deletion struct {
	cli.Change
	sel     cli.Selection
	end     bool
	force   bool
	wait    bool
	timeout time.Duration
}

// NewDelete makes the delete command.
func NewDelete(e *cli.Env) *cobra.Command {
	d := &deletion{}
	var retain bool
	cmd := &cobra.Command{
		Use: "delete NAME…", Short: "Delete groups on this site; keep their replication unless --end-replication is given",
		Long: `Delete groups on this site.

The command deletes only the group object: the storage keeps replicating, and a new group of the same name adopts the replication.

With --end-replication the replication ends too, and the plan says what that destroys on each site. On Ceph, ending it on the primary
removes the images of the copies within seconds: the PersistentVolumes and PVCs of the other site stay, without data.`,
		Example: `  # Delete the object, and keep replicating
  kubectl vgr delete postgresql -n production

  # End the replication, on the secondary first
  kubectl vgr delete postgresql -n production --end-replication --context west --peer-context east
  kubectl vgr delete postgresql -n production --end-replication --context east --peer-context west`,
		ValidArgsFunction: cli.CompleteGroups(e),
	}
	d.AddFlags(cmd)
	d.sel.AddFlags(cmd, false)
	cmd.Flags().BoolVar(&d.end, "end-replication", false, "also end the replication; the plan shows what that destroys")
	cmd.Flags().BoolVar(&retain, "retain", false, "the default")
	_ = cmd.Flags().MarkHidden("retain") // of the versions in which the replication ended unless it was given
	cmd.Flags().BoolVar(&d.force, "force", false, "delete even if an operation is in flight or the storage is likely to refuse")
	cmd.Flags().BoolVar(&d.wait, "wait", true, "wait until the group is gone")
	cmd.Flags().DurationVar(&d.timeout, "timeout", 5*time.Minute, "how long to wait")
	cmd.MarkFlagsMutuallyExclusive("retain", "end-replication")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return d.run(cmd.Context(), e, args)
	}
	return cmd
}

func (d *deletion) run(ctx context.Context, e *cli.Env, args []string) error {
	mode, err := d.Mode()
	if err != nil {
		return err
	}
	q, err := d.sel.Query(e, args, true)
	if err != nil {
		return err
	}
	p, err := e.Pair(ctx)
	if err != nil {
		return err
	}
	inputs := collect.Sites(ctx, p.All(), q)
	o := overview.Build(inputs, e.Clock.Now())
	if err := cli.Answered(ctx, inputs[0]); err != nil {
		if refused := e.OfOthers(ctx, o.Sites, q, p.All()); refused != nil {
			return refused
		}
		return err
	}
	if err := e.Selected(ctx, o, q, p.All()); err != nil {
		return err
	}
	var names []string
	for _, g := range o.Groups {
		if refusal := d.plan(ctx, e, p, g, o, inputs); refusal != nil {
			return refusal
		}
		names = append(names, g.Name)
	}
	if mode == cli.DryRunClient {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	if err := e.Confirm(d.Yes || mode == cli.DryRunServer, names); err != nil {
		return err
	}
	return d.act(ctx, e, p, inputs[0].Groups, mode)
}

// plan says what the deletion does to the data, and refuses what the storage would hang on.
func (d *deletion) plan(ctx context.Context, e *cli.Env, p cli.Pair, g overview.Group, o overview.Overview, inputs []overview.SiteInput) *clierror.Error {
	gs, say := g.On(p.Here.Name), func(format string, args ...any) {
		fmt.Fprintf(e.ErrOut, "  - %s\n", present.Clean(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(e.ErrOut, "%s: delete volumegroupreplication/%s -n %s\n", present.Clean(p.Here.Name), present.Clean(g.Name), present.Clean(g.Namespace))
	if !gs.Exists {
		return clierror.Refused("kubectl vgr list -n "+g.Namespace, "there is no group %s/%s on %s", g.Namespace, g.Name, p.Here.Name)
	}
	if op, at := inFlight(inputs, g); op != nil {
		if !d.force {
			return clierror.Refused(strings.Join(append(cli.Ways(op, at), "--force asks for the deletion all the same"), "\n"),
				"%s is in flight for %s/%s; the group is needed until it has ended", op, g.Namespace, g.Name)
		}
		if here, _ := inFlight(inputs[:1], g); here != nil {
			say("%s is in flight: the controller keeps the group until it has ended", op)
		} else {
			say("%s is in flight, and %s has no journal of it: it can neither continue nor be taken back without the group, and no site may be primary", op, p.Here.Name)
		}
	}
	profile, known := e.Profiles.Named(g.Backend)
	switch {
	case d.end && known && profile.Retains:
		return clierror.Refused("end it on the array; leave out --end-replication to delete the group", "%s never ends a replication for a group", profile.Name)
	case d.end:
		return d.planEnd(p, g, o, profile, say)
	default:
		planKept(ctx, p, g, profile, say)
		return nil
	}
}

// inFlight returns an operation of a group that has not ended, on any site, with the object that has its journal.
func inFlight(inputs []overview.SiteInput, g overview.Group) (*recovery.Operation, *vgrv1.VolumeGroupReplication) {
	for _, in := range inputs {
		for i := range in.Groups {
			at := &in.Groups[i]
			if at.Namespace != g.Namespace || at.Name != g.Name {
				continue
			}
			if op, err := recovery.Journal(at); err == nil && op.InFlight() {
				return op, at
			}
		}
	}
	return nil, nil
}

// planKept says that the replication stays, unless its objects are on their way out.
func planKept(ctx context.Context, p cli.Pair, g overview.Group, profile backend.Profile, say func(string, ...any)) {
	stays := func() {
		say("replication stays: the backend's objects stay, and a group of this name takes them over again")
	}
	if profile.Held == nil {
		stays()
		return
	}
	var pvcs []string
	for _, v := range g.On(p.Here.Name).Volumes {
		pvcs = append(pvcs, v.Name)
	}
	if len(pvcs) == 0 {
		say("the backend's objects are left as they are; no volume of the group is known on %s", p.Here.Name)
		return
	}
	c, err := p.Here.Client()
	var all []backend.Held
	if err == nil {
		all, err = profile.Held(ctx, c, g.Namespace, pvcs)
	}
	if err != nil {
		_, why := collect.Explain(p.Here, err)
		say("the backend's objects are left as they are; whether they replicate cannot be seen: %s", why)
		return
	}
	stay, replicated := true, map[string]bool{}
	for _, h := range all {
		replicated[h.PVC] = true
		if h.Deleting {
			say("replication of PVC %s ends: %s is being deleted", h.PVC, h.Object)
			stay = false
		}
	}
	for _, pvc := range pvcs {
		if !replicated[pvc] {
			say("PVC %s has no object of the backend that replicates it", pvc)
			stay = false
		}
	}
	if stay {
		stays()
	}
}

// planEnd says what the end of the replication destroys on each site.
func (d *deletion) planEnd(p cli.Pair, g overview.Group, o overview.Overview, profile backend.Profile, say func(string, ...any)) *clierror.Error {
	gs := g.On(p.Here.Name)
	say("replication of %d volumes ends", len(gs.Volumes))
	var peer overview.GroupSite
	peerAnswered := false
	if p.Peer != nil {
		peer, peerAnswered = g.On(p.Peer.Name), o.Sites[1].Answered
	}
	switch gs.State {
	case vgrv1.StatePrimary:
		say("%s is the primary, and its volumes stay", p.Here.Name)
	case vgrv1.StateSecondary:
		if peerAnswered && peer.State != vgrv1.StatePrimary && !d.force {
			return clierror.Refused(fmt.Sprintf("kubectl vgr promote %s -n %s --context %s, or leave out --end-replication; --force tries all the same", g.Name, g.Namespace, p.Peer.Flag()),
				"the storage does not release a secondary while its peer is not primary (%s is %s): the deletion would hang", p.Peer.Name, await.OrUnknown(string(peer.State)))
		}
		say("%s is the secondary: its PersistentVolumes are marked as copies as far as you may write them, so that no group is made primary over them by mistake", p.Here.Name)
		if !peerAnswered {
			say("the peer cannot be asked: if it is not primary, the storage will not release this secondary, and the deletion hangs")
		}
	default:
		say("%s does not say which role it has: if it is the primary, this is so: %s", p.Here.Name, orNothing(profile.Ending[vgrv1.StatePrimary]))
	}
	if text := profile.Ending[gs.State]; text != "" {
		say("%s", text)
	}
	return nil
}

func orNothing(text string) string {
	if text == "" {
		return "the backend does not say what is destroyed"
	}
	return text
}

// marks has the volumes of a secondary whose replication ends say that they are copies. What cannot be marked is told,
// and is no reason to stop.
func (d *deletion) marks(ctx context.Context, e *cli.Env, p cli.Pair, c client.Client, g *vgrv1.VolumeGroupReplication, mode cli.DryRun) {
	if !d.end || g.Status.State == vgrv1.StatePrimary || g.Status.State != vgrv1.StateSecondary && g.Spec.ReplicationState == vgrv1.Primary {
		return
	}
	of := cmp.Or(g.Annotations[vgrv1.AnnotationPeerClusterUID], "unknown")
	for _, v := range g.Status.Volumes {
		if v.VolumeName == "" {
			continue
		}
		var pv corev1.PersistentVolume
		err := c.Get(ctx, client.ObjectKey{Name: v.VolumeName}, &pv)
		if err == nil && pv.Annotations[vgrv1.AnnotationCopyOf] == "" {
			err = markCopy(ctx, c, &pv, of, mode == cli.DryRunServer)
		}
		if client.IgnoreNotFound(err) != nil {
			_, why := collect.Explain(p.Here, err)
			fmt.Fprintf(e.ErrOut, "  - %s\n", present.Clean(fmt.Sprintf("cannot mark PersistentVolume %s on %s as a copy: %s", v.VolumeName, p.Here.Name, why)))
		}
	}
}

func (d *deletion) act(ctx context.Context, e *cli.Env, p cli.Pair, groups []vgrv1.VolumeGroupReplication, mode cli.DryRun) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.timeout, cli.ErrTimeout)
	defer cancel()
	c, err := p.Here.Client()
	if err != nil {
		return err
	}
	var errs []error
	for i := range groups {
		err := d.one(ctx, e, p, c, &groups[i], mode)
		if err == nil {
			suffix := ""
			if mode == cli.DryRunServer {
				suffix = " (server dry run)"
			}
			fmt.Fprintf(e.Out, "volumegroupreplication.replication.unified.io/%s deleted%s\n", present.Clean(groups[i].Name), suffix)
		}
		errs = append(errs, err)
	}
	return clierror.Worst(errs)
}

func (d *deletion) one(ctx context.Context, e *cli.Env, p cli.Pair, c client.Client, g *vgrv1.VolumeGroupReplication, mode cli.DryRun) error {
	policy := vgrv1.DeletionPolicyRetain
	if d.end {
		policy = vgrv1.DeletionPolicyDelete
	}
	d.marks(ctx, e, p, c, g, mode)
	if g.Annotations[vgrv1.AnnotationDeletionPolicy] != policy {
		// Bound to this very group, but not to a version of it: nothing else is changed, and the
		// controller writes to it as well.
		patch := fmt.Sprintf(`{"metadata":{"uid":%q,"annotations":{%q:%q}}}`, g.UID, vgrv1.AnnotationDeletionPolicy, policy)
		opts := []client.PatchOption{site.FieldManager}
		if mode == cli.DryRunServer {
			opts = append(opts, client.DryRunAll)
		}
		if err := c.Patch(ctx, g, client.RawPatch(types.MergePatchType, []byte(patch)), opts...); err != nil {
			return cli.WriteError(ctx, p.Here, mode == cli.DryRunServer, "set the deletion policy of "+g.Name, err)
		}
	}
	opts := []client.DeleteOption{client.Preconditions{UID: &g.UID}}
	if mode == cli.DryRunServer {
		opts = append(opts, client.DryRunAll)
	}
	if err := c.Delete(ctx, g, opts...); client.IgnoreNotFound(err) != nil {
		return cli.WriteError(ctx, p.Here, mode == cli.DryRunServer, "delete "+g.Name, err)
	} else if apierrors.IsNotFound(err) {
		return nil
	}
	if mode == cli.DryRunServer || !d.wait {
		return nil
	}
	uid := g.UID
	return await.Waiter{
		Site: p.Here, Key: client.ObjectKeyFromObject(g), Clock: e.Clock, Out: e.Progress(),
		ResumeCommand: fmt.Sprintf("kubectl vgr status %s -n %s --context %s", g.Name, g.Namespace, p.Here.Flag()),
		Judge: func(g *vgrv1.VolumeGroupReplication) await.Outcome {
			return removed(g, uid)
		},
	}.Run(ctx)
}

// removed judges whether a group that was deleted is gone, or another of its name is there.
func removed(g *vgrv1.VolumeGroupReplication, uid types.UID) await.Outcome {
	v := state.Of(g)
	switch ready := v.Ready(); {
	case !v.Exists() || g.UID != uid:
		return await.Outcome{Done: true}
	case v.Released():
		return await.Outcome{Says: v.Gone()}
	case v.Held():
		return await.Outcome{Says: v.Gone(), Failing: true}
	case !v.Deleting() || ready == nil: // what it said before is not about the deletion
		return await.Outcome{Says: "waiting for the controller"}
	default:
		return await.Outcome{Says: ready.Reason + ": " + ready.Message, Failing: ready.Reason == vgrv1.ReasonDeletionBlocked}
	}
}
