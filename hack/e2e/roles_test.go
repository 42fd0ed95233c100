// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unified-replication/kubectl-vgr/pkg/manifests"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/unified-replication/kubectl-vgr/hack/lab"
)

const (
	// operator has just the roles of docs/security.md.
	operator = "operator"
	// rolesByUse is what make rbac-by-use sets: then the tests that run are to make the controller ask for all it may.
	rolesByUse = "RBAC_BY_USE"
	controller = "system:serviceaccount:vgr-system:vgr-controller"
)

// unseen are the permissions that no audit log of the lab can show, with what needs them.
func unseen() map[string]string {
	const owners = "the admission plugin OwnerReferencesPermissionEnforcement (OpenShift), for owner references that block a deletion"
	const machines = "KubeVirt, which the lab has not; the plugin's tests stop and start VirtualMachines"
	return map[string]string{
		"update replication.unified.io/volumegroupreplications/finalizers": owners,
		"update replication.unified.io/volumereplications/finalizers":      owners,
		"get replication.unified.io/volumegroupreplications":               "the plugin, when another write came before its own",
		"patch events.k8s.io/events":                                       "an Event that comes again, minutes later",
		"create authentication.k8s.io/tokenreviews":                        "metrics over HTTPS, which are tested beside the controller",
		"patch trident.netapp.io/tridentmirrorrelationships":               "the policy peer-handles.replication.unified.io, which asks for it inside the API server",
		"create authorization.k8s.io/subjectaccessreviews":                 "the same",
		"get kubevirt.io/virtualmachines":                                  machines,
		"patch kubevirt.io/virtualmachines":                                machines,
		"list /events":                                                     "the events of the screen, whose test is an administrator",
	}
}

// may are the permissions of rules: "patch replication.unified.io/volumegroupreplications/status".
func may(rules []rbacv1.PolicyRule) map[string]bool {
	out := map[string]bool{}
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					out[verb+" "+group+"/"+resource] = true
				}
			}
		}
	}
	return out
}

// asked are the permissions that a user needed on both sites, and those that it was refused.
func (w *world) asked(user string) (needed, refused map[string]bool, err error) {
	needed, refused = map[string]bool{}, map[string]bool{}
	for _, site := range w.lab.Sites() {
		events, failure := site.Asked(user)
		err = errors.Join(err, failure)
		for _, e := range events {
			if e.Resource == "" || strings.HasPrefix(e.Resource, "self") {
				continue // every user may ask what there is, and what he may do
			}
			permission := e.Verb + " " + e.Group + "/" + e.Resource
			if e.Subresource != "" {
				permission += "/" + e.Subresource
			}
			needed[permission] = true
			if e.Code == http.StatusForbidden {
				refused[permission] = true
			}
		}
	}
	return needed, refused, err
}

// compare says which permissions were never needed, and which were needed and are not given. What is watched is listed
// too by API servers that do not begin a watch with what there is.
func compare(given, needed map[string]bool) error {
	var all []error
	for _, permission := range slices.Sorted(maps.Keys(given)) {
		_, excused := unseen()[permission]
		if resource, listed := strings.CutPrefix(permission, "list "); listed && needed["watch "+resource] {
			excused = true
		}
		if !needed[permission] && !excused {
			all = append(all, fmt.Errorf("given and never used: %s", permission))
		}
	}
	for _, permission := range slices.Sorted(maps.Keys(needed)) {
		if !given[permission] {
			all = append(all, fmt.Errorf("used and not given: %s", permission))
		}
	}
	return errors.Join(all...)
}

// permissions are those that the controllers of all labs needed.
type permissions struct{ needed map[string]bool }

// see adds those of a lab.
func (p *permissions) see(w *world) error {
	needed, _, err := w.asked(controller)
	if p.needed == nil {
		p.needed = map[string]bool{}
	}
	maps.Copy(p.needed, needed)
	return err
}

// compare compares them with the shipped roles, when the tests were those that ask for everything.
func (p *permissions) compare() error {
	if os.Getenv(rolesByUse) == "" {
		return nil
	}
	data, err := manifests.FS.ReadFile("rbac/role.yaml")
	if err != nil {
		return err
	}
	var rules []rbacv1.PolicyRule
	for part := range strings.SplitSeq(string(data), "---\n") {
		var role rbacv1.ClusterRole // a Role has the same rules
		if err := yaml.Unmarshal([]byte(part), &role); err != nil {
			return err
		}
		rules = append(rules, role.Rules...)
	}
	given := may(rules)
	if err := compare(given, p.needed); err != nil {
		return fmt.Errorf("the controller's roles and what it asked for differ:\n%w", err)
	}
	fmt.Fprintf(os.Stderr, "the controllers used their %d permissions, but for those that no audit log of the lab shows, and no other\n", len(given))
	return nil
}

