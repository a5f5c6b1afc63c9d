package inspect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/hashes"
)

const (
	hashFile    = "hashes.pkl"
	invalidFile = "hashes.invalid"
	maxInvalid  = 16 << 20 // bytes; the engine reads no longer one either
)

// Cache is what a partition remembers of its suffix hashes, beside what is there.
type Cache struct {
	Dir     string            `json:"dir"`
	State   string            `json:"state"`             // "valid", "not valid", "missing" or "unreadable"
	Why     string            `json:"why,omitempty"`     // what keeps it from being read
	Updated *time.Time        `json:"updated,omitempty"` // when it was written, as it says itself
	Hashes  map[string]string `json:"hashes"`            // suffix to md5 in hex; "" is to be hashed afresh

	Invalid      []string `json:"invalid"`                 // suffixes that hashes.invalid names
	InvalidLines int      `json:"invalid_lines"`           // of hashes.invalid, junk included
	InvalidWhy   string   `json:"invalid_error,omitempty"` // what keeps hashes.invalid from being read

	Unlisted []string `json:"unlisted"` // suffix directories that the cache does not know
	Gone     []string `json:"gone"`     // suffixes of the cache without a directory
	Stale    []string `json:"stale"`    // suffixes that the next look hashes afresh
}

// ReadCache reads hashes.pkl and hashes.invalid of a partition's directory and
// compares them with the suffix directories. Its error is that the directory cannot
// be listed; what is wrong with a file is in the Cache.
func ReadCache(dir string) (*Cache, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list partition: %w", err)
	}
	c := &Cache{Dir: dir, Hashes: map[string]string{}, Invalid: []string{}, Unlisted: []string{}, Gone: []string{}, Stale: []string{}}
	c.readFile()
	c.readInvalid()
	there := map[string]bool{}
	for _, e := range entries {
		if e.IsDir() && hashes.ValidSuffix(e.Name()) {
			there[e.Name()] = true
			if _, known := c.Hashes[e.Name()]; !known {
				c.Unlisted = append(c.Unlisted, e.Name())
			}
		}
	}
	stale := map[string]bool{}
	for suffix, sum := range c.Hashes {
		if !there[suffix] {
			c.Gone = append(c.Gone, suffix)
		}
		if sum == "" || c.State != "valid" {
			stale[suffix] = true
		}
	}
	for _, suffix := range slices.Concat(c.Invalid, c.Unlisted) {
		stale[suffix] = true
	}
	for suffix := range stale {
		c.Stale = append(c.Stale, suffix)
	}
	slices.Sort(c.Gone)
	slices.Sort(c.Stale)
	return c, nil
}

func (c *Cache) readFile() {
	data, err := readRegular(filepath.Join(c.Dir, hashFile), hashes.MaxSize)
	if err != nil {
		c.State, c.Why = "unreadable", err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			c.State, c.Why = "missing", ""
		}
		return
	}
	f := hashes.Decode(data)
	c.State, c.Hashes = "valid", f.Suffixes
	if !f.Valid {
		c.State = "not valid"
	}
	if f.Updated >= 0 && f.Updated < math.MaxInt32*4 {
		at := time.UnixMicro(int64(f.Updated * 1e6)).UTC()
		c.Updated = &at
	}
}

func (c *Cache) readInvalid() {
	data, err := readRegular(filepath.Join(c.Dir, invalidFile), maxInvalid)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.InvalidWhy = err.Error()
		}
		return
	}
	suffixes, lines := hashes.ParseInvalid(data)
	c.Invalid, c.InvalidLines = append(c.Invalid, suffixes...), lines
}

// readRegular reads a regular file of at most limit bytes. It follows no link and
// waits for no FIFO.
func readRegular(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", path, info.Size(), limit)
	}
	data := make([]byte, info.Size())
	n, err := f.ReadAt(data, 0)
	if n < len(data) && err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}

// ReadCacheIn is ReadCache of a disk that may hang: it waits no longer than timeout.
func ReadCacheIn(ctx context.Context, timeout time.Duration, dir string) (*Cache, error) {
	return within(ctx, timeout, func(context.Context) (*Cache, error) { return ReadCache(dir) })
}
