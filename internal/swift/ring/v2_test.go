package ring

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// TestFormat2 is every way in which a format 2 file can be wrong, or odd but right.
func TestFormat2(t *testing.T) {
	table := []byte{0, 0, 0, 2, 0, 2, 0, 0}
	sections := func(meta, devices string, table []byte) *v2Maker {
		return newV2().section("swift/ring/metadata", []byte(meta)).
			section("swift/ring/devices", []byte(devices)).section("swift/ring/assignments", table)
	}
	meta := func(old, text string) *v2Maker { return sections(strings.Replace(v2Meta, old, text, 1), devs, table) }
	entry := func(i int, value any) *v2Maker {
		m := goodV2()
		m.index["swift/ring/assignments"][i] = value
		return m
	}
	without := func(name string) *v2Maker {
		m := goodV2()
		delete(m.index, "swift/ring/"+name)
		return m
	}
	reversed := newV2().section("swift/ring/assignments", table).section("swift/ring/devices", []byte(devs)).
		section("swift/ring/metadata", []byte(v2Meta))
	bare := goodV2() // no ends, no checksums
	for _, e := range bare.index {
		e[2], e[3], e[4], e[5] = nil, nil, nil, nil
	}
	sha512, sha1, md5 := goodV2(), goodV2(), goodV2()
	for m, method := range map[*v2Maker]string{sha512: "sha512", sha1: "sha1", md5: "md5"} {
		for _, e := range m.index {
			h, err := checksum(method)
			if err != nil {
				t.Fatal(err)
			}
			h.Write(m.b[e[1].(int):e[3].(int)])
			e[4], e[5] = method, strings.ToUpper(hexOf(h.Sum(nil)))
		}
	}
	for name, c := range map[string]struct {
		content []byte
		err     string // empty: primaries of partitions 0 and 1 are 0,2 and 2,0
	}{
		"good":               {goodV2().end(), ""},
		"unknown sections":   {goodV2().section("a", make([]byte, 3<<20)).section("b", nil).section("c", make([]byte, 8)).end(), ""},
		"other order":        {reversed.end(), ""},
		"bare index":         {bare.end(), ""},
		"sha512":             {sha512.end(), ""},
		"sha1":               {sha1.end(), ""},
		"md5":                {md5.end(), ""},
		"four bytes":         {sections(strings.Replace(v2Meta, "2", "4", 1), devs, []byte{0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0}).end(), ""},
		"unassigned":         {sections(v2Meta, devs, append([]byte{255, 255}, append([]byte{255, 255}, table...)...)).end(), ""},
		"three bytes":        {meta(`bytes":2`, `bytes":3`).end(), "dev_id_bytes 3"},
		"no width":           {meta(`"dev_id_bytes":2,`, ``).end(), "dev_id_bytes 0"},
		"no shift":           {meta(`"part_shift":31,`, ``).end(), "no part_shift"},
		"shift":              {meta(`shift":31`, `shift":4`).end(), "too small"},
		"bad metadata":       {meta(`{`, ``).end(), "section swift/ring/metadata"},
		"bad devices":        {sections(v2Meta, `{}`, table).end(), "section swift/ring/devices"},
		"id out of range":    {sections(v2Meta, devs, []byte{0, 0, 0, 2, 0, 2, 0, 3}).end(), "device 3"},
		"short table":        {sections(v2Meta, devs, table[:2]).end(), "section swift/ring/assignments"},
		"empty table":        {sections(v2Meta, devs, nil).end(), "section swift/ring/assignments"},
		"half an id":         {sections(v2Meta, devs, table[:7]).end(), "middle of an id"},
		"no metadata":        {without("metadata").end(), "no section swift/ring/metadata"},
		"no devices":         {without("devices").end(), "no section swift/ring/devices"},
		"no assignments":     {without("assignments").end(), "no section swift/ring/assignments"},
		"checksum":           {entry(5, strings.Repeat("0", 64)).end(), "checksum"},
		"unknown method":     {entry(4, "crc32").end(), `"crc32"`},
		"end":                {entry(3, 5).end(), "the index says otherwise"},
		"start beyond":       {entry(1, 1<<40).end(), "truncated"},
		"negative start":     {entry(1, -1).end(), "malformed"},
		"no start":           {entry(1, nil).end(), "malformed"},
		"no tail":            {goodV2().b, "read index"},
		"index elsewhere":    {append(goodV2().b, make([]byte, 16)...), "read index"},
		"nothing":            {[]byte("R1NG\x00\x02"), "truncated"},
		"only a tail":        {append([]byte("R1NG\x00\x02"), make([]byte, 16)...), "read index"},
		"a tail at -1":       {append([]byte("R1NG\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff"), make([]byte, 8)...), "read index"},
		"more than the tail": {append(goodV2().end(), 1), "truncated"},
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
			if r.Version() != 7 {
				t.Errorf("version %d", r.Version())
			}
		})
	}
}

// TestRecompressed reads a format 2 file that lost Swift's flush points.
func TestRecompressed(t *testing.T) {
	want, err := Load("testdata/object-v2.ring.gz")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseBytes(gz(gunzip(t, "testdata/object-v2.ring.gz")))
	if err != nil {
		t.Fatal(err)
	}
	got.stamp = want.stamp
	if !reflect.DeepEqual(got, want) {
		t.Error("the rings differ")
	}
}

// TestWide has more devices than two bytes can number.
func TestWide(t *testing.T) {
	list := make([]*Device, 70001)
	list[3] = &Device{ID: 3, IP: "10.0.0.1", Port: 1, Region: 1, ReplicationIP: "10.0.0.1", ReplicationPort: 2, Device: "a"}
	last := *list[3]
	last.ID, last.Zone = 70000, 1
	list[70000] = &last
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	table := []byte{0, 1, 0x11, 0x70, 0, 0, 0, 3, 0, 0, 0, 3, 255, 255, 255, 255, 0, 1, 0x11, 0x70}
	r, err := parseBytes(gz(newV2().section("swift/ring/metadata", []byte(strings.Replace(v2Meta, "2", "4", 1))).
		section("swift/ring/devices", text).section("swift/ring/assignments", table).end()))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := primaries(r, 0), primaries(r, 1); !sameIDs(a, []int{70000, 3}) || !sameIDs(b, []int{3}) || r.ReplicaCount() != 2.5 {
		t.Errorf("primaries %v and %v, %g replicas", a, b, r.ReplicaCount())
	}
}
