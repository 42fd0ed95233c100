// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/json"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FuzzSplit: what is taken apart has the same items as a decoder finds, and what is no JSON is no list.
func FuzzSplit(f *testing.F) {
	for _, text := range []string{
		`{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{"a":"}\"]\\"},{"b":[1,{"c":null}]} , 3]}`,
		`{"items":[],"kind":"x"}`, `{"items":null}`, `{}`, ` { "items" : [ "a\\\"" ] } `, `{"items":[{]}`, `{"items":[{}`, `[]`, `7`, `{"a":{"items":[1]}}`, `{"items":[1],"items":[2]}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		head, items, err := split(body)
		var list struct {
			metav1.TypeMeta
			Items []json.RawMessage `json:"items"`
		}
		if wrong := json.Unmarshal(body, &list); wrong != nil {
			return // of another type perhaps
		}
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if !json.Valid(head) {
			t.Errorf("%q: its head is %q", body, head)
		}
		for _, item := range items {
			if !json.Valid(item) {
				t.Errorf("%q: %q", body, item)
			}
		}
	})
}

// TestSplit: the items are those of the list, and all that is wrong is an error.
func TestSplit(t *testing.T) {
	head, items, err := split([]byte(`{"kind":"PodList","metadata":{"continue":"x"},"items":[{"a":"}\"]\\"}, {"b":[1,{}]}],"apiVersion":"v1"}`))
	if err != nil || string(head) != `{"kind":"PodList","metadata":{"continue":"x"},"apiVersion":"v1"}` || len(items) != 2 || string(items[0]) != `{"a":"}\"]\\"}` || string(items[1]) != `{"b":[1,{}]}` {
		t.Errorf("%s, %s, %v", head, items, err)
	}
	for _, wrong := range []string{``, `[]`, `7`, `{`, `{"items":[{"a":1}`, `{"items":[{]}`, `{"items":[{"a"}]}`, `{"items":[1]`, `{"a":1}x`, `hello`, `{"a":"b\"}`} {
		if _, _, err := split([]byte(wrong)); err == nil {
			t.Errorf("%q is a list", wrong)
		}
	}
}
