package metadata

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// The extended attributes. The pickle is cut into chunks: the first is in
// Attribute itself, the next in Attribute1 and so on.
const (
	Attribute         = "user.swift.metadata"
	ChecksumAttribute = "user.swift.metadata_checksum"
	ChunkSize         = 65536 // Linux allows no larger attribute
)

// What can be the matter with the attributes of a file. Errors of Read and Write
// wrap one of these, ErrCorrupt, or only the system call's own.
var (
	ErrMissing      = errors.New("no metadata")
	ErrNotSupported = errors.New("file system does not support extended attributes")
	ErrNoSpace      = errors.New("no space for metadata")
	ErrTooBig       = errors.New("metadata is too big")
)

// chunkName is the attribute of the i'th chunk.
func chunkName(i int) string {
	if i == 0 {
		return Attribute
	}
	return Attribute + strconv.Itoa(i)
}

// Checksum is the md5 in hex that is kept beside pickled metadata.
func Checksum(raw []byte) string {
	sum := md5.Sum(raw)
	return hex.EncodeToString(sum[:])
}

// Read reads the metadata of an open file.
func Read(f *os.File) (Metadata, error) { return decodeOf(f.Name(), fileAttributes(f)) }

// ReadPath reads the metadata of a file that need not be open. It does not
// follow a symbolic link.
func ReadPath(path string) (Metadata, error) { return decodeOf(path, pathAttributes(path)) }

// ReadRaw reads the pickled metadata of an open file after proving its checksum.
func ReadRaw(f *os.File) ([]byte, error) {
	raw, err := readChunks(fileAttributes(f))
	if err != nil {
		return nil, fmt.Errorf("read metadata of %s: %w", f.Name(), err)
	}
	return raw, nil
}

// Write stores metadata in the attributes of an open file. The file should be
// new: a failure leaves part of the attributes behind.
func Write(f *os.File, m Metadata) error { return WriteRaw(f, Encode(m)) }

// WriteRaw stores pickled metadata and its checksum.
func WriteRaw(f *os.File, raw []byte) error {
	if err := writeChunks(fileAttributes(f), raw); err != nil {
		return fmt.Errorf("write metadata of %s: %w", f.Name(), err)
	}
	return nil
}

func decodeOf(name string, a attributes) (Metadata, error) {
	raw, err := readChunks(a)
	if err != nil {
		return nil, fmt.Errorf("read metadata of %s: %w", name, err)
	}
	m, err := Decode(raw)
	if err != nil {
		return nil, fmt.Errorf("read metadata of %s: %w", name, err)
	}
	return m, nil
}

// attributes are the system calls on one file.
type attributes struct {
	get    func(name string, buf []byte) (int, error)
	set    func(name string, value []byte) error
	remove func(name string) error
}

func fileAttributes(f *os.File) attributes {
	fd := func(call func(fd int) error) error {
		conn, err := f.SyscallConn()
		if err != nil {
			return err
		}
		var callErr error
		if err := conn.Control(func(fd uintptr) { callErr = call(int(fd)) }); err != nil {
			return err
		}
		return callErr
	}
	return attributes{
		get: func(name string, buf []byte) (n int, err error) {
			err = fd(func(fd int) error { n, err = unix.Fgetxattr(fd, name, buf); return err })
			return n, err
		},
		set: func(name string, value []byte) error {
			return fd(func(fd int) error { return unix.Fsetxattr(fd, name, value, 0) })
		},
		remove: func(name string) error {
			return fd(func(fd int) error { return unix.Fremovexattr(fd, name) })
		},
	}
}

func pathAttributes(path string) attributes {
	return attributes{get: func(name string, buf []byte) (int, error) { return unix.Lgetxattr(path, name, buf) }}
}

// readChunks joins the chunks and proves the checksum; one that is absent was
// never written, by a Swift that knew none.
//
// Unlike Swift: an error other than "no such attribute" ends the reading. Swift
// takes it for the end of the chunks and then quarantines the object, although
// only the disk may be ill.
func readChunks(a attributes) ([]byte, error) {
	buf := make([]byte, 2048)
	var raw []byte
	for i := 0; ; i++ {
		chunk, err := getAttribute(a, chunkName(i), &buf)
		if errors.Is(err, unix.ENODATA) && i > 0 {
			break
		}
		if err != nil {
			return nil, explain(err)
		}
		if len(raw)+len(chunk) > MaxSize || i > MaxSize/128 {
			return nil, fmt.Errorf("%w: %w: more than %d bytes", ErrCorrupt, ErrTooBig, MaxSize)
		}
		raw = append(raw, chunk...)
	}
	sum, err := getAttribute(a, ChecksumAttribute, &buf)
	switch {
	case errors.Is(err, unix.ENODATA):
	case err != nil:
		return nil, explain(err)
	case len(sum) > 0 && string(sum) != Checksum(raw):
		return nil, fmt.Errorf("%w: checksum is %.40q, of the metadata %q", ErrCorrupt, sum, Checksum(raw))
	}
	return raw, nil
}

// getAttribute reads one attribute into buf, which grows to the largest
// attribute that Linux knows. The result is valid until the next call.
func getAttribute(a attributes, name string, buf *[]byte) ([]byte, error) {
	for {
		n, err := a.get(name, *buf)
		switch {
		case err == nil:
			return (*buf)[:n], nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ERANGE) && len(*buf) < ChunkSize:
			*buf = make([]byte, ChunkSize)
		default:
			return nil, err
		}
	}
}

func writeChunks(a attributes, raw []byte) error {
	if len(raw) > MaxSize {
		return fmt.Errorf("%w: %d bytes, more than %d", ErrTooBig, len(raw), MaxSize)
	}
	sum := Checksum(raw)
	i := 0
	for ; len(raw) > 0; i++ {
		n := min(len(raw), ChunkSize)
		if err := a.set(chunkName(i), raw[:n]); err != nil {
			return explain(err)
		}
		raw = raw[n:]
	}
	// Chunks of longer metadata that the file had before would count as ours.
	if err := a.remove(chunkName(i)); err != nil && !errors.Is(err, unix.ENODATA) {
		return explain(err)
	}
	if err := a.set(ChecksumAttribute, []byte(sum)); err != nil {
		return explain(err)
	}
	return nil
}

// explain joins a system call's error with what it means here.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.ENODATA):
		return ErrMissing
	case errors.Is(err, unix.ENOTSUP):
		return fmt.Errorf("%w: %w", ErrNotSupported, err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case errors.Is(err, unix.E2BIG), errors.Is(err, unix.ERANGE):
		return fmt.Errorf("%w: %w", ErrTooBig, err)
	}
	return err
}
