package node

import (
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"understudy/internal/swift/hashes"
)

// Every partition has one suffix with one empty object, named so that all partitions
// hash alike. The tree below the partition is there in one of sixteen; in the others
// only hashes.pkl tells of it, which is what a pass in sync reads.
const (
	suffix    = "abc"
	timestamp = "1700000000.00000"
	treeEvery = 16
)

// agreed is what the node and its peers have in every partition.
var agreed = map[string]string{suffix: fmt.Sprintf("%x", md5.Sum([]byte(timestamp+".data")))}

// fill makes the disks and their partitions, all disks at a time.
func (n *Node) fill() error {
	uid, gid, err := swiftIDs()
	if err != nil {
		return err
	}
	f := filler{uid: uid, gid: gid}
	if err := errors.Join(f.own(n.path("srv")), f.own(n.path("cache"))); err != nil {
		return err
	}
	if n.spec.Cached {
		cache := hashes.File{Suffixes: agreed, Valid: true, Updated: float64(time.Now().Unix())}
		f.cache = n.path("etc/hashes.pkl")
		if err := os.WriteFile(f.cache, cache.Encode(), 0o644); err != nil {
			return fmt.Errorf("write hashes.pkl: %w", err)
		}
		if err := f.own(f.cache); err != nil {
			return err
		}
	}
	errs := make([]error, n.spec.Disks)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = f.disk(n.Disk(i), n.held[i]) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

type filler struct {
	uid, gid int
	cache    string // a hashes.pkl of which all partitions have a link; empty: they have none
}

func (f filler) own(path string) error {
	if err := os.Chown(path, f.uid, f.gid); err != nil {
		return fmt.Errorf("give to the daemons' user: %w", err)
	}
	return nil
}

func (f filler) dir(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return fmt.Errorf("fill a disk: %w", err)
	}
	return f.own(path)
}

func (f filler) disk(path string, partitions []uint32) error {
	if err := f.dir(path); err != nil {
		return err
	}
	objects := filepath.Join(path, "objects")
	if err := f.dir(objects); err != nil {
		return err
	}
	for _, part := range partitions {
		dir := objects + "/" + strconv.FormatUint(uint64(part), 10)
		if err := f.dir(dir); err != nil {
			return err
		}
		if f.cache == "" {
			continue
		}
		if err := f.cached(dir, part); err != nil {
			return err
		}
	}
	return nil
}

// cached leaves a partition as an earlier pass has left it.
func (f filler) cached(dir string, part uint32) error {
	if err := os.Link(f.cache, dir+"/hashes.pkl"); err != nil {
		return fmt.Errorf("fill a disk: %w", err)
	}
	if err := f.file(dir + "/.lock"); err != nil {
		return err
	}
	if part%treeEvery != 0 {
		return nil
	}
	if err := f.dir(dir + "/" + suffix); err != nil {
		return err
	}
	object := fmt.Sprintf("%s/%s/%08x%021d%s", dir, suffix, part, 0, suffix)
	if err := f.dir(object); err != nil {
		return err
	}
	return f.file(object + "/" + timestamp + ".data")
}

func (f filler) file(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("fill a disk: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("fill a disk: %w", err)
	}
	return f.own(path)
}
