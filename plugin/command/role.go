// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/failure"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
	"github.com/unified-replication/kubectl-vgr/plugin/usage"
)

// role is promote, demote or resync.
type role struct {
	change
	sel         selection
	state       vgrv1.ReplicationState
	force       bool
	acceptSplit bool
	wait        bool
	timeout     time.Duration
}

// NewPromote makes the promote command.
func NewPromote(e *Env) *cobra.Command {
	r := &role{state: vgrv1.Primary}
	cmd := r.command(e, "promote", "Make groups primary on this site", `  # West takes over what east has given up
  kubectl vgr promote postgresql -n production --context west`)
	cmd.Long = `Make groups primary on this site.

The other site is looked at first: a group that is primary there, or on its way, is not promoted here. Ceph would force it,
and two primaries lose data. When the other site cannot be asked, the risk must be accepted by name.`
	cmd.Flags().BoolVar(&r.acceptSplit, "accept-split-brain", false, "promote although the other site cannot be asked whether it is primary")
	return cmd
}

// NewDemote makes the demote command.
func NewDemote(e *Env) *cobra.Command {
	r := &role{state: vgrv1.Secondary}
	cmd := r.command(e, "demote", "Make groups secondary on this site", `  # East gives up; nobody can write until west is promoted
  kubectl vgr demote postgresql -n production --context east`)
	cmd.Flags().BoolVar(&r.force, "force", false, "ask for it although pods use the PVCs; the storage refuses while volumes are attached")
	return cmd
}

// NewResync makes the resync command.
func NewResync(e *Env) *cobra.Command {
	r := &role{state: vgrv1.Resync}
	cmd := r.command(e, "resync", "Discard this site's unreplicated writes and copy from the primary", `  # The old primary came back and has to follow the new one
  kubectl vgr resync postgresql -n production --context east`)
	cmd.Long = `Discard this site's unreplicated writes and copy from the primary.

A Ceph secondary cannot say that a resync has ended while its peer is primary, so the command ends when the storage has
confirmed that it runs. "kubectl vgr demote" makes the group an ordinary secondary again.`
	return cmd
}

func (r *role) command(e *Env, use, short, example string) *cobra.Command {
	cmd := &cobra.Command{Use: use + " NAME…", Short: short, Example: example, ValidArgsFunction: completeGroups(e)}
	r.addFlags(cmd)
	r.sel.addFlags(cmd, false)
	cmd.Flags().BoolVar(&r.wait, "wait", true, "wait until the backend has confirmed it")
	cmd.Flags().DurationVar(&r.timeout, "timeout", 5*time.Minute, "how long to wait")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return r.run(cmd.Context(), e, args)
	}
	return cmd
}

