#!/usr/bin/env bash
# Installs the chart in a kind cluster and runs the plugin against it. Needs Docker, kubectl and skopeo.
# It was written without a Docker engine at hand and has not been run yet.
set -euo pipefail
cd "$(dirname "$0")/.."

kind=(go run sigs.k8s.io/kind@v0.30.0)
helm=(go run helm.sh/helm/v3/cmd/helm@v3.22.0)
work=$(mktemp -d)
export KUBECONFIG=$work/kubeconfig
trap '"${kind[@]}" delete cluster --name vgr; rm -rf "$work"' EXIT

make release-snapshot build PLATFORMS="linux/$(go env GOARCH)"
"${kind[@]}" create cluster --name vgr
skopeo copy "oci-archive:$(echo dist/vgr-controller_*.oci.tar)" docker-daemon:vgr-controller:kind
"${kind[@]}" load docker-image --name vgr vgr-controller:kind
"${helm[@]}" install vgr-controller dist/vgr-controller-*.tgz --namespace vgr-system --create-namespace \
	--set image.repository=docker.io/library/vgr-controller,image.tag=kind,image.pullPolicy=Never --wait --timeout 5m

bin/kubectl-vgr version
bin/kubectl-vgr list -A
bin/kubectl-vgr class create gold --provisioner rbd.csi.ceph.com --parameter schedulingInterval=5m --yes
bin/kubectl-vgr class list
# The API server refuses a promotion that nothing confirms.
kubectl apply -f - <<'EOF'
apiVersion: replication.unified.io/v1alpha2
kind: VolumeGroupReplication
metadata: {name: pg, namespace: default}
spec:
  volumeGroupReplicationClass: gold
  replicationState: secondary
  selector: {matchLabels: {app: pg}}
EOF
if kubectl patch volumegroupreplication pg --type merge -p '{"spec":{"replicationState":"primary"}}'; then
	echo "the promotion was not refused" >&2
	exit 1
fi
kubectl delete volumegroupreplication pg
"${helm[@]}" uninstall vgr-controller --namespace vgr-system --wait
kubectl get crd volumegroupreplications.replication.unified.io
