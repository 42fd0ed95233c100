// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package version has the command that shows the versions of plugin and controllers.
package version

import (
	"context"
	"fmt"
	"sync"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/version"
	"github.com/unified-replication/kubectl-vgr/plugin/cli"
	"github.com/unified-replication/kubectl-vgr/plugin/preflight"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// versions is what `version -o json` prints.
type versions struct {
	metav1.TypeMeta `json:",inline"`
	Client          version.Info                  `json:"client"`
	Controllers     []preflight.ControllerVersion `json:"controllers,omitempty"`
}

// DeepCopyObject implements runtime.Object; printers only read.
func (v *versions) DeepCopyObject() runtime.Object { c := *v; return &c }

// NewVersion makes the version command.
func NewVersion(e *cli.Env) *cobra.Command {
	var clientOnly bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the versions of the plugin and of the controllers of both sites",
		Example: "  kubectl vgr version\n  kubectl vgr version --client", Args: cobra.NoArgs,
	}
	out := cli.NewOutput(cmd, "")
	cmd.Flags().BoolVar(&clientOnly, "client", false, "print the plugin's version only, and contact no cluster")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		v := &versions{TypeMeta: metav1.TypeMeta{APIVersion: overview.APIVersion, Kind: "Versions"}, Client: version.Get()}
		if !clientOnly {
			p, err := e.Pair(cmd.Context())
			if err != nil {
				return err
			}
			v.Controllers = controllers(cmd.Context(), p.All())
		}
		if !out.Human() {
			return out.Print(e, v)
		}
		fmt.Fprintf(e.Out, "kubectl vgr %s\n", v.Client.Version)
		for _, c := range v.Controllers {
			fmt.Fprintf(e.Out, "controller on %s: %s\n", present.Clean(c.Site), c.Words(v.Client))
		}
		return nil
	}
	return cmd
}

func controllers(ctx context.Context, sites []*site.Site) []preflight.ControllerVersion {
	out, policed := make([]preflight.ControllerVersion, len(sites)), make([]*bool, len(sites))
	var asked sync.WaitGroup
	for i, s := range sites {
		asked.Go(func() { out[i] = preflight.Leader(ctx, s) })
		asked.Go(func() { policed[i] = hasPolicy(ctx, s) })
	}
	asked.Wait()
	for i := range out {
		out[i].AdmissionPolicy = policed[i]
	}
	return out
}

// hasPolicy reports whether a site's API server has the admission policy of install in force; nil when that cannot be
// asked.
func hasPolicy(ctx context.Context, s *site.Site) *bool {
	c, err := s.Client()
	if err != nil {
		return nil
	}
	binding := &unstructured.Unstructured{}
	binding.SetGroupVersionKind(schema.GroupVersionKind{Group: manifests.AdmissionGroup, Version: "v1", Kind: "ValidatingAdmissionPolicyBinding"})
	switch err := c.Get(ctx, client.ObjectKey{Name: manifests.PromotionPolicy}, binding); {
	case err == nil:
		return new(true)
	case apierrors.IsNotFound(err):
		return new(false)
	default:
		return nil
	}
}
