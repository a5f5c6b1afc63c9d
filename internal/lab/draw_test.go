package lab

import (
	"crypto/sha256"
	"reflect"
	"strings"
	"testing"
	"time"

	"understudy/internal/swift/diskfile"
	"understudy/internal/swift/hashpath"
)

var drawHasher = hashpath.Hasher{Prefix: []byte(hashPrefix), Suffix: []byte(hashSuffix)}

func drawn(t *testing.T, seed uint64) []Object {
	t.Helper()
	d := Draw{Objects: 500, Seed: seed, Base: time.Unix(1_790_000_000, 0)}
	all, err := d.objects(t.Context(), drawHasher, 26)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDrawRepeats(t *testing.T) {
	if !reflect.DeepEqual(drawn(t, 1), drawn(t, 1)) {
		t.Error("one seed drew different objects")
	}
	if reflect.DeepEqual(drawn(t, 1), drawn(t, 2)) {
		t.Error("two seeds drew the same objects")
	}
}

// A draw has something of everything, each object once.
func TestDrawHasAllKinds(t *testing.T) {
	seen := map[string]int{}
	names := map[string]bool{}
	for _, o := range drawn(t, 1) {
		if names[o.Name] || !strings.HasPrefix(o.Name, "/AUTH_lab/") || !strings.HasSuffix(o.Hash, o.Suffix) || o.Partition >= 64 {
			t.Fatalf("%+v", o)
		}
		names[o.Name] = true
		if strings.ContainsFunc(o.Name, func(r rune) bool { return r > 127 }) {
			seen["name beyond ASCII"]++
		}
		metas := 0
		for _, f := range o.Files {
			if sha256.Sum256(f.body.append(nil)) != f.SHA256 || int64(f.body.size) != f.Size {
				t.Fatalf("the content of %s cannot be made again", f.Name)
			}
			i, err := diskfile.ParseName(f.Name)
			if err != nil {
				t.Fatal(err)
			}
			seen[i.Ext]++
			if i.Time.Offset != 0 {
				seen["offset"+i.Ext]++
			}
			if i.Ext == ".meta" {
				metas++
			}
			if i.HasCType && i.CType != i.Time {
				seen["older content type"]++
			}
			if i.Ext == ".data" && f.Size == 0 {
				seen["empty"]++
			}
			if f.Size > maxObjectSize*3/4 {
				seen["large"]++
			}
		}
		if metas > 1 {
			seen["two metas"]++
		}
	}
	for _, kind := range []string{
		".data", ".meta", ".ts", "offset.data", "offset.meta", "offset.ts", "older content type", "two metas",
		"empty", "large", "name beyond ASCII",
	} {
		if seen[kind] == 0 {
			t.Errorf("no %s", kind)
		}
	}
}

// What is drawn is tidy: the engine has nothing to remove. And two ways to hash
// it, the engine's and the check's own, agree.
func TestDrawIsTidy(t *testing.T) {
	var set diskfile.Set
	for _, o := range drawn(t, 3) {
		var names []string
		for _, f := range o.Files {
			names = append(names, f.Name)
		}
		set.Read(names, time.Unix(1_790_010_000, 0), 7*24*time.Hour)
		if len(set.Remove)+len(set.Unexpected) > 0 || set.Reclaim != "" {
			t.Errorf("%v: %v, %v and %q go", names, set.Remove, set.Unexpected, set.Reclaim)
		}
		if got, want := hashText(names), string(set.AppendHashText(nil)); got != want {
			t.Errorf("%v: the check hashes %s, the engine %s", names, got, want)
		}
	}
}

// Swift: test vectors of _hash_suffix.
func TestHashText(t *testing.T) {
	for want, names := range map[string][]string{
		"":                      {"junk", "1700000000.00000.meta"},
		"1700000000.00000.data": {"1700000000.00000.data"},
		"1700000002.00000.meta1700000000.00000.data1700000001.00000_ctype": {"1700000000.00000.data", "1700000002.00000-186a0.meta"},
		"1700000002.00000.meta1700000000.00000.data1700000002.00000_ctype": {"1700000000.00000.data", "1700000002.00000+0.meta"},
		"1700000002.00000_000000000000001f.meta1700000000.00000_0000000000000001.data": {
			"1700000000.00000_0000000000000001.data", "1700000002.00000_1f.meta",
		},
		"1700000003.00000.ts": {"1700000003.00000.ts"},
	} {
		if got := hashText(names); got != want {
			t.Errorf("%v: %s, want %s", names, got, want)
		}
	}
}
