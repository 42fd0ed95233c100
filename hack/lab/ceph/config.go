// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"fmt"
	"strings"
	"time"
)

// Pool is where the images are, and clusterID how ceph-csi names the cluster, as in Rook's examples.
const (
	Pool      = "replicapool"
	clusterID = "rook-ceph"
)

// config is ceph.conf of a cluster with one daemon of each kind and little memory. A keyring in [global] would be
// taken by the daemons too, and be refused.
func config(fsid string, port int, status time.Duration) string {
	seconds := max(1, int(status/time.Second))
	lines := []string{
		"[global]",
		"fsid = " + fsid,
		fmt.Sprintf("mon host = v2:127.0.0.1:%d", port),
		"mon initial members = a",
		"public addr = 127.0.0.1",
		"auth cluster required = cephx", "auth service required = cephx", "auth client required = cephx",
		"run dir = " + configDir + "/run",
		"ms bind msgr1 = false",
		"osd pool default size = 1", "osd pool default min size = 1", "osd crush chooseleaf type = 0",
		"osd pool default pg autoscale mode = off",
		"mon allow pool size one = true",
		fmt.Sprintf("rbd mirror pool replayers refresh interval = %d", seconds),
		fmt.Sprintf("rbd mirror image state check interval = %d", seconds),
		"[mon]",
		"mon data = " + configDir + "/mon",
		// Otherwise a disk that is nearly full ends the monitor.
		"mon data avail crit = 1", "mon data avail warn = 1",
		"[mgr]",
		"mgr data = " + configDir + "/mgr", "keyring = " + configDir + "/mgr/keyring",
		"[osd]",
		"osd data = " + configDir + "/osd", "keyring = " + configDir + "/osd/keyring",
		"osd memory target = 939524096", "osd memory target autotune = false",
		"osd mclock skip benchmark = true",
		"bluestore block size = 6442450944", // the file is sparse
		"bluestore cache autotune = false", "bluestore cache size = 33554432",
		"[client]",
		"keyring = " + configDir + "/keyring",
		"[client.rbd-mirror]",
		"keyring = " + configDir + "/rbd-mirror.keyring",
	}
	return strings.Join(lines, "\n") + "\n"
}
