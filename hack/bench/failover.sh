#!/usr/bin/env bash
# A planned failover of groups as a careful operator writes it with kubectl, 100 groups at once: wait until the source has
# synchronised since it became primary, demote it, wait until its controller confirms that, promote the target, wait until
# that is confirmed. The guard against a second primary is off: the operator says to have looked.
# usage: failover.sh NAMESPACE FROM TO GROUP…
set -euo pipefail
namespace=$1 from=$2 to=$3
shift 3
resource=volumegroupreplication.replication.unified.io

# confirmed SITE GROUP STATE: of the generation that was asked for, as kubectl wait alone would not know.
confirmed() {
	local generation
	generation=$(kubectl --context "$1" -n "$namespace" get "$resource" "$2" -o 'jsonpath={.metadata.generation}')
	kubectl --context "$1" -n "$namespace" wait "$resource/$2" --timeout=10m --for="jsonpath={.status.observedGeneration}=$generation"
	kubectl --context "$1" -n "$namespace" wait "$resource/$2" --timeout=10m --for="jsonpath={.status.state}=$3"
}

move() {
	kubectl --context "$from" -n "$namespace" wait "$resource/$1" --timeout=10m --for='jsonpath={.status.lastSyncTime}'
	kubectl --context "$from" -n "$namespace" patch "$resource" "$1" --type=merge -p '{"spec":{"replicationState":"secondary"}}'
	confirmed "$from" "$1" Secondary
	# What was written until the demotion must have crossed: csi-addons says so on either side.
	kubectl --context "$from" -n "$namespace" wait "$resource/$1" --timeout=10m --for=condition=Degraded=false
	kubectl --context "$to" -n "$namespace" patch "$resource" "$1" --type=merge \
		-p '{"metadata":{"annotations":{"replication.unified.io/promotion":"unguarded"}},"spec":{"replicationState":"primary"}}'
	confirmed "$to" "$1" Primary
	kubectl --context "$to" -n "$namespace" wait "$resource/$1" --timeout=10m --for=condition=Ready
}

running=0
for group in "$@"; do
	if ((running == 100)); then wait -n; else running=$((running + 1)); fi
	move "$group" &
done
for ((; running > 0; running--)); do wait -n; done
