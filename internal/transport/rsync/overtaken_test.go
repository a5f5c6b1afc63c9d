package rsync

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"understudy/internal/transport/conformance"
	"understudy/messages"
)

// The peer has a newer version and cleans up as soon as it is told: what was pushed
// is gone when the proof asks for it. The listing shows what ended it.
func TestOvertakenIsProven(t *testing.T) {
	for _, test := range []struct {
		name   string
		ours   []string
		theirs []string // what is left there when they have cleaned up
		proven []string
	}{
		{"newer data", []string{"1700000000.00000.data"}, []string{"1700000001.00000.data"}, []string{"1700000000.00000.data"}},
		{"newer tombstone", []string{"1700000000.00000.data", "1700000000.50000.meta"}, []string{"1700000001.00000.ts"}, []string{"1700000000.00000.data", "1700000000.50000.meta"}},
		{"newer metadata", []string{"1700000000.00000.data", "1700000001.00000.meta"}, []string{"1700000000.00000.data", "1700000002.00000.meta"}, []string{"1700000000.00000.data", "1700000001.00000.meta"}},
		{"older data", []string{"1700000001.00000.data"}, []string{"1700000000.00000.data"}, nil},
		{"data without the metadata", []string{"1700000000.00000.data", "1700000001.00000.meta"}, []string{"1700000000.00000.data"}, []string{"1700000000.00000.data"}},
		{"nothing", []string{"1700000000.00000.ts"}, nil, nil},
		{"an old tombstone, reclaimed", []string{"1500000000.00000.ts"}, nil, []string{"1500000000.00000.ts"}},
		{"an old tombstone with something to bury", []string{"1500000000.00000.ts"}, []string{"1400000000.00000.data"}, nil},
		{"old metadata alone", []string{"1500000000.00000.meta"}, nil, nil},
		{"old data", []string{"1500000000.00000.data"}, nil, nil},
		{"a temporary file only", []string{"1700000000.00000.data"}, []string{".1700000001.00000.data.Ab3x9z"}, nil},
		{"a name with a blank", []string{"1700000000.00000.data"}, []string{"1700000001.00000.data", "what is this"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := conformance.Objects(1, 1)[0]
			var r *rig
			r = newRig(t, "", func(c *Config) {
				c.ReclaimAge = time.Since(time.Unix(1600000000, 0))
				c.Spawn = cleaner{Processes{}, func() {
					r.there.empty(1, o.Dir)
					for _, name := range test.theirs {
						r.there.Put(1, o.Dir+"/"+name, conformance.File{Data: "theirs"})
					}
				}}
			})
			for _, name := range test.ours {
				r.here.Put(1, o.Dir+"/"+name, conformance.File{Data: "theirs"})
			}
			job := r.job(1, o.Suffix)
			job.Handoff, job.Held = true, messages.Files{o.Dir[4:]: test.ours}
			got, err := r.Sync(t.Context(), job)
			if err != nil || !got.OK {
				t.Fatalf("%+v, %v", got, err)
			}
			proven := slices.Sorted(slices.Values(got.Proven[o.Dir[4:]]))
			if !slices.Equal(proven, test.proven) {
				t.Errorf("proven %v, want %v", proven, test.proven)
			}
		})
	}
}

// cleaner lets a peer clean up before it is asked for a proof.
type cleaner struct {
	Spawner
	clean func()
}

func (c cleaner) Start(argv []string, out io.Writer) Child {
	if slices.Contains(argv, "--dry-run") {
		c.clean()
	}
	return c.Spawner.Start(argv, out)
}

// empty removes all files of a directory.
func (s diskSide) empty(part uint32, dir string) {
	s.t.Helper()
	dir = filepath.Join(s.dir(part), dir)
	if err := os.RemoveAll(dir); err != nil {
		s.t.Fatal(err)
	}
	mustMkdir(s.t, dir)
}

// One listing asks for so many directories at most, and for each suffix once.
func TestListArgv(t *testing.T) {
	push := []string{"rsync", "--recursive", "--xattrs", "--timeout=30", "--contimeout=30", "--bwlimit=0", excludeTemp, "/srv/sda/objects/1/abc", "peer::object/sdb/objects/1"}
	got := strings.Join(listArgv(push, []string{"abc/x/", "abc/y/"}), " ")
	want := "rsync --recursive --list-only --no-human-readable --timeout=30 --contimeout=30 --include=/abc/ --include=/abc/x/ --include=/abc/x/* --include=/abc/y/ --include=/abc/y/* --exclude=* peer::object/sdb/objects/1/"
	if got != want {
		t.Errorf("argv is %s", got)
	}
}

// Whatever rsync prints that is not understood lists nothing.
func TestListing(t *testing.T) {
	const head = "drwxr-xr-x          4,096 2026/11/28 19:54:26 abc\n"
	for _, test := range []struct {
		text  string
		files int
		ok    bool
	}{
		{"", 0, true},
		{head, 0, true},
		{head + "-rw-r--r--  2,097,152 2026/11/28 19:54:26 abc/h/1.data\n-rw-r--r--. 2 2026/11/28 19:54:26 abc/h/2.data\n", 2, true},
		{head + "lrwxrwxrwx 1 2026/11/28 19:54:26 abc/h/1.data -> x\n", 0, false},
		{head + "-rw-r--r-- 1 2026/11/28 19:54:26 abc/h/a name\n", 0, false},
		{"what?\n", 0, false},
	} {
		out := &output{}
		_, _ = out.Write([]byte(test.text))
		files, err := out.listing()
		if len(files["abc/h/"]) != test.files || (err == nil) != test.ok {
			t.Errorf("%q: %v, %v", test.text, files, err)
		}
	}
}
