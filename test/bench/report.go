package main

import (
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// notes explain the figures; they are of the date that they bear.
//
//go:embed notes.md
var notes string

type machine struct{ cpu, kernel, versions, load string }

func thisMachine() machine {
	m := machine{
		kernel: strings.TrimSpace(readAll("/proc/sys/kernel/osrelease")),
		load:   strings.Join(strings.Fields(readAll("/proc/loadavg"))[:3], " "),
	}
	for line := range strings.Lines(readAll("/proc/cpuinfo")) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.cpu = strings.TrimSpace(value)
			break
		}
	}
	m.versions = fmt.Sprintf("Swift %s, %s, %s, %s",
		output("dpkg-query", "-W", "-f", "${Version}", "python3-swift"), output("/usr/bin/python3", "--version"),
		firstLine(output("rsync", "--version")), runtime.Version())
	return m
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

type report struct {
	started time.Time
	options options
	machine machine
	results []result
	pushes  []pushResult
}

func (r report) write(w io.Writer) {
	fmt.Fprintf(w, "# Benchmarks\n\n")
	fmt.Fprintf(w, "Written by `make bench` on %s. Do not edit: run it again.\n\n", r.started.UTC().Format("2006-01-02 15:04 MST"))
	fmt.Fprintf(w, "- Machine: %s, %d cores, Linux %s, load before the start %s\n", r.machine.cpu, runtime.NumCPU(), r.machine.kernel, r.machine.load)
	fmt.Fprintf(w, "- Programs: %s\n", r.machine.versions)
	fmt.Fprintf(w, `- Cluster: 4 nodes with 4 devices each on loopback, trees in %s, three replicas, `+"`concurrency = 4`"+`;
  all peers are Swift's own object servers (one worker each) on the same machine, and their work is in the
  wall time of both programs
- Command: `+"`swift-object-replicator CONF --once`"+` on one node, Swift's and ours in turn on the same tree (AB BA AB …),
  %d runs of each after one that warms up. CPU is user + system time of the program and its children
- Each ratio is ours ÷ Swift's of neighbouring runs: median (lowest to highest). Times are medians.
  After every run, both programs' counters in the recon cache and all cached hashes must be equal, or the benchmark fails

`, r.options.base, r.options.runs)
	r.writePasses(w)
	fmt.Fprintln(w)
	writePushes(w, r.pushes)
	if !r.options.smoke {
		fmt.Fprintf(w, "%s", notes)
	}
}

// writePasses writes the table of the passes in which nothing has to be pushed.
func (r report) writePasses(w io.Writer) {
	if len(r.results) == 0 {
		return
	}
	fmt.Fprintf(w, "| # | work | Swift wall | ours wall | ratio | goal | Swift CPU | ours CPU | ratio | goal |\n")
	fmt.Fprintf(w, "|---|---|---|---|---|---|---|---|---|---|\n")
	for _, b := range r.results {
		wall := func(s sample) time.Duration { return s.wall }
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", b.name, b.what,
			seconds(b.stock, wall), seconds(b.ours, wall), b.ratio(wall), b.goal(b.wallGoal, wall),
			cpuSeconds(b.stock), cpuSeconds(b.ours), b.ratio(sample.cpu), b.goal(b.cpuGoal, sample.cpu))
	}
	fmt.Fprintln(w)
	for _, b := range r.results {
		if len(b.args) > 0 {
			continue
		}
		fmt.Fprintf(w, "End state of %s, both programs: %d partitions, %d suffixes, %d peers in sync, %d pushes, %d failures.\n",
			b.name, b.digest.Partitions, b.digest.Suffixes, b.stats.HashMatch, b.stats.Rsync, b.stats.Failure)
	}
}

func (b result) goal(g float64, of func(sample) time.Duration) string {
	switch {
	case g == 0:
		return "–"
	case median(b.ratios(of)) > g:
		return fmt.Sprintf("≤ %.2f: missed", g)
	default:
		return fmt.Sprintf("≤ %.2f", g)
	}
}

func seconds(samples []sample, of func(sample) time.Duration) string {
	var all []float64
	for _, s := range samples {
		all = append(all, of(s).Seconds())
	}
	return fmt.Sprintf("%.2f s", median(all))
}

// cpuSeconds also tells the kernel's part.
func cpuSeconds(samples []sample) string {
	return fmt.Sprintf("%s (system %s)", seconds(samples, sample.cpu),
		seconds(samples, func(s sample) time.Duration { return s.system }))
}

func (b result) ratios(of func(sample) time.Duration) []float64 {
	var all []float64
	for i := range b.stock {
		all = append(all, of(b.ours[i]).Seconds()/of(b.stock[i]).Seconds())
	}
	return all
}

func (b result) ratio(of func(sample) time.Duration) string {
	all := b.ratios(of)
	return fmt.Sprintf("**%.2f** (%.2f to %.2f)", median(all), slices.Min(all), slices.Max(all))
}

func median(all []float64) float64 {
	slices.Sort(all)
	return (all[len(all)/2] + all[(len(all)-1)/2]) / 2
}
