// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"net"
	"os"
	"time"
)

// ports are chosen once, so that a process that is started again is found where it was.
type ports struct {
	etcd, etcdPeer, api, proxy, controllerAPI, controllerHealth, controllerMetrics, monitor int
}

// choosePorts finds the ports of n sites.
func choosePorts(n int) ([]ports, error) {
	const each = 8
	free, err := freePorts(n * each)
	if err != nil {
		return nil, err
	}
	chosen := make([]ports, n)
	for i := range chosen {
		p := free[i*each : (i+1)*each]
		chosen[i] = ports{etcd: p[0], etcdPeer: p[1], api: p[2], proxy: p[3], controllerAPI: p[4], controllerHealth: p[5], controllerMetrics: p[6], monitor: p[7]}
	}
	return chosen, nil
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// freePorts finds ports that no process listens on. They lie below the range that the kernel takes for
// outgoing connections, or such a connection could occupy the port of a process that is down.
func freePorts(n int) ([]int, error) {
	const first, last = 20000, 32000
	var found []int
	offset := os.Getpid()*97 + int(time.Now().UnixNano()%int64(last-first))
	for i := 0; i < last-first && len(found) < n; i++ {
		port := first + (offset+i*7919)%(last-first)
		listener, err := net.Listen("tcp", local(port))
		if err != nil {
			continue
		}
		// Open until all are found, so that none is found twice.
		defer listener.Close()
		found = append(found, port)
	}
	if len(found) < n {
		return nil, fmt.Errorf("no %d free ports between %d and %d", n, first, last)
	}
	return found, nil
}
