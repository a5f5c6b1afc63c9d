package recon

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// Pick reads a cache file and returns the JSON of an object with some of its
// entries; those that are missing are null. It does so, too, when the file cannot
// be read, which the error tells. Swift: common/middleware/recon.py
// _from_recon_cache, which reads the whole file, not just its first line.
func Pick(path string, keys ...string) ([]byte, error) {
	picked := object{}
	for _, key := range keys {
		picked[key] = nil
	}
	held, err := readAll(path)
	if err == nil {
		for _, key := range keys {
			picked[key] = held[key]
		}
	}
	return encode(nil, picked), err
}

func readAll(path string) (object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read recon cache: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLine+1))
	if err != nil {
		return nil, fmt.Errorf("read recon cache: %w", err)
	}
	if len(data) > maxLine {
		return nil, fmt.Errorf("read recon cache %s: more than %d bytes", path, maxLine)
	}
	v, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("read recon cache %s: %w", path, err)
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("read recon cache " + path + ": no JSON object")
	}
	return o, nil
}
