// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package trident

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFlaw: what Trident calls invalid, in its words.
func TestFlaw(t *testing.T) {
	one := []mapping{{LocalPVCName: "data", RemoteVolumeHandle: "svm_east:v"}}
	for want, s := range map[string]relationshipSpec{
		"":                                 {State: established, VolumeMappings: one},
		".spec.volumeMappings must be set": {State: promoted},
		".spec.volumeMappings must contain exactly one element in the list":                    {State: promoted, VolumeMappings: append(one, one...)},
		".spec.volumeMappings must specify a localPVCName":                                     {State: promoted, VolumeMappings: []mapping{{}}},
		".spec.state must be one of established, reestablished, promoted":                      {VolumeMappings: one},
		".spec.state must be set to 'promoted' when providing a 'promotedSnapshotHandle'":      {State: established, VolumeMappings: []mapping{{LocalPVCName: "data", PromotedSnapshotHandle: "v/s"}}},
		"A remoteVolumeHandle must be provided if .spec.state is established or reestablished": {State: reestablished, VolumeMappings: []mapping{{LocalPVCName: "data"}}},
	} {
		if got := flaw(s); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}

// TestFrozen: what may not be changed once the status has it.
func TestFrozen(t *testing.T) {
	spec := relationshipSpec{State: established, ReplicationPolicy: "Asked", ReplicationSchedule: "5min", VolumeMappings: []mapping{{LocalPVCName: "data", RemoteVolumeHandle: "svm_east:v"}}}
	said := condition{State: established, LocalPVCName: "data", RemoteVolumeHandle: "svm_east:v", ReplicationPolicy: "Used", ReplicationSchedule: "hourly"}
	for want, change := range map[string]func(*relationshipSpec){
		"": func(s *relationshipSpec) { s.State = reestablished },
		"localPVCName may not be changed from data": func(s *relationshipSpec) {
			s.VolumeMappings = []mapping{{LocalPVCName: "logs", RemoteVolumeHandle: "svm_east:v"}}
		},
		"remoteVolumeHandle may not be changed from svm_east:v": func(s *relationshipSpec) { s.VolumeMappings = []mapping{{LocalPVCName: "data"}} },
		"replication policy may not be changed from Used":       func(s *relationshipSpec) { s.ReplicationPolicy = "Other" },
		"replication schedule may not be changed from hourly":   func(s *relationshipSpec) { s.ReplicationSchedule = "daily" },
	} {
		before := &relationship{Spec: spec}
		after := &relationship{Spec: spec, Status: relationshipStatus{Conditions: []condition{said}}}
		change(&after.Spec)
		c, ok := frozen(before, after)
		if ok != (want == "") || !ok && (c.Message != want || c.State != failed) {
			t.Errorf("%q: %v, %+v", want, ok, c)
		}
	}
}

// TestONTAP: what SnapMirror does to data, and what it refuses.
func TestONTAP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const e, w = "svm_east:v", "svm_west:v"
		p := NewPair(time.Second)
		p.Create(e, false)
		p.Create(w, true)
		p.Write(e, 3)
		fails := func(what string, err error, text string) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want %q", what, err, text)
			}
		}
		fails("establish a writable volume", p.establish(e, w, "", ""), "mirrors can only be established with empty DP volumes as the destination")
		fails("resync without a past", p.resync(e, w, "", ""), "no common Snapshot copy")
		if err := p.establish(w, e, "NoSuch", "5min"); err != nil {
			t.Fatal(err)
		}
		if policy, schedule := p.details(w, e); policy != defaultPolicy || schedule != "5min" {
			t.Errorf("policy %s, schedule %s", policy, schedule)
		}
		if s, _ := p.state(w, e); s != establishing || p.Written(w) != 0 {
			t.Errorf("%s with %d writes during the first transfer", s, p.Written(w))
		}
		time.Sleep(time.Second)
		if s, _ := p.state(w, e); s != established || p.Written(w) != 3 || p.Write(w, 1) {
			t.Errorf("%s with %d writes", s, p.Written(w))
		}
		p.Write(e, 4)
		p.SetLink(false)
		fails("update without a link", p.update(w, ""), "cannot reach")
		fails("promote at a snapshot that has not come", p.promote(w, e, "snapshot-1"), "not found")
		if err := p.promote(w, e, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := p.state(w, e); !errors.Is(err, errNotFound) || !p.Write(w, 1) || !p.Write(e, 1) {
			t.Errorf("after a promotion: %v; both are to be writable", err)
		}
		fails("resync without a link", p.resync(e, w, "", ""), "cannot reach")
		p.SetLink(true)
		if err := p.resync(e, w, "", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if p.Written(e) != 4 || p.Writable(e) {
			t.Errorf("%d writes on the old source, want the 4 of the new one", p.Written(e))
		}
	})
}
