package scenario

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const everything = `# A comment.
title   All that can be said
story It has a "quote that does not end
story 	and another line.

[cluster]
nodes 3
devices 2
replicas 2.5
part-power 5
policies 2
method rsync
region 2 of n3
weight n3/d* out
weight n1/d1 0
set handoff_delete = 2
set rsync_timeout = 5

[data]
objects 10
objects 3 size 4k
objects 1 size 1b-2m
objects 1 size 1k-1500: delete 1h on primaries
objects 5 size 1-8k policy 1: put 200h on primaries; delete 190h on 1 primary and 2 handoffs except n2/*
objects 1 size 0: put 1h30m on 1 handoff; empty on primaries; temp on 1 primary

[workload]
put 20 every 5ms
delete 3 every 1.5s

[faults]
disk node=n1 op=sync : hang times=1

# Another one.
[faults later]
net from=n1 to=n2 : refuse

[steps]
begin n1|n2
await fired disk-hang 1 within 20s
await state n1/d1 stalled
await log "Removing partition: "
faults later
end within 5m
faults clear
kill n2
power-cut n2
revive
freeze n2
thaw n2
impostor n2|n3 noise
unmount n1/d?
mount n1/d?
wipe n1/d1
weight n3/d* 100
weight n1/d1 0 for n1
flip 3 on n1/d*
put 5
run
halt
settle
settle in 4 passes within 1m30s
pass

[expect]
lost 0
wrong <= 3
passes >= 2
coverage disk-hang
coverage net-refuse >= 3
state n1/d1 stalled
log "Removing partition: " >= 2
`

// What Parse reads String prints, and Parse reads the same again.
func TestPrintsWhatItReads(t *testing.T) {
	s, err := Parse(everything)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(s.String())
	if err != nil {
		t.Fatalf("%v in\n%s", err, s)
	}
	if !again.Equal(s) || again.String() != s.String() {
		t.Errorf("read\n%s\nand again\n%s", s, again)
	}
	if got := s.Data[4]; !reflect.DeepEqual(got, Objects{
		Count: 5, Least: 1 << 10, Most: 8 << 10, Policy: 1, Life: []Deed{
			{Verb: "put", Age: 200 * time.Hour, On: []Share{{}}},
			{Verb: "delete", Age: 190 * time.Hour, On: []Share{{Count: 1}, {Count: 2, Away: true}}, Except: "n2/*"},
		},
	}) {
		t.Errorf("read %+v", got)
	}
	if s.Story[0] != `It has a "quote that does not end` || len(s.Faults) != 2 || s.Faults[1].Text != "net from=n1 to=n2 : refuse\n" {
		t.Errorf("read %+v", s)
	}
	if e := s.Expected(); len(e) != len(Defaults())-2+len(s.Expect) {
		t.Errorf("expected %v", e)
	}
}

