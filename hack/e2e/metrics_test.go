// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// TestMetrics: the controllers of both sites tell Prometheus what the statuses say.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.claims(lab.East, map[string]string{"app": "db"}, "data")
	s.done("create", "db", "-n", s.ns, "--class", gold, "-l", "app=db", "--yes")
	s.ready(lab.West, "db", vgrv1.StateSecondary, 1)
	for site, state := range map[string]string{lab.East: "Primary", lab.West: "Secondary"} {
		labels := fmt.Sprintf(`{kind="VolumeGroupReplication",name="db",namespace=%q`, s.ns)
		s.eventually("the metrics of "+site, func(ctx context.Context) error {
			return scraped(ctx, s.lab.Site(site).ControllerMetrics(),
				"vgr_build_info{", "vgr_schedule_seconds"+labels+"} 10", "vgr_status_volumes"+labels+"} 1",
				fmt.Sprintf(`vgr_status_state%s,state=%q} 1`, labels, state),
				`vgr_status_condition`+labels+`,status="true",type="Ready"} 1`)
		})
	}
}

// scraped looks for lines in what a controller answers.
func scraped(ctx context.Context, url string, want ...string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	for _, line := range want {
		if !strings.Contains(string(text), line) {
			return fmt.Errorf("%s has no %s", url, line)
		}
	}
	return nil
}
