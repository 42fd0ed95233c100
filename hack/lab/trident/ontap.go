// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package trident stands in for NetApp Trident in the lab: a pair of simulated ONTAP clusters with
// SnapMirror, and on each site what Trident does with TridentMirrorRelationships and
// TridentActionMirrorUpdates. No driver of Trident's own that mirrors runs without ONTAP, so its
// controller is rebuilt here after v26.06, with its texts and its traps; its Events are left out.
package trident

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// errNotFound is ONTAP having no such relationship.
var errNotFound = errors.New("entry doesn't exist")

// What ONTAP falls back to for names that it does not know.
const (
	defaultPolicy   = "MirrorAllSnapshots"
	defaultSchedule = "hourly"
	// syncPolicy has every write cross at once.
	syncPolicy = "Sync"
)

func knownPolicy(name string) bool { return name == defaultPolicy || name == syncPolicy }

func knownSchedule(name string) bool {
	return name == defaultSchedule || name == "5min" || name == "10min" || name == "daily"
}

// Operations that can be broken.
const (
	OpGet       = "get"
	OpEstablish = "establish"
	OpResync    = "resync"
	OpPromote   = "promote"
	OpUpdate    = "update"
	OpSnapshot  = "snapshot"
)

// Pair is the two ONTAP clusters. Volumes are named by handle, "SVM:volume". Transfers happen when
// they are asked for: that of a schedule would hide a last update that was forgotten.
type Pair struct {
	transfer time.Duration

	mu         sync.Mutex
	link       bool
	volumes    map[string]*volume
	operations []string
	broken     map[string]error
}

type volume struct {
	// dp is a data protection volume: only SnapMirror writes to it.
	dp        bool
	writes    int64
	snapshots map[string]int64
	// common is what the volume had in common with a peer when last in a relationship with it.
	common map[string]bool
	mirror *mirror
}

// mirror is a relationship, which lives at its destination.
type mirror struct {
	source           string
	policy, schedule string
	initialized      bool
	// until is the end of the transfer under way; what it brings arrives with it.
	until     time.Time
	writes    int64
	snapshots map[string]int64
	ended     time.Time
	// failed is why the last transfer did not end.
	failed error
}

// NewPair makes a pair with nothing on it. A transfer takes that long; ONTAP tells times in seconds, and
// Trident believes a transfer only when its end differs from the one before.
func NewPair(transfer time.Duration) *Pair {
	return &Pair{transfer: max(transfer, time.Second), link: true, volumes: map[string]*volume{}, broken: map[string]error{}}
}

// svm returns the storage VM of a site.
func svm(site string) string { return "svm_" + site }

// Handle names a volume of a site.
func Handle(site, internalName string) string { return svm(site) + ":" + internalName }

// Create makes a volume; once for each handle.
func (p *Pair) Create(handle string, dp bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.volumes[handle] == nil {
		p.volumes[handle] = &volume{dp: dp, snapshots: map[string]int64{}, common: map[string]bool{}}
	}
}

// Delete removes a volume.
func (p *Pair) Delete(handle string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.volumes, handle)
}

// Write is an application writing n times to a volume; false when it is read-only.
func (p *Pair) Write(handle string, n int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.volumes[handle]
	if v == nil || v.dp {
		return false
	}
	v.writes += n
	for _, other := range p.volumes {
		if m := other.mirror; m != nil && m.source == handle && m.initialized && m.policy == syncPolicy && p.link {
			other.writes = v.writes
		}
	}
	return true
}

// Written returns how many writes a volume holds.
func (p *Pair) Written(handle string) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.volumes[handle]
	if v == nil {
		return 0
	}
	v.settle(time.Now())
	return v.writes
}

// Writable reports whether an application could write to a volume.
func (p *Pair) Writable(handle string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.volumes[handle]
	return v != nil && !v.dp
}

// SetLink connects or disconnects the clusters.
func (p *Pair) SetLink(up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link = up
	for _, v := range p.volumes {
		if v.settle(time.Now()); !up && v.mirror != nil && !v.mirror.until.IsZero() {
			v.mirror.until, v.mirror.failed = time.Time{}, errors.New("the transfer was aborted")
		}
	}
}

// Break has every call of an operation fail; nil mends it.
func (p *Pair) Break(operation string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken[operation] = err
}

// Operations returns all that changed a relationship, in order: "promote svm_west:trident_pvc_1".
func (p *Pair) Operations() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.operations...)
}

// settle lets a transfer arrive.
func (v *volume) settle(now time.Time) {
	m := v.mirror
	if m == nil || m.until.IsZero() || now.Before(m.until) {
		return
	}
	v.writes, m.initialized, m.ended, m.until = m.writes, true, m.until.Truncate(time.Second), time.Time{}
	v.snapshots = m.snapshots
	v.common[m.source] = true
}

// at finds a volume, with all that has arrived. The lock is held.
func (p *Pair) at(handle string) (*volume, error) {
	if err := p.broken[OpGet]; err != nil {
		return nil, err
	}
	v := p.volumes[handle]
	if v == nil {
		return nil, fmt.Errorf("volume %s does not exist", handle)
	}
	v.settle(time.Now())
	return v, nil
}

