//go:build soak

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"time"
)

// A build for the soak (`-tags soak`) tells what cannot be seen from outside: every
// few seconds how many goroutines there are, in a file inside-<pid> of the folder that
// UNDERSTUDY_SOAK_DIR names; how memory is used, after a few minutes in
// heap-<pid>-first and each minute anew in heap-<pid>-last; and, as often, where the
// goroutines are, in goroutines-<pid>-first and -last.
func init() {
	if dir := os.Getenv("UNDERSTUDY_SOAK_DIR"); dir != "" {
		go tellInside(dir)
	}
}

const (
	insideEvery  = 5 * time.Second
	profileEvery = 12 // of these
	profileFirst = 60
)

func tellInside(dir string) {
	pid := os.Getpid()
	for i := 1; ; i++ {
		time.Sleep(insideEvery)
		file(dir, fmt.Sprintf("inside-%d", pid), func(f *os.File) error {
			_, err := fmt.Fprintf(f, "goroutines %d\n", runtime.NumGoroutine())
			return err
		})
		if i == profileFirst {
			profiles(dir, pid, "first")
		}
		if i%profileEvery == 0 {
			profiles(dir, pid, "last")
		}
	}
}

func profiles(dir string, pid int, when string) {
	file(dir, fmt.Sprintf("heap-%d-%s", pid, when), heap)
	file(dir, fmt.Sprintf("goroutines-%d-%s", pid, when), func(f *os.File) error { return pprof.Lookup("goroutine").WriteTo(f, 1) })
}

func heap(f *os.File) error {
	runtime.GC()
	return pprof.Lookup("heap").WriteTo(f, 0)
}

// file replaces a file. Who reads it sees the old one or the new one.
func file(dir, name string, write func(*os.File) error) {
	temp := filepath.Join(dir, "."+name)
	f, err := os.Create(temp)
	if err == nil {
		err = write(f)
		f.Close()
	}
	if err == nil {
		err = os.Rename(temp, filepath.Join(dir, name))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
	}
}
