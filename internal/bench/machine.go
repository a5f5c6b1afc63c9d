package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

func thisMachine() string {
	cpu := "unknown"
	for line := range strings.Lines(readAll("/proc/cpuinfo")) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			cpu = strings.TrimSpace(value)
			break
		}
	}
	kernel := strings.TrimSpace(readAll("/proc/sys/kernel/osrelease"))
	return fmt.Sprintf("%s, %d cores, Linux %s", cpu, runtime.NumCPU(), kernel)
}

func load() string { return strings.Join(strings.Fields(readAll("/proc/loadavg"))[:3], " ") }

func (p programs) versions() string {
	return fmt.Sprintf("ours %s, Swift %s, %s, %s, %s", p.version,
		output("dpkg-query", "-W", "-f", "${Version}", "python3-swift"), output("/usr/bin/python3", "--version"),
		firstLine(output("rsync", "--version")), runtime.Version())
}

func readAll(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown unknown unknown"
	}
	return string(b)
}

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.Join(strings.Fields(line), " ")
}
