// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package present_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/present"
)

// TestRehearsed: list and status tell the last rehearsal of both sites, and "never" only where both have answered.
func TestRehearsed(t *testing.T) {
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	const (
		ended  = `{"id":"0000000a","by":"ops","started":"2026-01-29T12:00:00.000000Z","namespace":"db-rehearsal","volumes":[{"pvc":"data","ageSeconds":300}],"result":"passed","ended":"2026-01-29T13:00:00.000000Z"}`
		failed = `{"id":"0000000b","by":"ops","started":"2026-01-30T12:00:00.000000Z","namespace":"db-rehearsal","result":"failed","message":"no","ended":"2026-01-30T13:00:00.000000Z"}`
		kept   = `{"id":"0000000c","by":"ops","started":"2026-01-31T10:00:00.000000Z","namespace":"db-rehearsal","result":"passed","keptUntil":"2026-01-31T11:00:00Z"}`
		left   = `{"id":"0000000d","by":"ops","started":"2026-01-30T11:00:00.000000Z","namespace":"db-rehearsal"}`
	)
	for _, tc := range []struct {
		name, east, west string
		silent           bool
		list, status     string
	}{
		{"never", "", "", false, "never", ""},
		{"a silent site", "", "", true, "unknown", ""},
		{"passed", "", "[" + ended + "]", false, "passed 2d ago, data 5m old", "last rehearsal 0000000a: on west, passed"},
		{"later on the other site", "[" + failed + "]", "[" + ended + "]", false, "failed 24h ago", "last rehearsal 0000000b: on east, failed"},
		{"unreadable", "", "[{}]", false, "unknown", "the rehearsals on west cannot be read"},
		{"expired", "", "[" + kept + "]", false, "passed 120m ago, kept, expired", "kept, expired at 2026-01-31T11:00:00Z, in namespace db-rehearsal: kubectl vgr rehearse end db -n shop"},
		{"left behind", "", "[" + left + "]", false, "begun 25h ago, left unfinished", "left unfinished, in namespace db-rehearsal: kubectl vgr rehearse end db -n shop"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			input := func(name, rehearsals string, silent bool) overview.SiteInput {
				if silent {
					return overview.SiteInput{Site: overview.Site{Name: name, Problem: overview.SiteUnreachable, Message: "no route"}}
				}
				g := vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db", Annotations: map[string]string{}}}
				if rehearsals != "" {
					g.Annotations[vgrv1.AnnotationRehearsals] = rehearsals
				}
				return overview.SiteInput{Site: overview.Site{Name: name, Answered: true}, Groups: []vgrv1.VolumeGroupReplication{g}}
			}
			o := overview.Build([]overview.SiteInput{input("east", tc.east, false), input("west", tc.west, tc.silent)}, now)
			var list, status bytes.Buffer
			if err := present.Table(&list, o, present.Style{}, false, true); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(list.String(), "  "+tc.list+"  ") {
				t.Errorf("list does not have %q:\n%s", tc.list, list.String())
			}
			for _, line := range present.Headline(present.Style{}, o, o.Groups[0], nil, nil) {
				status.WriteString(line + "\n")
			}
			if !strings.Contains(status.String(), tc.status) || tc.status == "" && strings.Contains(status.String(), "rehearsal") {
				t.Errorf("status does not have %q:\n%s", tc.status, status.String())
			}
		})
	}
}
