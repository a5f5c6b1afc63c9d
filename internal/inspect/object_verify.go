package inspect

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"understudy/internal/swift/metadata"
)

// verify reads the body of a data file.
func (f *ObjectFile) verify(ctx context.Context, path string, m metadata.Metadata) {
	sum, err := sumOf(ctx, path)
	if err != nil {
		f.Problem = fmt.Sprintf("read body: %v", err)
		return
	}
	f.MD5 = sum
	if etag, _ := m.Get("ETag"); etag != sum {
		f.Problem = either(fmt.Sprintf("body has md5 %s, ETag is %s", sum, itemOf(metadata.Pair{Value: etag}).Value), f.Problem)
	}
}

func sumOf(ctx context.Context, path string) (string, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash, buffer := md5.New(), make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := file.Read(buffer)
		hash.Write(buffer[:n])
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(hash.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
}
