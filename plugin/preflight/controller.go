// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package preflight

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/version"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// ControllerVersion is the controller that leads on a site, by its Lease.
type ControllerVersion struct {
	Site    string `json:"site"`
	Version string `json:"version,omitempty"`
	// RenewedSecondsAgo is the age of the Lease by the cluster's clock.
	RenewedSecondsAgo *int64 `json:"renewedSecondsAgo,omitempty"`
	Message           string `json:"message,omitempty"`
	// AdmissionPolicy reports whether the API server itself refuses promotions that nothing confirms; absent when that
	// is not known.
	AdmissionPolicy *bool `json:"admissionPolicy,omitempty"`
	// unasked says that the message is why that is not known.
	unasked bool
}

// Words returns the version and state of the controller as text, compared with the plugin's version.
func (c ControllerVersion) Words(client version.Info) string {
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

// Leader returns the controller that holds the Lease of a site.
func Leader(ctx context.Context, s *site.Site) ControllerVersion {
	v := ControllerVersion{Site: s.Name}
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
			v.Message = fmt.Sprintf("its Lease was last renewed %s ago, so it does not run", time.Duration(age)*time.Second)
		}
	}
	return v
}
