# SPDX-FileCopyrightText: The kubectl-vgr Authors
# SPDX-License-Identifier: Apache-2.0
"""Numbered blocks in an RBD image, each with who wrote it.

  write POOL IMAGE RUN COUNT PAUSE   after the last block, COUNT blocks or until standard input ends;
                                     prints the number of each block that is acknowledged
  read POOL IMAGE [CLONE]            prints which blocks of which run are there, or in a clone of it, as JSON
  sum POOL IMAGE SNAPSHOT            prints the SHA-256 of a snapshot by its number, or of what is there now for 0
"""
import hashlib
import json
import os
import sys
import threading
import time

import rados
import rbd

SIZE = 4096
AT_ONCE = 1024 * SIZE


def block(name, number, run):
    head = ("%s\n%d\n%s\n" % (name, number, run)).encode()
    filler = hashlib.sha256(head).digest()
    return (head + filler * (SIZE // len(filler)))[:SIZE]


def read(image, name):
    """Runs with their first and last block, and the numbers of blocks that are not as they were written."""
    runs, damaged, number, end = [], [], 0, image.size()
    for offset in range(0, end, AT_ONCE):
        data = image.read(offset, min(AT_ONCE, end - offset))
        if not data.strip(b"\0"):
            break
        for start in range(0, len(data), SIZE):
            number += 1
            got = data[start:start + SIZE]
            if not got.strip(b"\0"):
                continue
            parts = got.split(b"\n", 3)
            run = parts[2].decode(errors="replace") if len(parts) == 4 else ""
            if got != block(name, number, run):
                damaged.append(number)
            elif runs and runs[-1]["run"] == run and runs[-1]["last"] == number - 1:
                runs[-1]["last"] = number
            else:
                runs.append({"run": run, "first": number, "last": number})
    return {"runs": runs, "damaged": damaged}


def write(image, name, run, count, pause):
    there = read(image, name)
    number = max([r["last"] for r in there["runs"]] + there["damaged"] + [0])
    last = image.size() // SIZE
    if count:
        last = min(last, number + count)
    while number < last:
        number += 1
        image.write(block(name, number, run), (number - 1) * SIZE)
        image.flush()
        print(number, flush=True)
        time.sleep(pause)


def checksum(image):
    hashed, end = hashlib.sha256(), image.size()
    for offset in range(0, end, AT_ONCE):
        hashed.update(image.read(offset, min(AT_ONCE, end - offset)))
    return hashed.hexdigest()


def end_with(stream):
    stream.read()
    os._exit(0)


def main(what, pool, name, *rest):
    with rados.Rados(conffile="/etc/ceph/ceph.conf", name="client.admin") as cluster:
        with cluster.open_ioctx(pool) as ioctx:
            with rbd.Image(ioctx, rest[0] if what == "read" and rest else name, read_only=what != "write") as image:
                if what == "sum":
                    if int(rest[0]):
                        image.set_snap_by_id(int(rest[0]))
                    print(checksum(image))
                    return
                if what == "read":
                    print(json.dumps(read(image, name)))
                    return
                run, count, pause = rest[0], int(rest[1]), float(rest[2])
                if not count:
                    threading.Thread(target=end_with, args=(sys.stdin,), daemon=True).start()
                write(image, name, run, count, pause)


if __name__ == "__main__":
    main(*sys.argv[1:])
