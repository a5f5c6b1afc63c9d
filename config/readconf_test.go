package config

import (
	"errors"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dialect are files chosen by hand; each is read by Swift and by us.
var dialect = []string{
	"", "\n\n", "x = 1\n", "  # only\n;a comment\n",
	"[object-replicator]\n",
	"[object-replicator]\na=1\nb : 2\nc=3:4\nd:5=6\n",
	"[object-replicator]\n  a  =  1  \n\tb\t:\t2\t\n",
	"[object-replicator]\nempty =\nalso:\n",
	"[object-replicator]\na = 10 # y\nb = 1 ; c\n",
	"[object-replicator]\n# c\n  # indented\n; c\n\t; c\na = 1\n",
	"[object-replicator]\na = 1\n  2\n\t3\nb = 4\n",
	"[object-replicator]\na = 1\n\n  2\n\n\nb = 4\n",
	"[object-replicator]\na = 1\n# comment\n  2\n  # comment\n  3\n",
	"[object-replicator]\n  a = 1\n  b = 2\n    c = 3\n",
	"[object-replicator]\n  a = 1\n b = 2\nc = 3\n",
	"[object-replicator]\na =\n  1\n  2\n",
	"[object-replicator]\na = 1\n [not-a-section]\n",
	"[object-replicator]\nno delimiter\n",
	"[object-replicator]\n= value\n",
	"[object-replicator]\na = 1\na = 2\n",
	"[object-replicator]\na = 1\n[object-replicator]\nb = 2\n",
	"[DEFAULT]\na = 1\n[object-replicator]\n[DEFAULT]\nb = 2\n",
	"[DEFAULT]\na = 1\n[DEFAULT]\na = 2\n[object-replicator]\n",
	"[DEFAULT]\na = 1\nb = 2\n[object-replicator]\nb = 3\n[other]\na = 9\n",
	"[DEFAULT]\nlog_name = x\n[object-replicator]\n",
	"[default]\na = 1\n[object-replicator]\n",
	"[object-replicator\na = 1\n", "[]\n", "[ object-replicator ]\na = 1\n",
	"[object-replicator] # c\na = 1\n", "[object-replicator]]\na = 1\n", "[object-replicator] x]\n",
	"  [object-replicator]\na = 1\n", "  [object-replicator]\n  a = 1\n",
	"[object-replicator]\nset log_level = DEBUG\n",
	"[object-replicator]\nA = 1\na = 2\n", "[DEFAULT]\na = 1\n[object-replicator]\nA = 2\n",
	"[object-replicator]\r\na = 1\r\nb = 2\r\n", "[object-replicator]\ra = 1\rb = 2\r",
	"\ufeff[object-replicator]\na = 1\n",
	"[object-replicator]\na = caf\u00e9\n\u00e9 = 1\n", "[object-replicator]\na = \u00a01\u00a0\u2003\n", "[object-replicator]\na = \x1c1\x1f\n",
	"[object-replicator]\na = \xff\n", "[object-replicator]\na = \xed\xa0\x80\n", "[object-replicator]\na = \x00\n",
	"[object-replicator]\na = 1\x0b2\x0c3\u20284\n", "[object-replicator]\na = 1\n\u00a0b = 2\n",
	"[object-replicator]\na = 1%\nb = 50%%\nc = %\nd = %d\n",
	"[object-replicator]\na = 1\nb = %(a)s-%(a)s\nc = %(b)s\n",
	"[DEFAULT]\na = 1\nb = %(a)s\n[object-replicator]\na = 2\n",
	"[object-replicator]\nb = %(a)s\n", "[object-replicator]\nb = %(a)d\na = 1\n", "[object-replicator]\nb = %(a\na = 1\n",
	"[object-replicator]\nb = %()s\n", "[object-replicator]\na = 1\nb = %(a)s 5%\n", "[object-replicator]\na = 1\nb = %(a)s 5%%\n",
	"[object-replicator]\na = 1%\nb = %(a)s\n", "[object-replicator]\na = 1%%\nb = %(a)s\n", "[object-replicator]\na = %%(x)s\n",
	"[object-replicator]\na = %(a)s\n", "[object-replicator]\na = %(b)s\nb = %(a)s\n",
	"[DEFAULT]\nbad = %(nobody)s\n[object-replicator]\na = 1\n", "[other]\nbad = %(nobody)s\n[object-replicator]\na = 1\n",
	"[object-replicator]\nA = 1\nb = %(A)s\n", "[object-replicator]\nb = %(__file__)s\n", "[object-replicator]\nb = %(log_name)s\n",
	"[object-replicator]\na\tb = 1\nc = %(a\tb)s\n", "[object-replicator]\na = 1\nb = %(a)s%(a)s%%%(a)s\n",
	"[object-replicator]\nk0 = x\n" + chain(9), "[object-replicator]\nk0 = x\n" + chain(10), "[object-replicator]\nk0 = x\n" + chain(11),
	"[object-replicator]\nk0 = %%\n" + chain(9), "[object-replicator]\nk0 = %%\n" + chain(10),
	// folders
	"-- a.conf --\n[object-replicator]\na = 1\n-- b.conf --\n[object-replicator]\na = 2\nb = %(a)s\n",
	"-- b.conf --\n[object-replicator]\na = 1\n-- a.conf --\n[object-replicator]\na = 2\n",
	"-- a.conf --\n[DEFAULT]\na = 1\n-- .hidden.conf --\n[DEFAULT]\nb = 2\n-- z.conf.bak --\n[DEFAULT]\nc = 3\n-- s.conf --\n[object-replicator]\n",
	"-- a.conf --\n[object-replicator]\na = 1\na = 2\n-- b.conf --\n[object-replicator]\n",
	"-- a.conf --\n[object-replicator]\na = 1\n-- b.conf --\n  continued\n", "-- a.txt --\n[object-replicator]\n",
	"-- A.conf --\n[object-replicator]\na = 1\n-- a.conf --\n[object-replicator]\na = 2\n-- .conf --\n[object-replicator]\na = 3\n",
}

// chain makes keys that each refer to the one before.
func chain(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("k" + string(rune('1'+i)) + " = %(k" + string(rune('0'+i)) + ")s\n")
	}
	return b.String()
}

