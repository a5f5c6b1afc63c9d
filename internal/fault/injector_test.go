package fault

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func parsed(t testing.TB, text string) Plan {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func still() time.Duration { return 0 }

// hits is which of n events of a stream are hit.
func hits(i *Injector, e Event, n int) (out []int) {
	for k := 1; k <= n; k++ {
		if _, ok := i.At(&e); ok {
			out = append(out, k)
		}
	}
	return out
}

func TestWhen(t *testing.T) {
	for when, want := range map[string][]int{
		"":                 {1, 2, 3, 4, 5, 6, 7},
		"nth=3":            {3},
		"every=3":          {3, 6},
		"times=2":          {1, 2},
		"every=2 times=2":  {2, 4},
		"nth=9":            nil,
		"p=1":              {1, 2, 3, 4, 5, 6, 7},
		"p=1 nth=2":        {2},
		"after=1s":         nil,
		"for=1s":           {1, 2, 3, 4, 5, 6, 7},
		"after=1ns for=1s": nil,
	} {
		i := NewInjector(parsed(t, "disk : hang "+when), still)
		if got := hits(i, Event{Place: Disk, Op: "read"}, 7); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", when, got, want)
		}
	}
}

func TestWhere(t *testing.T) {
	e := Event{Place: Disk, Node: "n1", Device: "d3", Op: "remove", Path: "/srv/node/d3/objects/7/abc/0123/17.data"}
	for where, want := range map[string]bool{
		"":                             true,
		"device=d*":                    true,
		"device=d1|d3":                 true,
		"device=d1|d4":                 false,
		"device=d3 op=read":            false,
		"path=*.data":                  true,
		"path=*.ts|*.data":             true,
		"path=objects/*/???/*/*.data":  true,
		"path=objects/*/???/*.data":    false,
		"path=d3/objects/7/*/*/*":      true,
		"path=*":                       true,
		"path=/srv/node/d3/*/*/*/*/1*": true,
		"node=n1":                      true,
		"node=n2":                      false,
	} {
		i := NewInjector(parsed(t, "disk "+where+" : hang"), still)
		if _, got := i.At(&e); got != want {
			t.Errorf("%q: %v", where, got)
		}
	}
}

func TestVerbOnlyWhereItCanHappen(t *testing.T) {
	i := NewInjector(parsed(t, "disk : flip nth=1"), still)
	for _, op := range []string{"open", "write", "stat"} {
		if _, ok := i.At(&Event{Place: Disk, Op: op}); ok {
			t.Errorf("flip at %s", op)
		}
	}
	if h, ok := i.At(&Event{Place: Disk, Op: "read"}); !ok || h.Verb != "flip" {
		t.Error("no flip at read")
	}
}