func (r *role) run(ctx context.Context, e *Env, args []string) error {
	mode, err := r.mode()
	if err != nil {
		return err
	}
	q, err := r.sel.query(e, args, true)
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
	if err := r.identify(ctx, p, inputs); err != nil {
		return err
	}
	todo, err := r.plan(ctx, e, p, o, inputs)
	if err != nil || len(todo) == 0 {
		return err
	}
	if mode == dryRunClient {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	var names []string
	for _, t := range todo {
		names = append(names, t.group.Name)
	}
	if err := e.confirm(r.yes || mode == dryRunServer, names); err != nil {
		return err
	}
	return r.act(ctx, e, p, todo, mode)
}

// identify compares the clusters with what the groups remember, as far as they answer.
func (r *role) identify(ctx context.Context, p pair, inputs []overview.SiteInput) error {
	if p.peer == nil || !inputs[1].Answered {
		return nil // the plan refuses where that matters
	}
	_, peerUID, err := p.distinct(ctx)
	if err != nil {
		return err
	}
	for _, g := range inputs[0].Groups {
		if uid := g.Annotations[vgrv1.AnnotationPeerClusterUID]; uid != "" && uid != peerUID {
			return failure.Refused("name the right site with --peer-context", "context %s is not the cluster that %s/%s is paired with", p.peer.Name, g.Namespace, g.Name)
		}
	}
	return nil
}

// roleChange is a group to change.
type roleChange struct {
	group     *vgrv1.VolumeGroupReplication
	awaitSync bool
	peer      vgrv1.PeerFate
}

// plan shows what will be done and returns the groups to change; one refusal stops all.
func (r *role) plan(ctx context.Context, e *Env, p pair, o overview.Overview, inputs []overview.SiteInput) ([]roleChange, error) {
	var todo []roleChange
	var refusals []error
	users := map[string]*usage.Snapshot{}
	for _, g := range o.Groups {
		req := roleRequest{state: r.state, here: p.here.Name, group: g, force: r.force, acceptSplit: r.acceptSplit}
		if p.peer != nil {
			req.peer, req.peerSite = p.peer.Name, inputs[1].Site
		}
		if r.state == vgrv1.Secondary {
			if _, known := users[g.Namespace]; !known {
				users[g.Namespace] = usage.Read(ctx, p.here, g.Namespace, false)
			}
			if i := find(inputs[0].Groups, g); i >= 0 {
				used := users[g.Namespace].Of(&inputs[0].Groups[i])
				req.usersUnknown = used.Unknown
				for _, u := range used.Users {
					req.users = append(req.users, u.String())
				}
			}
		}
		if profile, ok := e.Profiles.Named(g.Backend); ok {
			req.confirmsSync = profile.Traits.ConfirmsSync
		}
		plan := planRole(req)
		plan.show(e.ErrOut, p.here.Name, g)
		if plan.refusal != nil {
			refusals = append(refusals, plan.refusal)
			continue
		}
		if !plan.done {
			todo = append(todo, roleChange{&inputs[0].Groups[find(inputs[0].Groups, g)], plan.awaitSync, plan.peer})
		}
	}
	if len(refusals) > 1 {
		for _, err := range refusals[1:] {
			fmt.Fprintln(e.ErrOut, "also:", present.Clean(err.Error()))
		}
	}
	if len(refusals) > 0 {
		fmt.Fprintln(e.ErrOut, "nothing was changed")
		return nil, refusals[0]
	}
	return todo, nil
}

func find(groups []vgrv1.VolumeGroupReplication, g overview.Group) int {
	return slices.IndexFunc(groups, func(x vgrv1.VolumeGroupReplication) bool { return x.Name == g.Name && x.Namespace == g.Namespace })
}

// act writes each group and waits for all at once; one that fails does not stop the others.
func (r *role) act(ctx context.Context, e *Env, p pair, todo []roleChange, mode dryRun) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, errTimeout)
	defer cancel()
	c, err := p.here.Client()
	if err != nil {
		return err
	}
	errs := make([]error, len(todo))
	var acting sync.WaitGroup
	var printing sync.Mutex
	for i, t := range todo {
		g := t.group
		acting.Go(func() {
			errs[i] = r.one(ctx, e, p, c, t, mode)
			if errs[i] == nil {
				printing.Lock()
				defer printing.Unlock()
				fmt.Fprintf(e.Out, "volumegroupreplication.replication.unified.io/%s %s\n", present.Clean(g.Name), r.pastTense(mode))
			}
		})
	}
	acting.Wait()
	if len(todo) > 1 {
		for _, err := range errs {
			if err != nil {
				fmt.Fprintln(e.ErrOut, "failed:", present.Clean(err.Error()))
			}
		}
	}
	return failure.Worst(errs)
}

func (r *role) pastTense(mode dryRun) string {
	did := map[vgrv1.ReplicationState]string{vgrv1.Primary: "promoted", vgrv1.Secondary: "demoted", vgrv1.Resync: "resyncing"}[r.state]
	switch {
	case mode == dryRunServer:
		return did + " (server dry run)"
	case !r.wait:
		return "asked to be " + did + "; not waited for"
	default:
		return did
	}
}

