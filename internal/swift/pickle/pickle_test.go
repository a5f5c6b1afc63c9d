package pickle

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

var testLimits = Limits{Size: 1 << 20, Depth: 4, Stack: 1 << 10, Memo: 1 << 10, Work: 1 << 20}

func dict(pairs ...any) *Dict {
	d := &Dict{}
	for i := 0; i < len(pairs); i += 2 {
		d.Pairs = append(d.Pairs, Pair{pairs[i], pairs[i+1]})
	}
	return d
}

func TestDecode(t *testing.T) {
	tests := []struct {
		in   string
		want any
	}{
		{"N.", nil},
		{"\x80\x02\x88.", true},
		{"\x89.", false},
		{"I01\n.", true},
		{"I00\n.", false},
		{"I-5\n.", int64(-5)},
		{"L70000L\n.", int64(70000)},
		{"K\xff.", int64(255)},
		{"M\x01\x02.", int64(513)},
		{"J\xfb\xff\xff\xff.", int64(-5)},
		{"\x8a\x00.", int64(0)},
		{"\x8a\x01\xff.", int64(-1)},
		{"\x8a\x02\xff\x00.", int64(255)},
		{"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.", int64(math.MaxInt64)},
		{"G\x3f\xf8\x00\x00\x00\x00\x00\x00.", 1.5},
		{"F1.5\n.", 1.5},
		{"X\x03\x00\x00\x00\xe2\x98\x83.", Text("☃")},
		{"X\x03\x00\x00\x00\xed\xb2\x80.", Text("\xed\xb2\x80")},
		{"V\\u2603\xe9\\x\n.", Text("☃é\\x")},
		{"V\\U0001f600\\udc80\n.", Text("😀\xed\xb2\x80")},
		{"U\x02\xff\x00.", Bytes("\xff\x00")},
		{"T\x02\x00\x00\x00ab.", Bytes("ab")},
		{"S'a\\x00\\n\\'\"\\\\'\np0\n.", Bytes("a\x00\n'\"\\")},
		{"S\"it's\"\n.", Bytes("it's")},
		{").", Tuple{}},
		{"N\x85.", Tuple{nil}},
		{"NK\x01\x86.", Tuple{nil, int64(1)}},
		{"NNN\x87.", Tuple{nil, nil, nil}},
		{"(NNNNt.", Tuple{nil, nil, nil, nil}},
		{"}.", dict()},
		{"(dp0\nS'a'\nNs.", dict(Bytes("a"), nil)},
		{"(S'a'\nNd.", dict(Bytes("a"), nil)},
		{"}(U\x01aNU\x01aK\x01u.", dict(Bytes("a"), nil, Bytes("a"), int64(1))},
		{"}U\x01a}s.", dict(Bytes("a"), dict())},
		{"}q\x00U\x01aq\x01h\x01s.", dict(Bytes("a"), Bytes("a"))},
		{"}U\x01ar\x00\x01\x00\x00j\x00\x01\x00\x00s.", dict(Bytes("a"), Bytes("a"))},
		{"c_codecs\nencode\nq\x01X\x02\x00\x00\x00\xc3\xa9X\x06\x00\x00\x00latin1\x86R.", Bytes("\xe9")},
		{"c__builtin__\nbytes\n)R.", Bytes("")},
		{"cbuiltins\ndict\n)R.", dict()},
		{"ccopy_reg\n_reconstructor\n(cswift.common.header_key_dict\nHeaderKeyDict\nc__builtin__\ndict\n}U\x01aNstR.", dict(Bytes("a"), nil)},
		{"cswift.common.header_key_dict\nHeaderKeyDict\n)\x81(U\x01aNu.", dict(Bytes("a"), nil)},
		{"N.and more", nil},
	}
	for _, tt := range tests {
		got, err := Decode([]byte(tt.in), testLimits)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: got %#v, %v; want %#v", tt.in, got, err, tt.want)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", "end of data at offset 0: pickle ends without STOP"},
		{"N", "end of data at offset 1: pickle ends without STOP"},
		{".", "STOP at offset 0: stack is empty"},
		{"\x80\x03N.", "PROTO at offset 0: protocol 3"},
		{"\x80\x02]q\x00.", "EMPTY_LIST at offset 2: opcode not allowed"},
		{"\xff.", "opcode 0xff at offset 0: opcode not allowed"},
		{"cposix\nsystem\n.", "GLOBAL at offset 0: global posix.system not allowed"},
		{"c__builtin__\neval\n.", "global __builtin__.eval not allowed"},
		{"c" + strings.Repeat("a", 100) + "\nb\n.", "argument without newline"},
		{"c_codecs\nencode\n.", "STOP at offset 16: a global is not a value"},
		{"c_codecs\nencode\n\x85.", "STOP at offset 17: a global is not a value"},
		{"}U\x01ac_codecs\nencode\ns.", "a global is not a value"},
		{"}U\x01ac_codecs\nencode\n\x85s.", "a global is not a value"},
		{"}c_codecs\nencode\nNs.", "a container or global is no key here"},
		{"})Ns.", "a container or global is no key here"},
		{"c_codecs\nencode\nU\x01aU\x04utf8\x86R.", "only text can be encoded"},
		{"c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00utf8\x86R.", "only to latin1"},
		{"c_codecs\nencode\nX\x03\x00\x00\x00\xe2\x98\x83X\x06\x00\x00\x00latin1\x86R.", "text is not Latin-1"},
		{"c__builtin__\nbytes\nK\x7f\x85R.", "REDUCE at offset 22: call with arguments that are not allowed"},
		{"c__builtin__\ndict\n}\x85R.", "call with arguments"},
		{"c_codecs\nencode\n)\x81.", "NEWOBJ at offset 17: object with arguments"},
		{"U\x01a)R.", "call of a value"},
		{"c__builtin__\nbytes\nNR.", "arguments are not a tuple"},
		{"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x40.", "does not fit into 64 bits"},
		{"L1180591620717411303424L\n.", "not a number of 64 bits"},
		{"I\n.", "not a number"},
		{"Fx\n.", "not a float"},
		{"G\x00.", "8 bytes wanted, 2 left"},
		{"X\xff\xff\xff\xffa.", "negative length"},
		{"X\xff\xff\xff\x7fa.", "2147483647 bytes wanted, 2 left"},
		{"X\x01\x00\x00\x00\xff.", "text is not UTF-8"},
		{"V\\u12\n.", "escape is cut short"},
		{"V\\Uffffffff\n.", "escape is no character"},
		{"Sabc\n.", "string is not quoted"},
		{"S'\n.", "string is not quoted"},
		{"S'\\q'\n.", "unknown escape"},
		{"h\x00.", "BINGET at offset 0: memo slot 0 is empty"},
		{"Nq\x05h\x04.", "memo slot 4 is empty"},
		{"Nr\xff\xff\xff\xff.", "memo slot 4294967295, only 1024 allowed"},
		{"Np-1\n.", "memo slot is not a number"},
		{"q\x00.", "BINPUT at offset 0: stack is empty"},
		{"}q\x00U\x01ah\x00s.", "BINGET at offset 6: a container is used twice"},
		{")q\x00h\x00\x86.", "a container is used twice"},
		{"t.", "no mark"},
		{"u.", "no mark"},
		{"(u.", "stack is empty"},
		{"}(Nu.", "a key without a value"},
		{"N(NNu.", "not a dict"},
		{"NNNs.", "not a dict"},
		{"}(NNs.", "SETITEM at offset 4: stack is empty"},
		{"}}}}}N\x85\x85\x85\x85\x85.", "TUPLE1 at offset 10: nested deeper than 4"},
		{"}N}N}N}N}ssss.", "nested deeper than 4"},
		{strings.Repeat("N", 1025) + ".", "more than 1024 values on the stack"},
		{strings.Repeat("(", 1025) + ".", "more than 1024 marks"},
		{"}" + strings.Repeat("NNs", 513) + ".", "more than 1024 items in containers"},
	}
	for _, tt := range tests {
		got, err := Decode([]byte(tt.in), testLimits)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.60q: got %#v, %v; want an error with %q", tt.in, got, err, tt.want)
		}
	}
	if _, err := Decode(make([]byte, testLimits.Size+1), testLimits); err == nil || !strings.Contains(err.Error(), "1048577 bytes, more than 1048576") {
		t.Errorf("too long: %v", err)
	}
}

