// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

func (c *checker) members() {
	from, to := c.from.members(), c.to.members()
	switch {
	case c.op.Kind == Demote: // what is on the other site does not matter for it
	case c.to.Group != nil && len(to) == 0:
		c.add("members", CheckProblem, "", "the backend has no volume in the group on %s", c.to.Name)
	case c.from.Group == nil || c.to.Group == nil:
		c.add("members", CheckWarning, "", "%d volumes on %s; not compared", len(to), c.to.Name)
	case !slices.Equal(names(from), names(to)):
		remedy := "label the PVCs alike on both sites, or kubectl vgr create --peer-context again"
		if renamed := renamed(from, to); c.facts.Traits.ConfirmsSync && len(renamed) > 0 { // labels do not help: copies with other names
			c.add("members", c.unlessLost(c.from), c.rename(), "copies have other names than their sources, and a group pairs PVCs by their names: %s", strings.Join(renamed, ", "))
			return
		}
		if c.facts.Traits.PromoteFirst && disjoint(from, to) { // labels do not help: copies with other names
			remedy = fmt.Sprintf("kubectl vgr delete %s --context %s -n %s; then delete these PVCs and their mirrors there, and run kubectl vgr create with --peer-context: it makes copies with the right names, and transfers all data again",
				ShellQuote(c.facts.Name), c.to.flag(), ShellQuote(c.facts.Namespace))
		}
		c.add("members", c.unlessLost(c.from), remedy,
			"%s has %s, %s has %s", c.from.Name, list(names(from)), c.to.Name, list(names(to)))
	case c.to.followsAnother(c.from) != "":
		c.add("members", CheckProblem, fmt.Sprintf("kubectl vgr delete %s --context %s -n %s; then delete that copy there, and run kubectl vgr create with --peer-context",
			ShellQuote(c.facts.Name), c.to.flag(), ShellQuote(c.facts.Namespace)), "%s", c.to.followsAnother(c.from))
	case c.facts.Traits.ConfirmsSync && len(without(to, from)) > 0:
		c.add("members", CheckProblem, fmt.Sprintf("kubectl --context %s -n %s get pvc", c.to.kubectl(), ShellQuote(c.facts.Namespace)), "PVC %s on %s has no volume", list(without(to, from)), c.to.Name)
	case c.facts.Traits.ConfirmsSync && !c.copied(from, to):
		c.add("members", CheckProblem, "", "the PVCs on %s and %s are not copies of the same volumes", c.from.Name, c.to.Name)
	default:
		c.ok("members", "the same %d volumes on both sites", len(to))
	}
}

// copied reports whether all PVCs have the same volume on both sites, or the one that the storage of a site says is its copy.
func (c *checker) copied(from, to map[string]string) bool {
	told := map[SiteRef]map[string]string{}
	for i := range c.facts.Sites {
		told[c.facts.Sites[i].SiteRef] = c.facts.Environments[i].CopyHandles
	}
	for name, handle := range from {
		other := to[name]
		if handle != other && (handle == "" || other == "" || told[c.from.SiteRef][name] != other && told[c.to.SiteRef][name] != handle) {
			return false
		}
	}
	return true
}

// renamed returns the PVCs that have the same volume under another name on the other site.
func renamed(from, to map[string]string) []string {
	var out []string
	for _, name := range names(from) {
		for _, other := range names(to) {
			if _, same := to[name]; !same && from[name] != "" && from[name] == to[other] {
				out = append(out, name+" is "+other)
			}
		}
	}
	return out
}

// without returns the PVCs that have no volume, and have one on the other site.
func without(members, other map[string]string) []string {
	return slices.DeleteFunc(names(members), func(name string) bool { return members[name] != "" || other[name] == "" })
}

// rename returns how copies get the names of their sources where the storage replicates volumes whatever their PVCs are
// called: nothing is transferred again.
func (c *checker) rename() string {
	name, namespace := ShellQuote(c.facts.Name), ShellQuote(c.facts.Namespace)
	return fmt.Sprintf("have their PersistentVolumes on %s retained: kubectl --context %s patch pv NAME -p '{\"spec\":{\"persistentVolumeReclaimPolicy\":\"Retain\"}}'; then kubectl vgr delete %s -n %s --context %s --end-replication; then "+
		"delete these PVCs and PersistentVolumes there, and run kubectl vgr create on %s with --peer-context: it makes PVCs with the right names for the same copies",
		c.to.Name, c.to.kubectl(), name, namespace, c.to.flag(), c.from.Name)
}

func disjoint(a, b map[string]string) bool {
	for name := range a {
		if _, ok := b[name]; ok {
			return false
		}
	}
	return len(a) > 0 && len(b) > 0
}

// sizes warns of copies that are smaller than their source. The operation works: their size can be corrected after it.
func (c *checker) sizes() {
	if c.op.Kind == Demote || c.from.Group == nil || c.to.Group == nil {
		return
	}
	for _, s := range state.SmallerCopies(c.from.Group.Status.Volumes, c.to.Group.Status.Volumes) {
		remedy := fmt.Sprintf(`once %s is primary: kubectl --context %s -n %s patch pvc %s --type=merge -p '{"spec":{"resources":{"requests":{"storage":"%s"}}}}' (its StorageClass must allow expansion)`,
			c.to.Name, c.to.kubectl(), ShellQuote(c.facts.Namespace), ShellQuote(s.PVC), s.Source)
		if g := c.from.Group; c.facts.Traits.ConfirmsSync && g.Spec.Selector != nil && g.Spec.VolumeGroupReplicationClass != "" { // create makes the PersistentVolumes of these copies
			remedy = fmt.Sprintf("kubectl vgr create %s -n %s --class %s -l %s --context %s --peer-context %s", ShellQuote(c.facts.Name), ShellQuote(c.facts.Namespace),
				ShellQuote(g.Spec.VolumeGroupReplicationClass), ShellQuote(metav1.FormatLabelSelector(g.Spec.Selector)), c.from.flag(), c.to.flag())
		}
		c.add("sizes", CheckWarning, remedy, "PVC %s was resized: it has %s on %s, its copy on %s has %s", s.PVC, s.Source, c.from.Name, c.to.Name, s.Copy)
	}
}
