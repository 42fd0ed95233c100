// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/pkg/version"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// versions is what `version -o json` prints.
type versions struct {
	metav1.TypeMeta `json:",inline"`
	Client          version.Info        `json:"client"`
	Controllers     []controllerVersion `json:"controllers,omitempty"`
}

// controllerVersion is the controller that leads on a site, by its Lease.
type controllerVersion struct {
	Site    string `json:"site"`
	Version string `json:"version,omitempty"`
	// RenewedSecondsAgo is the age of the Lease by the cluster's clock.
	RenewedSecondsAgo *int64 `json:"renewedSecondsAgo,omitempty"`
	Message           string `json:"message,omitempty"`
	// AdmissionPolicy says whether the API server itself refuses promotions that nothing confirms; absent when that
	// is not known.
	AdmissionPolicy *bool `json:"admissionPolicy,omitempty"`
	// unasked says that the message is why nobody knows.
	unasked bool
}

// DeepCopyObject implements runtime.Object; printers only read.
func (v *versions) DeepCopyObject() runtime.Object { c := *v; return &c }

// NewVersion makes the version command.
func NewVersion(e *Env) *cobra.Command {
	var clientOnly bool
	cmd := &cobra.Command{
		Use: "version", Short: "Print the versions of the plugin and of the controllers of both sites",
		Example: "  kubectl vgr version\n  kubectl vgr version --client", Args: cobra.NoArgs,
	}
	out := newOutput(cmd, "")
	cmd.Flags().BoolVar(&clientOnly, "client", false, "only the plugin; asks no cluster")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cmd.SilenceUsage = true
		v := &versions{TypeMeta: metav1.TypeMeta{APIVersion: overview.APIVersion, Kind: "Versions"}, Client: version.Get()}
		if !clientOnly {
			p, err := e.pair(cmd.Context())
			if err != nil {
				return err
			}
			v.Controllers = controllers(cmd.Context(), p.all())
		}
		if !out.human() {
			return out.print(e, v)
		}
		fmt.Fprintf(e.Out, "kubectl vgr %s\n", v.Client.Version)
		for _, c := range v.Controllers {
			fmt.Fprintf(e.Out, "controller on %s: %s\n", present.Clean(c.Site), c.words(v.Client))
		}
		return nil
	}
	return cmd
}

func (c controllerVersion) words(client version.Info) string {
	if c.Version == "" {
		return "unknown: " + present.Clean(c.Message)
	}
	text := present.Clean(c.Version)
	if c.Message != "" {
		text += ", " + present.Clean(c.Message)
	}
	if c.Version != client.Label() {
		text += fmt.Sprintf(" (not the version of the plugin, %s)", client.Version)
	}
	if c.AdmissionPolicy != nil && !*c.AdmissionPolicy {
		text += "; no admission policy: the controller alone refuses promotions that are not confirmed"
	}
	return text
}

func controllers(ctx context.Context, sites []*site.Site) []controllerVersion {
	out, policed := make([]controllerVersion, len(sites)), make([]*bool, len(sites))
	var asked sync.WaitGroup
	for i, s := range sites {
		asked.Go(func() { out[i] = leader(ctx, s) })
		asked.Go(func() { policed[i] = hasPolicy(ctx, s) })
	}
	asked.Wait()
	for i := range out {
		out[i].AdmissionPolicy = policed[i]
	}
	return out
}

// hasPolicy says whether a site's API server has the admission policy of install in force; nil when that cannot be
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

func leader(ctx context.Context, s *site.Site) controllerVersion {
	v := controllerVersion{Site: s.Name}
	c, err := s.Client()
	if err != nil {
		v.Message, v.unasked = err.Error(), true
		return v
	}
	var lease coordinationv1.Lease
	err = c.Get(ctx, client.ObjectKey{Namespace: "vgr-system", Name: "vgr-controller"}, &lease)
	switch {
	case apierrors.IsNotFound(err):
		v.Message = "there is no Lease vgr-system/vgr-controller; the controller has not run here"
		return v
	case err != nil:
		_, v.Message = collect.Explain(s, err)
		v.unasked = true
		return v
	}
	v.Version = lease.Labels[vgrv1.LabelVersion]
	if v.Version == "" {
		v.Message = "the Lease does not say"
	}
	if lease.Spec.RenewTime != nil {
		age := int64(s.Now().Sub(lease.Spec.RenewTime.Time).Seconds())
		v.RenewedSecondsAgo = &age
		if lease.Spec.LeaseDurationSeconds != nil && age > int64(*lease.Spec.LeaseDurationSeconds) {
			v.Message = fmt.Sprintf("not running: its Lease was last renewed %s ago", time.Duration(age)*time.Second)
		}
	}
	return v
}
