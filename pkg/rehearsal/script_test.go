// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package rehearsal

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// rbd prints what rbd of Ceph 20.2.4 printed, from files.
const rbd = `#!/bin/sh
case "$*" in
*--version*) cat "$STUB/version" ;;
*"info "*vgr-rehearsal*) exit 2 ;;
*"info "*) cat "$STUB/info" ;;
*"snap ls"*) cat "$STUB/snaps" ;;
*"image status"*) cat "$STUB/status" ;;
*) echo "$*" >>"$STUB/calls" ;;
esac
`

// TestScript: what the script refuses, and what it clones, by what rbd says. That it does is seen on real Ceph.
func TestScript(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	const (
		whole   = `{"id":7,"name":"b","size":33554432,"timestamp":"Sun Nov 29 02:16:05 2026","namespace":{"type":"mirror","state":"non-primary","complete":true}}`
		partial = `{"id":8,"name":"c","size":33554432,"timestamp":"Sun Nov 29 02:16:35 2026","namespace":{"type":"mirror","state":"non-primary","complete":false}}`
		users   = `{"id":9,"name":"user","size":1,"timestamp":"Sun Nov 29 02:16:05 2026","namespace":{"type":"user"}}`
		both    = "[" + users + "," + whole + "," + partial + "]"
		status  = `{"state":"up+replaying","description":"replaying, {\"local_snapshot_timestamp\":1795918563,\"remote_snapshot_timestamp\":1795918595,\"replay_state\":\"syncing\"}","last_update":"2026-11-29 02:16:06"}`
		info    = `{"features":["layering","non-primary"],"mirroring":{"mode":"snapshot","state":"enabled","primary":false}}`
	)
	for name, test := range map[string]struct {
		change map[string]string
		says   string
	}{
		"synchronises":     {nil, `{"volumes":[[8,1795918595,1795918563,33554432]]}`},
		"silent daemon":    {map[string]string{"status": `{"state":"down+unknown","description":"status not found","last_update":""}`}, `{"refused":"PVC data: rbd-mirror has not said for 0 seconds of when the copy is"}`},
		"no next one":      {map[string]string{"snaps": "[" + whole + "]"}, `{"refused":"PVC data: no synchronisation has begun for 0 seconds`},
		"too old":          {map[string]string{"version": "ceph version 18.2.7 (x) reef (stable)"}, `{"refused":"the driver's image has Ceph 18.2; Ceph 19.2 or later can clone the snapshot of a mirror"}`},
		"not complete":     {map[string]string{"snaps": "[" + partial + "]"}, `{"refused":"PVC data: no complete copy is on this site yet"}`},
		"nothing there":    {map[string]string{"snaps": "[]"}, `{"refused":"PVC data: no complete copy is on this site yet"}`},
		"primary":          {map[string]string{"info": strings.Replace(info, "false", "true", 1)}, `{"refused":"PVC data: the image pool/ns/csi-vol-1 is primary here, and no copy"}`},
		"journals":         {map[string]string{"info": strings.Replace(info, "snapshot", "journal", 1)}, `{"refused":"PVC data: the image pool/ns/csi-vol-1 is not mirrored by snapshots"}`},
		"no configuration": {map[string]string{"config.json": "[]"}, `{"refused":"the driver's configuration has no clusterID c"}`},
		"no JSON":          {map[string]string{"config.json": "{"}, `{"failed":"Expecting`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range map[string]string{
				"rbd": rbd, "version": "ceph version 20.2.4 (x) tentacle (stable)", "snaps": both, "status": status, "info": info,
				"config.json": `[{"clusterID":"c","monitors":["10.0.0.1:3300"],"rbd":{"radosNamespace":"ns"}}]`, "userID": "u", "userKey": "k",
			} {
				if changed, ok := test.change[file]; ok {
					text = changed
				}
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o700); err != nil { //nolint:gosec // rbd is run
					t.Fatal(err)
				}
			}
			code := strings.NewReplacer(`"/tmp/vgr/config/config.json"`, `"`+dir+`/config.json"`, `"/tmp/vgr/secret"`, `"`+dir+`"`, `"/tmp/vgr-result"`, `"`+dir+`/result"`).Replace(script)
			cmd := exec.CommandContext(t.Context(), python, "-c", code, "clone")
			cmd.Env = []string{"VGR_PATIENCE=0", "PATH=" + dir + ":" + os.Getenv("PATH"), "STUB=" + dir, `VGR_PLAN=[{"pvc":"data","cluster":"c","pool":"pool","image":"csi-vol-1","clone":"vgr-rehearsal-0a1b2c3d-0"}]`}
			out, err := cmd.CombinedOutput()
			said, _ := os.ReadFile(filepath.Join(dir, "result"))
			if !strings.HasPrefix(string(said), test.says) || (err == nil) != strings.Contains(test.says, "volumes") {
				t.Fatalf("%s (%v), want %s\n%s", said, err, test.says, out)
			}
			calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
			if err == nil && !strings.Contains(string(calls), "--snap-id 8 pool/ns/csi-vol-1 pool/ns/vgr-rehearsal-0a1b2c3d-0") || err != nil && len(calls) > 0 {
				t.Errorf("calls:\n%s", calls)
			}
		})
	}
}
