// Package cursor keeps where each device stands in its pass, so that another process
// can go on with it. There is one small file for each device, in a folder of its own
// beside the recon cache. A cursor that is lost costs a pass from the beginning, and
// nothing else.
package cursor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"understudy/messages"
)

// Dir is a folder of cursors. It is safe for concurrent use.
type Dir struct {
	path  string
	sweep sync.Once // at the first Save
}

// New names the folder. It touches nothing; Save makes the folder, though not the
// one above it.
func New(dir string) *Dir { return &Dir{path: filepath.Clean(dir)} }

// Load returns a device's cursor, nil when there is none. A file that is not whole,
// or that another version has written, is an error with its name: the device then
// begins its pass anew.
func (d *Dir) Load(ctx context.Context, device string) (*messages.Cursor, error) {
	path, err := d.file(ctx, device)
	if err != nil {
		return nil, fmt.Errorf("read cursor: %w", err)
	}
	data, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read cursor: %w", err)
	}
	c, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("read cursor %s: %w", path, err)
	}
	return &c, nil
}

// Save replaces a device's cursor. When it returns without an error the cursor
// outlives a power cut; before that the old one does.
func (d *Dir) Save(ctx context.Context, device string, cursor messages.Cursor) error {
	path, err := d.file(ctx, device)
	if err != nil {
		return fmt.Errorf("save cursor: %w", err)
	}
	data, err := encode(cursor)
	if err == nil {
		err = d.ensure()
	}
	if err == nil {
		d.sweep.Do(d.removeStrays)
		err = d.replace(ctx, path, data)
	}
	if err != nil {
		return fmt.Errorf("save cursor %s: %w", path, err)
	}
	return nil
}

// Clear forgets a device's cursor. It is no error when there is none.
func (d *Dir) Clear(ctx context.Context, device string) error {
	path, err := d.file(ctx, device)
	if err == nil {
		err = os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err == nil {
		err = syncDir(d.path)
	}
	if err != nil {
		return fmt.Errorf("clear cursor: %w", err)
	}
	return nil
}

// file is the path of a device's file. A name that could lead elsewhere, or that
// could be one of a temporary file, is refused.
func (d *Dir) file(ctx context.Context, device string) (string, error) {
	if device == "" || device[0] == '.' || strings.ContainsAny(device, "/\x00") {
		return "", fmt.Errorf("%.60q is no device's name", device)
	}
	return filepath.Join(d.path, device+".json"), ctx.Err()
}
