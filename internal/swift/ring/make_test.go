package ring

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
)

// devs is a list of three devices in JSON, the second one removed.
const devs = `[` +
	`{"id":0,"region":1,"zone":1,"ip":"10.0.0.1","port":6200,"device":"sda","weight":1},null,` +
	`{"id":2,"region":1,"zone":2,"ip":"10.0.0.2","port":6200,"device":"sdb","weight":1}]`

// v1File writes the content of a format 1 file.
func v1File(text string, table ...byte) []byte {
	b := append([]byte("R1NG"), 0, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	return append(append(b, text...), table...)
}

// v1Text describes a ring of two partitions in two rows.
const v1Text = `{"byteorder":"little","devs":` + devs + `,"part_shift":31,"replica_count":2}`

// v2Maker writes the content of a format 2 file.
type v2Maker struct {
	b     []byte
	index map[string][]any
}

func newV2() *v2Maker {
	return &v2Maker{b: append([]byte("R1NG"), 0, 2), index: map[string][]any{}}
}

func (m *v2Maker) section(name string, data []byte) *v2Maker {
	start := len(m.b)
	m.blob(data)
	sum := sha256.Sum256(m.b[start:])
	m.index[name] = []any{0, start, 0, len(m.b), "sha256", hex.EncodeToString(sum[:])}
	return m
}

func (m *v2Maker) blob(data []byte) {
	m.b = append(binary.BigEndian.AppendUint64(m.b, uint64(len(data))), data...)
}

func (m *v2Maker) end() []byte {
	index, err := json.Marshal(m.index)
	if err != nil {
		panic(err)
	}
	start := len(m.b)
	m.blob(index)
	b := binary.BigEndian.AppendUint64(m.b, uint64(start))
	return binary.BigEndian.AppendUint64(b, 0)
}

const v2Meta = `{"dev_id_bytes":2,"part_shift":31,"replica_count":2.0,"version":7}`

func goodV2() *v2Maker {
	return newV2().
		section("swift/ring/metadata", []byte(v2Meta)).
		section("swift/ring/devices", []byte(devs)).
		section("swift/ring/assignments", []byte{0, 0, 0, 2, 0, 2, 0, 0})
}

func gz(content []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(content)
	w.Close()
	return out.Bytes()
}

func gunzip(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func parseBytes(b []byte) (*Ring, error) { return parse(bytes.NewReader(b), int64(len(b))) }

// wantError checks that err says what.
func wantError(t *testing.T, err error, what string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), what) {
		t.Errorf("error %v, want one with %q", err, what)
	}
}
