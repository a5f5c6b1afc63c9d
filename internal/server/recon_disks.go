package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// device is what is told of one device. Text stands where Swift has an empty text
// or the text of an error.
type reconDevice struct {
	Device  string `json:"device"`
	Mounted any    `json:"mounted"`
}

type reconUsage struct {
	reconDevice
	Size  any `json:"size"`
	Used  any `json:"used"`
	Avail any `json:"avail"`
}

// unmounted are the devices that are not mounted.
func (s *Server) unmounted(ctx context.Context) (any, error) {
	list := []reconDevice{}
	all, err := s.askDevices(ctx, func(device string) (any, error) { return nil, s.cfg.Recon.Mounted(ctx, device) })
	for _, d := range all {
		if d.err != nil {
			list = append(list, reconDevice{d.name, d.mounted()})
		}
	}
	return list, err
}

// diskUsage is how full the devices are, in bytes.
func (s *Server) diskUsage(ctx context.Context) (any, error) {
	type usage struct{ size, used, avail uint64 }
	list := []reconUsage{}
	all, err := s.askDevices(ctx, func(device string) (any, error) {
		if err := s.cfg.Recon.Mounted(ctx, device); err != nil {
			return nil, err
		}
		var st syscall.Statfs_t
		path := filepath.Join(s.cfg.Recon.Devices, device)
		if err := syscall.Statfs(path, &st); err != nil {
			return nil, fmt.Errorf("ask for the usage of %s: %w", path, err)
		}
		block := uint64(st.Bsize)
		return usage{block * st.Blocks, block * (st.Blocks - st.Bavail), block * st.Bavail}, nil
	})
	for _, d := range all {
		u := reconUsage{reconDevice{d.name, d.mounted()}, "", "", ""}
		if v, ok := d.value.(usage); ok {
			u.Size, u.Used, u.Avail = v.size, v.used, v.avail
		}
		list = append(list, u)
	}
	return list, err
}

// quarantined counts what is quarantined, by policy. A device that does not answer
// is left out, and the log says so.
func (s *Server) quarantined(ctx context.Context) (any, error) {
	type count struct {
		Objects int `json:"objects"`
	}
	var counts struct {
		Objects    int               `json:"objects"`
		Containers int               `json:"containers"`
		Accounts   int               `json:"accounts"`
		Policies   map[string]*count `json:"policies"`
	}
	counts.Policies = map[string]*count{}
	all, err := s.askDevices(ctx, func(device string) (any, error) {
		return quarantinedOn(filepath.Join(s.cfg.Recon.Devices, device, "quarantined"))
	})
	for _, d := range all {
		if d.err != nil {
			s.cfg.Log.Warn().Err(d.err).Str("device", d.name).Msg("quarantined objects not counted")
		}
		found, _ := d.value.(map[string]int)
		for kind, n := range found {
			switch {
			case strings.HasPrefix(kind, "objects"):
				_, policy, ok := strings.Cut(kind, "-")
				if !ok {
					policy = "0"
				}
				if counts.Policies[policy] == nil {
					counts.Policies[policy] = &count{}
				}
				counts.Policies[policy].Objects += n
				counts.Objects += n
			case kind == "containers":
				counts.Containers += n
			case kind == "accounts":
				counts.Accounts += n
			}
		}
	}
	return counts, err
}

// quarantinedOn counts by the links of the directories, as Swift does.
func quarantinedOn(dir string) (map[string]int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	found := map[string]int{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // gone meanwhile
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 2 {
			found[e.Name()] = int(st.Nlink) - 2
		}
	}
	return found, err
}

// told is what was found out about a device.
type told struct {
	name  string
	value any
	err   error
}

// mounted is what Swift tells of a device: true, false, or what is wrong.
func (d told) mounted() any {
	switch {
	case d.err == nil:
		return true
	case errors.Is(d.err, errNoAnswer):
		return d.err.Error()
	}
	return false
}

var errNoAnswer = errors.New("the device does not answer")

// askDevices asks all directories of the devices directory at the same time, in
// their order. A device has Recon.Patience to answer: the question is then left to
// hang, in one of the device's places.
func (s *Server) askDevices(ctx context.Context, ask func(device string) (any, error)) ([]told, error) {
	entries, err := os.ReadDir(s.cfg.Recon.Devices)
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	all := make([]told, len(entries))
	var asked sync.WaitGroup
	for i, e := range entries {
		asked.Go(func() { all[i] = s.askDevice(ctx, e, ask) })
	}
	asked.Wait()
	list := all[:0]
	for _, d := range all {
		if d.name != "" {
			list = append(list, d)
		}
	}
	return list, nil
}

// askDevice returns a zero value for what is no directory.
func (s *Server) askDevice(ctx context.Context, e os.DirEntry, ask func(device string) (any, error)) told {
	patience := s.cfg.Recon.Patience
	if patience <= 0 {
		patience = 5 * time.Second
	}
	release, ok := s.slots.take(ctx, e.Name(), patience)
	if !ok {
		return told{name: e.Name(), err: errNoAnswer}
	}
	answered := make(chan told, 1)
	go func() {
		defer release()
		if info, err := os.Stat(filepath.Join(s.cfg.Recon.Devices, e.Name())); err != nil || !info.IsDir() {
			answered <- told{}
			return
		}
		value, err := ask(e.Name())
		answered <- told{e.Name(), value, err}
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case d := <-answered:
		return d
	case <-timer.C:
		return told{name: e.Name(), err: errNoAnswer}
	}
}
