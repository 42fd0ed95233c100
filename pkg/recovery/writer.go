// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package recovery

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	vgrv1 "github.com/unified-replication/kubectl-vgr/pkg/api/v1alpha2"
)

// Writer is who else wrote the journal or the history of a group last, by the name that a client gives itself: no proof,
// but a journal that was written by hand shows it. The zero value is no other tool.
type Writer struct {
	// Manager is the name of the field's manager.
	Manager string `json:"manager"`
	// Time is when it last wrote the object; nil when the API server does not say.
	Time *metav1.Time `json:"time,omitempty"`
}

// None reports whether no other tool is known to have written it.
func (w Writer) None() bool { return w == Writer{} }

// String implements fmt.Stringer.
func (w Writer) String() string {
	if w.Time == nil {
		return w.Manager
	}
	return fmt.Sprintf("%s at %s", w.Manager, w.Time.UTC().Format(time.RFC3339))
}

// WriterOf finds who wrote the journal of a group, or its history, and is not ours. A value that another client
// changes is its own from then on.
func WriterOf(obj metav1.Object, ours string) (last Writer) {
	for _, e := range obj.GetManagedFields() {
		var fields struct {
			Metadata struct {
				Annotations map[string]json.RawMessage `json:"f:annotations"`
			} `json:"f:metadata"`
		}
		if e.Manager == ours || e.FieldsV1 == nil || json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		_, journal := fields.Metadata.Annotations["f:"+vgrv1.AnnotationOperation]
		_, history := fields.Metadata.Annotations["f:"+vgrv1.AnnotationHistory]
		if (journal || history) && (last.Time == nil || last.Time.Before(e.Time)) {
			last = Writer{cmp.Or(e.Manager, "a client without a name"), e.Time}
		}
	}
	return last
}
