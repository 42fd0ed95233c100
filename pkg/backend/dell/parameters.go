// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package dell

import (
	"maps"
	"slices"
	"strings"

	storagev1 "k8s.io/api/storage/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

const (
	prefixParameter  = "prefix"
	remoteSystem     = "remoteSystem"
	recoveryPoint    = "rpo"
	consistencyType  = "consistencyType"
	protectionPolicy = "protectionPolicy"
)

// intervals are PowerStore's names for them, in the units of the class.
var intervals = map[string]string{
	"5m": "Five_Minutes", "15m": "Fifteen_Minutes", "30m": "Thirty_Minutes", "1h": "One_Hour", "6h": "Six_Hours", "12h": "Twelve_Hours", "1d": "One_Day", "24h": "One_Day",
}

func parameters() []backend.Parameter {
	return []backend.Parameter{
		{Name: vgrv1.ParameterBackend, Values: Name, Description: "the backend; csi-addons when the driver replicates through csi-addons"},
		{Name: vgrv1.ParameterSchedulingInterval, Values: strings.Join(slices.Sorted(maps.Keys(intervals)), ", "), Description: "must be the rpo of the StorageClass; nothing else can set it"},
		{Name: recoveryPoint, Values: "as in the StorageClass: Five_Minutes", Description: "must be the rpo of the StorageClass"},
		{Name: remoteSystem, Values: "as in the StorageClass", Description: "must be the remote system of the StorageClass"},
		{Name: consistencyType, Values: "Async, Sync", Description: "must be the mode of the StorageClass; CSM does not replicate Metro volumes"},
		{Name: vgrv1.ParameterConsistencyGroup, Values: "enabled", Description: "the array replicates a group as one"},
		{Name: vgrv1.ParameterGroupConsistency, Values: "crash", Description: "what the group's point in time means; the array does not quiesce applications"},
		{Name: vgrv1.ParameterGroupSnapshots, Values: "false", Description: "the group is consistent by itself"},
		{Name: prefixParameter, Values: "as Dell's controllers have it; " + defaultPrefix, Description: "the prefix of Dell's labels and StorageClass parameters"},
	}
}

// checkParameters implements backend.Profile.CheckParameters.
func checkParameters(c backend.Class) []backend.Problem {
	var problems []backend.Problem
	addf := func(format string, args ...any) {
		problems = append(problems, *backend.Problemf(vgrv1.ReasonInvalidParameters, format, args...))
	}
	allowed := map[string][]string{
		vgrv1.ParameterConsistencyGroup: {"enabled"}, vgrv1.ParameterGroupConsistency: {"crash"}, vgrv1.ParameterGroupSnapshots: {"false"},
		consistencyType: {"Async", "Sync"}, vgrv1.ParameterSchedulingInterval: slices.Sorted(maps.Keys(intervals)),
	}
	for _, key := range slices.Sorted(maps.Keys(c.Parameters)) {
		value := c.Parameters[key]
		switch {
		case key == protectionPolicy:
			addf("parameter %s cannot be honoured: the policy of a group is chosen when its volumes are provisioned, and Kubernetes does not show it", key)
		case !slices.ContainsFunc(parameters(), func(p backend.Parameter) bool { return p.Name == key }):
			addf("parameter %q is not known to %s; see kubectl vgr class describe", key, Name)
		case allowed[key] != nil && !slices.Contains(allowed[key], value):
			addf("parameter %s is %q; %s can do: %s", key, value, Name, strings.Join(allowed[key], ", "))
		}
	}
	return problems
}

// assert compares a class with the StorageClass of the volumes.
func assert(c backend.Class, class *storagev1.StorageClass) *backend.Problem {
	has := func(key string) string { return class.Parameters[prefixOf(c)+"/"+key] }
	mode := has("mode")
	if mode == "" {
		mode = "ASYNC" // the driver's default
	}
	for _, x := range []struct{ key, want, is string }{
		{vgrv1.ParameterSchedulingInterval, intervals[c.Parameters[vgrv1.ParameterSchedulingInterval]], has("rpo")},
		{recoveryPoint, c.Parameters[recoveryPoint], has("rpo")},
		{remoteSystem, c.Parameters[remoteSystem], has("remoteSystem")},
		{consistencyType, strings.ToUpper(c.Parameters[consistencyType]), strings.ToUpper(mode)},
	} {
		if x.want != "" && x.want != x.is {
			return backend.Problemf(vgrv1.ReasonInvalidParameters, "class %q says %s %s, StorageClass %q has %q; only the StorageClass decides it",
				c.Name, x.key, c.Parameters[x.key], class.Name, x.is)
		}
	}
	return nil
}
