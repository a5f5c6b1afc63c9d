package store

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"understudy/messages"
)

// Every vector becomes a real hash directory; its suffix must hash to what Swift
// made of it, and the same files must be left.
func TestVectorsOnDisk(t *testing.T) {
	data, err := os.ReadFile("testdata/suffix_hash.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		ReclaimEverything bool `json:"reclaim_everything"`
		Files             []string
		SuffixHash        *string `json:"suffix_hash"`
		Left              []string
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 514 {
		t.Fatalf("%d vectors, want 514", len(vectors))
	}
	for _, everything := range []bool{false, true} {
		b := newBench(t, func(o *Options) {
			o.ReclaimAge = 1<<63 - 1
			if everything {
				o.ReclaimAge = 0
			}
			o.Now = func() time.Time { return time.Unix(1_800_000_000, 0) }
		})
		dir := func(i int) string { return fmt.Sprintf("%032x", i) }
		suffix := func(i int) string { return fmt.Sprintf("%03x", i) }
		for i, v := range vectors {
			if v.ReclaimEverything == everything {
				b.object(suffix(i), dir(i), v.Files...)
			}
		}
		got := b.hashes(messages.HashOptions{}).Hashes
		for i, v := range vectors {
			if v.ReclaimEverything != everything {
				continue
			}
			hash, there := got[suffix(i)]
			if v.SuffixHash == nil {
				if _, err := os.Stat(b.in(suffix(i))); there || !os.IsNotExist(err) {
					t.Errorf("%d %v: suffix is still there: %q, %v", i, v.Files, hash, err)
				}
				continue
			}
			if hash != *v.SuffixHash {
				t.Errorf("%d %v: hash %s, want %s", i, v.Files, hash, *v.SuffixHash)
			}
			if left := tree(t, b.in(suffix(i), dir(i))); !slices.Equal(left, v.Left) {
				t.Errorf("%d %v: left %v, want %v", i, v.Files, left, v.Left)
			}
		}
	}
}
