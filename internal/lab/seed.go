package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"understudy/internal/swift/metadata"
	"understudy/messages"
)

// MaxObjects bounds a Draw: what is known of each object stays in memory.
const MaxObjects = 1_000_000

// Seed draws objects and writes them to all of their primaries.
func (c *Cluster) Seed(ctx context.Context, d Draw) (*History, error) {
	if d.Objects < 1 || d.Objects > MaxObjects {
		return nil, fmt.Errorf("seed %d objects: not 1 to %d", d.Objects, MaxObjects)
	}
	objects, err := d.objects(ctx, c.hasher, c.Ring.PartShift())
	if err != nil {
		return nil, fmt.Errorf("draw objects: %w", err)
	}
	h := &History{Objects: objects}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.NumCPU())
	for i := range h.Objects {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			err := c.write(groupCtx, &h.Objects[i])
			if err == nil && d.Written != nil {
				d.Written()
			}
			return err
		})
	}
	if err := cmp.Or(group.Wait(), ctx.Err()); err != nil {
		return nil, fmt.Errorf("seed objects: %w", err)
	}
	return h, nil
}

// write writes an object's files to its primaries and marks its suffix as
// changed there. Swift: obj/diskfile.py DiskFileWriter.put.
func (c *Cluster) write(ctx context.Context, o *Object) error {
	var content []byte
	for i := range o.Files {
		f := &o.Files[i]
		content = f.body.append(content[:0])
		for _, p := range c.Primaries(o.Partition) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := writeFile(p.Path(), o.Dir(), f, content); err != nil {
				return err
			}
		}
	}
	for _, p := range c.Primaries(o.Partition) {
		part := messages.Partition{Device: p.Disk, Number: o.Partition}
		if err := p.Node.store.Invalidate(ctx, part, []string{o.Suffix}); err != nil {
			return err
		}
	}
	return nil
}

// writeFile makes a file beside the objects and moves it into its directory when
// it is whole.
func writeFile(disk, dir string, f *File, content []byte) error {
	dir = filepath.Join(disk, dir)
	tmp := filepath.Join(disk, "tmp")
	if err := errors.Join(os.MkdirAll(tmp, 0o755), os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	file, err := os.CreateTemp(tmp, "")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = metadata.Write(file, f.Metadata)
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, f.Name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