// An error names its line and what there is in place of it.
func TestErrors(t *testing.T) {
	const head = "title t\n[steps]\npass\n"
	for text, want := range map[string]string{
		"":                                     "there is no title",
		"title t\n":                            "there are no steps",
		"title\n":                              "line 1: title: one line, once",
		"title a\ntitle b":                     "line 2: title: one line, once",
		"story":                                "line 1: story: an empty line",
		"name x":                               `line 1: unknown word "name" before the first section`,
		"[]":                                   "line 1: a section without a name",
		"[stage]":                              "line 1: unknown section [stage]; there are cluster",
		"[steps now]":                          "line 1: unknown section [steps now]",
		"[faults A]":                           "line 1: [faults A]: a plan has one name",
		"[steps]\n[steps]":                     "line 2: there are two sections [steps]",
		"[cluster]\nnodes 0":                   `line 2: nodes: "0" is no number from 1 to 16`,
		"[cluster]\nnodes 3 4":                 `line 2: unexpected "4"`,
		"[cluster]\nnode 3":                    `line 2: unknown word "node" in [cluster]`,
		"[cluster]\nreplicas NaN":              `line 2: replicas: "NaN" is no number`,
		"[cluster]\nmethod ftp":                `line 2: method: "ftp" is neither ssync nor rsync`,
		"[cluster]\nregion 2 n3":               `line 2: region: it is written "region 2 of n3|n4"`,
		"[cluster]\nweight n3/d1":              `line 2: weight: "" is no number`,
		"[cluster]\nset x":                     `line 2: set: it is written "set name = value"`,
		"[cluster]\nset devices = /":           "line 2: set devices: this belongs to the cluster itself",
		"[cluster]\nset a = b%c":               "line 2: set a: a value without quotes",
		"[data]\nobject 1":                     `line 2: unknown word "object" in [data]`,
		"[data]\nobjects 1 size 4g":            `line 2: size: "4g" is no size`,
		"[data]\nobjects 1 size 8-4":           `line 2: size: "8-4" is no size`,
		"[data]\nobjects 1: get 1h":            `line 2: unknown deed "get"`,
		"[data]\nobjects 1:":                   "line 2: objects: no life follows the colon",
		"[data]\nobjects 1: put 1h":            "line 2: put: on whom?",
		"[data]\nobjects 1: put 1h on":         `line 2: put on "": there are primaries and handoffs`,
		"[data]\nobjects 1: flip on primaries": "line 2: objects: a life has a put or a delete",
		"[data]\nobjects 1: put 1h on primaries put": `line 2: unexpected "put"; deeds are parted by ;`,
		"[data]\nobjects 1: put 1 on primaries":      `line 2: put: "1" is no duration`,
		"[workload]\nget 3":                          `line 2: unknown word "get" in [workload]`,
		"[workload]\nput 3":                          `line 2: put: it is written "put 20 every 5ms"`,
		"[steps]\nwait":                              `line 2: unknown step "wait"; there are await,`,
		"[steps]\nunmount":                           "line 2: unmount: a name or pattern like",
		"[steps]\nkill [":                            `line 2: kill: "[" is no pattern`,
		"[steps]\nweight n1/d1 heavy":                `line 2: weight: "heavy" is no number`,
		"[steps]\nsettle in 4 rounds":                `line 2: settle: it is written "settle in 4 passes"`,
		"[steps]\nawait fired disk-hang":             `line 2: await fired: "" is no number`,
		"[steps]\nawait state n1/d1 ill":             `line 2: await state: "ill" is none of back,`,
		"[steps]\nawait rain":                        `line 2: await "rain": there are fired, state and log`,
		"[steps]\nimpostor n1 king":                  `line 2: impostor: "king" is none of drips, `,
		"[steps]\nflip 3":                            `line 2: flip: it is written "flip 3 on n1/d*"`,
		"[steps]\npass \"n1":                         "line 2: a quote that does not end",
		"[steps]\npass within soon":                  `line 2: within: "soon" is no duration`,
		"[expect]\nluck 1":                           `line 2: unknown expectation "luck"`,
		"[expect]\nlost < 1":                         `line 2: lost: "<" is no number`,
		"[expect]\nlog":                              "line 2: log: what words?",
		head + "faults rain":                         "[steps]: there is no section [faults rain]",
		head + "[faults]\ndsk : hang":                "line 5: unknown place \"dsk\"",
		head + "[cluster]\nnodes 1\ndevices 2":       "[cluster]: 3 replicas on 2 devices",
		head + "[data]\nobjects 1 policy 1":          "[data]: there is no policy 1",
		strings.Repeat("x", MaxBytes+1):              "read scenario: more than 65536 bytes",
	} {
		s, err := Parse(text)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60q: %v, %v, want %s", text, s, err, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "n1", true}, {"n1", "n1", true}, {"n1", "n10", false}, {"n1|n2", "n2", true}, {"n1/*", "n1/d2", true}, {"*", "n1/d2", false},
	} {
		if got := Match(c.pattern, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		op   string
		got  int
		want bool
	}{{"=", 2, true}, {"=", 3, false}, {"<=", 1, true}, {"<=", 3, false}, {">=", 3, true}, {">=", 1, false}} {
		if (Expect{Op: c.op, N: 2}).Holds(c.got) != c.want {
			t.Errorf("%d %s 2 is not %v", c.got, c.op, c.want)
		}
	}
}

// FuzzParse: no text makes Parse panic, and what it takes it prints so that it reads the
// same.
func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add("title t\n[steps]\npass")
	for _, s := range Library() {
		f.Add(s.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(s.String())
		if err != nil || !again.Equal(s) {
			t.Fatalf("%v: %q became %q", err, text, s)
		}
	})
}
