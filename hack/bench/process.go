// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

// usage is what a running process has used so far, by the kernel's account.
type usage struct {
	cpu time.Duration
	// peak and now are of the resident set, in bytes.
	peak, now float64
}

func usageOf(pid int) (usage, error) {
	var u usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// The name may hold blanks; it ends with the last parenthesis.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const userTime, systemTime, tick = 11, 12, 10 * time.Millisecond // the kernel counts hundredths
	for _, i := range []int{userTime, systemTime} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(n) * tick
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		to := map[string]*float64{"VmHWM": &u.peak, "VmRSS": &u.now}[name]
		if to == nil {
			continue
		}
		kB, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		if err != nil {
			return u, err
		}
		*to = kB * 1024
	}
	return u, nil
}

// process returns what a process of a site has used so far.
func process(s *lab.Site, name string) (usage, error) {
	for _, p := range s.Processes() {
		if p.Name == name && p.PID != 0 {
			return usageOf(p.PID)
		}
	}
	return usage{}, fmt.Errorf("%s does not run on %s", name, s.Name)
}

// metrics are the sums of a program's Prometheus series by name, of those whose labels are wanted.
type metrics map[string]float64

func scrape(ctx context.Context, url string, wanted func(series string) bool) (metrics, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errors.New(response.Status)
	}
	m := metrics{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		series, value, ok := strings.Cut(lines.Text(), "} ")
		if !ok || strings.HasPrefix(series, "#") || !wanted(series) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue // a histogram's infinity
		}
		name, _, _ := strings.Cut(series, "{")
		m[name] += n
	}
	return m, lines.Err()
}
