package lab

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"understudy/internal/swift/metadata"
)

// Check compares every disk with a history: the files of every object on all of
// its primaries, their bytes and metadata, and the suffix hashes, which are made
// from what is on the disks and asked from the servers. No engine may be running.
// The error says that the check itself could not be done.
func (c *Cluster) Check(ctx context.Context, h *History) (*Verdict, error) {
	places := c.places()
	looks := make([]*look, len(places))
	wanted := c.wanted(h)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, p := range places {
		group.Go(func() error {
			looks[i] = newLook(p, wanted[p])
			return looks[i].walk(groupCtx)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("check cluster: %w", err)
	}
	v := c.judge(h, places, looks)
	// Only now: a server that is asked tidies up before it answers.
	hashes, err := c.checkHashes(ctx, h, places, looks)
	if err != nil {
		return nil, fmt.Errorf("check cluster: %w", err)
	}
	v.merge(hashes)
	v.sort()
	return v, nil
}

// wanted are the objects that must be on each disk.
func (c *Cluster) wanted(h *History) map[Place][]*Object {
	all := map[Place][]*Object{}
	for i := range h.Objects {
		o := &h.Objects[i]
		for _, p := range c.Primaries(o.Partition) {
			all[p] = append(all[p], o)
		}
	}
	return all
}

// judge counts copies from the disks' findings. A copy is good when all of its
// files are.
func (c *Cluster) judge(h *History, places []Place, looks []*look) *Verdict {
	v := &Verdict{Objects: len(h.Objects)}
	byPlace := map[Place]*look{}
	for i, p := range places {
		byPlace[p] = looks[i]
		v.merge(&looks[i].found)
	}
	for i := range h.Objects {
		o := &h.Objects[i]
		good := 0
		for _, p := range c.Primaries(o.Partition) {
			v.Copies++
			if byPlace[p].holds(o) {
				good++
			}
		}
		if good == 0 {
			v.add(Lost, o.Name, "", "no right copy on any of its primaries")
		}
		v.Good += good
	}
	return v
}

// look is what is on one disk.
type look struct {
	place  Place
	wanted []*Object
	files  map[string]*File               // of the wanted, in either form, by path
	seen   map[string]bool                // of these
	good   map[string]bool                // seen and right
	names  map[string]map[string][]string // partition/suffix, hash, names of files
	found  Verdict
	buf    []byte
}

func newLook(p Place, wanted []*Object) *look {
	l := &look{
		place: p, wanted: wanted, files: map[string]*File{}, seen: map[string]bool{}, good: map[string]bool{},
		names: map[string]map[string][]string{}, buf: make([]byte, 256<<10),
	}
	for _, o := range wanted {
		for _, form := range [][]File{o.Files, o.Carried} {
			for i := range form {
				l.files[o.path(form[i])] = &form[i]
			}
		}
	}
	return l
}

func (o *Object) path(f File) string { return filepath.Join(o.Dir(), f.Name) }

// form is how an object is here: as it was written or as ssync carried it.
func (l *look) form(o *Object) []File {
	if len(o.Carried) > 0 && all(o.Carried, func(f File) bool { return l.seen[o.path(f)] }) {
		return o.Carried
	}
	return o.Files
}

func (l *look) holds(o *Object) bool {
	return all(l.form(o), func(f File) bool { return l.good[o.path(f)] })
}

func all(files []File, f func(File) bool) bool {
	return !slices.ContainsFunc(files, func(file File) bool { return !f(file) })
}

// What a disk may hold beside objects: locks, cached hashes.
var bookkeeping = regexp.MustCompile(`^(\.lock[^/]*|objects/[0-9]+/(hashes\.pkl|hashes\.invalid|\.lock|\.lock-replication))$`)

// walk looks at every file of the disk.
func (l *look) walk(ctx context.Context) error {
	root := l.place.Path()
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rel := strings.TrimPrefix(path, root+"/")
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // tidied up by somebody meanwhile; what is missing is told below
		case err != nil:
			l.found.add(Wrong, l.place.String(), rel, "%v", err)
			return nil
		case e.IsDir(), bookkeeping.MatchString(rel):
			return nil
		}
		l.note(rel)
		l.compare(path, rel, e)
		return nil
	})
	if err != nil {
		return err
	}
	for _, o := range l.wanted {
		l.complete(o)
	}
	return nil
}

// complete tells what is missing of an object, and what is there in two forms.
func (l *look) complete(o *Object) {
	need := map[string]bool{}
	for _, f := range l.form(o) {
		need[o.path(f)] = true
		if !l.seen[o.path(f)] {
			l.found.add(Short, l.place.String(), o.path(f), "there is no such file")
		}
	}
	for _, f := range slices.Concat(o.Files, o.Carried) {
		if l.seen[o.path(f)] && !need[o.path(f)] {
			l.found.add(Extra, l.place.String(), o.path(f), "another file beside it says it all")
		}
	}
}

// note keeps the names of an object's files for the suffix hashes.
func (l *look) note(rel string) {
	parts := strings.Split(rel, "/")
	if len(parts) != 5 || parts[0] != "objects" {
		return
	}
	suffix, hash := parts[1]+"/"+parts[2], parts[3]
	if l.names[suffix] == nil {
		l.names[suffix] = map[string][]string{}
	}
	l.names[suffix][hash] = append(l.names[suffix][hash], parts[4])
}

func (l *look) compare(path, rel string, e fs.DirEntry) {
	want := l.files[rel]
	l.seen[rel] = want != nil
	switch {
	case want == nil:
		l.found.add(Extra, l.place.String(), rel, "nothing is to be there")
		return
	case !e.Type().IsRegular():
		l.found.add(Wrong, l.place.String(), rel, "it is no regular file")
		return
	}
	n, why, err := l.differs(path, want)
	switch {
	case err != nil:
		l.found.add(Wrong, l.place.String(), rel, "%v", err)
	case why != "":
		l.found.add(Wrong, l.place.String(), rel, "%s", why)
	default:
		l.good[rel] = true
		l.found.Bytes += n
	}
}

// differs reads a file and tells how it differs from what it must be.
func (l *look) differs(path string, want *File) (size int64, why string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	sum := sha256.New()
	size, err = io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{f}, l.buf)
	switch {
	case err != nil:
		return 0, "", err
	case size != want.Size:
		return 0, fmt.Sprintf("it has %d bytes instead of %d", size, want.Size), nil
	case [sha256.Size]byte(sum.Sum(nil)) != want.SHA256:
		return 0, "its content is another", nil
	}
	m, err := metadata.Read(f)
	if err != nil {
		return 0, "", err
	}
	return size, metadataDiffers(m, want.Metadata), nil
}

// metadataDiffers compares without regard to order, which means nothing.
func metadataDiffers(got, want metadata.Metadata) string {
	values := map[string]string{}
	for _, p := range got {
		values[p.Name] = p.Value
	}
	for _, p := range want {
		value, ok := values[p.Name]
		switch {
		case !ok:
			return fmt.Sprintf("its metadata has no %s", p.Name)
		case value != p.Value:
			return fmt.Sprintf("its %s is %q instead of %q", p.Name, value, p.Value)
		}
		delete(values, p.Name)
	}
	for name := range values {
		return fmt.Sprintf("its metadata has %s, which nobody wrote", name)
	}
	return ""
}
