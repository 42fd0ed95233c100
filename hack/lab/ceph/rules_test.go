// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package ceph

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab/array"
)

// recorded is what rbd of Ceph 20.2.4 showed of one image, on both sites, at moments of its life.
func recorded(t *testing.T, moment, site string) image {
	t.Helper()
	data, err := os.ReadFile("testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]struct {
		Info   info   `json:"info"`
		Status status `json:"status"`
	}
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	seen, ok := all[moment][site]
	if !ok {
		t.Fatalf("nothing was recorded of %q on %s", moment, site)
	}
	return image{handle: "volume", info: seen.Info, status: seen.Status}
}

// answers are what the driver says to each call that may change something, at one moment.
func answers(img image) map[string]string {
	said := func(do any, err error) string {
		if err != nil {
			return string(array.CodeOf(err))
		}
		return fmt.Sprint(do)
	}
	out := map[string]string{}
	do, err := mayPromote(img)
	out["promote"] = said(do, err)
	do, err = mayDemote(img)
	out["demote"] = said(do, err)
	do, err = mayDisable(img)
	out["disable"] = said(do, err)
	answer, err := mayResync(img, false)
	out["resync"] = said(answer.ready, err)
	i, err := replicationInfo(img)
	out["info"] = said(i.Health, err)
	return out
}

func TestRules(t *testing.T) {
	cases := map[string]map[string]map[string]string{
		"mirrored": {
			"east": {"promote": "false", "demote": "true", "disable": "true", "resync": "INVALID_ARGUMENT", "info": "HEALTHY"},
			"west": {"promote": "true", "demote": "false", "disable": "false", "resync": "false", "info": "INVALID_ARGUMENT"},
		},
		"demoted at once": { // the peer still shows that it follows
			"east": {"promote": "true", "demote": "false", "disable": "INVALID_ARGUMENT", "resync": "INTERNAL", "info": "INVALID_ARGUMENT"},
			"west": {"promote": "true", "demote": "false", "disable": "false", "resync": "false", "info": "INVALID_ARGUMENT"},
		},
		"demoted": {
			"east": {"promote": "true", "demote": "false", "disable": "INVALID_ARGUMENT", "resync": "true", "info": "INVALID_ARGUMENT"},
			"west": {"promote": "true", "demote": "false", "disable": "INVALID_ARGUMENT", "resync": "true", "info": "INVALID_ARGUMENT"},
		},
		"promoted at once": { // ready is left of the hand-over before: nothing that west writes from now on has arrived
			"east": {"promote": "true", "demote": "false", "disable": "INVALID_ARGUMENT", "resync": "true", "info": "INVALID_ARGUMENT"},
			"west": {"promote": "false", "demote": "true", "disable": "true", "resync": "INVALID_ARGUMENT", "info": "FAILED_PRECONDITION"},
		},
		"promoted": { // it replays, and has told no time
			"east": {"promote": "true", "demote": "false", "disable": "false", "resync": "INTERNAL", "info": "INVALID_ARGUMENT"},
			"west": {"promote": "false", "demote": "true", "disable": "true", "resync": "INVALID_ARGUMENT", "info": "FAILED_PRECONDITION"},
		},
		"forced": {
			"east": {"promote": "false", "demote": "true", "disable": "true", "resync": "INVALID_ARGUMENT", "info": "FAILED_PRECONDITION"},
			"west": {"promote": "false", "demote": "true", "disable": "true", "resync": "INVALID_ARGUMENT", "info": "FAILED_PRECONDITION"},
		},
		"split": {
			"east": {"promote": "false", "demote": "true", "disable": "true", "resync": "INVALID_ARGUMENT", "info": "FAILED_PRECONDITION"},
			"west": {"promote": "true", "demote": "false", "disable": "INVALID_ARGUMENT", "resync": "INTERNAL", "info": "INVALID_ARGUMENT"},
		},
		"resyncing: no image yet": {
			"west": {"promote": "INVALID_ARGUMENT", "demote": "INVALID_ARGUMENT", "disable": "INVALID_ARGUMENT", "resync": "INVALID_ARGUMENT", "info": "INVALID_ARGUMENT"},
		},
		"resyncing: no time yet": {
			"west": {"promote": "true", "demote": "false", "disable": "false", "resync": "INTERNAL", "info": "INVALID_ARGUMENT"},
		},
		"resyncing: the copy tells first": {
			"east": {"promote": "false", "demote": "true", "disable": "true", "resync": "INVALID_ARGUMENT", "info": "FAILED_PRECONDITION"},
			"west": {"promote": "true", "demote": "false", "disable": "false", "resync": "false", "info": "INVALID_ARGUMENT"},
		},
		"resynced": {
			"east": {"promote": "false", "demote": "true", "disable": "true", "resync": "INVALID_ARGUMENT", "info": "HEALTHY"},
			"west": {"promote": "true", "demote": "false", "disable": "false", "resync": "false", "info": "INVALID_ARGUMENT"},
		},
		"disabled": {
			"east": {"promote": "INVALID_ARGUMENT", "demote": "INVALID_ARGUMENT", "disable": "false", "resync": "INVALID_ARGUMENT", "info": "INVALID_ARGUMENT"},
		},
	}
	for moment, sites := range cases {
		for site, want := range sites {
			t.Run(moment+" on "+site, func(t *testing.T) {
				got := answers(recorded(t, moment, site))
				for call, answer := range want {
					if got[call] != answer {
						t.Errorf("%s answers %s, want %s", call, got[call], answer)
					}
				}
			})
		}
	}
}

