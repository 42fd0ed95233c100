// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package report has the command that reports on all groups for people who decide and who audit.
package report

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"sync"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/recovery"
	"github.com/unified-replication/kubectl-vgr/pkg/report"
	"github.com/unified-replication/kubectl-vgr/pkg/version"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/command/failover"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	page "github.com/unified-replication/kubectl-vgr/plugin/report"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// reporting is what the command was asked for.
type reporting struct {
	everywhere   bool
	format, from string
}

// NewReport makes the report command.
func NewReport(e *cli.Env) *cobra.Command {
	r := &reporting{}
	cmd := &cobra.Command{
		Use: "report", Short: "Report on all groups, for people who decide and who audit", Args: cobra.NoArgs,
		Long: `Report on all groups, for people who decide and who audit: schedule and lag, whether a failover would begin now and
what refuses it, past failovers with the recovery time and data loss that were measured, and what is not protected: PVCs
in no group, PVCs without a copy, copies of another size. Groups of other tools are included.

The command changes nothing. It prints Markdown, a page of HTML that needs no other file, or JSON. The JSON is the
record: pages name its SHA-256, and --from draws a page from a file of it, without contacting a cluster.

If a site does not answer, the report says so, and the command ends with exit code 6.`,
		Example: `  # A page of all namespaces
  kubectl vgr report -A -o html > report.html

  # A record, and a page of it whose SHA-256 is that of the file
  kubectl vgr report -A -o json > report.json
  kubectl vgr report --from report.json -o html > report.html`,
	}
	cmd.Flags().BoolVarP(&r.everywhere, "all-namespaces", "A", false, "report on all namespaces")
	cmd.Flags().StringVarP(&r.format, "output", "o", "markdown", "one of: "+formats)
	cmd.Flags().StringVar(&r.from, "from", "", "file with a report as JSON, to draw a page from")
	_ = cmd.RegisterFlagCompletionFunc("from", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveFilterFileExt))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"markdown", "html", "json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		return r.run(cmd.Context(), e)
	}
	return cmd
}

const formats = "markdown, html, json"

func (r *reporting) run(ctx context.Context, e *cli.Env) error {
	draw, err := r.drawing()
	if err != nil {
		return err
	}
	if r.from != "" {
		return r.again(e, draw)
	}
	made, failed, err := r.make(ctx, e)
	if err != nil {
		return err
	}
	text, err := encode(made)
	if err != nil {
		return err
	}
	if err := draw(e.Data(), made, text); err != nil {
		return err
	}
	return failed
}

// drawing returns what writes a report, whose JSON form is given, too.
func (r *reporting) drawing() (func(w io.Writer, made *report.Report, text []byte) error, error) {
	switch r.format {
	case "html":
		return page.HTML, nil
	case "markdown":
		return page.Markdown, nil
	case "json":
		return func(w io.Writer, _ *report.Report, text []byte) error {
			_, err := w.Write(text)
			return err
		}, nil
	default:
		return nil, clierror.New(clierror.CodeError, "known are "+formats, "--output: there is no format %q", r.format)
	}
}

// again draws a report that was made before.
func (r *reporting) again(e *cli.Env, draw func(io.Writer, *report.Report, []byte) error) error {
	text, err := os.ReadFile(r.from)
	if err != nil {
		return clierror.New(clierror.CodeError, "kubectl vgr report -A -o json > FILE makes one", "cannot read the report: %v", err)
	}
	made := &report.Report{}
	if err := json.Unmarshal(text, made); err != nil || made.Kind != report.Kind || made.APIVersion != overview.APIVersion {
		return clierror.New(clierror.CodeError, "kubectl vgr report -A -o json > FILE makes one", "%s is no report", present.Clean(r.from))
	}
	return draw(e.Data(), made, text)
}

// encode returns the JSON form, which is the record.
func encode(made *report.Report) ([]byte, error) {
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	to.SetIndent("", "    ")
	err := to.Encode(made)
	return b.Bytes(), err
}

