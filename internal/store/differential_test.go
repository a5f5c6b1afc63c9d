package store

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"understudy/internal/swift/diskfile"
	"understudy/messages"
)

var (
	cases = flag.Int("store.cases", 300, "random partitions to compare with Swift")
	seed  = flag.Uint64("store.seed", 1, "first seed of the random partitions")
)

// oracleHashes is Swift's answer; nil is None.
type oracleHashes struct {
	Hashed int
	Hashes map[string]*string
}

// maker draws a random partition: files relative to the device, nil content for a
// directory. It draws everything that Swift and we are meant to treat alike.
type maker struct {
	*rand.Rand
	now   time.Time
	files map[string][]byte
}

func pick[T any](m *maker, from ...T) T { return from[m.IntN(len(from))] }

// stamp is a timestamp text at one of a few points in time, so that files of an
// object often meet. Points lie hours from the reclaim age, on both sides.
func (m *maker) stamp() string {
	days := pick(m, 0, 0, 0, 1, 5, 8, 8, 30)
	at := m.now.Add(-time.Duration(days) * 24 * time.Hour).Unix()
	text := fmt.Sprintf("%010d.%05d", at+int64(m.IntN(3)), pick(m, 0, 0, 1, 99999))
	switch m.IntN(12) {
	case 0:
		text += pick(m, "_0000000000000001", "_1", "_00000000000000ff", "_")
	case 1:
		text = fmt.Sprintf("%d", at) // not normalised, same time as others
	case 2:
		text += pick(m, "4", "5", "50", "499999")
	}
	return text
}

func (m *maker) file() string {
	switch m.IntN(14) {
	case 0:
		return "." + m.stamp() + ".data." + pick(m, "Ab0_9z", "xxxxxx")
	case 1:
		return pick(m, "junk", "x.data", "nan.data", "10000000000.data", "1e10.ts", ".5", "5.", m.stamp()+"#1.data", m.stamp()+"#2#d.data", "abc.ts", "+5.data", " 7.data")
	case 2:
		return m.stamp() + pick(m, ".durable", ".xyz", "", ".", ".tsx")
	case 3, 4, 5:
		return m.stamp() + ".ts"
	case 6, 7, 8, 9:
		delta := ""
		if m.IntN(2) == 0 {
			delta = pick(m, "+", "-") + pick(m, "0", "1", "186a0", "30d40", "2", "00f", "282e02e800")
			if m.IntN(8) == 0 {
				delta += pick(m, "+1", "-0", "+g", "+")
			}
		}
		return m.stamp() + delta + ".meta"
	default:
		return m.stamp() + ".data"
	}
}

// partition draws suffixes, their objects, and what must not disturb them.
func (m *maker) partition(dir string) (suffixes []string) {
	m.files[dir] = nil
	for range m.IntN(4) {
		suffix := fmt.Sprintf("%03x", m.IntN(4096))
		if m.IntN(15) == 0 {
			m.files[dir+"/"+suffix] = []byte("a file named like a suffix")
			continue
		}
		if slices.Contains(suffixes, suffix) || m.files[dir+"/"+suffix] != nil {
			continue
		}
		suffixes = append(suffixes, suffix)
		m.files[dir+"/"+suffix] = nil
		for range m.IntN(4) {
			object := fmt.Sprintf("%s/%s/%029x%s", dir, suffix, m.Uint64(), suffix)
			if m.IntN(12) == 0 {
				m.files[object] = []byte("a file named like an object")
				continue
			}
			m.files[object] = nil
			for range m.IntN(5) {
				m.files[object+"/"+m.file()] = []byte("x")
			}
		}
	}
	if m.IntN(4) == 0 {
		m.files[dir+"/tmpAbCdEfGh.tmp"] = []byte("crash debris")
	}
	return suffixes
}

