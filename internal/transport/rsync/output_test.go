package rsync

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"understudy/messages"
)

// A flood does not fill the memory: the beginning and the end are kept.
func TestFlood(t *testing.T) {
	const body = 40 << 20
	r := newFakeRig(t, `echo first; head -c 41943040 /dev/zero | tr '\0' x | fold -w 1000; echo; echo rsync error: the end; exit 11`, nil)
	if res, err := r.Sync(t.Context(), fakeJob(true)); res.OK || err != nil {
		t.Fatal(res, err)
	}
	if !r.log.has("error", "first") || !r.log.has("error", "rsync error: the end") || !r.log.has("warn", "rsync printed too much") {
		t.Error("the log lacks the beginning, the end or the warning")
	}
	size := 0
	for _, line := range r.log.swift() {
		size += len(line[1])
	}
	if size > keepFirst+keepLast+10000 || size < (keepFirst+keepLast)/2 {
		t.Errorf("the log has %d bytes of %d", size, body)
	}
}

// Bytes that are no text are logged as well as it goes.
func TestBinaryOutput(t *testing.T) {
	r := newFakeRig(t, `printf '\377\376\0bad\n\303\244good\n'; exit 1`, nil)
	if res, err := r.Sync(t.Context(), fakeJob(true)); res.OK || err != nil {
		t.Fatal(res, err)
	}
	if !r.log.has("error", "\uFFFD\x00bad") || !r.log.has("error", "ägood") {
		t.Errorf("log: %q", r.log.swift())
	}
}

func TestOutputKeepsBothEnds(t *testing.T) {
	for _, chunk := range []int{1 << 10, 100_003, 3 << 20} {
		var all bytes.Buffer
		out := &output{}
		for i := 0; all.Len() < 5<<20; i++ {
			p := bytes.Repeat([]byte{'a' + byte(i%26)}, chunk)
			all.Write(p)
			if n, err := out.Write(p); n != chunk || err != nil {
				t.Fatal(n, err)
			}
		}
		tail := out.tail[len(out.tail)-keepLast:]
		if !bytes.Equal(out.head, all.Bytes()[:keepFirst]) || !bytes.Equal(tail, all.Bytes()[all.Len()-keepLast:]) {
			t.Errorf("chunks of %d: the wrong bytes were kept", chunk)
		}
		if cap(out.head)+cap(out.tail) > 4<<20 {
			t.Errorf("chunks of %d: %d bytes are kept", chunk, cap(out.head)+cap(out.tail))
		}
		if _, dropped := out.lines(true); dropped != int64(all.Len()-keepFirst-keepLast) {
			t.Errorf("chunks of %d: %d bytes are counted", chunk, dropped)
		}
		out.discard()
		if _, err := out.Write([]byte("more")); err != nil || out.head != nil || out.tail != nil {
			t.Error("a discarded output keeps bytes")
		}
	}
}

// Nothing is lost while the output fits.
func FuzzOutputLines(f *testing.F) {
	f.Add([]byte("cd+++++++++ abc/\n<f+++++++++ abc/x.data\n\nsent 1 byte\n"), true)
	f.Add([]byte("\xff\n\r\n<x"), false)
	f.Fuzz(func(t *testing.T, data []byte, transfers bool) {
		out := &output{}
		half := len(data) / 2
		_, _ = out.Write(data[:half])
		_, _ = out.Write(data[half:])
		lines, dropped := out.lines(transfers)
		if len(data) <= keepFirst+keepLast && dropped != 0 {
			t.Errorf("%d bytes were dropped", dropped)
		}
		for _, line := range lines {
			if line == "" || !utf8.ValidString(line) || strings.Contains(line, "\n") || strings.HasPrefix(line, "cd+") {
				t.Errorf("line %q", line)
			}
		}
	})
}

// Lists of strings print as in Python.
func TestPyList(t *testing.T) {
	list := []string{"", "a b", "it's", `"`, `it's "x"`, `\`, "\n\r\t\x00\x1f\x7f", "é\u00a0\u00ad\u200b\u3000", "😀\U000e0001", "\ue000"}
	input, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	for i := range list { // what JSON made of it is what both print
		list[i] = strings.ToValidUTF8(list[i], "\uFFFD")
	}
	cmd := exec.Command("/usr/bin/python3", "-c", "import json,sys; sys.stdout.buffer.write(str(json.load(sys.stdin)).encode())")
	cmd.Stdin = bytes.NewReader(input)
	want, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := pyList(list); got != string(want) {
		t.Errorf("we print  %s\nPython has %s", got, want)
	}
	if got := pyRepr("a\xffb"); got != `'a\udcffb'` {
		t.Errorf("a byte prints as %s", got)
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		s     string
		n     int
		first string
		rest  string
	}{
		{"abc", 0, "abc", "abc"},
		{"abc", -1, "abc", "abc"},
		{"abc", 2, "ab", "a"},
		{"äöü", 2, "äö", "ä"},
		{"abc", 3, "abc", ""},
		{"abc", 9, "abc", ""},
	} {
		if got := cut(c.s, c.n); got != c.first {
			t.Errorf("cut(%q, %d) is %q", c.s, c.n, got)
		}
		if got := withoutLast(c.s, c.n); got != c.rest {
			t.Errorf("withoutLast(%q, %d) is %q", c.s, c.n, got)
		}
	}
}

// Whatever the template and the ring hold: an error, or what cannot be taken for
// an option of rsync once it is checked.
func FuzzInterpolate(f *testing.F) {
	for _, c := range swiftCases() {
		f.Add(c.conf["rsync_module"], c.node.ReplicationIP, c.node.Meta)
	}
	f.Add("{{}}{meta}}}{", "-x", "::")
	f.Fuzz(func(t *testing.T, template, ip, meta string) {
		node := messages.Node{IP: ip, ReplicationIP: ip, Meta: meta, Device: "d"}
		got, err := interpolate(template, node)
		if err != nil {
			return
		}
		plain := strings.ReplaceAll(strings.ReplaceAll(template, "{{", ""), "}}", "")
		if !strings.ContainsAny(template, "{}") && got != template {
			t.Errorf("%q became %q", template, got)
		}
		if slices.Contains([]string{"{ip}", "{replication_ip}"}, plain) && (got == "" || got[0] == '-') {
			t.Errorf("%q with %q became %q", template, ip, got)
		}
	})
}
