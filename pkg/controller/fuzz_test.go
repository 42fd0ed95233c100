// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/json"
	"testing"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
	"github.com/unified-replication/kubectl-vgr/pkg/state"
)

// FuzzSubject: a group with any fields and annotations is read, or has a problem.
func FuzzTarget(f *testing.F) {
	for _, seed := range []string{
		`{"metadata":{"uid":"u","generation":1,"annotations":{"replication.unified.io/bound-to":"u/1","replication.unified.io/peer-handles":"{\"data\":\"h\"}","replication.unified.io/peer":"lost/op-1"}},"spec":{"selector":{"matchLabels":{"a":"b"}}}}`,
		`{"metadata":{"uid":"u","generation":1,"annotations":{"replication.unified.io/bound-to":"u/1","replication.unified.io/peer-handles":"{\"data\":1}","replication.unified.io/peer":"/"}},"spec":{"selector":{"matchExpressions":[{"key":"","operator":"x"}]}}}`,
		`{"metadata":{"uid":"u","generation":1,"annotations":{"replication.unified.io/bound-to":"u/1","replication.unified.io/peer-handles":"null"}}}`,
		`{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g := &vgrv1.VolumeGroupReplication{}
		if json.Unmarshal(data, g) != nil {
			return
		}
		s := groupTarget(g)
		told, err := s.byPVC(vgrv1.AnnotationPeerHandles)
		if !state.IsBound(g) && (told != nil || err != nil || s.peerAnnotation(vgrv1.AnnotationPeer) != "") {
			t.Errorf("what came with another write counts: %v, %v", told, err)
		}
		if text := s.peerAnnotation(vgrv1.AnnotationPeerHandles); err == nil && text != "" && !json.Valid([]byte(text)) || err != nil && told != nil {
			t.Errorf("%q is %v, %v", text, told, err)
		}
		if id, again := s.requestID(), s.requestID(); id != again {
			t.Errorf("request IDs %q and %q", id, again)
		}
		if s.problem != nil && s.problem.Message == "" {
			t.Error("a problem without a message")
		}
		_, _, _ = s.noVolumes(), s.inGroup(""), volumeTarget(&vgrv1.VolumeReplication{}).noVolumes()
	})
}
