// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// found is what create finds of a group on one site, before it makes anything.
type found struct {
	site string
	// flag names it on a command line of kubectl vgr after --context, ready for a shell, and kubectl on one of kubectl.
	flag, kubectl string
	// group is nil when there is none of the name.
	group *vgrv1.VolumeGroupReplication
	// held are the backend's objects that replicate the PVCs.
	held []backend.Held
	// copies are the PVCs whose volumes were prepared as copies, with the clusters that they were copied from.
	copies map[string]string
}

// read asks the site what replicates the PVCs.
func (f *found) read(ctx context.Context, s *site.Site, cl client.Client, profile backend.Profile, namespace string, volumes []backend.PeerVolume) error {
	if profile.Held == nil {
		return nil
	}
	var err error
	if f.held, err = profile.Held(ctx, cl, namespace, claimNames(volumes)); err != nil {
		return cli.SiteError(ctx, s, "list the volumes that "+profile.Name+" replicates in namespace "+namespace, err)
	}
	return nil
}

func newFound(s *site.Site) *found { return &found{site: s.Name, flag: s.Flag(), kubectl: s.Kubectl()} }

func claimNames(volumes []backend.PeerVolume) []string {
	names := make([]string, 0, len(volumes))
	for _, v := range volumes {
		names = append(names, v.PVC.Name)
	}
	return names
}

func (f *found) marked(volumes []backend.PeerVolume) {
	f.copies = map[string]string{}
	for _, v := range volumes {
		if of := v.PV.Annotations[vgrv1.AnnotationCopyOf]; of != "" {
			f.copies[v.PVC.Name] = of
		}
	}
}

// first finds an object of the backend.
func (f *found) first(match func(backend.Held) bool) (backend.Held, bool) {
	i := slices.IndexFunc(f.held, match)
	if i < 0 {
		return backend.Held{}, false
	}
	return f.held[i], true
}

func (f *found) withRole(role vgrv1.State) (backend.Held, bool) {
	return f.first(func(h backend.Held) bool { return h.Role == role })
}

// primary says why the site is primary or about to be; empty when it is not. A group that waits for the confirmation of
// its promotion is not.
func (f *found) primary() string {
	if g := f.group; g != nil {
		ready := apimeta.FindStatusCondition(g.Status.Conditions, vgrv1.ConditionReady)
		waits := g.Status.State == vgrv1.StateSecondary && ready != nil && ready.Reason == vgrv1.ReasonPromotionNotConfirmed
		if g.Status.State == vgrv1.StatePrimary || g.Spec.ReplicationState == vgrv1.Primary && !waits {
			return fmt.Sprintf("its group %s/%s is primary", g.Namespace, g.Name)
		}
	}
	if h, ok := f.withRole(vgrv1.StatePrimary); ok {
		return held(h)
	}
	return ""
}

func held(h backend.Held) string { return fmt.Sprintf("%s of PVC %s %s", h.Object, h.PVC, h.Says) }

// heldOn says the same of a site that the sentence has not named.
func heldOn(site string, h backend.Held) string {
	return fmt.Sprintf("%s of PVC %s on %s %s", h.Object, h.PVC, site, h.Says)
}

// command returns this create with other sites or another state.
func (c *creation) command(group *vgrv1.VolumeGroupReplication, flag, peerFlag string, state vgrv1.ReplicationState) string {
	text := fmt.Sprintf("kubectl vgr create %s -n %s --class %s -l %s --context %s",
		recovery.ShellQuote(group.Name), recovery.ShellQuote(group.Namespace), recovery.ShellQuote(c.class), recovery.ShellQuote(c.selector), flag)
	if peerFlag != "" {
		text += " --peer-context " + peerFlag
	}
	if state != vgrv1.Primary {
		text += " --state " + string(state)
	}
	return text
}

