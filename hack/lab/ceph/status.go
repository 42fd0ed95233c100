// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// info is what `rbd info --format json` tells of an image.
type info struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Size      int64         `json:"size"`
	Created   string        `json:"create_timestamp"`
	Mirroring mirroringInfo `json:"mirroring"`
}

// mirroringInfo is empty while mirroring is off.
type mirroringInfo struct {
	State   string `json:"state"`
	Primary bool   `json:"primary"`
}

// mode is the state in ceph-csi's word; an image that is being made has none.
func (i info) mode() string {
	switch i.Mirroring.State {
	case "":
		return "disabled"
	case "enabled", "disabling", "disabled":
		return i.Mirroring.State
	default:
		return "<unknown>"
	}
}

func (i info) enabled() bool { return i.mode() == "enabled" }

// status is what `rbd mirror image status --format json` tells: what the daemon of each site has said of its image.
type status struct {
	Name        string `json:"name"`
	State       string `json:"state"`
	Description string `json:"description"`
	Peers       []site `json:"peer_sites"`
}

// site is one daemon's word.
type site struct {
	Name        string `json:"site_name"`
	UUID        string `json:"mirror_uuid"`
	State       string `json:"state"`
	Description string `json:"description"`
}

// silent is how rbd describes a daemon that has said nothing.
const silent = "status not found"

func (s site) told() bool { return s.Description != silent }
func (s site) up() bool   { return strings.HasPrefix(s.State, "up+") }

// word is the state without up or down.
func (s site) word() string {
	_, word, _ := strings.Cut(s.State, "+")
	return word
}

// local is this site's own daemon. Where no daemon has said anything librbd makes up an answer, and where only the
// peer's has, it gives an error.
func (s status) local() (site, error) {
	own := site{State: s.State, Description: s.Description}
	if _, peer := s.remote(); !own.told() && peer {
		return site{}, errors.New("failed to get local site status: RBD image not found: No such file or directory")
	}
	return own, nil
}

// remote is the first peer whose daemon has said something.
func (s status) remote() (site, bool) {
	for _, peer := range s.Peers {
		if peer.UUID != "" && peer.told() {
			return peer, true
		}
	}
	return site{}, false
}

// errNoSync says that a daemon has told no time of a synchronization.
var errNoSync = errors.New("last sync time not found") //nolint:gochecknoglobals // compared with errors.Is

// replay is the second half of a description: `replaying, {…}`.
type replay struct {
	At       int64  `json:"local_snapshot_timestamp"`
	Bytes    int64  `json:"last_snapshot_bytes"`
	Duration int64  `json:"last_snapshot_sync_seconds"`
	State    string `json:"replay_state"`
}

func (r replay) syncing() bool { return r.State == "syncing" }

func (r replay) sync() array.Sync {
	return array.Sync{Time: time.Unix(r.At, 0), Duration: time.Duration(r.Duration) * time.Second, Bytes: r.Bytes}
}

// lastSync reads a description as ceph-csi does.
func (s site) lastSync() (replay, error) {
	_, details, ok := strings.Cut(s.Description, ",")
	switch {
	case s.Description == "":
		return replay{}, fmt.Errorf("empty description: %w", errNoSync)
	case !ok:
		return replay{}, fmt.Errorf("no snapshot details: %w", errNoSync)
	}
	var r replay
	if err := json.Unmarshal([]byte(details), &r); err != nil {
		return replay{}, fmt.Errorf("failed to unmarshal description %q into syncInfo: %w", s.Description, err)
	}
	if r.At == 0 {
		return replay{}, fmt.Errorf("empty local snapshot timestamp: %w", errNoSync)
	}
	return r, nil
}
