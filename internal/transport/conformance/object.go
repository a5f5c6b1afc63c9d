package conformance

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// HashPathSuffix is swift_hash_path_suffix of the objects; their prefix is empty.
const HashPathSuffix = "changeme"

// PartPower is the part power of the ring that the objects' partitions fit.
const PartPower = 8

// Object is one object of Swift: its name, and the directory of its files.
type Object struct {
	Name   string // /account/container/object
	Suffix string
	Dir    string // suffix/hash
}

// Objects returns n objects of one partition, each in a suffix of its own.
func Objects(part uint32, n int) []Object {
	var objects []Object
	seen := map[string]bool{}
	for i := 0; len(objects) < n; i++ {
		name := "/AUTH_test/c/o" + strconv.Itoa(i)
		sum := md5.Sum([]byte(name + HashPathSuffix))
		hash := hex.EncodeToString(sum[:])
		suffix := hash[len(hash)-3:]
		if uint32(sum[0]) == part && !seen[suffix] {
			seen[suffix] = true
			objects = append(objects, Object{Name: name, Suffix: suffix, Dir: suffix + "/" + hash})
		}
	}
	return objects
}

// Path is the path of one of the object's files.
func (o Object) Path(timestamp, ext string) string { return o.Dir + "/" + timestamp + ext }

// Data is the object's data file.
func (o Object) Data(timestamp, body string) File {
	sum := md5.Sum([]byte(body))
	return File{Data: body, Metadata: pickle(
		"name", o.Name, "X-Timestamp", timestamp, "Content-Type", "text/plain",
		"Content-Length", strconv.Itoa(len(body)), "ETag", hex.EncodeToString(sum[:]))}
}

// Meta is a metadata file of the object.
func (o Object) Meta(timestamp, color string) File {
	return File{Metadata: pickle("name", o.Name, "X-Timestamp", timestamp, "X-Object-Meta-Color", color)}
}

// Tombstone is the object's tombstone.
func (o Object) Tombstone(timestamp string) File {
	return File{Metadata: pickle("name", o.Name, "X-Timestamp", timestamp)}
}

// pickle writes a dictionary of strings as Swift stores metadata: protocol 2.
func pickle(pairs ...string) string {
	var b strings.Builder
	b.WriteString("\x80\x02}(")
	for _, s := range pairs {
		fmt.Fprintf(&b, "X%s%s", binary.LittleEndian.AppendUint32(nil, uint32(len(s))), s)
	}
	b.WriteString("u.")
	return b.String()
}
