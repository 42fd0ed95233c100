// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery_test

import (
	"slices"
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// tell has an object say what it was told of the peer, by the write that made its present generation.
func tell(g *vgrv1.VolumeGroupReplication, peer vgrv1.PeerState) {
	g.Annotations[vgrv1.AnnotationPeer] = string(peer) + "/old-3"
	g.Annotations[vgrv1.AnnotationBoundTo] = state.Bound(g, g.Generation)
}

// TestToldOfHandOver: storage that hands over has made the target primary. The target is told that its peer gave up the
// role, which has it replicate over the peer's data, only as long as that is so and the members are those of the start.
func TestToldOfHandOver(t *testing.T) {
	beforehand := []recovery.StepTimes{did(recovery.StepDemote)} // another tool had asked the target for primary
	bySpec := append(slices.Clone(beforehand), did(recovery.StepPromote))
	for name, steps := range map[string][]recovery.StepTimes{"promote": beforehand, "reprotect": bySpec} {
		for what, tc := range map[string]struct {
			change func(p *recovery.Pair)
			want   vgrv1.ReplicationState
		}{
			"not told":                    {func(*recovery.Pair) {}, vgrv1.Primary},
			"told":                        {func(p *recovery.Pair) { tell(p.Sites[west].Group, vgrv1.PeerDemoted) }, ""},
			"the source is primary again": {func(p *recovery.Pair) { primary(p.Sites[east].Group) }, ""},
			"the source is asked to be that": {func(p *recovery.Pair) {
				g := p.Sites[east].Group
				g.Spec.ReplicationState = vgrv1.Primary
				g.Generation++
			}, ""},
			"the source has not confirmed": {func(p *recovery.Pair) { p.Sites[east].Group.Status.State = vgrv1.StatePrimary }, ""},
			"another member on the target": {func(p *recovery.Pair) { addMember(p.Sites[west].Group, "more") }, ""},
			"another member on the source": {func(p *recovery.Pair) { addMember(p.Sites[east].Group, "more") }, ""},
		} {
			t.Run(name+"/"+what, func(t *testing.T) {
				p, op := underWay(t, steps, func(p *recovery.Pair, op *recovery.Operation) { op.OneWay = true; primary(p.Sites[west].Group) })
				tc.change(&p)
				d := recovery.Next(p, op, handsOver)
				asksFor(t, d, west, tc.want)
				if d.Write != nil && d.Write.Peer != vgrv1.PeerDemoted {
					t.Errorf("it is told %q", d.Write.Peer)
				}
			})
		}
	}
}

// TestToldAnew: a target that had confirmed its role and lost it is asked for it with a generation that was not confirmed
// before, on storage that hands over as well.
func TestToldAnew(t *testing.T) {
	p, op := underWay(t, []recovery.StepTimes{did(recovery.StepDemote)}, func(_ *recovery.Pair, op *recovery.Operation) { op.OneWay = true })
	changedOutside(p.Sites[west].Group, vgrv1.Primary, vgrv1.StateSecondary)
	asksFor(t, recovery.Next(p, op, handsOver), west, vgrv1.Secondary)
}

// asksFor compares the write of a decision; want is empty for none.
func asksFor(t *testing.T, d recovery.Decision, at int, want vgrv1.ReplicationState) {
	t.Helper()
	switch {
	case d.Write == nil && want == "":
	case d.Write == nil || d.Write.State != want || d.Write.Site != sites[at]:
		t.Errorf("%+v; write %+v; stop %+v; it is to ask %s for %q", d, d.Write, d.Stop, sites[at].Name, want)
	}
}

// TestFollowsAPrimary: a copy is overwritten with what a site has only while that site is seen to be primary, also when
// that was asked for before.
func TestFollowsAPrimary(t *testing.T) {
	promoteFirst := storages["promote first"]
	moved := []recovery.StepTimes{did(recovery.StepUpdate), did(recovery.StepPromote)}
	again := append(slices.Clone(moved), asks(recovery.StepReprotect))
	strays := func(g *vgrv1.VolumeGroupReplication) {
		tell(g, vgrv1.PeerPrimary)
		changedOutside(g, vgrv1.Secondary, vgrv1.StateUnknown)
	}
	for name, tc := range map[string]struct {
		steps  []recovery.StepTimes
		copied func(g *vgrv1.VolumeGroupReplication)
	}{
		"not asked yet":             {moved, func(g *vgrv1.VolumeGroupReplication) { primary(g) }},
		"asked by an earlier write": {again, func(g *vgrv1.VolumeGroupReplication) { g.Status.State = vgrv1.StatePrimary }},
		"changed in the storage":    {again, strays},
	} {
		for what, leads := range map[string]bool{"primary": true, "not confirmed": false, "asked for another role": false} {
			t.Run(name+"/"+what, func(t *testing.T) {
				p, op := underWay(t, tc.steps, func(p *recovery.Pair, _ *recovery.Operation) { primary(p.Sites[west].Group) })
				p.Sites[east].Usage = &recovery.Usage{}
				tc.copied(p.Sites[east].Group)
				switch what {
				case "not confirmed":
					p.Sites[west].Group.Status.State = vgrv1.StateUnknown
				case "asked for another role":
					p.Sites[west].Group.Spec.ReplicationState = vgrv1.Secondary
					p.Sites[west].Group.Generation++
				}
				want := vgrv1.Secondary
				if !leads {
					want = ""
				}
				asksFor(t, recovery.Next(p, op, promoteFirst), east, want)
			})
		}
	}
}

// TestOlderPicture: a site that is seen as it was before a write of the operation neither has that write sent again nor
// stops the operation with what it said then: what was written last is waited for.
func TestOlderPicture(t *testing.T) {
	moved := []recovery.StepTimes{did(recovery.StepUpdate), did(recovery.StepPromote)}
	demoted := []recovery.StepTimes{did(recovery.StepDemote)}
	for name, tc := range map[string]struct {
		storage string
		before  []recovery.StepTimes
		last    []recovery.StepTimes
		was     func(p *recovery.Pair)
	}{
		"a copy that was told of another peer": {"promote first", moved, []recovery.StepTimes{asks(recovery.StepReprotect)}, func(p *recovery.Pair) {
			p.Sites[east].Group.Status.State = vgrv1.StatePrimary
		}},
		"a copy whose role was changed in the storage": {"promote first", moved, []recovery.StepTimes{asks(recovery.StepReprotect)}, func(p *recovery.Pair) {
			changedOutside(p.Sites[east].Group, vgrv1.Secondary, vgrv1.StateUnknown)
		}},
		"a source that was primary, before the proof of sync": {"demote, prove, promote", nil, demoted, func(p *recovery.Pair) { primary(p.Sites[east].Group) }},
		"a source that was primary, before the promotion": {"demote, prove, promote", nil, append(slices.Clone(demoted), did(recovery.StepSync)), func(p *recovery.Pair) {
			primary(p.Sites[east].Group)
		}},
		"a source that was primary and has handed over": {"handover at the source", nil, demoted, func(p *recovery.Pair) { primary(p.Sites[east].Group) }},
	} {
		t.Run(name, func(t *testing.T) {
			p, op := underWay(t, tc.before, func(p *recovery.Pair, op *recovery.Operation) {
				op.OneWay = tc.storage == "handover at the source"
				if tc.storage == "promote first" {
					primary(p.Sites[west].Group)
				}
			})
			p.Sites[east].Usage = &recovery.Usage{}
			tc.was(&p)
			op.Steps = append(op.Steps, tc.last...)
			put(t, &p.Sites[west], op)
			d := recovery.Next(p, op, storages[tc.storage])
			if d.Write != nil || d.Stop != nil || !strings.Contains(d.Wait, "east does not show yet what was written last") {
				t.Errorf("%+v; write %+v; stop %+v", d, d.Write, d.Stop)
			}
		})
	}
}
