package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestOverridesCountOnceOnly(t *testing.T) {
	a, err := ParseArgs([]string{"p", "testdata", "-d", "sda,sdb", "-p", "7", "-i", "1"})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := a.Overrides(false); err != nil || !reflect.DeepEqual(o, Overrides{}) {
		t.Errorf("not once: %+v, %v", o, err)
	}
	want := Overrides{Devices: []string{"sda", "sdb"}, Partitions: []uint32{7}, Policies: []int{1}}
	if o, err := a.Overrides(true); err != nil || !reflect.DeepEqual(o, want) {
		t.Errorf("once: %+v, %v", o, err)
	}
}

func TestBadListsAreErrorsOnceOnly(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"-p", "1,x"}, `read --partitions: "x" is not a number from 0 to 4294967295`},
		{[]string{"-p", "-1"}, `read --partitions: "-1" is not a number`},
		{[]string{"-p", "4294967296"}, `"4294967296" is not a number`},
		{[]string{"-i", "gold"}, `read --policies: "gold" is not a number`},
		{[]string{"devices"}, "read --devices: no value given"},
		{[]string{"partitions"}, "read --partitions: no value given"},
		{[]string{"policies"}, "read --policies: no value given"},
	} {
		a, err := ParseArgs(append([]string{"p", "testdata"}, c.words...))
		if err != nil {
			t.Errorf("%v: %v", c.words, err)
			continue
		}
		if _, err := a.Overrides(false); err != nil {
			t.Errorf("%v, not once: %v", c.words, err)
		}
		if o, err := a.Overrides(true); err == nil || !strings.Contains(err.Error(), c.want) || !reflect.DeepEqual(o, Overrides{}) {
			t.Errorf("%v: %+v, %v, want %s", c.words, o, err, c.want)
		}
	}
}

func TestNoArgvAtAll(t *testing.T) {
	var stop *Stop
	if _, err := ParseArgs(nil); !errors.As(err, &stop) || stop.Status != 1 || !strings.HasPrefix(stop.Stdout, "Usage: swift-object-replicator CONFIG") {
		t.Errorf("got %v", err)
	}
}

// Whatever the words, the answer is Args or a Stop that says something.
func FuzzParseArgs(f *testing.F) {
	for _, seed := range []string{"", "-h", "testdata\nonce", "-od\nsda\ntestdata", "--p", "--devices=a,b\ntestdata", "testdata\n-p\n1,2\n-i\n+0", "-\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, words string) {
		a, err := ParseArgs(append([]string{"p"}, strings.Split(words, "\n")...))
		var stop *Stop
		if err != nil {
			if !errors.As(err, &stop) || stop.Error() == "" || stop.Status > 2 {
				t.Fatalf("%q: %#v", words, err)
			}
			return
		}
		if o, err := a.Overrides(true); err != nil && !reflect.DeepEqual(o, Overrides{}) {
			t.Fatalf("%q: %+v with %v", words, o, err)
		}
	})
}
