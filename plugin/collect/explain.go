// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/stalltimeout"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

const notInstalled = "the CRDs of replication.unified.io are not installed"

// Explain puts an error of a request to a site into words.
func Explain(s *site.Site, err error) (overview.SiteProblem, string) {
	return explain(s, err, s.Timeout())
}

// explain returns Explain for a request that had a bound of its own. Unreachable, and so perhaps lost, is only a site of which
// the network says so, or that is silent. A site that answers is not, nor one that could not be asked for a reason on this machine
// or on the way: a name that is not resolved is such a reason.
func explain(s *site.Site, err error, bound time.Duration) (overview.SiteProblem, string) {
	var status apierrors.APIStatus
	var urlErr *url.Error
	var opErr *net.OpError
	var notAsked *site.NotAsked
	var late *stalltimeout.Late
	silent := timedOut(err) || errors.As(err, &late)
	switch {
	case errors.As(err, &notAsked):
		return overview.SiteNotAsked, notAsked.Why
	case silent && s.LoggingIn(): // what its transport said of that is lost on the way
		return overview.SiteNotAsked, fmt.Sprintf("its login plugin has not answered within %s", bound)
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err) && errors.As(err, &status) && (status.Status().Details == nil || status.Status().Details.Name == ""):
		return overview.SiteNotInstalled, notInstalled
	case apierrors.IsForbidden(err):
		return overview.SiteForbidden, err.Error()
	case apierrors.IsUnauthorized(err):
		return overview.SiteNotAsked, "the credentials were not accepted"
	case errors.As(err, &status):
		return answers(err, status)
	case errors.As(err, new(*net.DNSError)):
		return overview.SiteNotAsked, inner(err).Error()
	case errors.As(err, &opErr) && opErr.Op == "dial" && opErr.Timeout():
		return overview.SiteUnreachable, fmt.Sprintf("no connection within %s", min(site.DialTimeout, bound))
	case late != nil:
		return overview.SiteUnreachable, late.Error()
	case silent:
		return overview.SiteUnreachable, fmt.Sprintf("no answer within %s", bound)
	case broken(err):
		return overview.SiteUnreachable, inner(err).Error()
	case errors.As(err, &urlErr):
		return overview.SiteNotAsked, urlErr.Err.Error()
	default:
		return overview.SiteError, err.Error()
	}
}

// answers returns a site that answers with an error: it is in trouble, and not lost.
func answers(err error, status apierrors.APIStatus) (overview.SiteProblem, string) {
	if code := status.Status().Code; code >= 500 || apierrors.IsTooManyRequests(err) {
		return overview.SiteNotAsked, err.Error()
	}
	return overview.SiteError, err.Error()
}

func timedOut(err error) bool {
	var netErr net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout()
}

// inner returns an error without the address that was asked.
func inner(err error) error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		return urlErr.Err
	}
	return err
}

// broken reports whether the network made no connection, or has broken it.
func broken(err error) bool {
	if opErr, ok := errors.AsType[*net.OpError](err); ok { // others are of proxies and of TLS
		return slices.Contains([]string{"dial", "read", "write", "close"}, opErr.Op)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, new(syscall.Errno)) {
		return true
	}
	for _, text := range []string{"http2: client connection lost", "http2: client connection force closed", "http2: server sent GOAWAY", "http: server closed idle connection"} {
		if strings.Contains(err.Error(), text) { // errors without a type
			return true
		}
	}
	return false
}
