// SPDX-FileCopyrightText: The kubectl-vgr Authors
// SPDX-License-Identifier: Apache-2.0

package group

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/unified-replication/kubectl-vgr/pkg/backend"
)

func TestClassMap(t *testing.T) {
	for _, c := range []struct {
		values []string
		want   map[string]string
		err    string
	}{
		{nil, map[string]string{}, ""},
		{[]string{"a=b", "c=d", "a=b"}, map[string]string{"a": "b", "c": "d"}, ""},
		{[]string{"a"}, nil, `malformed --storage-class-map "a"`},
		{[]string{"=b"}, nil, `malformed --storage-class-map "=b"`},
		{[]string{"a="}, nil, `malformed --storage-class-map "a="`},
		{[]string{"a=b=c"}, nil, `malformed --storage-class-map "a=b=c"`},
		{[]string{"a=b", "a=c"}, nil, "--storage-class-map names both b and c for a"},
	} {
		got, err := classMap(c.values)
		said := ""
		if err != nil {
			said = err.Error()
		}
		if diff := cmp.Diff(c.want, got); diff != "" || said != c.err {
			t.Errorf("%v: %s, %s", c.values, said, diff)
		}
	}
}

// TestLearnedClasses: new copies get the StorageClass that the others have, unless these have several.
func TestLearnedClasses(t *testing.T) {
	claim := func(name, class string) corev1.PersistentVolumeClaim {
		c := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if class != "" {
			c.Spec.StorageClassName = &class
		}
		return c
	}
	volumes := []backend.PeerVolume{{PVC: claim("a", "fast")}, {PVC: claim("b", "fast")}, {PVC: claim("c", "slow")}, {PVC: claim("d", "")}}
	for name, c := range map[string]struct {
		copies []corev1.PersistentVolumeClaim
		want   map[string]string
	}{
		"no copies":       {nil, map[string]string{}},
		"the same":        {[]corev1.PersistentVolumeClaim{claim("a", "fast"), claim("c", "slow")}, map[string]string{}},
		"other":           {[]corev1.PersistentVolumeClaim{claim("a", "rapid"), claim("c", "slow")}, map[string]string{"fast": "rapid"}},
		"several":         {[]corev1.PersistentVolumeClaim{claim("a", "rapid"), claim("b", "fast"), claim("c", "tape")}, map[string]string{"slow": "tape"}},
		"several, late":   {[]corev1.PersistentVolumeClaim{claim("a", "fast"), claim("b", "rapid")}, map[string]string{}},
		"without a class": {[]corev1.PersistentVolumeClaim{claim("a", ""), claim("d", "fast"), claim("x", "rapid")}, map[string]string{}},
	} {
		if diff := cmp.Diff(c.want, learned(volumes, c.copies)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestMomentary(t *testing.T) {
	owned := func(kind string) metav1.ObjectMeta {
		return metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: kind, Name: "x"}}}
	}
	for want, meta := range map[string]metav1.ObjectMeta{
		"": owned("DataVolume"),
		"belongs to pod x and is deleted with it":                                   owned("Pod"),
		"was made by a populator to fill PVC x, and is deleted after that":          owned("PersistentVolumeClaim"),
		"was made by Velero for DataUpload x, and is deleted after that":            owned("DataUpload"),
		"was made by VolSync for one transfer, and is deleted after that":           {Labels: map[string]string{"volsync.backube/cleanup": "uid"}},
		"is still being filled by CDI (cdi.kubevirt.io/storage.pod.phase: Running)": {Annotations: map[string]string{"cdi.kubevirt.io/storage.pod.phase": "Running"}},
	} {
		if got := momentary(&corev1.PersistentVolumeClaim{ObjectMeta: meta}); got != want {
			t.Errorf("%+v: %q, want %q", meta, got, want)
		}
	}
	done := metav1.ObjectMeta{Annotations: map[string]string{"cdi.kubevirt.io/storage.pod.phase": "Succeeded"}}
	if got := momentary(&corev1.PersistentVolumeClaim{ObjectMeta: done}); got != "" {
		t.Errorf("an import that has ended: %q", got)
	}
}

func TestOutgrows(t *testing.T) {
	selector, err := labels.Parse("app=db")
	if err != nil {
		t.Fatal(err)
	}
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "db"}, Spec: appsv1.StatefulSetSpec{VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}}}}
	inside := map[string]string{"app": "db", "more": "x"}
	outside := "PVCs that StatefulSet db makes for new replicas will not be in the group: its volumeClaimTemplate data has no labels app=db; after scaling up: kubectl -n a label pvc data-db-ORDINAL app=db"
	for name, c := range map[string]struct {
		template map[string]string
		members  []string
		others   []string
		want     []string
	}{
		"all in it":                {map[string]string{"app": "db"}, []string{"data-db-0", "data-db-1"}, []string{"data-dbx-0", "log-db-0", "data-db-x"}, nil},
		"template without labels":  {nil, []string{"data-db-0"}, nil, []string{outside}},
		"a replica that is not in": {map[string]string{"app": "db"}, []string{"data-db-0"}, []string{"data-db-1"}, []string{"PVC data-db-1 of StatefulSet db is not in the group: it is not protected; kubectl -n a label pvc data-db-1 app=db"}},
		"of no member":             {nil, []string{"data-other-0"}, []string{"data-db-1"}, nil},
	} {
		set.Spec.VolumeClaimTemplates[0].Labels = c.template
		members := map[string]map[string]string{}
		for _, m := range c.members {
			members[m] = inside
		}
		if diff := cmp.Diff(c.want, outgrows(set, selector, members, c.others, "kubectl -n a")); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
