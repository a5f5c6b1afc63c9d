package inspect

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"understudy/internal/swift/diskfile"
	"understudy/internal/swift/hashpath"
	"understudy/internal/swift/metadata"
	"understudy/internal/swift/timestamp"
)

// ObjectOptions say how an object's directory is looked at.
type ObjectOptions struct {
	Verify     bool             // read the body and compare its md5
	ReclaimAge time.Duration    // of tombstones
	Now        time.Time        // ages are counted to it
	Paths      *hashpath.Hasher // to tell whether the object is where its name belongs; nil: not told
}

// HashDir is what is in the directory of one object.
type HashDir struct {
	Path     string       `json:"path"`
	State    string       `json:"state"`    // "object", "deleted" or "nothing"
	Files    []ObjectFile `json:"files"`    // as their names sort
	Problems []string     `json:"problems"` // for which an auditor or a reader would refuse it
}

// ObjectFile is one file of the directory.
type ObjectFile struct {
	Name     string     `json:"name"`
	Part     string     `json:"part"` // what Swift takes it for: one of the Part constants
	Time     string     `json:"timestamp,omitempty"`
	Date     *time.Time `json:"date,omitempty"`
	Size     int64      `json:"size"`
	Metadata []Item     `json:"metadata,omitempty"`
	MD5      string     `json:"md5,omitempty"` // of the body, with Verify
	Problem  string     `json:"problem,omitempty"`
}

// Item is one name and value of metadata. Bytes that are no UTF-8 are written \xNN, and
// then a backslash is \\.
type Item struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Escaped bool   `json:"escaped,omitempty"`
}

// What an ObjectFile can be.
const (
	PartData      = "data"         // the object's content
	PartMeta      = "metadata"     // newest metadata of a POST
	PartType      = "content type" // a POST whose content type is newer
	PartTombstone = "tombstone"
	PartObsolete  = "obsolete"   // overtaken: the next look at the suffix removes it
	PartReclaimed = "reclaimed"  // a tombstone past its age: the same
	PartForeign   = "unexpected" // no file of an object: nobody touches it
)

// maxNames bounds the files of a hash directory that are told.
const maxNames = 1000

// ReadHashDir looks at an object's directory by the rules of Swift. What is wrong with
// a file is told with it; the error is that the directory cannot be listed.
func ReadHashDir(ctx context.Context, dir string, o ObjectOptions) (*HashDir, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list object: %w", err)
	}
	if len(entries) > maxNames {
		return nil, fmt.Errorf("list object: %s has %d files, more than %d", dir, len(entries), maxNames)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	var set diskfile.Set
	set.Read(names, o.Now, o.ReclaimAge)
	h := &HashDir{Path: dir, State: "nothing", Files: []ObjectFile{}, Problems: []string{}}
	switch {
	case set.Data != nil:
		h.State = "object"
	case set.TS != nil || set.Reclaim != "":
		h.State = "deleted"
	}
	for _, e := range entries {
		f := ObjectFile{Name: e.Name(), Part: partOf(&set, e.Name())}
		f.look(ctx, dir, o)
		h.Files = append(h.Files, f)
	}
	h.judge()
	return h, nil
}

func partOf(set *diskfile.Set, name string) string {
	is := func(i *diskfile.Info) bool { return i != nil && i.Name == name }
	switch {
	case is(set.Data):
		return PartData
	case is(set.Meta):
		return PartMeta
	case is(set.CType):
		return PartType
	case is(set.TS):
		return PartTombstone
	case set.Reclaim == name:
		return PartReclaimed
	case slices.Contains(set.Unexpected, name):
		return PartForeign
	}
	return PartObsolete
}

// current tells whether a file is part of what the object is.
func (f *ObjectFile) current() bool {
	return f.Part == PartData || f.Part == PartMeta || f.Part == PartType || f.Part == PartTombstone
}

func (f *ObjectFile) look(ctx context.Context, dir string, o ObjectOptions) {
	if info, err := diskfile.ParseName(f.Name); err == nil {
		f.Time = info.Time.Internal()
		if at, ok := dateOf(info.Time); ok {
			f.Date = &at
		}
	}
	path := filepath.Join(dir, f.Name)
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		f.Problem = err.Error()
		return
	case !info.Mode().IsRegular():
		f.Problem = "not a regular file"
		return
	}
	f.Size = info.Size()
	if f.Part == PartForeign {
		return
	}
	m, err := metadata.ReadPath(path)
	if err != nil {
		f.Problem = err.Error()
		return
	}
	for _, pair := range m {
		f.Metadata = append(f.Metadata, itemOf(pair))
	}
	f.check(ctx, path, m, o)
}

// check compares a file with what its metadata says of it.
// Swift: obj/diskfile.py DiskFile._verify_data_file, _verify_name_matches_hash.
func (f *ObjectFile) check(ctx context.Context, path string, m metadata.Metadata, o ObjectOptions) {
	if text, ok := m.Get("X-Timestamp"); !ok {
		f.Problem = "metadata has no X-Timestamp"
	} else if at, err := timestamp.Parse(text); err != nil {
		f.Problem = "metadata has an X-Timestamp that is none: " + itemOf(metadata.Pair{Value: text}).Value
	} else if at.Internal() != f.Time {
		f.Problem = "metadata is of " + at.Internal() + ", not of the time in the name"
	}
	if !strings.HasSuffix(f.Name, ".data") {
		return
	}
	name, ok := m.Get("name")
	switch {
	case !ok:
		f.Problem = "metadata has no name"
	case o.Paths != nil:
		f.Problem = either(misplaced(path, name, o.Paths), f.Problem)
	}
	length, ok := m.Get("Content-Length")
	if n, err := strconv.ParseInt(length, 10, 64); !ok || err != nil {
		f.Problem = either("metadata has no Content-Length", f.Problem)
	} else if n != f.Size {
		f.Problem = fmt.Sprintf("Content-Length is %d, the file has %d bytes", n, f.Size)
	}
	if o.Verify {
		f.verify(ctx, path, m)
	}
}

// misplaced tells whether an object lies in another directory than its name's.
func misplaced(path, name string, paths *hashpath.Hasher) string {
	parts := strings.SplitN(name, "/", 4)
	if len(parts) != 4 || parts[0] != "" {
		return "metadata has no name of an object"
	}
	sum := paths.Hash(parts[1], parts[2], parts[3])
	want := fmt.Sprintf("%x", sum)
	dir := filepath.Dir(path)
	switch {
	case filepath.Base(dir) != want:
		return "its name belongs into " + want
	case filepath.Base(filepath.Dir(dir)) != hashpath.Suffix(sum):
		return "its directory belongs into suffix " + hashpath.Suffix(sum)
	}
	return ""
}

func either(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// judge gathers what is wrong with the object as it is now.
func (h *HashDir) judge() {
	for _, f := range h.Files {
		if f.Problem != "" && f.current() {
			h.Problems = append(h.Problems, f.Name+": "+f.Problem)
		}
	}
}

// dateOf is the date that a timestamp stands for.
func dateOf(t timestamp.Timestamp) (time.Time, bool) {
	at := time.UnixMicro(t.Raw * 10).UTC()
	return at, at.Year() <= 9999 // what JSON can write
}

// itemOf makes text of raw bytes.
func itemOf(p metadata.Pair) Item {
	name, a := escape(p.Name)
	value, b := escape(p.Value)
	return Item{Name: name, Value: value, Escaped: a || b}
}

func escape(raw string) (string, bool) {
	if strings.ToValidUTF8(raw, "") == raw {
		return raw, false
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '\\':
			b.WriteString(`\\`)
		case c < 0x80:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String(), true
}
