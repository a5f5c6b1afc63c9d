package ring

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestVectors reads two files that Swift wrote, of the same ring in both formats.
func TestVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/handoffs.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		ReplicaCount   float64 `json:"replica_count"`
		PartitionCount uint32  `json:"partition_count"`
		PartShift      uint    `json:"part_shift"`
		Parts          map[string]struct{ Primary, Handoffs []int }
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"object.ring.gz", "object-v2.ring.gz"} {
		r, err := Load("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if r.ReplicaCount() != want.ReplicaCount || r.Partitions() != want.PartitionCount || r.PartShift() != want.PartShift || r.Version() != 12 {
			t.Errorf("%s: %g %d %d %d", name, r.ReplicaCount(), r.Partitions(), r.PartShift(), r.Version())
		}
		if _, set := r.NextPartPower(); set {
			t.Errorf("%s: next part power is set", name)
		}
		if len(want.Parts) != 32 {
			t.Fatalf("%d partitions", len(want.Parts))
		}
		for text, lists := range want.Parts {
			part, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			if got := primaries(r, uint32(part)); !sameIDs(got, lists.Primary) {
				t.Errorf("%s: primaries of %d are %v, want %v", name, part, got, lists.Primary)
			}
			if got := handoffs(r, uint32(part)); !sameIDs(got, lists.Handoffs) {
				t.Errorf("%s: handoffs of %d are %v, want %v", name, part, got, lists.Handoffs)
			}
		}
		d := r.Devices()[7]
		if d.ReplicationIP != "fd00::1" || d.ReplicationPort != 6203 || d.Port != 6200 || d.Region != 2 || d.Zone != 2 || d.Meta != "m7" || d.Weight != 100 {
			t.Errorf("%s: device 7 is %+v", name, d)
		}
		if r.Devices()[2] != nil {
			t.Errorf("%s: device 2 is not removed", name)
		}
		if got := r.PartNodes(32); got != nil {
			t.Errorf("%s: partition 32 has primaries %v", name, got)
		}
	}
}

