package native

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
	"time"

	"understudy/messages"
)

const (
	md5a = "d41d8cd98f00b204e9800998ecf8427e"
	md5b = "00112233445566778899aabbccddeeff"
)

func digest(t testing.TB, h messages.Hashes) messages.Digest {
	t.Helper()
	d, err := DigestOf(h)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The golden values were made by a Python script from docs/native-lane.md, not by
// this package.
func TestDigests(t *testing.T) {
	for want, h := range map[string]messages.Hashes{
		"383efe2fad8d7784405bc97a4cfe2d48": {},
		"3660110c97a15cdcacd08552fb100a2e": {"abc": md5a},
		"7f17b092e9884c7bff045489f593d98c": {"abc": ""},
		"e4860c92fdf4421093f261beafa98c82": {"fff": md5b, "000": md5a, "7a1": ""},
	} {
		if d := digest(t, h); hex.EncodeToString(d[:]) != want {
			t.Errorf("%v: got %x, want %s", h, d, want)
		}
	}
	for _, h := range []messages.Hashes{{"ABC": md5a}, {"ab": md5a}, {"abc": "1"}, {"abc": strings.Repeat("x", 32)}} {
		if _, err := DigestOf(h); err == nil {
			t.Errorf("%v has a digest", h)
		}
	}
	for want, c := range map[string]Cluster{
		"dd4320d544ba2ff02f5ea1652cffc60981347883fc44b8fbf2738ec5e9b9a4ab": ClusterOf(nil, nil),
		"860c1bd63a57055c31237345961b90fcabd69948ba867925bebd99cf48ff44fd": ClusterOf([]byte("under"), []byte("study")),
		"3546789bc6646b34e69bfde24bd81b6d650608ea3ceeb43a42487cc98da02de7": ClusterOf([]byte("underst"), []byte("udy")),
	} {
		if hex.EncodeToString(c[:]) != want {
			t.Errorf("got %x, want %s", c, want)
		}
	}
}

const (
	goldenRequest = "5553510a01860c1bd63a57055c31237345961b90fcabd69948ba867925bebd99cf48ff44fd00002710000200000000000000000000000c000000010000000000000000000203736461000000000002000000073660110c97a15cdcacd08552fb100a2e00000009383efe2fad8d7784405bc97a4cfe2d48037364620000000100010003ffff7f17b092e9884c7bff045489f593d98c"
	goldenAnswer  = "5553410a010cae4c45019a4c8b1a9c50d4e75a255a000201010002000001000287a10abc00112233445566778899aabbccddeeff0002040000"
)

// sample is the request of goldenRequest.
func sample(t testing.TB) *Request {
	return &Request{
		Cluster: ClusterOf([]byte("under"), []byte("study")), Within: 10 * time.Second,
		Rings: []Ring{{0, 12}, {1, 0}},
		Groups: []Group{
			{"sda", 0, []Entry{{7, digest(t, messages.Hashes{"abc": md5a})}, {9, digest(t, messages.Hashes{})}}},
			{"sdb", 1, []Entry{{262143, digest(t, messages.Hashes{"abc": ""})}}},
		},
	}
}

func sampleAnswer() *Answer {
	return &Answer{
		Groups: []State{Looked, Looked},
		Findings: []Finding{
			{Index: 0, Kind: Differs, Hashes: messages.Hashes{"abc": md5b, "7a1": ""}},
			{Index: 2, Kind: Undone},
		},
	}
}

func TestGolden(t *testing.T) {
	q := sample(t)
	request := q.Encode()
	if got := hex.EncodeToString(request); got != goldenRequest {
		t.Errorf("request\n%s, want\n%s", got, goldenRequest)
	}
	again, err := DecodeRequest(request)
	if err != nil || !reflect.DeepEqual(again, q) {
		t.Errorf("read %+v, %v", again, err)
	}
	body, err := sampleAnswer().Encode(request)
	if got := hex.EncodeToString(body); err != nil || got != goldenAnswer {
		t.Errorf("answer\n%s, want\n%s, %v", got, goldenAnswer, err)
	}
	answer, err := DecodeAnswer(body, q, request)
	if err != nil || !reflect.DeepEqual(answer, sampleAnswer()) {
		t.Errorf("read %+v, %v", answer, err)
	}
}

// Every request that breaks a rule is refused, with the rule.
func TestDecodeRequestRefuses(t *testing.T) {
	change := func(f func(*Request)) []byte {
		q := sample(t)
		f(q)
		return q.Encode()
	}
	many := func(n int) (list []Entry) {
		for i := range n {
			list = append(list, Entry{Partition: uint32(i)})
		}
		return list
	}
	whole := sample(t).Encode()
	for _, test := range []struct {
		name string
		body []byte
		want string
	}{
		{"empty", nil, "truncated"},
		{"HTTP", []byte("HTTP/1.1 200 OK"), "does not begin with"},
		{"version", append([]byte("USQ\n\x02"), whole[5:]...), "version 2, this node speaks 1"},
		{"rest", append(bytes.Clone(whole), 0), "1 bytes too many"},
		{"huge", make([]byte, MaxRequest+1), "more than"},
		{"rings twice", change(func(q *Request) { q.Rings[1].Policy = 0 }), "ring of policy 0 comes after that of 0"},
		{"rings in disorder", change(func(q *Request) { q.Rings[0].Policy = 5 }), "comes after"},
		{"too many rings", change(func(q *Request) { q.Rings = make([]Ring, MaxRings+1) }), "257 rings"},
		{"no ring", change(func(q *Request) { q.Groups[1].Policy = 2 }), "no ring version of policy 2"},
		{"group twice", change(func(q *Request) { q.Groups[1] = q.Groups[0] }), "out of order"},
		{"groups in disorder", change(func(q *Request) { q.Groups[0].Device = "sdc" }), "out of order"},
		{"no device", change(func(q *Request) { q.Groups[0].Device = "" }), "without a device"},
		{"no partitions", change(func(q *Request) { q.Groups[0].Entries = nil }), "without partitions"},
		{"partition twice", change(func(q *Request) { q.Groups[0].Entries[1].Partition = 7 }), "partition 7 comes after 7"},
		{"partitions in disorder", change(func(q *Request) { q.Groups[0].Entries[1].Partition = 6 }), "comes after"},
		{"too many partitions", change(func(q *Request) { q.Groups[0].Entries = many(4096) }), "more than 4096 partitions"},
		{"too many groups", change(func(q *Request) { q.Groups = make([]Group, MaxGroups+1) }), "1025 groups"},
	} {
		if _, err := DecodeRequest(test.body); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
	for n := range whole {
		if _, err := DecodeRequest(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes are a request", n, len(whole))
		}
	}
	full := change(func(q *Request) { q.Groups[0].Entries = many(4095) })
	if _, err := DecodeRequest(full); err != nil {
		t.Errorf("4096 partitions: %v", err)
	}
}

// An answer is taken only if it is whole, in order, and to this very request.
func TestDecodeAnswerRefuses(t *testing.T) {
	q := sample(t)
	request := q.Encode()
	change := func(f func(*Answer)) []byte {
		a := sampleAnswer()
		f(a)
		b, err := a.Encode(request)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	whole := change(func(*Answer) {})
	other := sample(t)
	other.Groups[0].Entries[0].Digest[0] ^= 1
	stolen, _ := sampleAnswer().Encode(other.Encode())
	for _, test := range []struct {
		name string
		body []byte
		want string
	}{
		{"to another request", stolen, "answers another request"},
		{"a group less", change(func(a *Answer) { a.Groups = a.Groups[:1] }), "1 groups, asked about 2"},
		{"state 0", change(func(a *Answer) { a.Groups[1] = 0 }), "state 0"},
		{"state 5", change(func(a *Answer) { a.Groups[1] = 5 }), "state 5"},
		{"not looked at", change(func(a *Answer) { a.Groups[1] = Busy }), "not looked at"},
		{"out of range", change(func(a *Answer) { a.Findings[1].Index = 3 }), "finding 3 of 3"},
		{"twice", change(func(a *Answer) { a.Findings[1].Index = 0 }), "finding 0 comes after 0"},
		{"kind 0", change(func(a *Answer) { a.Findings[1].Kind = 0 }), "of kind 0"},
		{"kind 9", change(func(a *Answer) { a.Findings[1].Kind = 9 }), "of kind 9"},
		{"hashes of none", change(func(a *Answer) { a.Findings[0].Kind = Other }), "has hashes"},
		{"rest", append(bytes.Clone(whole), 1), "too many"},
		{"huge", make([]byte, MaxAnswer+1), "more than"},
		{"request", request, "does not begin"},
	} {
		if _, err := DecodeAnswer(test.body, q, request); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.want)
		}
	}
	for n := range whole {
		if _, err := DecodeAnswer(whole[:n], q, request); err == nil {
			t.Errorf("%d of %d bytes are an answer", n, len(whole))
		}
	}
	if _, err := (&Answer{Findings: []Finding{{Kind: Differs, Hashes: messages.Hashes{"abc": "1"}}}}).Encode(request); err == nil {
		t.Error("a hash that is none was written")
	}
}

// An answer at its bounds fits.
func TestLargestAnswer(t *testing.T) {
	a := &Answer{Groups: make([]State, MaxGroups), Findings: make([]Finding, MaxPartitions)}
	body, err := a.Encode(nil)
	if err != nil || len(body)+MaxHashes != MaxAnswer {
		t.Errorf("%d bytes without hashes, %v", len(body), err)
	}
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(sample(f).Encode())
	f.Add((&Request{}).Encode())
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := DecodeRequest(body)
		if err != nil {
			return
		}
		if !bytes.Equal(q.Encode(), body) {
			t.Errorf("%x is written as %x", body, q.Encode())
		}
		if q.Partitions() > MaxPartitions {
			t.Errorf("%d partitions", q.Partitions())
		}
	})
}

func FuzzDecodeAnswer(f *testing.F) {
	q := sample(f)
	request := q.Encode()
	body, err := sampleAnswer().Encode(request)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := DecodeAnswer(body, q, request)
		if err != nil {
			return
		}
		if again, err := a.Encode(request); err != nil || !bytes.Equal(again, body) {
			t.Errorf("%x is written as %x, %v", body, again, err)
		}
	})
}

func BenchmarkDigestOf(b *testing.B) {
	h := messages.Hashes{"abc": md5a, "def": md5b, "123": md5a, "7a1": md5b}
	for b.Loop() {
		if _, err := DigestOf(h); err != nil {
			b.Fatal(err)
		}
	}
}
