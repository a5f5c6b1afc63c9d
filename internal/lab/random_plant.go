package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"understudy/internal/swift/metadata"
)

// Plant writes the world's devices below a folder. The rings are not part of it:
// see WriteRings and SwiftConf.
func (w *World) Plant(root string) error {
	for _, s := range w.Spots() {
		if err := os.MkdirAll(s.Path(root), 0o755); err != nil {
			return fmt.Errorf("plant world: %w", err)
		}
	}
	for _, o := range w.Objects {
		if err := o.plant(root); err != nil {
			return fmt.Errorf("plant object %s: %w", o.Name, err)
		}
	}
	for _, d := range w.Debris {
		if err := d.plant(root, w.Now); err != nil {
			return fmt.Errorf("plant debris: %w", err)
		}
	}
	for _, c := range w.Caches {
		if err := c.plant(root); err != nil {
			return fmt.Errorf("plant hashes: %w", err)
		}
	}
	return w.plantHarms(root)
}

func (o *WorldObject) plant(root string) error {
	for s, names := range o.Copies {
		for _, name := range names {
			f := o.Files[name]
			if err := plantFile(filepath.Join(s.Path(root), o.Dir()), f, f.body.append(nil)); err != nil {
				return err
			}
		}
	}
	for _, s := range o.Torn {
		f := o.Files[o.Want.Data+".data"]
		if err := plantFile(filepath.Join(s.Path(root), o.Dir()), f, nil); err != nil {
			return err
		}
	}
	return nil
}

func plantFile(dir string, f *File, content []byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, f.Name))
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, metadata.Write(file, f.Metadata), file.Close())
}

func (d Debris) plant(root string, now time.Time) error {
	path := filepath.Join(d.Spot.Path(root), d.Path)
	if d.Dir {
		return os.MkdirAll(path, 0o755)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(d.Content), 0o644)); err != nil {
		return err
	}
	return os.Chtimes(path, time.Time{}, now.Add(-d.Age))
}

func (c Cache) plant(root string) error {
	dir := filepath.Join(c.Spot.Path(root), c.Dir)
	var err error
	if c.Pickle != nil {
		err = os.WriteFile(filepath.Join(dir, "hashes.pkl"), c.Pickle, 0o600)
	}
	if c.Invalid != "" {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "hashes.invalid"), []byte(c.Invalid), 0o644))
	}
	return err
}
