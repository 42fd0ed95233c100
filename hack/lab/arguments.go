// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"strings"
)

// auditPolicy records who writes, which tests use to prove that a program does not; and all that our controller and
// the lab's people ask for, which tests compare with their roles.
func auditPolicy(people []string) string {
	users := append([]string{controllerUser}, people...)
	return `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  verbs: [create, update, patch, delete, deletecollection]
- level: Metadata
  users: ["` + strings.Join(users, `", "`) + `"]
- level: None
`
}

func (c *controlPlane) etcdArgs() []string {
	client, peer := "http://"+local(c.ports.etcd), "http://"+local(c.ports.etcdPeer)
	return []string{
		"--name=" + c.site, "--data-dir=" + c.file("etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=" + c.site + "=" + peer,
		// A crash of the machine may lose the lab; a crash of etcd does not.
		"--unsafe-no-fsync", "--log-level=warn",
	}
}

func (c *controlPlane) apiServerArgs() []string {
	return []string{
		"--etcd-servers=http://" + local(c.ports.etcd),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.ports.api),
		"--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24",
		"--tls-cert-file=" + c.file("apiserver.crt"), "--tls-private-key-file=" + c.file("apiserver.key"),
		"--client-ca-file=" + c.file("ca.crt"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=" + c.file("sa.pub"),
		"--service-account-signing-key-file=" + c.file("sa.key"),
		// No controller makes service accounts here, and none removes the protection of claims.
		"--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection",
		"--audit-policy-file=" + c.file("audit.yaml"), "--audit-log-path=" + c.file("audit.log"),
		"--allow-privileged=true", "--profiling=false", "--shutdown-delay-duration=0s",
	}
}

func (c *controlPlane) kcmArgs() []string {
	return []string{
		"--kubeconfig=" + c.kubeconfigFile(KCM),
		"--controllers=persistentvolume-binder-controller,garbage-collector-controller,namespace-controller,deployment-controller,replicaset-controller,statefulset-controller",
		"--leader-elect=false", "--secure-port=0", "--use-service-account-credentials=false",
		// The default of 20 makes a hundred claims slow to bind.
		"--kube-api-qps=200", "--kube-api-burst=400",
	}
}

func (c *controlPlane) csiAddonsArgs() []string {
	return []string{
		"--kubeconfig=" + c.kubeconfigFile(CSIAddons), "--namespace=" + csiAddonsNamespace,
		// Tokens and TLS towards the sidecar need a cluster's own accounts.
		"--enable-auth=false",
		"--health-probe-bind-address=0", "--metrics-bind-address=0", "--leader-elect=false",
	}
}

func (c *controlPlane) controllerFlags() []string {
	return append([]string{
		"--kubeconfig=" + c.kubeconfigFile(Controller),
		"--metrics-bind-address=" + local(c.ports.controllerMetrics), "--metrics-secure=false",
		"--health-probe-bind-address=" + local(c.ports.controllerHealth),
		"--leader-elect=true", "--leader-elect-namespace=" + controllerNamespace,
	}, c.controllerArgs...)
}
