// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// attempts are how often a site may fail to take a change, before an operation that does not need it leaves it out: by
// then an error that passes has passed.
const attempts = 3

// readOnly is what is known of a site that answers and takes no changes.
type readOnly struct {
	// failed counts the changes that failed since the last one that did not.
	failed int
	// why is set once the site is left out.
	why string
}

// ReadOnly says which sites took no changes and were left out.
func (j *Job) ReadOnly() (sites []string) {
	for _, r := range j.readOnly {
		if r.why != "" {
			sites = append(sites, r.why)
		}
	}
	return sites
}

// leaveOut takes in how a change ended. It reports whether the site is left out from now on: the operation does not need
// it, and it takes no changes.
func (o *Operator) leaveOut(r reply) bool {
	known := &r.job.readOnly[r.site]
	switch {
	case r.err == nil:
		known.failed = 0
		return false
	case known.why != "":
		return true
	case apierrors.IsConflict(r.err), apierrors.IsAlreadyExists(r.err), apierrors.IsNotFound(r.err), errors.As(r.err, new(*held)), errors.As(r.err, new(*expiring)):
		return false
	}
	p := Pair(o.follower.Inputs(), o.Sites, o.Clusters, o.Clocks, r.job.Namespace, r.job.Name)
	if !r.job.Operation.DoesWithout(&p, &p.Sites[r.site]) {
		return false
	}
	refused := apierrors.IsForbidden(r.err) || apierrors.IsUnauthorized(r.err) || apierrors.IsInvalid(r.err) || apierrors.IsMethodNotSupported(r.err)
	if known.failed++; known.failed < attempts && !refused {
		return false
	}
	known.why = fmt.Sprintf("%s takes no changes: %v; it was not asked to give up the role, and has no journal of the operation", o.Sites[r.site].Name, r.err)
	return true
}
