// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
	"github.com/unified-replication/kubectl-vgr/hack/lab/process"
)

// Status is everything about a running lab, for people and scripts.
type Status struct {
	Dir        string       `json:"dir"`
	Kubeconfig string       `json:"kubeconfig"`
	Sites      []SiteStatus `json:"sites"`
	Faults     []Fault      `json:"faults"`
	Array      array.State  `json:"array"`
}

// SiteStatus is one site of a Status.
type SiteStatus struct {
	Name string `json:"name"`
	// API goes through the proxy; Direct does not.
	API       string          `json:"api"`
	Direct    string          `json:"direct"`
	Processes []process.State `json:"processes"`
	// Calls counts the driver's calls by RPC.
	Calls map[string]int `json:"calls"`
}

// Status returns what there is now, as far as the storage answers before the context ends.
func (l *Lab) Status(ctx context.Context) Status {
	s := Status{Dir: l.dir, Kubeconfig: l.Kubeconfig(), Faults: l.Faults(), Array: l.array(ctx)}
	for _, site := range l.sites {
		s.Sites = append(s.Sites, SiteStatus{
			Name: site.Name, API: site.RESTConfig().Host, Direct: site.DirectRESTConfig().Host,
			Processes: site.Processes(), Calls: site.Driver.Faults.Calls(),
		})
	}
	return s
}