// documentedRoles are the ClusterRoles of docs/security.md.
func documentedRoles(t *testing.T) []rbacv1.ClusterRole {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	var out []rbacv1.ClusterRole
	for _, found := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1) {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict(found[1], &role); err != nil {
			t.Fatal(err)
		}
		if role.Kind == "ClusterRole" { // a Role there has a part of one, for a namespace
			out = append(out, role)
		}
	}
	return out
}

// TestOperatorRoles moves groups of each backend, there and back and with a site lost, as a user who has just the
// documented roles, the one to move in these namespaces only. The API servers' audit logs tell what that needed.
func TestOperatorRoles(t *testing.T) {
	t.Parallel()
	s := newSceneAlone(t)
	n, d := newNetAppIn(newSceneOn(t, s.world), "netapp", nil), newDellIn(newSceneOn(t, s.world))
	s.create(lab.East, s.statefulSet(1))
	s.create(lab.East, s.reader(1))
	s.create(lab.West, s.statefulSet(0))
	s.create(lab.West, s.reader(0))
	s.bound(lab.East, "data-db-0")
	s.pods(lab.East, 2)
	s.done("create", "db", "-n", s.ns, "--class", gold, "-l", "app=db", "--yes")
	s.synced(lab.East, "db")
	roles := documentedRoles(t)
	if len(roles) != 2 {
		t.Fatalf("the page has %d roles", len(roles))
	}
	subject := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: operator}}
	ref := func(role rbacv1.ClusterRole) rbacv1.RoleRef {
		return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name}
	}
	for _, site := range []string{lab.East, lab.West} {
		for i := range roles {
			s.create(site, roles[i].DeepCopy())
		}
		s.create(site, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "see"}, RoleRef: ref(roles[0]), Subjects: subject})
		for _, ns := range []string{s.ns, n.ns, d.ns} {
			s.create(site, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "move"}, RoleRef: ref(roles[1]), Subjects: subject})
		}
	}
	s.user, n.user, d.user = operator, operator, operator
	for _, x := range []*scene{s, n.scene, d.scene} {
		x.done("list", "-n", x.ns)
		x.done("status", "db", "-n", x.ns)
		x.done("history", "db", "-n", x.ns)
		more := []string{"--yes", "--to"}
		if x == s {
			more = []string{"--quiesce", "--start-workloads", "--yes", "--to"}
		}
		move := append([]string{"failover", "db", "-n", x.ns}, more...)
		if r := x.vgr("validate", "db", "-n", x.ns, "--to", "west"); r.code != 0 && x != s {
			t.Errorf("validate: exit code %d\n%s%s", r.code, r.out, r.errOut)
		}
		x.done(append(move, "west")...)
		x.done(append(move, "east")...)
	}
	mend := s.isolate(lab.East) // once: Dell's sidecars take a while to see that the link is back
	for _, x := range []*scene{s, n.scene, d.scene} {
		x.done("failover", "db", "-n", x.ns, "--to", "west", "--unplanned", "--accept-data-loss", "unknown", "--yes")
	}
	mend()
	s.done("list", "-A")
	w := s.watch()
	w.shows("Primary", "Primary")
	w.ends()
	s.done("class", "list")
	s.done("class", "describe", gold)
	for _, x := range []*scene{s, n.scene, d.scene} {
		args := []string{"failback", "db", "-n", x.ns, "--to", "east", "--discard-site", "east", "--yes"}
		if x == s {
			args = append(args, "--quiesce")
		}
		x.eventually("the failback", func(context.Context) error {
			if r := x.vgr(args...); r.code != 0 {
				return fmt.Errorf("exit code %d\n%s", r.code, r.errOut)
			}
			return nil
		})
	}
	needed, refused, err := s.asked(operator)
	s.must(err)
	given := may(slices.Concat(roles[0].Rules, roles[1].Rules))
	if err := compare(given, needed); err != nil {
		t.Errorf("the documented roles and what the plugin asked for differ:\n%v", err)
	}
	for _, permission := range slices.Sorted(maps.Keys(refused)) {
		t.Errorf("refused: %s", permission)
	}
	t.Logf("the plugin used each of %d permissions", len(given))
}
