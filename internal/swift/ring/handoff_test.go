package ring

import (
	"encoding/binary"
	"strings"
	"testing"
)

// bigRing has 2^20 partitions on 600 devices.
func bigRing(tb testing.TB) *Ring {
	tb.Helper()
	var list strings.Builder
	for i := range 600 {
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(`{"id":` + itoa(i) + `,"region":1,"zone":` + itoa(i/200) + `,"ip":"10.0.` + itoa(i/60) + `.1","port":6200,"device":"d` + itoa(i) + `","weight":1}`)
	}
	var table []byte
	for row := range 3 {
		for part := range 1 << 20 {
			table = binary.LittleEndian.AppendUint16(table, uint16(row*200+part*7919%200))
		}
	}
	r, err := parseBytes(gz(v1File(`{"byteorder":"little","devs":[`+list.String()+`],"part_shift":12,"replica_count":3}`, table...)))
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + itoa(i%10)
}

// TestHandoffsStop takes the first handoffs only, as all callers do.
func TestHandoffsStop(t *testing.T) {
	r, err := Load("testdata/object.ring.gz")
	if err != nil {
		t.Fatal(err)
	}
	all := handoffs(r, 31)
	for n := range all {
		var got []int
		for d := range r.MoreNodes(31) {
			got = append(got, d.ID)
			if len(got) == n+1 {
				break
			}
		}
		if !sameIDs(got, all[:n+1]) {
			t.Errorf("the first %d are %v, want %v", n+1, got, all[:n+1])
		}
	}
	again := r.MoreNodes(31) // a sequence can be walked twice
	for range again {
		break
	}
	n := 0
	for range again {
		n++
	}
	if n != len(all) {
		t.Errorf("the second walk yields %d of %d", n, len(all))
	}
}

func TestLookupCost(t *testing.T) {
	r := bigRing(t)
	var buf [3]*Device
	if n := testing.AllocsPerRun(100, func() { r.AppendPartNodes(buf[:0], 77777) }); n != 0 {
		t.Errorf("primaries take %g allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() {
		for range r.MoreNodes(77777) {
			break
		}
	}); n > 6 {
		t.Errorf("the first handoff takes %g allocations", n)
	}
}

func BenchmarkPartNodes(b *testing.B) {
	r := bigRing(b)
	var buf [3]*Device
	for i := range b.N {
		r.AppendPartNodes(buf[:0], uint32(i)%r.Partitions())
	}
}

func BenchmarkFirstHandoff(b *testing.B) {
	r := bigRing(b)
	for i := range b.N {
		for range r.MoreNodes(uint32(i) % r.Partitions()) {
			break
		}
	}
}
