package sim

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestMain begins anew without the preemption of goroutines: it comes by real time, of
// which a seed knows nothing. The runtime takes this from its environment only.
func TestMain(m *testing.M) {
	const off = "asyncpreemptoff=1"
	if had := os.Getenv("GODEBUG"); !strings.Contains(had, off) {
		if err := os.Setenv("GODEBUG", strings.TrimPrefix(had+","+off, ",")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		self, err := os.Executable()
		if err == nil {
			err = syscall.Exec(self, os.Args, os.Environ())
		}
		fmt.Fprintln(os.Stderr, "begin anew:", err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}
