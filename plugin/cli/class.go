// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"strings"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/plugin/clierror"
)

// NoBackend refuses a class whose driver no backend serves.
func (e *Env) NoBackend(class *vgrv1.VolumeGroupReplicationClass) error {
	if named := class.Spec.Parameters[vgrv1.ParameterBackend]; named != "" {
		return clierror.Refused("known are "+strings.Join(e.Profiles.Names(), ", "), "class %q: there is no backend %q", class.Name, named)
	}
	return clierror.Refused(fmt.Sprintf("known are %s; --parameter %s=NAME names a backend for another driver", strings.Join(e.Profiles.Provisioners(), ", "), vgrv1.ParameterBackend),
		"class %q: no backend serves provisioner %q", class.Name, class.Spec.Provisioner)
}
