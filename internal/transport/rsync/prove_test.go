package rsync

import (
	"testing"

	"understudy/internal/transport/conformance"
	"understudy/messages"
)

// A truncated twin at the target: for names alone it is proven, and would be
// lost with the handoff; its size gives it away.
func TestTruncatedTwin(t *testing.T) {
	for _, names := range []bool{true, false} {
		r := newRig(t, "", func(c *Config) { c.NamesAreProof = names })
		o := conformance.Objects(1, 1)[0]
		path := o.Path("1700000000.00000", ".data")
		whole := o.Data("1700000000.00000", "body")
		r.here.Put(1, path, whole)
		r.there.Put(1, path, conformance.File{Metadata: whole.Metadata})
		job := r.job(1, o.Suffix)
		job.Handoff, job.Held = true, messages.Files{o.Dir[4:]: {"1700000000.00000.data"}}
		got, err := r.Sync(t.Context(), job)
		if err != nil || !got.OK {
			t.Fatalf("%+v, %v", got, err)
		}
		if proven := len(got.Proven) == 1; proven != names {
			t.Errorf("handoff_proof names=%v: proven %v", names, got.Proven)
		}
	}
}

// Whatever rsync prints that is not understood proves nothing.
func TestDiffering(t *testing.T) {
	const a = "abc/0123456789abcdef0123456789abcabc/1.data"
	for _, test := range []struct {
		text            string
		missing, differ int
		ok              bool
	}{
		{"", 0, 0, true},
		{"cd+++++++++ abc/\n", 0, 0, true},
		{"<f+++++++++ " + a + "\n", 1, 0, true},
		{"<f.s....... " + a + "\n<f.s......x " + a + "2\n<f+++++++++ " + a + "3\n", 1, 2, true},
		{"skipping non-regular file \"x\"\n", 0, 0, false},
		{"<f+++++++++ with blanks in it\n", 0, 0, false},
		{"IO error encountered\n", 0, 0, false},
		{"<", 0, 0, false},
	} {
		out := &output{}
		_, _ = out.Write([]byte(test.text))
		missing, differ, ok := out.differing()
		if len(missing) != test.missing || len(differ) != test.differ || ok != test.ok {
			t.Errorf("%q: %v %v %v", test.text, missing, differ, ok)
		}
	}
	flood := &output{}
	for range 3 * keepFirst / 64 {
		_, _ = flood.Write([]byte("<f+++++++++ " + a + "\n"))
	}
	if _, _, ok := flood.differing(); ok {
		t.Error("a list with a hole in it was believed")
	}
}
