package server_test

import (
	"strings"
	"testing"
)

// A body that ends before its Content-Length is no object, also when no ETag comes with
// it that would tell: stored, it would look whole to every later reader, for its length
// would be what was stored (Swift's bug 1631144).
func TestCutBodies(t *testing.T) {
	x := newTarget(t, nil)
	body := strings.Repeat("b", 100)
	request := subreq("PUT", "/a/c/cut", "Content-Length: 100", "Content-Type: text/plain", "X-Timestamp: "+at1) + body
	for left := 1; left <= 101; left += 25 {
		s := tell(t, x.address, "/sda1/7", true, nil, begin+request[:len(request)-min(left, 100)])
		if s.whole || strings.Contains(s.body, ":UPDATES:") {
			t.Errorf("%d bytes short: %+v", left, s)
		}
	}
	x.onlyWhole(func(_, got string) bool { return got == body })
	x.serves("sda1")
}
