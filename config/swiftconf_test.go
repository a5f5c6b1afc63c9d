package config

import (
	"encoding/hex"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"understudy/internal/swift/policy"
)

const hashed = "[swift-hash]\nswift_hash_path_suffix = end\nswift_hash_path_prefix = start\n"

// swiftConfs are read by Swift and by us.
var swiftConfs = []string{
	hashed, "[swift-hash]\nswift_hash_path_suffix = end\n", "[swift-hash]\nswift_hash_path_prefix = start\n",
	"", "[swift-hash]\n", "[swift-hash]\nswift_hash_path_suffix =\nswift_hash_path_prefix =\n",
	"[DEFAULT]\nswift_hash_path_suffix = end\n[swift-hash]\n", "[DEFAULT]\nswift_hash_path_suffix = end\n",
	"[swift-hash]\nSWIFT_HASH_PATH_SUFFIX = End\n", "[Swift-Hash]\nswift_hash_path_suffix = end\n",
	"[swift-hash]\nswift_hash_path_suffix = 50%%\n", "[swift-hash]\nswift_hash_path_suffix = 50%\n", "[swift-hash]\nswift_hash_path_suffix = %(x)s\nx = y\n",
	"[swift-hash]\nswift_hash_path_suffix = end\nother = 50%\n", "[swift-hash]\nswift_hash_path_suffix = caf\u00e9 \n", "[swift-hash]\nswift_hash_path_suffix = \u00e0\n",
	"[swift-hash]\nswift_hash_path_suffix = \u00c5\n  two\n", "[swift-hash]\nswift_hash_path_suffix = a\nswift_hash_path_suffix = b\n",
	"[swift-hash]\nswift_hash_path_suffix = a\n[swift-hash]\n", "junk\n",
	// policies
	hashed + "[storage-policy:0]\nname = gold\n", hashed + "[storage-policy:0]\nNAME = gold\nAliases = a, b,, gold\nDefault = yes\n",
	hashed + "[storage-policy:1]\nname = silver\ndefault = on\n[storage-policy:0]\nname = gold\n[storage-policy:10]\nname = x\naliases = y , z\n",
	hashed + "[storage-policy:0]\nname = gold\n[storage-policy:1]\nname = silver\n", hashed + "[storage-policy:1]\nname = silver\n",
	hashed + "[storage-policy:0]\n", hashed + "[storage-policy:0]\nname =\n", hashed + "[storage-policy:0]\nname = a b\n", hashed + "[storage-policy:0]\nname = a_b\n",
	hashed + "[storage-policy:0]\nname = caf\u00e9\n", hashed + "[storage-policy:0]\nname = Policy-0\n", hashed + "[storage-policy:0]\nname = gold\naliases = policy-0\n",
	hashed + "[storage-policy:0]\nname = a\ndefault = 1\n[storage-policy:1]\nname = POLICY-0\n", hashed + "[storage-policy:0]\nname = gold\naliases = GOLD\n",
	hashed + "[storage-policy:0]\nname = gold\naliases = a, A\n", hashed + "[storage-policy:0]\nname = gold\n[storage-policy:00]\nname = silver\n",
	hashed + "[storage-policy:0]\nname = gold\ndefault = y\n[storage-policy:1]\nname = GOLD\n", hashed + "[storage-policy:0]\nname = gold\ndefault = y\n[storage-policy:1]\nname = b\ndefault = y\n",
	hashed + "[storage-policy:0]\nname = gold\ndefault = y\n[storage-policy:1]\nname = b\naliases = gold\n",
	hashed + "[storage-policy:0]\nname = gold\ndeprecated = yes\n", hashed + "[storage-policy:0]\nname = gold\ndeprecated = yes\ndefault = yes\n",
	hashed + "[storage-policy:0]\nname = gold\ndeprecated = yes\n[storage-policy:1]\nname = b\ndefault = yes\n",
	hashed + "[storage-policy:0]\nname = gold\ncolour = red\n", hashed + "[storage-policy:0]\nname = gold\npolicy_type = replication\n", hashed + "[storage-policy:0]\nname = gold\npolicy_type = raid\n",
	hashed + "[storage-policy:x]\nname = gold\n", hashed + "[storage-policy:-1]\nname = gold\n", hashed + "[storage-policy:]\nname = gold\n", hashed + "[storage-policy: 0 ]\nname = gold\n",
	hashed + "[storage-policy:1_0]\nname = a\n[storage-policy:0]\nname = b\ndefault = t\n", hashed + "[storage-policy:0]\nname = gold\nec_type = x\n",
	"[DEFAULT]\nx = 1\n" + hashed + "[storage-policy:0]\nname = gold\n", "[DEFAULT]\naliases = all\n" + hashed + "[storage-policy:0]\nname = gold\n",
	hashed + "[storage-policy:0]\nname = %(aliases)s\naliases = gold\n", hashed + "[storage-policy:0]\nname = gold\naliases = 5%\n", hashed + "[storage-policy:0]\nname = gold%%\n",
	hashed + "[storage-policy:0]\nname = gold\ndiskfile_module = egg:other#thing\n", hashed + "[Storage-Policy:0]\nname = a b\n",
	// erasure coding
	hashed + ec("ec_type = liberasurecode_rs_vand\nec_num_data_fragments = 4\nec_num_parity_fragments = 2\n"),
	hashed + ec("ec_type = liberasurecode_rs_vand\nec_num_data_fragments = 4\nec_num_parity_fragments = 2\nec_object_segment_size = 65536\nec_duplication_factor = 2\n"),
	hashed + ec("ec_num_data_fragments = 4\nec_num_parity_fragments = 2\n"), hashed + ec("ec_type = liberasurecode_rs_vand\nec_num_parity_fragments = 2\n"),
	hashed + ec("ec_type = liberasurecode_rs_vand\nec_num_data_fragments = 0\nec_num_parity_fragments = 2\n"), hashed + ec("ec_type = liberasurecode_rs_vand\nec_num_data_fragments = 4\nec_num_parity_fragments = two\n"),
	hashed + ec("ec_type = liberasurecode_rs_vand\nec_num_data_fragments = 4\nec_num_parity_fragments = 2\nec_object_segment_size = 0\n"),
	hashed + ec("ec_type = liberasurecode_rs_vand\nec_num_data_fragments = 4\nec_num_parity_fragments = 2\nec_duplication_factor = 0\n"),
}

