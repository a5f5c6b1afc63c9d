package server

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ringSums are the checksums of those ring files that exist; null for one that
// cannot be read.
func (r Recon) ringSums(context.Context) (any, error) {
	sums := map[string]*string{}
	for _, path := range r.Rings {
		sum, err := md5File(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		sums[path] = sum
	}
	return sums, nil
}

func (r Recon) confSum(context.Context) (any, error) {
	sum, _ := md5File(r.SwiftConf) // null says it
	return map[string]*string{r.SwiftConf: sum}, nil
}

// md5File is the checksum of a regular file, or nil.
func md5File(path string) (*string, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := md5.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	return &sum, nil
}

// devices are the names in the devices directory; null when it cannot be listed.
func (r Recon) devices(context.Context) (any, error) {
	var names []string
	if entries, err := os.ReadDir(r.Devices); err == nil {
		names = []string{}
		for _, e := range entries {
			names = append(names, e.Name())
		}
	}
	return map[string][]string{r.Devices: names}, nil
}
