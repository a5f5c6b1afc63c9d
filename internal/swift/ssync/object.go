package ssync

import (
	"io"
	"strconv"
	"strings"

	"understudy/internal/swift/metadata"
)

// Entry is an object as a sender finds it on a disk. Files are the names of its
// files, that of the data file or tombstone first; also those that are kept
// although newer ones say all that they say. Where only metadata waits for its data,
// Data is zero.
type Entry struct {
	Offer
	Files []string
}

// Bases is how many of Files are no metadata: 1, or 0 where only metadata waits.
func (e *Entry) Bases() int {
	if len(e.Files) == 0 || strings.HasSuffix(e.Files[0], ".meta") {
		return 0
	}
	return 1
}

// Object is an object opened to be sent. Its metadata was proven to belong to it.
type Object struct {
	Entry
	Name     string            // /account/container/object, raw bytes
	Deleted  bool              // there is no data: Data is a tombstone's, or zero
	DataMeta metadata.Metadata // of the data file or the tombstone
	PostMeta metadata.Metadata // of POSTs, with the newest content type; nil for none
	Size     int64             // of the data file, as its metadata says too
	ETag     string            // md5 of the body in hex, as written at its upload
	Body     Body
}

// Body is an open data file.
type Body interface {
	io.ReaderAt
	// Descriptor is for a system call that reads the file itself. False when there
	// is none, or when reads must not go past this value.
	Descriptor() (fd int, ok bool)
	Close() error
}

// Close closes the body.
func (o *Object) Close() error {
	if o.Body == nil {
		return nil
	}
	return o.Body.Close()
}

// Put is the subrequest that carries the data file, whose body follows it.
// Swift: obj/ssync_sender.py send_put.
func (o *Object) Put() Subrequest {
	s := Subrequest{Method: "PUT", Path: o.Name, Headers: make(metadata.Metadata, 0, len(o.DataMeta)+1)}
	for _, p := range o.DataMeta {
		if p.Name != "name" && p.Name != "Content-Length" {
			s.Headers = append(s.Headers, p)
		}
	}
	s.Headers = append(s.Headers, metadata.Pair{Name: "Content-Length", Value: strconv.FormatInt(o.Size, 10)})
	if o.NotDurable {
		s.Headers = append(s.Headers, metadata.Pair{Name: "X-Backend-No-Commit", Value: "True"})
	}
	return s
}

// Post is the subrequest that carries the metadata of POSTs.
// Swift: obj/ssync_sender.py send_post.
func (o *Object) Post() Subrequest {
	s := Subrequest{Method: "POST", Path: o.Name, Headers: make(metadata.Metadata, 0, len(o.PostMeta))}
	for _, p := range o.PostMeta {
		if p.Name != "name" {
			s.Headers = append(s.Headers, p)
		}
	}
	return s
}

// Delete is the subrequest that carries a tombstone.
// Swift: obj/ssync_sender.py send_delete.
func (o *Object) Delete() Subrequest {
	return Subrequest{Method: "DELETE", Path: o.Name, Headers: metadata.Metadata{{Name: "X-Timestamp", Value: o.Data.Internal()}}}
}
