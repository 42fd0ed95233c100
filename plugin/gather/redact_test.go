// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package gather_test

import (
	"strings"
	"testing"

	"github.com/unified-replication/kubectl-vgr/plugin/gather"
)

// TestText: the secret goes, whatever it stands in; what a diagnosis needs stays.
func TestText(t *testing.T) {
	for text, gone := range map[string]string{
		"login failed: password=hunter2-x, retrying":                                            "hunter2-x",
		`{"user":"admin","password":"hunter2-x"}`:                                               "hunter2-x",
		`{\"apiKey\": \"hunter2-x\"}`:                                                           "hunter2-x",
		"Authorization: Bearer abc.def-ghi_jkl":                                                 "abc.def-ghi_jkl",
		"header Basic YWRtaW46aHVudGVyMg==":                                                     "YWRtaW46aHVudGVyMg==",
		"dial https://admin:hunter2-x@array.example.com/api":                                    "hunter2-x",
		"--token hunter2-x --verbose":                                                           "hunter2-x",
		"--client-secret=hunter2-x":                                                             "hunter2-x",
		"ADMIN_PASSWD: hunter2-x":                                                               "hunter2-x",
		"the password is hunter2-x":                                                             "hunter2-x",
		"key AQBk3V5mAAAAABAAl0uZyQ4bN8rI5Zl0jYkP1qzF2b3cDQ== denied":                           "AQBk3V5m",
		"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln":                                             "eyJzdWIi",
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----":                  "MIIE",
		"cut -----BEGIN PRIVATE KEY-----\nMIIE":                                                 "MIIE",
		"client-key-data: LS0tQUJD":                                                             "LS0tQUJD",
		"clone https://ghp_0123456789abcdefghijABCDEFGHIJ@example.com/x":                        "ghp_0123",
		"slack xoxb-123456789012-abcdefghij":                                                    "xoxb-123456789012",
		"vault hvs.CAESIJabcdefghijklmnop":                                                      "CAESIJabc",
		"id AKIAIOSFODNN7EXAMPLE denied":                                                        "IOSFODNN7",
		"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=aHVudGVyMg==;EndpointSuffix=x": "aHVudGVyMg",
		"GET https://a.blob.core.windows.net/c?sv=2024&sig=aHVudGVy%3D&se=1":                    "aHVudGVy",
		"Server=db;Uid=sa;Pwd=hunter2-x;":                                                       "hunter2-x",
		`{"auths":{"registry":{"auth":"aHVudGVyMg=="}}}`:                                        "aHVudGVyMg",
		"password: |\n  hunter2-x\n  second\nnext: 1":                                           "hunter2-x",
		"a:\n  token: >-\n    hunter2-x\n\n    more\n  b: 2":                                    "more",
		"encryptionKey: hunter2-x":                                                              "hunter2-x",
		"post https://hooks.slack.com/services/T000/B000/hunter2x failed":                       "hunter2x",
		"https://x.webhook.office.com/webhookb2/hunter2x":                                       "hunter2x",
		"db.example.com:5432:app:sa:hunter2-x":                                                  "hunter2-x",
		"discovery.sendtargets.auth.chap = hunter2-x":                                           "hunter2-x",
		"node.session.auth.password = hunter2-x":                                                "hunter2-x",
		"dial https://0123456789abcdef0123@array.example.com/api":                               "0123456789abcdef",
		`{"kind":"Secret","data":{"x":"aHVudGVyMg=="}}`:                                         "aHVudGVyMg",
		"kind: Secret\ndata:\n  x: aHVudGVyMg==\ntype: Opaque":                                  "aHVudGVyMg",
		`{\"kind\":\"Secret\",\"stringData\":{\"x\":\"hunter2-x\"}}`:                            "hunter2-x",
		"userKey: AQhunter2":                                                                    "AQhunter2",
	} {
		if got := gather.Text(text); strings.Contains(got, gone) || !strings.Contains(got, "«redacted»") {
			t.Errorf("%q became %q", text, got)
		}
		if once := gather.Text(text); gather.Text(once) != once {
			t.Errorf("%q is not the same after a second time: %q", once, gather.Text(once))
		}
	}
	for _, text := range []string{
		"replication.storage.openshift.io/replication-secret-name: rook-csi-rbd-provisioner",
		`secret "rook-ceph" not found`, "secretName=rook-ceph", "secretNamespace: rook", "volume handle 0001-0009-rook-ceph-0000000000000002-0413af1c",
		"dial tcp 127.0.0.1:6443: connect: connection refused", "image example.com:5000/vgr:v1", "2026-11-24T17:00:00Z basic check",
		"checks pass, author mia", "node.session.auth.authmethod", "kind: ConfigMap\ndata:\n  a: b", "https://mia@example.com/x", "path: a:b:c",
	} {
		if got := gather.Text(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

// TestObject: fields and variables by their names; references to Secrets stay.
func TestObject(t *testing.T) {
	o := map[string]any{
		"metadata": map[string]any{
			"managedFields": []any{"x"},
			"annotations":   map[string]any{"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "note": "password: hunter2"},
		},
		"spec": map[string]any{
			"password": "hunter2", "automountServiceAccountToken": false,
			"nodeStageSecretRef": map[string]any{"name": "rook-csi", "namespace": "rook"},
			"env":                []any{map[string]any{"name": "DB_PASSWORD", "value": "hunter2"}, map[string]any{"name": "MODE", "value": "fast"}},
			"args":               []any{"--token=hunter2", "--password", "hunter2", "--v=4"},
		},
	}
	gather.Object(o)
	text := render(t, o)
	if strings.Contains(text, "hunter2") || strings.Contains(text, "managedFields") {
		t.Errorf("it still has:\n%s", text)
	}
	for _, kept := range []string{"rook-csi", "value: fast", "--v=4", "automountServiceAccountToken: false", "name: DB_PASSWORD"} {
		if !strings.Contains(text, kept) {
			t.Errorf("%q is gone:\n%s", kept, text)
		}
	}
}
