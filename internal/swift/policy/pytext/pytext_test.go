package pytext

import (
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

const oracle = `
import json, sys
def ask(f, s):
    try:
        return f(s)
    except ValueError as e:
        return 'error: %s' % e
true = {'true', '1', 'yes', 'on', 't', 'y'}  # Swift: common/utils.py TRUE_VALUES
print(json.dumps([[str(ask(int, s)), str(ask(float, s)), s.lower() in true,
                   [v.strip() for v in s.split(',') if v.strip()], s.strip(), s.rstrip(), repr(s)]
                  for s in json.load(sys.stdin)]))
`

var texts = []string{
	"", " ", "0", "-0", "+5", "--5", "007", "1_0", "1__0", "_1", "1_", " 42 ", "\t42\n", "\u00a042\u2003", "\x1c42", "4 2", "0x10", "1e3", "1.5", ".5", "5.", ".", "1._5", "1_0.0_1", "1e", "1e+5", "1e-5",
	"1e400", "-1e400", "1e-400", "inf", "-Infinity", "INF", "nan", "+nan", "in", "infinit", "9223372036854775807", "-9223372036854775808", "true", "TRUE", "Yes", "on", "t", "Y", "enabled", "2", "a,b", ", a ,,b c,",
	"it's", `say "hi"`, `both ' and "`, `back\slash`, "tab\tnew\nreturn\r", "\x00\x7f\u0080", "caf\u00e9", "\u200b", "\U0001f600", "\ufeff", "\u2028", "\u0300",
}

func TestAgreesWithPython(t *testing.T) {
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/bin/python3", "-c", oracle)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run /usr/bin/python3: %v", err)
	}
	var answers [][]any
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	for i, s := range texts {
		a := answers[i]
		if got := showInt(Int(s)); got != a[0] {
			t.Errorf("Int(%q) = %s, Python says %v", s, got, a[0])
		}
		if got := Repr(s); got != a[6] {
			t.Errorf("Repr(%q) = %s, Python says %v", s, got, a[6])
		}
		if f, err := Float(s); err != nil {
			if "error: "+err.Error() != a[1] {
				t.Errorf("Float(%q): %v, Python says %v", s, err, a[1])
			}
		} else if want, err := strconv.ParseFloat(a[1].(string), 64); err != nil || (f != want && f == f) {
			t.Errorf("Float(%q) = %v, Python says %v", s, f, a[1])
		}
		if True(s) != a[2] || Strip(s) != a[4] || StripRight(s) != a[5] {
			t.Errorf("%q: True %v, Strip %q, StripRight %q; Python says %v", s, True(s), Strip(s), StripRight(s), a)
		}
		var csv []string
		for _, v := range a[3].([]any) {
			csv = append(csv, v.(string))
		}
		if strings.Join(CSV(s), "|") != strings.Join(csv, "|") {
			t.Errorf("CSV(%q) = %q, Python says %q", s, CSV(s), csv)
		}
	}
}

func showInt(n int64, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return strconv.FormatInt(n, 10)
}

func TestIntOutOfRange(t *testing.T) {
	if _, err := Int("9223372036854775808"); err == nil || err.Error() != "number out of range: '9223372036854775808'" {
		t.Errorf("got %v", err)
	}
}

func FuzzNumbers(f *testing.F) {
	for _, s := range texts {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := Int(s)
		v, ferr := Float(s)
		if err == nil && (ferr != nil || v != float64(n)) {
			t.Errorf("%q is the int %d, but as a float %v, %v", s, n, v, ferr)
		}
		if r := Repr(s); len(r) < 2 || strings.ContainsAny(r, "\n\r\t\x00") {
			t.Errorf("Repr(%q) = %q", s, r)
		}
	})
}
