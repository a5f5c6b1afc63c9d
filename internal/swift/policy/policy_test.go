package policy

import (
	"errors"
	"strings"
	"testing"
)

func section(index string, options ...string) Section {
	s := Section{Index: index}
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		s.Options = append(s.Options, Setting{key, value})
	}
	return s
}

func TestParse(t *testing.T) {
	set, err := Parse([]Section{
		section("2", "name=Deep", "policy_type=erasure_coding", "ec_type=isa_l_rs_cauchy", "ec_num_data_fragments=10", "ec_num_parity_fragments=4"),
		section("0", "name=Gold", "aliases=yellow, Orange", "default=yes"),
		section("1", "name=old", "deprecated=true"),
	})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for p := range set.All() {
		order = append(order, p.Name)
	}
	if got := strings.Join(order, " "); got != "Deep Gold old" || set.Len() != 3 {
		t.Errorf("policies %s", got)
	}
	if p, ok := set.ByName("ORANGE"); !ok || p.Index != 0 || set.Default().Index != 0 {
		t.Errorf("orange is %v, default %v", p, set.Default())
	}
	if p, ok := set.ByIndex(2); !ok || p.EC != (EC{"isa_l_rs_cauchy", 10, 4, 1048576, 1}) || p.DiskfileModule != "egg:swift#erasure_coding.fs" {
		t.Errorf("policy 2 is %+v", p)
	}
	if _, ok := set.ByIndex(3); ok {
		t.Error("there is a policy 3")
	}
	if _, ok := set.ByName("Policy-0"); ok {
		t.Error("there is a Policy-0")
	}
	ok, refused := set.Replicated()
	if len(ok) != 2 || ok[0].Name != "Gold" || ok[1].Name != "old" || len(refused) != 0 {
		t.Errorf("replicated %v, refused %v", ok, refused)
	}
}

func TestNoSection(t *testing.T) {
	set, err := Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := set.ByIndex(0); !ok || p.Name != LegacyName || !p.Default || p.Type != Replication || p.Supported() != nil {
		t.Errorf("%+v", p)
	}
}

// What Swift's own answers in package config's tests do not reach: schemes that
// need libraries which may not be installed.
func TestErasureCoding(t *testing.T) {
	gold := section("0", "name=Gold", "default=yes")
	deep := func(options ...string) Section {
		return section("1", append([]string{
			"name=deep", "policy_type=erasure_coding",
			"ec_num_data_fragments=10", "ec_num_parity_fragments=5",
		}, options...)...)
	}
	tests := []struct {
		options []string
		err     string
		warning bool
	}{
		{[]string{"ec_type=isa_l_rs_vand"}, "This policy MUST be deprecated.", false},
		{[]string{"ec_type=isa_l_rs_vand", "deprecated=yes"}, "", true},
		{[]string{"ec_type=isa_l_rs_vand", "deprecated=no"}, "", true},
		{[]string{"ec_type=jerasure_rs_vand"}, "", false},
		{[]string{"ec_type=raid5"}, "Wrong ec_type raid5 for policy deep, should be one of", false},
		{[]string{"ec_type=shss", "ec_duplication_factor=0"}, `not "0".`, false},
	}
	for _, tt := range tests {
		set, err := Parse([]Section{gold, deep(tt.options...)})
		if tt.err != "" {
			var refused *Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v: got %v, want %s", tt.options, err, tt.err)
			}
			continue
		}
		if err != nil || (len(set.Warnings()) == 1) != tt.warning {
			t.Errorf("%v: %v, %v", tt.options, set, err)
		}
	}
}

func TestSupported(t *testing.T) {
	for module, want := range map[string]bool{
		"egg:swift#replication.fs": true, "EGG:Swift#replication.fs": true, "swift#replication.fs": true, "replication.fs": true,
		"egg:swift#erasure_coding.fs": false, "egg:other#replication.fs": false, "file:swift#replication.fs": false, "": false, "egg:swift": false,
	} {
		p := Policy{Type: Replication, DiskfileModule: module}
		if (p.Supported() == nil) != want {
			t.Errorf("%q: %v", module, p.Supported())
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("0", "name", "gold", "aliases", "a, b")
	f.Add("1_0", "name", "Policy-0", "deprecated", "yes")
	f.Add("-1", "policy_type", "erasure_coding", "ec_type", "shss")
	f.Fuzz(func(t *testing.T, index, k1, v1, k2, v2 string) {
		set, err := Parse([]Section{section("0", "name=zero", "default=yes"), {Index: index, Options: []Setting{{k1, v1}, {k2, v2}}}})
		if err != nil {
			return
		}
		for p := range set.All() {
			if got, ok := set.ByName(p.Name); !ok || got.Index != p.Index || p.Index < 0 {
				t.Errorf("%v is found as %v", p, got)
			}
		}
	})
}