// make asks both sites. The second error is that of a site that did not answer.
func (r *reporting) make(ctx context.Context, e *cli.Env) (made *report.Report, failed, err error) {
	q, err := e.Names(nil, r.everywhere)
	if err != nil {
		return nil, nil, err
	}
	q.Native = &collect.Native{Profiles: e.Profiles, ManagedBy: collect.EveryManager}
	p, err := e.Pair(ctx)
	if err != nil {
		return nil, nil, err
	}
	if p.Peer == nil {
		return nil, nil, clierror.Refused("name the other site with --peer-context", "no peer is known")
	}
	facts := make([]report.SiteFacts, len(p.All()))
	var asked sync.WaitGroup
	for i, s := range p.All() {
		asked.Go(func() { facts[i] = read(ctx, s, q.Namespace) })
	}
	s, err := preflight.Read(ctx, e, q, false)
	asked.Wait()
	if err != nil {
		return nil, nil, err
	}
	silent := 0
	for _, in := range s.Inputs {
		if err := cli.Silent(in); err != nil {
			silent++
			failed = err
		}
	}
	if silent == len(s.Inputs) {
		return nil, nil, failed
	}
	scope := "all namespaces"
	if q.Namespace != "" {
		scope = "namespace " + q.Namespace
	}
	return report.Build(report.Input{
		View: s.View, CreatedBy: cli.WhoAmI(), Plugin: version.Get().Version, Scope: scope, Sites: facts, Loss: present.Loss,
		Ready: func(g overview.Group) (string, string, recovery.Readiness) { return failover.Readiness(e, s, g) },
	}), failed, nil
}

// pageSize is how many objects one answer has.
const pageSize = 500

// read asks a site for what a report has beside the groups, with a list of each kind.
func read(ctx context.Context, s *site.Site, namespace string) report.SiteFacts {
	f := report.SiteFacts{Single: map[types.NamespacedName]bool{}}
	var asked sync.WaitGroup
	asked.Go(func() {
		if v, err := s.Version(ctx); err == nil {
			f.Kubernetes = v
		}
	})
	asked.Go(func() { f.Controller = preflight.Leader(ctx, s).Words(version.Get()) })
	asked.Go(func() { f.PVCs, f.Unread = claims(ctx, s, namespace) })
	asked.Go(func() { f.Silent = singles(ctx, s, namespace, f.Single) })
	asked.Wait()
	return f
}

// claims lists the PVCs.
func claims(ctx context.Context, s *site.Site, namespace string) (all []corev1.PersistentVolumeClaim, unread string) {
	var list corev1.PersistentVolumeClaimList
	err := pages(ctx, s, namespace, &list, func() {
		for i := range list.Items {
			list.Items[i].ManagedFields = nil
		}
		all = append(all, list.Items...)
	})
	if err != nil {
		_, unread = collect.Explain(s, err)
	}
	return all, unread
}

// singles lists the PVCs that are replicated on their own. A site without the CRDs has none.
func singles(ctx context.Context, s *site.Site, namespace string, into map[types.NamespacedName]bool) (silent string) {
	var list vgrv1.VolumeReplicationList
	err := pages(ctx, s, namespace, &list, func() {
		for _, v := range list.Items {
			into[types.NamespacedName{Namespace: v.Namespace, Name: v.Spec.PVCName}] = true
		}
	})
	if err != nil {
		problem, message := collect.Explain(s, err)
		if problem != overview.SiteNotInstalled {
			silent = message
		}
	}
	return silent
}

// pages reads a list page by page.
func pages(ctx context.Context, s *site.Site, namespace string, list client.ObjectList, take func()) error {
	c, err := s.Client()
	if err != nil {
		return err
	}
	o := client.ListOptions{Namespace: namespace, Limit: pageSize}
	for {
		if err := c.List(ctx, list, &o); err != nil {
			return err
		}
		take()
		if o.Continue = list.GetContinue(); o.Continue == "" {
			return nil
		}
	}
}
