// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"cmp"
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
)

// again is how often groups of others are read while they are followed. They are a dozen kinds, of which every change would have all
// groups of a site made anew: to ask now and then costs less.
const again = 5 * time.Second

// others is what a site has said of the groups of others.
type others struct {
	// input is the site with those groups only, judged as if it had no others.
	input overview.SiteInput
	// heard is false until the site was asked, and alone is true when it does not have the API of our groups.
	heard, alone bool
}

// followOthers reads the groups of others again and again, where they are wanted.
func (f *Follower) followOthers(ctx context.Context) {
	for pause := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-f.clock.After(pause):
		}
		inputs := f.own()
		if pause = reconnect / 10; slices.ContainsFunc(inputs, func(in overview.SiteInput) bool { return in.Problem == overview.SiteAsking }) {
			continue // which sites lack our API is not known yet
		}
		pause = cmp.Or(f.query.Native.Every, again)
		before := make([]overview.SiteInput, len(inputs))
		copy(before, inputs)
		began := f.clock.Now()
		addNative(ctx, f.sites, f.query, inputs)
		if ctx.Err() != nil {
			return
		}
		pause = max(pause, share*f.clock.Since(began))
		f.mu.Lock()
		for i := range inputs {
			old := f.others[i].input.Groups
			f.others[i] = othersOf(before[i], inputs[i])
			f.others[i].keep(old)
		}
		f.mu.Unlock()
		f.mark()
	}
}

// othersOf keeps what was added to an input.
func othersOf(before, after overview.SiteInput) others {
	o := others{input: after, heard: true, alone: !before.Answered}
	o.input.Groups = nil
	for i := range after.Groups {
		g := &after.Groups[i]
		if _, ok := after.Native[types.NamespacedName{Namespace: g.Namespace, Name: g.Name}]; ok {
			o.input.Groups = append(o.input.Groups, *g)
		}
	}
	return o
}

// keep keeps objects that were put here while older versions of them were read.
func (o *others) keep(old []vgrv1.VolumeGroupReplication) {
	for i := range o.input.Groups {
		g := &o.input.Groups[i]
		if at := slices.IndexFunc(old, func(x vgrv1.VolumeGroupReplication) bool {
			return x.Namespace == g.Namespace && x.Name == g.Name && newer(&x, g)
		}); at >= 0 {
			*g = old[at]
		}
	}
}

// put takes in a group of another tool that was just written; false when there is none of its name.
func (o *others) put(g *vgrv1.VolumeGroupReplication) bool {
	if _, is := o.input.Native[types.NamespacedName{Namespace: g.Namespace, Name: g.Name}]; !is {
		return false
	}
	o.input.Groups = slices.Clone(o.input.Groups) // who has the list keeps it
	for i := range o.input.Groups {
		if old := &o.input.Groups[i]; old.Namespace == g.Namespace && old.Name == g.Name && !newer(old, g) {
			*old = *g
		}
	}
	return true
}

// with returns what a site says with its groups of others. What was said before the site changed counts no more.
func (o others) with(own overview.SiteInput, n *Native) overview.SiteInput {
	lone := lacks(own) || own.Problem == overview.SiteForbidden
	switch {
	case !lone && !own.Answered:
	case (!o.heard || o.alone != lone) && (lone || n.always()):
		own.Answered, own.Groups, own.Controller = false, nil, nil
		own.Problem, own.Message = overview.SiteAsking, "has not answered yet"
	case !o.heard || o.alone != lone:
	case lone:
		own.Answered, own.Problem, own.Message, own.NativeOnly = o.input.Answered, o.input.Problem, o.input.Message, o.input.NativeOnly
		if own.NativeOnly {
			own.Controller = nil
		}
		own.Groups = nil
		own = o.add(own)
	default:
		if n.withoutOurs() {
			own.Groups = nil
		}
		own = o.add(own)
	}
	return own
}

// add adds the groups of others to a site.
func (o others) add(own overview.SiteInput) overview.SiteInput {
	own.Unread, own.Incomplete, own.Namespace, own.Native = o.input.Unread, o.input.Incomplete, o.input.Namespace, o.input.Native
	own.Groups = slices.Concat(own.Groups, o.input.Groups)
	own.Sort()
	return own
}
