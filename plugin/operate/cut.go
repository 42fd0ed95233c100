// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"errors"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

// cut ends a job because the context has ended, with what is known now.
func (j *Job) cut(ctx context.Context, p recovery.Pair) {
	d := recovery.Next(p, j.Operation, j.Traits)
	j.Operation = d.Operation
	j.left = left(p, j.Began())
	next := j.Operation.ResumeCommand(j.Namespace, j.Name)
	if command := j.Operation.AbortCommand(j.Namespace, j.Name); command != "" && j.Began() {
		next += "\n" + command
	}
	if !errors.Is(context.Cause(ctx), ErrTimeout) {
		j.end(clierror.New(clierror.CodeInterrupted, next, "%s/%s: interrupted; %s", j.Namespace, j.Name, j.left))
		return
	}
	code := clierror.CodeTimeout
	switch {
	case j.last.Missing:
		code = clierror.CodeUnreachable
	case j.last.Failing:
		code = clierror.CodeFailed
	}
	j.end(clierror.New(code, next, "%s/%s: the time is up in step %s: %s; %s", j.Namespace, j.Name, j.last.Step.ID, j.last.Wait, j.left))
}

// left says which site is primary when an operation stops half-way.
func left(p recovery.Pair, began bool) string {
	if !began {
		return "nothing was changed"
	}
	asked, primary := "", ""
	for _, s := range p.Sites {
		switch {
		case !s.Answered || s.Group == nil:
			return "whether a site is primary is not known: " + s.Name + " does not show the group"
		case s.Group.Spec.ReplicationState == vgrv1.Primary:
			asked = s.Name
		}
		if s.Group.Status.State == vgrv1.StatePrimary {
			primary = s.Name
		}
	}
	switch {
	case primary == "" && asked == "":
		return "no site is primary"
	case asked == "":
		return primary + " is giving up the primary role"
	case asked != primary:
		return asked + " was asked to be primary and has not confirmed it"
	default:
		return primary + " is primary"
	}
}
