// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/operate"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// NamedNotFound tells an object that does not exist from a resource that is not served.
func NamedNotFound(err error) bool {
	var status apierrors.APIStatus
	s, ok := err.(apierrors.APIStatus)
	if !ok {
		return false
	}
	status = s
	return status.Status().Details != nil && status.Status().Details.Name != ""
}

// Ended returns why a command ends early, when no site is the reason: it was interrupted, or the time that it
// had is up.
func Ended(ctx context.Context, next, format string, args ...any) error {
	code, why := clierror.CodeInterrupted, "interrupted"
	switch {
	case ctx.Err() == nil:
		return nil
	case errors.Is(context.Cause(ctx), ErrTimeout):
		code, why = clierror.CodeTimeout, "the time is up"
	}
	return clierror.New(code, next, "%s: %s", why, fmt.Sprintf(format, args...))
}

// notAskedNext returns what shows why a site could not be asked.
func notAskedNext(kubectl string) string {
	return "kubectl --context " + kubectl + " get --raw /version must work; log in first where that is needed"
}

// SiteError puts an error of a request into words and an exit code.
func SiteError(ctx context.Context, s *site.Site, doing string, err error) error {
	if err := Ended(ctx, "", "the command did not %s on %s", doing, s.Name); err != nil {
		return err
	}
	problem, message := collect.Explain(s, err)
	switch problem {
	case overview.SiteNotAsked:
		return clierror.New(clierror.CodeUnreachable, notAskedNext(s.Kubectl()), "cannot %s on %s: the site could not be queried: %s", doing, s.Name, message)
	case overview.SiteUnreachable:
		return clierror.New(clierror.CodeUnreachable, "check the network and kubectl --context "+s.Kubectl()+" cluster-info", "cannot %s on %s: %s", doing, s.Name, message)
	case overview.SiteForbidden:
		return clierror.New(clierror.CodeError, forbiddenNext(s, message), "cannot %s on %s: %s", doing, s.Name, message)
	case overview.SiteNotInstalled:
		return clierror.New(clierror.CodeError, "kubectl vgr install --context "+s.Flag()+" installs the CRDs and the controller", "cannot %s on %s: %s", doing, s.Name, message)
	default:
		return clierror.New(clierror.CodeError, "", "cannot %s on %s: %s", doing, s.Name, message)
	}
}

// forbiddenNext tells a permission that is missing from a rule of the cluster, which refuses every user: a LimitRange, a
// quota, an admission webhook.
func forbiddenNext(s *site.Site, message string) string {
	if strings.Contains(message, "User ") && strings.Contains(message, " cannot ") {
		return "ask for the permission, or use another context"
	}
	return "a rule of " + s.Name + " refuses that, and not your permissions: change the LimitRange, quota or admission policy that the message names"
}

// WriteError returns siteError for what changes something unless it is a dry run: without a refusal of the server it may
// have been done, and must not be called undone.
func WriteError(ctx context.Context, s *site.Site, dry bool, doing string, err error) error {
	if dry || operate.Refused(err) {
		return SiteError(ctx, s, doing, err)
	}
	const next = "run the same command again: it re-checks the current state first"
	if err := Ended(ctx, next, "%s on %s: it may have been done", doing, s.Name); err != nil {
		return err
	}
	code := clierror.CodeError
	problem, message := collect.Explain(s, err)
	if problem == overview.SiteUnreachable || problem == overview.SiteNotAsked {
		code = clierror.CodeUnreachable
	}
	return clierror.New(code, next, "%s on %s: %s; it may have been done", doing, s.Name, message)
}

// Answered turns a site that did not answer into an error.
func Answered(ctx context.Context, in overview.SiteInput) error {
	if err := Ended(ctx, "", "the command did not wait for %s", in.Name); err != nil {
		return err
	}
	return Silent(in)
}

// Silent returns the error of a site that did not answer; nil when it did.
func Silent(in overview.SiteInput) error {
	code, next := clierror.CodeError, ""
	switch in.Problem {
	case "":
		return nil
	case overview.SiteNotAsked:
		code, next = clierror.CodeUnreachable, notAskedNext(kubectl(in.Site))
	case overview.SiteUnreachable:
		code, next = clierror.CodeUnreachable, "check the network and kubectl --context "+kubectl(in.Site)+" cluster-info"
	case overview.SiteForbidden:
		next = "ask for get, list and watch on volumegroupreplications.replication.unified.io, or use another context"
	case overview.SiteNotInstalled:
		next = "kubectl vgr install --context " + cmp.Or(in.Flag, recovery.ShellQuote(in.Name)) + " installs the CRDs and the controller"
	default:
	}
	return clierror.New(code, next, "cannot read groups on %s: %s", in.Name, in.Message)
}

// kubectl returns what names a site to kubectl after --context.
func kubectl(s overview.Site) string {
	if s.Kubectl != "" {
		return s.Kubectl
	}
	return recovery.ShellQuote(s.Name)
}

// Title names an object whose kind is filled in, for a plan.
func Title(obj client.Object) string {
	kind := strings.ToLower(obj.GetObjectKind().GroupVersionKind().Kind)
	if ns := obj.GetNamespace(); ns != "" {
		return fmt.Sprintf("%s/%s -n %s", kind, obj.GetName(), ns)
	}
	return kind + "/" + obj.GetName()
}

// ErrTimeout tells the end of --timeout from an interruption.
var ErrTimeout = clierror.New(clierror.CodeTimeout, "", "the time is up")