// Goroutines come in any order, other faults come and go: what a stream meets is the same.
func TestDecisionsAreOfTheStream(t *testing.T) {
	run := func(text string) map[string][]int {
		i := NewInjector(parsed(t, text), still)
		got := map[string][]int{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for n := range 16 {
			wg.Go(func() {
				path := fmt.Sprintf("objects/%d/x.data", n)
				mine := hitsOf(i, Event{Place: Disk, Device: "d1", Op: "read", Path: path}, 200, "EIO")
				mu.Lock()
				got[path] = mine
				mu.Unlock()
			})
		}
		wg.Wait()
		return got
	}
	alone := run("seed 5\ndisk op=read : error EIO p=0.25\n")
	if again := run("seed 5\ndisk op=read : error EIO p=0.25\n"); !reflect.DeepEqual(alone, again) {
		t.Error("two runs differ")
	}
	beside := run("seed 5\nnet : refuse\ndisk op=read : error EIO p=0.25\ndisk op=read : error ENOSPC p=0.5\n")
	if !reflect.DeepEqual(alone, beside) {
		t.Error("another fault shifts this one")
	}
	if other := run("seed 6\ndisk op=read : error EIO p=0.25\n"); reflect.DeepEqual(alone, other) {
		t.Error("the seed does not matter")
	}
	total := 0
	for _, h := range alone {
		total += len(h)
	}
	if total < 600 || total > 1000 { // 3200 × 0.25, 8 σ
		t.Errorf("%d of 3200 hit", total)
	}
}

func hitsOf(i *Injector, e Event, n int, word string) (out []int) {
	for k := range n {
		if h, ok := i.At(&e); ok && h.Word(0) == word {
			out = append(out, k)
		}
	}
	return out
}

func TestFirstOfTwoActs(t *testing.T) {
	i := NewInjector(parsed(t, "disk : error EIO every=2\ndisk : error ENOSPC"), still)
	var got []string
	for range 4 {
		h, _ := i.At(&Event{Place: Disk, Op: "read"})
		got = append(got, h.Word(0))
	}
	if want := []string{"ENOSPC", "EIO", "ENOSPC", "EIO"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	c := i.Counts()
	if c[0].Seen != 4 || c[0].Fired != 2 || c[1].Seen != 4 || c[1].Fired != 2 {
		t.Errorf("%+v", c)
	}
}

func TestTime(t *testing.T) {
	now := time.Duration(0)
	i := NewInjector(parsed(t, "disk : hang after=10s for=5s"), func() time.Duration { return now })
	e := Event{Place: Disk, Op: "read"}
	for at, want := range map[time.Duration]bool{9 * time.Second: false, 10 * time.Second: true, 14 * time.Second: true, 15 * time.Second: false} {
		now = at
		if _, got := i.At(&e); got != want {
			t.Errorf("after %v: %v", at, got)
		}
	}
	now = 100 * time.Second
	i.Load(i.Plan())
	now = 111 * time.Second
	if _, got := i.At(&e); !got {
		t.Error("the time of a new plan does not begin with it")
	}
}

func TestSeats(t *testing.T) {
	i := NewInjector(parsed(t, "disk node=n2 : hang\nnet from=n1 to=n2 : cut"), still)
	one, two := i.Seat("n1", nil), i.Seat("n2", func(host, port string) string { return "n" + port })
	e := Event{Place: Disk, Op: "read"}
	if _, ok := one.At(&e); ok {
		t.Error("n1 is hit by a fault of n2")
	}
	if _, ok := two.At(&e); !ok {
		t.Error("n2 is not hit")
	}
	if e.Node != "" {
		t.Error("the event was changed")
	}
	if got := []string{one.NameOf("::1", "6200"), two.NameOf("::1", "3")}; !slices.Equal(got, []string{"::1", "n3"}) {
		t.Errorf("names %v", got)
	}
	if _, ok := one.At(&Event{Place: Net, Peer: "n2", Op: "read"}); !ok {
		t.Error("the net of n1 is not cut")
	}
	one.Clear()
	if _, ok := two.At(&e); ok || two.Active() {
		t.Error("cleared for one seat only")
	}
}

func TestNilInjector(t *testing.T) {
	var i *Injector
	if _, ok := i.At(&Event{Place: Disk}); ok || i.Active() || i.Counts() != nil || i.Recent() != nil || i.Seat("n", nil) != nil || i.Has(Disk, "hang") {
		t.Error("a nil injector does something")
	}
	i.Clear()
}

func TestHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := NewInjector(parsed(t, "disk op=read : hang\ndisk op=write : hang after=1s for=9s\ndisk op=stat : delay 1h"), nil)
		time.Sleep(2 * time.Second)
		held := func(op string, hold func(Hit)) <-chan time.Duration {
			h, ok := i.At(&Event{Place: Disk, Op: op})
			if !ok {
				t.Fatalf("no hit at %s", op)
			}
			done := make(chan time.Duration, 1)
			begin := time.Now()
			go func() { hold(h); done <- time.Since(begin) }()
			return done
		}
		hang := func(h Hit) { i.Hold(h, nil, nil) }
		read, write := held("read", hang), held("write", hang)
		delayed := held("stat", func(h Hit) { i.Delay(h, nil) })
		if got := <-write; got != 8*time.Second {
			t.Errorf("a hang of 9s from 1s, met at 2s, took %v", got)
		}
		stop := make(chan struct{})
		close(stop)
		stopped := held("read", func(h Hit) { i.Hold(h, stop, nil) })
		<-stopped
		synctest.Wait()
		select {
		case <-read:
			t.Error("a hang ended by itself")
		default:
		}
		i.Clear()
		<-read
		if got := <-delayed; got >= time.Hour {
			t.Error("a delay outlasted Clear")
		}
	})
}

func TestRecentIsBounded(t *testing.T) {
	i := NewInjector(parsed(t, "disk : hang"), still)
	for n := range 100 {
		i.At(&Event{Place: Disk, Op: "read", Path: fmt.Sprint(n)})
	}
	r := i.Recent()
	if len(r) != recentKept || r[0].Event.Path != "36" || r[recentKept-1].Event.Path != "99" {
		t.Errorf("%d, %s … %s", len(r), r[0].Event.Path, r[len(r)-1].Event.Path)
	}
}

// What a plan says of a verb is what the code knows.
func TestVocabulary(t *testing.T) {
	for _, w := range Places {
		for _, v := range w.Verbs {
			if v.Tells == "" {
				t.Errorf("%s %s tells nothing", w.Place, v.Name)
			}
			for _, op := range v.Ops {
				if !slices.Contains(w.Ops, op) {
					t.Errorf("%s %s at %s, which is no op", w.Place, v.Name, op)
				}
			}
		}
	}
	if got := (Action{Arg: []string{"ENODATA"}}).Errno(); got != unix.ENODATA {
		t.Errorf("ENODATA is %q", got)
	}
}

func BenchmarkNoInjector(b *testing.B) {
	var i *Injector
	e := Event{Place: Disk, Op: "read", Path: "objects/1/abc/x.data"}
	for b.Loop() {
		i.At(&e)
	}
}

func BenchmarkOtherPlace(b *testing.B) {
	i := NewInjector(parsed(b, "net : cut"), still)
	e := Event{Place: Disk, Op: "read", Path: "objects/1/abc/x.data"}
	for b.Loop() {
		i.At(&e)
	}
}

func BenchmarkNoMatch(b *testing.B) {
	i := NewInjector(parsed(b, "disk device=d2 path=*.ts : hang"), still)
	e := Event{Place: Disk, Device: "d1", Op: "read", Path: "objects/1/abc/x.data"}
	for b.Loop() {
		i.At(&e)
	}
}
