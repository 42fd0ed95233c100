// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package native

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// paired is a group with its object on each site; nil where none is known.
type paired struct {
	entries []*entry
	// unproven is why it is not known that both are of the same volumes.
	unproven string
}

// pair brings the objects of each group together: those that have the same volumes, and else, where volumes are not known, those
// of the same kind, namespace and name.
func pair(found [][]*entry) []paired {
	if len(found) < 2 {
		var out []paired
		for _, e := range slices.Concat(found...) {
			out = append(out, paired{entries: []*entry{e}})
		}
		return out
	}
	here, there := found[0], found[1]
	by := map[string][]*entry{}
	for _, e := range there {
		for handle := range e.handles {
			by[handle] = append(by[handle], e)
		}
	}
	taken := map[*entry]bool{}
	var out []paired
	var rest []*entry
	for _, exact := range []bool{true, false} { // a group of all the same volumes comes before one of some
		left := rest
		if exact {
			left = here
		}
		rest = nil
		for _, e := range left {
			if other := e.best(by, taken, exact); other != nil {
				taken[other] = true
				out = append(out, paired{entries: []*entry{e, other}})
			} else {
				rest = append(rest, e)
			}
		}
	}
	named := map[string]*entry{}
	for _, e := range there {
		if !taken[e] {
			named[e.identity()] = e
		}
	}
	for _, e := range rest {
		other := named[e.identity()]
		switch {
		case other == nil || e.complete && other.complete:
			out = append(out, paired{entries: []*entry{e, nil}}) // of the same name, perhaps, but of other volumes
		default:
			taken[other] = true
			out = append(out, paired{entries: []*entry{e, other}, unproven: "whether both sites have the same volumes is not known: not all volume handles could be read"})
		}
	}
	for _, e := range there {
		if !taken[e] {
			out = append(out, paired{entries: []*entry{nil, e}})
		}
	}
	return out
}

// identity is what an object is called on its site.
func (e *entry) identity() string {
	return strings.Join([]string{e.Kind, e.Group.Owner.Namespace, e.Group.Owner.Name}, "/")
}

// best returns the group of the other site that shares the most volumes, or with exact one that shares all; of several the one
// of the same name, or else the first. Nil without any.
func (e *entry) best(by map[string][]*entry, taken map[*entry]bool, exact bool) *entry {
	shared := map[*entry]int{}
	var all []*entry
	for handle := range e.handles {
		for _, other := range by[handle] {
			if taken[other] {
				continue
			}
			if shared[other]++; shared[other] == 1 {
				all = append(all, other)
			}
		}
	}
	if exact {
		all = slices.DeleteFunc(all, func(o *entry) bool { return shared[o] < len(e.Group.Members) || shared[o] < len(o.Group.Members) })
	}
	if len(all) == 0 {
		return nil
	}
	return slices.MaxFunc(all, func(a, b *entry) int {
		if shared[a] != shared[b] {
			return shared[a] - shared[b]
		}
		if same := a.identity() == e.identity(); same != (b.identity() == e.identity()) {
			if same {
				return 1
			}
			return -1
		}
		return strings.Compare(b.identity(), a.identity())
	})
}

// names gives each group a name of its own.
type names map[types.NamespacedName]bool

func namesOf(sites []Site) names {
	out := names{}
	for _, s := range sites {
		for _, key := range s.Taken {
			out[key] = true
		}
	}
	return out
}

// of returns the name of a group: the one that it has on the first site that has it. One that is taken gets the kind in front, which no name
// in Kubernetes has, and then the site.
func (n names) of(p paired, sites []Site) types.NamespacedName {
	e := p.entries[0]
	if e == nil {
		e = p.entries[1]
	}
	key := e.Group.Owner.NamespacedName
	for _, name := range []string{
		key.Name, strings.ToLower(e.Kind) + ":" + key.Name, fmt.Sprintf("%s:%s@%s", strings.ToLower(e.Kind), key.Name, sites[e.site].Name),
	} {
		if key.Name = name; !n[key] {
			break
		}
	}
	n[key] = true
	return key
}
