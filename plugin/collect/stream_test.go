// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package collect_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/overview"
	"github.com/unified-replication/kubectl-vgr/plugin/collect"
	"github.com/unified-replication/kubectl-vgr/plugin/site"
)

// paged is a server that lists groups in pages, as an API server does, of its own size.
type paged struct {
	names []string
	size  int
	// fails is the page that is answered with an error; none when zero.
	fails int
}

func (s paged) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if filepath.Base(r.URL.Path) != "volumegroupreplications" {
		_ = json.NewEncoder(w).Encode(vgrv1.VolumeGroupReplicationClassList{TypeMeta: metav1.TypeMeta{Kind: "VolumeGroupReplicationClassList", APIVersion: vgrv1.GroupVersion.String()}})
		return
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	if s.fails > 0 && from/s.size+1 == s.fails {
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonForbidden, Message: "no more", Code: http.StatusForbidden})
		return
	}
	list := vgrv1.VolumeGroupReplicationList{TypeMeta: metav1.TypeMeta{Kind: "VolumeGroupReplicationList", APIVersion: vgrv1.GroupVersion.String()}}
	to := min(from+s.size, len(s.names))
	for _, name := range s.names[from:to] {
		namespace, name, _ := strings.Cut(name, "/")
		list.Items = append(list.Items, vgrv1.VolumeGroupReplication{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}})
	}
	if to < len(s.names) {
		list.Continue = fmt.Sprint(to)
	}
	_ = json.NewEncoder(w).Encode(list)
}

// TestStream: every group comes once, in the order of the servers, with the copies of both sites; the first
// before the last pages are read.
func TestStream(t *testing.T) {
	var many []string
	for i := range 25 {
		many = append(many, fmt.Sprintf("ns/g%02d", i))
	}
	odd := []string{"a-b/x", "a/x", "a/y", "b/x"} // "-" comes before "/"
	for name, tc := range map[string]struct {
		east, west  paged
		wants       int // groups in all
		batches     int // at least
		most        int // batches; no bound when zero
		unanswered  string
		wantsAbsent string // the first group that only east has
	}{
		"same":            {east: paged{names: many, size: 10}, west: paged{names: many, size: 10}, wants: 25, batches: 3},
		"other sizes":     {east: paged{names: many, size: 4}, west: paged{names: many, size: 9}, wants: 25, batches: 3},
		"one is empty":    {east: paged{names: many, size: 10}, west: paged{size: 10}, wants: 25, batches: 3, wantsAbsent: "ns/g00"},
		"both are empty":  {east: paged{size: 10}, west: paged{size: 10}, batches: 1, most: 1},
		"one has more":    {east: paged{names: many, size: 10}, west: paged{names: many[:12], size: 10}, wants: 25, batches: 3, wantsAbsent: "ns/g12"},
		"order of names":  {east: paged{names: odd, size: 1}, west: paged{names: odd, size: 3}, wants: 4, batches: 3},
		"one page":        {east: paged{names: many, size: 100}, west: paged{names: many, size: 100}, wants: 25, batches: 1, most: 1},
		"fails at once":   {east: paged{names: many, size: 10}, west: paged{names: many, size: 10, fails: 1}, wants: 25, batches: 1, unanswered: "ns/g00"},
		"fails at page 2": {east: paged{names: many, size: 10}, west: paged{names: many, size: 10, fails: 2}, wants: 25, batches: 2, unanswered: "ns/g10"},
		"out of order":    {east: paged{names: many, size: 10}, west: paged{names: []string{"ns/g03", "ns/g01"}, size: 10}, wants: 25, batches: 1, unanswered: "ns/g00"},
	} {
		t.Run(name, func(t *testing.T) {
			var sites []*site.Site
			for _, s := range []paged{tc.east, tc.west} {
				web := httptest.NewServer(s)
				defer web.Close()
				sites = append(sites, connect(t, web.URL))
			}
			var names []string
			batches, failedAt, absentAt := 0, "", ""
			err := collect.Stream(t.Context(), sites, collect.Query{}, func(batch []overview.SiteInput) error {
				batches++
				for _, g := range overview.Build(batch, metav1.Now().Time).Groups {
					name := g.Namespace + "/" + g.Name
					names = append(names, name)
					switch {
					case !batch[1].Answered && failedAt == "":
						failedAt = name
					case batch[1].Answered && !g.Sites[1].Exists && absentAt == "":
						absentAt = name
					}
					if batch[0].Answered != true || !g.Sites[0].Exists {
						t.Errorf("%s is not on the first site", name)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(names) != tc.wants || len(slices.Compact(slices.Clone(names))) != len(names) || !slices.Equal(names, tc.east.names) {
				t.Errorf("groups %v", names)
			}
			if batches < tc.batches || tc.most > 0 && batches > tc.most {
				t.Errorf("%d batches, want %d", batches, tc.batches)
			}
			if failedAt != tc.unanswered {
				t.Errorf("the site is unanswered from %q on, want %q", failedAt, tc.unanswered)
			}
			if absentAt != tc.wantsAbsent {
				t.Errorf("absent from %q on, want %q", absentAt, tc.wantsAbsent)
			}
		})
	}
}

// TestStreamEnds: who does not want to wait any more does not wait for a silent site.
func TestStreamEnds(t *testing.T) {
	asked, silent := make(chan struct{}, 10), make(chan struct{})
	web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-silent:
		case <-r.Context().Done():
		}
		panic(http.ErrAbortHandler) // a return would be an answer
	}))
	defer web.Close()
	defer close(silent)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	err := collect.Stream(ctx, []*site.Site{connect(t, web.URL)}, collect.Query{}, func([]overview.SiteInput) error {
		t.Error("it has said something")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
