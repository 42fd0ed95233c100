// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Journal reads the last operation of a group; nil when there is none. An annotation that cannot
// be read is an error: the state of the operation is unknown then.
func Journal(g *vgrv1.VolumeGroupReplication) (*Operation, error) {
	text := g.Annotations[vgrv1.AnnotationOperation]
	if text == "" {
		return nil, nil //nolint:nilnil // none is a normal answer
	}
	var op Operation
	if err := json.Unmarshal([]byte(text), &op); err != nil || op.ID == "" || op.Revision < 0 || op.Revision > maxRevision || !op.fits() {
		return nil, fmt.Errorf("annotation %s of %s/%s cannot be read", vgrv1.AnnotationOperation, g.Namespace, g.Name)
	}
	op.mergeSteps()
	return &op, nil
}

// mergeSteps joins what a journal knows of one step under two names: an older plugin has continued it.
func (op *Operation) mergeSteps() {
	read := &Operation{Started: op.Started, Steps: op.Steps}
	op.Steps = nil
	op.merge(read)
}

// maxRevision is more than any group sees in its life. A journal that says more was not written by this tool,
// and would leave no revision for the next one.
const maxRevision = 1 << 40

// What is longer than these was not written by this tool, and would fill screens, plans and events.
const (
	maxText  = 512
	maxSteps = 256
)

// fits reports whether the texts of a journal are as short as this tool writes them.
func (op *Operation) fits() bool {
	texts := []string{op.ID, string(op.Kind), op.From.Name, op.From.Cluster, op.To.Name, op.To.Cluster, op.By, op.Holder, op.Accepted, string(op.Result)}
	for _, step := range op.Steps {
		texts = append(texts, string(step.ID), step.Site)
	}
	for _, w := range op.Stopped {
		texts = append(texts, w.Cluster, w.Kind, w.Name)
	}
	return len(op.Steps) <= maxSteps && !slices.ContainsFunc(texts, func(text string) bool { return len(text) > maxText })
}

// History returns the operations of a group before its last one, newest first.
func History(g *vgrv1.VolumeGroupReplication) []Operation {
	var ops []Operation
	if json.Unmarshal([]byte(g.Annotations[vgrv1.AnnotationHistory]), &ops) != nil {
		return nil
	}
	return slices.DeleteFunc(ops, func(op Operation) bool { return !op.fits() })
}

// Timeline returns all operations of a group that its copies on the sites know of, newest first. A site
// that was lost knows less of one.
func Timeline(copies ...*vgrv1.VolumeGroupReplication) ([]Operation, error) {
	newest := map[string]Operation{}
	for _, g := range copies {
		if g == nil {
			continue
		}
		last, err := Journal(g)
		if err != nil {
			return nil, err
		}
		ops := History(g)
		if last != nil {
			ops = append(ops, *last)
		}
		for _, op := range ops {
			if known, ok := newest[op.ID]; !ok || op.Revision > known.Revision {
				newest[op.ID] = op
			}
		}
	}
	return slices.SortedFunc(maps.Values(newest), func(a, b Operation) int {
		return cmp.Or(cmp.Compare(b.Revision, a.Revision), cmp.Compare(b.ID, a.ID)) // two tools that began at once
	}), nil
}

// historyLength is how many operations a group remembers beside the last one.
const historyLength = 9

// Newest returns the newest operation that any site knows of, with the names that the sites have now.
func Newest(p Pair) (*Operation, error) {
	var newest *Operation
	for _, s := range p.Sites {
		if s.JournalError != nil {
			return nil, fmt.Errorf("cannot read the journal on %s: %w", s.Name, s.JournalError)
		}
		if s.Journal.newer(newest) {
			newest = s.Journal
		}
	}
	if newest == nil {
		return nil, nil //nolint:nilnil // none is a normal answer
	}
	refs := p.refs()
	return newest.Named(refs[:]...), nil
}

// merge takes over what another copy of the same journal knows of the steps. Two tools may have
// written one each.
func (op *Operation) merge(other *Operation) {
	op.Started = other.Started // by the first write, not by the plan
	for _, r := range other.Steps {
		mine := op.record(r.ID)
		switch {
		case mine == nil:
			op.Steps = append(op.Steps, r)
		case r.Attempt > mine.Attempt:
			*mine = r
		case r.Attempt == mine.Attempt:
			mine.Asked = mine.Asked || r.Asked
			if mine.Finished == nil {
				mine.Finished = r.Finished
			}
		}
	}
	for _, cluster := range other.AutoResync {
		if !slices.Contains(op.AutoResync, cluster) {
			op.AutoResync = append(op.AutoResync, cluster)
		}
	}
	if op.Result == "" {
		op.Result, op.Finished = other.Result, other.Finished
	}
}

// newer reports whether a journal is newer than another one; a tie, which two tools make that begin
// at once, goes to the same one on every machine.
func (op *Operation) newer(than *Operation) bool {
	switch {
	case op == nil:
		return false
	case than == nil:
		return true
	case op.Revision != than.Revision:
		return op.Revision > than.Revision
	case op.ID != than.ID:
		return op.ID > than.ID
	default:
		return op.Holder > than.Holder
	}
}

// archive moves the group's last operation to its history when another one begins.
func archive(g *vgrv1.VolumeGroupReplication, next Operation) error {
	last, err := Journal(g)
	if err != nil || last == nil || last.ID == next.ID {
		return err
	}
	last.Members = nil
	if last.InFlight() {
		last.Result = Superseded
	}
	ops := append([]Operation{*last}, History(g)...)
	data, err := json.Marshal(ops[:min(len(ops), historyLength)])
	g.Annotations[vgrv1.AnnotationHistory] = string(data)
	return err
}

// isUnfinalised reports whether a site still has an operation in its journal as in flight that has ended.
func isUnfinalised(p *Pair, ended *Operation) bool {
	for i := range p.Sites {
		s := &p.Sites[i]
		if s.Journal.InFlight() && s.Journal.ID == ended.ID || s.owed(ended) && !ended.keepsHolding() {
			return true
		}
	}
	return false
}