// adopt refuses whatever would change the role of something that exists: what is found is taken over as it is, or not
// at all. It is pure. there is nil without a peer.
func (c *creation) adopt(group *vgrv1.VolumeGroupReplication, here, there *found) *clierror.Error {
	for _, f := range []*found{here, there} {
		if refusal := f.unsettled(group); refusal != nil {
			return refusal
		}
	}
	if refusal := c.foreign(group, here); refusal != nil {
		return refusal
	}
	if there != nil {
		if refusal := c.foreign(group, there); refusal != nil {
			return refusal
		}
	}
	if group.Spec.ReplicationState == vgrv1.Secondary {
		return c.adoptSecondary(group, here)
	}
	return c.adoptPrimary(group, here, there)
}

// unsettled refuses while something moves or leaves.
func (f *found) unsettled(group *vgrv1.VolumeGroupReplication) *clierror.Error {
	if f == nil {
		return nil
	}
	name, next := group.Namespace+"/"+group.Name, fmt.Sprintf("kubectl vgr status %s -n %s --context %s", group.Name, group.Namespace, f.flag)
	if g := f.group; g != nil {
		if !g.DeletionTimestamp.IsZero() {
			return clierror.Refused(next+" shows when it is gone", "group %s on %s is being deleted", name, f.site)
		}
		op, err := recovery.Journal(g)
		switch {
		case err != nil:
			return clierror.Refused(next, "cannot read the journal on %s: %v", f.site, err)
		case op.InFlight():
			return clierror.Refused(strings.Join(cli.Ways(op, g), "\n"), "%s is in flight for group %s on %s", op, name, f.site)
		}
	}
	if h, ok := f.first(func(h backend.Held) bool { return h.Deleting }); ok {
		return clierror.Refused("wait until it is gone; a finalizer on it names who holds it", "%s of PVC %s on %s is being deleted", h.Object, h.PVC, f.site)
	}
	if h, ok := f.withRole(vgrv1.StateUnknown); ok {
		return clierror.Refused("wait until it is settled, or settle it with the tool that asked for it", "%s", heldOn(f.site, h))
	}
	return nil
}

// foreign refuses PVCs that objects of others replicate. To delete those would end the replication, so that is
// never the way.
func (c *creation) foreign(group *vgrv1.VolumeGroupReplication, f *found) *clierror.Error {
	owner := backend.Owner{Kind: backend.VolumeGroupReplicationKind, NamespacedName: client.ObjectKeyFromObject(group)}
	h, ok := f.first(func(h backend.Held) bool { return !h.Free(owner) })
	if !ok {
		return nil
	}
	const others = "select PVCs that nothing else replicates"
	switch {
	case h.Owner.Kind == backend.VolumeReplicationKind:
		return clierror.Refused(fmt.Sprintf("kubectl get volumereplications.replication.unified.io %s -n %s --context %s; or %s", h.Owner.Name, h.Owner.Namespace, f.kubectl, others),
			"PVC %s on %s belongs to VolumeReplication %s of kubectl vgr", h.PVC, f.site, h.Owner.Name)
	case h.Owner.Name != "":
		return clierror.Refused("give the group that name, and it takes over what is there; or "+others,
			"PVC %s on %s belongs to group %s of kubectl vgr (%s)", h.PVC, f.site, h.Owner.Name, h.Object)
	case h.Keeper != "":
		return clierror.Refused("move it with that tool, or "+others, "PVC %s on %s is replicated by %s, which %s controls", h.PVC, f.site, h.Object, h.Keeper)
	case h.Migrates:
		_, name, _ := strings.Cut(h.Object, " ")
		return clierror.Refused(fmt.Sprintf("kubectl vgr migrate --from %s %s --into %s -n %s --context %s hands it over; its replication stays",
			c.backend, recovery.ShellQuote(name), recovery.ShellQuote(cmp.Or(h.As, group.Name)), recovery.ShellQuote(group.Namespace), f.flag),
			"PVC %s on %s is replicated by %s, which kubectl vgr did not make", h.PVC, f.site, h.Object)
	default:
		return clierror.Refused("leave it to the tool that made it, or "+others, "PVC %s on %s is replicated by %s, which kubectl vgr did not make and cannot take over", h.PVC, f.site, h.Object)
	}
}

