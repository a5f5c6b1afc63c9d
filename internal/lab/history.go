package lab

import (
	"crypto/sha256"
	"path/filepath"
	"strconv"

	"understudy/internal/swift/metadata"
)

// History is what was written to a cluster: what must be on every primary in
// the end, and nothing else.
type History struct {
	Objects []Object
}

// Object is one object, or its tombstone, as it must be on each of its primaries.
type Object struct {
	Name      string // /account/container/object
	Partition uint32
	Suffix    string
	Hash      string // its directory
	Files     []File
	Carried   []File // what ssync makes of Files when it carries them; nil: the same
}

// File is one file of an object.
type File struct {
	Name     string
	Size     int64
	SHA256   [sha256.Size]byte // of its content
	Metadata metadata.Metadata

	body body
}

// Dir is the object's directory on a disk.
func (o *Object) Dir() string {
	return filepath.Join("objects", strconv.FormatUint(uint64(o.Partition), 10), o.Suffix, o.Hash)
}

// Bytes is the content of one copy.
func (o *Object) Bytes() int64 {
	var sum int64
	for _, f := range o.Files {
		sum += f.Size
	}
	return sum
}

// Held counts the copies, and their bytes, that belong on a disk.
func (c *Cluster) Held(h *History, on Place) (copies int, bytes int64) {
	for i := range h.Objects {
		for _, p := range c.Primaries(h.Objects[i].Partition) {
			if p == on {
				copies++
				bytes += h.Objects[i].Bytes()
			}
		}
	}
	return copies, bytes
}

// Total counts all copies and their bytes.
func (c *Cluster) Total(h *History) (copies int, bytes int64) {
	for i := range h.Objects {
		n := len(c.Primaries(h.Objects[i].Partition))
		copies += n
		bytes += int64(n) * h.Objects[i].Bytes()
	}
	return copies, bytes
}
