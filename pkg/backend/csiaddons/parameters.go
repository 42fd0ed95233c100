// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package csiaddons

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/backend"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// reservedPrefix is csi-addons' own: it knows exactly the four secret keys below and fails
// every pass on any other.
const reservedPrefix = "replication.storage.openshift.io/"

const (
	secretName           = reservedPrefix + "replication-secret-name"
	secretNamespace      = reservedPrefix + "replication-secret-namespace"
	groupSecretName      = reservedPrefix + "group-replication-secret-name"
	groupSecretNamespace = reservedPrefix + "group-replication-secret-namespace"

	mirroringMode       = "mirroringMode"
	groupMirroringMode  = "groupMirroringMode"
	schedulingStartTime = "schedulingStartTime"
	flattenMode         = "flattenMode"
)

// interval is what ceph-csi accepts for schedulingInterval.
var interval = regexp.MustCompile(`^[1-9]\d*[mhd]$`)

func parameters() []backend.Parameter {
	return []backend.Parameter{
		{Name: vgrv1.ParameterBackend, Values: Name, Description: "the backend, for a driver that is not known to answer csi-addons"},
		{Name: vgrv1.ParameterConsistencyGroup, Values: "disabled (default of Ceph), enabled (default of other drivers)", Description: "replicate each volume on its own, or all as one group of the storage, which upstream Ceph does not do"},
		{Name: vgrv1.ParameterGroupConsistency, Values: "crash", Description: "what the point in time of a group means, or of each volume without one; applications are not quiesced"},
		{Name: vgrv1.ParameterGroupSnapshots, Values: "false", Description: "Kubernetes volume group snapshots are not used"},
		{Name: vgrv1.ParameterSchedulingInterval, Values: "digits and m, h or d: 5m", Description: "how often a mirror snapshot is taken"},
		{Name: schedulingStartTime, Values: "ISO 8601 time", Description: "when the schedule starts; needs schedulingInterval"},
		{Name: mirroringMode, Values: "snapshot (default), journal", Description: "how RBD mirrors; groups are mirrored by snapshots only"},
		{Name: groupMirroringMode, Values: "snapshot", Description: "the same for groups; must agree with mirroringMode"},
		{Name: flattenMode, Values: "never (default), force", Description: "whether a cloned image is flattened before it is mirrored"},
		{Name: "clusterID", Values: "ceph-csi cluster ID", Description: "the Ceph cluster of the group; needed with consistencyGroup enabled"},
		{Name: "pool", Values: "RBD pool", Description: "the pool of the group; needed with consistencyGroup enabled"},
		{Name: secretName, Values: "Secret name", Description: "credentials for replication; used for the group too unless that has its own"},
		{Name: secretNamespace, Values: "namespace", Description: "where that Secret is"},
		{Name: groupSecretName, Values: "Secret name", Description: "credentials for the volume group"},
		{Name: groupSecretNamespace, Values: "namespace", Description: "where that Secret is"},
	}
}

// checkParameters implements backend.Profile.CheckParameters. For Ceph an unknown key is an error: a
// misspelt schedulingInterval would mean no schedule at all. Other drivers have keys of their own,
// which only they can judge; one that differs from a long key of ours by a slip of the hand is none of those.
func checkParameters(c backend.Class) []backend.Problem {
	p := checker{params: c.Parameters}
	ceph := backend.ServesDriver(cephDrivers(), c.Provisioner)
	known := parameters()
	for _, key := range slices.Sorted(maps.Keys(c.Parameters)) {
		if slices.ContainsFunc(known, func(k backend.Parameter) bool { return k.Name == key }) {
			continue
		}
		meant := slices.IndexFunc(known, func(k backend.Parameter) bool { return misspelt(key, k.Name) })
		switch {
		case meant >= 0:
			p.addf("parameter %q is not known to %s; did you mean %q?", key, Name, known[meant].Name)
		case ceph || strings.HasPrefix(key, reservedPrefix):
			p.addf("parameter %q is not known to %s; see kubectl vgr class describe", key, Name)
		}
	}
	p.oneOf(vgrv1.ParameterConsistencyGroup, "enabled", "disabled")
	p.oneOf(vgrv1.ParameterGroupConsistency, "crash")
	p.oneOf(vgrv1.ParameterGroupSnapshots, "false")
	if ceph {
		p.oneOf(mirroringMode, "snapshot", "journal")
		p.oneOf(groupMirroringMode, "snapshot", "journal")
		p.oneOf(flattenMode, "never", "force")
		p.modes()
		p.schedule()
		p.place()
	}
	for _, pair := range [][2]string{{secretName, secretNamespace}, {groupSecretName, groupSecretNamespace}} {
		p.secret(pair[0], pair[1])
	}
	return p.problems
}

