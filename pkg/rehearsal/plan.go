// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearsal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// Facts are what is known before a rehearsal begins.
type Facts struct {
	// Site is where it is to take place, and Kubectl what names it to kubectl; Group is the group there.
	Site    string
	Kubectl string
	Group   *vgrv1.VolumeGroupReplication
	// Command is what begins the same rehearsal, without the flag --secret.
	Command string
	// Operation is one that is in flight; empty for none.
	Operation string
	// Silent is the other site when it does not answer.
	Silent string
	// Backend serves the group; Refuses is why that backend's copies cannot be rehearsed, and Instead the storage's own way.
	Backend string
	Refuses string
	Instead string
	// Volumes are those of the group there; Broken says what is wrong with others.
	Volumes []Volume
	Broken  []string
	// Secrets are what the volumes name, and Secret what the user names instead, in the driver's namespace.
	Secrets []types.NamespacedName
	Secret  string
	// Driver is the CSI driver, DriverNamespace where it runs; NoDriver says why its Pod cannot be found.
	Driver          string
	DriverNamespace string
	NoDriver        string
	// Namespace is the one to be made, and Taken whether it exists.
	Namespace string
	Taken     bool
	// Denied are the permissions that the user lacks; Unasked says why that is not known.
	Denied  []string
	Unasked string
}

// Checks says what is known against a rehearsal, and what for it.
func Checks(f Facts) []recovery.Check {
	var all []recovery.Check
	add := func(id string, fine bool, good, bad, remedy string) {
		c := recovery.Check{ID: id, Severity: recovery.CheckOK, Evidence: good}
		if !fine {
			c.Severity, c.Evidence, c.Remedy = recovery.CheckProblem, bad, remedy
		}
		all = append(all, c)
	}
	s := f.Group.Status.State
	secondary := s == vgrv1.StateSecondary && f.Group.Spec.ReplicationState == vgrv1.Secondary && f.Group.DeletionTimestamp.IsZero()
	add("copy", secondary, "the group is Secondary on "+f.Site,
		fmt.Sprintf("the group is %s on %s, and a rehearsal clones a copy", cmp.Or(string(s), "Unknown"), f.Site), "name the site where it is Secondary with --on")
	if !secondary { // the rest is about a copy
		return all
	}
	if broken := state.Of(f.Group).Broken(); broken != "" {
		all = append(all, recovery.Check{ID: "follows", Severity: recovery.CheckWarning, Evidence: "the copy does not follow: " + broken, Remedy: "the rehearsal shows how old its data is"})
	}
	if f.Silent != "" {
		all = append(all, recovery.Check{
			ID: "source", Severity: recovery.CheckWarning, Evidence: f.Silent + " does not answer",
			Remedy: "if its storage is lost too, no synchronisation begins, and the rehearsal fails when it has waited for one",
		})
	}
	add("operation", f.Operation == "", "no operation is in flight", f.Operation+" is in flight", "wait until it has ended: kubectl vgr status "+f.Group.Name+" -n "+f.Group.Namespace)
	add("backend", f.Refuses == "", "the backend "+f.Backend+" can clone a copy beside its replication", f.Refuses, f.Instead)
	if f.Refuses != "" { // the rest is about a backend that can
		return all
	}
	problem := strings.Join(f.Broken, "; ")
	if problem == "" && len(f.Volumes) == 0 {
		problem = "the group has no volume on " + f.Site
	}
	if problem == "" && len(f.Volumes) > maxVolumes {
		problem = fmt.Sprintf("the group has %d volumes, and a rehearsal at most %d", len(f.Volumes), maxVolumes)
	}
	add("volumes", problem == "", fmt.Sprintf("%d volumes name their images", len(f.Volumes)), problem, "")
	add("driver", f.NoDriver == "", fmt.Sprintf("the driver %s runs in namespace %s", f.Driver, f.DriverNamespace), f.NoDriver, "")
	if f.NoDriver == "" {
		_, why := f.SecretName()
		add("secret", why == "", "a Secret of the driver is in its namespace", why, f.Command+" --secret NAME, with one in namespace "+f.DriverNamespace)
	}
	add("namespace", !f.Taken, "the namespace "+f.Namespace+" does not exist", "the namespace "+f.Namespace+" exists on "+f.Site, "name another one with --namespace-name")
	permissions := "you have the permissions"
	if f.Unasked != "" {
		permissions = "your permissions are not known: " + f.Unasked
	}
	add("permissions", len(f.Denied) == 0, permissions, "you may not "+strings.Join(f.Denied, ", ")+" on "+f.Site, "ask for the role vgr-rehearse")
	return all
}

// SecretName is the Secret of the Jobs, or why there is none.
func (f Facts) SecretName() (name, why string) {
	if f.Secret != "" {
		return f.Secret, ""
	}
	named := slices.Compact(slices.SortedFunc(slices.Values(f.Secrets), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }))
	switch {
	case len(named) != 1 || named[0].Name == "":
		return "", "the volumes do not name one Secret (spec.csi.controllerExpandSecretRef)"
	case named[0].Namespace != f.DriverNamespace:
		return "", fmt.Sprintf("the volumes name the Secret %s, and the driver runs in namespace %s", named[0], f.DriverNamespace)
	default:
		return named[0].Name, ""
	}
}

// Brief says in a line what a rehearsal will do.
func (r *Record) Brief() string {
	text := fmt.Sprintf("clone %d images into namespace %s when the next synchronisation begins (within %s)", len(r.Volumes), r.Namespace, time.Duration(r.PatienceSeconds)*time.Second)
	if r.CheckJob != "" {
		text += ", run Job " + r.CheckJob
	}
	if r.KeptUntil != nil {
		return text + ", keep all of it until " + r.KeptUntil.UTC().Format("2006-01-02 15:04 MST")
	}
	return text + ", remove all of it"
}

// Plan says what a rehearsal will do, step by step.
func (r *Record) Plan() []string {
	what := fmt.Sprintf("a Job in namespace %s clones %d images as they were last synchronised, each with its own point in time, when the next synchronisation begins (within %s)",
		r.DriverNamespace, len(r.Volumes), time.Duration(r.PatienceSeconds)*time.Second)
	network := "whose Pods have no network"
	if r.Network {
		network = "whose Pods may use the network"
	}
	lines := []string{
		"clone: " + what,
		fmt.Sprintf("volumes: create namespace %s, %s, with %d PersistentVolumes and PVCs of the clones", r.Namespace, network, len(r.Volumes)),
	}
	if r.CheckJob != "" {
		lines = append(lines, "check: run Job "+r.CheckJob+" there")
	}
	if r.KeptUntil != nil {
		return append(lines, "keep: until "+r.KeptUntil.UTC().Format("2006-01-02 15:04 MST")+", or until you end it")
	}
	return append(lines, "remove: delete the namespace, the clones and the PersistentVolumes")
}