// Every opcode outside the whitelist is refused by name, whatever follows it.
func TestOpcodesOutsideTheWhitelist(t *testing.T) {
	allowed := "(.NIJKLMFGVXUTSqrphjg)t}dsucR\x80\x81\x85\x86\x87\x88\x89\x8a"
	for op := range 256 {
		_, err := Decode([]byte{'N', byte(op), 'a', '\n', 'N', '.'}, testLimits)
		refused := err != nil && strings.HasSuffix(err.Error(), "at offset 1: opcode not allowed")
		if refused == (strings.IndexByte(allowed, byte(op)) >= 0) {
			t.Errorf("opcode %#02x: %v", op, err)
		}
	}
}

// Bombs are cheap: each of them would cost gigabytes or minutes without limits.
func TestBombs(t *testing.T) {
	limits := Limits{Size: 4 << 20, Depth: 4, Stack: 1 << 16, Memo: 1 << 16, Work: 8 << 20}
	long := strings.Repeat("é", 1<<19)
	encode := fmt.Sprintf("c_codecs\nencode\nq\x00X\x00\x00\x10\x00%sq\x01X\x06\x00\x00\x00latin1q\x02(", long)
	bombs := map[string]string{
		"memo":   strings.Repeat("N", 10) + "r\xff\xff\xff\x7f" + ".",
		"stack":  strings.Repeat("}", 4<<20-1),
		"marks":  strings.Repeat("(", 4<<20-1),
		"depth":  "N" + strings.Repeat("\x85", 4<<20-2),
		"laughs": "U\x03lol\x85q\x00" + strings.Repeat("h\x00h\x00\x86q\x00", 1<<18),
		"dict":   "}" + strings.Repeat("NNs", 1<<20),
		"encode": encode + strings.Repeat("h\x00h\x01h\x02\x86R", 1<<17),
		"length": "T\xff\xff\xff\x7f",
		"lines":  strings.Repeat("I1\n", 1<<20),
	}
	for name, in := range bombs {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, err := Decode([]byte(in), limits)
			elapsed := time.Since(start)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("no error")
			}
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%v: %d MiB allocated, %v", err, allocated, elapsed)
			if allocated > 64 {
				t.Errorf("%d MiB allocated", allocated)
			}
		})
	}
}

