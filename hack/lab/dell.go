// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/unified-replication/kubectl-vgr/hack/lab/assets"
	"github.com/unified-replication/kubectl-vgr/hack/lab/powerstore"
	"github.com/unified-replication/kubectl-vgr/hack/lab/process"
)

// DellStorageClass is the class whose claims get a replicated PowerStore volume.
const DellStorageClass = "powerstore"

const dellNamespace = "dell-replication-controller"

// dellSocket returns where the sidecar finds the driver.
func (c *controlPlane) dellSocket() string { return c.file("powerstore.sock") }

// dellSpecs returns Dell's programs: the sidecar, which runs in the driver's pod, and the controller that
// copies volumes and groups to the other site.
func (c *controlPlane) dellSpecs() map[string]process.Spec {
	home := c.file("dell")
	env := []string{
		"HOME=" + home, "KUBECONFIG=" + filepath.Join(home, ".kube", "config"),
		"X_CSI_REPLICATION_CONFIG_DIR=" + home, "X_CSI_REPLICATION_WATCH_NAMESPACE=" + dellNamespace,
	}
	sidecar := c.spec(DellReplicator, c.assets.Path(assets.DellReplicator), []string{
		"--csi-address=" + c.dellSocket(), "--metrics-addr=0",
		"--monitoring-interval=2s", // a minute by default
	})
	controller := c.spec(DellReplicationController, c.assets.Path(assets.DellReplicationController), []string{"--metrics-addr=0"})
	sidecar.Env, controller.Env = env, env
	return map[string]process.Spec{DellReplicator: sidecar, DellReplicationController: controller}
}

// dellStorage returns what an installation of csi-powerstore leaves in a cluster.
func (s *Site) dellStorage() []runtime.Object {
	if s.dell == nil {
		return nil
	}
	peer := s.peerName()
	reclaim, binding := corev1.PersistentVolumeReclaimRetain, storagev1.VolumeBindingImmediate
	return []runtime.Object{&storagev1.StorageClass{
		TypeMeta:    metav1.TypeMeta{APIVersion: storagev1.SchemeGroupVersion.String(), Kind: "StorageClass"},
		ObjectMeta:  metav1.ObjectMeta{Name: DellStorageClass},
		Provisioner: powerstore.Name, ReclaimPolicy: &reclaim, VolumeBindingMode: &binding,
		Parameters: map[string]string{
			"arrayID": "PS-" + s.Name,
			powerstore.Prefix + "/isReplicationEnabled":   "true",
			powerstore.Prefix + "/remoteStorageClassName": DellStorageClass,
			powerstore.Prefix + "/remoteClusterID":        peer,
			powerstore.Prefix + "/mode":                   "ASYNC",
			powerstore.Prefix + "/remoteSystem":           "RT-" + peer,
			powerstore.Prefix + "/rpo":                    "Five_Minutes",
			powerstore.Prefix + "/volumeGroupPrefix":      "csi",
			powerstore.Prefix + "/ignoreNamespaces":       "false",
		},
	}}
}

func (s *Site) peerName() string {
	if s.Name == East {
		return West
	}
	return East
}

// connectDell gives Dell's programs their configuration and the way to the peer, and starts them.
func (s *Site) connectDell(ctx context.Context, peer *Site) error {
	home := s.plane.file("dell")
	if err := os.MkdirAll(filepath.Join(home, ".kube"), 0o700); err != nil {
		return err
	}
	own := kubeconfigOf(s.DirectRESTConfig(), s.Name)
	if err := clientcmd.WriteToFile(*own, filepath.Join(home, ".kube", "config")); err != nil {
		return err
	}
	config := fmt.Sprintf("clusterId: %s\ntargets:\n- clusterId: %s\n  address: 127.0.0.1\n  secretRef: %s\nCSI_LOG_LEVEL: INFO\n", s.Name, peer.Name, peer.Name)
	if err := os.WriteFile(filepath.Join(home, "config.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(s.DirectRESTConfig())
	if err != nil {
		return err
	}
	data, err := clientcmd.Write(*kubeconfigOf(peer.DirectRESTConfig(), peer.Name))
	if err != nil {
		return err
	}
	if _, err := client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: dellNamespace}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: peer.Name}, Data: map[string][]byte{"data": data}}
	if _, err := client.CoreV1().Secrets(dellNamespace).Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		return err
	}
	for _, name := range []string{DellReplicator, DellReplicationController} {
		if err := s.processes[name].Start(); err != nil {
			return err
		}
	}
	return nil
}
