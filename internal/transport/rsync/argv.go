package rsync

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"understudy/messages"
)

// The shape of rsync's own temporary files: never shipped.
const excludeTemp = "--exclude=.*.[0-9a-zA-Z][0-9a-zA-Z][0-9a-zA-Z][0-9a-zA-Z][0-9a-zA-Z][0-9a-zA-Z]"

// argv is the command line of one sync, or nil when none of the suffixes exists.
//
// There is no --mkpath: rsync makes only the last directory of its destination,
// so an unmounted target, which lacks <device>/objects, is a failure and not a
// full root disk. Swift: obj/replicator.py rsync
func (t *Transport) argv(ctx context.Context, job messages.SyncJob) ([]string, error) {
	if err := checkJob(job); err != nil {
		return nil, err
	}
	sources, err := t.sources(ctx, job)
	if err != nil || len(sources) == 0 {
		return nil, err
	}
	module, err := interpolate(t.cfg.Module, job.Node)
	if err != nil {
		return nil, err
	}
	if module == "" || module[0] == '-' {
		return nil, fmt.Errorf("build rsync destination for %s: module %q cannot be used", job.Node, module)
	}
	argv := []string{
		"rsync",
		"--recursive",
		"--whole-file",
		"--human-readable",
		"--xattrs",
		"--itemize-changes",
		"--ignore-existing",
		"--timeout=" + t.cfg.IOTimeout,
		"--contimeout=" + t.cfg.IOTimeout,
		t.bwlimit(0),
		excludeTemp,
	}
	if t.cfg.Compress && job.Region != job.Node.Region {
		argv = append(argv, "--compress")
	}
	argv = append(argv, sources...)
	if !strings.HasSuffix(module, "/") {
		module += "/"
	}
	p := job.Partition
	p.Device = job.Node.Device
	return append(argv, module+p.String()), nil
}

// sources are the paths of the suffixes that exist, in the job's order.
func (t *Transport) sources(ctx context.Context, job messages.SyncJob) ([]string, error) {
	found, err := t.cfg.Suffixes(ctx, job.Partition, job.Suffixes)
	if err != nil {
		return nil, fmt.Errorf("find suffixes of %s: %w", job.Partition, err)
	}
	exists := make(map[string]bool, len(found))
	for _, path := range found {
		exists[path] = true
	}
	dir := filepath.Join(t.cfg.Devices, job.Partition.String())
	var sources []string
	for _, suffix := range job.Suffixes {
		if path := dir + "/" + suffix; exists[path] {
			sources = append(sources, path)
		}
	}
	return sources, nil
}

// checkJob refuses names that could be taken for something else than a name, by
// rsync or by the daemon that expands wildcards in what it is sent.
//
// Unlike Swift: which passes on whatever the ring holds.
func checkJob(job messages.SyncJob) error {
	if len(job.Suffixes) == 0 {
		return fmt.Errorf("sync %s to %s: no suffixes", job.Partition, job.Node)
	}
	if err := checkName("device", job.Partition.Device); err != nil {
		return err
	}
	if err := checkName("target device", job.Node.Device); err != nil {
		return err
	}
	if job.Partition.Policy < 0 {
		return errors.New("negative policy index " + strconv.Itoa(job.Partition.Policy))
	}
	for _, suffix := range job.Suffixes {
		if err := checkName("suffix", suffix); err != nil {
			return err
		}
	}
	return nil
}

// checkName lets through what needs no quoting in a URL; Swift replicates no
// device with another name. Swift: obj/replicator.py check_drive, common/constraints.py
func checkName(what, name string) error {
	if name == "" || name == "." || name == ".." || !only(name, "_.-~") {
		return fmt.Errorf("%s %q is no name to give to rsync", what, name)
	}
	return nil
}

// checkHost lets through addresses and host names: nothing that could end the
// host's part of a destination.
func checkHost(what, host string) error {
	if validIPv6(host) || host != "" && host[0] != '-' && only(host, "_.-") {
		return nil
	}
	return fmt.Errorf("%s %q is no host to give to rsync", what, host)
}

// only reports whether s holds nothing but ASCII letters, digits and the given
// characters.
func only(s, also string) bool {
	for i := range len(s) {
		c := s[i]
		if ('a' > c || c > 'z') && ('A' > c || c > 'Z') && ('0' > c || c > '9') && strings.IndexByte(also, c) < 0 {
			return false
		}
	}
	return true
}
