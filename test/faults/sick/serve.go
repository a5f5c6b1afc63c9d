package sick

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// serving marks a process of this binary that serves a FUSE disk, and names the
// folder behind and the mount point.
const serving = "SICK_SERVE"

// count asks for the number of calls that hang; every other order is a condition.
const count = "count"

// serve mounts and serves a FUSE disk. Orders come as lines on standard input, each
// is answered when it holds; with the input's end the process ends, and every call
// that hangs with it.
func serve(job string) int {
	behind, path, _ := strings.Cut(job, "\n")
	g := newGate()
	if err := mountFuse(behind, path, g); err != nil {
		fmt.Fprintf(os.Stderr, "serve the disk %s: %v\n", path, err)
		return 1
	}
	fmt.Println("mounted")
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		if orders.Text() == count {
			fmt.Println(g.holds())
			continue
		}
		g.become(condition(orders.Text()))
		fmt.Println(orders.Text())
	}
	return 0
}

func mountFuse(behind, path string, g *gate) error {
	root, err := newRoot(behind)
	if err != nil {
		return err
	}
	var at time.Duration // nothing is cached: every call comes here
	o := &fs.Options{AttrTimeout: &at, EntryTimeout: &at, NegativeTimeout: &at}
	server, err := fuse.NewServer(&gated{fs.NewNodeFS(root, o), g}, path, &fuse.MountOptions{
		Name: "sick", FsName: "sick", Options: []string{"default_permissions"},
		AllowOther: true, DirectMountStrict: true,
		// The kernel would read and write the files behind without asking here.
		DisabledCapabilities: fuse.CAP_PASSTHROUGH,
	})
	if err != nil {
		return err
	}
	go server.Serve()
	return server.WaitMount()
}
