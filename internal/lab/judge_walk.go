package lab

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"understudy/internal/swift/metadata"
)

// rsyncTemp is the name of a file that an rsync has not finished.
// Swift: obj/diskfile.py RE_RSYNC_TEMPFILE.
var rsyncTemp = regexp.MustCompile(`^\..*\.[a-zA-Z0-9_]{6}$`)

// walk reads a policy's partitions on a device.
func (j *judge) walk(s Spot, p *WorldPolicy) error {
	base := s.Path(j.root)
	top := filepath.Join(base, p.Dir())
	return filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path == top:
			return fs.SkipAll // a new disk to which nobody has come
		case err != nil:
			return err
		}
		rel := strings.TrimPrefix(path, base+"/")
		parts := strings.Split(rel, "/")
		switch {
		case e.IsDir() && len(parts) == 2 && !inRing(parts[1], p):
			return fs.SkipDir // see debris
		case !e.IsDir() && len(parts) == 5:
			return j.file(s, rel, parts[4])
		case !e.IsDir() && len(parts) == 4:
			j.add(Wrong, nil, s, rel, "a file in the place of an object")
		}
		return nil
	})
}

// inRing tells whether a name is that of a partition of the ring.
func inRing(name string, p *WorldPolicy) bool {
	part, err := strconv.ParseUint(name, 10, 32)
	return err == nil && strconv.FormatUint(part, 10) == name && part < uint64(p.Partitions())
}

// file takes note of a file in the place where objects' files are.
func (j *judge) file(s Spot, rel, base string) error {
	o := j.objects[filepath.Dir(rel)]
	_, objects := parseName(base)
	j.note(s, rel, base, objects)
	switch {
	case rsyncTemp.MatchString(base):
		j.temporary(s, rel)
		return nil
	case !objects:
		return nil // foreign: see debris
	case o == nil || o.file(base) == nil:
		j.add(Wrong, o, s, rel, "nobody wrote such a file")
		return nil
	}
	why, err := wrongWith(filepath.Join(s.Path(j.root), rel), o.file(base))
	if err != nil {
		return err
	}
	c := j.copies[o][s]
	if c == nil {
		c = &held{}
		j.copies[o][s] = c
	}
	if why == "" {
		c.whole = append(c.whole, base)
		return nil
	}
	c.bad = append(c.bad, base)
	if !slices.Contains(o.Torn, s) {
		j.add(Wrong, o, s, rel, "%s", why)
	}
	return nil
}

// note keeps names for the suffix hashes. A directory that holds only what is
// not hashed still keeps its suffix.
func (j *judge) note(s Spot, rel, base string, hashed bool) {
	hash := filepath.Dir(rel)
	suffix := filepath.Dir(hash)
	key := partKey(s, filepath.Dir(suffix))
	if j.names[key] == nil {
		j.names[key] = map[string]map[string][]string{}
	}
	suffix = filepath.Base(suffix)
	if j.names[key][suffix] == nil {
		j.names[key][suffix] = map[string][]string{}
	}
	hash = filepath.Base(hash)
	files := j.names[key][suffix][hash]
	if hashed {
		files = append(files, base)
	}
	j.names[key][suffix][hash] = files
}

func partKey(s Spot, dir string) string { return s.String() + "/" + dir }

// temporary complains about a planted temporary file on another device.
func (j *judge) temporary(s Spot, rel string) {
	here, elsewhere := false, false
	for _, d := range j.world.Debris {
		if d.Path == rel {
			here, elsewhere = here || d.Spot == s, elsewhere || d.Spot != s
		}
	}
	if elsewhere && !here {
		j.add(Touched, nil, s, rel, "a temporary file was copied to here")
	}
}

// wrongWith reads a file and tells how it differs from what was written.
func wrongWith(path string, want *File) (why string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	switch {
	case err != nil:
		return "", err
	case size != want.Size:
		return fmt.Sprintf("it has %d bytes instead of %d", size, want.Size), nil
	case [sha256.Size]byte(sum.Sum(nil)) != want.SHA256:
		return "its content is another", nil
	}
	m, err := metadata.Read(f)
	if err != nil {
		return err.Error(), nil
	}
	return metadataDiffers(m, want.Metadata), nil
}

// debris judges what nobody was to touch.
func (j *judge) debris() error {
	planted := map[string]bool{}
	for _, d := range j.world.Debris {
		path := filepath.Join(d.Spot.Path(j.root), d.Path)
		planted[path] = true
		if !d.Keep {
			continue
		}
		content, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			j.add(Touched, nil, d.Spot, d.Path, "it is gone")
		case err != nil:
			return err
		case string(content) != d.Content:
			j.add(Touched, nil, d.Spot, d.Path, "its content is another")
		}
	}
	for _, d := range j.world.Debris {
		if d.Alone {
			top, _, _ := strings.Cut(d.Path, "/")
			j.alone(d.Spot, top, planted)
		}
	}
	return nil
}

// alone complains about files in a tree that nobody was to add to.
func (j *judge) alone(s Spot, top string, planted map[string]bool) {
	base := s.Path(j.root)
	_ = filepath.WalkDir(filepath.Join(base, top), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !planted[path] {
			j.add(Touched, nil, s, strings.TrimPrefix(path, base+"/"), "something was added here")
		}
		return nil // what is gone was told
	})
}