// cache draws a hashes.pkl, written by Python, and a hashes.invalid.
func (m *maker) cache(t *testing.T, scratch, dir string, suffixes []string) {
	some := append(slices.Clone(suffixes), "abc", "def")
	if m.IntN(4) > 0 {
		value := map[string]any{}
		for _, suffix := range some {
			if m.IntN(2) == 0 {
				value[suffix] = pick[any](m, fake, md5Of(""), nil)
			}
		}
		if m.IntN(5) > 0 {
			value["valid"] = m.IntN(5) > 0
		}
		if m.IntN(5) > 0 {
			value["updated"] = pick[any](m, 1700000000.5, 17, -1)
		}
		if m.IntN(12) == 0 {
			value[pick(m, "zzz", "", "ABC", "abcd")] = fake
		}
		path := filepath.Join(scratch, "pickle")
		ask(t, map[string]any{"op": "write_pickle", "path": path, "value": value, "protocol": m.IntN(3)}, &struct{}{})
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		switch m.IntN(15) {
		case 0:
			data = data[:m.IntN(len(data))]
		case 1:
			data = []byte{}
		}
		m.files[dir+"/"+hashFile] = data
	}
	if m.IntN(3) == 0 {
		var lines []byte
		for range m.IntN(4) {
			lines = append(lines, pick(m, append(slices.Clone(some), "zzz", "", "ABC", "junk junk", "\tabc ")...)...)
			lines = append(lines, '\n')
		}
		if m.IntN(5) == 0 {
			lines = append(lines, pick(m, "ab", "abc")...)
		}
		m.files[dir+"/"+invalidFile] = append([]byte{}, lines...)
	}
}

func pickSome(m *maker, from []string) []string {
	some := []string{}
	for _, s := range from {
		if m.IntN(4) == 0 {
			some = append(some, s)
		}
	}
	return some
}