func TestForcedResync(t *testing.T) {
	img := recorded(t, "split", "west")
	if answer, err := mayResync(img, true); array.CodeOf(err) != array.Internal {
		t.Errorf("a copy that no demotion was noted of is not thrown away: %+v, %v", answer, err)
	}
	img.creation = img.info.Created
	if answer, err := mayResync(img, true); err != nil || !answer.throwAway || answer.ready {
		t.Errorf("%+v, %v; want the copy thrown away", answer, err)
	}
	made := recorded(t, "resynced", "west") // made anew
	made.creation = img.info.Created
	if answer, err := mayResync(made, true); err != nil || answer.throwAway {
		t.Errorf("%+v, %v; want the new copy left alone", answer, err)
	}
	if err := afterResync(recorded(t, "resynced", "west")); array.CodeOf(err) != array.Unavailable {
		t.Errorf("a second later: %v, want UNAVAILABLE", err)
	}
	made.status.Description = `replaying, {"local_snapshot_timestamp":1,"replay_state":"syncing"}`
	if err := afterResync(made); err != nil {
		t.Errorf("while it is fetched: %v", err)
	}
}

func TestInfoIsThePeersWord(t *testing.T) {
	got, err := replicationInfo(recorded(t, "mirrored", "east"))
	want := array.Info{LastSync: array.Sync{Time: time.Unix(1795882871, 0)}, Health: array.Healthy, Message: "local image is primary"}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	img := recorded(t, "mirrored", "east")
	img.status.Peers[0].Description = silent
	if _, err := replicationInfo(img); array.CodeOf(err) != array.NotFound {
		t.Errorf("a peer that has said nothing: %v, want NOT_FOUND", err)
	}
	img = recorded(t, "mirrored", "east")
	img.status.State = "down+stopped"
	if got, err := replicationInfo(img); err != nil || got.Health != array.Degraded {
		t.Errorf("a daemon that is down: %+v, %v, want DEGRADED", got, err)
	}
}

func TestSilentDaemons(t *testing.T) {
	img := recorded(t, "mirrored", "west")
	img.status.State, img.status.Description = "down+unknown", silent
	if _, err := mayResync(img, false); array.CodeOf(err) != array.Unknown {
		t.Errorf("only the peer's daemon has said something: %v, want an error without a code", err)
	}
	img.status.Peers = nil
	if _, err := mayResync(img, false); array.CodeOf(err) != array.Internal {
		t.Errorf("neither has: %v, want INTERNAL", err)
	}
}

func TestAttachedIsNotDemoted(t *testing.T) {
	img := recorded(t, "mirrored", "east")
	img.attached = true
	if _, err := mayDemote(img); array.CodeOf(err) != array.FailedPrecondition {
		t.Errorf("got %v, want FAILED_PRECONDITION", err)
	}
}

func TestParameters(t *testing.T) {
	for _, c := range []struct {
		parameters array.Parameters
		want       array.Code
	}{
		{array.Parameters{}, ""},
		{array.Parameters{"schedulingInterval": "5m"}, ""},
		{array.Parameters{"schedulingInterval": "90s"}, array.InvalidArgument},
		{array.Parameters{"schedulingInterval": ""}, array.InvalidArgument},
		{array.Parameters{"schedulingStartTime": "14:00:00-05:00"}, array.InvalidArgument},
		{array.Parameters{"mirroringMode": "journal", "schedulingInterval": "90s"}, ""},
		{array.Parameters{"mirroringMode": "group"}, array.InvalidArgument},
	} {
		if got := array.CodeOf(checkParameters(c.parameters)); got != c.want {
			t.Errorf("%v: %q, want %q", c.parameters, got, c.want)
		}
	}
}

func TestVersion(t *testing.T) {
	for text, ok := range map[string]bool{
		"ceph version 20.2.4 (7f79) tentacle (stable)": true, "ceph version 19.2.0 (1674) squid (stable)": true,
		"ceph version 18.2.7 (6b0e) reef (stable)": false, "ceph version 16.2.15 (618f) pacific": false, "no such thing": false,
	} {
		if err := checkVersion(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestMirrorOfDebian(t *testing.T) {
	const targets = "Debian/Debian-Security http://mirror.example/debian-security/\nDebian/Debian http://mirror.example/debian/\nOther/x http://other.example/\n"
	if got, err := mirrorIn(targets); err != nil || got != "http://mirror.example/debian/" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := mirrorIn("Other/x http://other.example/\n"); err == nil {
		t.Error("want an error without an index of Debian")
	}
}
