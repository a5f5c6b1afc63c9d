package cursor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// read reads a regular file of at most maxSize bytes.
func read(path string) ([]byte, error) {
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
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%s has %w", path, errTooLarge)
	}
	return data, nil
}

// ensure makes the folder when it is missing.
func (d *Dir) ensure() error {
	err := os.Mkdir(d.path, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = syncDir(filepath.Dir(d.path))
	}
	return err
}

// strays match what a process has left that died while it saved.
const strays = ".*.json.*"

func (d *Dir) removeStrays() {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return // they do no harm
	}
	for _, e := range entries {
		if stray, _ := filepath.Match(strays, e.Name()); stray && e.Type().IsRegular() {
			_ = os.Remove(filepath.Join(d.path, e.Name()))
		}
	}
}

// replace puts a new file in the place of the old one, durably.
func (d *Dir) replace(ctx context.Context, path string, data []byte) error {
	temp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	if err = ctx.Err(); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		_ = os.Remove(temp)
		return err
	}
	return syncDir(d.path)
}

// writeTemp makes a file beside path, with mode 0600. After an error it is gone.
func writeTemp(path string, data []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