func lay(t *testing.T, device string, files map[string][]byte) {
	t.Helper()
	for path, content := range files {
		path = filepath.Join(device, path)
		if content == nil {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var quarantineUUID = regexp.MustCompile(`(quarantined/objects/\w+)-[0-9a-f]{32}`)

// left lists a device after hashing, without what may differ.
func left(t *testing.T, device string) []string {
	var all []string
	for _, path := range tree(t, device) {
		all = append(all, quarantineUUID.ReplaceAllString(path, "$1-uuid"))
	}
	return all
}

// fastDir is a temporary directory in memory: these tests are many small fsyncs.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "store-test")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Random partitions, hashed by Swift and by us: the same hashes, the same files
// left, and a hashes.pkl of ours that means to Swift what its own does. More with
// -store.cases, others with -store.seed.
func TestDifferential(t *testing.T) {
	base := fastDir(t)
	mixed := map[string]int{}
	for i := range *cases {
		n := *seed + uint64(i)
		m := &maker{Rand: rand.New(rand.NewPCG(n, 0)), now: time.Now(), files: map[string][]byte{}}
		suffixes := m.partition("objects/7")
		m.cache(t, base, "objects/7", suffixes)
		o := messages.HashOptions{List: m.IntN(2) == 0, Recalculate: pickSome(m, append(suffixes, "abc", "eee"))}
		root := [2]string{filepath.Join(base, "swift"), filepath.Join(base, "ours")}
		for _, r := range root {
			lay(t, filepath.Join(r, "sda"), m.files)
		}

		var want oracleHashes
		ask(t, map[string]any{
			"op": "get_hashes", "root": root[0], "device": "sda", "part": "7",
			"recalculate": o.Recalculate, "do_listdir": o.List, "reclaim_age": int(week / time.Second),
		}, &want)
		var log bytes.Buffer
		s := New(Options{Root: root[1], ReclaimAge: week, Log: zerolog.New(&log)})
		got, err := s.Hashes(context.Background(), part, o)
		if err != nil {
			t.Fatalf("seed %d: %v", n, err)
		}

		if got.Hashed != want.Hashed || !sameHashes(got.Hashes, want.Hashes) {
			t.Errorf("seed %d, %+v: %v, Swift has %s", n, o, got, show(want))
		}
		swiftLeft, ourLeft := left(t, filepath.Join(root[0], "sda")), left(t, filepath.Join(root[1], "sda"))
		if !slices.Equal(swiftLeft, ourLeft) {
			t.Errorf("seed %d: left\n%q, Swift leaves\n%q", n, ourLeft, swiftLeft)
		}
		compareFiles(t, n, root)
		mixed["hashed"] += got.Hashed
		mixed["entries"] += len(m.files)
		mixed["left"] += len(ourLeft)
		mixed["quarantined"] += bytes.Count(log.Bytes(), []byte("Quarantined"))
		mixed["unexpected"] += bytes.Count(log.Bytes(), []byte("Unexpected"))
		for _, r := range root {
			if err := os.RemoveAll(r); err != nil {
				t.Fatal(err)
			}
		}
		if t.Failed() {
			t.Fatalf("files: %q", sortedKeys(m.files))
		}
	}
	t.Logf("%d partitions: %v", *cases, mixed)
	for _, what := range []string{"hashed", "quarantined", "unexpected"} {
		if mixed[what] == 0 && *cases >= 100 {
			t.Errorf("the partitions had nothing %s", what)
		}
	}
}

func sortedKeys(m map[string][]byte) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

func sameHashes(ours messages.Hashes, swifts map[string]*string) bool {
	if len(ours) != len(swifts) {
		return false
	}
	for suffix, hash := range ours {
		want, ok := swifts[suffix]
		if !ok || want == nil && hash != "" || want != nil && *want != hash {
			return false
		}
	}
	return true
}

func show(h oracleHashes) string {
	text := fmt.Sprintf("%d", h.Hashed)
	for suffix, hash := range h.Hashes {
		if hash == nil {
			text += " " + suffix + ":None"
		} else {
			text += " " + suffix + ":" + *hash
		}
	}
	return text
}

// compareFiles holds both hashes.pkl, read by Swift, and both hashes.invalid
// against each other.
func compareFiles(t *testing.T, n uint64, root [2]string) {
	t.Helper()
	type pkl struct {
		Valid   bool
		Updated float64
		Hashes  map[string]*string
	}
	var file [2]pkl
	var invalid [2]string
	for i, r := range root {
		dir := filepath.Join(r, "sda/objects/7")
		ask(t, map[string]any{"op": "read_hashes", "path": dir}, &file[i])
		data, err := os.ReadFile(filepath.Join(dir, invalidFile))
		lines := strings.Split(string(data), "\n")
		slices.Sort(lines) // Swift hashes suffixes in the order of the directory
		invalid[i] = fmt.Sprintf("%q %v", lines, err == nil)
	}
	ours := messages.Hashes{}
	for suffix, hash := range file[1].Hashes {
		ours[suffix] = ""
		if hash != nil {
			ours[suffix] = *hash
		}
	}
	if file[0].Valid != file[1].Valid || (file[0].Updated > 0) != (file[1].Updated > 0) || !sameHashes(ours, file[0].Hashes) {
		t.Errorf("seed %d: hashes.pkl %+v, Swift's %+v", n, file[1], file[0])
	}
	if invalid[0] != invalid[1] {
		t.Errorf("seed %d: hashes.invalid %s, Swift's %s", n, invalid[1], invalid[0])
	}
}

// Names one by one, many more of them than fit on a disk in that time.
func TestNamesDifferential(t *testing.T) {
	m := &maker{Rand: rand.New(rand.NewPCG(*seed, 1)), now: time.Now()}
	names := make([]string, 3000)
	for i := range names {
		names[i] = m.file()
	}
	var want struct{ Parsed [][]string }
	ask(t, map[string]any{"op": "parse", "names": names}, &want)
	for i, name := range names {
		var got []string
		if info, err := diskfile.ParseName(name); err == nil {
			got = []string{info.Ext, info.Time.Internal(), ""}
			if info.HasCType {
				got[2] = info.CType.Internal()
			}
		}
		if !slices.Equal(got, want.Parsed[i]) {
			t.Errorf("%q is %q, Swift reads %q", name, got, want.Parsed[i])
		}
	}
}
