// Package recon writes the recon cache: the file of one line of JSON that Swift's
// daemons share and that its recon middleware and swift-recon read. The auditor,
// the updater, the expirer and we all change it, so every change is a read, a
// merge and a rename under one lock.
package recon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// FileName is the cache of the object server's daemons.
const FileName = "object.recon"

// maxLine bounds what is read of a cache, bytes. One device takes some 500.
const maxLine = 16 << 20

// Cache is a recon cache file. It is safe for concurrent use, also by other
// processes.
type Cache struct {
	path string
}

// New names the object cache in a directory (recon_cache_path). It touches
// nothing; the directory is never made.
func New(dir string) *Cache { return &Cache{path: filepath.Join(dir, FileName)} }

// Update merges entries into the file. A value replaces what was there. A map is
// merged one level deep: its values replace those of the same key. An empty map
// deletes: as an entry the whole entry, as a value within a map that one key.
// Swift: common/utils.py dump_recon_cache
//
// Values are nil, bool, strings, numbers, and maps and slices of them.
func (c *Cache) Update(ctx context.Context, entries map[string]any) error {
	update, err := convertEntries(entries)
	if err != nil {
		return err
	}
	return c.change(ctx, func(cache object) bool {
		merge(cache, update)
		return true
	})
}

// Keep deletes from the map under key all but some of its entries: those of
// devices that have left while nobody looked. Swift: obj/replicator.py
// aggregate_recon_update
func (c *Cache) Keep(ctx context.Context, key string, names []string) error {
	return c.change(ctx, func(cache object) bool {
		held, _ := cache[key].(object)
		before := len(held)
		for name := range held {
			if !slices.Contains(names, name) {
				delete(held, name)
			}
		}
		return len(held) != before
	})
}

// change reads the file, has it changed and, if f says that it was, writes it.
func (c *Cache) change(ctx context.Context, f func(object) bool) error {
	file, err := lock(ctx, c.path)
	if err != nil {
		return err
	}
	defer file.Close() // and with it the lock
	held, err := readFirstLine(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.path, err)
	}
	cache, err := load(held)
	if err != nil {
		return fmt.Errorf("update %s: %w", c.path, err)
	}
	if !f(cache) {
		return nil
	}
	return replace(c.path, append(encode(nil, cache), '\n'))
}

// load reads what a cache file holds. A line that is no JSON counts as empty, and
// will be replaced; JSON that is no object is left alone, which is an error.
func load(line []byte) (object, error) {
	if len(line) == 0 {
		return object{}, nil
	}
	v, err := parse(line)
	switch {
	case errors.Is(err, errTooDeep):
		return nil, err
	case err != nil:
		return object{}, nil
	}
	cache, ok := v.(object)
	if !ok {
		return nil, errors.New("the recon cache holds no JSON object")
	}
	return cache, nil
}

// merge changes a cache. Swift: common/utils.py put_recon_cache_entry
func merge(cache, update object) {
	for key, v := range update {
		entry, isObject := v.(object)
		if !isObject {
			cache[key] = v
			continue
		}
		if len(entry) == 0 {
			delete(cache, key)
			continue
		}
		held, ok := cache[key].(object)
		if !ok {
			held = object{}
			cache[key] = held
		}
		for k, sub := range entry {
			if o, ok := sub.(object); ok && len(o) == 0 {
				delete(held, k)
			} else {
				held[k] = sub
			}
		}
	}
}

// readFirstLine returns the first line: readers look no further.
func readFirstLine(f *os.File) ([]byte, error) {
	r := bufio.NewReader(io.LimitReader(f, maxLine+1))
	line, err := r.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(line) > maxLine {
		return nil, fmt.Errorf("a line of more than %d bytes", maxLine)
	}
	return line, nil
}

// replace puts a new file in the place of the old one. Readers see one or the
// other. It is not synced: the next pass writes it again.
func replace(path string, data []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), "tmp*")
	if err != nil {
		return fmt.Errorf("create recon cache: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	if _, err = temp.Write(data); err != nil {
		_ = temp.Close()
		return fmt.Errorf("write recon cache: %w", err)
	}
	if err = temp.Close(); err != nil {
		return fmt.Errorf("write recon cache: %w", err)
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("publish recon cache: %w", err)
	}
	return nil
}
