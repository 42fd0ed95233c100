// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package group has create and delete.
package group

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin/await"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// creation is the create command. Running it again resumes where it stopped: everything that
// is there already, and as wanted, is kept.
type creation struct {
	cli.Change
	class, selector, state string
	autoResync             bool
	// storageClasses are the values of --storage-class-map, and classMap what they say.
	storageClasses []string
	classMap       map[string]string
	// peerNamespace is refused.
	peerNamespace string
	wait          bool
	timeout       time.Duration
	// backend is the name of the class's backend, once it is known.
	backend string
}

// NewCreate makes the create command.
func NewCreate(e *cli.Env) *cobra.Command {
	c := &creation{}
	cmd := &cobra.Command{
		Use: "create NAME --class CLASS -l SELECTOR", Short: "Replicate the PVCs that a selector matches, as one group",
		Long: `Replicate the PVCs that a selector matches, as one group.

With a peer (--peer-context, or KUBECTL_VGR_PEER_CONTEXT) the command also prepares the other site: it creates the class, PersistentVolumes
and PVCs with the volume handles of the copies, the handle of the group, and the group as secondary. Run the command again to resume it,
to prepare the copies of PVCs that came later, and to have the copies say the size of sources that were resized.

The copies have the StorageClasses of their sources; --storage-class-map names others. A later create gives new copies the StorageClass that the
others have. Namespaces and names are the same on both sites.`,
		Example: `  # Three PVCs of a database, on both sites
  kubectl vgr create postgresql -n production --class gold -l app=postgresql --context east --peer-context west

  # Show the plan and change nothing
  kubectl vgr create postgresql -n production --class gold -l app=postgresql --dry-run=client`,
		Args: cli.ExactlyOne("NAME"), ValidArgsFunction: cobra.NoFileCompletions,
	}
	c.AddFlags(cmd)
	cmd.Flags().StringVar(&c.class, "class", "", "the VolumeGroupReplicationClass (required)")
	cmd.Flags().StringVarP(&c.selector, "selector", "l", "", "labels of the PVCs (required)")
	cmd.Flags().StringVar(&c.state, "state", "primary", "primary or secondary")
	cmd.Flags().BoolVar(&c.autoResync, "auto-resync", false, "let the storage discard this site's unreplicated writes by itself when both sites have written")
	cmd.Flags().BoolVar(&c.wait, "wait", true, "wait until the backend has confirmed the group")
	cmd.Flags().DurationVar(&c.timeout, "timeout", 5*time.Minute, "how long to wait")
	cmd.Flags().StringArrayVar(&c.storageClasses, "storage-class-map", nil, "CLASS=CLASS-ON-THE-PEER: the StorageClass of the copies of PVCs with that StorageClass; can be repeated")
	cmd.Flags().StringVar(&c.peerNamespace, "peer-namespace", "", "")
	_ = cmd.Flags().MarkHidden("peer-namespace")
	_ = cmd.RegisterFlagCompletionFunc("storage-class-map", cli.CompleteStorageClassMap(e))
	_ = cmd.RegisterFlagCompletionFunc("class", cli.CompleteClasses(e))
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]string{"primary", "secondary"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cmd.SilenceUsage = true
		return c.run(cmd.Context(), e, args[0])
	}
	return cmd
}

