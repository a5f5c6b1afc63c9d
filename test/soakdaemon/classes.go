package main

import (
	"fmt"
	"strings"
)

// kindsOfWrong are what can be wrong, and words by which a fault is told to be of a
// kind. The first that fits is taken; the last one fits all.
var kindsOfWrong = []struct {
	name  string
	words []string
}{
	{"resurrected", []string{"want a tombstone"}},
	{"lost", []string{"have absent", "have deleted"}},
	{"wrong", []string{"want {", "has another", "hashes", "hashes.pkl", "REPLICATE answered"}},
	{"short of copies", []string{" lacks "}},
	{"left on handoffs", []string{"is no primary but has"}},
	{"leaked", []string{"rsyncs are left", " grew: "}},
	{"stuck", []string{"still runs", "take the lock", "has not come to its end", "stands still", "threads hang"}},
	{"else", []string{""}},
}

// classes counts faults by their kinds, as one line.
func classes(faults []string) string {
	counts := map[string]int{}
	for _, f := range faults {
		counts[classOf(f)]++
	}
	var words []string
	for _, k := range kindsOfWrong {
		words = append(words, fmt.Sprintf("%d %s", counts[k.name], k.name))
	}
	return strings.Join(words, ", ")
}

func classOf(fault string) string {
	for _, k := range kindsOfWrong {
		for _, w := range k.words {
			if strings.Contains(fault, w) {
				return k.name
			}
		}
	}
	return ""
}
