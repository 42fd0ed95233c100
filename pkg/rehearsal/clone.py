# SPDX-FileCopyrightText: The kubectl-vgr Authors
# SPDX-License-Identifier: Apache-2.0
"""Clones mirror snapshots of images, each the newest synchronised state of a copy, or removes such clones. The Job of a rehearsal runs it beside the
CSI driver, whose image has rbd. Each step may run again: what is there is kept. Nothing here writes to a mirrored image."""
import calendar, json, os, re, subprocess, sys, time

CONFIG, SECRET, RESULT = "/tmp/vgr/config/config.json", "/tmp/vgr/secret", "/tmp/vgr-result"
OLDEST = (19, 2)
NOT_FOUND, BUSY = 2, 16
KEY = "vgr.rehearsal"  # of an image's metadata: what a clone was made from


class Refused(Exception):
    pass


class Failed(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Cluster:
    def __init__(self, cluster_id):
        with open(CONFIG) as f:
            found = [c for c in json.load(f) if c.get("clusterID") == cluster_id]
        if not found:
            raise Refused("the driver's configuration has no clusterID %s" % cluster_id)
        rados = found[0].get("radosNamespace") or (found[0].get("rbd") or {}).get("radosNamespace") or ""
        self.namespace = rados + "/" if rados else ""
        with open(SECRET + "/userID") as f:
            user = f.read().strip()
        self.options = ["-m", ",".join(found[0]["monitors"]), "--id", user, "--keyfile", SECRET + "/userKey"]
        if not os.path.exists("/etc/ceph/ceph.conf"):
            self.options += ["-c", "/dev/null"]

    def spec(self, pool, image):
        return "%s/%s%s" % (pool, self.namespace, image)

    def rbd(self, *args):
        p = subprocess.run(["rbd"] + self.options + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
                           env=dict(os.environ, TZ="UTC", LC_ALL="C"))
        if p.returncode != 0:
            said = [line for line in p.stderr.splitlines() if "failed to query services" not in line]
            raise Failed(p.returncode, "rbd %s: %s" % (" ".join(args), (said or ["exit code %d" % p.returncode])[-1]))
        return p.stdout

    def json(self, *args):
        text = self.rbd(*(list(args) + ["--format", "json"]))
        return json.loads(text) if text.strip() else None


def check_version():
    text = subprocess.run(["rbd", "--version"], stdout=subprocess.PIPE, universal_newlines=True).stdout
    found = re.search(r"version (\d+)\.(\d+)", text)
    if not found:
        raise Refused("rbd does not say its version: %s" % text.strip())
    if (int(found.group(1)), int(found.group(2))) < OLDEST:
        raise Refused("the driver's image has Ceph %s.%s; Ceph 19.2 or later can clone the snapshot of a mirror" % found.groups())


def moment(text):
    """A time as rbd prints it, in UTC."""
    for layout in ("%a %b %d %H:%M:%S %Y", "%Y-%m-%d %H:%M:%S"):
        try:
            return calendar.timegm(time.strptime(text, layout))
        except ValueError:
            pass
    return 0


def mirrored(snapshots):
    """The snapshots of mirroring, oldest first."""
    return sorted((s for s in snapshots or [] if (s.get("namespace") or {}).get("type") == "mirror"), key=lambda s: s["id"])


def complete(snapshot):
    namespace = snapshot["namespace"]
    return namespace.get("complete", namespace.get("state") == "demoted")


def source_time(status):
    """When the primary took what was synchronised last, by what rbd-mirror said last; 0 where it does not say."""
    found = re.search(r"\{.*\}", status.get("description", ""))
    if not found:
        return 0
    said = json.loads(found.group(0))
    return int(said.get("local_snapshot_timestamp", 0))


class Volume:
    def __init__(self, v, clusters):
        if v["cluster"] not in clusters:
            clusters[v["cluster"]] = Cluster(v["cluster"])
        self.cluster, self.name = clusters[v["cluster"]], v["pvc"]
        self.image, self.clone = self.cluster.spec(v["pool"], v["image"]), self.cluster.spec(v["pool"], v["clone"])
        if not v["clone"].startswith("vgr-rehearsal-"):
            raise Refused("%s is no image of a rehearsal" % v["clone"])
        self.result = self.whole = None
        self.at, self.copied = 0, False

    def status_time(self):
        try:
            return source_time(self.cluster.json("mirror", "image", "status", self.image) or {})
        except Failed:
            return 0  # without rbd-mirror there is no status

    def made(self):
        """What an earlier run has cloned; a clone that does not say from what is made anew."""
        try:
            self.cluster.json("info", self.clone)
        except Failed as e:
            if e.code == NOT_FOUND:
                return None
            raise
        keys = self.cluster.json("image-meta", "list", self.clone) or {}
        if KEY in keys:
            return json.loads(keys[KEY])
        self.remove()
        return None

    def prepare(self):
        """Finds what an earlier run has made, or refuses what is no copy."""
        self.result = self.made()
        if self.result:
            return
        try:
            info = self.cluster.json("info", self.image)
        except Failed as e:
            if e.code == NOT_FOUND:
                raise Refused("PVC %s: the image %s is not there" % (self.name, self.image))
            raise
        mirroring = info.get("mirroring") or {}
        if mirroring.get("primary"):
            raise Refused("PVC %s: the image %s is primary here, and no copy" % (self.name, self.image))
        if mirroring.get("state") != "enabled" or mirroring.get("mode", "snapshot") != "snapshot":
            raise Refused("PVC %s: the image %s is not mirrored by snapshots" % (self.name, self.image))
        self.features = [f for f in info["features"] if f in ("layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten")]

    def make(self):
        """Clones the newest snapshot if it is known what that holds, and reports whether it did.

        rbd-mirror makes a snapshot of the copy when it begins to synchronise, and then writes beside it: the snapshot holds what
        the copy was before, all of the synchronisation that was complete then. (Seen on 20.2.4. The snapshot of the first
        synchronisation is empty, and is complete like any other.) So a snapshot is of use once an older one was seen complete,
        and rbd-mirror has said of when that is: data of an unknown time proves nothing."""
        at = self.status_time()  # before the snapshots: it is never about a newer one
        snapshots = mirrored(self.cluster.json("snap", "ls", "--all", self.image))
        if not snapshots:
            return False
        newest, whole = snapshots[-1], [s for s in snapshots if complete(s)]
        self.copied = bool(whole)
        if self.at and self.whole["id"] < newest["id"]:
            return self.clone_of(newest, self.at)
        if at and whole and whole[-1]["id"] < newest["id"]:  # it synchronises just now
            return self.clone_of(newest, min(at, moment(whole[-1]["timestamp"])))
        # The newest is complete, and what it holds is unknown: the next one will hold what the copy is now.
        self.whole = newest if complete(newest) else self.whole
        if self.whole is newest:
            self.at = max(self.at, min(at, moment(newest["timestamp"])))
        return False

    def clone_of(self, snapshot, at):
        try:
            self.cluster.rbd("clone", "--rbd-default-clone-format", "2", *(
                [a for f in self.features for a in ("--image-feature", f)] + ["--snap-id", str(snapshot["id"]), self.image, self.clone]))
        except Failed as e:
            if e.code == NOT_FOUND:
                return False  # rbd-mirror has removed it: a newer one is complete
            raise
        copied = moment(snapshot["timestamp"])
        self.result = [snapshot["id"], copied, min(at, copied), snapshot["size"]]
        self.cluster.rbd("image-meta", "set", self.clone, KEY, json.dumps(self.result))
        return True

    def remove(self):
        for attempt in range(60):
            try:
                self.cluster.rbd("rm", "--no-progress", self.clone)
                return
            except Failed as e:
                if e.code == NOT_FOUND:
                    return
                if e.code != BUSY or attempt == 59:  # a node lets go of it a while after its last Pod
                    raise
            time.sleep(1)


def clone(volumes, patience):
    for v in volumes:
        v.prepare()
    end = time.monotonic() + patience
    while True:
        for v in volumes:
            if not v.result and v.make():
                print("%s: snapshot %d of %s is cloned as %s" % (v.name, v.result[0], v.image, v.clone), flush=True)
        left = [v for v in volumes if not v.result]
        if not left:
            return
        if time.monotonic() > end:
            if not left[0].copied:
                raise Refused("PVC %s: no complete copy is on this site yet" % left[0].name)
            if not left[0].at:
                raise Refused("PVC %s: rbd-mirror has not said for %d seconds of when the copy is" % (left[0].name, patience))
            raise Refused("PVC %s: no synchronisation has begun for %d seconds, and only the next one makes a snapshot of what the copy is now" % (left[0].name, patience))
        time.sleep(1)


def main():
    plan = json.loads(os.environ["VGR_PLAN"])
    clusters = {}
    if sys.argv[1] == "clone":
        check_version()
    volumes = [Volume(v, clusters) for v in plan]
    if sys.argv[1] == "clone":
        clone(volumes, int(os.environ["VGR_PATIENCE"]))
        return {"volumes": [v.result for v in volumes]}
    for v in volumes:
        v.remove()
        print("%s: %s is removed" % (v.name, v.clone), flush=True)
    return {}


def run():
    try:
        said, code = main(), 0
    except Refused as e:
        said, code = {"refused": str(e)[:1000]}, 1
    except (Failed, OSError, KeyError, ValueError) as e:
        said, code = {"failed": str(e)[:1000]}, 1
    print(json.dumps(said), flush=True)
    with open(RESULT, "w") as f:
        json.dump(said, f, separators=(",", ":"))
    sys.exit(code)


run()
