package sick

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// node is a file or folder of a FUSE disk. It adds what go-fuse's own lacks for the
// way in which Swift writes objects: a file without a name (O_TMPFILE) belongs to who
// made it, takes attributes, and gets a name in the end.
type node struct {
	fs.LoopbackNode
	nameless int // the descriptor of a file that was born without a name; valid while it has none
}

// newRoot is the root of a disk whose files are those of a folder.
func newRoot(behind string) (*node, error) {
	var st unix.Stat_t
	if err := unix.Stat(behind, &st); err != nil {
		return nil, fmt.Errorf("stat %s: %w", behind, err)
	}
	data := &fs.LoopbackRoot{Path: behind, Dev: st.Dev}
	root := &node{LoopbackNode: fs.LoopbackNode{RootData: data}}
	data.RootNode = root
	return root, nil
}

// WrapChild makes every node of the disk one of ours.
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{LoopbackNode: fs.LoopbackNode{RootData: child.(*fs.LoopbackNode).RootData}}
}

// Tmpfile implements fs.NodeTmpfiler.
func (n *node) Tmpfile(ctx context.Context, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	inode, file, fuseFlags, errno := n.LoopbackNode.Tmpfile(ctx, flags, mode, out)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	fd, _ := file.(*fs.LoopbackFile).PassthroughFd()
	if caller, ok := fuse.FromContext(ctx); ok {
		if err := unix.Fchown(fd, int(caller.Uid), int(caller.Gid)); err != nil {
			_ = unix.Close(fd)
			return nil, nil, 0, fs.ToErrno(err)
		}
		out.Owner = caller.Owner
	}
	inode.Operations().(*node).nameless = fd
	return inode, file, fuseFlags, 0
}

// Setxattr implements fs.NodeSetxattrer.
func (n *node) Setxattr(ctx context.Context, attr string, data []byte, flags uint32) syscall.Errno {
	if !n.hasNoName() {
		return n.LoopbackNode.Setxattr(ctx, attr, data, flags)
	}
	return fs.ToErrno(unix.Fsetxattr(n.nameless, attr, data, int(flags)))
}

// Link implements fs.NodeLinker.
func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	t, ok := target.(*node)
	if !ok || !t.hasNoName() {
		return n.LoopbackNode.Link(ctx, target, name, out)
	}
	path := filepath.Join(n.RootData.Path, n.Path(n.Root()), name)
	err := unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", t.nameless), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return nil, fs.ToErrno(err)
	}
	return n.LoopbackNode.Lookup(ctx, name, out)
}

func (n *node) hasNoName() bool {
	_, parent := n.Parent()
	return parent == nil && n.nameless != 0
}
