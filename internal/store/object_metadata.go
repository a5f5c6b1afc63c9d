package store

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/metadata"
)

// readMetadata reads an object file's metadata through the file system's seam.
// Errors wrap metadata.ErrMissing, metadata.ErrCorrupt, or only the errno.
// Swift: obj/diskfile.py read_metadata.
//
// Unlike Swift: an error other than "no such attribute" ends the reading. Swift
// takes it for the end of the chunks, finds the metadata cut short and quarantines
// the object, although only the disk may be ill.
func readMetadata(f File) (metadata.Metadata, error) {
	file, ok := f.(ObjectFile)
	if !ok {
		return nil, metadata.ErrNotSupported
	}
	buffer := make([]byte, 2048)
	var raw []byte
	for i := 0; ; i++ {
		name := metadata.Attribute
		if i > 0 {
			name += strconv.Itoa(i)
		}
		chunk, err := attribute(file, name, &buffer)
		if is(err, unix.ENODATA) && i == 0 {
			return nil, metadata.ErrMissing
		}
		if is(err, unix.ENODATA) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(raw)+len(chunk) > metadata.MaxSize || len(chunk) == 0 && i > 0 {
			return nil, fmt.Errorf("%w: more than %d bytes, or an empty part", metadata.ErrCorrupt, metadata.MaxSize)
		}
		raw = append(raw, chunk...)
	}
	sum, err := attribute(file, metadata.ChecksumAttribute, &buffer)
	switch {
	case is(err, unix.ENODATA): // older than checksums
	case err != nil:
		return nil, err
	case len(sum) > 0 && string(sum) != metadata.Checksum(raw):
		return nil, fmt.Errorf("%w: Metadata checksum mismatch: stored checksum='%.40s', computed='%s'",
			metadata.ErrCorrupt, sum, metadata.Checksum(raw))
	}
	return metadata.Decode(raw)
}

// attribute reads one attribute into a buffer that grows to the largest that Linux
// knows. The result holds until the next call.
func attribute(f ObjectFile, name string, buffer *[]byte) ([]byte, error) {
	for {
		n, err := f.Attribute(name, *buffer)
		if is(err, unix.ERANGE) && len(*buffer) < metadata.ChunkSize {
			*buffer = make([]byte, metadata.ChunkSize)
			continue
		}
		if err != nil {
			return nil, err
		}
		return (*buffer)[:n], nil
	}
}