// begin starts a transfer of the source's present, or of a snapshot of it, with all snapshots that are
// no younger: the policy has the rule all_source_snapshots.
func (p *Pair) begin(v *volume, snapshot string) error {
	m := v.mirror
	source := p.volumes[m.source]
	if !p.link || source == nil {
		return fmt.Errorf("cannot reach %s", m.source)
	}
	m.writes = source.writes
	if snapshot != "" {
		taken, ok := source.snapshots[snapshot]
		if !ok {
			return fmt.Errorf("snapshot %s not found", snapshot)
		}
		m.writes = taken
	}
	m.snapshots = maps.Clone(source.snapshots)
	maps.DeleteFunc(m.snapshots, func(_ string, taken int64) bool { return taken > m.writes })
	m.until, m.failed = time.Now().Add(p.transfer), nil
	return nil
}

// state returns the relationship as Trident reads it: errNotFound without one.
func (p *Pair) state(local, remote string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, err := p.at(local)
	switch {
	case err != nil:
		return "", err
	case v.mirror == nil || v.mirror.source != remote:
		return "", errNotFound
	case !v.mirror.initialized:
		return establishing, nil
	default:
		return established, nil
	}
}

// details returns the policy and schedule in use.
func (p *Pair) details(local, remote string) (policy, schedule string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v := p.volumes[local]; v != nil && v.mirror != nil && v.mirror.source == remote {
		return v.mirror.policy, v.mirror.schedule
	}
	return "", ""
}

func (p *Pair) relate(remote, policy, schedule string) *mirror {
	if !knownPolicy(policy) {
		policy = defaultPolicy
	}
	if !knownSchedule(schedule) {
		schedule = defaultSchedule
	}
	if policy == syncPolicy {
		schedule = ""
	}
	return &mirror{source: remote, policy: policy, schedule: schedule}
}

// establish makes an empty data protection volume a copy.
func (p *Pair) establish(local, remote, policy, schedule string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, err := p.at(local)
	switch {
	case err != nil:
		return err
	case !v.dp:
		return errors.New("mirrors can only be established with empty DP volumes as the destination")
	case v.mirror != nil && (v.mirror.initialized || !v.mirror.until.IsZero()):
		return nil
	}
	if _, err := p.did(OpEstablish, local); err != nil {
		return err
	}
	v.mirror = p.relate(remote, policy, schedule)
	if err := p.begin(v, ""); err != nil {
		v.mirror = nil
		return err
	}
	return nil
}

// resync makes a volume that has something in common with the remote a copy of it again: all that only
// it has is lost at once. When that fails, Trident deletes the relationship.
func (p *Pair) resync(local, remote, policy, schedule string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, err := p.at(local)
	if err != nil {
		return err
	}
	if m := v.mirror; m != nil && m.source == remote && (m.initialized || !m.until.IsZero()) {
		return nil
	}
	v.mirror = nil
	if _, err := p.did(OpResync, local); err != nil {
		return err
	}
	source := p.volumes[remote]
	switch {
	case source == nil || !p.link:
		return fmt.Errorf("cannot reach %s", remote)
	case !v.common[remote] && !source.common[local]:
		return errors.New("no common Snapshot copy found")
	}
	v.dp, v.mirror = true, p.relate(remote, policy, schedule)
	return p.begin(v, "")
}

// promote breaks the relationship, when the snapshot that it is to go back to has arrived, and deletes
// it. The source learns nothing of it.
func (p *Pair) promote(local, remote, snapshot string) error {
	if remote == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v, err := p.did(OpPromote, local)
	if err != nil {
		return err
	}
	if m := v.mirror; snapshot != "" && (m == nil || m.policy != syncPolicy) {
		writes, ok := v.snapshots[snapshot]
		if !ok {
			return fmt.Errorf("snapshot %s not found", snapshot)
		}
		v.writes = writes
	}
	v.mirror, v.dp = nil, false
	return nil
}

// update begins a transfer.
func (p *Pair) update(local, snapshot string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, err := p.did(OpUpdate, local)
	switch {
	case err != nil:
		return err
	case v.mirror == nil:
		return errNotFound
	case !v.mirror.until.IsZero():
		return nil // the one under way continues
	}
	return p.begin(v, snapshot)
}

// transferred returns when the last transfer ended; the zero time before the first.
func (p *Pair) transferred(local string) (ended time.Time, running bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, err := p.at(local)
	switch {
	case err != nil:
		return time.Time{}, false, err
	case v.mirror == nil:
		return time.Time{}, false, errNotFound
	}
	return v.mirror.ended, !v.mirror.until.IsZero(), v.mirror.failed
}

// snapshot takes one of each volume at the same moment.
func (p *Pair) snapshot(name string, handles ...string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range handles {
		v, err := p.did(OpSnapshot, h)
		if err != nil {
			return err
		}
		if v.dp {
			return fmt.Errorf("volume %s is read-only", h)
		}
		v.snapshots[name] = v.writes
	}
	return nil
}

// did records an operation and finds its volume. The lock is held.
func (p *Pair) did(operation, handle string) (*volume, error) {
	p.operations = append(p.operations, operation+" "+handle)
	if err := p.broken[operation]; err != nil {
		return nil, err
	}
	return p.at(handle)
}

// Snapshots returns those that a volume has.
func (p *Pair) Snapshots(handle string) map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v := p.volumes[handle]; v != nil {
		v.settle(time.Now())
		return maps.Clone(v.snapshots)
	}
	return nil
}