// misspelt reports whether a key is a known one but for its case, or a long one but for one letter more, less, changed
// or swapped with the next. Short keys are too like those of other drivers.
func misspelt(key, known string) bool {
	a, b := strings.ToLower(key), strings.ToLower(known)
	if a == b {
		return true
	}
	if len(b) < 8 {
		return false
	}
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
}

type checker struct {
	params   map[string]string
	problems []backend.Problem
}

func (p *checker) addf(format string, args ...any) {
	p.problems = append(p.problems, *backend.Problemf(vgrv1.ReasonInvalidParameters, format, args...))
}

func (p *checker) oneOf(key string, values ...string) {
	if v, ok := p.params[key]; ok && !slices.Contains(values, v) {
		p.addf("parameter %s is %q; %s can do: %s", key, v, Name, strings.Join(values, ", "))
	}
}

func (p *checker) modes() {
	image, group := p.params[mirroringMode], p.params[groupMirroringMode]
	if image != "" && group != "" && image != group {
		p.addf("parameters mirroringMode %q and groupMirroringMode %q disagree", image, group)
	}
	if p.params[vgrv1.ParameterConsistencyGroup] == "enabled" && (image == "journal" || group == "journal") {
		p.addf("RBD groups are mirrored by snapshots only: use mirroringMode \"snapshot\", or consistencyGroup \"disabled\" to mirror each volume by journal")
	}
}

// place is what ceph-csi refuses to create a group without; csi-addons tells that in its manager's log only.
func (p *checker) place() {
	var missing []string
	for _, key := range placeOfGroup() {
		if p.params[key] == "" {
			missing = append(missing, key)
		}
	}
	if p.params[vgrv1.ParameterConsistencyGroup] == "enabled" && len(missing) > 0 {
		p.addf("consistencyGroup \"enabled\" needs parameter %s, of the StorageClass of the volumes", strings.Join(missing, " and "))
	}
}

func placeOfGroup() []string { return []string{"clusterID", "pool"} }

func (p *checker) schedule() {
	every, hasEvery := p.params[vgrv1.ParameterSchedulingInterval]
	if _, ok := state.Interval(every); hasEvery && (!ok || !interval.MatchString(every)) {
		p.addf("parameter schedulingInterval is %q; it must be digits and one of m, h, d, such as 5m", every)
	}
	start, hasStart := p.params[schedulingStartTime]
	if hasStart && !hasEvery {
		p.addf("parameter schedulingStartTime needs schedulingInterval")
	}
	if hasStart && !isTime(start) {
		p.addf("parameter schedulingStartTime is %q; it must be an ISO 8601 time, such as 2026-01-31T14:00:00-05:00", start)
	}
}

func isTime(s string) bool {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "15:04:05Z07:00", "15:04:05", "15:04Z07:00", "15:04"} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

func (p *checker) secret(name, namespace string) {
	n, hasName := p.params[name]
	ns, hasNamespace := p.params[namespace]
	if hasName != hasNamespace || (hasName && (n == "" || ns == "")) {
		p.addf("parameters %s and %s must be set together and not be empty", name, namespace)
	}
}

// perVolume reports whether a new group of the class gets one VolumeReplication per PVC. No upstream Ceph mirrors groups,
// so its drivers do unless the class says otherwise.
func perVolume(c backend.Class) bool {
	switch c.Parameters[vgrv1.ParameterConsistencyGroup] {
	case "enabled":
		return false
	case "disabled":
		return true
	default:
		return backend.ServesDriver(cephDrivers(), c.Provisioner)
	}
}

// driverParameters returns what csi-addons and the driver get of our parameters. csi-addons reads
// the group's secret and the volume's secret from different keys; one is enough for us.
func driverParameters(params map[string]string) map[string]string {
	out := maps.Clone(params)
	if out == nil {
		out = map[string]string{}
	}
	for _, ours := range []string{vgrv1.ParameterBackend, vgrv1.ParameterConsistencyGroup, vgrv1.ParameterGroupConsistency, vgrv1.ParameterGroupSnapshots, groupMirroringMode} {
		delete(out, ours)
	}
	if mode := params[groupMirroringMode]; mode != "" {
		out[mirroringMode] = mode
	}
	copyMissing(out, secretName, groupSecretName)
	copyMissing(out, secretNamespace, groupSecretNamespace)
	return out
}

func copyMissing(m map[string]string, a, b string) {
	switch {
	case m[a] == "" && m[b] != "":
		m[a] = m[b]
	case m[b] == "" && m[a] != "":
		m[b] = m[a]
	}
}
