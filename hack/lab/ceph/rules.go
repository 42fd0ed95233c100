// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// The rules of ceph-csi: what each call answers, and whether it does anything to the image, given what rbd shows.

// image is what the rules ask for.
type image struct {
	handle string
	info   info
	// status is empty while mirroring is off.
	status status
	// creation is when the image was made, as the demotion of a primary noted it. A copy that was made anew has none.
	creation string
	// attached: a node has the volume.
	attached bool
}

func refuse(code array.Code, format string, args ...any) *array.Error {
	return &array.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// mayEnable reports whether mirroring must be switched on, and how.
func mayEnable(img image, p array.Parameters) (mode string, do bool, err error) {
	if err := checkParameters(p); err != nil {
		return "", false, err
	}
	mode = p["mirroringMode"]
	if mode == "" {
		mode = "snapshot"
	}
	return mode, !img.info.enabled(), nil
}

// checkParameters refuses what ceph-csi refuses.
func checkParameters(p array.Parameters) error {
	switch p["mirroringMode"] {
	case "journal":
		return nil
	case "", "snapshot":
	default:
		return refuse(array.InvalidArgument, "scheduling is only supported for snapshot mode")
	}
	interval, there := p["schedulingInterval"]
	switch {
	case there && interval == "":
		return refuse(array.InvalidArgument, "scheduling interval cannot be empty")
	case !there && p["schedulingStartTime"] != "":
		return refuse(array.InvalidArgument, "%q parameter is supported only with %q", "schedulingStartTime", "schedulingInterval")
	case there && !regexp.MustCompile(`^\d+[mhd]$`).MatchString(interval):
		return refuse(array.InvalidArgument, "interval specified without d, h, m suffix")
	}
	return nil
}

// mayDisable reports whether mirroring must be switched off. A copy that follows is left alone: it goes when the
// primary's mirroring does.
func mayDisable(img image) (do bool, err error) {
	switch img.info.mode() {
	case "disabled":
		return false, nil
	case "disabling":
		return false, refuse(array.Aborted, "%s is in disabling state", img.handle)
	case "enabled":
	default:
		return false, refuse(array.InvalidArgument, "image is in %s Mode", img.info.mode())
	}
	if img.info.Mirroring.Primary {
		return true, nil
	}
	local, err := img.status.local()
	if err != nil {
		return false, refuse(array.Internal, "failed to get local state: %v", err)
	}
	if local.up() && local.word() == "replaying" {
		return false, nil
	}
	return false, refuse(array.InvalidArgument, "secondary image status is up=%t and state=%s", local.up(), local.word())
}

// mayPromote reports whether the image is to be promoted; that itself may still be refused.
func mayPromote(img image) (do bool, err error) {
	if !img.info.enabled() {
		return false, notEnabled(img)
	}
	return !img.info.Mirroring.Primary, nil
}

func notEnabled(img image) error {
	return refuse(array.InvalidArgument, "mirroring is not enabled on %s, image is in %s Mode", img.handle, img.info.mode())
}

// mayDemote reports whether the image is to be demoted.
func mayDemote(img image) (do bool, err error) {
	switch {
	case !img.info.enabled():
		return false, notEnabled(img)
	case !img.info.Mirroring.Primary:
		return false, nil
	case img.attached:
		return false, refuse(array.FailedPrecondition, "volume cannot be demoted: metadata of its node is still present on the image %s", img.handle)
	default:
		return true, nil
	}
}

// resyncAnswer is what ResyncVolume does and says.
type resyncAnswer struct {
	// throwAway: the copy is fetched anew, and what its daemon says a moment later is the answer.
	throwAway bool
	ready     bool
}

// mayResync is ready when both daemons have last said that the other side is not primary, and for no other reason:
// they may have said so before the last promotion.
func mayResync(img image, force bool) (resyncAnswer, error) {
	switch {
	case !img.info.enabled():
		return resyncAnswer{}, refuse(array.InvalidArgument, "image mirroring is not enabled")
	case img.info.Mirroring.Primary:
		return resyncAnswer{}, refuse(array.InvalidArgument, "image is in primary state")
	}
	local, err := img.status.local()
	if err != nil {
		return resyncAnswer{}, fmt.Errorf("failed to get local status: %w", err) // without a code
	}
	a := resyncAnswer{ready: demoted(local) && remoteDemoted(img.status)}
	sync, err := local.lastSync()
	if err != nil && !errors.Is(err, errNoSync) {
		return resyncAnswer{}, refuse(array.Internal, "failed to get last sync info: %v", err)
	}
	a.throwAway = force && img.creation != "" && img.creation == img.info.Created && !sync.syncing()
	if !a.ready && !a.throwAway && err != nil {
		return resyncAnswer{}, refuse(array.Internal, "failed to get last sync info: %v", err)
	}
	return a, nil
}

func demoted(s site) bool { return s.up() && s.word() == "unknown" }

func remoteDemoted(s status) bool {
	found := false
	for _, peer := range s.Peers {
		if peer.UUID == "" || !peer.told() {
			continue
		}
		if !demoted(peer) {
			return false
		}
		found = true
	}
	return found
}

// afterResync is what the call says a second after the copy was thrown away; once more when there is no copy yet.
func afterResync(img image) error {
	local, err := img.status.local()
	if err != nil {
		return refuse(array.Internal, "failed to get local status: %v", err)
	}
	sync, err := local.lastSync()
	switch {
	case err != nil:
		return refuse(array.Internal, "failed to get last sync info: %v", err)
	case sync.syncing():
		return nil
	default:
		return refuse(array.Unavailable, "awaiting initial resync due to split brain")
	}
}

// replicationInfo is what a primary's site knows of its replication: the time is the peer's word.
func replicationInfo(img image) (array.Info, error) {
	switch {
	case !img.info.enabled():
		return array.Info{}, refuse(array.InvalidArgument, "image mirroring is not enabled")
	case !img.info.Mirroring.Primary:
		return array.Info{}, refuse(array.InvalidArgument, "image is not in primary state")
	}
	peer, ok := img.status.remote()
	if !ok {
		return array.Info{}, refuse(array.NotFound, "failed to get remote status: RBD image not found")
	}
	last, err := peer.lastSync()
	switch {
	case errors.Is(err, errNoSync):
		return array.Info{}, refuse(array.FailedPrecondition, "failed to get last sync info: %v", err)
	case err != nil:
		return array.Info{}, refuse(array.Internal, "failed to get last sync info: %v", err)
	}
	health, message := health(img.status)
	return array.Info{LastSync: last.sync(), Health: health, Message: message}, nil
}

// health is the primary's own daemon's word. That of the peer does not count.
func health(s status) (array.Health, string) {
	local, err := s.local()
	if err != nil {
		return array.Unclear, silent
	}
	message, _, _ := strings.Cut(local.Description, ",")
	switch {
	case !local.up():
		return array.Degraded, message
	case local.word() == "error":
		return array.Failing, message
	case local.word() == "replaying", local.word() == "stopped":
		return array.Healthy, message
	default:
		return array.Unclear, message
	}
}
