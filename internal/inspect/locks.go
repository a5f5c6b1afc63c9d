package inspect

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"understudy/internal/store"
)

// partitionLock is the file that a revert job and a receiver of SSYNC lock.
const partitionLock = ".lock-" + store.ReplicationLock

// heldBy tells which process holds a flock(2) on a file. It asks the kernel's list and
// takes no lock: even for a moment that would keep a job away.
func heldBy(path string) (pid int, held bool) {
	var file unix.Stat_t
	if unix.Stat(path, &file) != nil {
		return 0, false
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0, false
	}
	defer locks.Close()
	inode := fmt.Sprintf("%02x:%02x:%d", unix.Major(file.Dev), unix.Minor(file.Dev), file.Ino)
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		// "1: FLOCK  ADVISORY  WRITE 4711 08:01:131073 0 EOF"; one that waits has "->".
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[1] != "FLOCK" || f[5] != inode {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil {
			return pid, true
		}
	}
	return 0, false
}
