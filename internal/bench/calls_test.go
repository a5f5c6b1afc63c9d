package bench

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

const straced = `strace: Process 4711 attached
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ------------------
 45.16    0.003451           2      1205         3 openat
 10.00    0.000100           1       100           close
  0.00    0.000000           0         1         1 access
------ ----------- ----------- --------- --------- ------------------
100.00    0.007641           5      1306         4 total
`

func TestParseCalls(t *testing.T) {
	got, err := parseCalls(straced)
	if err != nil || !maps.Equal(got, calls{"openat": 1205, "close": 100, "access": 1}) || got.total() != 1306 {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "strace: exec: No such file or directory\n", "a b c d e\n"} {
		if got, err := parseCalls(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestCallsEntry(t *testing.T) {
	theirs := &counted{passes: []calls{{"read": 110, "open": 20}, {"read": 130, "open": 20}}, starts: []calls{{"read": 10}, {"read": 10}}}
	ours := &counted{passes: []calls{{"read": 40, "futex": 4}, {"read": 40}}, starts: []calls{{"read": 4}, {"read": 4}}}
	e := callsEntry(theirs, ours, 10)
	if g := e.Goals[0]; g.missed() || g.got() != "0.30" { // 40 ÷ 120, 36 ÷ 140
		t.Errorf("goal: %+v", g)
	}
	if want := []string{"Swift", "2", "140", "10", "**13.0** (12.0 to 14.0)", "read 11.0, open 2.0"}; !slices.Equal(e.Rows[0], want) {
		t.Errorf("row: %q", e.Rows[0])
	}
	if want := "ours ÷ Swift's: **0.30** (0.26 to 0.33); goal ≤ 0.50."; !strings.Contains(e.Below[0], want) {
		t.Errorf("below: %q", e.Below)
	}
	if want := "makes more: **0.28** (0.26 to 0.30)."; !strings.Contains(e.Below[1], want) { // 36 ÷ 120, 36 ÷ 140
		t.Errorf("below: %q", e.Below)
	}
}