// randomFiles are files put together from pieces that have a meaning.
func randomFiles(n int) []string {
	pieces := []string{
		"[object-replicator]\n", "[DEFAULT]\n", "[other]\n", "[x]y\n", "a = 1\n", "b = 2\n", "c: 3\n", "a : %(b)s\n", "c = %(a)s%%\n",
		"d = 1%\n", "e = %(d)s\n", "f = x # y\n", "  more\n", "\tmore\n", "    even more\n", "\n", "  \n", "# c\n", "  ; c\n", "set a = 1\n",
		"junk\n", "g =\n", " h = 1\n", "i = [x]\n", "a", "=", ":", "\r\n", " ", "%(a)s", "]\n", "[", "\u00a0", "\x1d", "\v", "j = %(A)s\n", "A = 5\n",
	}
	rnd := rand.New(rand.NewSource(1))
	files := make([]string, n)
	for i := range files {
		var b strings.Builder
		if rnd.Intn(4) > 0 {
			b.WriteString("[object-replicator]\n")
		}
		for range rnd.Intn(12) {
			b.WriteString(pieces[rnd.Intn(len(pieces))])
		}
		files[i] = b.String()
	}
	return files
}

// Swift's readconf and ours read the same files: hand-made ones and random ones.
// Both as installed (keys in lower case) and as newer Swift does it (as written).
func TestReadconfAgreesWithSwift(t *testing.T) {
	files := append(append([]string(nil), dialect...), randomFiles(600)...)
	var requests []request
	for _, text := range files {
		path := writeConf(t, text)
		requests = append(requests,
			request{Do: "readconf", Path: path, Section: ReplicatorSection, CaseSensitive: true},
			request{Do: "readconf", Path: path, Section: ReplicatorSection})
	}
	answers := askSwift(t, requests)
	agreed := 0
	for i, text := range files {
		path := requests[2*i].Path
		var s *section
		d, err := readDocument(path, INI{})
		if err == nil {
			s, err = d.daemonSection(ReplicatorSection)
		}
		if err == nil && len(s.folded) > 0 {
			continue // more lenient than Swift: see TestKeysThatDifferInCase
		}
		compareConf(t, text, "newer Swift", answers[2*i], s, err)
		if strings.ToLower(text) == strings.ReplaceAll(text, "DEFAULT", "default") {
			compareConf(t, text, "installed Swift", answers[2*i+1], s, err)
		}
		if err == nil {
			agreed++
		}
	}
	if agreed < 100 {
		t.Errorf("only %d of %d files are valid: the test has lost its bite", agreed, len(files))
	}
}

