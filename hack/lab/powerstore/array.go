// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

// Package powerstore simulates a pair of Dell PowerStore arrays that replicate volume groups to each
// other, and answers what Dell's replication sidecar asks the driver. How the arrays answer follows
// csi-powerstore v2.16.0, also where that hides an error of the array.
package powerstore

import (
	"errors"
	"fmt"
	"maps"
	"sync"
)

// State of a replication session, as the driver reports it.
type State string

// States.
const (
	Synchronized State = "SYNCHRONIZED"
	Suspended    State = "SUSPENDED"
	FailedOver   State = "FAILEDOVER"
)

// Pair is the two arrays.
type Pair struct {
	sites [2]string

	mu     sync.Mutex
	link   bool
	groups map[string]*group // by name
	of     map[string]*group // by volume handle
	// volumes are the array's names by ours.
	volumes map[string]string
	// actions are all that were asked for, in order.
	actions []string
	broken  map[string]error
}

// group is a volume group with its replication session, as each array sees it.
type group struct {
	name  string
	views [2]view
	// writes counts what each array holds, by volume name.
	writes [2]map[string]int64
}

type view struct {
	source bool
	state  State
	// epoch grows with every change of roles: when the arrays meet again, the later one is right.
	epoch int
}

// New makes a pair with nothing on it.
func New(sites [2]string) *Pair {
	return &Pair{sites: sites, link: true, groups: map[string]*group{}, of: map[string]*group{}, volumes: map[string]string{}, broken: map[string]error{}}
}

func (p *Pair) index(site string) int {
	if site == p.sites[0] {
		return 0
	}
	return 1
}

// handle returns how a site's array names a volume: both have the same volume under names of their own.
func handle(volume, site string) string { return volume + "/" + site + "/scsi" }

// Create makes a volume in a group of the site's array, and its copy on the other one; once for each
// name.
func (p *Pair) Create(site, groupName, name string) (volumeHandle string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.groups[groupName]
	if g == nil {
		g = &group{name: groupName, writes: [2]map[string]int64{{}, {}}}
		g.views[0].state, g.views[1].state = Synchronized, Synchronized
		g.views[p.index(site)].source = true
		p.groups[groupName] = g
	}
	volume := p.volumes[name]
	if volume != "" {
		return handle(volume, site)
	}
	volume = fmt.Sprintf("volume-%d", len(p.volumes)+1)
	p.volumes[name] = volume
	for i, s := range p.sites {
		g.writes[i][volume] = 0
		p.of[handle(volume, s)] = g
	}
	return handle(volume, site)
}

// copyOf returns a volume on the other array.
func (p *Pair) copyOf(volumeHandle, site string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.of[volumeHandle]
	if g == nil {
		return "", fmt.Errorf("no volume %s", volumeHandle)
	}
	for volume := range g.writes[0] {
		if handle(volume, site) == volumeHandle {
			return handle(volume, p.sites[1-p.index(site)]), nil
		}
	}
	return "", fmt.Errorf("volume %s is not of %s", volumeHandle, site)
}

// groupOf returns the group of a volume.
func (p *Pair) groupOf(volumeHandle string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.of[volumeHandle]
	if g == nil {
		return "", false
	}
	return g.name, true
}

// Write is an application writing n times to every volume of a group; false when the site's array
// refuses that.
func (p *Pair) Write(site, groupName string, n int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, i := p.groups[groupName], p.index(site)
	if g == nil || !g.views[i].source {
		return false
	}
	for volume := range g.writes[i] {
		g.writes[i][volume] += n
	}
	if p.link && g.views[i].state == Synchronized {
		g.replicate(i)
	}
	return true
}

// Written returns how many writes the site's array holds of a group, over all volumes.
func (p *Pair) Written(site, groupName string) (total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g := p.groups[groupName]; g != nil {
		for _, n := range g.writes[p.index(site)] {
			total += n
		}
	}
	return total
}

// SetLink connects or disconnects the arrays.
func (p *Pair) SetLink(up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link = up
	if !up {
		return
	}
	for _, g := range p.groups {
		for i := range g.views {
			if later := g.views[1-i]; later.epoch > g.views[i].epoch {
				g.views[i] = view{source: !later.source, state: later.state, epoch: later.epoch}
			}
		}
		for i := range g.views {
			if g.views[i].source && g.views[i].state == Synchronized {
				g.replicate(i)
			}
		}
	}
}

// Break has every call of an action fail; nil mends it.
func (p *Pair) Break(action string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken[action] = err
}

// Actions returns all that were asked for, in order: "east FAILOVER_REMOTE production".
func (p *Pair) Actions() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.actions...)
}

func (g *group) replicate(from int) {
	maps.Copy(g.writes[1-from], g.writes[from])
}

// status returns a group as the site's array sees it. A session without a link is paused by the system.
func (p *Pair) status(site, groupName string) (state State, source bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.groups[groupName]
	if g == nil {
		return "", false, fmt.Errorf("no group %s", groupName)
	}
	v := g.views[p.index(site)]
	if !p.link && v.state == Synchronized {
		v.state = Suspended
	}
	return v.state, v.source, nil
}

// ErrIgnored has the array refuse an action without the driver saying so.
var ErrIgnored = errors.New("the array refuses, and the driver says that it has succeeded")

// errFromDestination is the one error of the array that the driver passes on.
var errFromDestination = errors.New("unable to failover from destination")

// act carries an action out. As with the real driver, an action that the array refuses is mostly
// reported to have succeeded.
func (p *Pair) act(site, groupName, action string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.actions = append(p.actions, fmt.Sprintf("%s %s %s", site, action, groupName))
	if err := p.broken[action]; errors.Is(err, ErrIgnored) {
		return nil
	} else if err != nil {
		return err
	}
	g, i := p.groups[groupName], p.index(site)
	if g == nil {
		return fmt.Errorf("no group %s", groupName)
	}
	me := g.views[i]
	switch action {
	case "FAILOVER_REMOTE":
		if me.state == FailedOver {
			return nil
		}
		if !me.source {
			return errFromDestination
		}
		if p.link && me.state == Synchronized {
			g.replicate(i)
			p.turn(g, i, view{source: false, state: FailedOver, epoch: me.epoch + 1})
		}
	case "UNPLANNED_FAILOVER_LOCAL":
		if me.state != FailedOver && !me.source {
			p.turn(g, i, view{source: true, state: FailedOver, epoch: me.epoch + 1})
		}
	case "REPROTECT_LOCAL":
		if me.state == FailedOver && me.source && p.link {
			p.turn(g, i, view{source: true, state: Synchronized, epoch: me.epoch + 1})
			g.replicate(i)
		}
	case "SUSPEND":
		p.turn(g, i, view{source: me.source, state: Suspended, epoch: me.epoch})
	case "RESUME":
		p.turn(g, i, view{source: me.source, state: Synchronized, epoch: me.epoch})
	}
	return nil
}

// turn changes a session on one array, and on the other one if that can be told.
func (p *Pair) turn(g *group, i int, v view) {
	g.views[i] = v
	if p.link {
		g.views[1-i] = view{source: !v.source, state: v.state, epoch: v.epoch}
	}
}