// wanted builds the group from the flags.
func (c *creation) wanted(namespace, name string) (*vgrv1.VolumeGroupReplication, error) {
	if c.class == "" {
		return nil, clierror.New(clierror.CodeError, "kubectl vgr class list shows the classes", "--class is required")
	}
	if c.selector == "" {
		return nil, clierror.New(clierror.CodeError, "kubectl get pvc --show-labels shows the labels", "--selector (-l) is required")
	}
	selector, err := metav1.ParseToLabelSelector(c.selector)
	if err != nil {
		return nil, clierror.New(clierror.CodeError, "use KEY=VALUE[,KEY=VALUE…]", "malformed selector %q: %v", c.selector, err)
	}
	if len(name) > 63 {
		return nil, clierror.New(clierror.CodeError, "choose a shorter name", "the name has %d characters; a group's name may have 63", len(name))
	}
	state := vgrv1.ReplicationState(c.state)
	if state != vgrv1.Primary && state != vgrv1.Secondary {
		return nil, clierror.New(clierror.CodeError, "kubectl vgr resync is for groups that exist", "--state must be primary or secondary, not %q", c.state)
	}
	g := &vgrv1.VolumeGroupReplication{
		TypeMeta:   metav1.TypeMeta{APIVersion: vgrv1.GroupVersion.String(), Kind: "VolumeGroupReplication"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       vgrv1.VolumeGroupReplicationSpec{VolumeGroupReplicationClass: c.class, Selector: selector, ReplicationState: state},
	}
	if c.autoResync {
		g.Spec.AutoResync = &c.autoResync
	}
	return g, nil
}

func (c *creation) run(ctx context.Context, e *cli.Env, name string) error {
	mode, err := c.Mode()
	if err != nil {
		return err
	}
	group, err := c.wanted(e.Sites.Namespace(), name)
	if err != nil {
		return err
	}
	p, err := c.sites(ctx, e, group)
	if err != nil {
		return err
	}
	seen, err := c.look(ctx, e, p, group)
	if err != nil {
		return err
	}
	seen.show(e, p, group)
	if mode == cli.DryRunClient {
		fmt.Fprintln(e.ErrOut, "dry run: nothing was changed")
		return nil
	}
	if err := e.Confirm(c.Yes || mode == cli.DryRunServer, []string{name}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, cli.ErrTimeout)
	defer cancel()
	// Again: the answer to the question may have come late.
	if group, err = c.wanted(e.Sites.Namespace(), name); err != nil {
		return err
	}
	if seen, err = c.look(ctx, e, p, group); err != nil {
		return err
	}
	if seen.peerObjects != nil {
		if err := seen.try(ctx, p.Peer); err != nil {
			return err
		}
	}
	if err := c.createHere(ctx, e, p, group, seen, mode); err != nil || mode == cli.DryRunServer {
		return err
	}
	if p.Peer == nil || group.Spec.ReplicationState != vgrv1.Primary {
		return nil
	}
	return c.preparePeer(ctx, e, p, group, seen)
}

// sites connects to this site and, only if it was named, the peer: what create remembers for
// other groups says nothing about a new one.
func (c *creation) sites(ctx context.Context, e *cli.Env, group *vgrv1.VolumeGroupReplication) (p cli.Pair, err error) {
	if c.classMap, err = classMap(c.storageClasses); err != nil {
		return p, err
	}
	if c.peerNamespace != "" && c.peerNamespace != group.Namespace {
		return p, clierror.Refused(fmt.Sprintf("leave --peer-namespace out; create makes namespace %s on the peer", group.Namespace),
			"a group and its PVCs have the same namespace on both sites: by it and their names all commands find what belongs together")
	}
	named := e.Sites.PeerName() != "" || e.Sites.PeerFile() != ""
	if len(c.classMap) > 0 && (!named || group.Spec.ReplicationState != vgrv1.Primary) {
		return p, clierror.New(clierror.CodeError, "leave it out, or name the peer with --peer-context", "%s is for the copies, and this command prepares no peer", mapFlag)
	}
	if named {
		return e.Pair(ctx)
	}
	p.Here, err = e.Sites.Here()
	return p, err
}

func (s seen) show(e *cli.Env, p cli.Pair, group *vgrv1.VolumeGroupReplication) {
	did := "create"
	if s.exists() {
		did = "keep"
	}
	fmt.Fprintf(e.ErrOut, "%s: %s volumegroupreplication/%s -n %s, class %s (%s), as %s\n",
		present.Clean(p.Here.Name), did, group.Name, group.Namespace, s.class.Name, s.profile.Name, group.Spec.ReplicationState)
	preflight.ShowGitOps(e, p.Here, group)
	for _, v := range s.volumes {
		size := v.PVC.Status.Capacity[corev1.ResourceStorage]
		fmt.Fprintf(e.ErrOut, "  volume %s %s\n", present.Clean(v.PVC.Name), size.String())
	}
	for _, d := range s.doubts {
		fmt.Fprintf(e.ErrOut, "  - %s\n", present.Clean(d))
	}
	if p.Peer == nil {
		fmt.Fprintln(e.ErrOut, "  - no peer was named: the other site is not prepared")
		return
	}
	if group.Spec.ReplicationState != vgrv1.Primary {
		fmt.Fprintln(e.ErrOut, "  - the other site is not prepared; that is done from the primary")
		return
	}
	fmt.Fprintf(e.ErrOut, "%s: prepare the peer, once %s is confirmed\n", present.Clean(p.Peer.Name), present.Clean(p.Here.Name))
	if !s.peerNamespace {
		fmt.Fprintf(e.ErrOut, "  create namespace/%s\n", group.Namespace)
	}
	if !s.peerClass {
		fmt.Fprintf(e.ErrOut, "  create volumegroupreplicationclass/%s\n", s.class.Name)
	}
	fmt.Fprintf(e.ErrOut, "  create %d %s\n", len(s.volumes), s.profile.PeerVolumes)
	for _, v := range s.volumes {
		if csi := v.PV.Spec.CSI; csi != nil && v.PeerHandle != "" && v.PeerHandle != csi.VolumeHandle {
			fmt.Fprintf(e.ErrOut, "    volume handle of the copy of %s: %s; here %s\n", present.Clean(v.PVC.Name), present.Clean(v.PeerHandle), present.Clean(csi.VolumeHandle))
		}
	}
	for _, from := range slices.Sorted(maps.Keys(s.classes)) {
		fmt.Fprintf(e.ErrOut, "    with StorageClass %s for %s\n", present.Clean(s.classes[from]), present.Clean(from))
	}
	fmt.Fprintf(e.ErrOut, "  create volumegroupreplication/%s as secondary\n", group.Name)
	for i, there := range s.peerHas {
		switch there.(type) {
		case *corev1.PersistentVolume, *corev1.PersistentVolumeClaim:
			resized := ""
			if g, ok := s.grows(i); ok {
				resized = fmt.Sprintf(", with the size %s of its source instead of %s", g.to.String(), g.from.String())
			}
			fmt.Fprintf(e.ErrOut, "  keep %s %s%s\n", s.peerObjects[i].GetObjectKind().GroupVersionKind().Kind, present.Clean(there.GetName()), resized)
		}
	}
	for _, n := range s.notes {
		fmt.Fprintf(e.ErrOut, "  - %s\n", present.Clean(n))
	}
}

// pairWith has a group name its peer, and offer the user's names of both clusters unless it offers other ones.
func (s seen) pairWith(group *vgrv1.VolumeGroupReplication, peer *site.Site, uid string) {
	metav1.SetMetaDataAnnotation(&group.ObjectMeta, vgrv1.AnnotationPeerClusterUID, uid)
	metav1.SetMetaDataAnnotation(&group.ObjectMeta, vgrv1.AnnotationPeerContext, peer.Context)
	if s.names != "" && group.Annotations[vgrv1.AnnotationSiteNames] == "" {
		metav1.SetMetaDataAnnotation(&group.ObjectMeta, vgrv1.AnnotationSiteNames, s.names)
	}
}

// rememberPeer writes on the group whom it is paired with. A status that was written meanwhile is no
// reason to give up; another pairing is.
func (s seen) rememberPeer(ctx context.Context, p cli.Pair, c client.Client, group *vgrv1.VolumeGroupReplication) error {
	for {
		before := group.DeepCopy()
		s.pairWith(group, p.Peer, s.peerUID)
		conflict := c.Patch(ctx, group, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), site.FieldManager)
		if conflict == nil {
			return nil
		}
		if !apierrors.IsConflict(conflict) {
			return cli.WriteError(ctx, p.Here, false, "write the peer of group "+group.Name, conflict)
		}
		if err := c.Get(ctx, client.ObjectKeyFromObject(before), group); err != nil {
			return cli.SiteError(ctx, p.Here, "read group "+group.Name, err)
		}
		if group.UID != before.UID || group.Annotations[vgrv1.AnnotationPeerClusterUID] != before.Annotations[vgrv1.AnnotationPeerClusterUID] {
			return cli.SiteError(ctx, p.Here, "write the peer of group "+group.Name, conflict)
		}
	}
}

