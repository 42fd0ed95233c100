// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"k8s.io/client-go/kubernetes"
)

// Requests counts the requests of one kind that a site's API server has answered since it started.
type Requests struct {
	Verb, Group, Resource, Subresource, Code string
	Count                                    float64
}

// Mutating reports whether the requests may have changed something.
func (r Requests) Mutating() bool {
	return slices.Contains([]string{"POST", "PUT", "PATCH", "DELETE", "DELETECOLLECTION", "APPLY"}, r.Verb)
}

// Requests reads the API server's own request counters.
func (s *Site) Requests(ctx context.Context) ([]Requests, error) {
	client, err := kubernetes.NewForConfig(s.DirectRESTConfig())
	if err != nil {
		return nil, err
	}
	data, err := client.Discovery().RESTClient().Get().AbsPath("/metrics").Do(ctx).Raw()
	if err != nil {
		return nil, fmt.Errorf("metrics of site %q: %w", s.Name, err)
	}
	return parseRequests(data), nil
}

// WriteRequests counts the mutating requests so far that match; a nil filter matches all but leases
// and events, which controllers write at rest.
func (s *Site) WriteRequests(ctx context.Context, match func(Requests) bool) (float64, error) {
	if match == nil {
		match = func(r Requests) bool { return r.Resource != "leases" && r.Resource != "events" }
	}
	all, err := s.Requests(ctx)
	var sum float64
	for _, r := range all {
		if r.Mutating() && match(r) {
			sum += r.Count
		}
	}
	return sum, err
}

// parseRequests takes apiserver_request_total out of the Prometheus text format.
func parseRequests(data []byte) []Requests {
	label := regexp.MustCompile(`(\w+)="([^"]*)"`)
	var all []Requests
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		labels, value, ok := strings.Cut(strings.TrimPrefix(lines.Text(), "apiserver_request_total{"), "} ")
		if !ok || !strings.HasPrefix(lines.Text(), "apiserver_request_total{") {
			continue
		}
		r := Requests{}
		fields := map[string]*string{"verb": &r.Verb, "group": &r.Group, "resource": &r.Resource, "subresource": &r.Subresource, "code": &r.Code}
		for _, match := range label.FindAllStringSubmatch(labels, -1) {
			if field := fields[match[1]]; field != nil {
				*field = match[2]
			}
		}
		r.Count, _ = strconv.ParseFloat(value, 64) // the server's own output
		all = append(all, r)
	}
	return all
}

// AuditEvent is one request, with its author.
type AuditEvent struct {
	User, Verb, Group, Resource, Subresource, Namespace, Name string
	Code                                                      int
}

// Writes lists the write requests since the site started, in order, with who sent them. A user of
// the lab's controllers is a service account, such as
// system:serviceaccount:vgr-system:vgr-controller.
func (s *Site) Writes() ([]AuditEvent, error) {
	all, err := s.audited()
	return slices.DeleteFunc(all, func(e AuditEvent) bool {
		return !slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, e.Verb)
	}), err
}

// Asked lists all requests of our controller, or of one of the lab's people, since the site started.
func (s *Site) Asked(user string) ([]AuditEvent, error) {
	all, err := s.audited()
	return slices.DeleteFunc(all, func(e AuditEvent) bool { return e.User != user }), err
}

func (s *Site) audited() ([]AuditEvent, error) {
	file, err := os.Open(s.plane.file("audit.log"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var events []AuditEvent
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var line struct {
			Verb           string
			User           struct{ Username string }
			ObjectRef      struct{ APIGroup, Resource, Subresource, Namespace, Name string }
			ResponseStatus struct{ Code int }
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			break // the last line is still being written
		}
		ref := line.ObjectRef
		events = append(events, AuditEvent{
			User: line.User.Username, Verb: line.Verb, Group: ref.APIGroup, Resource: ref.Resource,
			Subresource: ref.Subresource, Namespace: ref.Namespace, Name: ref.Name, Code: line.ResponseStatus.Code,
		})
	}
	return events, lines.Err()
}