func compareConf(t *testing.T, text, who string, a answer, s *section, err error) {
	t.Helper()
	want := map[string]string{}
	if !a.unpack(t, &want) {
		if err == nil {
			t.Errorf("%q: %s says %q, we read %q", text, who, a.Error, s.values)
		}
		checkReason(t, text, a.Error, err)
		return
	}
	if err != nil {
		t.Errorf("%q: %s reads %q, we say %v", text, who, want, err)
		return
	}
	got := maps.Clone(s.values)
	delete(want, "__file__")
	if _, ok := got["log_name"]; !ok {
		got["log_name"] = sectionLogName(s.name)
	}
	if !maps.Equal(got, want) {
		t.Errorf("%q: %s reads %q, we read %q", text, who, want, got)
	}
}

// checkReason compares the texts of the errors that Swift prints as they are.
func checkReason(t *testing.T, text, swift string, err error) {
	t.Helper()
	var read *ReadError
	var section *SectionError
	if errors.As(err, &read) || errors.As(err, &section) {
		_, words, _ := strings.Cut(swift, ": ") // the name of the exception
		if words != err.Error() {
			t.Errorf("%q: Swift says %q, we say %q", text, words, err)
		}
	} else if strings.Contains(swift, "config section in") || strings.Contains(swift, "Unable to read") {
		t.Errorf("%q: Swift says %q, we say %q", text, swift, err)
	}
}

// Files of a folder that cannot be opened are left out, as in Swift, but not
// without a word.
func TestFolderWithUnreadableFiles(t *testing.T) {
	path := writeConf(t, "-- a.conf --\n[object-replicator]\na = 1\n")
	if err := os.Symlink("nowhere", filepath.Join(path, "b.conf")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(path, "c.conf"), 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := readDocument(path, INI{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.daemonSection(ReplicatorSection)
	compareConf(t, "folder", "Swift", askSwift(t, []request{{Do: "readconf", Path: path, Section: ReplicatorSection}})[0], s, err)
	c, err := Load(path, Options{SwiftConf: swiftConf(t)})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range c.Warnings {
		got = append(got, strings.ReplaceAll(w, path, "conf.d"))
	}
	want := []string{
		"Unable to read config from conf.d/b.conf: the file is left out, as Swift does",
		"Unable to read config from conf.d/c.conf: the file is left out, as Swift does",
	}
	if !slices.Equal(got, want) {
		t.Errorf("warnings %q, want %q", got, want)
	}
}

// The object server's section goes through PasteDeploy, which has rules of its own.
func TestServerSectionAgreesWithPasteDeploy(t *testing.T) {
	const app = "[app:object-server]\nuse = egg:swift#object\n"
	files := []string{
		app, app + "a = 1\nset b = 2\n", "[DEFAULT]\na = 1\n" + app + "a = 2\n", "[DEFAULT]\na = 1\n" + app + "set a = 2\n",
		"[DEFAULT]\na = 1\n" + app + "a = 3\nset a = 2\n", app + "a = 3\nset a = 2\n", "[DEFAULT]\na = 1\nb = %(a)s\n" + app + "set a = 2\nc = %(a)s\n",
		app + "a = 1\na = 2\n", app + "A = 1\na = 2\n", app + "a = 1%\n", app + "a = %(here)s\n", app + "b = %(nobody)s\n", "[x]\n",
		"[DEFAULT]\nb = %(nobody)s\n" + app,
	}
	var requests []request
	for _, text := range files {
		requests = append(requests, request{Do: "paste", Path: writeConf(t, text), Section: ServerSection})
	}
	for i, a := range askSwift(t, requests) {
		var s *section
		d, err := readDocument(requests[i].Path, INI{})
		if err == nil {
			s, err = d.serverSection(ServerSection)
		}
		want := map[string]string{}
		if ok := a.unpack(t, &want); ok != (err == nil) {
			t.Errorf("%q: PasteDeploy says %q, we say %v", files[i], a.Error, err)
			continue
		}
		if err != nil {
			continue
		}
		delete(want, "__name__")
		got := maps.Clone(s.values)
		delete(got, "use")
		if !maps.Equal(got, want) {
			t.Errorf("%q: PasteDeploy reads %q, we read %q", files[i], want, got)
		}
	}
}
