package cluster

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// belowSuffix matches what lies below a suffix: the objects' own files.
var belowSuffix = regexp.MustCompile(`/objects(-\d+)?/\d+/[0-9a-f]{3}/`)

// Files are all files of objects on the node: path below the devices to a digest of
// body and raw metadata.
func (n *Node) Files() (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(n.DevicesRoot(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !belowSuffix.MatchString(path) {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := md5.New()
		for i := range 8 {
			name := "user.swift.metadata"
			if i > 0 {
				name = fmt.Sprintf("%s%d", name, i)
			}
			value := make([]byte, 1<<16)
			size, err := syscall.Getxattr(path, name, value)
			if errors.Is(err, syscall.ENODATA) {
				break
			}
			if err != nil {
				return fmt.Errorf("read metadata of %s: %w", path, err)
			}
			sum.Write(value[:size])
		}
		sum.Write([]byte{0})
		sum.Write(body)
		rel, err := filepath.Rel(n.DevicesRoot(), path)
		files[rel] = hex.EncodeToString(sum.Sum(nil))
		return err
	})
	return files, err
}
