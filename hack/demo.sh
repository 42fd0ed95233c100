#!/usr/bin/env bash
# The demo: a three-PVC PostgreSQL group between two sites, and one switch of roles.
# Everything it prints with a $ in front is the command it runs. BACKEND is ceph, dell or trident.
# With CEPH=real the storage of ceph is two real clusters.
set -euo pipefail
cd "$(dirname "$0")/.."

backend=${1:-ceph}
every=5m
up=(--controller bin/vgr-controller --backend "$backend")
parameters=()
case $backend in
ceph)
	# With Ceph's defaults a synchronisation is shown up to half a minute later, and a switch of roles waits for one.
	every=1m up+=(--mirror-status-interval 1s --transfer-time 200ms)
	storage=ceph-rbd provisioner=rbd.csi.ceph.com
	what="csi-addons controllers over a simulated Ceph RBD mirror"
	if [ "${CEPH:-simulated}" = real ]; then
		bin/lab assets --ceph
		up+=(--ceph real)
		what="csi-addons controllers over two real Ceph clusters that mirror RBD images"
	fi
	;;
dell)
	storage=powerstore provisioner=csi-powerstore.dellemc.com
	what="Dell's replication controllers over simulated PowerStore arrays"
	;;
trident)
	storage=ontap provisioner=csi.trident.netapp.io
	parameters+=(replicationPolicy=MirrorAllSnapshots replicationSchedule=5min groupSnapshots=true)
	what="a stand-in for Trident over simulated ONTAP clusters"
	;;
*)
	echo "BACKEND is ceph, dell or trident, not $backend" >&2
	exit 1
	;;
esac

parameters+=("schedulingInterval=$every")

# To wait until a field is there came with kubectl 1.31.
waits() { [ "$(kubectl version --client -o json 2>/dev/null | sed -n 's/.*"minor": "\([0-9]*\).*/\1/p')" -ge 31 ] 2>/dev/null; }
build=(--backend "$backend")
waits || build+=(--kubectl)
assets=$(bin/lab assets "${build[@]}")
export PATH="$PWD/bin:$assets:$PATH"
export KUBECTL_VGR_CONTEXT=east KUBECTL_VGR_PEER_CONTEXT=west

tty=false
[ -t 0 ] && [ -t 1 ] && tty=true

say() { printf '\n%s\n' "# $*"; }
run() {
	printf '$ %s\n' "$*"
	"$@"
}

synced() {
	[ "$backend" = ceph ] || return 0 # the others tell no time
	run kubectl --context "$1" -n production wait volumegroupreplications.replication.unified.io/postgresql \
		--for='jsonpath={.status.lastSyncTime}' --timeout=3m
}

started=false
if ! bin/lab status >/dev/null 2>&1; then
	started=true
fi
manifest=$(mktemp)
finish() {
	rm -f "$manifest"
	if $started; then
		bin/lab down >/dev/null 2>&1 || true
	fi
}
trap finish EXIT

say "Two clusters, east and west: real API servers, and $what."
run lab up "${up[@]}"
KUBECONFIG=$(lab status -o json | sed -n 's/^ *"kubeconfig": "\(.*\)",*$/\1/p')
export KUBECONFIG

say "A PostgreSQL database in east with three volumes."
sed "s/ceph-rbd/$storage/" docs/samples/demo-postgresql.yaml >"$manifest"
run kubectl --context east apply -f "$manifest"
run kubectl --context east -n production wait pvc --all --for=jsonpath='{.status.phase}'=Bound --timeout=60s

say "A class says how groups are replicated: by which driver, every $every."
run kubectl vgr class create "$storage" --provisioner "$provisioner" "${parameters[@]/#/--parameter=}"

say "One command creates the group in east, prepares west and waits until both are confirmed."
run kubectl vgr create postgresql -n production --class "$storage" -l app=postgresql --yes

say "Both sites, every volume, after the first synchronisation that the schedule has made."
synced east
run kubectl vgr list -n production
run kubectl vgr status postgresql -n production

if [ "$backend" = ceph ]; then
	say "Switch roles: demote east, then promote west."
	run kubectl vgr demote postgresql -n production --yes
	run kubectl vgr promote postgresql -n production --context west --peer-context east --yes
	synced west
else
	say "Switch roles."
	run kubectl vgr failover postgresql -n production --to west --yes
fi
run kubectl vgr status postgresql -n production

if $tty; then
	say "Live; q or Ctrl-C ends it and stops the lab."
	printf '$ %s\n' "kubectl vgr status postgresql -n production -w"
	kubectl vgr status postgresql -n production -w || true
fi
say "Done. 'make demo-clean' removes what was cached."
