// Package diskfile knows, from their names alone, which files of a hash
// directory make up an object of a replication policy, which of them may go, and
// what they add to the hash of their suffix.
package diskfile

import (
	"fmt"

	"understudy/internal/swift/timestamp"
)

// Extensions of the files that mean something.
const (
	extData = ".data"
	extMeta = ".meta"
	extTS   = ".ts"
)

// Info is what the name of a file in a hash directory says.
type Info struct {
	Name  string
	Ext   string // from the last dot, or empty
	Time  timestamp.Timestamp
	CType timestamp.Timestamp // of a .meta file: when its content type was set
	// HasCType is false for a .meta file without a content type, and for all others.
	HasCType bool
}

// ParseName reads a file name: a timestamp and an extension; for .meta a
// timestamp and a signed difference to that of its content type. Anything else,
// also the name of an EC fragment, is an error in Swift's words.
// Swift: obj/diskfile.py parse_on_disk_filename, DiskFileManager.
func ParseName(name string) (Info, error) {
	i := Info{Name: name}
	stem := ""
	stem, i.Ext = splitExt(name)
	var err error
	if i.Ext == extMeta {
		var d timestamp.Decoded
		d, err = timestamp.Decode(stem)
		i.Time, i.CType, i.HasCType = d.T1, d.T2, d.N > 1
	} else {
		i.Time, err = timestamp.Parse(stem)
	}
	if err != nil {
		//lint:ignore ST1005 Swift's text, which ends up in Swift's log line
		return Info{}, fmt.Errorf("Invalid Timestamp value in filename '%s'", name)
	}
	return i, nil
}

// splitExt cuts a name before its last dot; dots that begin a name do not count.
// Python: os.path.splitext.
func splitExt(name string) (stem, ext string) {
	start := 0
	for start < len(name) && name[start] == '.' {
		start++
	}
	for i := len(name) - 1; i > start; i-- {
		if name[i] == '.' {
			return name[:i], name[i:]
		}
	}
	return name, ""
}

// IsRsyncTemp tells whether a name has the shape of an rsync temporary file,
// .NAME.XXXXXX. Swift: obj/diskfile.py RE_RSYNC_TEMPFILE.
func IsRsyncTemp(name string) bool {
	const random = 6
	dot := len(name) - random - 1
	if dot < 1 || name[0] != '.' || name[dot] != '.' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		word := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
		if i > dot && !word || c == '\n' {
			return false
		}
	}
	return true
}