// adoptSecondary: without a role that the backend has told, a group as secondary could demote.
func (c *creation) adoptSecondary(group *vgrv1.VolumeGroupReplication, here *found) *clierror.Error {
	asPrimary := c.command(group, here.flag, "", vgrv1.Primary)
	if why := here.primary(); why != "" {
		return clierror.Refused(asPrimary, "%s is primary (%s); create takes over what exists as it is", here.site, why)
	}
	if h, ok := here.withRole(""); ok {
		return clierror.Refused("wait until it has", "%s", heldOn(here.site, h))
	}
	return nil
}

func (c *creation) adoptPrimary(group *vgrv1.VolumeGroupReplication, here, there *found) *clierror.Error {
	peerIs, peer := "", ""
	if there != nil {
		peerIs, peer = there.primary(), there.site
	}
	// How the site joins as secondary, which the primary's site prepares.
	join := c.command(group, here.flag, "", vgrv1.Secondary) + " takes it over as it is"
	if peerIs != "" {
		join = c.command(group, there.flag, here.flag, vgrv1.Primary) + " makes " + here.site + " the secondary"
	}
	_, heldPrimary := here.withRole(vgrv1.StatePrimary)
	copied, isHeldCopy := here.withRole(vgrv1.StateSecondary)
	isPrimary := heldPrimary || here.group != nil && here.primary() != ""
	beside := ""
	if peerIs != "" {
		beside = fmt.Sprintf(", and %s is primary (%s)", peer, peerIs)
	}
	switch {
	case here.group != nil && here.group.Spec.ReplicationState != vgrv1.Primary:
		return clierror.Refused(join, "group %s/%s on %s exists and is asked to be %s%s", group.Namespace, group.Name, here.site, here.group.Spec.ReplicationState, beside)
	case isHeldCopy && heldPrimary:
		return clierror.Refused("select PVCs that have one role", "the PVCs on %s have different roles: %s", here.site, roles(here.held))
	case isHeldCopy:
		return clierror.Refused(join, "%s%s; create never promotes what exists", heldOn(here.site, copied), beside)
	case peerIs != "" && here.group != nil:
		return clierror.Refused(fmt.Sprintf("kubectl vgr status %s -n %s --context %s --peer-context %s says how to solve it", group.Name, group.Namespace, here.flag, there.flag),
			"%s and %s are both primary (%s)", here.site, peer, peerIs)
	case peerIs != "" && isPrimary:
		return clierror.Refused(fmt.Sprintf("create the group on each site without a peer, as it is (%s); kubectl vgr status then says how to solve it", c.command(group, here.flag, "", vgrv1.Primary)),
			"%s and %s are both primary (%s)", here.site, peer, peerIs)
	case peerIs != "":
		return clierror.Refused(join, "%s is primary (%s); %s beside it would be a second primary", peer, peerIs, here.site)
	case isPrimary || len(here.copies) == 0:
		return nil
	}
	return c.copyAlone(group, here, there)
}

// copyAlone returns the problem of volumes that were prepared as copies and that nothing replicates at present.
func (c *creation) copyAlone(group *vgrv1.VolumeGroupReplication, here, there *found) *clierror.Error {
	var names []string
	for pvc := range here.copies {
		names = append(names, pvc)
	}
	slices.Sort(names)
	what := fmt.Sprintf("PVCs %s on %s are copies of cluster %s", strings.Join(names, ", "), here.site, here.copies[names[0]])
	if there == nil {
		return clierror.Refused("name that site with --peer-context, so that create sees whether it is primary", "%s, and whether that is primary is not known", what)
	}
	return clierror.Refused(fmt.Sprintf("if their data is what you want to keep: take the annotation %s off their PersistentVolumes; else %s",
		vgrv1.AnnotationCopyOf, c.command(group, there.flag, here.flag, vgrv1.Primary)), "%s; as primary they would be its second version", what)
}

func roles(all []backend.Held) string {
	var out []string
	for _, h := range all {
		out = append(out, held(h))
	}
	return strings.Join(out, "; ")
}
