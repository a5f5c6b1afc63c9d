package cursor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"understudy/messages"
)

const (
	// version is that of the file. It changes when a cursor comes to mean another
	// place for the same numbers.
	version = 1

	// maxSize bounds a file, bytes. A cursor that has met ten thousand failing
	// devices takes a quarter of it.
	maxSize = 1 << 20
)

// form is a file: one line of JSON.
type form struct {
	Version int             `json:"version"`
	CRC32   string          `json:"crc32"` // of the bytes of cursor, 8 hex digits
	Cursor  json.RawMessage `json:"cursor"`
}

var errTooLarge = fmt.Errorf("more than %d bytes", maxSize)

func checksum(data []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(data)) }

func encode(c messages.Cursor) ([]byte, error) {
	c.Begun = c.Begun.UTC() // JSON does not know every zone
	cursor, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(form{version, checksum(cursor), cursor})
	if err != nil {
		return nil, err
	}
	if len(data) >= maxSize {
		return nil, errTooLarge
	}
	return append(data, '\n'), nil
}

func parse(data []byte) (c messages.Cursor, err error) {
	if len(data) > maxSize {
		return c, errTooLarge
	}
	var f form
	if err := decode(data, &f); err != nil {
		return c, err
	}
	if f.Version != version {
		return c, fmt.Errorf("version %d, want %d", f.Version, version)
	}
	if sum := checksum(f.Cursor); f.CRC32 != sum {
		return c, fmt.Errorf("checksum %.8q, want %q", f.CRC32, sum)
	}
	if err := decode(f.Cursor, &c); err != nil {
		return messages.Cursor{}, err
	}
	return c, nil
}

// decode reads one JSON value with known names, and nothing after it.
func decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the cursor")
	}
	return nil
}