func (c *creation) createHere(ctx context.Context, e *cli.Env, p cli.Pair, group *vgrv1.VolumeGroupReplication, s seen, mode cli.DryRun) error {
	cl, err := p.Here.Client()
	if err != nil {
		return err
	}
	if !s.exists() {
		opts := []client.CreateOption{site.FieldManager}
		if mode == cli.DryRunServer {
			opts = append(opts, client.DryRunAll)
		}
		if p.Peer != nil {
			s.pairWith(group, p.Peer, s.peerUID)
		}
		if err := cl.Create(ctx, group, opts...); err != nil {
			return cli.WriteError(ctx, p.Here, mode == cli.DryRunServer, "create group "+group.Name, err)
		}
		suffix := ""
		if mode == cli.DryRunServer {
			suffix = " (server dry run)"
		}
		fmt.Fprintf(e.Out, "volumegroupreplication.replication.unified.io/%s created%s\n", group.Name, suffix)
	} else if p.Peer != nil && mode != cli.DryRunServer && (group.Annotations[vgrv1.AnnotationPeerClusterUID] != s.peerUID || s.names != "" && group.Annotations[vgrv1.AnnotationSiteNames] == "") {
		if err := s.rememberPeer(ctx, p, cl, group); err != nil {
			return err
		}
	}
	if mode == cli.DryRunServer || !c.wait && p.Peer == nil {
		return nil
	}
	return c.await(ctx, e, p.Here, group, await.Reaches(group.Spec.ReplicationState))
}

func (c *creation) await(ctx context.Context, e *cli.Env, s *site.Site, group *vgrv1.VolumeGroupReplication, judge func(*vgrv1.VolumeGroupReplication) await.Outcome) error {
	return await.Waiter{
		Site: s, Key: client.ObjectKeyFromObject(group), Clock: e.Clock, Out: e.Progress(), Judge: judge,
		ResumeCommand: "run the same command again; it resumes where it stopped",
	}.Run(ctx)
}
