package fault

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const sample = `seed 42
disk device=d3 op=read path=*.data : error EIO p=0.1 after=10s for=30s
disk node=n1 device=d* op=sync : hang times=1
disk path=objects/*/???/*/*.data|*.ts op=write : torn nth=2
net from=n1 to=n2 : reset after-bytes=4096 every=3
net from=n1|n2 to=n3 : cut after=10s for=1m30s
net : flip at=100 way=out
peer peer=n2 device=d1 verb=REPLICATE : answer 507 p=0.5
peer : pickle truncated
rsync peer=n2 : exit 23 nth=2
actor kind=partition message=JobDone : panic nth=3
clock node=n1 : jump -192h after=20s
process node=n1 op=remove path=*.data : kill nth=1
process op=rename : exit 3 done
`

func TestPlanIsPrintedUnchanged(t *testing.T) {
	p, err := Parse(sample)
	if err != nil {
		t.Fatal(err)
	}
	if p.String() != sample {
		t.Errorf("printed as\n%s", p)
	}
	if p.Seed != 42 || len(p.Faults) != 13 {
		t.Errorf("seed %d, %d faults", p.Seed, len(p.Faults))
	}
	want := Fault{
		Place: Disk, Where: []Match{{"device", "d3"}, {"op", "read"}, {"path", "*.data"}},
		Do: Action{Verb: "error", Arg: []string{"EIO"}}, When: When{Prob: .1, After: 10 * time.Second, For: 30 * time.Second},
	}
	if !reflect.DeepEqual(p.Faults[0], want) {
		t.Errorf("%+v", p.Faults[0])
	}
}

func TestPlanInAnyShape(t *testing.T) {
	p, err := Parse("# what it is for\n\n  disk   :  error\tEIO  # said so\r\nseed 7\nnet : reset p=0.50 after-bytes=1\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.String(), "seed 7\ndisk : error EIO\nnet : reset after-bytes=1 p=0.5\n"; got != want {
		t.Errorf("printed as %q", got)
	}
	for text, want := range map[string]time.Duration{"192h": 192 * time.Hour, "90s": 90 * time.Second, "10m": 10 * time.Minute} {
		if got := short(want); strings.HasSuffix(got, "0s") && text != "90s" {
			t.Errorf("%s is printed as %s", text, got)
		}
	}
}

func TestBadPlans(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"dsk : hang", `unknown place "dsk", there are disk net peer rsync actor clock process`},
		{"disk dev=d1 : hang", `unknown key "dev" of disk, there are node device op path`},
		{"disk device=d1 device=d2 : hang", "key device comes twice"},
		{"disk device : hang", `"device" is no key=pattern`},
		{"disk device= : hang", `"device=" is no key=pattern`},
		{"disk path=[a : hang", "path=[a is a bad pattern"},
		{"disk path=a| : hang", "path=a| is a bad pattern"},
		{"disk op=snyc : hang", "op=snyc is none of opendir readdir"},
		{"disk op=write : flip", "flip never happens at op=write, only at read getxattr"},
		{"disk hang", "no action"},
		{"disk :", "no action"},
		{"disk: hang", `unknown place "disk:"`},
		{"disk : hung", `unknown verb "hung" of disk, there are error delay hang`},
		{"disk : error", "error needs its name"},
		{"disk : error EOI", `"EOI" is no name of an error number like EIO`},
		{"disk : error EIO ENOSPC", `error takes no "ENOSPC"`},
		{"disk : delay 3", `duration=3 is no duration like`},
		{"disk : delay -3s", "duration=-3s is no duration like"},
		{"disk : hang p=0", "p=0 is no chance above 0 and up to 1"},
		{"disk : hang p=1.5", "p=1.5 is no chance"},
		{"disk : hang p=NaN", "p=NaN is no chance"},
		{"disk : hang nth=0", "nth=0 is no whole number from 1"},
		{"disk : hang nth=2 every=3", "nth and every exclude each other"},
		{"disk : hang times=2 times=3", "times comes twice"},
		{"disk : hang after=x", "after=x is no duration"},
		{"disk : hang for=900000h", "for=900000h is no duration"},
		{"disk : hang until=3", `unknown argument "until" of hang`},
		{"net : reset after-bytes=-1", `after-bytes "-1" is no whole number`},
		{"net : slow 0", `bytes-per-second "0" is no whole number from 1`},
		{"peer : answer 99", `status "99" is no HTTP status`},
		{"peer : pickle odd", `what "odd" is none of wrong truncated garbage empty`},
		{"rsync : exit 256", `code "256" is no exit code`},
		{"clock : jump 0s", `by "0s" is no duration like -192h`},
		{"process : kill now", `done "now" is none of done`},
		{"seed", "a seed is one number"},
		{"seed -1", `seed "-1" is no whole number`},
		{"seed 1\nseed 2", "line 2: a second seed"},
		{"\n\ndsk : hang", "fault plan line 3: "},
		{strings.Repeat("disk : hang\n", MaxFaults+1), "line 257: more than 256 faults"},
		{strings.Repeat(" ", MaxText+1), "65537 bytes, 65536 is the most"},
	} {
		if _, err := Parse(test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.40q: %v, want %s", test.text, err, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("seed 0\ndisk path=[a-z]?\\** : delay 1ns p=1e-300 # x\n")
	f.Add("disk op=*|s* : short every=2 times=9")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(p.String())
		if err != nil {
			t.Fatalf("%q is printed as %q: %v", text, p, err)
		}
		if !reflect.DeepEqual(p, again) {
			t.Fatalf("%q is printed as %q, which is another", text, p)
		}
		i := NewInjector(p, func() time.Duration { return time.Second })
		i.At(&Event{Place: Disk, Op: "read", Path: text, Device: "d1"})
	})
}
