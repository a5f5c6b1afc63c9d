package ring

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Bounds of what is accepted. Real rings are far below: 2^23 partitions in
// three copies take 48 MiB.
const (
	maxInflated  = 512 << 20 // bytes of a ring file without its compression
	maxJSON      = 32 << 20  // bytes of a description
	maxDevices   = 1 << 17
	maxRows      = 1024
	minPartShift = 4 // part power 28: more does not fit into maxInflated

	// maxRatio is a little more than the 1032 that deflate can reach.
	maxRatio = 1040
)

var (
	errTruncated = errors.New("the file is truncated")
	errBomb      = errors.New("the file inflates to more than is allowed")
)

// Load reads a ring file of format 1 or 2. The whole file is read and its
// checksums are checked before anything of it is believed. The error names the file.
//
// Unlike Swift: a table that ends early is an error (but for the last row, which
// may be short), and so are slots on devices that do not exist; Swift loads both
// and fails later. Format 0, a pickle, is not read.
func Load(path string) (*Ring, error) {
	r, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("load ring %s: %w", path, err)
	}
	return r, nil
}

func load(path string) (*Ring, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hang us
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	r, err := parse(f, info.Size())
	if err != nil {
		return nil, err
	}
	r.stamp = stampOf(info)
	return r, nil
}

// StampFile is the state of a file now.
func StampFile(path string) (Stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Stamp{}, fmt.Errorf("stat ring %s: %w", path, plain(err))
	}
	return stampOf(info), nil
}

func stampOf(info os.FileInfo) Stamp {
	s := Stamp{MTime: info.ModTime().UnixNano(), Size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.Inode, s.Dev = st.Ino, st.Dev
	}
	return s
}

// plain drops the path that os puts into its errors: Load names it once.
func plain(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// parse reads a compressed ring.
func parse(file io.ReaderAt, size int64) (*Ring, error) {
	in, err := open(file, size)
	if err != nil {
		return nil, err
	}
	var head [6]byte
	if err := in.full(head[:]); err != nil {
		return nil, err
	}
	if string(head[:4]) != "R1NG" {
		if head[0] == 0x80 || head[0] == '(' {
			return nil, errors.New("it is a pickled ring (format 0, before Swift 1.7): write it again with swift-ring-builder")
		}
		return nil, fmt.Errorf("it is not a ring file (it begins with %q)", head[:4])
	}
	r := &Ring{nextPartPower: -1}
	switch version := binary.BigEndian.Uint16(head[4:]); version {
	case 1:
		err = r.parseV1(in)
	case 2:
		err = r.parseV2(file, size, in)
	default:
		err = fmt.Errorf("the ring format version %d is not known", version)
	}
	if err != nil {
		return nil, err
	}
	return r, r.finish()
}

// source is the inflated content of a ring file, up to its bound.
type source struct {
	gz    *gzip.Reader
	pos   int64 // bytes read so far
	limit int64
}

func open(file io.ReaderAt, size int64) (*source, error) {
	gz, err := gzip.NewReader(bufio.NewReaderSize(io.NewSectionReader(file, 0, size), 64<<10))
	if err != nil {
		return nil, truncated(err)
	}
	gz.Multistream(false)
	limit := int64(maxInflated)
	if size < maxInflated/maxRatio {
		limit = size * maxRatio
	}
	return &source{gz: gz, limit: limit}, nil
}

// left is the most that may still follow.
func (s *source) left() int64 { return s.limit - s.pos }

// Read ends with io.EOF only when the checksum of the file was right.
func (s *source) Read(p []byte) (int, error) {
	if s.left() <= 0 {
		var one [1]byte
		if n, err := s.gz.Read(one[:]); n == 0 && err == io.EOF {
			return 0, io.EOF
		}
		return 0, errBomb
	}
	n, err := s.gz.Read(p[:min(int64(len(p)), s.left())])
	s.pos += int64(n)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errTruncated
	}
	return n, err
}

// full fills p.
func (s *source) full(p []byte) error {
	_, err := io.ReadFull(s, p)
	return truncated(err)
}

// truncated is for an end where there should be more.
func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTruncated
	}
	return err
}

// bytes reads a text whose length the file claims to be n.
func (s *source) bytes(n uint64, what string) ([]byte, error) {
	if n > maxJSON {
		return nil, fmt.Errorf("the %s has %d bytes, more than %d", what, n, maxJSON)
	}
	if int64(n) > s.left() {
		return nil, errTruncated
	}
	b := make([]byte, n)
	return b, s.full(b)
}

// skip reads over n bytes.
func (s *source) skip(n int64) error {
	if n > s.left() {
		return errTruncated
	}
	_, err := io.CopyN(io.Discard, s, n)
	return truncated(err)
}

// end checks that nothing is left and that the checksum is right.
func (s *source) end() error {
	var one [1]byte
	n, err := io.ReadFull(s, one[:])
	if n > 0 {
		return errors.New("there are bytes behind the table")
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