// TestFormat1 is every way in which a format 1 file can be wrong, or odd but right.
func TestFormat1(t *testing.T) {
	table := []byte{0, 0, 2, 0, 2, 0, 0, 0}
	with := func(old, text string) string { return strings.Replace(v1Text, old, text, 1) }
	for name, c := range map[string]struct {
		content []byte
		err     string // empty: primaries of partitions 0 and 1 are 0,2 and 2,0
	}{
		"good":               {v1File(v1Text, table...), ""},
		"big endian":         {v1File(with("little", "big"), 0, 0, 0, 2, 0, 2, 0, 0), ""},
		"host order":         {v1File(with(`"byteorder":"little",`, ``), table...), ""},
		"unknown key":        {v1File(with("{", `{"x":[1],`), table...), ""},
		"unassigned slot":    {v1File(with(`count":2`, `count":3`), append(table, 255, 255, 255, 255)...), ""},
		"empty last row":     {v1File(with(`count":2`, `count":3`), table...), ""},
		"byte order":         {v1File(with("little", "middle"), table...), `byteorder "middle"`},
		"empty":              {nil, "truncated"},
		"version only":       {[]byte("R1NG"), "truncated"},
		"version 3":          {append([]byte("R1NG\x00\x03"), v1File(v1Text, table...)[6:]...), "format version 3"},
		"pickle":             {[]byte("\x80\x02}q\x01(U\x04devsq\x02"), "pickled ring"},
		"other":              {[]byte("hello world"), "not a ring file"},
		"no JSON":            {v1File("{", table...), "read description"},
		"JSON length":        {[]byte("R1NG\x00\x01\xff\xff\xff\xff{}"), "more than"},
		"JSON longer":        {[]byte("R1NG\x00\x01\x00\x00\x0f\xff{}"), "truncated"},
		"no shift":           {v1File(with(`"part_shift":31,`, ``), table...), "no part_shift"},
		"shift -1":           {v1File(with(`shift":31`, `shift":-1`), table...), "part_shift -1"},
		"shift 33":           {v1File(with(`shift":31`, `shift":33`), table...), "part_shift 33"},
		"shift 0":            {v1File(with(`shift":31`, `shift":0`), table...), "part power 32"},
		"shift 4":            {v1File(with(`shift":31`, `shift":4`), table...), "too small"},
		"no devs":            {v1File(with(`"devs"`, `"dev"`), table...), "no devs"},
		"devs":               {v1File(with(devs, `{}`), table...), "read devices"},
		"no rows":            {v1File(with(`count":2`, `count":0`)), "replica_count 0"},
		"rows":               {v1File(with(`count":2`, `count":2.5`), table...), "read replica_count"},
		"many rows":          {v1File(with(`count":2`, `count":5000`), table...), "replica_count 5000"},
		"missing rows":       {v1File(with(`count":2`, `count":9`), table...), "ends in row 3 of 9"},
		"short first row":    {v1File(with(`count":2`, `count":1`), 0, 0), "ends in row 1 of 1"},
		"half an id":         {v1File(v1Text, table[:7]...), "middle of an id"},
		"trailing bytes":     {v1File(v1Text, append(table, 1)...), "behind the table"},
		"removed device":     {v1File(v1Text, 0, 0, 1, 0, 2, 0, 0, 0), "replica 0 of partition 1 is on device 1"},
		"id out of range":    {v1File(v1Text, 0, 0, 0, 0, 9, 0, 0, 0), "replica 1 of partition 0 is on device 9"},
		"next part power":    {v1File(with(`{`, `{"next_part_power":40,`), table...), "next_part_power 40"},
		"no id":              {v1File(with(`"id":0,`, ``), table...), "device 0: has no id"},
		"other id":           {v1File(with(`"id":0`, `"id":1`), table...), "device 0: calls itself 1"},
		"no zone":            {v1File(with(`"zone":1,`, ``), table...), "device 0: has no zone"},
		"no ip":              {v1File(with(`"ip":"10.0.0.1",`, ``), table...), "device 0: has no ip"},
		"no port":            {v1File(with(`"port":6200,`, ``), table...), "device 0: has no port"},
		"no name":            {v1File(with(`"device":"sda",`, ``), table...), "device 0: has no device"},
		"climbing name":      {v1File(with(`"sda"`, `".."`), table...), `".."`},
		"name with slash":    {v1File(with(`"sda"`, `"a/b"`), table...), `"a/b"`},
		"name with newline":  {v1File(with(`"sda"`, `"a\nb"`), table...), `a\nb`},
		"option as ip":       {v1File(with(`"10.0.0.1"`, `"-e"`), table...), `the ip "-e"`},
		"ip with a space":    {v1File(with(`"10.0.0.1"`, `"a b"`), table...), `the ip "a b"`},
		"rsync module in ip": {v1File(with(`"id":0`, `"id":0,"replication_ip":"h::m"`), table...), `the replication_ip "h::m"`},
		"port 0":             {v1File(with(`"port":6200`, `"port":0`), table...), "port 0 is out of range"},
		"port 70000":         {v1File(with(`"id":0`, `"id":0,"replication_port":70000`), table...), "replication_port 70000"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := parseBytes(gz(c.content))
			if c.err != "" {
				wantError(t, err, c.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if a, b := primaries(r, 0), primaries(r, 1); !sameIDs(a, []int{0, 2}) || !sameIDs(b, []int{2, 0}) {
				t.Errorf("primaries %v and %v", a, b)
			}
		})
	}
}

// TestBehindTheEnd has bytes behind the compressed content; like Swift, we do not look.
func TestBehindTheEnd(t *testing.T) {
	good := gz(v1File(v1Text, 0, 0, 2, 0, 2, 0, 0, 0))
	for _, more := range [][]byte{[]byte("x"), make([]byte, 512), good} {
		if _, err := parseBytes(append(slices.Clone(good), more...)); err != nil {
			t.Errorf("with %d bytes more: %v", len(more), err)
		}
	}
}

func TestDeviceDefaults(t *testing.T) {
	r, err := parseBytes(gz(v1File(strings.Replace(v1Text, `"region":1,`, ``, 1), 0, 0, 2, 0, 2, 0, 0, 0)))
	if err != nil {
		t.Fatal(err)
	}
	want := Device{Device: "sda", IP: "10.0.0.1", Port: 6200, Region: 1, ReplicationIP: "10.0.0.1", ReplicationPort: 6200, Weight: 1, Zone: 1}
	if got := *r.Devices()[0]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestDamage cuts both vectors at every byte and flips bits of every byte: the
// answer is an error, or the same ring when the damage hit what carries nothing.
func TestDamage(t *testing.T) {
	for _, name := range []string{"object.ring.gz", "object-v2.ring.gz"} {
		whole, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		good, err := parseBytes(whole)
		if err != nil {
			t.Fatal(err)
		}
		for n := range whole {
			if _, err := parseBytes(whole[:n]); err == nil {
				t.Errorf("%s: read from its first %d bytes", name, n)
			}
		}
		ok := 0
		for i := range whole {
			for _, bit := range []byte{1, 0x10, 0x80} {
				bad := slices.Clone(whole)
				bad[i] ^= bit
				r, err := parseBytes(bad)
				if err != nil {
					continue
				}
				ok++
				if !reflect.DeepEqual(r, good) {
					t.Errorf("%s: byte %d with bit %#x flipped makes another ring", name, i, bit)
				}
			}
		}
		if ok > 3*30 { // only the header of gzip is not protected
			t.Errorf("%s: %d flips went unnoticed", name, ok)
		}
	}
}

// TestBombs checks that claims of great size cost nothing.
func TestBombs(t *testing.T) {
	for name, content := range map[string][]byte{
		"zeros":       make([]byte, 4<<20),
		"zeros in v1": append(v1File(v1Text), make([]byte, 4<<20)...),
		"table":       v1File(strings.Replace(v1Text, `shift":31`, `shift":5`, 1), make([]byte, 1<<20)...),
		"nulls":       v1File(`{"devs":[` + strings.Repeat("null,", maxDevices) + `null],"part_shift":31,"replica_count":1}`),
		"v2 blob":     append([]byte("R1NG\x00\x02\x7f\xff\xff\xff\xff\xff\xff\xff"), make([]byte, 1<<20)...),
	} {
		packed := gz(content)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := parseBytes(packed); err == nil {
			t.Errorf("%s: no error", name)
		}
		runtime.ReadMemStats(&after)
		got := after.TotalAlloc - before.TotalAlloc
		if got > 8<<20 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "object.ring.gz")
	if err := os.WriteFile(plain, v1File(v1Text), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.ring.gz")
	for path, what := range map[string]string{fifo: "not a regular file", dir: "not a regular file", plain: "gzip: invalid header", missing: "no such file"} {
		_, err := Load(path)
		wantError(t, err, "load ring "+path+": ")
		wantError(t, err, what)
	}
	if _, err := Load(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is no fs.ErrNotExist", err)
	}
	if _, err := StampFile(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is no fs.ErrNotExist", err)
	}
}

func TestStamp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "object.ring.gz")
	write := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(path+".new", content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	content := gz(v1File(v1Text, 0, 0, 2, 0, 2, 0, 0, 0))
	write(content)
	r, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := StampFile(path); err != nil || now != r.Stamp() {
		t.Fatalf("%v %v, want %v", now, err, r.Stamp())
	}
	write(bytes.Clone(content))
	if now, err := StampFile(path); err != nil || now == r.Stamp() {
		t.Fatalf("another file has the same stamp %v (%v)", now, err)
	}
}