func ec(options string) string {
	return "[storage-policy:0]\nname = gold\ndefault = yes\n[storage-policy:1]\nname = deep\npolicy_type = erasure_coding\n" + options
}

func TestSwiftConfAgreesWithSwift(t *testing.T) {
	conf := writeConf(t, "[object-replicator]\n")
	var requests []request
	for _, text := range swiftConfs {
		requests = append(requests, request{Do: "swift_conf", Path: writeFile(t, t.TempDir(), "swift.conf", text)})
	}
	fine := 0
	for i, a := range askSwift(t, requests) {
		text, path := swiftConfs[i], requests[i].Path
		c, err := Load(conf, Options{SwiftConf: path})
		var want struct {
			Policies       []string
			Default        int
			Prefix, Suffix string
		}
		if !a.unpack(t, &want) {
			if err == nil {
				t.Errorf("%q: Swift says %q, we accept it", text, a.Error)
			} else if strings.HasPrefix(a.Error, "E") && a.Error != err.Error() { // ERROR: or Error:, printed as it is
				t.Errorf("%q: Swift says\n%s\nwe say\n%s", text, a.Error, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: Swift accepts it, we say %v", text, err)
			continue
		}
		fine++
		var got []string
		for p := range c.Swift.Policies.All() {
			got = append(got, p.String())
		}
		if strings.Join(got, "\n") != strings.Join(want.Policies, "\n") || c.Swift.Policies.Default().Index != want.Default {
			t.Errorf("%q: Swift's policies\n%q\nours\n%q", text, want.Policies, got)
		}
		if hex.EncodeToString(c.Swift.HashPrefix) != want.Prefix || hex.EncodeToString(c.Swift.HashSuffix) != want.Suffix {
			t.Errorf("%q: Swift hashes with %q and %q, we with %x and %x", text, want.Prefix, want.Suffix, c.Swift.HashPrefix, c.Swift.HashSuffix)
		}
	}
	if fine < 20 {
		t.Errorf("only %d files are valid: the test has lost its bite", fine)
	}
}

// Bytes that are no UTF-8 reach the hash as they are.
func TestHashIsBytes(t *testing.T) {
	path := writeFile(t, t.TempDir(), "swift.conf", "[swift-hash]\nswift_hash_path_suffix = \xff\x80x\xfe\n")
	c, err := Load(writeConf(t, "[object-replicator]\n"), Options{SwiftConf: path})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.Swift.HashSuffix); got != "\xff\x80x\xfe" {
		t.Errorf("suffix is %q", got)
	}
}

// The hash is a secret: an error about it does not quote it.
func TestHashStaysSecret(t *testing.T) {
	for _, bad := range []string{"%hunter2", "%(hunter2)s", "%(hunter2", "hunter2%"} {
		path := writeFile(t, t.TempDir(), "swift.conf", "[swift-hash]\nswift_hash_path_suffix = "+bad+"\n")
		_, err := Load(writeConf(t, "[object-replicator]\n"), Options{SwiftConf: path})
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Line != 2 || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestSwiftConfCannotBeOpened(t *testing.T) {
	conf, dir := writeConf(t, "[object-replicator]\n"), t.TempDir()
	missing := filepath.Join(dir, "swift.conf")
	tests := []struct{ path, want string }{
		{missing, "FileNotFoundError: [Errno 2] No such file or directory: '" + missing + "'"},
		{dir, "IsADirectoryError: [Errno 21] Is a directory: '" + dir + "'"},
	}
	for _, tt := range tests {
		_, err := Load(conf, Options{SwiftConf: tt.path})
		var swift *SwiftConfError
		if !errors.As(err, &swift) || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.path, err, tt.want)
		}
	}
}

func TestForeignDiskfileModule(t *testing.T) {
	path := writeFile(t, t.TempDir(), "swift.conf", hashed+
		"[storage-policy:0]\nname = gold\ndefault = yes\ndiskfile_module = egg:swift#replication.fs\n"+
		"[storage-policy:1]\nname = other\ndiskfile_module = egg:other#thing\n")
	c, err := Load(writeConf(t, "[object-replicator]\n"), Options{SwiftConf: path})
	if err != nil {
		t.Fatal(err)
	}
	want := "policy 1 (other) is not replicated: its diskfile_module egg:other#thing is not Swift's own egg:swift#replication.fs"
	ok, refused := c.Swift.Policies.Replicated()
	if len(ok) != 1 || ok[0].Index != 0 || len(refused) != 1 || refused[0].Error() != want {
		t.Errorf("replicated %v, refused %v", ok, refused)
	}
	if len(c.Warnings) != 1 || c.Warnings[0] != want {
		t.Errorf("warnings %q", c.Warnings)
	}
	var unsupported *policy.UnsupportedError
	if p, _ := c.Swift.Policies.ByIndex(1); !errors.As(p.Supported(), &unsupported) {
		t.Error("policy 1 counts as supported")
	}
}
