package hashpath

import "testing"

// The hashes come from Swift's hash_path.
func TestHash(t *testing.T) {
	both := Hasher{Prefix: []byte("changeme"), Suffix: []byte("changeme")}
	endcap := Hasher{Suffix: []byte("endcap")}
	for _, c := range []struct {
		hasher                     Hasher
		account, container, object string
		want                       string
	}{
		{both, "a", "c", "o", "d1c91d91068a170a6bcf220efe77711d"},
		{both, "AUTH_test", "c", "☃", "06c5d92d44560985c4bddf162177d6d5"},
		{endcap, "a", "c", "o", "06fbf0b514e5199dfc4e00f42eb5ea83"},
		{endcap, "a", "c", "", "33379ecb053aa5c9e356c68997cbb59e"},
		{endcap, "a", "", "", "1c84525acb02107ea475dcd3d09c2c58"},
		{Hasher{Prefix: []byte{0xff, 0}, Suffix: []byte{0x80}}, "a", "c", "o/p", "e777f01450a6b51534c98056a9905949"},
	} {
		if got := c.hasher.Hex(c.account, c.container, c.object); got != c.want {
			t.Errorf("%s/%s/%s: got %s, want %s", c.account, c.container, c.object, got, c.want)
		}
	}
}

func TestPlace(t *testing.T) {
	sum := Hasher{Suffix: []byte("endcap")}.Hash("a", "c", "o")
	if got := Suffix(sum); got != "a83" {
		t.Errorf("suffix %s", got)
	}
	for shift, want := range map[uint]uint32{0: 0x06fbf0b5, 16: 0x06fb, 27: 0, 24: 6, 32: 0} {
		if got := Partition(sum, shift); got != want {
			t.Errorf("shift %d: partition %d, want %d", shift, got, want)
		}
	}
}