// check walks a value: it must be a finite tree of the promised types.
func check(t *testing.T, v any, depth int) {
	if depth > testLimits.Depth {
		t.Fatalf("deeper than %d", testLimits.Depth)
	}
	switch v := v.(type) {
	case nil, bool, int64, float64, Text, Bytes:
	case Tuple:
		for _, item := range v {
			check(t, item, depth+1)
		}
	case *Dict:
		for _, p := range v.Pairs {
			check(t, p.Key, depth+1)
			check(t, p.Value, depth+1)
		}
	default:
		t.Fatalf("value of type %T", v)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("\x80\x02}q\x00(c_codecs\nencode\nq\x01X\x01\x00\x00\x00kq\x02X\x06\x00\x00\x00latin1q\x03\x86q\x04Rq\x05c__builtin__\nbytes\nq\x06)Rq\x07u."))
	f.Add([]byte("(dp1\nS'a\\x00'\np2\n(I1\nI01\nL5L\nF1.5\nV\\u2603\ntp3\ns."))
	f.Add([]byte("ccopy_reg\n_reconstructor\n(cswift.common.header_key_dict\nHeaderKeyDict\nc__builtin__\ndict\n}tR."))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := Decode(data, testLimits); err == nil {
			check(t, v, 0)
		}
	})
}