func (r *role) one(ctx context.Context, e *Env, p pair, c client.Client, t roleChange, mode dryRun) error {
	g := t.group
	if t.awaitSync && mode == dryRunNone {
		if err := r.awaitSync(ctx, e, p, c, g); err != nil {
			return err
		}
	}
	opts := []client.PatchOption{site.FieldManager}
	if mode == dryRunServer {
		opts = append(opts, client.DryRunAll)
	}
	err := r.write(ctx, p.here, c, t, opts)
	var told *failure.Failure
	switch {
	case apierrors.IsConflict(err):
		return failure.Refused("run the same command again: it looks anew", "%s/%s was changed by somebody else since the plan; nothing was changed", g.Namespace, g.Name)
	case errors.As(err, &told):
		return told
	case err != nil:
		return writeError(ctx, p.here, mode == dryRunServer, verb(r.state)+" "+g.Namespace+"/"+g.Name, err)
	}
	if mode == dryRunServer || !r.wait {
		return nil
	}
	return waiter{
		site: p.here, key: client.ObjectKeyFromObject(g), clock: e.Clock, out: e.progress(), judge: reaches(r.state),
		again: fmt.Sprintf("kubectl vgr %s %s -n %s --context %s goes on", verb(r.state), g.Name, g.Namespace, p.here.Name),
	}.run(ctx)
}

// write asks for the state, as long as the spec is the one of the plan. The controller may have
// written the status since, which is no reason to give up.
func (r *role) write(ctx context.Context, s *site.Site, c client.Client, t roleChange, opts []client.PatchOption) error {
	g := t.group
	planned := g.Generation
	for {
		before := g.DeepCopy()
		g.Spec.ReplicationState = r.state
		for _, told := range []string{vgrv1.AnnotationPeer, vgrv1.AnnotationPeerSnapshots, vgrv1.AnnotationSnapshotRequest} {
			delete(g.Annotations, told)
		}
		if t.peer != "" {
			if g.Annotations == nil {
				g.Annotations = map[string]string{}
			}
			g.Annotations[vgrv1.AnnotationPeer] = string(t.peer) + "/" + newID()
		}
		conflict := c.Patch(ctx, g, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), opts...)
		if !apierrors.IsConflict(conflict) {
			return conflict
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(before), g); err != nil {
			return siteError(ctx, s, "read "+g.Namespace+"/"+g.Name, err)
		}
		if g.Generation != planned || g.UID != before.UID || g.Annotations[vgrv1.AnnotationOperation] != before.Annotations[vgrv1.AnnotationOperation] {
			return conflict
		}
	}
}

// awaitSync waits until both sites have confirmed that everything has crossed, and reads the group
// again. Nothing has been changed when it fails.
func (r *role) awaitSync(ctx context.Context, e *Env, p pair, c client.Client, g *vgrv1.VolumeGroupReplication) error {
	const anyway = "--accept-split-brain promotes all the same and loses what has not crossed"
	if !r.wait {
		return failure.Refused("leave out --wait=false; "+anyway, "%s/%s: not everything is confirmed to have crossed; nothing was changed", g.Namespace, g.Name)
	}
	planned := g.Generation
	errs := make([]error, 2)
	var both sync.WaitGroup
	for i, s := range p.all() {
		both.Go(func() {
			errs[i] = waiter{site: s, key: client.ObjectKeyFromObject(g), clock: e.Clock, out: e.progress(), judge: crossed}.run(ctx)
		})
	}
	both.Wait()
	if err := failure.Worst(errs); err != nil {
		if failure.Code(err) == failure.CodeInterrupted {
			return failure.New(failure.CodeInterrupted, "", "interrupted before anything was changed")
		}
		return failure.Refused("see whether the link between the sites is up; "+anyway, "%v; nothing was changed", err)
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(g), g); err != nil {
		return siteError(ctx, p.here, "read "+g.Namespace+"/"+g.Name, err)
	}
	if g.Generation != planned {
		return failure.Refused("run the same command again: it looks anew", "%s/%s was changed by somebody else since the plan; nothing was changed", g.Namespace, g.Name)
	}
	return nil
}
