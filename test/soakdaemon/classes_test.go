package main

import "testing"

func TestClasses(t *testing.T) {
	for fault, want := range map[string]string{
		`"/a/c/o": 1/d1 partition 3: want a tombstone of 17, have data 18`:                        "resurrected",
		`"/a/c/o": 1/d1 partition 3: want data of 17, have absent `:                               "lost",
		`"/a/c/o": 1/d1 partition 3: want {At:17 Size:3}, have {At:17 Size:2}`:                    "wrong",
		"1/d1/objects/3 lacks what 2/d1/objects/3 has":                                            "short of copies",
		"1/d1/objects/3 is no primary but has 2 files":                                            "left on handoffs",
		"daemon 2 (17) after terminated: 2 rsyncs are left":                                       "leaked",
		"daemon 2: goroutines grew: medians of fifths [1 2 3 4 5]":                                "leaked",
		"take the lock /x/.lock: resource temporarily unavailable":                                "stuck",
		"pass 1 after the end of all troubles has not come to its end in 3m0s: 1/d1 stalled/\"\"": "stuck",
		"daemon 1 (17) has ended by itself: see /x":                                               "else",
	} {
		if got := classOf(fault); got != want {
			t.Errorf("%s: %s, want %s", fault, got, want)
		}
	}
}
